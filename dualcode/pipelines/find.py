"""Pipelines that do not come with dualcode: files in `pipelines/`, a file given by path, entry points.

| where | how it is named |
|---|---|
| a file in `pipelines/` of the current folder or the checkout | by its pipeline's name |
| an installed package's entry point in the group `dualcode.pipelines` | by its pipeline's name |
| any file | `path/to/file.py:name`, or `path/to/file.py` if it holds one pipeline |

A file is executed with the rights of whoever runs dualcode, like any module.
"""

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path

from dualcode import resources
from dualcode.errors import PipelineError, UnknownNameError
from dualcode.pipelines import Pipeline, builtins

GROUP = "dualcode.pipelines"


def find_pipeline(name: str) -> Pipeline:
    """Return the pipeline with this name, or the one in `file.py:name`.

    Raises UnknownNameError with the nearest names, or PipelineError for a file that cannot be loaded.
    """
    if ".py" in name:
        return _in_file(name)
    if name in builtins():
        return builtins()[name]
    known = pipelines()
    if name not in known:
        raise UnknownNameError("pipeline", name, known, hint="dualcode pipelines")
    return known[name]


def find_pipelines(names: str) -> list[Pipeline]:
    """Return the pipelines of a comma-separated list, each once; `all` stands for every built-in one."""
    found: dict[str, Pipeline] = {}
    for name in (part.strip() for part in names.split(",")):
        chosen = builtins().values() if name == "all" else [find_pipeline(name)] if name else []
        found |= {each.name: each for each in chosen}
    if not found:
        raise PipelineError(f"{names!r} names no pipeline", hint="dualcode pipelines")
    return list(found.values())


def pipelines() -> dict[str, Pipeline]:
    """Return every pipeline that has a name: built-in, dropped in, or brought by a package.

    A built-in name cannot be taken by another: PipelineError names both places.
    """
    found = dict(builtins())
    for each, place in [*_dropped_in(), *_packaged()]:
        if each.name in found:
            raise PipelineError(
                f"{place} defines the pipeline {each.name!r}, which is there already",
                hint="give it another name",
            )
        found[each.name] = each
    return found


def load(path: Path) -> list[Pipeline]:
    """Return the pipelines that a file defines. Raises PipelineError if it cannot be executed."""
    if not path.is_file():
        raise PipelineError(
            f"{path} does not exist", hint="the path of a .py file, or a name: dualcode pipelines"
        )
    # The content is in the name: a file that was edited and loaded again is another module.
    name = f"dualcode_dropin_{path.stem}_{sha256(path.read_bytes()).hexdigest()[:12]}"
    if name not in sys.modules:
        _execute(name, path)
    module = sys.modules[name]
    return [each for each in vars(module).values() if isinstance(each, Pipeline) and _is_from(each, name)]


def _execute(name: str, path: Path) -> None:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise PipelineError(
            f"{path} cannot be loaded: {_told(error, path)}", hint=f"python {path}"
        ) from error


def _told(error: Exception, path: Path) -> str:
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
    return f"{type(error).__name__}: {error}" + (f" (line {line})" if line else "")


def _is_from(each: Pipeline, module: str) -> bool:
    """Whether a pipeline was defined in the module, not imported into it."""
    return each.solve.__module__ == module


def _in_file(name: str) -> Pipeline:
    file, _, wanted = name.rpartition(":") if not name.endswith(".py") else (name, "", "")
    found = {each.name: each for each in load(Path(file))}
    if not found:
        raise PipelineError(
            f"{file} defines no pipeline", hint="@pipeline(name, roles=[…]) above an async function"
        )
    if wanted in found:
        return found[wanted]
    if wanted or len(found) > 1:
        raise UnknownNameError(f"pipeline in {file}", wanted, found, hint=f"--pipeline {file}:NAME")
    return next(iter(found.values()))


def _dropped_in() -> Iterator[tuple[Pipeline, str]]:
    seen: set[str] = set()
    for folder in resources.rooms("pipelines"):
        for path in sorted(folder.glob("*.py")):
            if path.name not in seen:  # a folder of the current directory wins over the checkout's
                seen.add(path.name)
                yield from ((each, str(path)) for each in load(path))


def _packaged() -> Iterator[tuple[Pipeline, str]]:
    for point in entry_points(group=GROUP):
        try:
            each = point.load()
        except Exception as error:
            raise PipelineError(
                f"the entry point {point.name} ({point.value}) cannot be loaded: {_told(error, Path())}",
                hint=f"pip uninstall {point.dist.name if point.dist else point.value}",
            ) from error
        if not isinstance(each, Pipeline):
            raise PipelineError(
                f"the entry point {point.name} ({point.value}) is no pipeline", hint="@pipeline(…)"
            )
        yield each, f"the entry point {point.value}"
