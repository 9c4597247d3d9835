"""A forecast and a study's end, for people."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dualcode.runs.progress import duration
from dualcode.study.forecast import NOTHING, Forecast, Range


def forecast_table(found: Forecast) -> RenderableType:
    """Return the forecast: a line a run, the sums, and what they rest on."""
    table = Table(
        title="forecast, from the least to the most",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_footer=True,
    )
    names = ("dataset", "pipeline", "tasks left", "calls", "tokens out", "time")
    sums = found.tokens()
    out = sum((completion for _, completion in sums.values()), NOTHING)
    left = str(sum(row.tasks for row in found.rows))
    total = ("all", "", left, _count(found.calls), _count(out), _time(found.seconds))
    for name, foot in zip(names, total, strict=True):
        table.add_column(name, foot, justify="left" if name in ("dataset", "pipeline") else "right")
    for row in found.rows:
        tokens = _count(sum((share.completion_tokens for share in row.shares), NOTHING))
        left = str(row.tasks) if row.tasks == row.of else f"{row.tasks} of {row.of}"
        table.add_row(row.dataset, row.pipeline, left, _count(row.calls), tokens, _time(row.seconds))
    lines = [f"{name}: {_count(given)} tokens in, {_count(made)} out" for name, (given, made) in sums.items()]
    lines += [f"money: {unit}{each.least:.2f} – {each.most:.2f}" for unit, each in found.money.items()]
    if not found.money:
        lines.append("money: no price is configured (price = { gpu_hour = … } in the team's endpoints)")
    measured = f"measured on {found.measured} earlier calls to these servers"
    basis = measured if found.measured else "nothing measured yet"
    lines.append(f"{basis}; a step never asked counts up to its token limit")
    return Group(table, *(Text(line, "dim") for line in lines))


def _count(amount: Range) -> str:
    least, most = f"{amount.least:,.0f}", f"{amount.most:,.0f}"
    return least if least == most else f"{least} – {most}"


def _time(seconds: Range | None) -> str:
    if seconds is None:
        return "unknown"
    least, most = duration(seconds.least), duration(seconds.most)
    return least if least == most else f"{least} – {most}"
