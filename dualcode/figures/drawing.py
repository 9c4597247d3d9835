"""Drawing figures into a folder: those of an analysis, and those of anything else that has a catalogue."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.errors import InputError, UnknownNameError
from dualcode.figures.drawn import FORMS, Drawn, Form
from dualcode.published.published import Published

Making = tuple[Callable[[], Any], Callable[[Any], Any]]
"""What makes a figure's data, or raises NothingToDrawError, and what draws that into a sheet."""


def draw(
    analysis: Analysis,
    published: Published,
    folder: Path,
    names: Sequence[str] | None = None,
    tell: Callable[[str], object] = str,
    forms: Sequence[Form] = FORMS,
) -> tuple[list[Drawn], dict[str, str]]:
    """Draw figures of the catalog, as `draw_all` does."""
    need_matplotlib()
    from dualcode.figures.catalog import FIGURES

    making: dict[str, Making] = {
        name: (lambda each=each: each.data(analysis, published), each.draw) for name, each in FIGURES.items()
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
