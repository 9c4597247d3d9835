"""Comparing what a program returned with what it ought to have returned: the host's side.

The host compares the bytes of two streams (`Comparison.bytes_suffice`, `has_nan`). Where they differ it runs
an oracle: trusted code that decodes and compares values (`oracle_jail.py`, `check_jail.py`), as a job in a
jail of its own. So nothing a candidate made is ever decoded here; what comes back is read strictly, too.
"""

import __future__

import marshal
import re
from functools import cache
from pathlib import Path
from typing import Any, Literal

from dualcode.errors import GraderError
from dualcode.grading import check_jail, oracle_jail
from dualcode.grading.outcome import clean
from dualcode.grading.problem import Problem
from dualcode.record import Record
from dualcode.sandbox import decoder, encoder, trees
from dualcode.sandbox.decoder import CodecError
from dualcode.sandbox.job import MIB, Arguments, Job, Limits, Ran, frames
from dualcode.suites.suite import Form

Oracle = Literal["equal", "any", "sum_div", "surface_area", "digit_distance", "set", "not_none", "find_zero"]

_SETS = [
    "similar_elements",
    "find_char_long",
    "common_in_nested_lists",
    "extract_singly",
    "larg_nnum",
    "intersection_array",
    "find_dissimilar",
    "Diff",
]
_NOT_NONE = ["check_str", "text_match_three", "text_starta_endb"]

SPECIAL: dict[tuple[Form, str], Oracle] = {
    ("humaneval", "find_zero"): "find_zero",
    ("mbpp", "are_equivalent"): "any",
    ("mbpp", "sum_div"): "sum_div",
    ("mbpp", "surface_Area"): "surface_area",
    ("mbpp", "digit_distance_nums"): "digit_distance",
    **{("mbpp", name): "set" for name in _SETS},
    **{("mbpp", name): "not_none" for name in _NOT_NONE},
}
"""EvalPlus's special oracles, by form and entry point."""

_WITH_INPUTS = frozenset({"surface_area", "digit_distance", "find_zero"})

LEAST_CPU = 5.0
"""CPU seconds that any comparison may take."""

BYTES_A_SECOND = 1 * MIB
"""What an oracle has a CPU second more for. It decodes ten times as much, and comparing takes time too."""

MEMORY = 4096 * MIB


class Comparison(Record):
    """How a task's outputs are compared."""

    oracle: Oracle
    """`equal`, or the name of one of EvalPlus's special oracles."""
    catches: bool = False
    """Whether tests may want an exception, so that calls go on after one."""
    drain: bool = False
    """Whether jobs for this task send iterables as lists of their items: their tests iterate over outputs."""
    bytes_suffice: bool = True
    """Whether an output whose bytes are the reference's passes, unless it `has_nan`. Not where it is not the
    expected value that an output is compared with."""


class Compared(Record):
    """What came of comparing a program's outputs."""

    passed: bool
    at: int | None = None
    """Index of the first call that failed; None if it passed."""
    reason: str | None = None
    """`wrong output`, `raised ValueError: …`, `time-out`, `returned a generator object`, …"""
    expected: str | None = None
    """What the call ought to have returned, as `repr` cut to 2,000 characters; for HumanEval's own tests the
    line that failed."""
    got: str | None = None
    whole: bool = False
    """A digest differs, so nothing is known: run both again with `digest_above=None` and compare those."""


def comparison(form: Form, entry_point: str) -> Comparison:
    """Return how the outputs of a task are compared."""
    if form in ("check", "tests"):
        return Comparison(oracle="equal", drain=True, catches=form == "tests")
    oracle = SPECIAL.get((form, entry_point), "equal")
    suffices = oracle not in ("find_zero", "not_none")
    return Comparison(oracle=oracle, drain=oracle == "set", bytes_suffice=suffices)


def has_nan(stream: bytes) -> bool:
    """Whether a stream holds a value that may not be equal to itself: a NaN, or an object that is no data.

    It errs on the side of yes. A digest tells nothing: ask with a stream of whole values.
    """
    patterns = {"V": oracle_jail.NAN, "G": _UNEQUAL}
    for kind, payload in frames(stream):
        pattern = patterns.get(kind)
        for start in range(0, len(payload) if pattern else 0, _PIECE):  # it may be a gigabyte
            piece = payload[start : start + _PIECE + _REACH]
            if pattern and not (kind == "V" and piece.isascii()) and pattern.search(piece):
                return True
        if kind == "O":
            return True
    return False


_UNEQUAL = re.compile(rb"[\x7c-\x7f\xfc-\xff]|Decimal|values|[<|][mM]8")
"""The last byte of a NaN of any width, and the tags of what may be none, or a NaT, or equals only itself."""

_PIECE = 1 << 16
_REACH = 17


def compare_job(
    *, comparison: Comparison, atol: float, inputs: Arguments, candidate: bytes, expected: bytes
) -> Job:
    """Return the job that compares a candidate's stream with the reference's on the same inputs."""
    seen = inputs.encoded if comparison.oracle in _WITH_INPUTS else None
    fields = [comparison.oracle, float(atol), inputs.count, seen, candidate, expected]
    return _job("compare", fields)


def record_job(problem: Problem) -> Job:
    """Return the job that runs a problem's `check` on the reference and records its calls."""
    return _job("record_check", [problem.reference, problem.check, problem.entry_point], output=64 * MIB)


def recorded(ran: Ran) -> Arguments:
    """Return the calls that a `record_job` recorded; a GraderError if the reference failed the check."""
    for frame in ran.returned():
        if frame.kind == "V":
            entry_point, calls = decoder.decode("V", frame.payload)
            return Arguments.of(entry_point, calls)
    told = ran.told()
    why = f"{told.type}: {told.message}" if told else ran.detail or ran.ending
    raise GraderError(f"the reference fails its own check: {why}")


def check_job(problem: Problem, inputs: Arguments, candidate: bytes) -> Job:
    """Return the job that runs a problem's `check` on a candidate's stream for the recorded calls.

    Where tests may want an exception, those that the candidate raised are raised again, for them to catch.
    """
    catches = comparison(problem.form, problem.entry_point).catches
    fields = [problem.reference, problem.check, problem.entry_point, inputs.encoded, candidate, catches]
    return _job("run_check", fields)


def compared(ran: Ran) -> Compared:
    """Read what came of a `compare_job` or `check_job`; one that did not come through fails the program."""
    told = ran.told()
    why = f"{told.type}: {told.message}" if told else ran.detail or ran.ending
    for frame in ran.returned():
        if frame.kind == "V" and ran.ending == "finished":
            try:
                fields = zip(Compared.model_fields, decoder.decode("V", frame.payload), strict=True)
                return Compared.model_validate(dict(fields), strict=True)
            except (CodecError, ValueError, TypeError) as error:
                why = str(error)
            break
    reason = clean(f"its outputs could not be compared: {why}"[:2000])
    return Compared(passed=False, at=0, reason=reason)


_LOADER = """
from marshal import loads

def call(code, function, *fields):
    namespace = {}
    exec(loads(code), namespace)
    return namespace[function](*fields)
"""


def _job(function: str, fields: list[Any], output: int = MIB) -> Job:
    inputs = Arguments.of("call", [[_compiled(), function, *fields]])
    cpu = LEAST_CPU + len(inputs.encoded) / BYTES_A_SECOND
    limits = Limits(call_cpu=cpu, total_cpu=cpu + 1, wall=3 * cpu + 30, memory=MEMORY, output=output)
    return Job(_LOADER, inputs, limits, digest_above=None)


@cache
def _compiled() -> bytes:
    """Return the oracles as one program, compiled here: that takes longer than most comparisons.

    Its files stand in one namespace, without their imports of each other. Both sides run one Python.
    """
    files = (encoder, trees, decoder, oracle_jail, check_jail)
    text = "\n".join(Path(module.__file__ or "").read_text("utf-8") for module in files)
    text = re.sub(r"^from dualcode\.\S+ import (\([^)]*\)|.*)\n", "", text, flags=re.MULTILINE)
    flags = __future__.annotations.compiler_flag
    return marshal.dumps(compile(text, "<oracle>", "exec", flags, dont_inherit=True, optimize=2))
