"""Kill -9 at random moments of `--pipeline all`, then resume: the same records, and no call paid twice."""

import json
import os
import random
import signal
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from dualcode.models.ledger.store import FOLDER, LedgerStore
from dualcode.pipelines import builtins
from dualcode.runs.store import RunRecords, read_run
from tests.fake_server import FakeServer, serve
from tests.forked import dualcode
from tests.mini_model import TEAM, answer

KILLS = 8
CONCURRENCY = 2
TASKS = "MiniRich/0,MiniRich/3,MiniRich/7,MiniLean/2,MiniLean/5,MiniLean/9"


def start(folder: Path, team: Path) -> BaseProcess:
    options = [
        "--pipeline",
        "all",
        "--dataset",
        "mini",
        "--tasks",
        TASKS,
        "--team",
        str(team),
        "--json",
        "-q",
    ]
    return dualcode(["eval", *options, "--run-dir", str(folder)], errors=team.with_name("errors"))


def finish(process: BaseProcess, folder: Path) -> None:
    process.join()
    assert process.exitcode == 0, (folder / "errors").read_text()


def essence(records: RunRecords) -> dict[str, Any]:
    """What a run says, without when it was said and who paid."""
    calls = {
        (call.task_id, call.number): (
            call.step,
            call.role,
            call.request,
            call.reply and (call.reply.content, call.reply.usage),
            call.value,
            call.about,
            call.notes,
        )
        for call in records.calls
    }
    assert len(calls) == len(records.calls)
    return {
        "tasks": records.tasks,
        "programs": {key: program.text for key, program in records.programs.items()},
        "calls": calls,
        "samples": records.samples,
        "verdicts": records.verdicts,
        "shown": sorted(each.to_line() for each in records.shown),
    }


def runs(folder: Path) -> dict[str, dict[str, Any]]:
    found = {path.parent.name: essence(read_run(path.parent)) for path in folder.glob("*/manifest.json")}
    assert len(found) == len(builtins())
    return found


def asked(server: FakeServer) -> list[str]:
    return [json.dumps(body, sort_keys=True) for body in server.bodies]


@dataclass(frozen=True)
class Kill:
    """What was true when a process had been killed."""

    asked: int
    """Requests that the server had got."""
    unpaid: int
    """Different requests of them whose replies the ledger had not got."""


def kill(process: BaseProcess, server: FakeServer, folder: Path) -> Kill:
    assert process.pid is not None
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    while server.in_flight:
        time.sleep(0.005)
    before = asked(server)
    if not (folder / FOLDER).exists():
        return Kill(asked=len(before), unpaid=len(set(before)))
    ledger = LedgerStore.open(folder / FOLDER)
    try:
        return Kill(asked=len(before), unpaid=len(set(before)) - ledger.stats().entries)
    finally:
        ledger.close()


def wait_for_requests(server: FakeServer, count: int, process: BaseProcess) -> None:
    """Wait until so many requests have come: a moment of the run, however fast the machine is now."""
    end = time.monotonic() + 120
    while len(server.bodies) < count and process.is_alive() and time.monotonic() < end:
        time.sleep(0.005)


def kill_and_resume(root: Path, times: int, seed: int = 7) -> list[Kill]:
    """Kill and resume `--pipeline all` so often, at random moments; compare it with an undisturbed run."""
    team, kills, folder = root / "team.toml", list[Kill](), root / "killed"
    with serve() as server:
        server.respond = answer
        team.write_text(TEAM.format(url=server.base_url))
        finish(start(root / "undisturbed", team), root)
        once = asked(server)
        server.requests.clear()
        chance = random.Random(seed)
        for _ in range(times):
            process = start(folder, team)
            some = chance.randint(0, max(1, 3 * len(once) // (2 * times)))
            wait_for_requests(server, len(server.bodies) + some, process)
            time.sleep(chance.uniform(0, 0.1))  # into a reply, its record or the work between two calls
            kills.append(kill(process, server, folder))
        finish(start(folder, team), root)
        again = asked(server)
    assert set(again) == set(once)
    for last, next_one in zip(kills, [*kills[1:], Kill(asked=len(again), unpaid=0)], strict=True):
        assert last.unpaid <= 2 * CONCURRENCY  # what can be in flight
        twice = set(again[: last.asked]) & set(again[last.asked : next_one.asked])
        assert len(twice) <= last.unpaid, kills
    assert runs(folder) == runs(root / "undisturbed")
    assert len(once) == len(set(once))  # the undisturbed run asked nothing twice either
    return kills


@pytest.mark.timeout(1800)  # a busy machine starts a process in half a minute; it starts 10
def test_killed_and_resumed_runs_equal_undisturbed_ones_and_pay_no_call_twice(tmp_path: Path) -> None:
    kills = kill_and_resume(tmp_path, KILLS)
    assert len({each.asked for each in kills}) > KILLS // 2  # they fell into different moments
