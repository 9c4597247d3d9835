"""What the simulator assumes of two models and of the checks that a prompt allows.

Every rate is a probability, a float or an array of them: the formulas broadcast, so that one call answers
for a whole set of rates. Sampling takes floats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = float | NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """What one model does as a writer, as a reviewer and as a fixer of its own drafts."""

    right: Values
    """P(a draft is right), averaged over tasks: pass@1 of the model alone."""
    hit: Values
    """P(its review rejects | the draft is wrong)."""
    false_alarm: Values
    """P(its review rejects | the draft is right)."""
    repair: Values
    """P(its fix after a rejection is right | the draft was wrong)."""
    damage: Values
    """P(its fix after a rejection is wrong | the draft was right)."""


CODER = Model(right=0.75, hit=0.5, false_alarm=0.2, repair=0.5, damage=0.2)
REVIEWER = Model(right=0.8, hit=0.8, false_alarm=0.2, repair=0.5, damage=0.2)


@dataclass(frozen=True)
class Rates:
    """One kind of task, with all that decides what a pipeline makes of it.

    The defaults are round numbers to start from; nobody measured them. *Visible checks* are: the program
    compiles, keeps the signature and passes the tests that the prompt shows. A right program passes them.
    """

    coder: Model = CODER
    reviewer: Model = REVIEWER
    planned: Values = 0.75
    """P(the coder's draft is right | it was given a plan)."""
    detection: Values = 0.4
    """P(a visible check fails | a wrong draft)."""
    fix_detection: Values = 0.4
    """P(a visible check fails | a wrong program that a fix made)."""
    test_repair: Values = 0.4
    """P(a fix is right | it was told of a failing visible check)."""
    choice: Values = 0.7
    """P(the right one is chosen | two drafts pass the visible checks, one of them is right)."""
    synthesis: Values = 0.3
    """P(the third program is right | both drafts failed visible checks)."""
    enriched_hit: Values = 0.8
    enriched_false_alarm: Values = 0.2
    """The reviewer's rates against the enriched specification."""
    exposure: Values = 0.7
    """P(draft and fix differ on the inputs that the reviewer wrote | they differ and pass the checks)."""
    arbitration: Values = 0.7
    """P(the right one is kept | draft and fix were seen to differ, one of them is right)."""
    alarm_refuted: Values = 0.4
    """P(running the claims of a review refutes all of them | it rejects a right draft)."""
    hit_refuted: Values = 0.1
    """P(running the claims of a review refutes all of them | it rejects a wrong draft)."""
    correlation: Values = 0.4
    """Of two drafts of one task, coder's: 0 independent, 1 the same. The task's own rate is then
    Beta(right, 1 - right) * (1 - correlation) / correlation."""
    overlap: Values = 0.5
    """Of coder's and reviewer's drafts, -1 to 1: 0 independent, 1 right on the same tasks as far as their
    rates allow, -1 on different ones."""
    drafts: int = 3
    """k of best-of-k."""
    retries: int = 3
    """The most fixes after a failing visible check."""
    rich: bool = True
    """Whether the gate finds the specification rich enough for a review."""

    def __post_init__(self) -> None:
        for name, value in _leaves(self):
            low = -1.0 if name == "overlap" else 0.0
            if not isinstance(value, int) and not np.all(
                (np.asarray(value) >= low) & (np.asarray(value) <= 1)
            ):
                raise ValueError(f"{name} = {value} is outside {low:g} to 1")
            if isinstance(value, int) and value < (name == "drafts"):
                raise ValueError(f"{name} = {value} is no number of {name}")

    @property
    def both_right(self) -> Values:
        """P(coder's and reviewer's drafts of one task are both right)."""
        coder, reviewer = np.asarray(self.coder.right), np.asarray(self.reviewer.right)
        apart = coder * reviewer
        bound = np.where(
            np.asarray(self.overlap) > 0,
            np.minimum(coder, reviewer),
            np.maximum(0.0, coder + reviewer - 1),
        )
        return apart + np.abs(self.overlap) * (bound - apart)


@dataclass(frozen=True)
class Suite:
    """Kinds of tasks with their shares; they sum to 1."""

    strata: tuple[tuple[float, Rates], ...]

    def __post_init__(self) -> None:
        total = sum(share for share, _ in self.strata)
        if abs(total - 1) > 1e-9 or any(share < 0 for share, _ in self.strata):
            raise ValueError(f"the shares {[share for share, _ in self.strata]} do not sum to 1")

    @classmethod
    def of(cls, rates: Rates) -> "Suite":
        """Return the suite whose tasks are all of one kind."""
        return cls(((1.0, rates),))


def changed(rates: Rates, settings: Mapping[str, float]) -> Rates:
    """Return the rates with `name`, `coder.name` or `reviewer.name` set; a ValueError if there is no such."""
    for name, value in settings.items():
        known: dict[str, Any] = dict(_leaves(rates))
        if name not in known:
            raise ValueError(f"no rate is named {name!r}; known: {', '.join(known)}")
        kind: type[Any] = type(known[name])  # pyright: ignore[reportUnknownVariableType]
        if kind(value) != value:
            raise ValueError(f"{name} = {value} is no {kind.__name__}")
        owner, _, leaf = name.rpartition(".")
        part: Any = replace(getattr(rates, owner), **{leaf: kind(value)}) if owner else kind(value)
        rates = replace(rates, **{owner or leaf: part})
    return rates


def _leaves(rates: Rates) -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for entry in fields(rates):
        value = getattr(rates, entry.name)
        if isinstance(value, Model):
            leaves += [(f"{entry.name}.{part.name}", getattr(value, part.name)) for part in fields(value)]
        else:
            leaves.append((entry.name, value))
    return leaves
