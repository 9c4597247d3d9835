"""vllm-router, which stands before the replicas of a model: where it is, and how it is started.

It is told to stay out of dualcode's records: it retries nothing, keeps no queue and opens no circuit, so that
an attempt of a call is one request to one server. A session's requests go to one replica, and a session's
first to the one with the fewest requests: a fix finds the prefix of its draft where it was made. (Measured
with 0.1.17: of 60 drafts and their fixes 60 met again and the halves were even; `cache_aware` split them at
random once requests overlapped, and tried a refused request three times in spite of `--disable-retries`.)
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from dualcode.errors import ServingError
from dualcode.serving.interpreter import CHECKOUT

VARIABLE = "DUALCODE_VLLM_ROUTER"
POLICY = "sticky_least_loaded"
PATIENT_SECONDS = 86_400
"""The router's own limit of a request: ours is the client's."""


def find() -> Path:
    """Return the router's program; ServingError names where it was looked for."""
    if named := os.environ.get(VARIABLE):
        if shutil.which(named):
            return Path(named)
        raise ServingError(f"${VARIABLE} names no program: {named!r}", hint="scripts/setup.sh router")
    own = CHECKOUT / ".venv-router/bin/vllm-router"
    found = own if own.is_file() else shutil.which("vllm-router")
    if found is None:
        raise ServingError(
            f"replicas need vllm-router, which is neither {own} nor on PATH", hint="scripts/setup.sh router"
        )
    return Path(found)


def command(
    program: Path, workers: Sequence[str], *, host: str, port: int, metrics_port: int, ready_seconds: float
) -> list[str]:
    """Return the command line of a router before these servers (their root URLs)."""
    return [
        str(program), "--worker-urls", *workers, "--policy", POLICY, "--host", host, "--port", str(port),
        "--disable-retries", "--disable-circuit-breaker", "--queue-size", "0",
        "--max-concurrent-requests", "65536", "--request-timeout-secs", str(PATIENT_SECONDS),
        "--worker-startup-timeout-secs", str(round(ready_seconds)),
        "--health-check-interval-secs", "10", "--log-level", "warning",
        "--prometheus-host", "127.0.0.1", "--prometheus-port", str(metrics_port),
    ]  # fmt: skip
