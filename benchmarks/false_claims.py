"""How often does a study of equal pipelines claim a difference? One JSON line; seconds.

    python benchmarks/false_claims.py [--studies 2000] [--seed 0]

A study is 13 pipelines beside a baseline on two suites of 164 and 378 tasks: 26 comparisons. No pipeline is
better or worse: of its tasks it gains a share and loses as many, at random. A bar of figure 2 is coloured if
its p is below 5 %. `p`: each bar by its own test. `p_holm`: by the corrected p, as figures, tables,
report and `dualcode compare` take it.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.equal import PIPELINES, SUITES, coloured

CHANGED = (0.05, 0.1, 0.2)
"""The share of tasks that change at all; half of them gained, half lost."""


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
