"""The seal of a run: checksums of its files, and what the audit found.

`seal.json` is written when a run ends, and again by `dualcode audit`. Whoever changes a file breaks it; a
broken seal stays as it is. It is no signature: who changes a file and the seal alike is not found out.
"""

import asyncio
import contextlib
import functools
import hashlib
import json
import marshal
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Set
from operator import itemgetter
from pathlib import Path
from typing import Any

from dualcode.errors import RunError, SuiteError
from dualcode.grading.calibration import Calibration
from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.reference import Reference, Tests
from dualcode.grading.turns import Turns
from dualcode.pipelines import builtins
from dualcode.record import Record
from dualcode.runs.audit import Audit, Evidence, Findings, Hidden
from dualcode.runs.lines import Damage, replace, writing
from dualcode.runs.manifest import Manifest
from dualcode.runs.provenance import literals
from dualcode.runs.store import SEAL, SEALED_FILES
from dualcode.runs.stored import StoredRun, TaskRecords
from dualcode.runs.summary import Summary, Sums
from dualcode.sandbox import codec, open_sandbox
from dualcode.sandbox.job import VALUE_KINDS, frames
from dualcode.solution import checksum
from dualcode.suites.suite import Suite

Testimony = Callable[[Mapping[str, str]], tuple[Audit, Summary] | None]
"""A witness's: what was found of a whole run, given its files' checksums; None if it heard other ones."""
DRAFTS = "drafts.jsonl"
OFTEN = 32
"""Bytes of a result below which it is another test's result, too, as likely as not."""


class Seal(Record):
    """A run's `seal.json`."""

    clean: bool
    """Whether the audit found nothing."""
    audit: Audit
    files: Mapping[str, str]
    """SHA-256 of each file; "" for one that was not there. Older seals name only files that were."""


async def seal(folder: Path, suite: Suite, *, unsafe: bool = False) -> Audit:
    """Audit a run of the suite, write its seal, and return what the audit found.

    Raises RunError if the run is none of this suite's data, or if an earlier seal is broken: what was changed
    is never sealed anew.
    """
    return (await finish(folder, suite, unsafe=unsafe))[0]


async def finish(
    folder: Path, suite: Suite, testimony: Testimony | None = None, *, unsafe: bool = False
) -> tuple[Audit, Summary]:
    """Seal a run of the suite as `seal` does, and return what the audit found, and the run in numbers.

    What a witness of the whole run found is believed if the files that are sealed are what it heard; else
    all is read. `unsafe` allows that references run without a sandbox: whoever asks says so, never the run.
    """
    require_whole(folder)

    def checksums() -> dict[str, str]:
        return {name: _checksum(folder / name) for name in SEALED_FILES}

    files = await asyncio.to_thread(checksums)
    told = await asyncio.to_thread(testimony, files) if testimony else None
    if told is None:
        told, files = await _inspect(folder, suite, unsafe=unsafe), await asyncio.to_thread(checksums)
    found, summary = told
    await asyncio.to_thread(_write, folder, Seal(clean=found.clean, audit=found, files=files))
    return found, summary


async def inspect(folder: Path, suite: Suite, *, unsafe: bool = False) -> Audit:
    """Audit a run of the suite, and write nothing. Raises RunError if it was made with other data."""
    return (await _inspect(folder, suite, unsafe=unsafe))[0]


async def _inspect(folder: Path, suite: Suite, *, unsafe: bool = False) -> tuple[Audit, Summary]:
    """Go through a run once, task by task, for its audit and its numbers."""
    run = await asyncio.to_thread(StoredRun, folder)
    if run.manifest.configuration.data != suite.data.sha256:
        raise RunError(
            f"{folder} was made with other data than {suite.data.path}", hint="--data with the run's own file"
        )
    async with contextlib.AsyncExitStack() as parts:
        parts.callback(run.close)
        source = folder / "pipeline.py"
        text = source.read_text("utf-8", "replace") if source.exists() else ""
        # Here, and no thread's: Python 3.11 breaks on two threads that parse at once, and pipelines do.
        found = Inspection(run.manifest, suite, References(suite, parts, unsafe=unsafe).of, text)

        def through() -> tuple[Audit, Summary]:
            for task in run:
                found.add(task)
            return found.result(run, run.manifest, lambda: run.damage)

        return await asyncio.to_thread(through)


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


class References:
    """The hidden tests with their references' outputs: from the cache, or computed now."""

    def __init__(self, suite: Suite, parts: contextlib.AsyncExitStack, *, unsafe: bool) -> None:
        """A sandbox that is needed is one of `parts`, which are the caller's to close."""
        self._suite, self._parts, self._unsafe = suite, parts, unsafe
        self._cache = CalibrationCache.of(suite)
        self._calibration: Calibration | None = None
        self._loop = asyncio.get_running_loop()

    def of(self, task_id: str) -> Reference | None:
        """Return a task's; None for one that has no tests to hide. To be called in another thread."""
        if task_id not in self._suite.hidden:
            return None
        known = self._cache.reference(task_id)
        return known or asyncio.run_coroutine_threadsafe(self._made(task_id), self._loop).result()

    async def _made(self, task_id: str) -> Reference | None:
        if self._calibration is None:
            sandbox = await self._parts.enter_async_context(open_sandbox(unsafe=self._unsafe))
            self._calibration = Calibration(self._suite, sandbox, Turns(2), self._cache)
        with contextlib.suppress(SuiteError):  # a bad reference has no tests to hide
            return (await self._calibration.of(task_id)).reference
        return None


class Inspection:
    """A run's tasks, in any order, for its audit and its numbers."""

    def __init__(
        self, manifest: Manifest, suite: Suite, references: Callable[[str], Reference | None], source: str
    ) -> None:
        """`source` is the text of the pipeline's file."""
        self._manifest, self._suite, self._references = manifest, suite, references
        self._sums, self._findings = Sums(manifest), Findings(literals(source))
        self._flaws = list[tuple[str, str]]()
        self._prompts = {task.id: task.prompt for task in suite.tasks}
        self._of_run = frozenset(manifest.configuration.tasks)

    def add(self, task: TaskRecords) -> None:
        """Look at a task."""
        whole, id_ = task.once(), task.task_id
        self._sums.add(whole)
        flaws = [*_repeated(task), *contradictions(whole, self._manifest, self._of_run)]
        evidence = self._evidence(whole)
        if self._prompts.get(id_, evidence.prompt) != evidence.prompt:
            flaws.append(f"{id_} has another prompt in tasks.jsonl than in the benchmark")
        self._flaws += ((id_, flaw) for flaw in flaws)
        self._findings.add(evidence)

    def result(
        self, again: Iterable[TaskRecords], manifest: Manifest, damage: Callable[[], Sequence[Damage]] = list
    ) -> tuple[Audit, Summary]:
        """Return what it came to, by the manifest as it is now.

        The tasks are gone through `again` where what was found may be chance; `damage` is what of them could
        not be read.
        """
        found = self._findings.audit(self._evidence(task.once()) for task in again)
        lost = damage()
        flaws = (*map(str, lost), *(flaw for _, flaw in sorted(self._flaws, key=itemgetter(0))))
        return found.model_copy(update={"flaws": flaws}), self._sums.summary(lost, manifest)

    def _evidence(self, whole: TaskRecords) -> Evidence:
        id_ = whole.task_id
        prompt = whole.tasks[-1].prompt if whole.tasks else self._prompts.get(id_, "")
        calls = (*whole.calls, *whole.superseded)
        there = calls or whole.shown or whole.samples
        hidden, text = None, ""
        if there and (reference := self._references(id_)) is not None:
            row = self._suite.hidden[id_]
            text = row.reference()
            wanted = None if text else json.loads(row.row).get("wanted", ())
            hidden = [*hidden_tests(reference, wanted)]
        solution = whole.samples[-1].solution if whole.samples else None
        return Evidence(id_, prompt, calls, whole.shown, hidden, reference=text, solution=solution)


def _repeated(task: TaskRecords) -> Iterator[str]:
    """Yield what stands in a task's records more than once, in words; reading counts it once."""
    for number, times in Counter(call.number for call in task.calls).items():
        if times > 1:
            yield f"call {number} of {task.task_id} stands there {times} times"
    for what, records in (("sample", task.samples), ("verdict", task.verdicts)):
        if len(records) > 1:
            yield f"the {what} of {task.task_id} stands there {len(records)} times"


def contradictions(task: TaskRecords, made_with: Manifest, of_run: Set[str]) -> Iterator[str]:
    """Yield where the records of a task do not answer for each other, in words; `of_run` are the run's tasks.

    Every sample has the calls that its pipeline made for it, numbered from 1, and every call the programs
    that it names. Runs older than that count are held to the fewest calls that a built-in pipeline makes.
    """
    id_, own = task.task_id, sorted(call.number for call in task.calls)
    for sample in task.samples:
        known = builtins().get(made_with.configuration.pipeline)
        fewest = known.calls[0] if known and known.calls else 0
        made = max([fewest, *own]) if sample.calls is None else sample.calls
        if own != list(range(1, made + 1)):
            listed = ", ".join(map(str, own)) or "none"
            yield f"{id_} took {made} calls, and calls.jsonl holds of them: {listed}"
    texts = {each.checksum: each.text for each in task.programs}
    for call in task.calls:
        named = [*call.about, *([call.program] if call.program else [])]
        if any(checksum(texts.get(each, "")) != each for each in named):
            yield f"call {call.number} of {id_} names a program that programs.jsonl lacks"
    if any(not verdict.errored for verdict in task.verdicts) and not task.samples:
        yield f"{id_} has a verdict and no sample"
    if task.samples and task.programs and not task.tasks:  # older runs have neither
        yield f"{id_} has a sample, and tasks.jsonl does not say what models saw of it"
    there = task.tasks or task.calls or task.samples or task.verdicts or task.shown
    if there and id_ not in of_run:
        yield f"{id_} is none of the run's tasks"


def hidden_tests(reference: Reference, wanted: Sequence[str] | None) -> Iterator[Hidden]:
    """Yield the hidden tests of a task, as Python writes them.

    `wanted` are the results of a task without a reference; else they are what that returned.
    """
    for tests in reference.tests.values():
        arguments: list[list[Any]] = marshal.loads(tests.inputs.encoded)  # the benchmark's, encoded here
        results = _expected(tests) if wanted is None else wanted
        for given, expected in zip(arguments, results, strict=False):
            each = tuple(map(_written, given))
            yield Hidden(", ".join(each), expected, each if len(each) > 1 else ())


def _expected(tests: Tests) -> Iterator[str]:
    """Yield the results as Python writes them; "" for one that is no data, too long for any message, or an
    exception."""
    for kind, payload in frames(tests.expected):
        if kind in "VG":
            yield _repeated_result(kind, payload) if len(payload) < OFTEN else _result(kind, payload)
        elif kind in VALUE_KINDS or kind == "R":
            yield ""


def _result(kind: str, payload: bytes) -> str:
    try:
        return _written(codec.decode(kind, payload))
    except codec.CodecError:
        return ""


_repeated_result = functools.lru_cache(1 << 12)(_result)


def _written(value: object) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python converts
        return ""


def _checksum(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
