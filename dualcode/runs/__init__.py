"""Runs: one pipeline over one suite, from its options to its sealed folder."""
