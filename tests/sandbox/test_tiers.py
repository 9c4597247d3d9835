"""The strongest tier that works is chosen, a machine without one is told why, nothing is silently weaker."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dualcode.cli.sandbox import sandbox as command
from dualcode.errors import SandboxError
from dualcode.sandbox import policy, tiers
from dualcode.sandbox.job import Ran, frame
from dualcode.sandbox.libraries import Libraries, all_reachable, find_libraries
from dualcode.sandbox.wire import Answer, Arrival, Request, Settings, Work

CONTAINER = """
import ctypes, errno, os, sys
import pyseccomp
libc = ctypes.CDLL(None)
for capability in (21, 12, 19, 16):  # SYS_ADMIN, NET_ADMIN, SYS_PTRACE, SYS_MODULE
    libc.prctl(24, capability, 0, 0, 0)
rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
for name in "unshare setns mount umount2 pivot_root bpf perf_event_open keyctl ptrace".split():
    rules.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
rules.add_rule(pyseccomp.ERRNO(errno.EPERM), "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, 1 << 28, 1 << 28))
rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
if "no-landlock" in sys.argv:
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), 444)
rules.load()
code = "from dualcode.cli.sandbox import sandbox; sandbox()"
os.execv(sys.executable, [sys.executable, "-c", code, "--json"])
"""
"""A container with the default profile of container engines."""


def in_container(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", CONTAINER, *options], capture_output=True, text=True, check=False
    )


def test_landlock_is_chosen_where_namespaces_are_refused() -> None:
    done = in_container()
    if "landlock: Function not implemented" in done.stdout:
        pytest.skip("this kernel has no Landlock")
    report = json.loads(done.stdout)
    namespaces, landlock = report["tiers"]
    assert (namespaces["works"], namespaces["why"]) == (False, "unshare: Operation not permitted")
    assert landlock["works"]
    assert report["chosen"] == "landlock"
    assert report["lacks"]
    assert report["run_ms"]["runs"] > 0


def test_nothing_is_run_where_no_tier_works() -> None:
    done = in_container("no-landlock")
    report = json.loads(done.stdout)
    assert (done.returncode, report["chosen"]) == (3, None)
    assert [tier["why"] for tier in report["tiers"]] == [
        "unshare: Operation not permitted",
        "landlock: Function not implemented",
    ]


async def test_a_refusal_names_every_tier_and_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> bytes:
        raise SandboxError("libseccomp cannot be used: not found", hint=policy.HINT)

    monkeypatch.setattr(policy, "compile_policy", missing)
    monkeypatch.setattr(tiers, "_probed", {})
    with pytest.raises(SandboxError) as raised:
        await tiers.choose()
    assert "namespaces: libseccomp cannot be used" in raised.value.message
    assert "landlock: libseccomp cannot be used" in raised.value.message
    assert raised.value.hint == "apt-get install libseccomp2 (or your system's name for it)"
    choice = await tiers.choose(unsafe=True)
    assert (choice.tier.name, choice.policy) == ("unsafe", b"")
    assert "PROCESSES AND NETWORK ARE OPEN" in choice.tier.lacks


@pytest.mark.parametrize(
    ("attack", "need", "message"),
    [
        ("done", "done", "could read a file of the host"),
        ("denied", "OSError", "could not write a scratch file"),
    ],
)
async def test_a_tier_that_lets_one_attack_through_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, attack: str, need: str, message: str
) -> None:
    class Worker:
        def __init__(self, *_: object) -> None: ...

        async def ready(self) -> None: ...

        async def run(self, _: object) -> Ran:
            outcomes = [attack] * 6 + [need] * 3
            return Ran("finished", b"".join(frame("V", outcome.encode()) for outcome in outcomes))

        async def close(self) -> None: ...

    monkeypatch.setattr(tiers, "Worker", Worker)
    monkeypatch.setattr(tiers, "_probed", {})
    with pytest.raises(SandboxError, match=message):
        await tiers.choose("landlock")


def test_older_landlocks_say_what_stands_on_one_wall_only() -> None:
    assert len(tiers._lacks_by_abi(1)) == 3  # pyright: ignore[reportPrivateUsage]
    assert tiers._lacks_by_abi(7) == ()  # pyright: ignore[reportPrivateUsage]


def test_the_command_prints_what_holds() -> None:
    result = CliRunner().invoke(command, [])
    if result.exit_code == 3:
        pytest.skip("no tier works here")
    assert "(chosen)" in result.output
    assert "holds\n  files:" in result.output
    assert "one run of a trivial program: median" in result.output


def test_installed_packages_are_not_readable_but_numpy_is(tmp_path: Path) -> None:
    for name in ("numpy", "numpy.libs", "other"):
        (tmp_path / name).mkdir()
    found = find_libraries(str(tmp_path))
    assert str(tmp_path / "numpy") in found.readable
    assert str(tmp_path) not in found.readable
    assert not any(path.endswith("other") for path in found.readable)
    assert find_libraries(None).readable


def test_paths_that_others_cannot_reach_are_noticed(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir(mode=0o755)
    tmp_path.chmod(0o700)
    assert not all_reachable((str(inner),))
    assert all_reachable(("/usr",))


def test_a_folder_comes_before_what_lies_in_it() -> None:
    found: Libraries = find_libraries(None)
    assert list(found.readable) == sorted(found.readable)


def test_messages_arrive_as_they_were_sent() -> None:
    settings = Settings("landlock", "/tmp/x", None, b"\0\1", 65534)
    request = Request(7, 1.0, 2.0, 3.0, 4.0, 4, 5, 6, 7)
    answer = Answer(7, "died", 9, 1.0, 2.0, 3, 4, [Arrival(0, 0.0, 0.5), Arrival(4, 0.5, 0.5)], "cancelled ä")
    by_itself = answer._replace(ending=None, status=-1, arrivals=[], detail="")
    work = Work("x = 1\0\udc80", None, 9, 1.0, {0: 2.0}, True, False, None, True, 5)
    assert Settings.unpack(settings.pack()) == settings
    assert Request.unpack(request.pack()) == request
    assert Answer.unpack(answer.pack()) == answer
    assert Answer.unpack(by_itself.pack()) == by_itself
    assert Work.unpack(work.pack()) == work


def test_libraries_beneath_tmp_are_no_hindrance(tmp_path: Path) -> None:
    """A checkout in /tmp has its environment there, and so numpy: scratch must not lie over it."""
    numpy = importlib.util.find_spec("numpy")
    assert numpy is not None and numpy.origin is not None
    beneath = Path("/tmp") / f"dualcode-test-{tmp_path.name}-{os.getpid()}"
    for name in ("numpy", "numpy.libs"):
        if (source := Path(numpy.origin).parents[1] / name).is_dir():
            shutil.copytree(source, beneath / name)
    try:
        script = (
            "import asyncio\n"
            "from dualcode.sandbox import open_sandbox\n"
            "from dualcode.sandbox.job import Arguments, Job\n"
            "async def main():\n"
            "    async with open_sandbox(1, tier='namespaces') as sandbox:\n"
            "        text = 'import numpy\\ndef f(): return numpy.__file__'\n"
            "        ran = await sandbox.run(Job(text, Arguments.of('f', [[]])))\n"
            "        print(ran.ending, ran.stream)\n"
            "asyncio.run(main())\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(beneath)}
        command_line = [sys.executable, "-c", script]
        said = subprocess.run(command_line, env=environment, capture_output=True, text=True)
    finally:
        shutil.rmtree(beneath)
    if "unshare" in said.stderr:
        pytest.skip(f"this machine refuses namespaces: {said.stderr.strip().splitlines()[-1]}")
    assert "finished" in said.stdout, said.stderr
    assert str(beneath) in said.stdout
