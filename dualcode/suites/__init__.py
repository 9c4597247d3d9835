"""Suites: sets of tasks with their hidden tests, and where their data comes from."""
