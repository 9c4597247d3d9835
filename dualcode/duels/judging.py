"""Judges before the fixes of a duel, once its cells are done; what they say goes on record with its price."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from dualcode.config import Price
from dualcode.duels.records import Cell, Duel, Judgement
from dualcode.duels.running import Means
from dualcode.duels.store import DuelStore, Place, cell_folder
from dualcode.issues.task import IssueTask
from dualcode.panel.calibration import calibrations_of
from dualcode.panel.exhibit import Exhibit
from dualcode.panel.panel import Asked, Score, judge_all
from dualcode.panel.renderings import RENDERINGS
from dualcode.panel.rubric import Rubric
from dualcode.pricing import charge


async def judge(store: DuelStore, means: Means, rubric: Rubric, tell: Callable[[str], None]) -> None:
    """Let the duel's judges score what they have not scored yet; each score is on record as it comes.

    A judge that fails is missing, never zero, and asked again another time if it was its server's fault. A
    cell that changed nothing needs no judge: it has the lowest score by rule.
    """
    duel = store.duel
    if not duel.judges:
        return
    team = means.seating.team
    seats = means.seating.team_of({name: name for name in duel.judges}, ("judging", "", 1), lambda _: None)
    tasks = {name: bench.task for name, bench in means.benches.items()}
    cells = [cell for cell in store.cells() if cell.status != "errored"]
    exhibits = tuple(exhibits_of(store.folder, [cell for cell in cells if cell.diff.strip()], tasks))
    known = [each for each in store.judgements() if each.checksum == rubric.checksum]
    done = {_asked(each) for each in known if each.settled}
    names = {*duel.models, *duel.models.values(), *(each.model for each in team.endpoints.values())}
    for cell in cells:
        if not cell.diff.strip():
            made = (unchanged(cell, name, seats[name].chat.model, rubric) for name in duel.judges)
            for each in (each for both in made for each in both if _asked(each) not in done):
                store.add_judgement(each)
    tell(f"judging: {len(exhibits)} fixes, {len(duel.judges)} judges, two renderings")

    def record(score: Score) -> None:
        store.add_judgement(judgement_of(score, means.prices.get(score.judge)))
        said = score.why_missing or ", ".join(f"{key} {each}" for key, each in (score.scores or {}).items())
        what = score.calibration or "/".join(map(str, score.asked.key))
        tell(f"{score.judge} on {what} ({score.rendering}): {said}")

    await judge_all(
        exhibits,
        {name: seats[name] for name in duel.judges},
        rubric,
        seed=duel.seed,
        done=done,
        record=record,
        names=names,
        paths={str(bench.base.folder) for bench in means.benches.values()},
    )


def exhibits_of(folder: Path, cells: Sequence[Cell], tasks: Mapping[str, IssueTask]) -> Iterator[Exhibit]:
    """Yield the calibrations of each issue, and then the cells' fixes with what the visible tests said."""
    for task in tasks.values():
        yield from calibrations_of(task)
    for cell in cells:
        # What the tree's own tests said at the end: judges are held against the hidden ones.
        checks = {phase.name for phase in cell.phases if phase.kind == "check"}
        said = [node.output for node in Place(cell_folder(folder, cell.key)).nodes() if node.node in checks]
        yield Exhibit(
            key=cell.key,
            issue=cell.issue,
            instruction=tasks[cell.issue].instruction,
            plan=cell.plan,
            diff=cell.diff,
            tests=said[-1] if said else "",
        )


def judgement_of(score: Score, price: Price | None) -> Judgement:
    """Return a score as it is on record, with its price."""
    paid = charge(price, score.usage, score.seconds)
    return Judgement(
        **score.model_dump(exclude={"repaired", "shown", "from_ledger"}),
        money={paid.currency: paid.amount} if paid else None,
        source=paid.source if paid else "unknown",
    )


def unchanged(cell: Cell, judge: str, model: str, rubric: Rubric) -> Iterator[Judgement]:
    """Yield what stands for a judge's two judgements of a cell that changed nothing.

    Missing would favour who gives up: its other cells alone would make its mean.
    """
    names = [each.key for each in rubric.asked(plan=cell.plan is not None)]
    for rendering in RENDERINGS:
        yield Judgement(
            condition=cell.condition,
            issue=cell.issue,
            trial=cell.trial,
            judge=judge,
            model=model,
            rubric=rubric.name,
            checksum=rubric.checksum,
            rendering=rendering,
            same=True,
            scores=dict.fromkeys(names, rubric.lowest),
            reasons=dict.fromkeys(names, "by rule: nothing was changed, and nobody was asked"),
            money={},
            by_rule=True,
        )


def unjudged(duel: Duel, cells: Sequence[Cell], judgements: Sequence[Judgement]) -> bool:
    """Whether a judge has something left to say of the cells that are done."""
    done = {_asked(each) for each in judgements if each.settled}
    return any(
        Asked(cell.key, judge, rendering) not in done
        for cell in cells
        if cell.status != "errored"
        for judge in duel.judges
        for rendering in RENDERINGS
    )


def _asked(judgement: Judgement) -> Asked:
    return Asked(judgement.key, judgement.judge, judgement.rendering, judgement.calibration)
