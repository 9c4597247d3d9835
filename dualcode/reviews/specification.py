"""What a user specifies: a text of the program to be, and tests of his own that it must pass."""

import ast
import builtins
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from dualcode.bench.bench import Bench, Examination, Observation
from dualcode.errors import InputError
from dualcode.record import Record
from dualcode.solution import Program
from dualcode.task import Task
from dualcode.together import together

MOST_BYTES = 1 << 20
_FENCE = re.compile(
    r"^[ \t]*(?:```|~~~)[ \t]*(?:python|py)[ \t]*\n(?P<code>.*?)^[ \t]*(?:```|~~~)", re.M | re.S
)
_DEFINITION = re.compile(r"^[ \t`]*(?:async[ \t]+)?(?:def|class)[ \t]+(?P<name>[A-Za-z_]\w*)", re.MULTILINE)
_TEST_LINE = re.compile(r"^[ \t]*(?:>>>|assert)[ \t(].*", re.MULTILINE)
_CALLED = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?=\()")
_MENTIONED = re.compile(r"`(?P<name>[A-Za-z_]\w*)\(|function (?:named|called) [`'\"]?(?P<named>[A-Za-z_]\w*)")


def read_specified(file: str, entry_point: str | None = None) -> Task:
    """Read a file, or stdin for `-`, as the task that it specifies; an entry point is "" if none is named.

    Raises InputError for what is no text, or does not mention the entry point.
    """
    text = read_text(file)
    guess = guess_entry_point(text)
    name = guess if entry_point is None else entry_point
    if entry_point is not None and not re.search(rf"\b{re.escape(entry_point)}\b", text):
        hint = f"--entry-point {guess}" if guess else "leave --entry-point out"
        raise InputError(f"{file} does not mention {entry_point!r}", hint=hint)
    fences = list(_FENCE.finditer(text))
    alone = len(fences) == 1 and not _FENCE.sub("", text).strip() and name in fences[0]["code"]
    return Task(id=file, prompt=fences[0]["code"] if alone else text, entry_point=name)


def read_text(file: str) -> str:
    """Return what a file, or stdin for `-`, says. Raises InputError for what is no text of some length."""
    name, path = "stdin" if file == "-" else file, Path(file)
    hint = "a .py stub with its docstring, or a .md or .txt file"
    if path.is_dir():
        raise InputError(f"{file} is a folder", hint=f"one of its files: ls {file}")
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else path.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"{file} cannot be read: {error.strerror or error}", hint=f"ls -l {path.parent}; or - for stdin"
        ) from error
    if len(content) > MOST_BYTES:
        raise InputError(f"{name} is longer than {MOST_BYTES >> 20} MiB: no specification", hint=hint)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is no UTF-8 text: byte {error.start} is {content[error.start]:#04x}", hint=hint
        ) from None
    if "\0" in text:
        raise InputError(f"{name} is binary: it holds NUL characters", hint=hint)
    if not text.strip():
        raise InputError(f"{name} is empty", hint=hint)
    return text


def guess_entry_point(text: str) -> str:
    """Return the function that a text is about: the last one defined at the margin, called or mentioned."""
    definitions = list(_DEFINITION.finditer(text))
    top = [each["name"] for each in definitions if not each.group()[0].isspace()]
    if top or definitions:
        return (top or [each["name"] for each in definitions])[-1]
    called = (name for line in _TEST_LINE.findall(text) for name in _CALLED.findall(line))
    mentioned = _MENTIONED.search(text)
    fallback = (mentioned["name"] or mentioned["named"]) if mentioned else ""
    return next((name for name in called if not hasattr(builtins, name)), fallback)


class OwnTests(Record):
    """Tests in a file: functions `test_…`, and asserts at its margin."""

    text: str
    """As it stands."""
    around: str
    """What they need: helpers, imports, the functions themselves."""
    calls: tuple[str, ...]
    """What is run, a test each."""


def read_tests(text: str, file: str, entry_point: str) -> OwnTests:
    """Read a file of tests. Raises InputError for what does not parse, or holds none.

    An import of what is to be written, such as `from solution import f`, is left out: the program is there.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise InputError(f"{file} is no Python: {error}", hint="python -m py_compile FILE") from None
    around: list[ast.stmt] = []
    calls: list[str] = []
    for node in body:
        if isinstance(node, ast.Assert):
            calls.append(ast.unparse(node))
            continue
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            if node.args.args or node.decorator_list:
                raise InputError(
                    f"{file}: {node.name} needs pytest: it has parameters or decorators",
                    hint="plain asserts, or functions test_…() without parameters",
                )
            calls.append(f"{node.name}()")
        if not (isinstance(node, ast.ImportFrom) and _is_theirs(node, entry_point)):
            around.append(node)
    if not calls:
        raise InputError(
            f"{file} holds no test", hint="asserts, or functions test_…, without pytest or unittest"
        )
    module = ast.unparse(ast.Module(around, []))
    return OwnTests(text=text, around=module, calls=tuple(calls))


def _is_theirs(node: ast.ImportFrom, entry_point: str) -> bool:
    top = (node.module or "").partition(".")[0]
    return any(each.name in (entry_point, "*") for each in node.names) and top not in sys.stdlib_module_names


def with_tests(task: Task, tests: OwnTests) -> Task:
    """Return the task as the models see it: with the tests below what is specified.

    Behind a stub they are comments: as code they would be taken for helpers that the program needs.
    """
    lead = "It must pass these tests:"
    if f"def {task.entry_point}" in task.prompt:
        lines = [f"# {lead}", *(f"# {line}".rstrip() for line in tests.text.strip().splitlines())]
        added = "\n".join(lines)
    else:
        added = f"{lead}\n```python\n{tests.text.strip()}\n```"
    return task.model_copy(update={"prompt": f"{task.prompt.rstrip()}\n\n{added}\n"})


class OwnTestsBench:
    """A bench that also runs a user's tests; `tell` hears how each program does."""

    def __init__(
        self, bench: Bench, task: Task, tests: OwnTests | None, tell: Callable[[Examination], None]
    ) -> None:
        """`task` is the one without the user's tests in it."""
        self._bench = bench
        self._task = task
        self._tests = tests
        self._tell = tell
        self._known: dict[str, Examination] = {}

    async def examine(self, task: Task, program: Program, /) -> Examination:  # noqa: ARG002 - the protocol's
        """Run the program on the prompt's tests, then on the user's; see Bench."""
        if program.checksum not in self._known:
            found = await self._bench.examine(self._task, program)
            if self._tests is not None:
                found = await self._and_own(found, program, self._tests)
            self._known[program.checksum] = found
            self._tell(found)
        return self._known[program.checksum]

    async def _and_own(self, found: Examination, program: Program, tests: OwnTests) -> Examination:
        tested = program.model_copy(update={"text": f"{program.text.rstrip()}\n\n\n{tests.around}\n"})
        seen = await together(*(self._bench.observe(self._task, tested, [call]) for call in tests.calls))
        outcomes = [outcome for [outcome] in seen]
        passed = [at for at, each in enumerate(outcomes) if each.outcome == "returned None"]
        failed = next((each for each in outcomes if each.outcome != "returned None"), None)
        failure = found.failure
        if failure is None and failed is not None:
            failure = (
                f"The program passes {len(passed)} of {len(outcomes)} of the user's tests. The first that it"
                f" fails:\n\n{failed.call}\n\nIt {failed.outcome}."
            )
        return Examination(
            tests=found.tests + len(outcomes),
            passed=(*found.passed, *(found.tests + at for at in passed)),
            failure=failure,
        )

    async def observe(self, task: Task, program: Program, calls: Sequence[str], /) -> tuple[Observation, ...]:
        """Run calls that a model wrote; see Bench."""
        return await self._bench.observe(task, program, calls)
