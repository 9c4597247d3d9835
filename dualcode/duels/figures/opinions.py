"""What judges said: of each condition, dimension by dimension, and of their own models' work."""

from dataclasses import dataclass

from dualcode.duels.figures.content import ROW, about, entries, mark, names_at_left, rows, write_right
from dualcode.duels.findings import Findings
from dualcode.duels.judges import Judge, estimate, judges
from dualcode.duels.standing import Standing
from dualcode.figures.content import Content, nothing
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import (
    BLACK,
    BLUE,
    DOUBLE,
    GREY,
    LABEL,
    ORANGE,
    SMALL,
    TEXT,
    rule,
    width_of,
    wrap,
)  # fmt: skip

TOP, ACROSS = 0.3, 4
"""Inches: a panel's name; panels beside each other."""
JUDGE = 0.34
"""Inches: a judge, with two lines."""


@dataclass(frozen=True, kw_only=True)
class Dimensions(Content):
    """The conditions in the leaderboard's order, and the dimensions."""

    names: tuple[str, ...]
    rows: tuple[Standing, ...]

    @property
    def reach(self) -> tuple[float, float]:
        """Where the axes begin and end: at what is shown, in whole points."""
        all_ = [each for row in self.rows for each in row.dimensions.values()]
        low = min(each.mean - (each.std or 0) for each in all_)
        high = max(each.mean + (each.std or 0) for each in all_)
        return max(0.0, float(int(low) - (low == int(low)))), min(10.0, float(int(high) + 1))


def dimensions(found: Findings) -> Dimensions:
    """Return the data."""
    rows = tuple(row for row in found.standings if row.dimensions)
    if not rows:
        nothing("nothing was judged")
    names = found.dimensions
    said = "; ".join(
        f"{row.id}: "
        + ", ".join(f"{name.replace('_', ' ')} {each.mean:.2f}" for name, each in row.dimensions.items())
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


def draw_dimensions(data: Dimensions) -> Sheet:
    """Draw a panel a dimension, up to four beside each other."""
    labels = max(width_of(row.id) for row in data.rows) + 0.1
    high = -(-len(data.names) // ACROSS)
    plot = ROW * len(data.rows)
    height = TOP + plot + 0.36
    legend = entries(row.condition.arm for row in data.rows)
    sheet = Sheet(data, width=DOUBLE, body=height * high, legend=legend, columns=3)
    across = min(ACROSS, len(data.names))
    step = (DOUBLE - 2 * MARGIN - labels) / across
    for number, name in enumerate(data.names):
        left, top = MARGIN + labels + number % ACROSS * step, number // ACROSS * height + TOP
        axes = sheet.axes(left, top, step - 0.12, plot)
        axes.set(xlim=data.reach)
        first = number % ACROSS == 0
        names_at_left(axes, [row.id if first else "" for row in data.rows])
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("score", size=LABEL, labelpad=1)
        for at, line in enumerate(wrap(name.replace("_", " "), step - 0.14, TEXT, bold=True)[:2]):
            sheet.text(left, sheet.top + top - TOP + 0.02 + at * 0.12, line, size=TEXT, weight="bold")
        for y, row in enumerate(data.rows):
            if (each := row.dimensions.get(name)) is None:
                continue
            if each.std:
                ends = max(data.reach[0], each.mean - each.std), min(data.reach[1], each.mean + each.std)
                axes.hlines(y, *ends, color="#8c8c8c", lw=0.9, zorder=2)
            mark(axes, each.mean, y, row.condition.arm, above=4)
    return sheet


@dataclass(frozen=True, kw_only=True)
class Preferences(Content):
    """The judges."""

    rows: tuple[Judge, ...]

    @property
    def reach(self) -> float:
        """How far the axis goes to both sides."""
        known = [
            abs(end)
            for row in self.rows
            for each in (row.preference.delta, row.preference.excess)
            for end in (each.value, each.low, each.high)
            if end is not None
        ]
        return max([0.5, *known]) * 1.1


def preference(found: Findings) -> Preferences:
    """Return the data; a judge that is no contestant has nothing of its own to prefer, and is not drawn."""
    rows = tuple(each for each in judges(found) if each.preference.delta.value is not None)
    if not rows:
        nothing("no judge scored work of its own model and of another's")
    said = "; ".join(
        f"{row.name} {estimate(row.preference.delta)} over {row.preference.own} own and "
        f"{row.preference.other} others"
        for row in rows
    )
    return Preferences(
        **about(
            found, "Judges on their own models' work, and on others'",
            f"Each judge's mean score for its own model's fixes, less that for the others'. {said}.",
            "Whiskers: 95 % intervals, issues drawn anew; none where one issue alone tells it. Own work may "
            "simply be better: beyond peers is what the other judges do not see in the same fixes.",
        ),
        rows=rows,
    )  # fmt: skip


def draw_preference(data: Preferences) -> Sheet:
    """Draw a row a judge: own less other, and what of it is beyond the peers."""
    difference, beyond = rule("own − other", color=BLUE), rule("beyond peers", color=ORANGE)
    difference.set(marker="o", markersize=4, markeredgecolor=BLACK, markeredgewidth=0.4)
    beyond.set(marker="s", markersize=4, markeredgecolor=BLACK, markeredgewidth=0.4)
    names, legend = [row.name for row in data.rows], [difference, beyond]
    sheet, axes = rows(data, names, legend, room=0.62, row=JUDGE, columns=2)
    axes.set(xlim=(-data.reach, data.reach))
    axes.set_xlabel("points for its own model's work")
    axes.axvline(0, color=GREY, lw=0.8, ls="--", zorder=1)
    for y, row in enumerate(data.rows):
        delta, excess = row.preference.delta, row.preference.excess
        for each, color, marker, at in ((delta, BLUE, "o", -0.16), (excess, ORANGE, "s", 0.16)):
            if each.value is None:
                continue
            if each.low is not None and each.high is not None:
                axes.hlines(y + at, each.low, each.high, color=BLACK, lw=0.9, zorder=3)
            axes.plot(
                [each.value],
                [y + at],
                marker=marker,
                color=color,
                markersize=4.5,
                mec=BLACK,
                mew=0.4,
                zorder=5,
            )
        own, other = (f"{each:.2f}" if each is not None else "–" for each in (row.own, row.other))
        write_right(axes, y - 0.16, f"own {own}")
        write_right(axes, y + 0.2, f"other {other}", SMALL)
    return sheet
