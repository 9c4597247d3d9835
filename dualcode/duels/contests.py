"""What may be claimed: conditions against their controls, and models in a role against the others in it.

Everything is paired by issue and trial, tested issue by issue (`analysis.clusters`), and corrected for all
that is shown together (`analysis.statistics`).
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from statistics import fmean
from typing import Literal

from dualcode.analysis.clusters import Clusters
from dualcode.analysis.statistics import Tested, corrected
from dualcode.duels.amounts import paid, single
from dualcode.duels.records import Cell, Condition, DuelRecords, Key
from dualcode.duels.scores import scores_of

QUESTIONS: dict[str, str] = {
    "plan": "does a plan help?",
    "planner": "does another's plan help?",
    "implementer": "does another's hand help?",
    "order": "plan, or review?",
    "review": "does a review help?",
    "chance": "better than a model drawn at each step?",
}
Seat = Literal["planner", "implementer"]
SEATS: tuple[Seat, ...] = ("planner", "implementer")


class Contested(Tested):
    """A difference of solved rates over the same issues and trials, as a share."""

    issues: int
    pairs: int
    """Of trials that both sides have graded."""
    delta: float
    """Each issue counts alike."""
    low: float
    high: float
    """The 95 % interval, issues drawn anew."""
    least_p: float
    """The smallest p that so many issues can give."""


class Contest(Contested):
    """A condition less its control."""

    condition: str
    control: str
    question: str
    """A key of `QUESTIONS`."""
    gained: int
    """Pairs that the condition solved and the control did not."""
    lost: int


class Effect(Contested):
    """A model in a role less the others in it, beside the same partners: its marginal effect."""

    seat: Seat
    model: str
    partners: int
    """Models in the other role, over which the effect is averaged."""
    quality: float | None
    """The same difference of the judges' mean score; None where something was not judged."""
    cost: float | None
    """The same difference of the cost of a cell, in the one currency of all; None where there is none."""


def contests(records: DuelRecords) -> tuple[Contest, ...]:
    """Compare each condition with its controls, corrected for all of them at once."""
    cells = {each.key: each for each in records.cells}
    found = [
        made
        for condition in records.duel.conditions
        for question, control in controls(condition, records.duel.conditions)
        if (made := _contest(records, cells, condition.id, control.id, question))
    ]
    return corrected(found)


def controls(of: Condition, among: Sequence[Condition]) -> Iterator[tuple[str, Condition]]:
    """Yield what a condition is to be compared with, and the question that it answers."""
    planner, implementer = of.planner, of.implementer
    second = planner or of.roles.get("reviewer")
    for other in among:
        if of.arm == "pair" and other.arm == "solo" and other.implementer == implementer:
            yield "planner", other
        elif of.arm == "pair" and other.arm == "solo" and other.planner == planner:
            yield "implementer", other
        elif of.arm in ("pair", "solo") and other.arm == "no-plan" and other.implementer == implementer:
            yield "plan", other
        elif of.arm == "review" and other.arm == "no-plan" and other.implementer == implementer:
            yield "review", other
        elif (of.arm, other.arm) == ("pair", "review") and other.implementer == implementer:
            if other.roles.get("reviewer") == planner:  # who plans here reviews there
                yield "order", other
        elif of.arm in ("pair", "review") and other.arm == "drawn" and {implementer, second} <= other.models:
            yield "chance", other


def _contest(
    records: DuelRecords,
    cells: Mapping[Key, Cell],
    condition: str,
    control: str,
    question: str,
) -> Contest | None:
    """Compare two conditions; None if no trial of any issue is graded on both sides."""
    by_issue: dict[str, list[int]] = {}
    for issue in records.duel.issues:
        for trial in range(1, records.duel.trials + 1):
            one, other = cells.get((condition, issue, trial)), cells.get((control, issue, trial))
            if one and other and one.solved is not None and other.solved is not None:
                by_issue.setdefault(issue, []).append(int(one.solved) - int(other.solved))
    if not by_issue:
        return None
    changes = [each for pairs in by_issue.values() for each in pairs]
    tested = Clusters(tuple(Fraction(sum(pairs), len(pairs)) for pairs in by_issue.values()))
    interval, p_value = tested.interval(), tested.p_value
    return Contest(
        condition=condition, control=control, question=question, issues=len(by_issue), pairs=len(changes),
        gained=changes.count(1), lost=changes.count(-1), delta=tested.delta, low=interval.low,
        high=interval.high, p_value=p_value, p_holm=p_value, least_p=tested.least_p,
    )  # fmt: skip


def effects(records: DuelRecords) -> tuple[Effect, ...]:
    """Return what each model does as planner and as implementer, over the pairs; corrected for all."""
    pairs = [each for each in records.duel.conditions if each.arm in ("pair", "solo")]
    found = [
        made
        for seat in SEATS
        for model in dict.fromkeys(each.roles[seat] for each in pairs if seat in each.roles)
        if (made := _effect(records, pairs, seat, model))
    ]
    return corrected(found)


def _effect(records: DuelRecords, pairs: Sequence[Condition], seat: Seat, model: str) -> Effect | None:
    """Return a model's effect; None if nobody else had its role beside the same partner."""
    own = {each.id for each in pairs}
    graded = [each for each in records.cells if each.solved is not None and each.condition in own]
    scores = scores_of(records.judgements)
    prices = [single(paid(each.phases)) for each in graded]
    one = len({price[1] for price in prices if price}) == 1

    def beside(values: Sequence[float | None]) -> list[list[Fraction]]:
        if None in values:
            return []
        known = [(cell, value) for cell, value in zip(graded, values, strict=True) if value is not None]
        found = (_differences(known, pairs, seat, model, issue) for issue in records.duel.issues)
        return [each for each in found if each]

    def mean(values: Sequence[float | None]) -> float | None:
        found = beside(values)
        return fmean(float(sum(each) / len(each)) for each in found) if found else None

    found = beside([float(bool(each.solved)) for each in graded])
    if not found:
        return None
    tested = Clusters(tuple(sum(each, Fraction()) / len(each) for each in found))
    interval, p_value = tested.interval(), tested.p_value
    return Effect(
        seat=seat, model=model, partners=max(map(len, found)), issues=len(found),
        pairs=sum(map(len, found)), delta=tested.delta, low=interval.low, high=interval.high,
        p_value=p_value, p_holm=p_value, least_p=tested.least_p,
        quality=mean([scores[each.key].quality if each.key in scores else None for each in graded]),
        cost=mean([price and price[0] for price in prices]) if one else None,
    )  # fmt: skip


def _differences(
    known: Sequence[tuple[Cell, float]], pairs: Sequence[Condition], seat: Seat, model: str, issue: str
) -> list[Fraction]:
    """Return the model's mean on an issue less that of the others in its seat, a number for each partner."""
    other: Seat = "implementer" if seat == "planner" else "planner"
    found: list[Fraction] = []
    for partner in dict.fromkeys(each.roles[other] for each in pairs):
        means: dict[str, Fraction] = {}
        for condition in pairs:
            own = [Fraction(value) for cell, value in known
                   if (cell.condition, cell.issue) == (condition.id, issue)]  # fmt: skip
            if condition.roles[other] == partner and own:
                means[condition.roles[seat]] = sum(own, Fraction()) / len(own)
        rest = [mean for name, mean in means.items() if name != model]
        if model in means and rest:
            found.append(means[model] - sum(rest, Fraction()) / len(rest))
    return found
