"""What is confirmed, mended by the coder, and taken only where the project's own tests still pass."""

import ast
import difflib
import os
import tempfile
import tokenize
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal

from dualcode.bench.bench import Bench
from dualcode.bench.claims import judge
from dualcode.extraction import extract
from dualcode.pipelines.guard import signature
from dualcode.record import Record
from dualcode.reviews.project import Tested, run_tests
from dualcode.reviews.review import Found, as_program, run_call
from dualcode.reviews.slices import root_name, statements
from dualcode.reviews.sources import STDIN, Source, decoded, first_line, lines_of
from dualcode.steps.conversation import system, user
from dualcode.task import Task
from dualcode.team import Seat

Taken = Literal["written", "refused"]


class Mend(Record):
    """The mending of one definition of a file."""

    path: str
    name: str
    """What was mended: a function or class of the file's top level."""
    findings: tuple[Found, ...]
    outcome: Taken
    why: str = ""
    """Why it was refused."""
    diff: str = ""
    """What it changes in the file."""
    output: str = ""
    """The end of what the test command printed, where that refused it."""


async def mend(
    sources: Sequence[Source],
    confirmed: Sequence[Found],
    seat: Callable[[str], Seat],
    bench: Bench,
    *,
    root: Path,
    command: str,
    seconds: float,
    tell: Callable[[str], None],
) -> list[Mend]:
    """Let the coder mend what is confirmed, definition by definition, and write what the tests let pass.

    The tests run on a copy of `root`, first without any change: where they fail then, they can guard nothing,
    and nothing is written. Each mend is tested with those that were taken before it.
    """
    texts = {each.path: each for each in sources}
    groups: dict[tuple[str, str], list[Found]] = {}
    for each in confirmed:
        groups.setdefault((each.path, _definition(texts[each.path].text, each)), []).append(each)

    async def guarded(source: Source, name: str, found: Sequence[Found]) -> tuple[str, str, str]:
        """Mend a definition; return why that was refused, what it changes, and what the tests printed."""
        data, problem = _bytes(root, source)
        if first.outcome != "passed":
            return f"the tests {_ended(first)} without any change, so they can guard none", "", first.output
        if problem or not name:
            return problem or "the finding lies in no function or class", "", ""
        tell(f"mending {name} in {source.path}")
        text, why = await _mended(source, name, found, seat(f"{source.path}:{name}"), bench)
        ends = (f"a/{source.path}", f"b/{source.path}")
        diff = "\n".join(difflib.unified_diff(lines_of(source.text), lines_of(text), *ends, lineterm=""))
        if why:
            return why, diff, ""
        written = _encoded(text, data)
        tested = await run_tests(root, command, seconds, {source.path: written})
        if tested.outcome != "passed":
            return f"the tests {_ended(tested)} with it", diff, tested.output
        _write(root / source.path, written)
        texts[source.path] = source.model_copy(update={"text": text})
        return "", diff, ""

    tell(f"running the tests on a copy, as it is: {command}")
    first = await run_tests(root, command, seconds, {})
    done: list[Mend] = []
    for (path, name), found in groups.items():
        why, diff, output = await guarded(texts[path], name, found)
        mended = Mend(path=path, name=name, findings=tuple(found), outcome="refused" if why else "written")
        done.append(mended.model_copy(update={"why": why, "diff": diff, "output": output}))
    return done


def _ended(tested: Tested) -> str:
    return "do not end in time" if tested.outcome == "timed_out" else f"fail (exit code {tested.code})"


async def _mended(
    source: Source, name: str, found: Sequence[Found], seat: Seat, bench: Bench
) -> tuple[str, str]:
    """Return the file's text with the coder's version of a definition, and why it must not be taken."""
    lines = lines_of(source.text)
    first, last = _span(source.text, name)
    imports = [
        ast.get_source_segment(source.text, node) or ""
        for node in ast.parse(source.text).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    task = Task(id=f"{source.path}:{name}", prompt="", entry_point=name)
    asked = user(
        "mend_code",
        path=source.path,
        definition=name,
        code="\n".join(lines[first - 1 : last]),
        imports="\n".join(imports),
        findings=found,
    )
    program = await seat.ask("fix", [system("coder"), asked], read=lambda reply: extract(reply, task))
    if not program.compiles or not program.defines_entry_point:
        return source.text, f"the coder's answer holds no `{name}` that compiles"
    text = _replaced(source.text, name, program.text)
    before, after = signature(as_program(source.text), name), signature(as_program(text), name)
    if before is not None and before != after:
        return text, f"it changes the parameters of `{name}` from `({before})` to `({after})`"
    after_it = source.model_copy(update={"text": text})
    for each in found:
        seen = await run_call(bench, after_it, each.call)
        if judge(each.does, each.ought, seen.outcome) == "confirmed":
            return text, f"`{each.call}` still {seen.outcome}"
    return text, ""


def _replaced(text: str, name: str, answer: str) -> str:
    """Return a module with its definition of `name` replaced by the answer's, and what that imports newly."""
    lines, theirs = lines_of(text), lines_of(answer)
    first, last = _span(text, name)
    begin, end = _span(answer, name)
    known = {ast.dump(node) for node in ast.parse(text).body}
    added = [
        ast.unparse(node)
        for node in ast.parse(answer).body
        if isinstance(node, ast.Import | ast.ImportFrom) and ast.dump(node) not in known
    ]
    made = [*lines[: first - 1], *_documented(text, name, answer, theirs, begin, end), *lines[last:]]
    at = 0  # the line before which an import is too early: behind the docstring, then the first imports
    for node in ast.parse(text).body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not (is_text or isinstance(node, ast.Import | ast.ImportFrom)):
            break
        at = node.end_lineno or at
    return "\n".join([*made[:at], *added, *made[at:]]) + "\n"


def _documented(text: str, name: str, answer: str, theirs: list[str], begin: int, end: int) -> list[str]:
    """Return the lines of the answer's definition, with the docstring that the writer of a mend left out."""
    before, after = _node(text, name), _node(answer, name)
    if ast.get_docstring(before) is None or ast.get_docstring(after) is not None:
        return theirs[begin - 1 : end]
    kept, at = before.body[0], after.body[0].lineno
    if at == after.lineno or kept.lineno == before.lineno:  # on the line of its `def`
        return theirs[begin - 1 : end]
    docstring = lines_of(text)[kept.lineno - 1 : kept.end_lineno]
    return [*theirs[begin - 1 : at - 1], *docstring, *theirs[at - 1 : end]]


def _definition(text: str, found: Found) -> str:
    """Return the top-level function or class that a finding is in, or that its call names."""
    nodes = [
        node
        for node in statements(text)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    for node in nodes:
        if first_line(node) <= found.line <= (node.end_lineno or 0):
            return node.name
    wanted = root_name(found.call)
    return wanted if any(node.name == wanted for node in nodes) else ""


def _span(text: str, name: str) -> tuple[int, int]:
    """Return the first and last line of the last definition of a name, decorators included."""
    node = _node(text, name)
    return first_line(node), node.end_lineno or node.lineno


def _node(text: str, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef:
    for node in reversed(ast.parse(text).body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
            return node
    raise ValueError(f"no definition of {name}")


def _bytes(root: Path, source: Source) -> tuple[bytes, str]:
    """Return a file as it lies there; and why it cannot be mended, if it cannot."""
    place = root / source.path
    if source.path == STDIN:
        return b"", "it came on stdin, and there is no file to write"
    if not place.resolve().is_relative_to(root.resolve()):
        return b"", f"it lies outside {root}, which the tests are of"
    try:
        data = place.read_bytes()
    except OSError as error:
        return b"", f"it cannot be read any more: {error.strerror}"
    text = decoded(data, python=True)
    if not isinstance(text, str) or lines_of(text) != lines_of(source.text):
        return b"", "the file is not as it was reviewed"
    if data.count(b"\n") != data.count(b"\r\n") and b"\r\n" in data:
        return b"", "its line ends are mixed, and none could be written without changing others"
    return data, ""


def _encoded(text: str, before: bytes) -> bytes:
    """Return a text in the encoding and with the line ends that its file had."""
    encoding = tokenize.detect_encoding(BytesIO(before).readline)[0]
    if b"\r\n" in before:
        text = text.replace("\n", "\r\n")
    if before and not before.endswith(b"\n"):
        text = text.rstrip("\r\n")
    return text.encode(encoding)


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, with the mode that it had."""
    mode = path.stat().st_mode
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).chmod(mode & 0o7777)
        Path(name).replace(path.resolve())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
