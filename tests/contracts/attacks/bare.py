"""The control: the same attacks without a jail, where they must succeed."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.contracts.attacks.attack import Attack, source
from tests.contracts.attacks.outside import Outside

_PATIENCE = 60.0


def bare(attack: Attack, outside: Outside, folder: Path) -> list[str]:
    """Make an attack in a plain process below an expendable parent, and return what it achieved."""
    steps = [*([attack.before] if attack.before else []), attack.program]
    told, fault = b"", ""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for number, program in enumerate(steps):
            path = folder / f"step{number}.py"
            path.write_text(source(outside.known(), program) + _SHOW)
            done = subprocess.run(
                [sys.executable, path], cwd=scratch, capture_output=True, timeout=_PATIENCE, check=False
            )
            told = done.stdout.rpartition(b"\n@@")[2]
            fault = f"ended with {done.returncode}: {done.stderr[-500:]!r}"
    assert told, fault
    return json.loads(told)["achieved"]


_SHOW = '\ntold = attack()\nos.write(1, b"\\n@@" + told.encode())\nos._exit(0)\n'
