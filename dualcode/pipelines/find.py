"""Pipelines that do not come with dualcode: files in `pipelines/`, a file given by path, entry points.

| where | how it is named |
|---|---|
| a file in `pipelines/` of the current folder or the checkout | by its pipeline's name |
| an installed package's entry point in the group `dualcode.pipelines` | by its pipeline's name |
| any file | `path/to/file.py:name`, or `path/to/file.py` if it holds one pipeline |

A file is executed with the rights of whoever runs dualcode, like any module; but only one that was asked for.
Names in `pipelines/` are read from the text of `@pipeline("name", …)`, and no other file there is executed.
"""

import ast
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path

from dualcode import resources
from dualcode.errors import PipelineError, UnknownNameError
from dualcode.pipelines import Pipeline, builtins

GROUP = "dualcode.pipelines"
Tell = Callable[[PipelineError], None]


def find_pipeline(name: str) -> Pipeline:
    """Return the pipeline with this name, or the one in `file.py:name`.

    Raises UnknownNameError with the nearest names, or PipelineError for a file that cannot be loaded, and for
    a name that two files give.
    """
    if ".py" in name:
        return _in_file(name)
    if name in builtins():
        return builtins()[name]
    dropped = {path: written_names(path) for path in _dropped_in()}
    places = [path for path, names in dropped.items() if name in names]
    if len(places) > 1:
        raise PipelineError(
            f"the pipeline {name!r} stands in {' and in '.join(map(str, places))}", hint=f"{places[0]}:{name}"
        )
    if places:
        return _in_file(f"{places[0]}:{name}")
    installed = {each.name: each for each, _ in _packaged(lambda _: None)}
    if name in installed:
        return installed[name]
    known = {*builtins(), *installed, *(each for names in dropped.values() for each in names)}
    silent = [str(path) for path, names in dropped.items() if not names]
    hint = "dualcode pipelines" + (f"; or FILE.py:NAME, for what is in {', '.join(silent)}" if silent else "")
    raise UnknownNameError("pipeline", name, known, hint=hint)


def find_pipelines(names: str) -> list[Pipeline]:
    """Return the pipelines of a comma-separated list, each once; `all` stands for every built-in one."""
    found: dict[str, Pipeline] = {}
    for name in (part.strip() for part in names.split(",")):
        chosen = builtins().values() if name == "all" else [find_pipeline(name)] if name else []
        found |= {each.name: each for each in chosen}
    if not found:
        raise PipelineError(f"{names!r} names no pipeline", hint="dualcode pipelines")
    return list(found.values())


def pipelines(tell: Tell = lambda _: None) -> dict[str, Pipeline]:
    """Return every pipeline that has a name: built-in, dropped in, or brought by a package.

    Executes the files. What cannot be loaded, or takes a name that is there already, is left out, and `tell`
    hears why.
    """
    found = dict(builtins())

    def dropped_in() -> Iterator[tuple[Pipeline, str]]:
        for path in _dropped_in():
            try:
                yield from ((each, str(path)) for each in load(path))
            except PipelineError as error:
                tell(error)

    for each, place in [*dropped_in(), *_packaged(tell)]:
        if each.name in found:
            taken = f"{place} defines the pipeline {each.name!r}, which is there already"
            tell(PipelineError(taken, hint="give it another name"))
        else:
            found[each.name] = each
    return found


def written_names(path: Path) -> list[str]:
    """Return the names that a file's text gives to its pipelines, without executing it.

    A name that is computed, or a file that cannot be read as Python, gives none.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    decorators = [
        each
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for each in node.decorator_list
        if isinstance(each, ast.Call)
    ]
    given = [
        value
        for call in decorators
        if ast.unparse(call.func).rpartition(".")[2] == "pipeline"
        for value in [*call.args[:1], *(each.value for each in call.keywords if each.arg == "name")]
    ]
    return [each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def load(path: Path) -> list[Pipeline]:
    """Return the pipelines that a file defines. Raises PipelineError if it cannot be executed."""
    if not path.is_file():
        raise PipelineError(
            f"{path} does not exist", hint="the path of a .py file, or a name: dualcode pipelines"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PipelineError(f"{path} cannot be read: {error}", hint=f"python {path}") from error
    # The content is in the name: a file that was edited and loaded again is another module.
    name = f"dualcode_dropin_{path.stem}_{sha256(content).hexdigest()[:12]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None  # it ends in .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:  # a script's `sys.exit(main())`, too
            del sys.modules[name]
            told = f"{path} cannot be loaded: {_told(error, path)}"
            raise PipelineError(told, hint=f"python {path}") from error
    found = [each for each in vars(sys.modules[name]).values() if isinstance(each, Pipeline)]
    return [each for each in found if each.solve.__module__ == name]  # not one that it imports


def _told(error: BaseException, path: Path) -> str:
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
    return f"{type(error).__name__}: {error}" + (f" (line {line})" if line else "")


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


def _dropped_in() -> list[Path]:
    """Return the files of `pipelines/`; one of the current folder wins over the checkout's of its name."""
    found: dict[str, Path] = {}
    for folder in resources.rooms("pipelines"):
        files = (path for path in sorted(folder.glob("*.py")) if path.is_file() or not path.exists())
        found = {path.name: path for path in files} | found
    return list(found.values())


def _packaged(tell: Tell) -> Iterator[tuple[Pipeline, str]]:
    """Yield the pipelines of installed packages, each with its place; `tell` hears of what is none."""
    for point in entry_points(group=GROUP):
        named = f"the entry point {point.name} ({point.value})"
        try:
            each = point.load()
        except Exception as error:
            uninstall = f"pip uninstall {point.dist.name if point.dist else point.value}"
            tell(PipelineError(f"{named} cannot be loaded: {_told(error, Path())}", hint=uninstall))
            continue
        if isinstance(each, Pipeline):
            yield each, f"the entry point {point.value}"
        else:
            tell(PipelineError(f"{named} is no pipeline", hint="@pipeline(…)"))
