"""Which NVIDIA GPUs this machine has, as far as it can be told without CUDA."""

import subprocess
from pathlib import Path

from dualcode.errors import ServingError
from dualcode.serving.environment import scrubbed
from dualcode.serving.profiles import Profile

_DRIVER = Path("/proc/driver/nvidia/gpus")


def count() -> int:
    """Return the number of NVIDIA GPUs, 0 where there is no driver."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, env=scrubbed()
        )
    except (OSError, subprocess.SubprocessError):
        return sum(1 for _ in _DRIVER.iterdir()) if _DRIVER.is_dir() else 0
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines())


def require(profile: Profile) -> bool:
    """Check that every GPU that the profile pins a server to exists; return whether it pins any.

    A missing one is a ServingError. A GPU named by its UUID is left to CUDA to find.
    """
    wanted = {
        server.name: server.spec.env["CUDA_VISIBLE_DEVICES"]
        for server in profile.servers
        if server.spec.env.get("CUDA_VISIBLE_DEVICES")
    }
    if not wanted:
        return False
    found = count()
    for name, devices in wanted.items():
        missing = [index for index in devices.split(",") if index.strip().isdigit() and int(index) >= found]
        if missing or not found:
            has = f"{found} NVIDIA GPU{'s' * (found != 1)}" if found else "no NVIDIA GPU (or no driver)"
            raise ServingError(
                f"profile {profile.name!r} puts the {name} on GPU {devices}; this machine has {has}",
                hint="dualcode serve start --profile cpu",
            )
    return True
