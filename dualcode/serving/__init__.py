"""The vLLM servers: start, stop, look. `python -m dualcode.serving`, `dualcode serve`."""

from dualcode.serving.pair import ServerStatus, follow, logs, start, status, stop
from dualcode.serving.profiles import Profile, ServerSpec
from dualcode.serving.profiles import load as load_profile
from dualcode.serving.running import RunningPair, RunningServer, running

__all__ = [
    "Profile",
    "RunningPair",
    "RunningServer",
    "ServerSpec",
    "ServerStatus",
    "follow",
    "load_profile",
    "logs",
    "running",
    "start",
    "status",
    "stop",
]
