"""Memory and time of a run as it grows: begun, done, resumed, sealed and summed up, at so many tasks.

    python benchmarks/growth.py [--tasks 1000,10000,100000] [--dir FOLDER]

Models, bench and grader are scripted, records and everything after them are real: three calls a task and a
little more (`review-fix-retry`). Each stage is a process of its own, so its peak of memory is its own. Prints
a JSON line a stage: wall and CPU seconds, peak RSS in MB, and the size of the run's folder.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.throughput import BUDGET, TEAM, Judge, answer, many
from dualcode.bench.scripted import ScriptedBench
from dualcode.call import Request
from dualcode.grading.reference import Reference
from dualcode.models.endpoints import Served
from dualcode.models.scripted import ScriptedChat
from dualcode.pipelines.find import find_pipeline
from dualcode.runs import seal
from dualcode.runs.manifest import configure, manifest
from dualcode.runs.pool import work
from dualcode.runs.runner import Runner, open_run, session
from dualcode.runs.session import RunStore
from dualcode.sampling import PAPER
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.team import Seat, Team

MINI = load_suite("mini")
PIPELINE = find_pipeline("review-fix-retry")
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


async def run(root: Path, suite: Suite) -> None:
    """Begin the run, or go on with it."""
    chance = random.Random(7)

    def said(request: Request) -> str:
        return answer(request, chance)

    store = opened(root, suite)
    store.begin_session(session(36), {})
    seats = {
        role: Seat(role, ScriptedChat(said, name=role, remember=False), PAPER, 1000, BUDGET[role])
        for role in PIPELINE.roles
    }
    team = Team(seats, bench=ScriptedBench({"None": "got None"}))
    await work([Runner(PIPELINE, suite, team, Judge(), store, task_seconds=1e9)])
    store.end_session()
    store.close()


async def sealed(root: Path, suite: Suite) -> None:
    """Audit the run, sum it up and seal it, as `dualcode eval` does at the end."""
    seal.References = MiniReferences
    (root / "run" / "seal.json").unlink(missing_ok=True)
    found, summary = await seal.finish(root / "run", suite)
    assert summary.complete, summary.base
    assert found.calls == summary.calls


def cut(root: Path) -> None:
    path = root / "run" / "verdicts.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-LEFT]))


def stage(name: str, root: Path, tasks: int) -> None:
    suite = many(tasks)
    suite = replace(suite, hidden={**suite.hidden, **MINI.hidden})
    began, cpu = time.monotonic(), time.process_time()
    asyncio.run(sealed(root, suite) if name == "seal" else run(root, suite))
    row = {"tasks": tasks, "stage": name, "seconds": round(time.monotonic() - began, 1)}
    row["cpu"] = round(time.process_time() - cpu, 1)
    row["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    row["folder_mb"] = round(sum(each.stat().st_size for each in (root / "run").iterdir()) / 1e6)
    row["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", default="1000,10000,100000")
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--stage", choices=("run", "resume", "seal"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        stage(options.stage, options.dir, int(options.tasks))
        return
    for tasks in options.tasks.split(","):
        with tempfile.TemporaryDirectory(dir=options.dir) as root:
            for name in ("run", "resume", "seal"):
                if name == "resume":
                    cut(Path(root))
                command = [sys.executable, __file__, "--stage", name, "--tasks", tasks, "--dir", root]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
