"""What a reader must know before the first number: of every table, figure and page of a duel."""

from collections.abc import Sequence
from typing import Any

from dualcode.duels.findings import Findings
from dualcode.duels.records import Duel
from dualcode.duels.standing import LEAST_CELLS, Standing

NO_RANK = (
    "One cell a condition: nothing is ranked. Verdicts flip from trial to trial; another one may turn every "
    "order here."
)
MOST_NAMES = 4


def some(names: Sequence[str]) -> str:
    """Return names in one line, shortened where they are many."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def named(rows: Sequence[Standing]) -> str:
    """Return the ids of conditions, shortened where they are many."""
    return some([row.id for row in rows])


def models_of(duel: Duel) -> str:
    """Return the models by their endpoints' names, with what servers call them where that is another name."""
    return ", ".join(name if name == served else f"{name} ({served})" for name, served in duel.models.items())


def general(found: Findings) -> list[str]:
    """Return the team's note, and what is not done or errored."""
    errored = [row for row in found.standings if row.errored]
    undone = [row for row in found.standings if row.undone]
    notes = [found.records.duel.note] if found.records.duel.note else []
    if errored:
        number = sum(row.errored for row in errored)
        notes.append(
            f"{_cells(number)} errored, through no fault of a model ({named(errored)}): in no number here; "
            "the same command does them again."
        )
    if undone:
        notes.append(f"{_cells(sum(row.undone for row in undone))} not done yet ({named(undone)}).")
    return notes


def heading(found: Findings, what: str, *more: str) -> dict[str, Any]:
    """Return title, notes and source of a table of this duel; `more` are the notes of this one alone."""
    name = found.board.name
    return {"title": f"{name}: {what}", "notes": [*general(found), *more], "runs": [name]}


def _cells(number: int) -> str:
    return "1 cell" if number == 1 else f"{number} cells"


def of_solved(found: Findings) -> list[str]:
    """Return how solved and rank are to be read."""
    rows, trials = found.standings, found.records.duel.trials
    notes: list[str] = []
    if not found.board.ranked:
        notes.append(NO_RANK)
    else:
        few = [row for row in rows if row.rank is None]
        then = "quality for money" if any(row.quality for row in rows) else "cost, as nobody judged"
        notes.append(
            f"Rank: by solved, then by {then}. It is an order, no claim: what can be claimed is in the table "
            "of contests."
        )
        if few:
            notes.append(f"No rank with fewer than {LEAST_CELLS} graded cells: {named(few)}.")
    if trials > 1:
        notes.append(
            f"95 %: Wilson's interval for as many trials as {trials} of an issue are worth. pass^{trials}: "
            "issues that every trial solves. flips: how often two trials of an issue disagree."
        )
    if len({row.cells for row in rows}) > 1:
        notes.append("Conditions are over different cells; contests pair what both have.")
    return notes


def of_quality(found: Findings) -> list[str]:
    """Return whose opinion quality is."""
    duel, rows = found.records.duel, found.standings
    if not any(row.quality for row in rows):
        return []
    judges = tuple(dict.fromkeys(each.judge for each in found.records.judgements))
    contestants = [each for each in judges if each in duel.contestants]
    notes = [
        f"quality: what {' and '.join(judges)} said ({duel.rubric}), mean ± deviation over cells; it "
        "never decides whether something is solved."
    ]
    if contestants:
        notes.append(f"Judges that are contestants, too: {', '.join(contestants)}.")
    if len(judges) == 1:
        notes.append("A single judge: nobody checks it.")
    if unasked := len({each.key for each in found.records.judgements if each.by_rule}):
        notes.append(
            f"{_cells(unasked)} changed nothing: no judge was asked, and by rule the score is the lowest in "
            "every dimension."
        )
    if missing := [row for row in rows if row.unjudged]:
        number = sum(row.unjudged for row in missing)
        notes.append(f"A judge's score is missing of {_cells(number)} ({named(missing)}): missing, not zero.")
    return notes


def of_costs(found: Findings) -> list[str]:
    """Return what prices are, and of whom they are not known."""
    rows = [row for row in found.standings if row.cost]
    unknown = [row for row in rows if row.cost and row.cost.unknown]
    notes = [
        "cost: the mean of the graded cells, as if each were alone: a shared plan counts in full in each."
    ]
    if unknown:
        number = sum(row.cost.unknown for row in unknown if row.cost)
        notes.append(
            f"The cost of {_cells(number)} is not known ({named(unknown)}): "
            "unknown stays unknown, and so does every number that it would be part of."
        )
    if found.board.currency is None and any(row.cost and row.cost.total for row in rows):
        notes.append("Prices are in several currencies: quality for money decides no rank.")
    if any(row.effort and row.effort.untold for row in rows):
        notes.append("Tokens are a lower bound: a server did not tell all of its own.")
    return notes
