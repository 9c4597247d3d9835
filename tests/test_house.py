"""The house as its imports show it: no file needs one that needs it, however late either is imported."""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.pages import ROOT

PACKAGE = ROOT / "dualcode"


def imports() -> dict[str, set[str]]:
    """Return each module with those that it names: at its top, for types, or within a function.

    But for `dualcode` itself, whose public names stand in no way of what they are made of.
    """
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    found = dict[str, set[str]]()
    for module, path in files.items():
        named = found.setdefault(module, set())
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    named.add(whole if whole in files else node.module)
            elif isinstance(node, ast.Import):
                named.update(alias.name for alias in node.names)
        named &= files.keys() - {module, "dualcode"}
    return found


def test_no_file_needs_one_that_needs_it() -> None:
    """import-linter holds the rooms to their floors; within a room files may circle, if nobody looks."""
    known = imports()
    assert known["dualcode.runs.evaluate"] >= {"dualcode.runs.runner", "dualcode.runs.cluster"}
    assert "dualcode.runs.cluster.ray" in known["dualcode.runs.cluster"], "also what a function imports"
    try:
        TopologicalSorter(known).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))
