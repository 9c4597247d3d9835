"""The jail for commands: what it gives, what it ends, and every attack with its control."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dualcode.errors import SandboxError
from dualcode.issues.jail import tiers
from dualcode.issues.jail.jail import LONGEST, CommandJail, compile_filter
from dualcode.issues.jail.room import Room
from dualcode.issues.task import Limits
from tests.issues.attacks import ATTACKS, BOMB, Attack, Bare, attempt, command_lines


@pytest.fixture
def room() -> Iterator[Room]:
    with tiers.room_for_tests() as made:
        yield made


@pytest.mark.parametrize("attack", [*ATTACKS, BOMB], ids=lambda attack: attack.name)
async def test_an_attack_does_no_harm(attack: Attack, jail: CommandJail) -> None:
    harmed, ended = await attempt(attack, jail)
    assert not harmed, (ended.ending, ended.exit_code, ended.output)


@pytest.mark.parametrize(
    "attack", [*(each for each in ATTACKS if not each.limit), BOMB], ids=lambda attack: attack.name
)
async def test_an_attack_does_its_harm_without_a_jail(attack: Attack) -> None:
    if attack.name in REFUSED and REFUSED[attack.name]():
        pytest.skip("the kernel refuses it here to everybody")
    harmed, ended = await attempt(attack, Bare())
    assert harmed, (ended.ending, ended.exit_code, ended.output)


def _refuses(call: str) -> bool:
    """Whether a process of this machine cannot make a call, jail or not."""
    source = f"import ctypes; raise SystemExit({call} < 0)"
    return subprocess.run([sys.executable, "-I", "-c", source], check=False).returncode != 0


REFUSED = {
    "make a user namespace": lambda: _refuses("ctypes.CDLL(None).unshare(0x10000000)"),
    "leave a key in the kernel's keyring": lambda: _refuses("ctypes.CDLL(None).syscall(250, 0, -4, 1)"),
}
"""Attacks that a kernel, or a container around the tests, may refuse to all, and how that is found."""


async def test_a_command_finds_what_it_needs(jail: CommandJail, room: Room) -> None:
    line = "pwd; python -c 'import sqlite3, sys; print(sys.version_info >= (3, 8))'; git --version"
    ended = await jail.run(line, room)
    lines = ended.output.splitlines()
    assert (ended.ending, ended.exit_code) == ("finished", 0), ended.output
    assert lines[0] == jail.places(room).tree
    assert lines[1] == "True"
    assert lines[2].startswith("git version")


async def test_exit_codes_are_a_shell_s(jail: CommandJail, room: Room) -> None:
    for line, code in (("exit 3", 3), ("kill -9 $$", 137), ("no-such-command", 127)):
        assert (await jail.run(line, room)).exit_code == code


async def test_a_tree_to_be_read_only_is(jail: CommandJail, room: Room) -> None:
    reading = Room(room.worktree, room.environment, writable=False, scratch=room.scratch)
    ended = await jail.run("echo x > file; echo y > ~/kept; cat ~/kept", reading)
    assert not (room.worktree.path / "file").exists()
    assert ended.output.endswith("y\n")


@pytest.mark.parametrize("tier", [*tiers.TIERS, "unsafe"])
async def test_a_room_without_a_folder_for_temporary_files_has_an_empty_one_each_time(
    tier: str, room: Room
) -> None:
    if tier != "unsafe" and await tiers.probe(tier) is not None:
        pytest.skip(f"{tier} does not hold here")
    bare, jail = replace(room, scratch=None), CommandJail(tiers.describe(tier, {}))
    line = 'ls -A "$TMPDIR" && echo x > "$TMPDIR/file" && ls ~'
    told = await asyncio.gather(*(jail.run(f"sleep {seconds}", bare) for seconds in (0, 1)))
    told += [await jail.run(line, bare) for _ in range(2)]
    assert [each.output for each in told] == ["", "", "file\n", "file\n"]
    assert not list(room.worktree.base.folder.glob("scratch/*"))


async def test_the_middle_of_long_output_is_left_out(jail: CommandJail, room: Room) -> None:
    ended = await jail.run("echo first; seq 100000; echo last", room, Limits(output_kb=2))
    assert ended.output.startswith("first\n1\n")
    assert ended.output.endswith("100000\nlast\n")
    assert ended.left_out > 500_000
    assert f"[{ended.left_out:,} bytes left out]" in ended.output


async def test_nothing_of_the_host_s_environment_is_seen(
    jail: CommandJail, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    ended = await jail.run("env; cat /proc/self/environ; cat /proc/1/environ", room)
    assert "PATH=" in ended.output
    assert "secret-key" not in ended.output


async def test_stdin_is_empty_and_a_command_that_reads_it_goes_on(jail: CommandJail, room: Room) -> None:
    ended = await jail.run("cat; echo done", room)
    assert (ended.output, ended.exit_code) == ("done\n", 0)


async def test_cancelling_ends_all_processes(jail: CommandJail, room: Room) -> None:
    mark = os.urandom(8).hex()
    line = f"setsid bash -c 'sleep 600; : {mark}' & touch started; sleep 600; : {mark}"
    running = asyncio.create_task(jail.run(line, room, Limits(command_seconds=300)))
    while not list(room.worktree.path.glob("started")):  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not any(mark in line for line in command_lines())


async def test_commands_run_side_by_side(jail: CommandJail, room: Room) -> None:
    ended = await asyncio.gather(*(jail.run(f"echo {n} > out{n}; cat out{n}", room) for n in range(4)))
    assert [each.output for each in ended] == ["0\n", "1\n", "2\n", "3\n"]


async def test_a_command_that_no_kernel_would_take_is_told_so(jail: CommandJail, room: Room) -> None:
    assert (await jail.run("#" * (LONGEST + 1), room)).ending == "too long"


async def test_without_a_jail_that_holds_nothing_is_run_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(name: str) -> SandboxError:
        return SandboxError(f"{name} does not hold", hint=f"mend {name}")

    monkeypatch.setattr(tiers, "probe", broken)
    with pytest.raises(
        SandboxError, match="bubblewrap does not hold; landlock: landlock does not hold"
    ) as error:
        await tiers.open_jail()
    assert error.value.hint == "mend bubblewrap"
    assert (await tiers.open_jail(unsafe=True)).tier.name == "unsafe"
    with pytest.raises(SandboxError, match="must be allowed"):
        await tiers.open_jail("unsafe")
    with pytest.raises(SandboxError, match="no jail 'docker'"):
        await tiers.open_jail("docker", unsafe=True)


async def test_a_jail_in_which_one_attack_succeeds_is_not_taken(
    jail: CommandJail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tiers._ATTACKS, "read a file of its own", "open(sys.argv[0]).read()")  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(tiers, "_probed", {})
    failure = await tiers.probe(jail.tier.name)
    assert failure is not None
    assert failure.message == "a command could read a file of its own: done"


async def test_a_machine_without_bubblewrap_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(tiers, "_probed", {})
    failure = await tiers.probe("bubblewrap")
    assert failure is not None
    assert (failure.message, "apt-get install bubblewrap" in str(failure.hint)) == (
        "bwrap is not installed",
        True,
    )


async def test_a_jail_that_cannot_be_entered_is_no_fault_of_the_command(
    jail: CommandJail, room: Room, tmp_path: Path
) -> None:
    gone = Room(room.worktree, room.environment, results=tmp_path / "gone")
    with pytest.raises(SandboxError):
        await jail.run("true", gone)


def test_the_filters_differ_in_sockets() -> None:
    assert len(compile_filter(sockets=True)) % 8 == 0
    assert compile_filter(sockets=True) != compile_filter(sockets=False)


async def test_what_holds_is_told_of_every_tier() -> None:
    for name in (*tiers.TIERS, "unsafe"):
        tier = tiers.describe(name, {})
        assert tier.holds
        assert tier.lacks
        assert json.loads(tier.to_line())["name"] == name


def test_the_probe_holds_for_who_has_lost_his_parent(jail: CommandJail) -> None:
    """A process whose parent has ended has the parent 1, which is somebody in every pid namespace."""
    program = (
        "import asyncio, os\n"
        "parent = os.getpid()\n"
        "if os.fork(): os._exit(0)\n"
        "while os.getppid() == parent: pass\n"
        "from dualcode.issues.jail.tiers import probe\n"
        f"print(asyncio.run(probe({jail.tier.name!r})))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "None"
