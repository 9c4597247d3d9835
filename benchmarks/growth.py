"""Memory and time of a run as it grows: done, sealed at its end, resumed, audited and shown.

    python benchmarks/growth.py [--tasks 1000,10000,100000] [--done 1000] [--dir FOLDER]

Models, bench and grader are scripted, records and everything after them are real: three calls a task and a
little more (`review-fix-retry`). Each stage is a process of its own, so its peak of memory is its own; but
`seal` is the end of the run's, as of `dualcode eval`. `audit` reads all afresh and seals again. With `--done`
no more tasks than that are worked on, and the other tasks' records are copies of theirs, which says nothing
of the stages `run`, `seal` and `resume`. Prints a JSON line a stage: wall and CPU seconds, peak RSS in MB,
and the size of the run's folder.
"""

import argparse
import asyncio
import contextlib
import io
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.throughput import BUDGET, TEAM, Judge, answer, many
from dualcode.bench.bench import ScriptedBench
from dualcode.call import Request
from dualcode.cli.main import cli
from dualcode.grading.reference import Reference
from dualcode.models.endpoints import Served
from dualcode.models.scripted import ScriptedChat
from dualcode.pipelines.find import find_pipeline
from dualcode.runs import seal
from dualcode.runs.audit import Audit
from dualcode.runs.manifest import configure, manifest
from dualcode.runs.runner import Runner, work
from dualcode.runs.session import RunStore, open_run
from dualcode.runs.store import RECORD_FILES, read_manifest
from dualcode.runs.summary import Summary
from dualcode.runs.witness import Witness
from dualcode.sampling import PAPER
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.team import Seat, Team

MINI = load_suite("mini")
PIPELINE = find_pipeline("review-fix-retry")
STAGES = ("run", "resume", "audit", "tables", "report")
"""Processes; `run` ends with its seal."""
LEFT = 10
"""Tasks that `resume` finds without a verdict."""


class MiniReferences(seal.References):
    """References of the mini suite's tasks, of which all tasks here are copies."""

    def of(self, task_id: str) -> Reference | None:
        """Return that of the task which this one is a copy of."""
        return self._mini(MINI.tasks[int(task_id.partition("/")[2]) % len(MINI.tasks)].id)

    def _mini(self, task_id: str) -> Reference | None:
        if task_id not in _KNOWN:
            _KNOWN[task_id] = super().of(task_id)
        return _KNOWN[task_id]


_KNOWN: dict[str, Reference | None] = {}


def opened(root: Path, suite: Suite) -> RunStore:
    served = {name: Served(model="m") for name in ("coder", "reviewer")}
    return open_run(root, manifest("run", configure(PIPELINE, suite, TEAM, served), suite, TEAM), fresh=False)


async def run(root: Path, suite: Suite, told: Callable[[str], None]) -> None:
    """Begin the run, or go on with it; a run that is begun is sealed at its end, as `dualcode eval` does."""
    chance = random.Random(7)

    def said(request: Request) -> str:
        return answer(request, chance)

    store = opened(root, suite)
    begun = not store.manifest.sessions
    store.keep_source(PIPELINE.source.read_bytes())
    store.begin_session(36, {})
    async with contextlib.AsyncExitStack() as parts:
        references = MiniReferences(suite, parts, unsafe=False)
        for number in range(len(MINI.tasks)):  # as a grader would have found them
            await asyncio.to_thread(references.of, f"Many/{number}")
        witness = Witness(store.folder, store.manifest, suite, references.of)
        store.listener = witness.hear
        seats = {
            role: Seat(role, ScriptedChat(said, name=role, remember=False), PAPER, 1000, BUDGET[role])
            for role in PIPELINE.roles
        }
        team = Team(seats, bench=ScriptedBench({"None": "got None"}))
        await work([Runner(PIPELINE, suite, team, Judge(), store, task_seconds=1e9)])
        store.end_session()
        store.close()
        told("run" if begun else "resume")
        if begun:
            check(*await seal.finish(store.folder, suite, witness.testimony))
            told("seal")


async def audited(root: Path, suite: Suite, told: Callable[[str], None]) -> None:
    """Audit the run as `dualcode audit` does: everything is read."""
    seal.References = MiniReferences
    check(*await seal.finish(root / "run", suite))
    told("audit")


def check(found: Audit, summary: Summary) -> None:
    assert summary.complete, summary.base
    assert found.calls == summary.calls
    assert found.requests


def shown(root: Path, name: str, told: Callable[[str], None]) -> None:
    """Make the run's tables, or its page, as the commands do."""
    output = root / name if name == "tables" else root / "report.html"
    with contextlib.redirect_stdout(io.StringIO()):
        cli.main([name, str(root / "run"), "-o", str(output)], standalone_mode=False)
    told(name)


def multiply(folder: Path, done: int, suite: Suite) -> None:
    """Make a run of `done` tasks one of the whole suite: what is new are copies under other ids.

    `done` is a multiple of the mini suite's tasks, so that a copy is of the same task. The run is unsealed.
    """
    kept = read_manifest(folder)
    made = manifest("run", configure(PIPELINE, suite, TEAM, kept.configuration.served), suite, TEAM)
    made = made.model_copy(update={"created": kept.created, "sessions": kept.sessions})
    (folder / "manifest.json").write_text(made.model_dump_json(indent=2))
    (folder / "seal.json").unlink()
    count = len(suite.tasks)
    for path in (folder / name for name in RECORD_FILES if (folder / name).exists()):
        lines = path.read_text().splitlines(keepends=True)
        owners = [re.search('"Many/([0-9]+)"', line) for line in lines]
        with path.open("a") as file:
            for first in range(done, count, done):
                for line, owner in zip(lines, owners, strict=True):
                    if owner and (number := first + int(owner[1])) < count:
                        copy = line.replace(owner[0], f'"Many/{number}"')
                        file.write(copy.replace(f"\\n# {owner[1]}\\n", f"\\n# {number}\\n"))


def cut(root: Path) -> None:
    path = root / "run" / "verdicts.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-LEFT]))
    (root / "run" / "seal.json").unlink()  # as if the process had been killed


def stage(name: str, root: Path, tasks: int) -> None:
    suite = many(tasks)
    suite = replace(suite, hidden={**suite.hidden, **MINI.hidden})
    began, cpu = time.monotonic(), time.process_time()

    def told(name: str) -> None:
        nonlocal began, cpu
        row = {"tasks": tasks, "stage": name, "seconds": round(time.monotonic() - began, 1)}
        row["cpu"] = round(time.process_time() - cpu, 1)
        row["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        row["folder_mb"] = round(sum(each.stat().st_size for each in (root / "run").iterdir()) / 1e6)
        row["load"] = round(os.getloadavg()[0], 1)
        print(json.dumps(row), file=sys.__stdout__, flush=True)
        began, cpu = time.monotonic(), time.process_time()

    if name in ("run", "resume", "audit"):
        asyncio.run((audited if name == "audit" else run)(root, suite, told))
    else:
        shown(root, name, told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", default="1000,10000,100000")
    parser.add_argument("--done", type=int, help="tasks that are worked on; the others are copies")
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        stage(options.stage, options.dir, int(options.tasks))
        return
    for tasks in options.tasks.split(","):
        done = int(tasks)
        if options.done and options.done < done:
            done = max(1, options.done // len(MINI.tasks)) * len(MINI.tasks)
        with tempfile.TemporaryDirectory(dir=options.dir) as root:
            for name in STAGES:
                if name == "resume" and done < int(tasks):
                    multiply(Path(root) / "run", done, many(int(tasks)))
                    continue
                if name == "resume":
                    cut(Path(root))
                count = str(done) if name == "run" else tasks
                command = [sys.executable, __file__, "--stage", name, "--tasks", count, "--dir", root]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
