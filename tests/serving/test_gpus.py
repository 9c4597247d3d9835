"""GPUs, as a scripted NVML tells of them."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from dualcode.operating import doctor
from dualcode.operating.check import Check
from dualcode.serving.gpus import Card, Cards
from tests.serving.nvml import nvml


def first(**scripted: Any) -> Card:
    return Cards(nvml(**scripted)).read()[0]


def looked_at(**scripted: Any) -> list[Check]:
    """Return what the doctor says of the GPUs themselves, without the kernel's log."""
    return [each for each in doctor.gpus(Cards(nvml(**scripted))) if each.about != "gpu faults"]


def test_a_gpu_is_read_in_watts_degrees_and_bytes_with_who_holds_it() -> None:
    card = first()
    assert (card.name, card.driver, card.cuda, card.capability) == ("NVIDIA A10G", "580.65", "13.0", "8.6")
    assert (card.watts, card.limit_watts, card.celsius, card.utilization) == (250.0, 300.0, 60, 0.9)
    assert (card.holders[0].pid, card.throttled) == (os.getpid(), ())


QUESTIONS = [
    "SystemGetDriverVersion", "SystemGetCudaDriverVersion", "DeviceGetName", "DeviceGetUUID",
    "DeviceGetMemoryInfo", "DeviceGetUtilizationRates", "DeviceGetCudaComputeCapability",
    "DeviceGetTemperature", "DeviceGetPowerUsage", "DeviceGetEnforcedPowerLimit",
    "DeviceGetCurrentClocksEventReasons", "DeviceGetTotalEccErrors", "DeviceGetRemappedRows",
    "DeviceGetCurrPcieLinkWidth", "DeviceGetMaxPcieLinkWidth", "DeviceGetDisplayActive",
    "DeviceGetComputeRunningProcesses",
]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_a_driver_does_not_tell_is_left_open(question: str) -> None:
    assert len(Cards(nvml(lacks=[question])).read()) == 2
    assert [each.status for each in looked_at(lacks=[question])] == ["pass", "pass"]


def test_a_driver_that_tells_nothing_still_has_its_gpus() -> None:
    assert [each.status for each in looked_at(lacks=QUESTIONS)] == ["pass", "pass"]


def test_without_a_driver_or_a_gpu_there_is_nothing_and_it_is_said_why() -> None:
    cards = Cards(nvml(driver=False))
    assert cards.read() == []
    [said] = doctor.gpus(cards)
    assert (said.status, said.found) == ("skip", "NVML: NVML Shared Library Not Found")
    assert [each.found for each in doctor.gpus(Cards(nvml(DeviceGetCount=0)))] == ["no NVIDIA GPU"]


@pytest.mark.parametrize(
    ("scripted", "status", "told"),
    [
        ({"reasons": 64}, "warn", "clocks are lowered: HwThermalSlowdown"),
        ({"DeviceGetTemperature": 91}, "warn", "91 °C"),
        ({"DeviceGetTotalEccErrors": 2}, "fail", "2 uncorrected ECC errors"),
        ({"DeviceGetRemappedRows": (1, 0, True, False)}, "warn", "broken rows"),
        ({"DeviceGetCurrPcieLinkWidth": 4}, "warn", "4 of 16 lanes"),
    ],
)
def test_what_is_not_well_has_a_line_of_its_own_and_a_remedy(
    scripted: dict[str, Any], status: str, told: str
) -> None:
    lines = looked_at(**scripted, DeviceGetCount=1)
    assert [each.status for each in lines] == ["pass", status]
    assert told in lines[1].found
    assert lines[1].remedy


@pytest.mark.parametrize("reasons", [1, 4])
def test_idleness_and_the_power_limit_are_no_fault(reasons: int) -> None:
    assert {each.status for each in looked_at(reasons=reasons)} == {"pass"}


def test_xids_are_found_in_the_kernels_log() -> None:
    line = "[12.3] NVRM: Xid (PCI:0000:00:1e): 79, pid=1234, GPU has fallen off the bus."
    found = doctor.xids(["[1.0] all is well", line])
    assert found.status == "fail"
    assert "1 Xid in the kernel's log, the last 79 at PCI:0000:00:1e" in found.found
    assert doctor.xids(["all is well"]).status == "pass"
    assert doctor.xids(None).status == "skip"


@pytest.mark.parametrize(
    "scripted",
    [
        {"DeviceGetName": b"NVIDIA \xff A10G"},
        {"DeviceGetComputeRunningProcesses": [SimpleNamespace(pid=2**22 + 1, usedGpuMemory=5)]},
        {"DeviceGetComputeRunningProcesses": ()},
        {"DeviceGetCount": 0},
        {"SystemGetCudaDriverVersion": 0},
        {"DeviceGetTemperature": 0, "DeviceGetPowerUsage": 0},
    ],
)
def test_an_odd_answer_of_a_driver_breaks_nothing(scripted: dict[str, Any]) -> None:
    for each in Cards(nvml(**scripted)).read():
        assert (each.name.startswith("NVIDIA"), each.uuid) == (True, "GPU-1")
    assert {each.status for each in looked_at(**scripted)} <= {"pass", "skip"}


def test_a_process_of_another_container_holds_memory_under_its_number_alone() -> None:
    [held] = first(
        DeviceGetComputeRunningProcesses=[SimpleNamespace(pid=2**22 + 1, usedGpuMemory=None)]
    ).holders
    assert (held.name, held.used_bytes) == ("a process that is not seen from here", None)


@pytest.mark.parametrize(
    ("celsius", "reasons", "told"),
    [(84, 0, None), (85, 0, "85 °C"), (90, 64, "clocks are lowered: HwThermalSlowdown")],
)
def test_heat_is_told_from_where_clocks_fall_and_once(celsius: int, reasons: int, told: str | None) -> None:
    lines = looked_at(DeviceGetTemperature=celsius, reasons=reasons, DeviceGetCount=1)
    assert [each.found for each in lines[1:]] == ([told] if told else [])


def test_a_narrow_bus_of_an_idle_gpu_is_its_way_to_save_power() -> None:
    idle = {"DeviceGetCurrPcieLinkWidth": 1, "DeviceGetUtilizationRates": SimpleNamespace(gpu=0)}
    assert {each.status for each in looked_at(**idle)} == {"pass"}


def test_clocks_are_read_by_the_older_name_where_the_newer_is_not_known() -> None:
    older = nvml(lacks=["DeviceGetCurrentClocksEventReasons"], DeviceGetCurrentClocksThrottleReasons=64)
    assert Cards(older).read()[0].throttled == ("HwThermalSlowdown",)


def test_memory_that_the_driver_keeps_for_itself_is_not_in_use() -> None:
    """The first version of the question counts it in, the second does not; nvidia-smi tells the second."""

    def memory(_handle: int, version: int | None = None) -> SimpleNamespace:
        return SimpleNamespace(used=1 if version == 2 else 500, total=1000)

    module = nvml()
    module.nvmlDeviceGetMemoryInfo = memory
    assert Cards(module).read()[0].used_bytes == 500  # a module that does not know the second
    module.nvmlMemory_v2 = 2
    assert Cards(module).read()[0].used_bytes == 1
