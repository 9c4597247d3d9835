"""Every figure of a duel by name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dualcode.duels.figures import opinions, outcomes
from dualcode.duels.findings import Findings
from dualcode.figures.drawing import Making, draw_all
from dualcode.figures.drawn import FORMS, Drawn, Form

FIGURES: dict[str, tuple[Callable[[Findings], Any], Callable[[Any], Any]]] = {
    "value": (outcomes.value, outcomes.draw_value),
    "solved": (outcomes.solved, outcomes.draw_solved),
    "costs": (outcomes.costs, outcomes.draw_costs),
    "dimensions": (opinions.dimensions, opinions.draw_dimensions),
    "judges": (opinions.preference, opinions.draw_preference),
}
"""What makes the data, and what draws it."""


def draw_duel(
    found: Findings,
    folder: Path,
    names: Sequence[str] | None = None,
    tell: Callable[[str], object] = str,
    forms: Sequence[Form] = FORMS,
) -> tuple[list[Drawn], dict[str, str]]:
    """Draw a duel's figures, as `draw_all` does."""
    making: dict[str, Making] = {
        name: (lambda data=data: data(found), sheet) for name, (data, sheet) in FIGURES.items()
    }
    return draw_all(making, folder, names, tell, forms, hint="dualcode duel figures --help")
