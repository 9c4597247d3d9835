"""What is drawn, read back from a sheet: bars, whiskers, marks and texts as values."""

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.collections import LineCollection
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle, StepPatch

from dualcode.analysis.analyse import Analysis
from dualcode.figures.drawing import catalogue
from dualcode.figures.sheet import Sheet
from dualcode.figures.style import settings
from dualcode.published.published import Published, load_published

PUBLISHED = load_published()
Segment = tuple[tuple[float, float], tuple[float, float]]


def drawn(name: str, found: Analysis, published: Published = PUBLISHED) -> tuple[Any, Sheet]:
    """Return a figure's data and its sheet, drawn with the figure's settings."""
    rc: Any = settings(name)
    with mpl.rc_context(rc):  # pyright: ignore[reportUnknownMemberType]
        data = catalogue()[name].data(found, published)
        return data, catalogue()[name].draw(data)


def panels(sheet: Sheet) -> list[Any]:
    """Return the sheet's axes."""
    return list(sheet.figure.axes)


def bars(axes: Any) -> list[tuple[float, float, Any]]:
    """Return each horizontal bar's place, its length with its sign, and the patch."""
    found: list[tuple[float, float, Any]] = []
    for container in axes.containers:
        assert isinstance(container, BarContainer)
        patches: list[Rectangle] = list(container.patches)
        found += [(each.get_y() + each.get_height() / 2, each.get_width(), each) for each in patches]
    return sorted(found, key=lambda bar: bar[0])


def segments(axes: Any, wanted: Callable[[LineCollection], bool] = lambda _: True) -> list[Segment]:
    """Return the ends of the lines that were drawn as collections: whiskers."""
    found: list[Segment] = []
    for each in axes.collections:
        if isinstance(each, LineCollection) and wanted(each):
            for (x0, y0), (x1, y1) in each.get_segments():
                found.append(((float(x0), float(y0)), (float(x1), float(y1))))
    return found


def is_dotted(lines: LineCollection) -> bool:
    """Whether lines are dotted or dashed."""
    return any(pattern for _, pattern in lines.get_linestyle())  # type: ignore[misc]


def marks(axes: Any, marker: str) -> list[tuple[float, float]]:
    """Return where marks of a shape stand."""
    return [
        (float(x), float(y))
        for line in axes.lines
        if line.get_marker() == marker
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def hollow(axes: Any) -> list[tuple[float, float]]:
    """Return where hollow diamonds stand: published values."""
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.lines
        if line.get_marker() == "D" and line.get_markerfacecolor() == "white"
    ]


def texts(axes: Any) -> list[str]:
    """Return the texts of a panel, but for those of its ticks and labels."""
    return [each.get_text() for each in axes.texts if each.get_text()]


def words(sheet: Sheet) -> str:
    """Return all texts of the page beside its panels, in one."""
    return " ".join(each.get_text() for each in sheet.figure.texts)


def ticks(axes: Any, axis: str = "y") -> list[str]:
    """Return the labels of an axis."""
    labels = axes.get_yticklabels() if axis == "y" else axes.get_xticklabels()
    return [label.get_text() for label in labels]


def legend(sheet: Sheet) -> list[str]:
    """Return the legend's entries."""
    return [text.get_text() for each in sheet.figure.legends for text in each.get_texts()]


def stairs(axes: Any) -> list[tuple[list[float], list[float]]]:
    """Return the values and edges of what is drawn in steps."""
    found: list[tuple[list[float], list[float]]] = []
    for each in axes.patches:
        if isinstance(each, StepPatch):
            values, edges, _ = each.get_data()
            found.append(([float(value) for value in values], [float(edge) for edge in edges]))
    return found


def near(found: Sequence[Sequence[float]], wanted: Sequence[Sequence[float]]) -> bool:
    """Whether two lists of points, in their order, are the same but for rounding."""
    return len(found) == len(wanted) and all(
        list(one) == pytest.approx(list(other)) for one, other in zip(found, wanted, strict=True)
    )
