"""How many files a reader opens who follows a run: those that the architecture names, by runs at work."""

import ast
import functools
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import dualcode
from tests.fake_server import Answer, serve
from tests.runs.test_evaluate import APPROVE, PROGRAM, run

PACKAGE = Path(dualcode.__file__).parent
LEADERS = ("runs/evaluate.py", "runs/runner.py")
MOST = 15


def section() -> tuple[set[str], set[str]]:
    """Return the files that count, and those of values, by docs/architecture.md."""
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    whole = text.partition("## A run, file by file")[2].partition("\n## ")[0]
    table, values = (set(re.findall(r"`([\w/]+\.py)`", part)) for part in whole.split("\n\n")[1:3])
    assert re.search(rf"opens {len(table)} files", whole)
    return table, values


@functools.cache
def within(path: str) -> str:
    """Return a file's place in the package; "" for any other."""
    return Path(path).relative_to(PACKAGE).as_posix() if path.startswith(f"{PACKAGE}/") else ""


def caller(frame: FrameType | None) -> str:
    """Return the file of the package that has made a call, itself or through other packages."""
    while frame is not None and not within(frame.f_code.co_filename):
        frame = frame.f_back
    return within(frame.f_code.co_filename) if frame is not None else ""


@contextmanager
def followed() -> Generator[set[tuple[str, str]]]:
    """Yield what the two that lead call in other files: each a file, and a function's qualified name."""
    called = set[tuple[str, str]]()

    def note(frame: FrameType, event: str, _: object) -> None:
        code, own = frame.f_code, within(frame.f_code.co_filename)
        if event != "call" or not own or own in LEADERS or code.co_name == "<module>":
            return
        if caller(frame.f_back) in LEADERS:
            called.add((own, code.co_qualname))

    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)


def imported() -> set[str]:
    """Return the files of the package whose names the two that lead know."""
    found = set[str]()
    for leader in LEADERS:
        for node in ast.walk(ast.parse((PACKAGE / leader).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dualcode"):
                for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                    place = PACKAGE.joinpath(*(name or "").split(".")[1:])
                    files = place.with_suffix(".py"), place / "__init__.py"
                    found |= {each.relative_to(PACKAGE).as_posix() for each in files if each.is_file()}
    return found - {"__init__.py"}


def test_every_file_that_those_two_know_is_a_step_of_the_walk_or_a_value() -> None:
    table, values = section()
    packages = {"runs/__init__.py"}  # of which a module is imported
    assert imported() - packages <= table | values
    assert values <= imported(), "no value is named that none of the two knows"


async def test_the_files_that_a_reader_of_a_run_opens_are_those_that_the_architecture_names(
    tmp_path: Path,
) -> None:
    table, values = section()
    with followed() as called:
        with serve(Answer(status=400)) as server:
            await run(server, tmp_path, "raw-coder")  # errored
        with serve(Answer(content=PROGRAM), Answer(content=APPROVE)) as server:
            for _ in ("resumed beside one that begins", "complete"):
                await run(server, tmp_path, "raw-coder,review-fix")
    opened = {*LEADERS, *(file for file, _ in called)}
    assert table <= opened, "no file is named that nothing is called in"
    assert opened <= table | values, sorted(called)
    assert len(table) <= MOST
    assert all("." in name for file, name in called if file in values), "a value's own methods alone"
