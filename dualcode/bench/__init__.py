"""What a pipeline may know of a program: how it does on the tests that its prompt shows."""
