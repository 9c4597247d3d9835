"""Servers that start before a sandbox is asked for: used if the tier holds, gone in every other case."""

from pathlib import Path

import pytest

from dualcode.errors import SandboxError
from dualcode.sandbox import early, tiers, worker
from dualcode.sandbox.job import Arguments, Job
from dualcode.sandbox.pool import open_sandbox
from dualcode.sandbox.room import bound_workers
from dualcode.sandbox.tiers import probe

TWICE = Job("def twice(x):\n    return 2 * x\n", Arguments.of("twice", [[21]]))


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[worker.Worker]:
    """What was started early, and what was started after it."""
    every: list[worker.Worker] = []
    start = worker.Worker.__init__

    def note(self: worker.Worker, tier: str, policy: bytes) -> None:
        start(self, tier, policy)
        every.append(self)

    monkeypatch.setattr(worker.Worker, "__init__", note)
    return every


async def skip_without_namespaces() -> None:
    if failure := await probe("namespaces"):
        pytest.skip(failure.message)


@pytest.mark.parametrize("tried_before", [True, False])
async def test_a_sandbox_tries_its_tier_in_them_and_takes_them_all(
    begun: list[worker.Worker], monkeypatch: pytest.MonkeyPatch, tried_before: bool
) -> None:
    await skip_without_namespaces()
    if not tried_before:
        monkeypatch.setattr(tiers, "_probed", {})
    begun.clear()
    count = bound_workers(2)
    with early.starting(2):
        assert len(begun) == count
        async with open_sandbox(2) as sandbox:
            await sandbox.warm()
            ran = await sandbox.run(TWICE)
            assert sandbox.servers == {each.pid for each in begun}
    assert ran.ending == "finished"
    assert len(begun) == count
    assert not any(is_running(each.pid) or each.folder.exists() for each in begun)


def test_what_no_sandbox_took_is_gone_afterwards(begun: list[worker.Worker]) -> None:
    with pytest.raises(KeyError), early.starting(1):
        raise KeyError  # a file that is not there, say
    assert begun
    assert not any(is_running(each.pid) or each.folder.exists() for each in begun)
    assert not early.take("namespaces")


async def test_those_of_a_tier_that_does_not_hold_are_gone_before_the_next_is_tried(
    begun: list[worker.Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiers, "_probed", {"namespaces": SandboxError("not here"), "landlock": None})
    with early.starting(1):
        choice = await tiers.choose()
        assert (choice.tier.name, choice.servers) == ("landlock", [])
        assert not any(is_running(each.pid) or each.folder.exists() for each in begun)


async def test_another_tier_asked_for_by_name_takes_none(begun: list[worker.Worker]) -> None:
    if failure := await probe("landlock"):
        pytest.skip(failure.message)
    begun.clear()
    with early.starting(1):
        async with open_sandbox(1, tier="landlock") as sandbox:
            assert (await sandbox.run(TWICE)).ending == "finished"
            assert sandbox.servers.isdisjoint({begun[0].pid})
    assert not any(is_running(each.pid) or each.folder.exists() for each in begun)


def test_what_cannot_be_started_is_left_to_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> bytes:
        raise SandboxError("no libseccomp")

    monkeypatch.setattr(early.policy, "compile_policy", refuse)
    with early.starting(2):
        assert not early.take("namespaces")
