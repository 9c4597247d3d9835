"""Cores and memory as control groups leave them, on made folders of both versions."""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from dualcode import machine
from dualcode.machine import Memory

GIB = 2**30
UNLIMITED = 9223372036854771712
Make = Callable[[str, Mapping[str, str]], None]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a function that makes control groups: what the process says of its own, and files by path.

    The machine has 64 GiB, of which 40 are available, and 16 cores.
    """

    def made(own: str, files: Mapping[str, str]) -> None:
        folder = tmp_path / hashlib.sha256(repr((own, files)).encode()).hexdigest()  # what is there is cached
        monkeypatch.setattr(machine, "OWN", folder / "own")
        monkeypatch.setattr(machine, "GROUPS", folder)
        for name, text in {"own": own, **files}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(os.fsencode(text.rstrip("\n") + "\n"))

    monkeypatch.setattr(machine, "OWN", tmp_path / "own")
    monkeypatch.setattr(machine, "GROUPS", tmp_path)
    told = SimpleNamespace(total=64 * GIB, available=40 * GIB)
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: told)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))  # pyright: ignore
    return made


MACHINE = Memory(64 * GIB, 40 * GIB, 64 * GIB)


def test_without_control_groups_the_machine_counts(make: Make) -> None:
    assert (machine.memory(), machine.cores()) == (MACHINE, 16)  # not even /proc/self/cgroup
    make("0::/user.slice\n", {"user.slice/memory.max": "max", "user.slice/cpu.max": "max 100000"})
    assert (machine.memory(), machine.cores()) == (MACHINE, 16)
    files = {"memory/memory.limit_in_bytes": str(UNLIMITED), "cpu/cpu.cfs_quota_us": "-1"}
    make("4:memory:/\n1:cpu:/\n", files | {"cpu/cpu.cfs_period_us": "100000"})
    assert (machine.memory(), machine.cores()) == (MACHINE, 16)


@pytest.mark.parametrize("place", ["", "job/", "job/step/"])
def test_the_narrowest_group_of_the_second_version_counts(make: Make, place: str) -> None:
    """In a container its own group is the outermost; elsewhere any on the way may have the limit."""
    files = {f"{place}memory.max": str(8 * GIB), f"{place}memory.current": str(3 * GIB)}
    files |= {f"{place}cpu.max": "250000 100000", "job/step/x": "", "job/other/memory.max": "1"}
    make("0::/job/step\n", files)
    assert machine.memory() == Memory(8 * GIB, 5 * GIB, 64 * GIB)
    assert machine.cores() == 2
    make("0::/../../elsewhere\n", files)  # a path that is not seen from here
    assert (machine.memory().total < 64 * GIB) == (place == "")


@pytest.mark.parametrize("name", ["a..b", "gr\udcfcn"])
def test_a_group_may_have_any_name(make: Make, name: str) -> None:
    """Two dots within, or bytes that are no UTF-8."""
    make(f"0::/{name}\n", {f"{name}/cpu.max": "200000 100000", f"{name}/memory.max": str(GIB)})
    assert (machine.cores(), machine.memory().total) == (2, GIB)


def test_a_group_of_the_first_version_counts(make: Make) -> None:
    group = "memory/docker/a1/memory"
    files = {f"{group}.limit_in_bytes": str(8 * GIB), f"{group}.usage_in_bytes": str(3 * GIB)}
    files |= {"memory/memory.limit_in_bytes": str(UNLIMITED), "cpu/docker/a1/cpu.cfs_quota_us": "50000"}
    make("4:memory:/docker/a1\n2:cpu,cpuacct:/docker/a1\n0::/\n", files)
    assert (machine.memory(), machine.cores()) == (Memory(8 * GIB, 5 * GIB, 64 * GIB), 16)
    files |= {"cpu/docker/a1/cpu.cfs_period_us": "100000"}
    make("4:memory:/docker/a1\n2:cpu,cpuacct:/docker/a1\n", files)
    assert machine.cores() == 1  # half a core is one worker's


def test_files_that_the_kernel_can_drop_are_available(make: Make) -> None:
    files = {"memory.max": str(8 * GIB), "memory.current": str(8 * GIB)}
    make("0::/\n", files | {"memory.stat": f"anon 5\ninactive_file {6 * GIB}\nactive_file 7"})
    assert machine.memory().available == 6 * GIB


def test_a_limit_above_what_the_machine_has_is_none(make: Make) -> None:
    make("0::/\n", {"memory.max": str(100 * GIB), "memory.current": "0", "cpu.max": "6400000 100000"})
    assert (machine.memory(), machine.cores()) == (MACHINE, 16)
