"""A run that was heard says at its end what a reader of its files says; what was edited is never believed."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dualcode.grading import reference as references
from dualcode.pipelines.find import find_pipeline
from dualcode.runs import witness as witnesses
from dualcode.runs.audit import Audit
from dualcode.runs.lines import append_whole
from dualcode.runs.seal import Inspection
from dualcode.runs.store import KINDS, read_manifest
from dualcode.runs.stored import StoredRun
from dualcode.runs.summary import Summary
from dualcode.runs.witness import Witness
from dualcode.sandbox.job import Arguments, frame
from dualcode.suites.registry import load_suite
from tests.scripted_runs import make_run

SUITE = load_suite("mini")
TOLD = ("You are an expert Python programmer.", "Mind [50, 60, 70, 80].")
Lines = list[tuple[str, bytes]]


def reference(task_id: str) -> references.Reference:
    inputs = Arguments.of("f", [[[50, 60, 70, 80]]])
    tests = references.Tests(inputs, frame("R", b""), has_nan=False, long={}, peak=0)
    return references.Reference(task_id, "tests", "f", 0.0, {"base": tests})


@pytest.fixture(scope="module", params=["honest", "leaks"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = asyncio.run(make_run(tmp_path_factory.mktemp("made"), find_pipeline("review-fix-retry")))
    (folder / "pipeline.py").touch()
    calls = folder / "calls.jsonl"
    if request.param == "leaks":
        calls.write_text(calls.read_text().replace(*TOLD))
    return folder


def lines(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield a run's lines with their files, verdicts last."""
    for name in sorted(KINDS, key="verdicts".__eq__):
        path = folder / f"{name}.jsonl"
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
            yield path.name, line


def heard(made: Path, folder: Path, edit: Callable[[Lines], Lines] = lambda told: told) -> Witness:
    """Return who heard a run's lines, after `edit`, as they were written to a folder of their own."""
    folder.mkdir()
    for name in ("manifest.json", "pipeline.py"):
        shutil.copy(made / name, folder)
    suite = SUITE.select(None, read_manifest(made).configuration.tasks)
    witness = Witness(folder, read_manifest(made), suite, reference)
    told = edit(list(lines(made)))
    for name, line in told:
        append_whole(folder / name, line)
    hear(witness, told)
    return witness


def hear(witness: Witness, told: Lines) -> None:
    for name, line in told:
        witness.hear(name, line, KINDS[name.removesuffix(".jsonl")].model_validate_json(line))


def checksums(folder: Path) -> dict[str, str]:
    names = ["pipeline.py", *(f"{name}.jsonl" for name in KINDS)]
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest() if (path := folder / name).exists() else ""
        for name in names
    }


def read(folder: Path) -> tuple[Audit, Summary]:
    run = StoredRun(folder)
    found = Inspection(run.manifest, SUITE, reference, "")
    for task in run:
        found.add(task)
    told = found.result(run, run.manifest, lambda: run.damage)
    run.close()
    return told


def test_what_was_heard_is_what_a_reader_finds(made: Path, tmp_path: Path) -> None:
    witness = heard(made, tmp_path / "run")
    assert witness.testimony(checksums(tmp_path / "run")) == read(made)
    leaks = TOLD[1] in (made / "calls.jsonl").read_text()
    assert bool(read(made)[0].leaks) == leaks


def test_files_are_not_gone_through_again_where_nothing_may_be_chance(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def open_run(folder: Path) -> StoredRun:
        opened.append(folder)
        return StoredRun(folder)

    monkeypatch.setattr(witnesses, "StoredRun", open_run)
    witness = heard(made, tmp_path / "run")
    assert witness.testimony(checksums(tmp_path / "run")) is not None
    assert opened == []


@pytest.mark.parametrize("name", [f"{name}.jsonl" for name in KINDS] + ["pipeline.py"])
def test_a_file_that_was_edited_since_is_not_believed(made: Path, tmp_path: Path, name: str) -> None:
    witness = heard(made, tmp_path / "run")
    assert witness.testimony(checksums(made) | {name: hashlib.sha256(b"other").hexdigest()}) is None


def test_a_manifest_of_another_configuration_is_not_believed(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    witness, manifest = heard(made, folder), read_manifest(made)
    other = manifest.configuration.model_copy(update={"tasks": manifest.configuration.tasks[1:]})
    edited = manifest.model_copy(update={"configuration": other})
    (folder / "manifest.json").write_text(edited.model_dump_json())
    assert witness.testimony(checksums(folder)) is None


UNKINDS: dict[str, Callable[[Lines], Lines]] = {
    "a verdict is missing": lambda told: told[:-1],
    "a task says more after its verdict": lambda told: [*told, next(e for e in told if "calls" in e[0])],
    "a task that is none of the run's": lambda told: [
        *told, (told[-1][0], json.dumps(json.loads(told[-1][1]) | {"task_id": "x"}).encode())
    ],
    "a server told its charge": lambda told: [
        (name, line.replace(b'"untold":0}', b'"untold":0,"cost":0.5}')) for name, line in told
    ],
}  # fmt: skip


@pytest.mark.parametrize("why", UNKINDS)
def test_what_a_witness_cannot_tell_is_left_to_a_reader(made: Path, tmp_path: Path, why: str) -> None:
    """Though every file is what was heard."""
    folder = tmp_path / "run"
    assert heard(made, folder, UNKINDS[why]).testimony(checksums(folder)) is None


def test_a_run_that_another_process_began_is_left_to_a_reader(made: Path, tmp_path: Path) -> None:
    """Though the second hears all that is in its files."""
    told, folder = [*lines(made)], tmp_path / "run"
    first = heard(made, folder, lambda told: told[:1])
    suite = SUITE.select(None, read_manifest(made).configuration.tasks)
    second = Witness(folder, read_manifest(made), suite, reference)
    hear(first, told[1:])
    hear(second, told)
    assert first.testimony(checksums(made)) is not None
    assert second.testimony(checksums(made)) is None
