"""The one style: sizes for print, colours for every eye, marks that survive greyscale, stable bytes.

Text stays text in SVG: files are four to seven times smaller than with outlines, and can be searched and
read aloud. The price: a reader's fonts may differ from ours. So everything is laid out for DejaVu Sans,
as wide as Verdana and wider than Arial and Helvetica: where it is missing, text gets narrower, and
nothing overlaps.
"""

from functools import cache
from typing import Any

from matplotlib import font_manager
from matplotlib.ft2font import LoadFlags
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.optimize import isotonic_regression

SINGLE, DOUBLE = 3.5, 7.16
"""Inches: one and two columns of a paper."""
TITLE, TEXT, LABEL, SMALL = 8.0, 7.0, 6.5, 5.0
"""Points: titles, axes and values, second lines, the runs' ids."""

BLACK, GREY, PALE = "#000000", "#8c8c8c", "#e3e3e3"
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
"""Okabe and Ito's palette, which people with any colour vision can tell apart."""

FONTS = ("DejaVu Sans", "Verdana", "Arial", "Helvetica", "sans-serif")
"""The one that everything is measured in, and what an SVG falls back to."""

HOLLOW: dict[str, Any] = {
    "marker": "D", "markersize": 4.2, "markerfacecolor": "white", "markeredgecolor": BLACK,
    "markeredgewidth": 0.8, "linestyle": "none", "zorder": 6,
}  # fmt: skip
"""The mark of a published value. Nothing of ours is hollow."""


def settings(name: str) -> dict[str, Any]:
    """Return matplotlib's settings for the figure `name`; its salt keeps ids apart in one HTML page."""
    return {
        "font.family": FONTS[0], "font.size": TEXT, "axes.linewidth": 0.5, "axes.labelsize": TEXT,
        "axes.titlesize": TEXT, "xtick.labelsize": LABEL, "ytick.labelsize": TEXT, "legend.fontsize": LABEL,
        "xtick.major.width": 0.5, "ytick.major.width": 0.5, "xtick.major.size": 2.5, "ytick.major.size": 2.5,
        "xtick.major.pad": 2.0, "ytick.major.pad": 2.5, "hatch.linewidth": 0.5, "legend.frameon": False,
        "legend.handlelength": 1.7, "legend.handletextpad": 0.5, "legend.labelspacing": 0.35,
        "legend.columnspacing": 1.2, "svg.fonttype": "none", "svg.hashsalt": f"dualcode-{name}",
        "pdf.fonttype": 42, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
        "path.simplify": False, "figure.dpi": 100,
    }  # fmt: skip


def width_of(text: str, size: float = TEXT, *, bold: bool = False) -> float:
    """Return the width of a text in inches, as DejaVu Sans draws it (but for its kerning)."""
    return sum(_advance(each, bold) for each in text) * size / 72


@cache
def _advance(character: str, bold: bool) -> float:
    """Return how far a character moves the pen, in ems."""
    manager: Any = font_manager
    wanted = font_manager.FontProperties(family=FONTS[0], weight="bold" if bold else "normal")
    font = manager.get_font(manager.findfont(wanted))
    font.set_size(100, 72)
    return font.load_char(ord(character), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65536 / 100


def wrap(text: str, width: float, size: float = TEXT, *, bold: bool = False) -> list[str]:
    """Break a text at spaces into lines no wider than `width` inches; a word that is wider stands alone."""
    lines: list[str] = []
    width *= 0.98  # pixels are whole: small letters come out a little wider than they are
    for word in text.split():
        if lines and width_of(f"{lines[-1]} {word}", size, bold=bold) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def shorten(text: str, width: float, size: float = TEXT) -> str:
    """Cut a text to `width` inches; an ellipsis says so."""
    if width_of(text, size) <= width:
        return text
    kept = next((n for n in range(len(text), 0, -1) if width_of(text[:n] + "…", size) <= width), 0)
    return text[:kept] + "…"


def swatch(color: str, label: str, hatch: str = "", edge: str = BLACK) -> Patch:
    """Return a legend's entry for a filled shape."""
    return Patch(facecolor=color, edgecolor=edge, hatch=hatch, linewidth=0.4, label=label)


def rule(label: str, style: Any = "-", color: str = BLACK, width: float = 0.9, **mark: Any) -> Line2D:
    """Return a legend's entry for a line; `mark` is what stands on it."""
    return Line2D([], [], color=color, linestyle=style, linewidth=width, label=label, **mark)


def diamond(label: str) -> Line2D:
    """Return a legend's entry for published values."""
    return Line2D([], [], label=label, **{k: v for k, v in HOLLOW.items() if k != "zorder"})


def beside(axes: Any, room: float, at: float, y: float, text: str, **style: Any) -> None:
    """Write a text right of a panel that is `room` inches wide, ending `at` inches from it."""
    place = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
    axes.text(1 + at / room, y, text, **place, **style)


def whisker(axes: Any, y: float, ends: tuple[float, float], **style: Any) -> None:
    """Draw an interval on a row, from its one end to its other."""
    axes.hlines(y, *ends, color=BLACK, lw=0.9, zorder=4)
    axes.plot(ends, [y, y], "|", color=BLACK, markersize=3.5, markeredgewidth=0.9, zorder=4, **style)


def spread(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Move ascending positions as little as can be, in sum of squares, so that neighbours are `gap` apart.

    They lie between `low` and `high`; where there is no room for that, they are evenly spaced.
    """
    if len(wanted) > 1 and gap * (len(wanted) - 1) > high - low:
        gap = (high - low) / (len(wanted) - 1)
    # Less its place times the gap, each position may only ascend.
    flat = (
        isotonic_regression([each - number * gap for number, each in enumerate(wanted)]).x if wanted else ()
    )
    most = high - gap * (len(wanted) - 1)
    return [min(max(float(each), low), most) + number * gap for number, each in enumerate(flat)]
