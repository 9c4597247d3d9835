"""NVIDIA GPUs as NVML tells of them. Where there is no driver, or no module `pynvml`, there are none."""

import importlib
from typing import Any

import psutil

from dualcode.record import Record

_HARMLESS = (
    "GpuIdle",
    "ApplicationsClocksSetting",
    "UserDefinedClocks",
    "None",
    "All",
    "DisplayClockSetting",
)
_REASONS = "nvmlClocksEventReason", "nvmlClocksThrottleReason"
"""Prefixes of NVML's names for why clocks are low; the second is the older."""


class Holder(Record):
    """A process that holds memory of a GPU."""

    pid: int
    name: str
    used_bytes: int | None
    """None where the driver does not tell, as in containers."""


class Card(Record):
    """A GPU now; None is what the driver does not tell."""

    index: int
    uuid: str
    name: str
    driver: str | None = None
    cuda: str | None = None
    """The newest CUDA that the driver serves."""
    capability: str | None = None
    used_bytes: int | None = None
    total_bytes: int | None = None
    utilization: float | None = None
    """0..1."""
    celsius: float | None = None
    watts: float | None = None
    limit_watts: float | None = None
    throttled: tuple[str, ...] = ()
    """Why its clocks are low, in NVML's words; idleness and settings of the user aside."""
    ecc_errors: int | None = None
    """Uncorrected, since the driver was loaded."""
    remap_pending: bool | None = None
    """Whether broken rows of memory wait for a reset of the GPU."""
    pcie_width: int | None = None
    pcie_most: int | None = None
    holders: tuple[Holder, ...] = ()


class Cards:
    """Reads GPUs; one connection to NVML. What the driver refuses to tell is left open."""

    def __init__(self, nvml: Any = None) -> None:
        """`nvml` is the module; None: `pynvml`, where it is installed and finds a driver."""
        self.why_none = ""
        """Why there is no GPU to read, in words; empty if there is."""
        if nvml is None:
            try:
                nvml = importlib.import_module("pynvml")
            except ImportError:
                self.why_none = "the module pynvml (package nvidia-ml-py) is not installed"
        self._nvml: Any = nvml
        if nvml is not None:
            try:
                nvml.nvmlInit()
            except nvml.NVMLError as error:
                self.why_none = f"NVML: {error}"
                self._nvml = None

    def read(self) -> list[Card]:
        """Return every GPU, in NVML's order."""
        count = self._ask("nvmlDeviceGetCount") if self._nvml else 0
        handles = [self._ask("nvmlDeviceGetHandleByIndex", index) for index in range(count or 0)]
        return [self._card(index, handle) for index, handle in enumerate(handles) if handle is not None]

    def _card(self, index: int, handle: Any) -> Card:
        ask = self._ask
        memory, rates = ask("nvmlDeviceGetMemoryInfo", handle), ask("nvmlDeviceGetUtilizationRates", handle)
        capability = ask("nvmlDeviceGetCudaComputeCapability", handle)
        cuda = ask("nvmlSystemGetCudaDriverVersion")
        remapped = ask("nvmlDeviceGetRemappedRows", handle)
        return Card(
            index=index,
            uuid=_text(ask("nvmlDeviceGetUUID", handle)) or f"GPU {index}",
            name=_text(ask("nvmlDeviceGetName", handle)) or "unknown GPU",
            driver=_text(ask("nvmlSystemGetDriverVersion")),
            cuda=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
            capability=f"{capability[0]}.{capability[1]}" if capability else None,
            used_bytes=memory.used if memory else None,
            total_bytes=memory.total if memory else None,
            utilization=rates.gpu / 100 if rates else None,
            celsius=ask("nvmlDeviceGetTemperature", handle, 0),
            watts=_thousandth(ask("nvmlDeviceGetPowerUsage", handle)),
            limit_watts=_thousandth(ask("nvmlDeviceGetEnforcedPowerLimit", handle)),
            throttled=self._throttled(handle),
            ecc_errors=ask("nvmlDeviceGetTotalEccErrors", handle, 1, 0),
            remap_pending=bool(remapped[2]) if remapped else None,
            pcie_width=ask("nvmlDeviceGetCurrPcieLinkWidth", handle),
            pcie_most=ask("nvmlDeviceGetMaxPcieLinkWidth", handle),
            holders=tuple(map(_holder, ask("nvmlDeviceGetComputeRunningProcesses", handle) or ())),
        )

    def _throttled(self, handle: Any) -> tuple[str, ...]:
        bits = self._ask("nvmlDeviceGetCurrentClocksEventReasons", handle)
        if bits is None:
            bits = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", handle)
        found: list[str] = []
        for name in dir(self._nvml) if bits else ():
            prefix = next((each for each in _REASONS if name.startswith(each)), None)
            value = getattr(self._nvml, name)
            if prefix and isinstance(value, int) and value & (bits or 0) == value and value:
                found.append(name.removeprefix(prefix))
        return tuple(dict.fromkeys(each for each in found if each not in _HARMLESS))

    def _ask(self, question: str, *about: object) -> Any:
        try:
            return getattr(self._nvml, question)(*about)
        except (self._nvml.NVMLError, AttributeError):  # a driver, or a module, that lacks the question
            return None


def _holder(process: Any) -> Holder:
    try:
        name = psutil.Process(process.pid).name()
    except psutil.Error:
        name = "a process that is not seen from here"
    return Holder(pid=process.pid, name=name, used_bytes=process.usedGpuMemory)


def _text(found: Any) -> str | None:
    return found.decode(errors="replace") if isinstance(found, bytes) else found


def _thousandth(found: int | None) -> float | None:
    return None if found is None else found / 1000
