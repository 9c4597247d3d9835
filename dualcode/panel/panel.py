"""The panel at work: every judge scores every exhibit in two renderings, blind, reason before score.

A score that did not come is missing, with why: it is never zero. A question is put at most twice, the second
time as a repair; what is on record is not asked again, and a request that was made before is the ledger's.
"""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from dualcode.call import Call, Usage
from dualcode.errors import EndpointError
from dualcode.panel.blind import Blind
from dualcode.panel.exhibit import Exhibit, Question, ask_of
from dualcode.panel.records import Asked, Cause, Judged
from dualcode.panel.renderings import RENDERINGS, Bounds, Shown
from dualcode.panel.rubric import Dimension, Rubric
from dualcode.record import Record
from dualcode.steps import schema
from dualcode.team import Seat
from dualcode.together import all_or_nothing

STEP = "judge"
TOKENS = 2048
"""Most tokens of a judge's answer: seven reasons of 400 characters fit."""
QUOTED = 160
"""Characters of a reply that are quoted where it holds no scores."""


@dataclass(frozen=True)
class Sitting:
    """One judge before one exhibit in one rendering."""

    asked: Asked
    question: Question
    same: bool
    """Whether the question is the plain rendering's, to the letter."""


class Marks(Record):
    """What a judge's reply was read as."""

    scores: dict[str, int]
    reasons: dict[str, str]


class Score(Judged):
    """A view that was just asked for."""

    repaired: bool = False
    """Whether the scores came at the second asking."""
    shown: Shown = Shown()
    from_ledger: bool = False
    """Whether nothing was paid for it this time."""

    @property
    def mean(self) -> float | None:
        """The mean over the dimensions; None where the scores are missing."""
        return sum(self.scores.values()) / len(self.scores) if self.scores else None


async def judge_all(
    exhibits: Sequence[Exhibit],
    judges: Mapping[str, Seat],
    rubric: Rubric,
    *,
    seed: int,
    done: Collection[Asked] = (),
    record: Callable[[Score], None],
    names: Collection[str] = (),
    paths: Collection[str] = (),
    bounds: Bounds | None = None,
) -> tuple[Score, ...]:
    """Let every judge score every exhibit in both renderings; return what was new, in the exhibits' order.

    Each score goes to `record` as soon as it is there. `done` is not asked again (`Score.asked` of those that
    are `settled`). `names` are the duel's models by any name, `paths` the folders that their work lay in; the
    judges' own models and the conditions' ids are known from the rest. Each judge meets the exhibits in an
    order of its own, drawn by `seed`. No answer, refusal or loss of a judge ends the others' work; what is
    cancelled, or fails in `record`, ends all.
    """
    known = {each for seat in judges.values() for each in (seat.chat.name, seat.chat.model)}
    blind = Blind({*names, *known, *judges, *(each.key[0] for each in exhibits if each.key[0])}, paths)
    limits, settled = bounds or Bounds(), frozenset(done)
    order: list[Asked] = []
    sittings: dict[str, list[Sitting]] = {judge: [] for judge in judges}
    for exhibit in exhibits:
        questions = {
            rendering: ask_of(exhibit, rubric, rendering, bounds=limits, blind=blind, seed=seed)
            for rendering in RENDERINGS
        }
        for rendering in RENDERINGS:
            question = questions[rendering]
            same = rendering != "plain" and question.messages == questions["plain"].messages
            for judge in judges:
                order.append(Asked(exhibit.key, judge, rendering, exhibit.calibration))
                sittings[judge].append(Sitting(order[-1], question, same))
    found: dict[Asked, Score] = {}

    async def sit(sitting: Sitting) -> None:
        score = await _score(sitting, judges[sitting.asked.judge], rubric)
        record(score)
        found[score.asked] = score

    for judge, own in sittings.items():
        random.Random(f"{seed} {judge}").shuffle(own)
    waiting = [each for own in sittings.values() for each in own if each.asked not in settled]
    await all_or_nothing(sit(each) for each in waiting)
    return tuple(found[each] for each in order if each in found)


async def _score(sitting: Sitting, seat: Seat, rubric: Rubric) -> Score:
    calls: list[Call] = []

    def keep(call: Call) -> None:
        calls.append(call)
        seat.record(call)

    # Greedily, where it does not think, so that asked again it says the same.
    greedy = seat.sampling.plain.model_copy(update={"temperature": 0.0})
    sampling = seat.sampling.model_copy(update={"plain": greedy})
    question = sitting.question
    reader = Reader(rubric, question.dimensions)
    marks: Marks | None = None
    why, cause = "", cast("Cause", "")
    try:
        marks = await replace(seat, record=keep, sampling=sampling).ask(
            STEP,
            question.messages,
            read=reader.read,
            schema=rubric.reply_schema(question.dimensions),
            repair=question.repair,
            thinking=True,
            answer_tokens=TOKENS,
        )
        if marks is None:
            most = min(TOKENS, seat.answer_tokens)
            cut = f" (cut off at {most} tokens)" if any("cut" in call.notes for call in calls) else ""
            why, cause = f"{reader.complaint}{cut}", "judge"
    except EndpointError as error:
        why, cause = error.message, "server"
    condition, issue, trial = sitting.asked.key
    return Score(
        condition=condition,
        issue=issue,
        trial=trial,
        judge=sitting.asked.judge,
        model=seat.chat.model,
        rubric=rubric.name,
        checksum=rubric.checksum,
        rendering=sitting.asked.rendering,
        same=sitting.same,
        calibration=sitting.asked.calibration,
        scores=marks.scores if marks else None,
        reasons=marks.reasons if marks else {},
        why_missing=why,
        cause=cause,
        repaired=any("repaired" in call.notes for call in calls),
        shown=question.shown,
        usage=sum((call.usage for call in calls), Usage()),
        from_ledger=bool(calls) and all(call.from_ledger for call in calls),
        seconds=sum(call.reply.seconds for call in calls if call.reply),
    )


class Reader:
    """Reads scores out of a judge's reply, and remembers what was wrong with the last one."""

    def __init__(self, rubric: Rubric, dimensions: Sequence[Dimension]) -> None:
        self._rubric = rubric
        self._keys = [each.key for each in dimensions]
        self.complaint = "no reply was read"

    def read(self, text: str | None) -> Marks | None:
        """Return the scores; None, with a complaint, for whatever is not exactly what was asked for."""
        said = " ".join((text or "").split())
        short = said if len(said) <= QUOTED else f"{said[: QUOTED - 1]}…"
        self.complaint = f"no JSON object in the reply: {short!r}" if said else "the reply is empty"
        return schema.read_object(text, self._fit)

    def _fit(self, found: dict[str, Any]) -> Marks:
        if set(found) != set(self._keys):
            missing, more = set(self._keys) - set(found), set(found) - set(self._keys)
            what = f"lacks {', '.join(sorted(missing))}" if missing else f"has {', '.join(sorted(more))}"
            self._refuse(f"the object {what}")
        return Marks(
            scores={key: self._number(key, found[key]) for key in self._keys},
            reasons={key: found[key]["reason"] for key in self._keys},
        )

    def _number(self, key: str, given: Any) -> int:
        one: dict[str, Any] = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        if list(one) != ["reason", "score"]:
            self._refuse(f"{key} is not a reason and then a score: {_short(given)}")
        if not isinstance(one["reason"], str) or not one["reason"].strip():
            self._refuse(f"{key} has no reason")
        low, high, score = self._rubric.lowest, self._rubric.highest, one["score"]
        if type(score) is not int or not low <= score <= high:
            self._refuse(
                f"{key} has the score {_short(score)}, which is no whole number from {low} to {high}"
            )
        return score

    def _refuse(self, complaint: str) -> None:
        self.complaint = complaint
        raise ValueError(complaint)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
