"""How programs are graded: the limits that they run under, what a suite demands beyond right results, and
which quirks of EvalPlus are kept.
"""

import ast
from collections.abc import Iterator
from dataclasses import replace

from dualcode.extraction.bounds import too_large_to_parse
from dualcode.grading.outcome import failed
from dualcode.grading.reference import Tests, Times
from dualcode.record import Record
from dualcode.sandbox.job import MIB, Arguments, Limits
from dualcode.suites.suite import Form, Terms
from dualcode.verdict import Outcome

LEAST_CPU = 1.0
"""CPU seconds that any call may take: EvalPlus's `min_time_limit`."""

FACTOR = 4.0
"""A call may take that often the reference's time: EvalPlus's `gt_time_limit_factor`."""

MOST_CPU = 60.0
"""CPU seconds that all calls may take together, if they are many: EvalPlus's limit for a task."""

GRACE_CPU = 2.0
"""CPU seconds for loading the program, and for what is no call."""

CHECK_CPU = 3.0
"""HumanEval's own limit for a task's whole test (`humaneval-base`), in seconds."""

MEMORY = 4096 * MIB
"""Bytes of address space: EvalPlus's limit."""

LEAST_OUTPUT = 8 * MIB
"""Bytes that any program may return, long values by their digest."""

WALL_FACTOR, WALL_GRACE = 3.0, 30.0
"""The wall clock is only there for programs that wait instead of computing. One that computes reaches its CPU
limit first unless it gets less than a third of a core; and then it is tried again alone."""

LEAST_WAITING = 10.0
"""Seconds that all calls may wait instead of computing, however few they are. Else as many as EvalPlus gives
them of wall-clock time: a second a call, up to 60."""

LONGEST_COMPARED = 256 * MIB
"""Bytes of all long values of a set of tests up to which they are compared value by value, in memory; beyond,
their digests decide. Only Mbpp/255 is beyond: 1.4 GB."""

_GROWTH = 8
"""How often the reference's own output a program's may be: numpy's numbers take eight times the bytes of
small integers."""

TRUSTED = Limits(call_cpu=300.0, total_cpu=600.0, wall=1800.0, waiting=600.0, output=1024 * MIB)
"""For references, which are trusted to end."""


class Rules(Record):
    """What a grader holds against a program."""

    base_only: bool = False
    """Whether plus tests are left out."""
    evalplus_compatible: bool = False
    """Whether comparisons come out as in EvalPlus 0.3.1 where that is known to be wrong."""


def limits_of(
    form: Form, tests: Tests, times: Times, *, whole: bool = False, capture: bool = False
) -> Limits:
    """Return what a program may use on a set of tests: a multiple of what the reference used.

    With `whole`, for a run in which every value is sent whole, however long; with `capture`, for one in which
    what is printed is sent, too.
    """
    if form in ("check", "tests"):  # HumanEval limits its calls together, not each
        call, slow = max(CHECK_CPU, FACTOR * times.total), dict[int, float]()
        calls = call
    else:
        call, slow = LEAST_CPU, _slow_calls(tests, times)
        calls = min(MOST_CPU, LEAST_CPU * (tests.inputs.count - len(slow)) + sum(slow.values()))
    total = calls + GRACE_CPU + FACTOR * times.other
    output = LEAST_OUTPUT + _GROWTH * len(tests.expected)
    if whole:
        output += 2 * sum(tests.long.values())
    if capture:
        output += tests.inputs.count * Limits.printed
    return Limits(
        call_cpu=call,
        slow_calls=slow,
        total_cpu=total,
        wall=WALL_FACTOR * total + WALL_GRACE,
        waiting=max(LEAST_WAITING, calls + GRACE_CPU),
        memory=MEMORY,
        output=-(-output // MIB) * MIB,  # whole ones: the program could learn the reference's length
    )


def _slow_calls(tests: Tests, times: Times) -> dict[int, float]:
    """Return the limits of the calls that may take longer than others.

    Whoever watches a process from outside cannot tell a call from the sending of what it returned, so a call
    with a long value has the time for that, too.
    """
    sent = sum(tests.long.values())
    slow: dict[int, float] = {}
    for call in times.slow.keys() | tests.long.keys():
        sending = times.other * tests.long[call] / sent if call in tests.long else 0.0
        limit = max(LEAST_CPU, FACTOR * times.slow.get(call, 0.0)) + FACTOR * sending
        if limit > LEAST_CPU:
            slow[call] = limit
    return slow


def bounded(limits: Limits, terms: Terms) -> Limits:
    """Return the limits with those that the suite names in their place: they hold as they are, whatever the
    reference takes.
    """
    if terms.call_seconds is not None:
        limits = replace(limits, call_cpu=terms.call_seconds, slow_calls={})
    if terms.total_seconds is not None:
        total = terms.total_seconds + GRACE_CPU
        limits = replace(limits, total_cpu=total, wall=WALL_FACTOR * total + WALL_GRACE)
        limits = replace(limits, call_cpu=min(limits.call_cpu, terms.total_seconds))
    return limits


def forbidden(program: str, terms: Terms, calls: Arguments) -> Outcome | None:
    """Return the failure of a program that imports what its suite does not allow; None if it does not.

    The text is read, not run: what it imports only under a name made at run time is not seen. A program that
    cannot be read fails when it is loaded.
    """
    if terms.imports is None:
        return None
    for line, module in _imports(program):
        if module not in terms.imports:
            allowed = ", ".join(terms.imports) or "nothing"
            reason = f"line {line} imports {module}; the suite allows {allowed}"
            return failed("forbidden_import", reason, calls, None)
    return None


def _imports(program: str) -> Iterator[tuple[int, str]]:
    """Yield line and top-level module of each import."""
    if too_large_to_parse(program):
        yield 1, "what is too large to read"
        return
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError):
        return
    except (RecursionError, MemoryError):  # a jail that has more room may run it
        yield 1, "what is nested too deep to read"
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name.split(".")[0]) for alias in names)
            case ast.ImportFrom(module=module) if module != "__future__":
                yield node.lineno, (module or ".").split(".")[0]
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name.split(".")[0]
            case ast.Name(id="__import__"):
                yield node.lineno, "by __import__, so nobody knows what"
            case _:
                pass
