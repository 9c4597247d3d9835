"""A forecast for people."""

from collections.abc import Callable

from dualcode.study import offline
from dualcode.study.forecast import NOTHING, Forecast, Range
from dualcode.study.offline import Basis
from dualcode.tables.cells import count, duration
from dualcode.tables.grid import listed, numbers, words
from dualcode.tables.table import Table


def forecast_table(found: Forecast, basis: Basis | None = None) -> Table:
    """Return a study's forecast: a line a run, the sums, and what they rest on.

    `basis` is that of a forecast for servers that do not run.
    """
    heads = (
        words("dataset"), words("pipeline"), numbers("tasks left", drop=2), numbers("calls", drop=1),
        numbers("tokens out"), numbers("time"),
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for row in found.rows:
        tokens = sum((share.completion_tokens for share in row.shares), NOTHING)
        left = str(row.tasks) if row.tasks == row.of else f"{row.tasks} of {row.of}"
        time = _between(row.seconds, duration)
        rows.append((row.dataset, row.pipeline, left, _between(row.calls), _between(tokens), time))
    sums = found.tokens()
    tokens = sum((completion for _, completion in sums.values()), NOTHING)
    tasks = str(sum(row.tasks for row in found.rows))
    rows.append(
        ("all", "", tasks, _between(found.calls), _between(tokens), _between(found.seconds, duration))
    )
    notes = [
        f"{name}: {_between(prompt)} tokens in, {_between(completion)} out"
        for name, (prompt, completion) in sums.items()
    ]
    notes += [f"money: {name}{amount.least:.2f} – {amount.most:.2f}" for name, amount in found.money.items()]
    if not found.money:
        notes.append("money: no price is configured (price = { gpu_hour = … } in the team's endpoints)")
    measured = f"measured on {found.measured} earlier calls to these servers"
    rests = measured if found.measured else "nothing measured yet"
    notes.append(f"{rests}; a step never asked counts up to its token limit")
    notes += offline.notes(basis, found) if basis else ()
    return listed(
        "forecast", "forecast, from the least to the most", heads, rows, notes=notes,
        tones=[""] * len(found.rows) + ["bold"],
    )  # fmt: skip


def _between(amount: Range | None, say: Callable[[float], str] = count) -> str:
    if amount is None:
        return "unknown"
    least, most = say(amount.least), say(amount.most)
    return least if least == most else f"{least} – {most}"
