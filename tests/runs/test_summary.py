"""A run in numbers: pure functions over records."""

import time
from pathlib import Path
from typing import Any

import pytest

from dualcode.call import Attempt, Call, Message, Request, Usage, Value
from dualcode.cli import printing
from dualcode.config import Price
from dualcode.metrics import duration
from dualcode.models.chat import Meter
from dualcode.models.scripted import reply
from dualcode.pricing import cost
from dualcode.runs.progress import Rate, Tally
from dualcode.runs.store import read_run
from dualcode.runs.stored import TaskRecords
from dualcode.runs.summary import (
    ReviewCounts,
    ServerUse,
    Summary,
    UseSums,
    review_counts,
    summarize,
    union_seconds,
    unread_warning,
)
from dualcode.sampling import PAPER
from dualcode.suites.registry import load_suite
from dualcode.verdict import Outcome, Verdict
from tests.made import Story, write_run

USAGE = Usage(prompt_tokens=2_000_000, completion_tokens=1_000_000)


def call(step: str, *notes: str, verdict: str | None = None) -> Call:
    request = Request(messages=(Message(role="user", content="x"),), sampling=PAPER.plain, answer_tokens=1)
    value = Value(kind="review", data={"verdict": verdict}) if verdict else None
    return Call(
        task_id="T/1", number=1, step=step, role="coder", endpoint="e", model="m", request=request,
        reply=reply("x"), value=value, notes=notes,
    )  # fmt: skip


def verdict(base: str, plus: str) -> Verdict:
    return Verdict.model_validate({"task_id": "T/1", "base": {"status": base}, "plus": {"status": plus}})


@pytest.mark.parametrize(
    ("intervals", "seconds"),
    [([], 0), ([(0, 2), (1, 3)], 3), ([(0, 1), (2, 3)], 2), ([(0, 10), (2, 3)], 10), ([(5, 6), (0, 1)], 2)],
)
def test_busy_time_counts_overlaps_once(intervals: list[tuple[float, float]], seconds: float) -> None:
    assert union_seconds(intervals) == seconds


def test_token_price_counts_both_directions() -> None:
    price = Price(input_per_million=0.5, output_per_million=2.0)
    assert cost(price, USAGE, 99.0) == 3.0
    half = USAGE.model_copy(update={"cached_tokens": USAGE.prompt_tokens // 2})
    assert cost(price, half, 99.0) == 3.0  # without a price of their own they cost what all do
    cheaper = price.model_copy(update={"cached_input_per_million": 0.1})
    assert cost(cheaper, half, 99.0) == pytest.approx(3.0 - 0.4 * half.cached_tokens / 1e6)
    assert cost(cheaper, USAGE, 99.0) == 3.0


@pytest.mark.parametrize("untold", [0, 1])
def test_the_price_of_tokens_that_a_server_did_not_tell_is_unknown(untold: int) -> None:
    usage = USAGE.model_copy(update={"untold": untold})
    attempt = Attempt(kind="chat", started=0, seconds=1, outcome="ok", usage=usage)
    asked = call("write").model_copy(update={"reply": reply("x").model_copy(update={"attempts": (attempt,)})})
    uses: list[ServerUse] = []
    for price in ({"input_per_million": 0.5, "output_per_million": 2.0}, {"gpu_hour": 1.2}):
        sums = UseSums("e", {"model": "m", "price": price})
        sums.add(TaskRecords("T/1", calls=(asked,)))
        uses.append(sums.total(1800.0, replayed=0.0))
    assert [use.cost for use in uses] == [None if untold else 3.0, pytest.approx(0.6)]
    assert [use.spent.cost for use in uses] == [use.cost for use in uses]
    assert [use.tokens_per_second is None for use in uses] == [bool(untold)] * 2


def test_gpu_price_counts_the_wall() -> None:
    assert cost(Price(gpu_hour=1.2), USAGE, 1800.0) == pytest.approx(0.6)


def test_reviews_without_a_verdict_are_unread_and_no_approvals() -> None:
    calls = [
        call("write"),
        call("review", verdict="approve"),
        call("review", verdict="revise"),
        call("fix"),
        call("review", "off-schema"),
        call("review", "off-schema", "repaired", verdict="revise"),
        call("fix"),
    ]
    counts = ReviewCounts(**review_counts(calls))
    assert counts.model_dump() == {
        "approved": 1, "revised": 2, "unread": 1, "off_schema": 2, "repaired": 1, "fixes": 2,
    }  # fmt: skip
    assert counts.total == 4


def test_usage_of_a_call_is_that_of_all_its_attempts() -> None:
    attempt = Attempt(kind="chat", started=0, seconds=1, outcome="ok", usage=Usage(completion_tokens=3))
    whole = reply("x").model_copy(update={"attempts": (attempt, attempt)})
    assert call("write").model_copy(update={"reply": whole}).usage.completion_tokens == 6


def test_tally_keeps_errored_out_of_the_rate() -> None:
    tally = Tally(has_plus=True)
    tally.on_start(4, [])
    tally.on_verdict(verdict("passed", "failed"))
    tally.on_verdict(verdict("passed", "passed"))
    tally.on_verdict(Verdict.of_error("T/3", "lost", plus=True))
    assert tally.rates() == "pass@1 base 100.0% (2/2)  plus 50.0% (1/2)"
    assert (tally.done, tally.errored) == (3, 1)


def test_time_left_counts_only_this_session() -> None:
    tally = Tally(has_plus=True)
    tally.on_start(10, [verdict("passed", "passed")] * 5)
    assert tally.seconds_left() is None
    tally.pace.started = time.monotonic() - 10
    tally.on_verdict(verdict("passed", "passed"))
    assert tally.seconds_left() == pytest.approx(40, abs=1)


def test_plus_alone_cannot_be_errored() -> None:
    with pytest.raises(ValueError, match="errored together"):
        Verdict.of("T/1", base=Outcome(status="passed"), plus=Outcome(status="errored"))


def test_rate_is_over_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 2.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    meter = Meter()
    rate = Rate("coder", meter)
    rate.text()
    meter.tokens = 100
    rate.text()
    meter.tokens, meter.in_flight = 300, 2
    assert rate.text() == "coder  150 tok/s, 2 in flight"


@pytest.mark.parametrize(("seconds", "words"), [(4.4, "4 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")])
def test_durations_are_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_run_s_result_says_whose_data_it_was_made_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = summarize(read_run(write_run(tmp_path, "raw-coder", {"HumanEval/0": Story(True)})))
    own = summary.model_copy(update={"data": load_suite("mini").data})
    assert summary.to_json()["data"]["official"] is False
    assert own.to_json()["data"] == load_suite("mini").data.to_json()

    def shown(each: Summary) -> str:
        printing.result(each, tmp_path)
        return capsys.readouterr().out.lstrip()

    assert shown(summary).startswith("not EvalPlus's own data: ")
    assert "own data" not in shown(own)


@pytest.mark.parametrize(
    ("unread", "total", "warned"), [(0, 0, False), (1, 50, False), (1, 49, True), (3, 3, True)]
)
def test_a_share_of_unread_reviews_above_2_percent_is_a_warning(
    unread: int, total: int, warned: bool
) -> None:
    said = unread_warning(unread, total)
    assert (said is not None) == warned
    assert said is None or f"{unread} of {total} reviews" in said


def test_a_repair_under_a_schema_is_counted_once() -> None:
    schema: dict[str, Any] = {"type": "object"}
    asked = Request(
        messages=(Message(role="user", content="hi"),),
        sampling=PAPER.plain,
        answer_tokens=9,
        json_schema=schema,
    )
    repair = Attempt(kind="repair", started=1.0, seconds=1.0, outcome="ok", request=asked)
    assert list(dict.fromkeys([repair, repair.model_copy(deep=True)])) == [repair]
