"""Simulated studies of pipelines that are equal, and how many of them claim a difference."""

import functools

import numpy as np

from dualcode.analysis.changes import LEVEL, Changes
from dualcode.analysis.statistics import holm

SUITES = (164, 378)
PIPELINES = 13


@functools.cache
def p_value(gained: int, lost: int) -> float:
    """McNemar's exact p; the number of tasks does not matter to it."""
    return Changes(gained, lost, gained + lost + 1).p_value


def coloured(studies: int, changed: float, seed: int) -> dict[str, float]:
    """Return the share of studies with at least one coloured bar, by either p."""
    chance = np.random.default_rng(seed)
    shown = {"p": 0, "p_holm": 0}
    for _ in range(studies):
        counts = [
            chance.multinomial(tasks, (changed / 2, changed / 2, 1 - changed))
            for tasks in SUITES
            for _ in range(PIPELINES)
        ]
        found = [p_value(int(gained), int(lost)) for gained, lost, _ in counts]
        shown["p"] += min(found) < LEVEL
        shown["p_holm"] += min(holm(found)) < LEVEL
    return {name: count / studies for name, count in shown.items()}
