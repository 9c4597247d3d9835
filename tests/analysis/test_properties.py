"""What holds of analyses whatever the runs were: by other ways to count, and in whatever order."""

import itertools
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcode.analysis.changes import Changes
from dualcode.analysis.comparability import NOT_COMPARABLE, find_differences
from dualcode.analysis.comparisons import Comparisons, compare_runs
from dualcode.analysis.costs import ALWAYS_KNOWN, MAYBE_KNOWN, Total, costs_of, together
from dualcode.analysis.reviewer import Confusion
from dualcode.analysis.runs import Run, load_run
from dualcode.analysis.statistics import compare
from tests.made import Story, write_run

CLOSE = pytest.approx
TASKS = [f"HumanEval/{number}" for number in range(8)]
PASSED = {"raw-coder": "++--+-?+", "review-fix": "+++-++--", "gated": "+-+-+-++", "enriched": "?+--+-++"}


def made(folder: Path, pipeline: str, **options: object) -> Run:
    states = {"+": True, "-": False, "?": None}
    stories = {task: Story(states[each]) for task, each in zip(TASKS, PASSED[pipeline], strict=True)}
    return load_run(write_run(folder, pipeline, stories, **options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return [made(tmp_path_factory.mktemp("runs"), pipeline) for pipeline in PASSED]


def test_a_comparison_turned_round_is_the_same_with_its_sign_turned(runs: list[Run]) -> None:
    for first, second in itertools.combinations(runs, 2):
        there, back = compare(first, second, "plus"), compare(second, first, "plus")
        assert (there.gained, there.lost) == (back.lost, back.gained)
        assert (there.both, there.neither, there.tasks) == (back.both, back.neither, back.tasks)
        assert (there.p_value, there.needed) == (CLOSE(back.p_value), back.needed)
        assert (there.delta, there.low, there.high) == (-back.delta, CLOSE(-back.high), CLOSE(-back.low))
        assert there.both + there.neither + len(there.gained) + len(there.lost) == there.tasks
        assert sorted([*there.unpaired, *_shared(first, second)]) == TASKS


def _shared(first: Run, second: Run) -> set[str]:
    return first.passed("plus").keys() & second.passed("plus").keys()


def test_numbers_know_no_order_of_the_runs(runs: list[Run]) -> None:
    def numbers(found: Comparisons) -> dict[str, tuple[object, ...]]:
        (suite,) = found.suites
        return {
            each.run: (each.baseline, each.gained, each.lost, each.delta, each.p_value, each.p_holm)
            for each in suite.comparisons
        }

    expected = numbers(compare_runs(runs, "raw-coder"))
    assert len(expected) == 3
    for seed in range(4):
        shuffled = random.Random(seed).sample(runs, len(runs))
        assert numbers(compare_runs(shuffled, "raw-coder")) == expected


def test_what_makes_two_runs_differ_knows_no_order(runs: list[Run], tmp_path: Path) -> None:
    others = [
        made(tmp_path / "data", "gated", data="1" * 64), made(tmp_path / "suite", "gated", dataset="mini"),
    ]  # fmt: skip
    for first, second in itertools.combinations([*runs, *others], 2):
        there, back = find_differences([first, second]), find_differences([second, first])
        assert Counter(each.kind for each in there) == Counter(each.kind for each in back)
        assert all(each.breaks == (each.kind in NOT_COMPARABLE) for each in there)
        between = [each for each in there if each.kind != "errored"]
        assert all(first.id in each.text and second.id in each.text for each in between)
        assert any(each.breaks for each in there) == (second in others)


def test_what_two_halves_of_a_run_took_is_what_the_whole_took(tmp_path: Path) -> None:
    stories = {
        task: Story(number % 3 > 0, draft="def solve(n):\n    return n\n", review="revise")
        for number, task in enumerate(TASKS)
    }
    price = {"input_per_million": 2.0, "output_per_million": 8.0}
    whole, *halves = (
        costs_of(load_run(write_run(tmp_path, "review-fix", own, price=price)))
        for own in (stories, *({task: stories[task] for task in part} for part in (TASKS[:3], TASKS[3:])))
    )
    assert (
        (whole.tasks, whole.solved)
        == (8, 5)
        == tuple(map(sum, zip(*((half.tasks, half.solved) for half in halves), strict=True)))
    )
    assert whole.calls == sum(half.calls for half in halves) == 3 * len(TASKS)
    for side in ("alone", "spent"):
        added, all_of_it = together(halves, side), whole.total(side)
        for name in ("prompt_tokens", "completion_tokens", "reasoning_tokens", "busy_seconds"):
            assert getattr(added, name) == CLOSE(getattr(all_of_it, name), rel=1e-6), name
        assert added.money == {"$": CLOSE(all_of_it.money["$"])}


amounts = st.floats(0, 1e9)
totals = st.builds(
    Total,
    **dict.fromkeys(ALWAYS_KNOWN, amounts),
    **dict.fromkeys(MAYBE_KNOWN, st.none() | amounts),
    money=st.dictionaries(st.sampled_from("$€"), amounts),
)


@given(totals, st.integers(1, 1000))
def test_shares_of_a_total_add_up_to_it_and_what_is_unknown_stays_so(total: Total, count: int) -> None:
    share = total.per(count)
    assert share is not None and total.per(0) is None
    for name in (*ALWAYS_KNOWN, *MAYBE_KNOWN):
        own, part = getattr(total, name), getattr(share, name)
        assert part is None if own is None else count * part == CLOSE(own)
    assert {currency: count * amount for currency, amount in share.money.items()} == CLOSE(total.money)


verdicts = st.sampled_from(["approve", "revise", None])


@given(st.lists(st.tuples(verdicts, st.sampled_from([True, False, None]))))
def test_every_review_is_in_one_cell_and_every_rate_is_of_its_cells(
    seen: list[tuple[str | None, bool | None]],
) -> None:
    found = Confusion.of(seen)
    assert found.judged + found.off_schema + found.ungraded == len(seen)
    judged = [(verdict == "revise", not right) for verdict, right in seen if None not in (verdict, right)]
    rates = {
        "precision": [wrong for said, wrong in judged if said],
        "recall": [said for said, wrong in judged if wrong],
        "specificity": [not said for said, wrong in judged if not wrong],
        "accuracy": [said == wrong for said, wrong in judged],
        "base_rate": [wrong for _, wrong in judged],
    }
    for name, cases in rates.items():
        shown = found.to_json()[name]
        assert (shown is None) == (not cases)
        if cases:
            assert (shown["passed"], shown["total"]) == (sum(cases), len(cases))
            assert shown["low"] <= shown["value"] <= shown["high"]


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 40))
def test_more_of_the_same_changes_never_make_them_likelier_by_chance(up: int, down: int, times: int) -> None:
    once, more = (Changes(n * up, n * down, 25 * n) for n in (1, times))
    assert more.delta == CLOSE(once.delta)
    if up != down:
        assert more.p_value <= once.p_value + 1e-12
    assert once.p_value == CLOSE(Changes(down, up, 25).p_value)
