"""Figures: data first, then drawn, in one style. matplotlib is imported by the modules that draw."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualcode.figures.drawing import draw
    from dualcode.figures.drawn import Drawn

__all__ = ["Drawn", "draw"]


def __getattr__(name: str) -> Any:
    """Import `draw` and `Drawn` when they are first asked for."""
    if name == "draw":
        from dualcode.figures.drawing import draw

        return draw
    if name == "Drawn":
        from dualcode.figures.drawn import Drawn

        return Drawn
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
