"""Which NVIDIA GPUs this machine has, as far as it can be told without CUDA."""

import csv
import subprocess
from pathlib import Path

from dualcode.errors import ServingError
from dualcode.record import Record
from dualcode.serving.environment import scrubbed
from dualcode.serving.profiles import Profile

_DRIVER = Path("/proc/driver/nvidia/gpus")


class GpuHere(Record):
    """A GPU of this machine; None is what the driver does not tell."""

    index: str
    uuid: str
    name: str
    memory_gib: float | None
    used_gib: float | None
    capability: str | None
    driver: str
    display: bool
    """Whether a screen is attached and used."""


def count() -> int:
    """Return the number of NVIDIA GPUs, 0 where there is no driver."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, errors="replace", timeout=30, env=scrubbed()
        )
    except (OSError, subprocess.SubprocessError):
        return sum(1 for _ in _DRIVER.iterdir()) if _DRIVER.is_dir() else 0
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines())


def smi(query: str, columns: int) -> list[list[str]]:
    """Return the rows of so many columns that nvidia-smi answers; none where it cannot be asked."""
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=30, env=scrubbed(), check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = csv.reader(done.stdout.splitlines(), skipinitialspace=True)
    return [row for row in rows if len(row) == columns]


def here() -> list[GpuHere]:
    """Return the GPUs of this machine in the driver's order; none where nvidia-smi does not answer."""
    wanted = "index,uuid,name,memory.total,memory.used,compute_cap,driver_version,display_active"
    return [
        GpuHere(
            index=index,
            uuid=uuid,
            name=name,
            memory_gib=int(total) / 1024 if total.isdigit() else None,
            used_gib=int(used) / 1024 if used.isdigit() else None,
            capability=capability if capability[:1].isdigit() else None,
            driver=driver,
            display=display == "Enabled",
        )
        for index, uuid, name, total, used, capability, driver, display in smi(f"--query-gpu={wanted}", 8)
    ]


def holders(uuid: str) -> list[str]:
    """Return who computes on a GPU, as `name (pid N)`; empty where the driver does not tell."""
    rows = smi("--query-compute-apps=gpu_uuid,pid,process_name", 3)
    return [f"{Path(name).name} (pid {pid})" for gpu, pid, name in rows if gpu == uuid]


def require(profile: Profile) -> bool:
    """Check that every GPU that the profile pins a server to exists; return whether it pins any.

    A missing one is a ServingError. A GPU named by its UUID is left to CUDA to find.
    """
    wanted = {
        server.name: server.spec.env["CUDA_VISIBLE_DEVICES"]
        for server in profile.servers
        if server.spec.env.get("CUDA_VISIBLE_DEVICES") and server.spec.replicas
    }
    if not wanted:
        return False
    found = count()
    for name, devices in wanted.items():
        missing = [index for index in devices.split(",") if index.strip().isdigit() and int(index) >= found]
        if missing or not found:
            has = f"{found} NVIDIA GPU{'s' * (found != 1)}" if found else "no NVIDIA GPU (or no driver)"
            other = "two-hosts" if found == 1 else "cpu"
            raise ServingError(
                f"profile {profile.name!r} puts the {name} on GPU {devices}; this machine has {has}",
                hint=f"dualcode serve start --profile {other}",
            )
    return True
