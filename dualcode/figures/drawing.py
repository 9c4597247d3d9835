"""Figures by name, and drawing them into a folder: an analysis's, and whatever else has a catalogue."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualcode.analysis.analyse import Analysis
from dualcode.errors import InputError, UnknownNameError
from dualcode.figures.drawn import FORMS, Drawn, Form
from dualcode.published.published import Published

if TYPE_CHECKING:
    from dualcode.figures.content import Content
    from dualcode.figures.sheet import Sheet

Making = tuple[Callable[[], Any], Callable[[Any], Any]]
"""What makes a figure's data, or raises NothingToDrawError, and what draws that into a sheet."""


@dataclass(frozen=True)
class Figure:
    """A figure that can be asked for. `data` raises NothingToDrawError where it lacks what it needs."""

    data: "Callable[[Analysis, Published], Content]"
    draw: "Callable[[Any], Sheet]"
    """Takes what `data` returned."""


def catalogue() -> dict[str, Figure]:
    """Return every figure in the order in which they are drawn and shown: the paper's, then ours.

    Imports matplotlib.
    """
    from dualcode.figures import bars, changes, costs, richness, roles

    return {
        "figure-1": Figure(roles.interactions, roles.draw_interactions),
        "figure-2": Figure(bars.configurations, bars.draw_configurations),
        "figure-2-others": Figure(bars.other_configurations, bars.draw_configurations),
        "figure-3": Figure(richness.richness, richness.draw_richness),
        "figure-4": Figure(bars.mitigations, bars.draw_mitigations),
        "figure-5": Figure(changes.breakdown, changes.draw_breakdown),
        "gate": Figure(richness.gate, richness.draw_gate),
        "reviewers": Figure(roles.matrices, roles.draw_matrices),
        "changes": Figure(changes.changes, changes.draw_changes),
        "efficiency": Figure(costs.efficiency, costs.draw_efficiency),
        "servers": Figure(costs.utilisation, costs.draw_utilisation),
    }


def draw(
    analysis: Analysis,
    published: Published,
    folder: Path,
    names: Sequence[str] | None = None,
    tell: Callable[[str], object] = str,
    forms: Sequence[Form] = FORMS,
) -> tuple[list[Drawn], dict[str, str]]:
    """Draw figures of the catalogue, as `draw_all` does."""
    need_matplotlib()
    making: dict[str, Making] = {
        name: (lambda each=each: each.data(analysis, published), each.draw)
        for name, each in catalogue().items()
    }
    return draw_all(making, folder, names, tell, forms)


def need_matplotlib() -> None:
    """Raise InputError where figures cannot be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            "figures are drawn with matplotlib, which is not installed",
            hint="pip install 'dualcode[figures]'",
        )


def draw_all(
    making: Mapping[str, Making],
    folder: Path,
    names: Sequence[str] | None = None,
    tell: Callable[[str], object] = str,
    forms: Sequence[Form] = FORMS,
    *,
    hint: str = "dualcode figures --help",
) -> tuple[list[Drawn], dict[str, str]]:
    """Draw figures, and return them with, for each that had nothing to draw, why.

    `names` are names of `making`, each drawn once; None stands for all; `tell` hears which one is at hand.
    The same data gives the same bytes. Raises UnknownNameError for a name that is no figure's, before
    anything is drawn, and InputError if matplotlib is missing or the folder cannot be written.
    """
    need_matplotlib()
    import matplotlib as mpl

    from dualcode.figures.content import NothingToDrawError
    from dualcode.figures.sheet import save
    from dualcode.figures.style import settings

    wanted = list(dict.fromkeys(making if names is None else names))
    for name in wanted:
        if name not in making:
            raise UnknownNameError("figure", name, making, hint=hint)
    drawn: list[Drawn] = []
    missing: dict[str, str] = {}
    for number, name in enumerate(wanted, start=1):
        tell(f"drawing {name} ({number} of {len(wanted)})")
        data, sheet = making[name]
        try:
            content = data()
        except NothingToDrawError as reason:
            missing[name] = str(reason)
            continue
        rc: Any = settings(name)
        with mpl.rc_context(rc):  # pyright: ignore[reportUnknownMemberType]
            try:
                drawn.append(save(sheet(content), content, name, folder, forms))
            except OSError as error:
                raise InputError(f"{folder} cannot be written: {error}", hint="-o FOLDER") from error
    return drawn, missing
