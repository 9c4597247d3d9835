"""How judges score their own models' work against the others'."""

from dataclasses import dataclass

from dualcode.duels.figures.content import about
from dualcode.duels.findings import Findings
from dualcode.duels.judges import estimate, judges
from dualcode.figures.content import Content, nothing
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import BLACK, BLUE, GREY, LABEL, ORANGE, SINGLE, SMALL, rule, width_of
from dualcode.panel.agreement import Estimate

ROW = 0.34
"""Inches: a judge, with two lines."""


@dataclass(frozen=True)
class Judged:
    """One judge."""

    name: str
    own: float | None
    other: float | None
    delta: Estimate
    excess: Estimate
    counts: tuple[int, int]
    """Scores of its own model's work, and of the others'."""


@dataclass(frozen=True, kw_only=True)
class Preferences(Content):
    """The judges."""

    rows: tuple[Judged, ...]

    @property
    def reach(self) -> float:
        """How far the axis goes to both sides."""
        known = [
            abs(end)
            for row in self.rows
            for each in (row.delta, row.excess)
            for end in (each.value, each.low, each.high)
            if end is not None
        ]
        return max([0.5, *known]) * 1.1


def preference(found: Findings) -> Preferences:
    """Return the data; a judge that is no contestant has nothing of its own to prefer, and is not drawn."""
    rows = tuple(
        Judged(each.name, each.own, each.other, each.preference.delta, each.preference.excess,
               (each.preference.own, each.preference.other))
        for each in judges(found)
        if each.preference.delta.value is not None
    )  # fmt: skip
    if not rows:
        nothing("no judge scored work of its own model and of another's")
    said = "; ".join(
        f"{row.name} {estimate(row.delta)} over {row.counts[0]} own and {row.counts[1]} others"
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
    labels = max(width_of(row.name) for row in data.rows) + 0.1
    height = ROW * len(data.rows)
    difference, beyond = rule("own − other", color=BLUE), rule("beyond peers", color=ORANGE)
    difference.set(marker="o", markersize=4, markeredgecolor=BLACK, markeredgewidth=0.4)
    beyond.set(marker="s", markersize=4, markeredgecolor=BLACK, markeredgewidth=0.4)
    sheet = Sheet(data, width=SINGLE, body=height + 0.5, legend=[difference, beyond], columns=2)
    axes = sheet.axes(MARGIN + labels, 0.06, SINGLE - 2 * MARGIN - labels - 0.62, height)
    axes.set(xlim=(-data.reach, data.reach), ylim=(len(data.rows) - 0.5, -0.5))
    axes.set_xlabel("points for its own model's work")
    axes.set_yticks(range(len(data.rows)), [row.name for row in data.rows])
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=GREY, lw=0.8, ls="--", zorder=1)
    for y, row in enumerate(data.rows):
        for each, color, marker, at in ((row.delta, BLUE, "o", -0.16), (row.excess, ORANGE, "s", 0.16)):
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
        place = axes.get_yaxis_transform()
        own, other = (f"{each:.2f}" if each is not None else "–" for each in (row.own, row.other))
        axes.text(1.04, y - 0.16, f"own {own}", transform=place, ha="left", va="center", size=LABEL)
        axes.text(1.04, y + 0.2, f"other {other}", transform=place, ha="left", va="center", size=SMALL)
    return sheet
