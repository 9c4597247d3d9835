"""The seal of a run: checksums of its files, and what the audit found.

`seal.json` is written when a run ends, and again by `dualcode audit`. Whoever changes a file breaks it; a
broken seal stays as it is. It is no signature: who changes a file and the seal alike is not found out.
"""

import asyncio
import contextlib
import hashlib
import marshal
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from dualcode.errors import RunError, SuiteError
from dualcode.grading.calibration import Calibration
from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.problem import Problem
from dualcode.grading.reference import Reference, Tests
from dualcode.grading.turns import Turns
from dualcode.pipelines import builtins
from dualcode.record import Record
from dualcode.runs.audit import Audit, Hidden, audit
from dualcode.runs.lines import replace, writing
from dualcode.runs.provenance import literals
from dualcode.runs.store import SEAL, SEALED_FILES, RunRecords, read_run, repeated
from dualcode.runs.summary import Summary, summarize
from dualcode.sandbox import codec, open_sandbox
from dualcode.sandbox.job import VALUE_KINDS, frames
from dualcode.solution import checksum
from dualcode.suites.suite import Suite

DRAFTS = "drafts.jsonl"


class Seal(Record):
    """A run's `seal.json`."""

    clean: bool
    """Whether the audit found nothing."""
    audit: Audit
    files: Mapping[str, str]
    """SHA-256 of each file; "" for one that was not there. Older seals name only files that were."""


async def seal(folder: Path, suite: Suite) -> Audit:
    """Audit a run of the suite, write its seal, and return what the audit found.

    Raises RunError if the run is none of this suite's data, or if an earlier seal is broken: what was changed
    is never sealed anew.
    """
    require_whole(folder)
    found = await inspect(folder, suite)
    files = {name: _checksum(folder / name) for name in SEALED_FILES}
    await asyncio.to_thread(_write, folder, Seal(clean=found.clean, audit=found, files=files))
    return found


async def finish(folder: Path, suite: Suite) -> tuple[Audit, Summary]:
    """Seal a run of the suite as `seal` does, and return what the audit found, and the run in numbers."""
    found = await seal(folder, suite)
    return found, summarize(read_run(folder))


async def inspect(folder: Path, suite: Suite) -> Audit:
    """Audit a run of the suite, and write nothing. Raises RunError if it was made with other data."""
    records = await asyncio.to_thread(read_run, folder)
    if records.manifest.configuration.data != suite.data.sha256:
        raise RunError(
            f"{folder} was made with other data than {suite.data.path}", hint="--data with the run's own file"
        )
    tasks = sorted({each.task_id for each in (*records.calls, *records.shown)} | set(records.samples))
    references = await _references(suite, tasks)
    return await asyncio.to_thread(_audit, folder, records, suite, references)


def broken(folder: Path) -> list[str]:
    """Return the files that were changed since the run was sealed; none without a seal."""
    sealed = _read(folder)
    if sealed is None:
        return []
    return [
        name
        for name, checksum in sealed.files.items()
        if (now := _checksum(folder / name)) != checksum and (now or name != DRAFTS)
    ]


def require_whole(folder: Path) -> None:
    """Raise RunError if a file was changed since the run was sealed."""
    if changed := broken(folder):
        hint = f"restore what changed from a copy, or --fresh for a run beside {folder.name}"
        if changed == [DRAFTS]:
            hint = f"delete {folder / DRAFTS}: dualcode reviewer makes it again"
        raise RunError(f"{folder}: {', '.join(changed)} changed since the run was sealed", hint=hint)


@contextlib.contextmanager
def adding_draft(folder: Path) -> Generator[None]:
    """Let a line be added to `drafts.jsonl`, and seal it. What is broken before stays broken."""
    sealed, path = _read(folder), folder / DRAFTS
    now = _checksum(path) if path.stat().st_size else ""  # whoever adds a line has opened the file
    whole = sealed is not None and sealed.files.get(DRAFTS, "") == now
    yield
    if sealed is not None and whole:
        files = {**sealed.files, DRAFTS: _checksum(path)}
        _write(folder, sealed.model_copy(update={"files": files}))


def _read(folder: Path) -> Seal | None:
    try:
        return Seal.model_validate_json((folder / SEAL).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise RunError(
            f"{folder / SEAL} cannot be read: {error}", hint="restore it from a copy, or make the run anew"
        ) from error


def _write(folder: Path, sealed: Seal) -> None:
    with writing(folder / SEAL):
        replace(folder / SEAL, sealed.model_dump_json(indent=2))


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


def _audit(folder: Path, records: RunRecords, suite: Suite, references: Mapping[str, Reference]) -> Audit:
    source, prompts = folder / "pipeline.py", {task.id: task.prompt for task in suite.tasks}
    seen = {id_: task.prompt for id_, task in records.tasks.items()}
    other = [id_ for id_, prompt in seen.items() if prompts.get(id_, prompt) != prompt]
    return audit(
        (*records.calls, *records.superseded),
        records.shown,
        prompts | seen,
        {
            task: list(hidden_tests(reference, Problem.of(task, suite.hidden[task])))
            for task, reference in references.items()
        },
        references={task: text for task in references if (text := suite.hidden[task].reference())},
        solutions={task: sample.solution for task, sample in records.samples.items()},
        constants=literals(source.read_text("utf-8", "replace")) if source.exists() else (),
        flaws=[
            *map(str, records.damage),
            *repeated(folder),
            *contradictions(records),
            *(f"{id_} has another prompt in tasks.jsonl than in the benchmark" for id_ in other),
        ],
    )


def contradictions(records: RunRecords) -> list[str]:
    """Return where the records of a run do not answer for each other, in words.

    Every sample has the calls that its pipeline made for it, numbered from 1, and every call the programs
    that it names. Runs older than that count are held to the fewest calls that a built-in pipeline makes.
    """
    configuration, found = records.manifest.configuration, list[str]()
    known = builtins().get(configuration.pipeline)
    fewest = known.calls[0] if known and known.calls else 0
    numbers: dict[str, list[int]] = {}
    for call in records.calls:
        numbers.setdefault(call.task_id, []).append(call.number)
    for task, sample in records.samples.items():
        own = sorted(numbers.get(task, []))
        made = max([fewest, *own]) if sample.calls is None else sample.calls
        if own != list(range(1, made + 1)):
            listed = ", ".join(map(str, own)) or "none"
            found.append(f"{task} took {made} calls, and calls.jsonl holds of them: {listed}")
    for call in records.calls:
        named = [*call.about, *([call.program] if call.program else [])]
        if any(checksum(records.program(call.task_id, each) or "") != each for each in named):
            found.append(f"call {call.number} of {call.task_id} names a program that programs.jsonl lacks")
    for task, verdict in records.verdicts.items():
        if not verdict.errored and task not in records.samples:
            found.append(f"{task} has a verdict and no sample")
    if records.tasks or records.programs:  # older runs have neither
        lacking = [task for task in records.samples if task not in records.tasks]
        found += [
            f"{task} has a sample, and tasks.jsonl does not say what models saw of it" for task in lacking
        ]
    there = {*records.tasks, *numbers, *records.samples, *records.verdicts}
    strange = sorted(there.union(each.task_id for each in records.shown) - set(configuration.tasks))
    return found + [f"{task} is none of the run's tasks" for task in strange]


def hidden_tests(reference: Reference, problem: Problem) -> Iterator[Hidden]:
    """Yield the hidden tests of a task, as Python writes them."""
    for tests in reference.tests.values():
        arguments: list[list[Any]] = marshal.loads(tests.inputs.encoded)  # the benchmark's, encoded here
        results = _expected(tests) if problem.reference else problem.wanted
        for given, expected in zip(arguments, results, strict=False):
            each = tuple(map(_written, given))
            yield Hidden(", ".join(each), expected, each if len(each) > 1 else ())


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
