"""The jail for commands: a model's shell line, or a run of tests, in one writable folder and no network."""
