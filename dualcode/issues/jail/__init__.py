"""The jail for commands: a shell line of a model's, or a run of tests, with one writable folder and no network."""
