"""A run's sums: those of its parts, in any order, whatever was replayed, repeated or set aside."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dualcode.call import Attempt, Call, Message, Request, Usage
from dualcode.models.scripted import reply
from dualcode.runs.stored import TaskRecords
from dualcode.runs.summary import ServerUse, UseSums, review_counts, union_seconds
from dualcode.sampling import PAPER

ASKED = Request(messages=(Message(role="user", content="x"),), sampling=PAPER.plain, answer_tokens=1)
spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=12)


def asked(started: int, seconds: int, tokens: int, cached: bool) -> Attempt:
    usage = Usage(prompt_tokens=tokens, completion_tokens=2 * tokens)
    return Attempt(
        kind="chat", started=started, seconds=seconds, outcome="ok", from_ledger=cached, usage=usage
    )


attempts = st.builds(asked, st.integers(0, 10**6), st.integers(0, 9), st.integers(0, 9), st.booleans())
NOTES = ("off-schema", "repaired", "cut", "null-content")


def called(number: int, endpoint: str, made: Sequence[Attempt], answered: bool) -> Call:
    got = reply("x").model_copy(update={"attempts": tuple(made)}) if answered else None
    return Call(
        task_id="T", number=number, step="write", role="coder", endpoint=endpoint, model="m", request=ASKED,
        reply=got, failed_attempts=() if answered else tuple(made),
    )  # fmt: skip


calls = st.lists(
    st.builds(
        called,
        st.integers(1, 9),
        st.sampled_from(["e", "other"]),
        st.lists(attempts, max_size=3, unique_by=lambda each: each.started),
        st.booleans(),
    ),
    max_size=4,
)
tasks = st.lists(st.builds(TaskRecords, st.just("T"), calls=calls, superseded=calls), max_size=5)


def use(of: Sequence[TaskRecords]) -> ServerUse:
    sums = UseSums("e", {"model": "m"})
    for each in of:
        sums.add(each)
    return sums.total(100.0, 0.0)


def own(of: Sequence[Call]) -> list[Attempt]:
    return [attempt for call in of if call.endpoint == "e" for attempt in call.attempts]


@settings(max_examples=50, deadline=None)
@given(spans)
def test_busy_time_is_what_a_clock_that_looks_each_second_counts(given_: list[tuple[int, int]]) -> None:
    intervals = [(float(start), float(start + length)) for start, length in given_]
    ticks = {tick for start, length in given_ for tick in range(start, start + length)}
    assert union_seconds(intervals) == union_seconds(reversed(intervals)) == len(ticks)


@settings(max_examples=25, deadline=None)
@given(tasks, st.randoms())
def test_the_order_of_tasks_changes_no_sum(of: list[TaskRecords], random: Random) -> None:
    shuffled = list(of)
    random.shuffle(shuffled)
    assert use(shuffled) == use(of)


@settings(max_examples=25, deadline=None)
@given(tasks, st.integers(0, 5))
def test_two_parts_of_a_run_come_to_the_whole(of: list[TaskRecords], cut: int) -> None:
    first, second, whole = use(of[:cut]), use(of[cut:]), use(of)
    for name in ("calls", "replayed", "requests"):
        assert getattr(first, name) + getattr(second, name) == getattr(whole, name)
    assert first.usage + second.usage == whole.usage
    busiest = max(first.busy_seconds, second.busy_seconds)
    assert busiest <= whole.busy_seconds <= first.busy_seconds + second.busy_seconds


@settings(max_examples=25, deadline=None)
@given(tasks)
def test_a_server_is_paid_for_what_was_asked_of_it_now_and_for_what_was_set_aside(
    of: list[TaskRecords],
) -> None:
    done = use(of)
    made = [each for task in of for each in own(task.calls)]
    both = [*made, *(each for task in of for each in own(task.superseded))]
    assume(len({each.started for each in both}) == len(both))
    paid = [each for each in both if not each.from_ledger]
    assert (done.requests, done.spent.requests) == (len(made), len(paid))
    assert done.usage == sum((each.usage for each in made), Usage())
    assert done.spent.usage == sum((each.usage for each in paid), Usage())
    assert done.spent.busy_seconds == union_seconds((e.started, e.started + e.seconds) for e in paid)


def test_a_call_that_a_kill_left_in_both_files_is_paid_once() -> None:
    made = Attempt(kind="chat", started=5, seconds=2, outcome="ok", usage=Usage(completion_tokens=3))
    twice = called(1, "e", [made], answered=True)
    spent = use([TaskRecords("T", calls=[twice], superseded=[twice])]).spent
    assert (spent.requests, spent.usage.completion_tokens, spent.busy_seconds) == (1, 3, 2)


def noted(step: str, notes: set[str], answered: bool) -> Call:
    return called(1, "e", (), answered).model_copy(update={"step": step, "notes": tuple(notes)})


steps = st.sampled_from(["write", "review", "fix"])
reviews = st.lists(st.builds(noted, steps, st.sets(st.sampled_from(NOTES)), st.booleans()), max_size=8)


@settings(max_examples=25, deadline=None)
@given(reviews, reviews)
def test_reviews_are_counted_by_task_as_all_at_once(first: list[Call], second: list[Call]) -> None:
    whole = Counter(review_counts([*first, *second]))
    parts = Counter(review_counts(first))
    parts.update(review_counts(second))
    assert whole == parts
    told = [each for each in (*first, *second) if each.step == "review" and each.reply is not None]
    assert whole["approved"] + whole["revised"] + whole["unread"] == len(told)
    assert whole["repaired"] <= len(told) and whole["off_schema"] <= len(told)


@pytest.mark.parametrize(("wall", "share"), [(0.0, None), (4.0, 0.5)])
def test_a_run_that_took_no_time_has_no_share_of_it(wall: float, share: float | None) -> None:
    sums = UseSums("e", {"model": "m"})
    made = Attempt(kind="chat", started=1, seconds=2, outcome="ok", usage=Usage(completion_tokens=6))
    sums.add(TaskRecords("T", calls=[called(1, "e", [made], answered=True)]))
    found = sums.total(wall, 0.0)
    assert found.busy_share == share
    assert found.tokens_per_second == 3.0
    assert found.to_json()["busy_share"] == share
