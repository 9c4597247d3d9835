"""Two checkouts' values of one study: what another order or another id changes is no difference."""

from typing import Any

import pytest

from benchmarks.moves import compared, leaves


def values(calls: int, fingerprint: str) -> dict[str, Any]:
    run: dict[str, Any] = {"calls": calls, "notes": []}
    return dict(
        leaves({"costs": {f"mini-gated-{fingerprint}": run}, "tables": {"costs": {"title": "Costs"}}})
    )


OURS = values(3, "0123abcd")


def test_runs_are_known_without_their_configurations() -> None:
    assert values(3, "ffffffff") == OURS


def test_a_value_that_differs_is_told_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(OURS, values(4, "ffffffff"), show=1)
    assert "costs > mini-gated > calls: 3 | 4" in capsys.readouterr().out


def test_what_one_side_has_alone_is_told_but_is_no_other_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert not compared(OURS, {**OURS, " > gaps > 0": 1.0}, show=1)
    assert "only theirs, 1: > gaps > *" in capsys.readouterr().out
