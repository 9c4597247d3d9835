"""`when`: comparisons joined by && and ||, and nothing else: `$id.output.field == 'x' && $INPUTS.y != ''`.

&& binds before ||; there are no parentheses. == and != compare texts, < > <= >= numbers. Sides are looked at
from left to right, as far as they decide.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dualcode.workflows.variables import Reference, UnresolvedError, Values, references

FORM = "$ID.output[.FIELD] OP 'VALUE', joined by && and ||, where OP is == != < > <= >="
_COMPARISON = re.compile(
    r"\s*(?P<left>\$[A-Za-z_][A-Za-z0-9_.-]*)\s*(?P<operator>==|!=|<=|>=|<|>)\s*"
    r"(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<bare>true|false|-?[0-9]+(?:\.[0-9]+)?(?![\w.])))\s*"
)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")
_JOINT = re.compile(r"&&|\|\|")


@dataclass(frozen=True)
class Comparison:
    """One comparison: a variable, an operator, a value as text."""

    reference: Reference
    operator: str
    literal: str

    def holds(self, values: Values) -> bool:
        """Tell whether it is so. Raises UnresolvedError if that cannot be said."""
        found = values.of(self.reference)
        if self.operator in ("==", "!="):
            return (found == self.literal) == (self.operator == "==")
        left, right = number(found), number(self.literal)
        if left is None or right is None:
            raise UnresolvedError(f"{self.reference.text} {self.operator} …: {found!r} is no number")
        return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[self.operator]


@dataclass(frozen=True)
class Condition:
    """A whole condition: one of `either` has to hold, of which all comparisons have to."""

    either: tuple[tuple[Comparison, ...], ...]

    def holds(self, values: Values) -> bool:
        """Tell whether it is so. Raises UnresolvedError if that cannot be said."""
        return any(all(each.holds(values) for each in together) for together in self.either)

    def comparisons(self) -> Iterator[Comparison]:
        """Yield all comparisons."""
        for together in self.either:
            yield from together


def number(text: str) -> float | None:
    """Return the number that a text is, or None."""
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


def parse_condition(text: str) -> Condition:
    """Read a condition. Raises ValueError with the part that cannot be read."""
    either: list[list[Comparison]] = [[]]
    position = 0
    while True:
        match = _COMPARISON.match(text, position)
        if match is None:
            raise ValueError(_unread(text, position))
        found = list(references(match["left"]))
        if len(found) != 1 or found[0].text != match["left"]:
            raise ValueError(f"{match['left']} is no variable that can be compared")
        literal = next(value for value in match.group("single", "double", "bare") if value is not None)
        if match["operator"] not in ("==", "!=") and number(literal) is None:
            raise ValueError(f"{match['operator']} compares numbers, and {literal!r} is none")
        either[-1].append(Comparison(found[0], match["operator"], literal))
        position = match.end()
        if position == len(text):
            return Condition(tuple(map(tuple, either)))
        joint = _JOINT.match(text, position)
        if joint is None:
            raise ValueError(_unread(text, position))
        if joint[0] == "||":
            either.append([])
        position = joint.end()


def _unread(text: str, position: int) -> str:
    rest = text[position:].strip()
    if "(" in rest or ")" in rest:
        return f"there are no parentheses; && binds before ||: {rest!r}"
    if not rest:
        return f"a comparison is missing at the end; it is {FORM}"
    return f"{rest!r} cannot be read; it is {FORM}"
