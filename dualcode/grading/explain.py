"""Why a program got its verdict: the first failing input, what was expected, what came, what was printed.

The program is run once more on each set of tests, this time keeping what it prints.
"""

import itertools
from collections.abc import Iterator, Sequence

from dualcode.errors import InputError
from dualcode.grading.calibration import Calibration
from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.outcome import clean, describe, shown_input, values
from dualcode.grading.reference import Tests
from dualcode.grading.rules import Rules
from dualcode.grading.samples import Sample
from dualcode.grading.trials import Trial, Trials
from dualcode.grading.turns import Turns
from dualcode.record import Record
from dualcode.sandbox.decoder import decode
from dualcode.sandbox.job import Told
from dualcode.sandbox.sandbox import Sandbox
from dualcode.suites.suite import Suite
from dualcode.verdict import Part, Status

VALUE_CHARACTERS = 1200
"""So much is shown of an input or an output."""

PRINTED_CHARACTERS = 2000

TRACE_LINES = 24

COLUMNS = 100


class PartExplained(Record):
    """One set of tests. Texts are whole, or say how much is missing."""

    part: str
    status: Status
    tests: int
    reason: str | None = None
    at: int | None = None
    """Index of the first failing input, counted from 0."""
    input: str | None = None
    """Its arguments as Python would show them."""
    expected: str | None = None
    """What the reference returned."""
    got: str | None = None
    """What the program returned; None if it returned nothing."""
    traceback: str | None = None
    """Of the exception that ended the call, from the program's first line on."""
    printed: str | None = None
    """What the failing call wrote to stdout and stderr."""

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield what is shown of the failing call, by its name."""
        for name in ("input", "expected", "got", "traceback", "printed"):
            if (text := getattr(self, name)) is not None:
                yield name, text


class Explanation(Record):
    """A sample and its tests."""

    task_id: str
    sample: int
    """Which of the task's samples, counted from 1 in the order of the file."""
    samples: int
    parts: tuple[PartExplained, ...]

    def lines(self) -> Iterator[str]:
        """Yield the explanation as text for 100 columns."""
        which = f", sample {self.sample} of {self.samples}" if self.samples > 1 else ""
        yield f"{self.task_id}{which}"
        for part in self.parts:
            if part.status == "passed":
                yield f"  {part.part}: passed all {part.tests} tests"
                continue
            where = "" if part.at is None else f" on test {part.at + 1} of {part.tests}"
            yield from _wrapped(f"{part.part}: failed{where}: {part.reason}", "  ")
            for name, text in part.texts():
                first, *more = text.removesuffix("\n").split("\n")
                yield from _wrapped(f"{name + ':':<11}{first}" if first else f"{name}:", "    ")
                for line in more:
                    yield from _wrapped(line, " " * 15)


async def explain(
    samples: Sequence[Sample], task_ids: Sequence[str], suite: Suite, sandbox: Sandbox, rules: Rules
) -> list[Explanation]:
    """Explain every sample of the tasks.

    Raises UnknownNameError for a task that the suite lacks, InputError for one without a sample, SuiteError
    for one whose reference is bad, SandboxError if the sandbox broke.
    """
    for task_id in task_ids:
        suite.task(task_id)
        if not any(sample.task_id == task_id for sample in samples):
            raise InputError(f"the file has no sample for {task_id}", hint="--explain a task that has one")
    calibration = Calibration(suite, sandbox, Turns(1), CalibrationCache.of(suite))
    trials = Trials(suite, sandbox, rules)
    explained: list[Explanation] = []
    for task_id in dict.fromkeys(task_ids):
        calibrated = await calibration.of(task_id)
        own = [sample.program for sample in samples if sample.task_id == task_id]
        for number, program in enumerate(own, start=1):
            parts = [
                _part(part, tests, await trials.attempt(calibrated, part, program, capture=True))
                for part, tests in calibrated.reference.tests.items()
                if part == "base" or not rules.base_only
            ]
            explained.append(
                Explanation(task_id=task_id, sample=number, samples=len(own), parts=tuple(parts))
            )
    return explained


def _part(part: Part, tests: Tests, trial: Trial) -> PartExplained:
    outcome, found, ran = trial.outcome, trial.mismatch, trial.ran
    said = ran.told() if outcome.cause in ("raised", "not_loaded") else None
    shown: dict[str, str | None] = {}
    if (at := outcome.at) is not None:
        printed = dict(enumerate(ran.printed())).get(at)
        shown = {
            "input": shown_input(tests.inputs, at, VALUE_CHARACTERS),
            "expected": found.expected if found and found.expected else _value(tests.expected, at),
            "got": found.got if found and found.got else _value(ran.stream, at),
            "printed": shorten(printed, PRINTED_CHARACTERS) if printed else None,
        }
    return PartExplained(
        part=part,
        status=outcome.status,
        tests=tests.inputs.count,
        reason=outcome.reason,
        at=at,
        traceback=_traceback(said) if said else None,
        **shown,
    )


def _value(stream: bytes, at: int) -> str | None:
    """Return a stream's value as Python would show it. The bytes may be forged: `decode` is made for that."""
    frame = next(itertools.islice(values(stream), at, None), None)
    if frame is None:
        return None
    if frame.kind == "D":
        return "(a long value)"
    try:
        return shorten(repr(decode(frame.kind, frame.payload)), VALUE_CHARACTERS)
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return f"(cannot be shown: {type(error).__name__})"


def _traceback(said: Told) -> str:
    """Return the traceback's last lines and the exception; the program's own file has no name."""
    lines = said.traceback.rstrip().replace('File "<string>"', "the program").splitlines()
    if len(lines) > TRACE_LINES:
        lines = [lines[0], f"  … ({len(lines) - TRACE_LINES:,} lines more)", *lines[1 - TRACE_LINES :]]
    return clean("\n".join([*lines, describe(said)]))


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, and how many more there are."""
    if len(text) <= limit:
        return clean(text)
    return f"{clean(text[:limit])} … ({len(text) - limit:,} characters more)"


def _wrapped(line: str, indent: str) -> list[str]:
    """Return a line, with nothing in it that moves the cursor, as lines that fit."""
    visible = "".join(char if char.isprintable() else repr(char)[1:-1] for char in line.expandtabs())
    room = COLUMNS - len(indent)
    return [indent + visible[start : start + room] for start in range(0, max(1, len(visible)), room)]
