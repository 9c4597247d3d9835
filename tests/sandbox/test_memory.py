"""A candidate inherits the memory of the process that forks it: nothing of a job may ever have been there."""

import asyncio
from collections.abc import Iterator

import pytest

from dualcode.errors import SandboxError
from dualcode.sandbox import worker
from dualcode.sandbox.pool import Pool, open_sandbox
from dualcode.sandbox.tiers import TIERS
from tests.sandbox.walk import READS_CALLS_EARLY, Walk

READS_OUTPUTS = """
import os
splice = os.splice
def read_too(source, target, count, **options):
    moved = splice(source, target, count, **options)
    if "offset_src" not in options: os.pread(target, 1 << 20, 0)
    return moved
os.splice = read_too
"""
READS_JOBS = """
import os
close = os.close
def read_before(descriptor):
    try: os.pread(descriptor, 1 << 20, 0)
    except OSError: pass
    close(descriptor)
os.close = read_before
"""


@pytest.fixture(scope="module", params=TIERS)
def alone(request: pytest.FixtureRequest) -> Iterator[Pool]:
    """A sandbox of one server, so that all jobs have been there before the walk."""
    try:
        opened = asyncio.run(_open(request.param))
    except SandboxError as error:
        pytest.skip(f"this machine refuses the tier {request.param}: {error}")
    yield opened
    asyncio.run(opened.close())


async def _open(tier: str) -> Pool:
    return await open_sandbox(1, tier=tier)


async def test_no_job_leaves_anything_in_the_memory_of_the_next(alone: Pool) -> None:
    walk = Walk(alone)
    for name, run in walk.kinds.items():
        await run()
        walked = await walk.look()
        assert walked.found == 0, name
        assert walked.size > 32 << 20
    assert len(alone.servers) == 1


@pytest.mark.parametrize("leak", [READS_OUTPUTS, READS_JOBS], ids=["outputs", "jobs"])
@pytest.mark.parametrize("tier", TIERS)
async def test_the_walk_finds_what_a_server_has_only_read_and_freed(
    tier: str, leak: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_BOOT", leak + worker._BOOT)  # pyright: ignore[reportPrivateUsage]
    try:
        sandbox = await open_sandbox(1, tier=tier)
    except SandboxError as error:
        pytest.skip(f"this machine refuses the tier {tier}: {error}")
    walk = Walk(sandbox)
    try:
        await walk.kinds["whole"]()
        assert (await walk.look()).found
    finally:
        await sandbox.close()


async def test_a_program_is_not_given_its_inputs_before_it_is_loaded(alone: Pool) -> None:
    early, late = await Walk(alone).look_early()
    assert early == 0
    assert late


@pytest.mark.parametrize("tier", TIERS)
async def test_inputs_are_found_early_where_a_child_reads_them_with_its_program(
    tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_BOOT", READS_CALLS_EARLY + worker._BOOT)  # pyright: ignore[reportPrivateUsage]
    try:
        async with open_sandbox(1, tier=tier) as sandbox:
            early, _ = await Walk(sandbox).look_early()
    except SandboxError as error:
        pytest.skip(f"this machine refuses the tier {tier}: {error}")
    assert early
