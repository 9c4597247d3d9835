"""The bench: where a pipeline runs programs on what the models may see, never on hidden tests."""

from collections.abc import Sequence
from typing import Protocol

from dualcode.program import Program
from dualcode.record import Record
from dualcode.task import Task


class Examination(Record):
    """What a program made of the tests that its prompt shows."""

    tests: int
    """How many the prompt shows; 0: nothing can be said beyond whether the program loads."""
    passed: tuple[int, ...]
    """The tests that passed, by index."""
    failure: str | None
    """The first failure as a text for a model: the test as shown, expected, got; None if there is none."""

    @property
    def ok(self) -> bool:
        """Whether the program loads and passes every visible test."""
        return self.failure is None

    def worse_than(self, other: "Examination") -> tuple[int, ...]:
        """Return the tests that the other one passed and this one fails."""
        return tuple(test for test in other.passed if test not in self.passed)


class Observation(Record):
    """What a program did on one call."""

    call: str
    outcome: str
    """`returned [1, 2]`, `raised ValueError: …`, `did not end`."""


class Bench(Protocol):
    """Runs programs in the sandbox."""

    async def examine(self, task: Task, program: Program, /) -> Examination:
        """Run the program on the tests that the prompt shows. Raises SandboxError if the sandbox broke."""
        ...

    async def observe(self, task: Task, program: Program, calls: Sequence[str], /) -> tuple[Observation, ...]:
        """Run calls that a model wrote, and say what came of each. Raises SandboxError as above."""
        ...
