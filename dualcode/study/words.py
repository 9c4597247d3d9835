"""A forecast and a study's end, for people."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dualcode.runs.progress import duration
from dualcode.study.forecast import Forecast, Range, Row


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
    total = ("all", "", str(sum(row.tasks for row in found.rows)), _count(found.calls), *_sums(found))
    for name, foot in zip(names, total, strict=True):
        table.add_column(name, foot, justify="left" if name in ("dataset", "pipeline") else "right")
    for row in found.rows:
        table.add_row(*_row(row))
    return Group(table, *_foot(found))


def _row(row: Row) -> list[str]:
    tokens = sum((share.completion_tokens for share in row.shares), Range(least=0, most=0))
    left = str(row.tasks) if row.tasks == row.of else f"{row.tasks} of {row.of}"
    return [row.dataset, row.pipeline, left, _count(row.calls), _count(tokens), _time(row.seconds)]


def _sums(found: Forecast) -> tuple[str, str]:
    tokens = sum((completion for _, completion in found.tokens().values()), Range(least=0, most=0))
    return _count(tokens), _time(found.seconds)


def _foot(found: Forecast) -> list[Text]:
    lines = [
        f"{name}: {_count(prompt)} tokens in, {_count(completion)} out"
        for name, (prompt, completion) in found.tokens().items()
    ]
    lines += [f"money: {currency}{_money(amount)}" for currency, amount in found.money.items()]
    if not found.money:
        lines.append("money: no price is configured (price = { gpu_hour = … } in the team's endpoints)")
    basis = (
        f"measured on {found.measured} earlier calls to these servers"
        if found.measured
        else "nothing measured yet"
    )
    lines.append(f"{basis}; a step never asked counts up to its token limit")
    return [Text(line, "dim") for line in lines]


def _count(amount: Range) -> str:
    least, most = f"{amount.least:,.0f}", f"{amount.most:,.0f}"
    return least if least == most else f"{least} – {most}"


def _time(seconds: Range | None) -> str:
    if seconds is None:
        return "unknown"
    least, most = duration(seconds.least), duration(seconds.most)
    return least if least == most else f"{least} – {most}"


def _money(amount: Range) -> str:
    return f"{amount.least:.2f} – {amount.most:.2f}"
