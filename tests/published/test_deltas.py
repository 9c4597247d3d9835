"""A published difference is against one baseline."""

import pytest

from dualcode.published.published import load_published

PAPER = load_published()


@pytest.mark.parametrize(
    ("pipeline", "baseline", "delta"),
    [
        ("review-fix", "raw-coder", 9.8),
        ("review-fix", "plan-code", 12.2),
        ("plan-code", "review-fix", -12.2),
        ("review-fix", "review-fix", None),
        ("raw-coder", "raw-coder", None),
        ("best-of-k", "raw-coder", None),
        ("review-fix", "best-of-k", None),
    ],
)
def test_a_difference_is_printed_recomputed_or_unknown(
    pipeline: str, baseline: str, delta: float | None
) -> None:
    assert PAPER.delta("HumanEval+", pipeline, baseline) == delta
