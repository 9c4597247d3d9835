"""The journal of daily work as one page: what was amended, found and spent, day by day."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from dualcode.errors import RunError
from dualcode.journal import Day
from dualcode.report.file import environment, write_page
from dualcode.tables import cells
from dualcode.tables.days import days_table

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""Nothing runs and nothing is fetched."""
HEIGHT = 130
LEAST_DAYS = 36
"""For which there is room on the page, so that a few do not fill it."""
_STEP = 26
Part = tuple[str, str, Callable[[Day], float]]
"""A part of a bar: its name, its colour, and its size on a day."""


def write_records(days: Sequence[Day], target: Path, *, title: str = "") -> Path:
    """Write the page, and return its path. Raises RunError if there is no day, or no file can be written."""
    if not days:
        raise RunError("there are no records to draw", hint="dualcode records")
    drafts, amended = sum(day.drafts for day in days), sum(day.amended for day in days)
    many = "1 day" if len(days) == 1 else f"{len(days)} days"
    lead = f"{cells.count(sum(day.pieces for day in days))} pieces of work on {many}; "
    lead += f"{cells.ratio(amended, drafts)} of the drafts that were reviewed were amended."
    currencies = dict.fromkeys(currency for day in days for currency in day.money)
    charts = [
        _chart(days, "Work", [
            ("reviewed and stood", "--line", lambda day: day.drafts - day.amended),
            ("amended", "--accent", lambda day: day.amended),
            ("not reviewed", "--faint", lambda day: day.pieces - day.drafts),
        ]),
        _chart(days, "Findings", [
            ("confirmed", "--bad", lambda day: day.findings.confirmed),
            ("untried", "--line", lambda day: day.findings.untried),
            ("refuted", "--warn", lambda day: day.findings.refuted),
        ]),
        _chart(days, "Tokens", [
            ("prompt", "--line", lambda day: day.usage.prompt_tokens),
            ("completion", "--soft", lambda day: day.usage.completion_tokens),
        ]),
        *(
            _chart(days, f"Money, {each}", [
                ("known", "--new-strong", lambda day, each=each: day.money.get(each, 0.0))
            ])
            for each in currencies
        ),
    ]  # fmt: skip
    style = Markup((Path(__file__).parent / "report.css").read_text(encoding="utf-8"))
    page = environment().get_template("records.html.j2").render(
        title=title or "dualcode: daily work", lead=lead, charts=charts, table=days_table(days),
        policy=POLICY, style=style,
    )  # fmt: skip
    write_page(target, page)
    return target


def _chart(days: Sequence[Day], title: str, parts: Sequence[Part]) -> dict[str, Any]:
    """Return a bar a day, its parts one on the other."""
    most = max(sum(size(day) for _, _, size in parts) for day in days)
    bars: list[dict[str, Any]] = []
    for number, day in enumerate(days):
        base = float(HEIGHT)
        for name, fill, size in parts:
            height = HEIGHT * size(day) / most if most else 0.0
            base -= height
            told = f"{day.day}: {_said(size(day))} {name}"
            bars.append(
                {"x": number * _STEP + 4, "y": round(base, 2), "width": _STEP - 8, "height": round(height, 2),
                 "colour": fill, "told": told}
            )  # fmt: skip
    every = max(1, len(days) // 12)
    marks = [
        {"x": number * _STEP + _STEP // 2, "text": day.day[5:]}
        for number, day in enumerate(days)
        if number % every == 0
    ]
    return {
        "title": title,
        "width": max(LEAST_DAYS, len(days)) * _STEP,
        "bars": bars,
        "marks": marks,
        "legend": [{"name": name, "colour": fill} for name, fill, _ in parts],
        "most": _said(most),
        "alt": f"a bar a day, the highest {_said(most)}",
    }


def _said(amount: float) -> str:
    return cells.count(amount) if float(amount).is_integer() else f"{amount:.4g}"
