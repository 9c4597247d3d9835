"""Graders: programs in, verdicts out; what a file of samples comes to."""
