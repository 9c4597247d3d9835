"""The pool of servers: what breaks is replaced, what is cancelled ends, and nothing is left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from dualcode import machine
from dualcode.errors import SandboxError
from dualcode.sandbox import pool as pools
from dualcode.sandbox import room
from dualcode.sandbox.job import Arguments, Job, Limits, Ran
from dualcode.sandbox.pool import Pool, bound_workers, open_sandbox
from dualcode.sandbox.sandbox import Tier
from dualcode.sandbox.tiers import TIERS, Choice, probe
from dualcode.sandbox.worker import Worker

SAME = Job("def f(x): return x", Arguments.of("f", [[1]]))
SLEEP = Job("import time\ndef f(x): time.sleep(60)", Arguments.of("f", [[1]]))
SLEEP_SHORTLY = Job("import time\ndef f(x): time.sleep(0.2)", Arguments.of("f", [[1]]))
SPIN = Job("def f(x):\n    while True: pass", Arguments.of("f", [[1]]), limits=Limits(call_cpu=0.3))


@pytest.fixture(params=TIERS)
def tier(request: pytest.FixtureRequest) -> str:
    if failure := asyncio.run(probe(request.param)):
        pytest.skip(f"this machine refuses the tier {request.param}: {failure}")
    return request.param


def descendants() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


def open_descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


async def until(true: Any) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110  # it is other processes that are waited for
            await asyncio.sleep(0.01)


async def test_a_killed_server_is_replaced_and_its_job_done_again(tier: str) -> None:
    async with open_sandbox(1, tier=tier) as sandbox:
        await sandbox.run(SAME)
        (server,) = sandbox.servers
        job = Job("import time\ndef f(x): time.sleep(0.5)", Arguments.of("f", [[1]]))
        running = asyncio.create_task(sandbox.run(job))
        await asyncio.sleep(0.1)
        os.kill(server, signal.SIGKILL)
        assert (await running).ending == "finished"
        assert server not in sandbox.servers


async def test_a_server_that_dies_between_jobs_is_replaced(tier: str) -> None:
    async with open_sandbox(1, tier=tier) as sandbox:
        await sandbox.run(SAME)
        for server in sandbox.servers:
            os.kill(server, signal.SIGKILL)
        assert (await sandbox.run(SAME)).ending == "finished"


BREAKS = Job("# breaks its server", Arguments.of("f", [[1]]))


def break_servers(monkeypatch: pytest.MonkeyPatch, breaks: Callable[[Job], bool]) -> list[int]:
    """Kill the server of each job that is said to break it, as that begins; return those that were killed."""
    run, killed = Worker.run, list[int]()

    async def run_broken(worker: Worker, job: Job) -> Ran:
        if breaks(job):
            inside = [process.pid for process in psutil.Process(worker.pid).children(recursive=True)]
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(worker.pid)
            await until(lambda: not any(map(psutil.pid_exists, inside)))  # else it may answer yet
        return await run(worker, job)

    monkeypatch.setattr(Worker, "run", run_broken)
    return killed


async def test_a_program_that_breaks_servers_where_no_other_does_has_died(
    tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_sandbox(2, tier=tier) as sandbox:
        await sandbox.run(SAME)
        killed = break_servers(monkeypatch, lambda job: job is BREAKS)
        ran = await sandbox.run(BREAKS)
        assert (ran.ending, ran.stream, ran.killed) == ("died", b"", True)
        assert "the fork server broke in 2 tries" in ran.detail
        assert len(set(killed)) == pools.TRIES
        assert (await sandbox.run(SAME)).ending == "finished"
        assert len(sandbox.servers) == 1


async def test_servers_that_break_under_any_job_are_an_error_of_ours(
    tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_sandbox(1, tier=tier) as sandbox:
        await sandbox.run(SAME)
        break_servers(monkeypatch, lambda _: True)
        with pytest.raises(SandboxError, match="in 2 tries .* under a job that is known to be good"):
            await sandbox.run(SAME)
        monkeypatch.undo()
        assert (await sandbox.run(SAME)).ending == "finished"


async def test_servers_that_died_while_idle_are_not_held_against_the_next_job(tier: str) -> None:
    async with open_sandbox(2, tier=tier) as sandbox:
        await asyncio.gather(*(sandbox.run(SLEEP_SHORTLY) for _ in range(2)))
        servers = sandbox.servers
        for server in servers:
            os.kill(server, signal.SIGKILL)
        assert (await sandbox.run(SAME)).ending == "finished"
        assert not servers & sandbox.servers


async def test_a_cancelled_run_ends_and_its_server_lives_on(tier: str) -> None:
    async with open_sandbox(1, tier=tier) as sandbox:
        await sandbox.run(SAME)
        idle, servers = descendants(), sandbox.servers
        running = asyncio.create_task(sandbox.run(SLEEP))
        await until(lambda: len(descendants()) > len(idle))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert descendants() == idle
        assert (await sandbox.run(SAME)).ending == "finished"
        assert sandbox.servers == servers


async def test_nothing_is_left_after_closing(tier: str) -> None:
    before = descendants()
    async with open_sandbox(2, tier=tier) as sandbox:
        await asyncio.gather(*(sandbox.run(SAME) for _ in range(4)))
        folders = sandbox.folders
        assert folders
        assert descendants() > before
    assert descendants() == before
    assert not any(folder.exists() for folder in folders)


async def test_closing_ends_what_runs(tier: str) -> None:
    before = descendants()
    sandbox = await open_sandbox(1, tier=tier)
    await sandbox.run(SAME)
    idle = len(descendants())
    running = asyncio.create_task(sandbox.run(SLEEP))
    await until(lambda: len(descendants()) > idle)
    await sandbox.close()
    await sandbox.close()
    with pytest.raises(SandboxError, match="closed"):
        await running
    assert descendants() == before
    with pytest.raises(SandboxError, match="closed"):
        await sandbox.run(SAME)


HOST = """
import asyncio, json, psutil
from dualcode.sandbox.job import Arguments, Job, Limits
from dualcode.sandbox.pool import open_sandbox
async def main():
    async with open_sandbox(2, tier={tier!r}) as sandbox:
        await sandbox.warm()  # else the first run may be over before the second server has started
        limits = Limits(call_cpu=200.0, total_cpu=200.0, wall=250.0)
        job = Job("def f(x):\\n    while True: pass", Arguments.of("f", [[1]]), limits)
        runs = [asyncio.create_task(sandbox.run(job)) for _ in range(2)]
        while len(started := psutil.Process().children(recursive=True)) < {processes} * sandbox.workers:
            await asyncio.sleep(0.01)
        print(json.dumps([process.pid for process in started]), flush=True)
        await asyncio.gather(*runs)
asyncio.run(main())
"""


def test_a_killed_host_leaves_nothing_running(tier: str) -> None:
    processes = {"namespaces": 3, "landlock": 2}[tier]  # of each run: its own, its server's, and who waits
    source = HOST.format(tier=tier, processes=processes)
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        started = json.loads(host.stdout.readline())
        host.kill()
    assert len(started) >= processes  # of one run or two, by the memory that is there; and who counts files
    asyncio.run(until(lambda: not any(map(psutil.pid_exists, started))))


async def test_jobs_run_beside_each_other_up_to_the_number_of_workers(tier: str) -> None:
    async with open_sandbox(2, tier=tier) as sandbox:
        job = Job("import time\ndef f(x): time.sleep(0.3)", Arguments.of("f", [[1]]))
        assert sandbox.workers <= 2
        runs = await asyncio.gather(*(sandbox.run(job) for _ in range(5)))
        assert all(run.ending == "finished" for run in runs)
        assert len(sandbox.servers) <= 2


async def test_the_event_loop_turns_while_a_job_runs(tier: str) -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with open_sandbox(1, tier=tier) as sandbox:
        await sandbox.run(SAME)
        turning = asyncio.create_task(turn())
        await sandbox.run(SPIN)
        turning.cancel()
    assert turns > 200


async def test_no_descriptor_is_lost_in_host_or_server(tier: str) -> None:
    async with open_sandbox(1, tier=tier) as sandbox:
        await sandbox.run(SAME)
        before = open_descriptors()
        for _ in range(80):  # more than a server may have open
            assert (await sandbox.run(SAME)).ending == "finished"
        assert open_descriptors() == before
        assert len(sandbox.servers) == 1


async def test_a_sandbox_serves_more_than_one_event_loop(tier: str) -> None:
    sandbox = await open_sandbox(1, tier=tier)
    await sandbox.run(SAME)
    ran = await asyncio.to_thread(lambda: asyncio.run(sandbox.run(SAME)))
    await sandbox.close()
    assert ran.ending == "finished"


def test_workers_are_as_many_as_usual_runs_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available_memory", lambda: 3 * room.USUAL_MEMORY)
    assert bound_workers(8) == 3
    assert bound_workers(2) == 2
    monkeypatch.setattr(room, "available_memory", lambda: 1 << 20)
    assert bound_workers(None) == 1
    monkeypatch.setattr(room, "available_memory", lambda: 10 << 30)  # of a laptop's 16 GiB
    assert bound_workers(16) == 16


class Begun(Pool):
    """Runs nothing, and notes what began; it ends when that is said."""

    def __init__(self, workers: int) -> None:
        super().__init__(Choice(Tier(name="namespaces", holds=()), b""), workers, 0)
        self.begun = 0
        self.over = asyncio.Event()

    async def _try(self, job: Job, causes: list[str], leave: Callable[[], bool], *, fresh: bool) -> Ran:
        self.begun += 1
        await self.over.wait()
        return Ran("finished", b"")


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_runs_begin_beside_others_only_while_memory_is_really_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = [0]
    monkeypatch.setattr(room, "available_memory", lambda: left[0])
    monkeypatch.setattr(pools, "LOOK_SECONDS", 0)
    one, other = Begun(3), Begun(3)  # two pools, which do not know of each other
    runs = [asyncio.create_task(pool.run(SAME)) for pool in (one, other) for _ in range(3)]
    await settled()
    assert (one.begun, other.begun) == (1, 1)  # alone, a run begins always
    left[0] = Limits().memory
    await settled()
    assert (one.begun, other.begun) == (3, 3)
    one.over.set()
    other.over.set()
    assert [(await run).ending for run in runs] == ["finished"] * 6


def test_on_a_small_machine_a_quarter_of_its_memory_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "whole_memory", lambda: 8 << 30)
    monkeypatch.setattr(room, "available_memory", lambda: 2 << 30)
    assert room.enough_memory(4 << 30)
    monkeypatch.setattr(room, "available_memory", lambda: (2 << 30) - 1)
    assert not room.enough_memory(4 << 30)
    assert room.enough_memory(1 << 30)


def test_the_memory_of_a_control_group_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("400\n")
    monkeypatch.setattr(machine, "GROUPS", tmp_path)
    monkeypatch.setattr(machine, "OWN", tmp_path / "none")
    assert (room.available_memory(), room.whole_memory()) == (600, 1000)
    (tmp_path / "memory.max").write_text("max\n")
    assert room.available_memory() > 1000


async def test_an_unknown_tier_is_an_error() -> None:
    with pytest.raises(SandboxError, match="there is no sandbox tier 'chroot'"):
        await open_sandbox(tier="chroot")


async def test_running_without_a_sandbox_must_be_allowed() -> None:
    with pytest.raises(SandboxError, match="must be allowed") as raised:
        await open_sandbox(tier="unsafe")
    assert raised.value.hint == "--unsafe"


async def test_the_tier_without_a_sandbox_says_so_and_keeps_the_limits() -> None:
    async with open_sandbox(1, tier="unsafe", unsafe=True) as sandbox:
        assert sandbox.tier.name == "unsafe"
        assert "CAN BE READ" in sandbox.tier.lacks[0]
        assert (await sandbox.run(SAME)).ending == "finished"
        assert (await sandbox.run(SPIN)).ending == "timed_out"


def test_pools_are_sandboxes() -> None:
    from dualcode.sandbox.sandbox import Sandbox
    from dualcode.sandbox.scripted import ScriptedSandbox, returned

    sandboxes: list[type[Sandbox]] = [Pool, ScriptedSandbox]
    assert all(hasattr(each, "run") for each in sandboxes)
    assert returned([1]).ending == "finished"
