"""What a test needs beyond .venv may be on its way: scripts/test.sh installs it while the first tests run."""

import fcntl
import functools
import os
from pathlib import Path

VARIABLE = "DUALCODE_SETTING_UP"


@functools.cache
def wait_until_set_up() -> None:
    """Return when vLLM and the browser are installed, or could not be; at once where nothing is installed."""
    if lock := os.environ.get(VARIABLE):
        with Path(lock).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
