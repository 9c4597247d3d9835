"""Drawing the figures of an analysis into a folder."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.errors import InputError, UnknownNameError
from dualcode.figures.drawn import FORMS, Drawn, Form
from dualcode.published.published import Published


def draw(
    analysis: Analysis,
    published: Published,
    folder: Path,
    names: Sequence[str] | None = None,
    tell: Callable[[str], object] = str,
    forms: Sequence[Form] = FORMS,
) -> tuple[list[Drawn], dict[str, str]]:
    """Draw figures, and return them with, for each that had nothing to draw, why.

    `names` are figures of the catalog, each drawn once; None stands for all; `tell` hears which one is at
    hand. The same analysis gives the same bytes. Raises UnknownNameError for a name that is no figure's,
    before anything is drawn, and InputError if matplotlib is missing or the folder cannot be written.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            "figures are drawn with matplotlib, which is not installed",
            hint="pip install 'dualcode[figures]'",
        )
    import matplotlib as mpl

    from dualcode.figures.catalog import FIGURES
    from dualcode.figures.content import NothingToDrawError
    from dualcode.figures.sheet import save
    from dualcode.figures.style import settings

    wanted = list(dict.fromkeys(FIGURES if names is None else names))
    for name in wanted:
        if name not in FIGURES:
            raise UnknownNameError("figure", name, FIGURES, hint="dualcode figures --help")
    drawn: list[Drawn] = []
    missing: dict[str, str] = {}
    for number, name in enumerate(wanted, start=1):
        tell(f"drawing {name} ({number} of {len(wanted)})")
        figure = FIGURES[name]
        try:
            content = figure.data(analysis, published)
        except NothingToDrawError as reason:
            missing[name] = str(reason)
            continue
        rc: Any = settings(name)
        with mpl.rc_context(rc):  # pyright: ignore[reportUnknownMemberType]
            try:
                drawn.append(save(figure.draw(content), content, name, folder, forms))
            except OSError as error:
                raise InputError(f"{folder} cannot be written: {error}", hint="-o FOLDER") from error
    return drawn, missing
