"""How often does a study of equal pipelines claim a difference? One JSON line; seconds.

    python benchmarks/false_claims.py [--studies 2000] [--seed 0]

A study is 13 pipelines beside a baseline on two suites of 164 and 378 tasks: 26 comparisons. No pipeline is
better or worse: of its tasks it gains a share and loses as many, at random. A bar of figure 2 is coloured if
its p is below 5 %. `p`: each bar by its own test. `p_holm`: by the corrected p, as figures, tables,
report and `dualcode compare` take it.
"""

import argparse
import functools
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dualcode.analysis.changes import LEVEL, Changes
from dualcode.analysis.statistics import holm

SUITES = (164, 378)
PIPELINES = 13
CHANGED = (0.05, 0.1, 0.2)
"""The share of tasks that change at all; half of them gained, half lost."""


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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Studies of equal pipelines that claim a difference.")
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print(
        json.dumps(
            {
                "studies": asked.studies,
                "comparisons": PIPELINES * len(SUITES),
                "coloured": {str(share): coloured(asked.studies, share, asked.seed) for share in CHANGED},
            }
        )
    )
