"""The journal of daily work as a table: a row a day."""

from collections.abc import Sequence

from dualcode.journal import Day
from dualcode.tables.cells import count, duration, money, ratio
from dualcode.tables.grid import Field, Grid, left, right
from dualcode.tables.table import Table


def days_table(days: Sequence[Day]) -> Table:
    """Return the table: work, drafts amended, findings, tokens, seconds and money of each day."""
    notes = [
        "amended: handed over otherwise than drafted, of the drafts that were reviewed",
        "findings: confirmed or refuted by a run, or untried",
    ]
    if unpriced := sum(day.unpriced for day in days):
        notes.append(f"money: {count(unpriced)} pieces of work are not in it, theirs is not known")
    if any(day.usage.untold for day in days):
        notes.append("tokens: at least so many; a server did not tell all of its own")
    if unread := sum(day.unread for day in days):
        notes.append(
            f"{count(unread)} reviews could not be read: they count neither as approvals nor as findings"
        )
    fields: list[Field[Day]] = [
        left("day (UTC)", lambda day: day.day),
        right("work", lambda day: count(day.pieces)),
        right("left", lambda day: count(day.left), drop=5),
        right("errored", lambda day: count(day.errored), drop=4),
        right("amended", lambda day: ratio(day.amended, day.drafts)),
        right("confirmed", lambda day: count(day.findings.confirmed)),
        right("refuted", lambda day: count(day.findings.refuted)),
        right("untried", lambda day: count(day.findings.untried), drop=1),
        right("calls", lambda day: count(day.calls), drop=3),
        right("tokens", lambda day: count(day.usage.prompt_tokens + day.usage.completion_tokens), drop=2),
        right("time", lambda day: duration(day.seconds), drop=2),
        right("money", lambda day: money(day.money)),
    ]
    return Grid(days, fields).table("records", "Daily work", values=Day.to_json, notes=notes)
