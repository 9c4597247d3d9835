"""A fault as a text for a model: bounded in length, and the same for the same program and test."""

import itertools
import re

from dualcode.bench.visible.judgement import Judgement, render
from dualcode.bench.visible.tests import VisibleTest
from dualcode.sandbox.job import Ran, Told

MOST_CHARACTERS = 2400
"""Of a feedback; each part has its own bound below."""
_TEST, _VALUE, _MESSAGE, _PRINTED, _LINE = 1000, 400, 300, 200, 120
_FRAMES = 4

_FILE = re.compile(r'\s*File "<string>", line (?P<line>\d+)(?:, in (?P<name>\S+))?')
_AT_LINE = re.compile(r"\(<string>, line (?P<line>\d+)\)$")
_SYNTAX = ("SyntaxError", "IndentationError", "TabError")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")


def first_failure(
    test: VisibleTest, judgement: Judgement, program: str, passed: str, call_seconds: float
) -> str:
    """Return the text of the first failed test. `passed` is such as `1 of 3`."""
    parts = [
        f"The program passes {passed} examples of the specification. The first that it fails:",
        cut(test.shown, _TEST),
        _fault(test, judgement, program, call_seconds),
    ]
    return cut("\n\n".join(parts), MOST_CHARACTERS)


def unloaded(program: str, ran: Ran) -> str:
    """Return the text for a program of which nothing came but how it ended."""
    raised = ran.told()
    if raised is not None and raised.type in _SYNTAX:
        return cut(_syntax_error(program, raised), MOST_CHARACTERS)
    if raised is not None:
        text = f"The program cannot be loaded.\n\n{_exception(raised, program)}"
        return cut(text, MOST_CHARACTERS)
    ends = {"timed_out": "did not end in time", "flooded": "put out too much"}
    how = ends.get(ran.ending, "ended its own process, or used too much memory")
    return f"The program {how}, while it was loaded or run on the first example."


def without_entry_point(entry_point: str) -> str:
    """Return the text for a program that lacks its function."""
    return f"The program does not define `{entry_point}`."


def cut(text: str, most: int) -> str:
    """Return a text with its middle taken out if it is longer than `most` characters."""
    if len(text) <= most:
        return text
    mark = f" … ({len(text)} characters in all) … "
    kept = max(most - len(mark), 2)
    return text[: kept - kept // 3] + mark + text[len(text) - kept // 3 :]


def _fault(test: VisibleTest, judgement: Judgement, program: str, call_seconds: float) -> str:
    if judgement.outcome == "timed_out":
        return f"It did not end in time (more than {call_seconds:g} s)."
    if judgement.outcome == "died":
        return "It ended the process, or used too much memory or output."
    lines: list[str] = []
    if judgement.expected:
        lines.append(f"Expected: {cut(judgement.expected, _VALUE)}")
    if judgement.raised is not None:
        lines.append(_exception(judgement.raised, program))
    elif judgement.expected or test.output is not None:
        lines.append(f"Got: {cut(judgement.got, _VALUE) or 'nothing'}")
    else:
        lines.append(cut(judgement.got, _VALUE))
    if judgement.printed.strip() and test.output is None:
        lines.append(f"Printed: {cut(render(judgement.printed.strip()), _PRINTED)}")
    return "\n".join(lines)


def _exception(raised: Told, program: str) -> str:
    """Return an exception with the last lines of the program that it passed."""
    message = cut(_ADDRESS.sub("0x…", raised.message), _MESSAGE)
    name = cut(raised.type, _LINE)
    lines = [f"Raised {name}: {message}" if message else f"Raised {name}"]
    source = program.splitlines()
    places = [match for match in map(_FILE.match, raised.traceback.splitlines()) if match]
    for place in places[-_FRAMES:]:
        number = int(place["line"])
        code = source[number - 1].strip() if 0 < number <= len(source) else ""
        lines.append(f"  line {number}, in {cut(place['name'] or '?', _LINE)}: {cut(code, _LINE)}")
    return "\n".join(line for line, _ in itertools.groupby(lines))  # a recursion's are alike


def _syntax_error(program: str, raised: Told) -> str:
    place = _AT_LINE.search(raised.message)
    message = cut(_AT_LINE.sub("", raised.message).strip(), _MESSAGE)
    if place is None:
        return f"The program does not compile: {message}"
    number, source = int(place["line"]), program.splitlines()
    code = source[number - 1].strip() if 0 < number <= len(source) else ""
    return f"The program does not compile: {message}, line {number}:\n\n{cut(code, _LINE)}"
