"""The seal of a run: checksums of its records, and the audit that no hidden test reached a model.

`seal.json` is written when a run ends, and again by `dualcode audit`. Whoever changes a record breaks it.
"""

import asyncio
import contextlib
import hashlib
import marshal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dualcode.errors import RunError, SuiteError
from dualcode.grading.calibration import Calibration
from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.problem import Problem
from dualcode.grading.reference import Reference, Tests
from dualcode.grading.turns import Turns
from dualcode.record import Record
from dualcode.runs.audit import Audit, Hidden, audit
from dualcode.runs.store import RECORD_FILES, RunRecords, read_run, replace
from dualcode.sandbox import codec, open_sandbox
from dualcode.sandbox.job import VALUE_KINDS, frames
from dualcode.suites.suite import Suite


class Seal(Record):
    """A run's `seal.json`."""

    clean: bool
    """Whether the audit found nothing."""
    audit: Audit
    files: Mapping[str, str]
    """SHA-256 of each file of records."""


async def seal(folder: Path, suite: Suite) -> Audit:
    """Audit a run of the suite, write its seal, and return what the audit found.

    Raises RunError if the run is none of this suite's data.
    """
    records = await asyncio.to_thread(read_run, folder)
    if records.manifest.configuration.data != suite.data.sha256:
        raise RunError(
            f"{folder} was made with other data than {suite.data.path}", hint="--data with the run's own file"
        )
    tasks = sorted({call.task_id for call in records.calls} | {shown.task_id for shown in records.shown})
    references = await _references(suite, tasks)
    found = await asyncio.to_thread(_audit, records, suite, references)
    files = {name: _checksum(folder / name) for name in RECORD_FILES if (folder / name).exists()}
    sealed = Seal(clean=found.clean, audit=found, files=files)
    await asyncio.to_thread(replace, folder / "seal.json", sealed.model_dump_json(indent=2))
    return found


def broken(folder: Path) -> list[str]:
    """Return the files of records that were changed since the run was sealed; none without a seal."""
    try:
        sealed = Seal.model_validate_json((folder / "seal.json").read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise RunError(
            f"{folder / 'seal.json'} cannot be read: {error}", hint="dualcode audit RUN"
        ) from error
    return [name for name, checksum in sealed.files.items() if _checksum(folder / name) != checksum]


async def _references(suite: Suite, tasks: list[str]) -> dict[str, Reference]:
    """Return the hidden tests with the reference's outputs: from the cache, or computed now."""
    cache = CalibrationCache.of(suite)
    found = {task: await asyncio.to_thread(cache.reference, task) for task in tasks}
    missing = [task for task, reference in found.items() if reference is None]
    if missing:
        async with open_sandbox() as sandbox:
            calibration = Calibration(suite, sandbox, Turns(2), cache)
            for task in missing:
                with contextlib.suppress(SuiteError):  # a bad reference has no tests to hide
                    found[task] = (await calibration.of(task)).reference
    return {task: reference for task, reference in found.items() if reference is not None}


def _audit(records: RunRecords, suite: Suite, references: Mapping[str, Reference]) -> Audit:
    prompts = {task.id: task.prompt for task in suite.tasks}
    hidden = {
        task: list(hidden_tests(reference, Problem.of(task, suite.hidden[task])))
        for task, reference in references.items()
    }
    calls = [call for call in (*records.calls, *records.superseded) if call.task_id in hidden]
    shown = [each for each in records.shown if each.task_id in hidden]
    return audit(calls, shown, prompts, hidden)


def hidden_tests(reference: Reference, problem: Problem) -> Iterator[Hidden]:
    """Yield the hidden tests of a task, as Python writes them."""
    for tests in reference.tests.values():
        arguments: list[list[Any]] = marshal.loads(tests.inputs.encoded)  # the benchmark's, encoded here
        results = _expected(tests) if problem.reference else problem.wanted
        for given, expected in zip(arguments, results, strict=False):
            yield Hidden(", ".join(map(_written, given)), expected)


def _expected(tests: Tests) -> Iterator[str]:
    """Yield the results as Python writes them; "" for one that is no data, too long for any message, or an
    exception."""
    for kind, payload in frames(tests.expected):
        if kind in "VG":
            try:
                yield _written(codec.decode(kind, payload))
            except codec.CodecError:
                yield ""
        elif kind in VALUE_KINDS or kind == "R":
            yield ""


def _written(value: object) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python converts
        return ""


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
