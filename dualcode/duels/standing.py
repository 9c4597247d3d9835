"""How the conditions of a duel stand: solved or not first, then what it cost, then what judges say.

A pure function of the records. A cell that errored says nothing about the models: it is counted apart, and in
no rate, mean or cost. What is not known stays unknown, and with it every number that it would be part of.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import fmean

from dualcode.analysis.clusters import clustered_rate
from dualcode.call import Usage
from dualcode.duels.amounts import Money, divided, mean, paid, single, spread, total
from dualcode.duels.records import Cell, Condition, DuelRecords, Key, Phase
from dualcode.duels.scores import CellScore, Spread, scores_of, spread_of
from dualcode.metrics import Rate
from dualcode.record import Record

LEAST_CELLS = 2
"""Graded cells without which a condition has no rank."""
KINDS = ("plan", "implement", "review")
"""What cost is told apart by; a command alone (`check`) costs nothing."""


class Spent(Record):
    """What a cell cost on average."""

    plan: Money
    implement: Money
    review: Money
    total: Money
    std: float | None
    """Of the total over the cells; None where it is not known or in several currencies."""
    unknown: int
    """Cells whose cost is not known."""
    sources: dict[str, int]
    """Where the prices of the phases are from, and of how many."""
    per_solved: Money
    """All that was spent, over the cells that were solved."""

    def of(self, kind: str) -> Money:
        """Return the part of a kind of phase, or the total."""
        return {"plan": self.plan, "implement": self.implement, "review": self.review}.get(kind, self.total)


class Effort(Record):
    """What a cell took on average."""

    steps: float
    calls: float
    failed_edits: float
    prompt_tokens: float
    completion_tokens: float
    cached_share: float | None
    """Of the prompt's tokens, how many a prefix cache had; None without tokens."""
    untold: int
    """Replies whose tokens the server did not tell: with any, the tokens are a lower bound."""
    seconds: float
    seconds_std: float | None
    plan_seconds: float
    implement_seconds: float
    """Reviews are in neither."""


class Standing(Record):
    """One condition: a row of the leaderboard."""

    condition: Condition
    rank: int | None
    """By solved, then by quality for money, or by solved for money where nobody judged; equal in both, equal
    in rank. None where too little is graded."""
    cells: int
    """Graded ones: the denominator of everything here."""
    errored: int
    undone: int
    """Cells of the matrix that are not on record yet."""
    solved: Rate | None
    """Over all trials; the interval knows that trials of one issue are not independent."""
    pass_k: float | None
    """The share of issues that all `k` trials solve; None with one trial."""
    k: int
    flips: float | None
    """How often two trials of the same issue disagree; None with one trial."""
    statuses: dict[str, int]
    """How cells ended, errored ones included."""
    quality: Spread | None
    dimensions: dict[str, Spread]
    unjudged: int
    """Graded cells that a judge of the panel gave no score."""
    cost: Spent | None
    efficiency: float | None
    """Quality for a unit of money; None where either is not known, or the money is in several currencies."""
    efficiency_solved: float | None
    """The same over solved cells alone."""
    effort: Effort | None
    out_of_scope: int
    """Cells that changed a file that the task does not name."""
    scope: Spread | None
    """Scope discipline by rule, 10 to 1, of the cells whose task names a scope."""
    dropped: int
    """Cells of whose change something did not count, such as test machinery."""
    tampered: int
    """Cells whose tests were forged."""

    @property
    def id(self) -> str:
        """The condition's id."""
        return self.condition.id


class Board(Record):
    """All conditions, the best first."""

    name: str
    standings: tuple[Standing, ...]
    currency: str | None
    """The one currency of all known costs; None where there is none, or more than one."""
    ranked: bool
    """Whether any condition has a rank."""

    def standing(self, condition: str) -> Standing:
        """Return a condition's row; a KeyError if the duel has no such condition."""
        return {each.id: each for each in self.standings}[condition]


def board(records: DuelRecords) -> Board:
    """Return the leaderboard."""
    scores = scores_of(records.judgements)
    rows = [standing(records, each, scores) for each in records.duel.conditions]
    currencies = {each for row in rows if row.cost for each in row.cost.total or ()}
    one = len(currencies) == 1
    judged = any(row.quality for row in rows)

    def place(row: Standing) -> tuple[bool, float, float]:
        solved = row.solved.value if row.solved else -1.0
        price = single(row.cost.total) if row.cost and one else None
        worth = row.efficiency if judged else solved / price[0] if price and price[0] else None
        known = worth if one and worth is not None else -1.0
        return row.cells < LEAST_CELLS, -round(solved, 9), -round(known, 9)

    ordered = sorted(rows, key=lambda row: (place(row), row.id))
    found: list[Standing] = []
    for (unranked, *_), tied in groupby(ordered, key=place):
        rank = None if unranked else len(found) + 1
        found += [row.model_copy(update={"rank": rank}) for row in tied]
    return Board(
        name=records.duel.name,
        standings=tuple(found),
        currency=currencies.pop() if one else None,
        ranked=any(row.rank for row in found),
    )


def standing(records: DuelRecords, condition: Condition, scores: Mapping[Key, CellScore]) -> Standing:
    """Return one condition's row, without its rank."""
    own = [each for each in records.cells if each.condition == condition.id]
    known = [each for each in own if each.solved is not None]
    outcomes = outcomes_of(known)
    given = [scores.get(each.key, CellScore(by_judge={})) for each in known]
    quality = spread_of(each.quality for each in given)
    cost = _spent(known)
    solved = [at for at, each in enumerate(known) if each.solved]
    names = dict.fromkeys(name for each in given for name in each.dimensions)
    dimensions = {name: spread_of(each.dimensions.get(name) for each in given) for name in names}
    return Standing(
        condition=condition,
        rank=None,
        cells=len(known),
        errored=len(own) - len(known),
        undone=len(records.duel.issues) * records.duel.trials - len(own),
        solved=clustered_rate(outcomes),
        pass_k=_pass_k(outcomes, records.duel.trials),
        k=records.duel.trials,
        flips=flips(outcomes),
        statuses=dict(Counter(each.status for each in own)),
        quality=quality,
        dimensions={name: each for name, each in dimensions.items() if each},
        unjudged=sum(bool(each.missing) or not each.by_judge for each in given) if records.judgements else 0,
        cost=cost,
        efficiency=_efficiency(quality, cost),
        efficiency_solved=_efficiency(
            spread_of(given[at].quality for at in solved), _spent([known[at] for at in solved])
        ),
        effort=_effort(known),
        out_of_scope=sum(bool(each.verdict and each.verdict.out_of_scope) for each in known),
        scope=spread_of(each.verdict.scope if each.verdict else None for each in known),
        dropped=sum(bool(each.left_out or (each.verdict and each.verdict.dropped)) for each in known),
        tampered=sum(bool(each.verdict and each.verdict.tampered) for each in known),
    )


def outcomes_of(cells: Sequence[Cell]) -> dict[str, list[bool]]:
    """Return whether each trial is solved, by issue."""
    found: dict[str, list[bool]] = {}
    for each in cells:
        if each.solved is not None:
            found.setdefault(each.issue, []).append(each.solved)
    return found


def _pass_k(outcomes: Mapping[str, Sequence[bool]], k: int) -> float | None:
    """Return the share of issues solved in every trial, of those with all of their trials graded."""
    whole = [all(each) for each in outcomes.values() if len(each) == k]
    return fmean(whole) if k > 1 and whole else None


def flips(outcomes: Mapping[str, Sequence[bool]]) -> float | None:
    """Return how often two trials of an issue, drawn at random, disagree; the mean over the issues."""
    pairs = [(sum(each), len(each)) for each in outcomes.values() if len(each) > 1]
    return mean(2 * passed * (count - passed) / (count * (count - 1)) for passed, count in pairs)


def _spent(cells: Sequence[Cell]) -> Spent | None:
    if not cells:
        return None
    totals = [paid(each.phases) for each in cells]
    parts = {kind: total(paid(_of(each.phases, kind)) for each in cells) for kind in KINDS}
    whole = total(totals)
    return Spent(
        **{kind: divided(part, len(cells)) for kind, part in parts.items()},
        total=divided(whole, len(cells)),
        std=spread(totals),
        unknown=sum(each is None for each in totals),
        sources=dict(Counter(phase.source for each in cells for phase in each.phases if phase.calls)),
        per_solved=divided(whole, sum(bool(each.solved) for each in cells)),
    )


def _of(phases: Sequence[Phase], kind: str) -> list[Phase]:
    return [each for each in phases if each.kind == kind]


def _efficiency(quality: Spread | None, cost: Spent | None) -> float | None:
    price = single(cost.total) if cost else None
    return quality.mean / price[0] if quality and price and price[0] else None


def _effort(cells: Sequence[Cell]) -> Effort | None:
    if not cells:
        return None
    phases = [phase for each in cells for phase in each.phases]
    runs = [run for phase in phases for run in phase.runs]
    usage = sum((phase.usage for phase in phases), Usage())
    seconds = spread_of(each.seconds for each in cells)
    count = len(cells)
    return Effort(
        steps=sum(run.steps for run in runs) / count,
        calls=sum(phase.calls for phase in phases) / count,
        failed_edits=sum(run.failed_edits for run in runs) / count,
        prompt_tokens=usage.prompt_tokens / count,
        completion_tokens=usage.completion_tokens / count,
        cached_share=usage.cached_tokens / usage.prompt_tokens if usage.prompt_tokens else None,
        untold=usage.untold,
        seconds=fmean(each.seconds for each in cells),
        seconds_std=seconds.std if seconds else None,
        plan_seconds=sum(phase.seconds for phase in _of(phases, "plan")) / count,
        implement_seconds=sum(phase.seconds for phase in _of(phases, "implement")) / count,
    )
