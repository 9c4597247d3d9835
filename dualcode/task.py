"""One problem, as the models see it."""

from dualcode.record import Record


class Task(Record):
    """One problem of a suite.

    A task never carries hidden tests: those stay with the suite's grader.
    """

    id: str
    """The benchmark's id, such as `HumanEval/0`, `Mbpp/2`, `MiniRich/3`."""
    prompt: str
    """What the benchmark shows: Python to complete (HumanEval: imports, helpers, signature, docstring)
    or a docstring that describes a function (MBPP)."""
    entry_point: str
    """The name of the function that the hidden tests call."""
