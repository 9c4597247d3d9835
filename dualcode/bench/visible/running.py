"""Visible tests run on a program, in the sandbox, and the first failure as a text for a model.

The text is bounded in length, and the same for the same program and test.
"""

import itertools
import re

from dualcode.bench.visible.checking import ADDRESS, Checked, Outcome, check_tests, read_events, render
from dualcode.bench.visible.tests import VisibleTest, VisibleTests
from dualcode.record import Record
from dualcode.sandbox.job import DIGEST_ABOVE, MIB, Expressions, Job, Limits, Ran, Told
from dualcode.sandbox.sandbox import Sandbox

LIMITS = Limits(call_cpu=3.0, total_cpu=10.0, wall=20.0, output=2 * MIB, printed=8 << 10)
"""Of one visible run. Examples in prompts are small; a hidden test has at least 1 s."""

LONGEST_VALUE = DIGEST_ABOVE
"""Bytes of a value as sent. No prompt shows one so long, so a longer one is a wrong one. The bound also keeps
the time small that a value made to be slow (members that collide) takes outside the jail."""


MOST_CHARACTERS = 2400
"""Of a feedback; each part has its own bound below."""
_TEST, _VALUE, _MESSAGE, _PRINTED, _LINE = 1000, 400, 300, 200, 120
_FRAMES = 4

_FILE = re.compile(r'\s*File "<string>", line (?P<line>\d+)(?:, in (?P<name>\S+))?')
_AT_LINE = re.compile(r"\(<string>, line (?P<line>\d+)\)$")
_SYNTAX = ("SyntaxError", "IndentationError", "TabError")


class VisibleResult(Record):
    """What came of a program's visible tests."""

    loads: bool
    """Whether the program compiles, runs through its top level and defines the entry point."""
    outcomes: tuple[Outcome, ...]
    """One a test, in the prompt's order; all `not_run` if the program does not load."""
    feedback: str | None = None
    """The first fault, for a model: the test as shown, expected and got, or the exception. None: no fault."""
    shown: tuple[str, ...] = ()
    """The tests' texts in the feedback, for the audit of leaks."""

    @property
    def passed(self) -> bool:
        """Whether the program loads and passes every visible test; vacuously true of no tests."""
        return self.loads and all(outcome == "passed" for outcome in self.outcomes)

    @property
    def passing(self) -> frozenset[int]:
        """The indices of the tests that pass."""
        return frozenset(index for index, outcome in enumerate(self.outcomes) if outcome == "passed")


async def run_visible(
    tests: VisibleTests, program: str, sandbox: Sandbox, limits: Limits = LIMITS
) -> VisibleResult:
    """Load a program in a fresh process and run the visible tests in order, each after the other's traces.

    A program that cannot be loaded, hangs, dies or floods has failed. Values are compared outside the jail:
    neither what the program prints nor how its objects compare can pass a test.

    Raises SandboxError if the sandbox broke, which says nothing about the program.
    """
    sources = [source for test in tests.tests for source in (*test.setup, *test.calls)]
    job = Job(
        program=program,
        calls=Expressions((tests.entry_point, *sources)),
        limits=limits,
        go_on=True,
        digest_above=LONGEST_VALUE,
        drain=True,
        capture=True,
    )
    ran = await sandbox.run(job)
    events = read_events(ran.frames())
    if not events or events[0].kind == "R":  # the first source is the entry point's name
        lacking = f"The program does not define `{tests.entry_point}`."
        fault = cut(lacking if events else _unloaded(program, ran), MOST_CHARACTERS)
        none: tuple[Outcome, ...] = ("not_run",) * len(tests.tests)
        return VisibleResult(loads=False, outcomes=none, feedback=fault)
    checked = check_tests(tests.tests, events[1:], ran.ending)
    outcomes: tuple[Outcome, ...] = tuple(each.outcome for each in checked)
    failed = next((index for index, outcome in enumerate(outcomes) if outcome != "passed"), None)
    if failed is None:
        return VisibleResult(loads=True, outcomes=outcomes)
    test = tests.tests[failed]
    parts = [
        f"The program passes {outcomes.count('passed')} of {len(outcomes)} examples of the specification."
        " The first that it fails:",
        cut(test.shown, _TEST),
        _fault(test, checked[failed], program, limits.call_cpu),
    ]
    feedback = cut("\n\n".join(parts), MOST_CHARACTERS)
    return VisibleResult(loads=True, outcomes=outcomes, feedback=feedback, shown=(test.shown,))


def _unloaded(program: str, ran: Ran) -> str:
    """Return the text for a program of which nothing came but how it ended."""
    raised = ran.told()
    if raised is None:
        ends = {"timed_out": "did not end in time", "flooded": "put out too much"}
        how = ends.get(ran.ending, "ended its own process, or used too much memory")
        return f"The program {how}, while it was loaded or run on the first example."
    if raised.type not in _SYNTAX:
        return f"The program cannot be loaded.\n\n{_exception(raised, program)}"
    place = _AT_LINE.search(raised.message)
    message = cut(_AT_LINE.sub("", raised.message).strip(), _MESSAGE)
    if place is None:
        return f"The program does not compile: {message}"
    number = int(place["line"])
    return f"The program does not compile: {message}, line {number}:\n\n{_line(program, number)}"


def cut(text: str, most: int) -> str:
    """Return a text with its middle taken out if it is longer than `most` characters."""
    if len(text) <= most:
        return text
    mark = f" … ({len(text)} characters in all) … "
    kept = max(most - len(mark), 2)
    return text[: kept - kept // 3] + mark + text[len(text) - kept // 3 :]


def _fault(test: VisibleTest, checked: Checked, program: str, call_seconds: float) -> str:
    if checked.outcome == "timed_out":
        return f"It did not end in time (more than {call_seconds:g} s)."
    if checked.outcome == "died":
        return "It ended the process, or used too much memory or output."
    lines: list[str] = []
    if checked.expected:
        lines.append(f"Expected: {cut(checked.expected, _VALUE)}")
    if checked.raised is not None:
        lines.append(_exception(checked.raised, program))
    elif checked.expected or test.output is not None:
        lines.append(f"Got: {cut(checked.got, _VALUE) or 'nothing'}")
    else:
        lines.append(cut(checked.got, _VALUE))
    if checked.printed.strip() and test.output is None:
        lines.append(f"Printed: {cut(render(checked.printed.strip()), _PRINTED)}")
    return "\n".join(lines)


def _exception(raised: Told, program: str) -> str:
    """Return an exception with the last lines of the program that it passed."""
    message = cut(ADDRESS.sub("0x…", raised.message), _MESSAGE)
    name = cut(raised.type, _LINE)
    lines = [f"Raised {name}: {message}" if message else f"Raised {name}"]
    places = [match for match in map(_FILE.match, raised.traceback.splitlines()) if match]
    for place in places[-_FRAMES:]:
        number = int(place["line"])
        lines.append(f"  line {number}, in {cut(place['name'] or '?', _LINE)}: {_line(program, number)}")
    return "\n".join(line for line, _ in itertools.groupby(lines))  # a recursion's are alike


def _line(program: str, number: int) -> str:
    lines = program.splitlines()
    return cut(lines[number - 1].strip() if 0 < number <= len(lines) else "", _LINE)
