"""Daily work of the pair: code and diffs reviewed and mended, programs written, reviewers put to the test."""
