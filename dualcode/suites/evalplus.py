"""The parts of EvalPlus 0.3.1 that dualcode uses, typed: the one door to an untyped library.

EvalPlus is imported inside the functions. `evalplus.data` imports Hugging Face's `datasets` for
EvalPerf, which takes 2.5 s and 150 MB; only its submodules are loaded here (0.04 s).

Run as a module (`python -m dualcode.suites.evalplus HumanEvalPlus`), it downloads a release into EvalPlus's
cache: in a process of its own, so that a connection that hangs can be ended.
"""

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

import dualcode
from dualcode.errors import SuiteError
from dualcode.suites.files import Located

Benchmark = Literal["HumanEvalPlus", "MbppPlus"]

DOWNLOAD_SECONDS = 18
"""How long EvalPlus's download may take: the files are under 1 MB, and without internet a name server
that does not answer would otherwise hold the command for minutes."""

TEXTS: dict[str, Any] = dict.fromkeys(("prompt", "entry_point", "canonical_solution"), str)
KEYS: dict[str, Any] = {**TEXTS, "base_input": list, "plus_input": (list, dict), "atol": (int, float)}
"""What stands in a row, and of what kind. Mbpp has one plus_input of {}."""


class Release(NamedTuple):
    """A release of a benchmark's data, as EvalPlus knows it."""

    version: str
    url: str
    cached: Path
    """Where EvalPlus keeps the unpacked file, whether it is there or not."""


_IMPORTING = threading.Lock()


def release(benchmark: Benchmark) -> Release:
    """Return the release that this EvalPlus evaluates by default."""
    module, constant = {
        "HumanEvalPlus": ("humaneval", "HUMANEVAL_PLUS_VERSION"),
        "MbppPlus": ("mbpp", "MBPP_PLUS_VERSION"),
    }[benchmark]
    version: str = getattr(_data(module), constant)
    url, cached = _data("utils").get_dataset_metadata(benchmark, version, False)
    return Release(version, url, Path(cached))


def deserialize_mbpp(task_id: str, inputs: list[Any]) -> list[Any]:
    """Turn an MBPP+ task's inputs from JSON into what its function takes (tuples, sets, complex numbers)."""
    return _data("mbpp").mbpp_deserialize_inputs(task_id, inputs)


def run_reference(
    code: str, inputs: list[Any], entry_point: str, *, not_none: bool
) -> tuple[list[Any], list[float]]:
    """Run trusted code on every input; return its outputs and the seconds that each took.

    With `not_none`, each output is replaced by whether it is not None.
    """
    trusted_exec: Any = importlib.import_module("evalplus.gen.util").trusted_exec
    return trusted_exec(code, inputs, entry_point, record_time=True, output_not_none=not_none)


def only_not_none(entry_point: str) -> bool:
    """Whether EvalPlus compares nothing but "is not None" for this MBPP+ function."""
    oracle = importlib.import_module("evalplus.eval._special_oracle")
    return entry_point in oracle.MBPP_OUTPUT_NOT_NONE_TASKS


def checker() -> Any:
    """Return the module `evalplus.eval`, which holds `untrusted_check`."""
    return importlib.import_module("evalplus.eval")


def download(benchmark: Benchmark) -> None:
    """Download the release into EvalPlus's cache by EvalPlus's own loader.

    The file appears in the cache whole or not at all; stdout carries the loader's messages.
    """
    _, url, cached = release(benchmark)
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / cached.name
        _data("utils").make_cache(url, str(fresh))
        cached.parent.mkdir(parents=True, exist_ok=True)
        partial = cached.with_suffix(".partial")
        shutil.copyfile(fresh, partial)
        partial.replace(cached)


class EvalPlusOrigin:
    """EvalPlus's own resolution: the override variable, its cache, its download."""

    def __init__(self, benchmark: Benchmark, override: str) -> None:
        self.benchmark: Benchmark = benchmark
        self.override = override

    def find(self) -> Located | None:
        """Return the file if it is on this machine."""
        if given := os.environ.get(self.override):
            return Located(Path(given), f"${self.override}")
        cached = release(self.benchmark).cached
        return Located(cached, "EvalPlus cache") if cached.exists() else None

    def fetch(self, tell: Callable[[str], None]) -> Located:
        """Download the file into EvalPlus's cache; a SuiteError says how to do without."""
        wanted = release(self.benchmark)
        tell(f"{wanted.cached.name} is not in EvalPlus's cache; downloading {wanted.url}")
        if failure := _download(self.benchmark):
            name = f"{self.benchmark} {wanted.version}"
            raise SuiteError(
                f"{name} is not on this machine, and downloading {wanted.url} failed: {failure}",
                hint=f"--data FILE or {self.override}=FILE (a {wanted.cached.name} of your own, .gz or not); "
                "or --dataset humaneval-base or --dataset mini, which need no download",
            )
        return Located(wanted.cached, "EvalPlus cache")

    def absence(self) -> str:
        """Say what would make the file available."""
        return f"not on this machine: EvalPlus downloads it, or set {self.override} or --data FILE"


def _download(benchmark: Benchmark) -> str | None:
    """Download in a child process; return what went wrong, or None."""
    command = [sys.executable, "-P", "-m", "dualcode.suites.evalplus", benchmark]
    environment = os.environ | {"PYTHONPATH": str(Path(dualcode.__file__).parent.parent)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {DOWNLOAD_SECONDS} s"
    lines = done.stderr.strip().splitlines()
    return (lines[-1] if lines else f"exit status {done.returncode}") if done.returncode else None


def _data(name: str) -> Any:
    """Return a module of EvalPlus's data; the package's `__init__` is not run unless it has been."""
    package = "evalplus.data"
    with _IMPORTING:  # graders load tasks in threads, and the shell is nobody else's
        if package in sys.modules:
            return importlib.import_module(f"{package}.{name}")
        spec = importlib.util.find_spec(package)
        shell = ModuleType(package)
        shell.__path__ = list(spec.submodule_search_locations or []) if spec else []
        sys.modules[package] = shell
        try:
            return importlib.import_module(f"{package}.{name}")
        finally:
            del sys.modules[package]


if __name__ == "__main__":
    if (asked := sys.argv[1]) not in ("HumanEvalPlus", "MbppPlus"):
        sys.exit(f"unknown benchmark {asked!r}: HumanEvalPlus or MbppPlus")
    download(asked)
