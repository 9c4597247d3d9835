"""Time-out and infrastructure: what the verdict alone says."""

import ast
from collections.abc import Iterator

from dualcode.analysis.failures.case import Case, Finding
from dualcode.analysis.failures.source import one_line

_TIME = ("time_out", "total_time_out", "died")
"""A process that died counts here, as in EvalPlus: memory, a crash or `os._exit` ends it at no known line."""


def infrastructure(case: Case) -> Iterator[Finding]:
    """Yield what says that the task has no verdict, through no fault of the program's."""
    if case.verdict is None:
        yield Finding(
            "infrastructure", "no verdict: the run ended before this task was graded", explains=True
        )
    elif case.verdict.errored:
        yield Finding("infrastructure", f"errored: {one_line(case.reason, 200)}", explains=True)


def time_out(case: Case) -> Iterator[Finding]:
    """Yield what says that the program's time, or its process, ended."""
    if case.cause in _TIME or (case.cause is None and case.reason.startswith("time-out")):
        evidence = f"{one_line(case.reason, 160)}{case.on_input}"
        line = _loop_line(case)
        yield Finding(
            "time-out", f"{evidence}; {case.program.quote(line)}" if line else evidence, explains=True
        )


def _loop_line(case: Case) -> int | None:
    """Return the first `while`, or else an innermost loop: the time goes there."""
    endless = [node.lineno for node in case.program.nodes() if isinstance(node, ast.While)]
    loops = [node for node in case.program.nodes() if isinstance(node, ast.For | ast.comprehension)]
    lines = [node.lineno if isinstance(node, ast.For) else node.target.lineno for node in loops]
    return min(endless, default=lines[-1] if lines else None)
