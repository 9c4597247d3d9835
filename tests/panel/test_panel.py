"""The panel: every judge, every exhibit, two renderings; what did not come is missing, and never zero."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from dualcode.call import Call, Request
from dualcode.errors import EndpointError, UnreachableError
from dualcode.models.scripted import ScriptedChat, reply
from dualcode.panel.exhibit import Exhibit
from dualcode.panel.panel import Asked, Score, judge_all
from dualcode.panel.rubric import find_rubric
from tests.panel import judges

DUOBENCH, SEVEN = find_rubric("duobench"), find_rubric("seven")


async def judged(
    judge: judges.Judge, *exhibits: Exhibit, rubric: Any = DUOBENCH, **options: Any
) -> list[Score]:
    seat, _ = judges.seat(judge)
    recorded: list[Score] = []
    options = {"seed": 7, "record": recorded.append} | options
    found = await judge_all(exhibits or (judges.exhibit(),), {"judge-1": seat}, rubric, **options)
    return list(found)


async def test_each_judge_scores_each_exhibit_in_both_renderings() -> None:
    recorded: list[Score] = []
    seats = {name: judges.seat(judges.fair, name=name)[0] for name in ("judge-1", "judge-2")}
    exhibits = [judges.exhibit("ann->bob"), judges.exhibit("bob->ann"), *judges.calibrated()]
    found = await judge_all(exhibits, seats, DUOBENCH, seed=7, record=recorded.append)
    assert [each.asked for each in found] == [
        Asked(each.key, judge, rendering, each.calibration)
        for each in exhibits
        for rendering in ("plain", "other")
        for judge in seats
    ]
    assert sorted(recorded, key=repr) == sorted(found, key=repr)
    assert all(list(each.scores or {}) == [one.key for one in DUOBENCH.dimensions] for each in found)


async def test_a_reason_stands_before_its_score_in_what_the_server_is_held_to() -> None:
    seat, chat = judges.seat(judges.fair)
    await judge_all([judges.exhibit()], {"j": seat}, DUOBENCH, seed=0, record=lambda _: None)
    for request in chat.requests:
        assert request.json_schema is not None
        for each in request.json_schema["properties"].values():
            assert list(each["properties"]) == ["reason", "score"] == each["required"]
            assert each["properties"]["score"] == {"type": "integer", "minimum": 1, "maximum": 10}
        assert request.sampling.temperature == 0.0


async def test_every_level_stands_in_the_prompt() -> None:
    seat, chat = judges.seat(judges.fair)
    await judge_all([judges.exhibit()], {"j": seat}, SEVEN, seed=0, record=lambda _: None)
    for request in chat.requests:
        for dimension in SEVEN.dimensions:
            for level, meaning in dimension.levels.items():
                assert f"- {level}: {meaning}" in judges.shown(request)


async def test_without_a_plan_nobody_is_asked_how_it_was_followed() -> None:
    [with_plan, _] = await judged(judges.fair, judges.exhibit(), rubric=SEVEN)
    [without, _] = await judged(judges.fair, judges.exhibit(plan=None), rubric=SEVEN)
    assert set(with_plan.scores or {}) - set(without.scores or {}) == {"plan_fidelity"}


def off(change: Callable[[dict[str, Any]], object]) -> Callable[[Request], str]:
    """Return a judge whose object was changed."""

    def judge(request: Request) -> str:
        found = json.loads(judges.said(request, 5))
        changed = change(found)
        return json.dumps(found if changed is None else changed)

    return judge


def one(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda found: found.__setitem__("correctness", values)


MALFORMED: dict[str, tuple[judges.Judge, str]] = {
    "eleven": (off(one(reason="r", score=11)), "correctness has the score 11"),
    "zero": (off(one(reason="r", score=0)), "correctness has the score 0"),
    "half": (off(one(reason="r", score=7.5)), "correctness has the score 7.5"),
    "word": (off(one(reason="r", score="eight")), "correctness has the score 'eight'"),
    "truth": (off(one(reason="r", score=True)), "correctness has the score True"),
    "null": (off(one(reason="r", score=None)), "correctness has the score None"),
    "no reason": (off(one(reason=" ", score=7)), "correctness has no reason"),
    "score first": (off(one(score=7, reason="r")), "correctness is not a reason and then a score"),
    "bare number": (off(lambda found: found.__setitem__("correctness", 7)), "and then a score: 7"),
    "lacks one": (off(lambda found: found.pop("correctness") and None), "the object lacks correctness"),
    "has one more": (off(lambda found: found.__setitem__("total", 9)), "the object has total"),
    "a list": (off(lambda found: [found["correctness"]]), "the object lacks"),
    "prose": (lambda _: "A fine change! 9 out of 10.", "no JSON object in the reply: 'A fine change!"),
    "refusal": (lambda _: "I'm sorry, I can't help with that.", "I'm sorry"),
    "nothing": (lambda _: None, "the reply is empty"),
    "blanks": (lambda _: "  \n", "the reply is empty"),
    "cut": (lambda request: reply(judges.said(request, 5)[:40], finish_reason="length"), "cut off"),
    "nested deep": (lambda _: "[" * 5000, "no JSON object"),
}  # fmt: skip


@pytest.mark.parametrize("judge, why", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_score_is_missing_with_why_after_one_repair(judge: judges.Judge, why: str) -> None:
    seat, chat = judges.seat(judge)
    [plain, other] = await judge_all([judges.exhibit()], {"j": seat}, DUOBENCH, seed=0, record=lambda _: None)
    for each in (plain, other):
        assert each.scores is None and each.mean is None and each.reasons == {}
        assert why in each.why_missing
        assert each.cause == "judge" and each.settled
    assert len(chat.requests) == 4


async def test_a_repaired_reply_counts_and_says_so() -> None:
    def judge(request: Request) -> str:
        asked = request.messages[-1].content
        return judges.said(request, 6) if asked.startswith("That was not") else judges.said(request, 60)

    for each in await judged(judge):
        assert each.repaired and each.mean == 6


async def test_words_around_the_object_are_forgiven() -> None:
    [plain, _] = await judged(lambda request: f"Here:\n```json\n{judges.said(request, 4)}\n```\nDone.")
    assert plain.mean == 4 and not plain.repaired


async def test_a_lost_server_is_missing_asked_again_and_no_trouble_for_the_other_judge() -> None:
    def lost(_: Request) -> EndpointError:
        return UnreachableError("no server at http://127.0.0.1:9/v1")

    good, _ = judges.seat(judges.fair)
    bad, _ = judges.seat(lost)
    exhibits = [judges.exhibit()]
    found = await judge_all(exhibits, {"good": good, "bad": bad}, DUOBENCH, seed=0, record=lambda _: None)
    assert {(each.judge, each.cause, each.settled, each.scores is None) for each in found} == {
        ("good", "", True, False),
        ("bad", "server", False, True),
    }
    assert all("no server at" in each.why_missing for each in found if each.judge == "bad")


async def test_what_is_done_is_not_asked_again() -> None:
    seat, chat = judges.seat(judges.fair)
    exhibits = [judges.exhibit("ann->bob"), judges.exhibit("bob->ann")]
    first = await judge_all(exhibits, {"j": seat}, DUOBENCH, seed=0, record=lambda _: None)
    done = {each.asked for each in first[:3]}
    [last] = await judge_all(exhibits, {"j": seat}, DUOBENCH, seed=0, record=lambda _: None, done=done)
    assert last == first[3].model_copy(update={"seconds": last.seconds})
    assert len(chat.requests) == 5


async def test_a_failure_to_record_ends_the_judging() -> None:
    def full(_: Score) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await judged(judges.fair, judges.exhibit(), record=full)


async def test_cancelling_leaves_no_judge_at_work() -> None:
    waiting, asked = asyncio.Event(), 0

    class Slow(ScriptedChat):
        async def complete(self, request: Request) -> Any:
            nonlocal asked
            asked += 1
            waiting.set()
            await asyncio.Event().wait()

    seat, _ = judges.seat(judges.fair)
    object.__setattr__(seat, "chat", Slow([]))
    judging = asyncio.create_task(judged(judges.fair))
    work = asyncio.create_task(
        judge_all([judges.exhibit()], {"j": seat}, DUOBENCH, seed=0, record=lambda _: None)
    )
    await waiting.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await judging
    assert asked == 2


async def test_the_call_is_on_record_with_its_marks_and_its_price() -> None:
    calls: list[Call] = []
    seat, _ = judges.seat(judges.fair, calls=calls)
    [plain, other] = await judge_all([judges.exhibit()], {"j": seat}, DUOBENCH, seed=0, record=lambda _: None)
    assert len(calls) == 2
    for call in calls:
        assert call.step == "judge" and call.value is not None and call.value.kind == "marks"
    assert plain.usage + other.usage == calls[0].usage + calls[1].usage
    assert plain.usage.completion_tokens > 0


async def test_exhibits_are_met_in_an_order_drawn_by_the_seed_and_by_the_judge() -> None:
    exhibits = [judges.exhibit(f"a{n}->b", diff=judges.RIGHT.replace("shop/", f"s{n}/")) for n in range(8)]

    async def met(seed: int, judge: str) -> list[str]:
        seat, chat = judges.seat(judges.constant)
        await judge_all(exhibits, {judge: seat}, DUOBENCH, seed=seed, record=lambda _: None)
        return [judges.shown(each).partition("+++ b/s")[2][:1] for each in chat.requests]

    assert await met(1, "x") == await met(1, "x")
    assert len({tuple(await met(seed, judge)) for seed in (1, 2) for judge in ("x", "y")}) == 4


async def test_the_same_exhibit_is_asked_in_the_same_words_whoever_made_it() -> None:
    seat, chat = judges.seat(judges.constant)
    exhibits = [judges.exhibit("ann->bob"), judges.exhibit("review:ann+bob")]
    await judge_all(exhibits, {"j": seat}, DUOBENCH, seed=1, record=lambda _: None)
    assert len({judges.shown(each) for each in chat.requests}) == 2


async def test_what_is_shown_alike_is_asked_alike_and_marked() -> None:
    bare = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    for diff, same in ((bare, True), (judges.RIGHT, False)):
        seat, chat = judges.seat(judges.constant)
        exhibits = [judges.exhibit(diff=diff)]
        scores = await judge_all(exhibits, {"j": seat}, DUOBENCH, seed=1, record=lambda _: None)
        assert [each.same for each in scores] == [False, same]
        assert len({judges.shown(each) for each in chat.requests}) == (1 if same else 2)
