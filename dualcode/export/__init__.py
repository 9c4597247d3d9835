"""Runs for other tools: Inspect's logs, and samples with the problems that EvalPlus scores them on."""
