"""Nothing is open in a candidate but its own stream, whatever its host had open."""

import asyncio
import contextlib
import marshal
import os
import resource
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dualcode.sandbox import worker
from dualcode.sandbox.job import Arguments, Job, Ran
from dualcode.sandbox.pool import open_sandbox
from dualcode.sandbox.tiers import TIERS, probe

FIND = Job(
    """
import os
def f():
    found = []
    for number in range(100_000):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
        try:
            number == 3 or os.write(number, b"written by a candidate")
        except OSError:
            pass
    return found
""",
    Arguments.of("f", [[]]),
)
INSIDE = [0, 1, 2, 3]
"""/dev/null three times, and the stream."""

KEPT_OPEN = "\nfrom dualcode.sandbox import kernel\nkernel.close_from = lambda first: None\n"


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Path]:
    """A host that has a file open for writing under hundreds of numbers, which its children inherit."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 4096 if before[1] in (resource.RLIM_INFINITY, -1) else min(4096, before[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    path = tmp_path / "host"
    own = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    taken = {int(each.name) for each in Path("/proc/self/fd").iterdir()}
    numbers = list[int]()
    for number in (*range(20, 320), 1023, 1024, 1025, most - 1):
        with contextlib.suppress(OSError):  # a thread that waits in accept() has reserved it
            numbers += [os.dup2(own, number, inheritable=True)] if number not in taken else []
    assert len(numbers) > 200
    yield path
    for number in (own, *numbers):
        os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def find(tier: str) -> Any:
    """Return the descriptors that a candidate finds open, or how it ended otherwise."""

    async def run() -> Ran:
        if failure := await probe(tier):
            pytest.skip(f"this machine refuses the tier {tier}: {failure}")
        async with open_sandbox(1, tier=tier) as sandbox:
            return await sandbox.run(FIND)

    ran = asyncio.run(run())
    return marshal.loads(ran.returned()[0].payload) if ran.ending == "finished" else ran


@pytest.mark.parametrize("tier", TIERS)
def test_a_candidate_has_its_stream_open_and_nothing_of_its_hosts(tier: str, crowd: Path) -> None:
    assert find(tier) == INSIDE
    assert crowd.read_bytes() == b""


@pytest.mark.parametrize("tier", TIERS)
def test_what_a_server_inherits_is_closed_there(
    tier: str, crowd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.subprocess, "Popen", partial(_popen, subprocess.Popen))
    assert find(tier) == INSIDE
    assert crowd.read_bytes() == b""


@pytest.mark.parametrize("tier", TIERS)
def test_a_candidate_writes_to_what_is_not_closed(
    tier: str, crowd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.subprocess, "Popen", partial(_popen, subprocess.Popen))
    boot = worker._BOOT.replace("\nserver.main", KEPT_OPEN + "server.main")  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(worker, "_BOOT", boot)
    assert find(tier) != INSIDE
    assert b"written by a candidate" in crowd.read_bytes()


def _popen(start: Any, *args: Any, **options: Any) -> Any:
    """Start a process that inherits whatever this one lets it."""
    os.set_inheritable(options.pop("pass_fds")[0], True)
    return start(*args, **options, close_fds=False)
