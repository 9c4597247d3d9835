"""The parts of EvalPlus 0.3.1 that dualcode uses, typed: the one door to an untyped library.

EvalPlus is imported inside the functions. `evalplus.data` imports Hugging Face's `datasets` for
EvalPerf, which takes 2.5 s and 150 MB; only its submodules are loaded here (0.04 s).

Run as a module (`python -m dualcode.suites.evalplus HumanEvalPlus`), it downloads a release into EvalPlus's
cache: in a process of its own, so that a connection that hangs can be ended.
"""

import contextlib
import importlib
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

Benchmark = Literal["HumanEvalPlus", "MbppPlus"]


class Release(NamedTuple):
    """A release of a benchmark's data, as EvalPlus knows it."""

    version: str
    url: str
    cached: Path
    """Where EvalPlus keeps the unpacked file, whether it is there or not."""


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


def _data(name: str) -> Any:
    with _unimported("evalplus.data"):
        return importlib.import_module(f"evalplus.data.{name}")


@contextlib.contextmanager
def _unimported(package: str) -> Generator[None]:
    """Let submodules of a package be imported without running its `__init__`, unless that has been run."""
    if package in sys.modules:
        yield
        return
    spec = importlib.util.find_spec(package)
    shell = ModuleType(package)
    shell.__path__ = list(spec.submodule_search_locations or []) if spec else []
    sys.modules[package] = shell
    try:
        yield
    finally:
        del sys.modules[package]


def _benchmark(name: str) -> Benchmark:
    if name not in ("HumanEvalPlus", "MbppPlus"):
        sys.exit(f"unknown benchmark {name!r}: HumanEvalPlus or MbppPlus")
    return name


if __name__ == "__main__":
    download(_benchmark(sys.argv[1]))
