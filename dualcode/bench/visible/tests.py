"""The tests that a prompt shows, as data."""

from typing import Literal

from dualcode.record import Record

Kind = Literal["doctest", "assertion", "notation", "input-output"]
"""`doctest`: `>>> f(3)` with what follows. `assertion`: `assert f(3) == 4`.
`notation`: `f(3) -> 4`, `=>`, `➞`, `==`, `# returns`, `should return`.
`input-output`: `Input: n = 3`, `Output: 4`; `For n = 3 the output should be 4`.
"""


class VisibleTest(Record):
    """One test of a prompt: what is executed in the program's process, and what is asked of its outcome.

    A test has a `check`, `raises` or `output`. With both a check and an output either will do: the prompt
    says that the function prints, and a doctest does not tell a printed 4 from a returned one.
    """

    shown: str
    """The test as it stands in the prompt, without its indent."""
    kind: Kind
    setup: tuple[str, ...] = ()
    """Sources executed before, in the program's namespace: earlier lines of a doctest."""
    calls: tuple[str, ...]
    """Expressions (or one statement) evaluated there; their values come out as data, named `_0`, `_1`, …"""
    check: str = ""
    """An expression over `_0`, `_1`, evaluated outside (`evaluation`): `_0 == [1, 2]`. True is a pass."""
    raises: str = ""
    """The name of the exception that is expected."""
    message: str | None = None
    """Its text; None: any."""
    output: str | None = None
    """What a Python prompt would print: the text that was printed, then the value's repr."""
    flags: int = 0
    """Doctest's option flags for comparing text."""


class LeftOut(Record):
    """Something that looks like a test and is none that can be run."""

    shown: str
    reason: str


class VisibleTests(Record):
    """All tests of one prompt, in its order."""

    task_id: str
    entry_point: str
    tests: tuple[VisibleTest, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """The tests as the prompt shows them: every string of a test that feedback can hold."""
        return tuple(test.shown for test in self.tests)
