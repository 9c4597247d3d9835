"""A duel's folder: what is appended to it while it runs, and how it is read.

manifest.json                       Duel
cells/CONDITION/ISSUE/TRIAL/        cell.json (written last: the cell is done), nodes.jsonl, steps.jsonl,
                                    calls.jsonl, plan.md, change.diff, tests.txt; changes/ and conversations/
plans/PLANNER/ISSUE/TRIAL/          the same of the nodes that cells share
judgements.jsonl, paid.jsonl, ledger/

One process owns it. Whenever it is killed, lines are whole or dropped, and what a cell has on record of nodes
that were not done is asked of the ledger again, and written again.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Self, TypeVar

from pydantic import ValidationError

from dualcode.agents.records import Step
from dualcode.duels.conditions import keys_of
from dualcode.duels.records import Cell, Duel, DuelRecords, Judgement, Key
from dualcode.errors import RunError
from dualcode.panel.records import Asked
from dualcode.record import Record
from dualcode.runs.lines import drop_torn_line, own, read_lines, replace, writing
from dualcode.workflows.store import Place

MANIFEST, CELL, JUDGEMENTS = "manifest.json", "cell.json", "judgements.jsonl"
PLAN = "plan.md"

R = TypeVar("R", bound=Record)


class DuelStore:
    """One duel, open for appending by this process alone."""

    def __init__(self, folder: Path, duel: Duel, lock: IO[str]) -> None:
        self.folder, self.duel = folder, duel
        self._lock = lock

    @classmethod
    def open(cls, folder: Path, duel: Duel, differences: Callable[[Duel, Duel], Sequence[str]]) -> Self:
        """Create the duel, or open it to go on with it.

        `differences` tells what keeps a duel on record from being gone on with, in words. Raises RunError if
        there is anything, or another process works on it.
        """
        lock = own(folder, choose="--duels FOLDER", beside="a duel")
        try:
            if (folder / MANIFEST).exists():
                found = read_manifest(folder)
                if why := differences(found, duel):
                    raise other_configuration(folder, why)
                duel = duel.model_copy(update={"created": found.created})
            with writing(folder / MANIFEST):
                replace(folder / MANIFEST, duel.model_dump_json(indent=2))
                drop_torn_line(folder / JUDGEMENTS)
        except BaseException:
            lock.close()
            raise
        return cls(folder, duel, lock)

    def close(self) -> None:
        """Let other processes open it."""
        self._lock.close()

    def place(self, key: Key) -> Place:
        """Return a cell's folder."""
        return Place(cell_folder(self.folder, key))

    def plan_place(self, planner: str, issue: str, trial: int) -> Place:
        """Return the folder of a plan that cells share."""
        return plan_place(self.folder, planner, issue, trial)

    def cell(self, key: Key) -> Cell | None:
        """Return a cell that is done, its faults of ours included; None for one that is not."""
        return read_cell(self.folder, key)

    def keep(self, cell: Cell) -> None:
        """Write a cell: it is done."""
        place = self.place(cell.key)
        shown = {"diff": _text(cell.diff), "files": tuple(map(_text, cell.files))}
        with writing(place.folder / CELL):
            place.folder.mkdir(parents=True, exist_ok=True)
            replace(place.folder / CELL, cell.model_copy(update=shown).model_dump_json(indent=1))

    def cells(self) -> tuple[Cell, ...]:
        """Return the cells that are done."""
        return tuple(_cells(self.folder, self.duel))

    def judgements(self) -> tuple[Judgement, ...]:
        """Return what the duel's judges said so far."""
        return read_judgements(self.folder, self.duel)

    def add_judgement(self, judgement: Judgement) -> None:
        """Append what a judge said."""
        Place(self.folder).add(JUDGEMENTS, judgement)


def cell_folder(folder: Path, key: Key) -> Path:
    """Return where a cell lies in a duel's folder."""
    condition, issue, trial = key
    return folder / "cells" / condition / issue / str(trial)


def plan_place(folder: Path, planner: str, issue: str, trial: int) -> Place:
    """Return where a plan that cells share lies in a duel's folder; models that are drawn share none."""
    return Place(folder / "plans" / planner / issue / str(trial))


def read_cell(folder: Path, key: Key) -> Cell | None:
    """Return a cell that is done; None for one that is not. Raises RunError if it cannot be read."""
    path = cell_folder(folder, key) / CELL
    return _read(path, Cell, hint=f"rm '{path}', and `duel run` does it again") if path.exists() else None


def read_manifest(folder: Path) -> Duel:
    """Return a duel's manifest. Raises RunError if there is none, or one of another version."""
    if not (folder / MANIFEST).exists():
        raise RunError(f"{folder} is no duel: it has no {MANIFEST}", hint="the folder that `duel run` names")
    return _read(folder / MANIFEST, Duel, hint="the version of dualcode that made it")


def read_duel(folder: Path) -> DuelRecords:
    """Return all that is on record of a duel, finished or not. Raises RunError."""
    duel = read_manifest(folder)
    cells = tuple(_cells(folder, duel))
    judgements = read_judgements(folder, duel)
    planners = {each.id: each.plans_by for each in duel.conditions}
    steps: dict[Key, tuple[Step, ...]] = {}
    for each in cells:
        own = Place(cell_folder(folder, each.key)).steps()
        planner = planners[each.condition]
        shared = plan_place(folder, planner, each.issue, each.trial).steps() if planner is not None else []
        steps[each.key] = (*shared, *own)
    return DuelRecords(duel=duel, cells=cells, judgements=judgements, steps=steps)


def read_judgements(folder: Path, duel: Duel) -> tuple[Judgement, ...]:
    """Return what judges said that counts: of the duel's judges and rubric, the last to each question."""
    found: dict[Asked, Judgement] = {}
    for each in read_lines(folder / JUDGEMENTS, Judgement, []):
        if each.judge in duel.judges and each.rubric == duel.rubric:
            found[each.asked] = each
    return tuple(found.values())


def _cells(folder: Path, duel: Duel) -> Iterator[Cell]:
    places = {condition.id: at for at, condition in enumerate(duel.conditions)}
    keys = keys_of(duel.conditions, duel.issues, duel.trials)
    for key in sorted(keys, key=lambda key: (places[key[0]], duel.issues.index(key[1]), key[2])):
        if (cell := read_cell(folder, key)) is not None:
            yield cell


def _read(path: Path, kind: type[R], *, hint: str) -> R:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise RunError(f"{path} cannot be read: {why}", hint=hint) from None


def other_configuration(folder: Path, why: Sequence[str]) -> RunError:
    """Return what is raised where a duel on record cannot be gone on with."""
    return RunError(
        f"{folder} is a duel of another configuration: {'; '.join(why)}",
        hint="--fresh begins one beside it, or put back what differs",
    )


def _text(text: str) -> str:
    """Return a text that JSON can hold: what is no UTF-8 of it stands in the cell's own file."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
