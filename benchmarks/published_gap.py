"""Can the paper's totals tell its "4x gap" from none? One JSON line; a minute.

The published totals fix gains less losses, not gains and losses: every feasible pair is tried. They are the
paper's numbers (arXiv 2603.03406, Table 3); none was measured here. docs/statistics.md has the answer.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.simulation import paper
from dualcode.analysis.changes import Changes, gap_p_value, ratio_interval


def feasible(suite: str, pipeline: str) -> list[Changes]:
    """Return all that the totals allow, the fewest changes first."""
    known = paper.change(suite, "raw-coder", pipeline)
    return [Changes(gains, losses, known.total) for gains, losses in known.pairs]


def answer(pipeline: str) -> dict[str, Any]:
    rich, lean = feasible("HumanEval+", pipeline), feasible("MBPP+", pipeline)
    p_values = np.asarray([[gap_p_value(one, other) for other in lean] for one in rich])
    seen = p_values < 0.05
    ratio = ratio_interval(rich[0], lean[0])
    return {
        "pipeline": pipeline,
        "pairs": int(p_values.size),
        "p": [float(p_values.min()), float(p_values.max())],
        "pairs_with_p_below_0.05": int(seen.sum()),
        "most_losses_with_p_below_0.05": {
            "HumanEval+": max(each.lost for each, row in zip(rich, seen, strict=True) if row.any()),
            "MBPP+": max(each.lost for each, row in zip(lean, seen.T, strict=True) if row.any()),
        },
        "best_ratio_interval": [ratio.low, ratio.high] if ratio else None,
        "pairs_with_a_ratio": sum(
            not one.interval().holds_zero and not other.interval().holds_zero
            for one in rich
            for other in lean
        ),
    }


if __name__ == "__main__":
    print(json.dumps([answer(pipeline) for pipeline in ("review-fix", "enriched")]))
