"""What rows of scores say of their judges."""

import itertools
import math
import random

import pytest

from dualcode.panel.measures import Key, Makers, PanelMeasured, measure
from dualcode.panel.panel import Score

MODELS = ("ann", "bob")
MAKERS = {
    f"{one}->{two}": Makers(planner=frozenset({one}), implementer=frozenset({two}))
    for one, two in itertools.product((*MODELS, "eve"), repeat=2)
} | {"no-plan:ann": Makers(implementer=frozenset({"ann"}))}
KEYS: list[Key] = [
    (condition, f"issue-{issue}", trial) for condition in MAKERS for issue in range(5) for trial in (1, 2)
]
TRUTH: dict[Key, bool | None] = {key: random.Random(str(key)).random() < 0.5 for key in KEYS}


def row(judge: str, key: Key, score: int | None, rendering: str = "plain", **other: int) -> Score:
    condition, issue, trial = key
    return Score(
        condition=condition, issue=issue, trial=trial, judge=judge, model=judge, rubric="r", checksum="c",
        rendering=rendering,  # pyright: ignore[reportArgumentType]
        scores=None if score is None else {"a": score, "b": score, **other},
        why_missing="" if score is not None else "no JSON object",
    )  # fmt: skip


def fair(key: Key) -> int:
    return (7 if TRUTH[key] else 4) + random.Random(f"fair {key}").choice((-1, 0, 1))


def biased(key: Key) -> int:
    return min(10, fair(key) + (3 if "bob" in MAKERS[key[0]].implementer else 0))


def measured(rows: list[Score]) -> PanelMeasured:
    return measure(rows, makers=MAKERS, truth=TRUTH)


def test_a_fair_and_a_biased_judge_are_told_apart() -> None:
    found = measured(
        [*(row("ann", key, fair(key)) for key in KEYS), *(row("bob", key, biased(key)) for key in KEYS)]
    )
    ann, bob = found.judges
    assert bob.own_implementer.delta.value == pytest.approx(3, abs=0.8)
    assert bob.own_implementer.excess.value == pytest.approx(3, abs=0.3)
    assert bob.own_implementer.excess.low is not None and bob.own_implementer.excess.low > 2
    assert ann.own_implementer.delta.low is not None and ann.own_implementer.delta.high is not None
    assert ann.own_implementer.delta.low < 0.8 and ann.own_implementer.delta.high > -0.8
    assert bob.own_planner.delta.value is not None and abs(bob.own_planner.delta.value) < 0.8
    assert (bob.own_implementer.own, bob.own_implementer.other) == (30, 70)
    assert (ann.own_planner.own, ann.own_planner.other) == (30, 60), "nobody planned for no-plan:ann"
    assert ann.auc is not None and bob.auc is not None and ann.auc > bob.auc > 0.5
    assert ann.spearman is not None and ann.spearman > 0.5 and ann.graded == 100
    assert found.fixes == 100 and found.votes_by_truth


def test_a_judge_of_no_contestants_model_has_no_own() -> None:
    [eve] = measured([row("judge", key, fair(key)) for key in KEYS]).judges
    assert eve.own_implementer.own == 0 and eve.own_implementer.delta.value is None


def test_a_constant_judge_is_seen_as_one() -> None:
    found = measured([row(judge, key, 8) for judge in MODELS for key in KEYS])
    assert found.alpha == {"a": None, "b": None} and found.alpha_of_means is None
    assert found.kappas == {"ann bob": None} and found.votes is None
    for each in found.judges:
        assert each.spread == 0 and each.spearman is None and each.auc == 0.5


def test_missing_scores_are_counted_with_their_reasons_and_never_zero() -> None:
    rows = [row("ann", key, None if n % 4 == 0 else 8) for n, key in enumerate(KEYS)]
    rows += [row("bob", key, 8) for key in KEYS]
    ann, _ = measured(rows).judges
    assert ann.asked == 100 and ann.missing == 25 and ann.why_missing == {"no JSON object": 25}
    assert ann.mean == 8


def test_a_judge_without_any_score_says_nothing_and_breaks_nothing() -> None:
    found = measured(
        [*(row("ann", key, None) for key in KEYS), *(row("bob", key, fair(key)) for key in KEYS)]
    )
    ann, bob = found.judges
    assert ann.mean is ann.spread is ann.auc is ann.sensitivity.value is None
    assert bob.mean is not None and bob.own_implementer.excess.value is None
    assert found.alpha["a"] is None


def test_the_renderings_difference_is_the_sensitivity_and_nothing_else() -> None:
    rows = [row("ann", key, 6) for key in KEYS] + [row("ann", key, 8, "other") for key in KEYS]
    [ann] = measured(rows).judges
    assert ann.mean == 6 and ann.sensitivity.value == 2 and ann.sensitivity.clusters == 5


def test_two_renderings_that_are_one_say_nothing_of_sensitivity() -> None:
    same = [row("ann", key, 6, "other").model_copy(update={"same": True}) for key in KEYS[:90]]
    rows = [row("ann", key, 6) for key in KEYS] + same + [row("ann", key, 9, "other") for key in KEYS[90:]]
    [ann] = measured(rows).judges
    assert ann.sensitivity.value == 3 and ann.sensitivity.n == 10


def test_means_are_over_dimensions_that_every_fix_has() -> None:
    with_plan = [row("ann", key, 5, plan_fidelity=10) for key in KEYS[:50]]
    found = measured([*with_plan, *(row("ann", key, 5) for key in KEYS[50:])])
    assert found.dimensions == ("a", "b") and found.judges[0].mean == 5
    assert set(found.alpha) == {"a", "b", "plan_fidelity"}


def test_judges_that_agree_do() -> None:
    found = measured([row(judge, key, fair(key)) for judge in MODELS for key in KEYS])
    assert found.alpha["a"] == pytest.approx(1) and found.kappas["ann bob"] == pytest.approx(1)
    assert found.votes == pytest.approx(1)


def test_one_fix_has_numbers_and_no_interval() -> None:
    key = KEYS[0]
    [ann] = measured([row("ann", key, 7), row("ann", key, 5, "other")]).judges
    assert ann.mean == 7 and ann.spread is None and ann.sensitivity.value == 2
    assert ann.sensitivity.low is None and ann.spearman is None


def test_without_truth_votes_are_a_lower_bound_and_say_so() -> None:
    rows = [row("ann", key, fair(key)) for key in KEYS] + [row("bob", key, biased(key)) for key in KEYS]
    bare = measure(rows)
    assert not bare.votes_by_truth and bare.votes is not None
    told = measured(rows).votes
    assert told is not None and bare.votes <= told + 1e-9 and math.isfinite(told)
    assert bare.judges[0].auc is None and bare.judges[0].own_implementer.own == 0


def test_nothing_at_all_is_a_panel_without_judges() -> None:
    found = measured([])
    assert found.judges == () and found.fixes == 0 and found.votes is None
