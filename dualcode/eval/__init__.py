"""`python -m dualcode.eval`, the same as `dualcode eval`."""
