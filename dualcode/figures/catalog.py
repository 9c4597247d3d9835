"""Every figure by name: how its data is made, and how that is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.figures import (
    changes,
    configurations,
    confusion,
    efficiency,
    gate,
    interactions,
    mitigations,
    regressions,
    richness,
    utilisation,
)
from dualcode.figures.content import Content
from dualcode.figures.sheet import Sheet
from dualcode.published.published import Published


@dataclass(frozen=True)
class Figure:
    """A figure that can be asked for. `data` raises NothingToDrawError where it lacks what it needs."""

    name: str
    data: Callable[[Analysis, Published], Content]
    draw: Callable[[Any], Sheet]
    """Takes what `data` returned."""


FIGURES: dict[str, Figure] = {
    each.name: each
    for each in (
        Figure("figure-1", interactions.interactions, interactions.draw_interactions),
        Figure("figure-2", configurations.configurations, configurations.draw_configurations),
        Figure("figure-2-others", configurations.other_configurations, configurations.draw_configurations),
        Figure("figure-3", richness.richness, richness.draw_richness),
        Figure("figure-4", mitigations.mitigations, mitigations.draw_mitigations),
        Figure("figure-5", regressions.breakdown, regressions.draw_breakdown),
        Figure("gate", gate.gate, gate.draw_gate),
        Figure("reviewers", confusion.matrices, confusion.draw_matrices),
        Figure("changes", changes.changes, changes.draw_changes),
        Figure("efficiency", efficiency.efficiency, efficiency.draw_efficiency),
        Figure("servers", utilisation.utilisation, utilisation.draw_utilisation),
    )
}
"""In the order in which they are drawn and shown: the paper's, then ours."""
