"""What judges said, dimension by dimension: a mean and its spread for each condition."""

from dataclasses import dataclass

from dualcode.duels.figures.content import LOOKS, about, entry
from dualcode.duels.findings import Findings
from dualcode.duels.records import Arm
from dualcode.duels.scores import Spread
from dualcode.figures.content import Content, nothing
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import BLACK, DOUBLE, LABEL, TEXT, width_of, wrap

ROW, TOP, ACROSS = 0.185, 0.3, 4
"""Inches: a condition, and a panel's name; panels beside each other."""


@dataclass(frozen=True)
class Row:
    """One condition's scores."""

    name: str
    arm: Arm
    scores: dict[str, Spread]


@dataclass(frozen=True, kw_only=True)
class Dimensions(Content):
    """The conditions in the leaderboard's order, and the dimensions."""

    names: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def reach(self) -> tuple[float, float]:
        """Where the axes begin and end: at what is shown, in whole points."""
        all_ = [each for row in self.rows for each in row.scores.values()]
        low = min(each.mean - (each.std or 0) for each in all_)
        high = max(each.mean + (each.std or 0) for each in all_)
        return max(0.0, float(int(low) - (low == int(low)))), min(10.0, float(int(high) + 1))


def dimensions(found: Findings) -> Dimensions:
    """Return the data."""
    rows = tuple(Row(row.id, row.condition.arm, row.dimensions) for row in found.standings if row.dimensions)
    if not rows:
        nothing("nothing was judged")
    names = found.dimensions
    said = "; ".join(
        f"{row.name}: " + ", ".join(f"{_words(name)} {each.mean:.2f}" for name, each in row.scores.items())
        for row in rows
    )
    return Dimensions(
        **about(
            found, "What judges said, dimension by dimension",
            f"Mean score of each condition over cells and judges, with one standard deviation, ours. {said}.",
            "Dots: mean over cells; lines: one standard deviation. Opinion, not tests. The axis begins and "
            "ends where the scores do.",
        ),
        names=names,
        rows=rows,
    )  # fmt: skip


def _words(name: str) -> str:
    return name.replace("_", " ")


def draw_dimensions(data: Dimensions) -> Sheet:
    """Draw a panel a dimension, up to four beside each other."""
    labels = max(width_of(row.name) for row in data.rows) + 0.1
    rows = -(-len(data.names) // ACROSS)
    plot = ROW * len(data.rows)
    height = TOP + plot + 0.36
    own = {row.arm for row in data.rows}
    legend = [entry(arm) for arm in LOOKS if arm in own]
    sheet = Sheet(data, width=DOUBLE, body=height * rows, legend=legend, columns=3)
    across = min(ACROSS, len(data.names))
    step = (DOUBLE - 2 * MARGIN - labels) / across
    for number, name in enumerate(data.names):
        left, top = MARGIN + labels + number % ACROSS * step, number // ACROSS * height + TOP
        axes = sheet.axes(left, top, step - 0.12, plot)
        axes.set(xlim=data.reach, ylim=(len(data.rows) - 0.5, -0.5))
        first = number % ACROSS == 0
        axes.set_yticks(range(len(data.rows)), [row.name for row in data.rows] if first else [])
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("score", size=LABEL, labelpad=1)
        for at, line in enumerate(wrap(_words(name), step - 0.14, TEXT, bold=True)[:2]):
            sheet.text(left, sheet.top + top - TOP + 0.02 + at * 0.12, line, size=TEXT, weight="bold")
        for y, row in enumerate(data.rows):
            if (each := row.scores.get(name)) is None:
                continue
            color, marker, _ = LOOKS[row.arm]
            if each.std:
                ends = max(data.reach[0], each.mean - each.std), min(data.reach[1], each.mean + each.std)
                axes.hlines(y, *ends, color="#8c8c8c", lw=0.9, zorder=2)
            axes.plot(
                [each.mean], [y], marker=marker, color=color, markersize=4.5, mec=BLACK, mew=0.4, zorder=4,
                clip_on=False,
            )  # fmt: skip
    return sheet
