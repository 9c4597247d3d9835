"""Suites, grading and scores: what the pipelines are measured with."""
