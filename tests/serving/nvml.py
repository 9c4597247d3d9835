"""A scripted NVML: what the module `pynvml` is to us, with the GPUs and the words that a test wants."""

import os
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

GIB = 2**30
MIB = 2**20


class NvmlError(Exception):
    """What NVML raises for what it does not tell."""


class LibraryNotFoundError(NvmlError):
    """That NVML itself is not there."""


def nvml(
    *cards: Mapping[str, Any],
    lacks: Sequence[str] = (),
    driver: bool = True,
    reasons: int = 0,
    **values: Any,
) -> SimpleNamespace:
    """Return a module with these GPUs, else two; `lacks` names questions that the driver refuses.

    `values` are the answers that differ from an A10G's under work, and a card's are those of its own.
    """

    def refuse(*_: object) -> Any:
        raise NvmlError("Not Supported")

    def init() -> None:
        if not driver:
            raise LibraryNotFoundError("NVML Shared Library Not Found")

    answers: dict[str, Any] = {
        "DeviceGetCount": len(cards) or 2,
        "SystemGetDriverVersion": "580.65",
        "SystemGetCudaDriverVersion": 13000,
        "DeviceGetName": b"NVIDIA A10G",
        "DeviceGetUUID": "GPU-1",
        "DeviceGetMemoryInfo": SimpleNamespace(used=20 * GIB, total=24 * GIB),
        "DeviceGetUtilizationRates": SimpleNamespace(gpu=90),
        "DeviceGetCudaComputeCapability": (8, 6),
        "DeviceGetTemperature": 60,
        "DeviceGetPowerUsage": 250_000,
        "DeviceGetEnforcedPowerLimit": 300_000,
        "DeviceGetCurrentClocksEventReasons": reasons,
        "DeviceGetTotalEccErrors": 0,
        "DeviceGetRemappedRows": (0, 0, False, False),
        "DeviceGetCurrPcieLinkWidth": 16,
        "DeviceGetMaxPcieLinkWidth": 16,
        "DeviceGetDisplayActive": 0,
        "DeviceGetComputeRunningProcesses": [SimpleNamespace(pid=os.getpid(), usedGpuMemory=None)],
        **values,
    }

    def telling(name: str, answer: Any) -> Callable[..., Any]:
        def tell(handle: int = 0, *_: object) -> Any:
            return cards[handle].get(name, answer) if cards else answer

        return tell

    questions = {f"nvml{name}": telling(name, each) for name, each in answers.items()}
    questions |= {f"nvml{name}": refuse for name in lacks}
    bits = {"GpuIdle": 1, "SwPowerCap": 4, "HwThermalSlowdown": 64}
    named = {f"nvmlClocksEventReason{name}": bit for name, bit in bits.items()}
    return SimpleNamespace(
        NVMLError=NvmlError, NVMLError_LibraryNotFound=LibraryNotFoundError, nvmlInit=init,
        nvmlDeviceGetHandleByIndex=int, **questions, **named,
    )  # fmt: skip


def card(number: int, *, used: int = 4, total: int = 23028, **answers: Any) -> dict[str, Any]:
    """Return an idle A10G of this number; memory in MiB."""
    return {
        "DeviceGetUUID": f"GPU-{number}",
        "DeviceGetMemoryInfo": SimpleNamespace(used=used * MIB, total=total * MIB),
        "DeviceGetComputeRunningProcesses": (),
        **answers,
    }
