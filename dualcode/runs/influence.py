"""What of the code and of the prompts can change a record: told by what the rooms and the pipeline import.

Comments, docstrings and layout do not count, nor do other pipelines.
"""

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType

import dualcode
from dualcode import prompts, steps
from dualcode.pipelines import Pipeline

ROOT = Path(dualcode.__file__).parent
ROOMS = (
    "bench",
    "extraction",
    "grading/grader.py",
    "models",
    "sandbox",
    "steps",
    "team.py",
)
"""Where replies, programs and verdicts are made. Whatever these import counts with them."""


@cache  # what runs was imported once, too
def rooms_hash(root: Path = ROOT) -> str:
    """Return the SHA-256 of the rooms in a package folder, and of all that they import."""
    return _hash(_rooms(root), root)


def pipeline_hash(source: Path, root: Path = ROOT) -> str:
    """Return the SHA-256 of a pipeline's own file, and of what it imports that is not in the rooms."""
    return _hash(_own(source, root), root)


def prompts_of(pipeline: Pipeline) -> dict[str, str]:
    """Return name -> SHA-256 of the prompts that a pipeline can render.

    Those are the ones that its own files hand to a function by name, and the ones that the steps name which
    these files import.
    """
    named = set[str]()
    for tree in _own(pipeline.source, ROOT).values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                named |= {str(each.value) for each in node.args if isinstance(each, ast.Constant)}
            elif isinstance(node, ast.ImportFrom):
                known = [getattr(steps, alias.name, None) for alias in node.names]
                known += vars(steps).values() if "steps" in [alias.name for alias in node.names] else []
                for step in known:
                    named |= set(_named_by(step, set())) if isinstance(step, FunctionType) else set()
    return prompts.hashes(named)


def _named_by(step: FunctionType, seen: set[FunctionType]) -> Iterator[str]:
    """Yield the strings in a step, and in the functions of its room that it uses."""
    seen.add(step)
    codes = [step.__code__]
    for code in codes:  # it grows: a lambda's code is a constant of the function around it
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
        yield from (each for each in code.co_consts if isinstance(each, str))
        for used in map(step.__globals__.get, code.co_names):
            if isinstance(used, FunctionType) and used.__module__.startswith("dualcode.steps"):
                yield from () if used in seen else _named_by(used, seen)


def _hash(code: Mapping[Path, ast.Module], root: Path) -> str:
    named = {  # by name: wherever the pipeline's file and the package lie, the order is the same
        path.relative_to(root).as_posix() if path.is_relative_to(root) else "the pipeline": tree
        for path, tree in code.items()
    }
    lines = (f"{name}\0{ast.dump(named[name])}\n" for name in sorted(named))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@cache
def _rooms(root: Path) -> Mapping[Path, ast.Module]:
    places = [root / room for room in ROOMS]
    files = [file for each in places for file in (each.rglob("*.py") if each.is_dir() else [each])]
    return _imported(files, root, frozenset())


def _own(source: Path, root: Path) -> Mapping[Path, ast.Module]:
    return _imported([source.resolve()], root, _rooms(root).keys())


def _imported(files: Iterable[Path], root: Path, known: Collection[Path]) -> dict[Path, ast.Module]:
    """Return the code of the files and of all of the package that running them may import, `known` aside."""
    found, waiting = dict[Path, ast.Module](), list(files)
    while waiting:
        path = waiting.pop()
        if path not in found and path not in known:
            found[path] = _Bare().visit(ast.parse(path.read_bytes()))
            for name in _names(found[path]):
                place = root.joinpath(*name.split(".")[1:])
                both = (place.with_suffix(".py"), place / "__init__.py")
                waiting += [each for each in both if place != root and each.is_file()]
    return found


def _names(code: ast.Module) -> Iterator[str]:
    """Yield the modules of this package that a file imports, and what else these names may be."""
    for node in ast.walk(code):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            known = dualcode.HOMES if node.module == dualcode.__name__ else {}  # where public names are from
            names = [node.module or "", *(f"{node.module}.{known.get(name, name)}" for name in names)]
        yield from (name for name in names if name.split(".")[0] == dualcode.__name__)


class _Bare(ast.NodeTransformer):
    """Takes out what has no effect: docstrings, and imports that only a type checker reads."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        typing = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if typing else self.generic_visit(node)
