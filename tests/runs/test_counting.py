"""What people are told of how far runs are: it never goes back, and is theirs alone."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.runs import progress
from dualcode.runs.progress import Pace, Tally, Whole
from dualcode.verdict import Verdict
from tests.runs.test_summary import verdict

TASKS = 4
VERDICTS = {
    "both": verdict("passed", "passed"),
    "base": verdict("passed", "failed"),
    "none": verdict("failed", "failed"),
    "errored": Verdict.of_error("T/1", "lost", plus=True),
}
outcomes = st.lists(st.sampled_from(sorted(VERDICTS)), min_size=TASKS, max_size=TASKS)
moments = st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 2)), max_size=40)


@settings(max_examples=30, deadline=None)
@given(outcomes, st.integers(0, TASKS))
def test_rates_are_over_what_was_graded_whichever_session_did_it(kinds: list[str], resumed: int) -> None:
    tally = Tally(has_plus=True)
    tally.on_start(TASKS, [VERDICTS[kind] for kind in kinds[:resumed]])
    for kind in kinds[resumed:]:
        tally.on_verdict(VERDICTS[kind])
    graded = TASKS - kinds.count("errored")
    assert (tally.done, tally.graded, tally.fresh) == (TASKS, graded, TASKS - resumed)
    base, plus = TASKS - kinds.count("none") - kinds.count("errored"), kinds.count("both")
    said = (
        f"base {base / graded:.1%} ({base}/{graded})  plus {plus / graded:.1%} ({plus}/{graded})"
        if graded
        else "–"
    )
    assert tally.rates() == f"pass@1 {said}"


@settings(max_examples=30, deadline=None)
@given(moments, st.integers(0, TASKS - 1))
def test_the_whole_never_goes_back_and_ends_with_nothing_left(
    steps: list[tuple[float, int]], resumed: int
) -> None:
    clock = [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock[0]))
        whole, tallies = Whole(runs=4, tasks=4 * TASKS), [Tally(has_plus=True) for _ in range(3)]
        whole.end(TASKS)  # one was complete
        for tally in tallies:
            tally.on_start(TASKS, [VERDICTS["both"]] * (resumed if tally is tallies[0] else 0))
            whole.begin(tally)
        before = TASKS + resumed
        assert whole.done == before
        steps += [(1.0, number) for number in range(3) for _ in range(TASKS)]
        for seconds, number in steps:
            clock[0] += seconds
            if (tally := tallies[number]).done < TASKS:
                tally.on_verdict(VERDICTS["none"])
                if tally.done == TASKS:
                    whole.end(TASKS, tally)
            assert before <= whole.done <= 4 * TASKS
            before, left = whole.done, whole.seconds_left()
            assert left is None or left >= 0
        assert (whole.ended, whole.done) == (4, 4 * TASKS)
        assert whole.seconds_left() in (0, None)
        assert whole.line().startswith("4 of 4 runs done, 16/16 tasks in all")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 500), st.integers(0, 5)), min_size=1, max_size=60))
def test_an_estimate_is_known_as_soon_as_something_is_done_and_twice_the_work_takes_twice(
    steps: list[tuple[float, int]],
) -> None:
    clock, done = [0.0], 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock[0]))
        pace, other = Pace(), Pace()
        for seconds, more in steps:
            clock[0] += seconds
            done += more
            once, twice = pace.seconds(10, done), other.seconds(20, done)
            assert (once is None) == (done == 0)
            if once is not None and twice is not None:
                assert 0 <= once <= 10 * clock[0]
                assert twice == pytest.approx(2 * once)
