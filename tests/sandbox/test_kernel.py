"""The calls that Python has no name for: what they return, and that each refusal names its call."""

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dualcode.sandbox import kernel

NOWHERE = "/nowhere/at/all"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: kernel.unshare(-1), "unshare"),
        (lambda: kernel.setns(-1, 0), "setns"),
        (lambda: kernel.mount(NOWHERE, NOWHERE, "tmpfs"), f"mount tmpfs at {NOWHERE}"),
        (lambda: kernel.mount(NOWHERE, NOWHERE, flags=kernel.MS_BIND), f"mount bind at {NOWHERE}"),
        (lambda: kernel.unmount(NOWHERE), f"umount {NOWHERE}"),
        (lambda: kernel.pivot_root(NOWHERE, NOWHERE), "pivot_root"),
        (lambda: kernel.landlock_restrict(-1), "landlock_restrict_self"),
        (lambda: kernel.landlock_allow(-1, "/", 4), "landlock_add_rule /"),
        (lambda: kernel.wait(os.getpid()), "wait4"),
    ],
)
def test_a_refusal_names_the_call_and_the_reason(call: Callable[[], object], named: str) -> None:
    with pytest.raises(OSError) as raised:
        call()
    number, text = raised.value.args
    assert text == f"{named}: {os.strerror(number)}"


@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -signal.SIGKILL)])
def test_a_child_is_reaped_with_its_status_and_what_it_used(command: str, code: int) -> None:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", command], {})
    status, cpu, peak = kernel.wait(pid)
    assert os.waitstatus_to_exitcode(status) == code
    assert 0.0 <= cpu < 60.0
    assert peak > 1 << 16  # a shell in bytes, not kilobytes
    assert peak % 1024 == 0
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


@pytest.mark.parametrize("names", [["a"], [".a"], ["a", "b", "c"], ["x" * 255], ["é" * 100]])
def test_a_folder_is_empty_only_without_entries(tmp_path: Path, names: list[str]) -> None:
    assert kernel.is_empty(str(tmp_path))
    for name in names:
        (tmp_path / name).touch()
    assert not kernel.is_empty(str(tmp_path))
    for name in names:
        (tmp_path / name).unlink()
    assert kernel.is_empty(str(tmp_path))


def test_looking_into_a_folder_keeps_no_name_and_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "word").mkdir()
    gc.collect()  # so that nothing else is closed meanwhile
    before = len(list(Path("/proc/self/fd").iterdir()))
    kernel.is_empty(str(tmp_path))
    for missing in (tmp_path / "missing", Path("/dev/null")):
        with pytest.raises(OSError):
            kernel.is_empty(str(missing))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert kernel._entries.raw == bytes(48)  # pyright: ignore[reportPrivateUsage]


def test_limits_are_lowered_and_descriptors_closed_from_a_number_on() -> None:
    script = (
        "import os, resource\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))\n"
        "from dualcode.sandbox import kernel\n"
        "for bound in (9999, 250):\n"
        "    kernel.limit(kernel.RLIMIT_NOFILE, bound)\n"
        "    print(*resource.getrlimit(resource.RLIMIT_NOFILE))\n"
        "null = os.open(os.devnull, os.O_RDONLY)\n"
        "numbers = [os.dup2(null, number) for number in (10, 11, 40)]\n"
        "kernel.close_from(11)\n"
        "for number in numbers:\n"
        "    try: os.fstat(number); print(number, 'open')\n"
        "    except OSError: print(number, 'closed')\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["300 300", "250 250", "10 open", "11 closed", "40 closed"]
