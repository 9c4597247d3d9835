"""NVIDIA GPUs as NVML tells of them. Where there is no driver, or no module `pynvml`, there are none."""

import importlib
from pathlib import Path
from typing import Any

import psutil

from dualcode.errors import ServingError
from dualcode.record import Record
from dualcode.serving.profiles import Profile

_DRIVER = Path("/proc/driver/nvidia/gpus")

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
    display: bool | None = None
    """Whether a screen is attached and used."""
    holders: tuple[Holder, ...] = ()


class Cards:
    """Reads GPUs; one connection to NVML. What the driver refuses to tell is left open."""

    def __init__(self, nvml: Any = None) -> None:
        """`nvml` is the module; None: `pynvml`, where it is installed and finds a driver."""
        self.why_none = ""
        """Why there is no GPU to read, in words; empty if there is."""
        self.no_library = False
        """Whether that is for lack of NVML itself, or its module, which says nothing of the driver."""
        if nvml is None:
            try:
                nvml = importlib.import_module("pynvml")
            except ImportError:
                self.why_none = "the module pynvml (package nvidia-ml-py) is not installed"
                self.no_library = True
        self._nvml: Any = nvml
        if nvml is not None:
            try:
                nvml.nvmlInit()
            except nvml.NVMLError as error:
                self.why_none = f"NVML: {error}"
                self.no_library = isinstance(error, nvml.NVMLError_LibraryNotFound)
                self._nvml = None

    def read(self) -> list[Card]:
        """Return every GPU, in the order of their bus, as CUDA_VISIBLE_DEVICES counts GPUs of one kind."""
        count = self.ask("nvmlDeviceGetCount") or 0
        handles = [self.ask("nvmlDeviceGetHandleByIndex", index) for index in range(count)]
        return [self._card(index, handle) for index, handle in enumerate(handles) if handle is not None]

    def ask(self, question: str, *about: object) -> Any:
        """Return what NVML answers; None where it does not, or is not there."""
        if self._nvml is None:
            return None
        try:
            return getattr(self._nvml, question)(*about)
        except (self._nvml.NVMLError, AttributeError):  # a driver, or a module, that lacks the question
            return None

    def _card(self, index: int, handle: Any) -> Card:
        ask, newer = self.ask, getattr(self._nvml, "nvmlMemory_v2", None)
        memory = newer and ask("nvmlDeviceGetMemoryInfo", handle, newer)  # without what the driver keeps
        memory = memory or ask("nvmlDeviceGetMemoryInfo", handle)
        rates = ask("nvmlDeviceGetUtilizationRates", handle)
        display = ask("nvmlDeviceGetDisplayActive", handle)
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
            display=None if display is None else bool(display),
            holders=tuple(map(_holder, ask("nvmlDeviceGetComputeRunningProcesses", handle) or ())),
        )

    def _throttled(self, handle: Any) -> tuple[str, ...]:
        bits = self.ask("nvmlDeviceGetCurrentClocksEventReasons", handle)
        if bits is None:
            bits = self.ask("nvmlDeviceGetCurrentClocksThrottleReasons", handle)
        found: list[str] = []
        for name in dir(self._nvml) if bits else ():
            prefix = next((each for each in _REASONS if name.startswith(each)), None)
            value = getattr(self._nvml, name)
            if prefix and isinstance(value, int) and value & (bits or 0) == value and value:
                found.append(name.removeprefix(prefix))
        return tuple(dict.fromkeys(each for each in found if each not in _HARMLESS))


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


def count() -> int:
    """Return the number of NVIDIA GPUs, 0 where there is no driver, or one that does not answer."""
    cards = Cards()
    if cards.no_library and _DRIVER.is_dir():
        return sum(1 for _ in _DRIVER.iterdir())
    return cards.ask("nvmlDeviceGetCount") or 0


def require(profile: Profile) -> bool:
    """Check that every GPU that the profile pins a server to exists; return whether it pins any.

    A missing one is a ServingError. A GPU named by its UUID is left to CUDA to find.
    """
    wanted = {each.name: each.gpus for each in profile.servers if each.gpus and each.spec.replicas}
    if not wanted:
        return False
    found = count()
    for name, devices in wanted.items():
        missing = [index for index in devices if index.isdigit() and int(index) >= found]
        if missing or not found:
            has = f"{found} NVIDIA GPU{'s' * (found != 1)}" if found else "no NVIDIA GPU (or no driver)"
            other = "two-hosts" if found == 1 else "cpu"
            raise ServingError(
                f"profile {profile.name!r} puts the {name} on GPU {','.join(devices)}; "
                f"this machine has {has}",
                hint=f"dualcode serve start --profile {other}",
            )
    return True
