"""Tests as they are gathered from one passage of a prompt."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from dualcode.bench.visible.evaluation import parse_expression
from dualcode.bench.visible.notations import Example
from dualcode.bench.visible.queries import source, split, unknown_names
from dualcode.bench.visible.tests import Kind, LeftOut, VisibleTest
from dualcode.bench.visible.text import Prompt, Text


@dataclass
class Found:
    """What was found in one reading of a passage."""

    prompt: Prompt
    entry_point: str
    text: Text
    tests: list[tuple[int, VisibleTest]] = field(default_factory=list[tuple[int, VisibleTest]])
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])
    taken: set[int] = field(default_factory=set[int])
    """Lines that belong to an example already."""

    @property
    def names(self) -> frozenset[str]:
        """The names that the prompt gives a meaning."""
        return self.prompt.names | {self.entry_point}

    def add(self, start: int, end: int, test: VisibleTest) -> None:
        """Add the test that the lines show."""
        shown = self.text.show(start, end)
        self.tests.append((start, test.model_copy(update={"shown": shown})))
        self.taken.update(range(start, end))

    def leave_out(self, start: int, end: int, reason: str) -> None:
        """Note that lines look like a test and are none."""
        self.left_out.append(LeftOut(shown=self.text.show(start, end), reason=reason))
        self.taken.update(range(start, end))

    def add_query(self, start: int, end: int, kind: Kind, expression: ast.expr) -> None:
        """Add the test that an expression holds."""
        query = split(expression, self.entry_point)
        self.add(start, end, new_test(kind, calls=query.calls, check=query.check))

    def add_example(self, kind: Kind, example: Example) -> None:
        """Add the test that an example in some notation is, or leave it out."""
        call, span = parse_expression(example.call), (example.start, example.end)
        if example.flaw or not isinstance(call, ast.Call):
            self.leave_out(*span, example.flaw or "not Python")
        elif unknown := unknown_names(call, self.names):
            self.leave_out(*span, undefined(unknown))
        elif example.raises:
            self.add(*span, new_test(kind, calls=(source(call),), raises=example.raises))
        else:
            self.add_query(*span, kind, equation(call, example.expected))


def new_test(kind: Kind, **fields: object) -> VisibleTest:
    """Return a test whose text is not known yet."""
    return VisibleTest.model_validate({"shown": "", "kind": kind, **fields})


def equation(left: ast.expr, right: str) -> ast.Compare:
    """Return `left == right`; the right side is source of one expression."""
    return ast.Compare(left, [ast.Eq()], [ast.parse(right, mode="eval").body])


def undefined(names: Sequence[str]) -> str:
    """Say why code with unknown names is no test."""
    return f"a name that the prompt does not define: {', '.join(names)}"
