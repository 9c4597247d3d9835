"""Models at work on a repository: one command after another in the jail, each step on record."""
