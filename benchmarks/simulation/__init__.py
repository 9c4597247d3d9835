"""A simulator of the pipelines: what pass@1 and calls per task follow from how good each part is.

rates.py     what is assumed of the models and the checks
formulas.py  the closed form of every pipeline
sampling.py  the same pipelines played out task by task (Monte Carlo), written independently
paper.py     the published tables as counts of tasks, and every set of rates that reproduces them
figure.py    where review wins

The model and its assumptions are set down in docs/simulator.md.
"""
