"""What programs and notebooks call: the house's functions, by values instead of options.

`dualcode/__init__.py` hands these out, and docs/library.md shows them. Nothing here prints, wants a terminal
or starts an event loop: what asks models or runs programs is awaited, in whatever loop is running. What a
reader must know besides (a download, a file that others may write) is a Python warning.
"""

import asyncio
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from dualcode import machine
from dualcode.bench.bench import Bench, SandboxBench
from dualcode.call import Call, Request
from dualcode.config import Role, TeamConfig
from dualcode.errors import InputError, SuiteError
from dualcode.models.scripted import Answer, ScriptedChat
from dualcode.pipelines import Pipeline
from dualcode.pipelines.find import find_pipeline, find_pipelines
from dualcode.record import Record
from dualcode.sampling import PAPER
from dualcode.sandbox import open_sandbox
from dualcode.solution import Program
from dualcode.suites import own, registry
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.team import Seat, Team, build_team

if TYPE_CHECKING:  # what runs, grades and analyses takes seconds to import: each function brings its own
    from dualcode.analysis.analyse import Analysis
    from dualcode.analysis.runs import Run
    from dualcode.figures.drawn import Drawn
    from dualcode.grading.score import Score
    from dualcode.runs.evaluate import Result
    from dualcode.runs.runner import Observer

Place = str | os.PathLike[str]
"""The path of a file or folder."""


def load_team(file: Place | None = None) -> TeamConfig:
    """Read a team from its TOML; without a file, that of the servers which `scripts/serve.sh` started.

    Servers that the file names are replaced by their addresses; nothing is asked of them yet. Raises
    TeamError.
    """
    from dualcode.serving.running import find_team

    return find_team(None if file is None else Path(file))


def scripted_team(
    *, bench: Bench | None = None, **answers: Iterable[Answer] | Callable[[Request], Answer]
) -> Team:
    """Return a team of models that answer from a script: `scripted_team(coder=[…], reviewer=[…])`.

    Each role's replies come in order, or from a function of the request; an error among them is raised. It is
    for trying a pipeline out, and for tests: `solve` takes it, and `evaluate` does not.
    """
    seats: dict[Role, Seat] = {}
    for role, script in answers.items():
        if isinstance(script, str):
            raise InputError(f"{role}={script!r:.40} is one text, not replies in order", hint=f"{role}=[…]")
        seats[role] = Seat(role, ScriptedChat(script, name=role), PAPER, answer_tokens=2048)
    return Team(seats, bench=bench)


def load_suite(suite: Place, *, data: Place | None = None) -> Suite:
    """Load a suite by its name, or from a file or folder; `data` is a benchmark's own file.

    A download, or a file that others may write, is a UserWarning. Raises UnknownNameError or SuiteError.
    """
    return registry.load_suite(os.fspath(suite), data=None if data is None else Path(data), tell=_warn)


def _warn(message: str) -> None:
    warnings.warn(message.removeprefix("warning: "), UserWarning, stacklevel=2)


class OwnTask(Record):
    """A task written in Python: the files of a suite's folder as texts (docs/own-tasks.md)."""

    entry_point: str
    """The name of the function that is asked for."""
    prompt: str
    """All that models are shown."""
    tests: str
    """Hidden: asserts, or functions named `test_…`, on the entry point."""
    reference: str = ""
    """A program that passes them; may be left out where the tests' calls have literal arguments."""


def build_suite(folder: Place, tasks: Mapping[str, OwnTask]) -> Suite:
    """Write tasks, by name, as a suite's folder, and load it: its runs can then be audited and resumed.

    The same tasks again are the same suite. Raises InputError where the folder holds anything else, or a name
    cannot be a folder's, and SuiteError for what a suite must not be; nothing is left behind then.
    """
    root = Path(folder)
    texts: dict[Path, str] = {}
    for name, task in tasks.items():
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise InputError(f"{name!r} cannot be a task's folder", hint="letters, digits, '.', '_' and '-'")
        texts[root / name / own.SPEC] = f"---\nentry_point: {task.entry_point}\n---\n{task.prompt.strip()}\n"
        texts[root / name / own.TESTS] = task.tests
        if task.reference:
            texts[root / name / own.REFERENCE] = task.reference
    if not texts:
        raise InputError(f"no task was given for {root}", hint='{"add": OwnTask(entry_point="add", …)}')
    if root.exists():
        there = own.counted(root) if root.is_dir() else []
        if {path: path.read_text(encoding="utf-8") for path in there} != texts:
            raise InputError(
                f"{root} is there already and holds other tasks", hint="another folder, or delete it"
            )
        return load_suite(root)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    try:
        return load_suite(root)
    except SuiteError:
        shutil.rmtree(root)
        raise


class Solved(NamedTuple):
    """What a pipeline made of one task."""

    program: Program
    calls: tuple[Call, ...]
    """Every exchange with a model, in order, with its messages, reply, times and tokens."""


async def solve(
    pipeline: str | Pipeline,
    task: Task,
    team: TeamConfig | Team,
    *,
    on_call: Callable[[Call], None] | None = None,
    unsafe: bool = False,
) -> Solved:
    """Run a pipeline on one task; `on_call` hears of each call as it ends.

    Nothing is graded or kept: `score` grades programs, and `evaluate` keeps what it does. Programs that the
    pipeline runs are run in the sandbox, unless the team brings a bench. Raises the errors of the pipeline,
    such as EndpointError, and SandboxError where no sandbox holds, unless `unsafe` says to go on.
    """
    found = find_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    calls: list[Call] = []

    def record(call: Call) -> None:
        calls.append(call)
        if on_call is not None:
            on_call(call)

    async with AsyncExitStack() as opened:
        if isinstance(team, TeamConfig):
            team.require(found.roles, by=f"pipeline {found.name}")
            team = build_team(team, found.roles)
            opened.push_async_callback(team.close)
        if not team.has_bench:
            sandbox = await opened.enter_async_context(open_sandbox(1, unsafe=unsafe))
            team = team.at_work(found.roles, SandboxBench(sandbox))
        program = await found(task, team.for_task(task.id, record))
    return Solved(program, tuple(calls))


async def evaluate(
    pipelines: str | Pipeline | Sequence[Pipeline],
    suite: Suite | Place,
    team: TeamConfig | Place | None = None,
    *,
    run_dir: Place = "runs",
    observer: "Observer | None" = None,
    concurrency: int | None = None,
    fresh: bool = False,
    ledger: bool = True,
    unsafe: bool = False,
) -> "list[Result]":
    """Run pipelines over a suite, grade, and keep each run in a folder of `run_dir`, as `dualcode eval` does.

    `pipelines` is one, several, or names as on the command line: `"raw-coder,review-fix"`, `"FILE.py:NAME"`,
    `"all"`. The same call again resumes what was not finished. `observer` hears of each call and verdict.
    `fresh` begins a new run, without `ledger` every call is asked anew. Raises any DualcodeError.
    """
    from dualcode.runs.evaluate import EvalOptions, evaluate_suite

    if isinstance(team, Team):
        raise InputError(
            "a run names the servers that it asked, and this team has none",
            hint="load_team(FILE); or solve and score for models of your own",
        )
    if concurrency is not None and concurrency < 1:
        raise InputError(f"a concurrency of {concurrency} does nothing", hint="1 or more, or None")
    if isinstance(pipelines, str):
        found = find_pipelines(pipelines)
    else:
        found = [pipelines] if isinstance(pipelines, Pipeline) else list(pipelines)
    for each in found:
        if not each.source.is_file():
            raise InputError(
                f"pipeline {each.name} is in no file, and a run keeps the file of its pipeline",
                hint=f"save it, then evaluate('FILE.py:{each.name}', …); solve takes it as it is",
            )
    loaded = suite if isinstance(suite, Suite) else load_suite(suite)
    options = EvalOptions(
        pipeline=",".join(each.name for each in found),
        dataset=loaded.address,
        run_dir=Path(run_dir),
        concurrency=concurrency,
        fresh=fresh,
        no_ledger=not ledger,
        quiet=True,
        unsafe=unsafe,
    )
    config = team if isinstance(team, TeamConfig) else load_team(team)
    return await evaluate_suite(options, found, loaded, config, observer=observer)


async def score(
    programs: Mapping[str, str | Program] | Iterable[tuple[str, str | Program]] | Place,
    suite: Suite | Place,
    *,
    workers: int | None = None,
    base_only: bool = False,
    unsafe: bool = False,
) -> "Score":
    """Grade programs with a suite's hidden tests: a program by task id, pairs of both, or a file of samples.

    Tasks without a program are left out of every rate, and named in `missing`. Raises InputError and
    UnknownNameError before anything is graded, and SandboxError where no sandbox holds.
    """
    from dualcode.grading.rules import Rules
    from dualcode.grading.samples import Sample, read_samples
    from dualcode.grading.scoring import ScoreOptions, Watcher, grade_samples

    loaded = suite if isinstance(suite, Suite) else load_suite(suite)
    if isinstance(programs, str | os.PathLike):
        samples = await asyncio.to_thread(read_samples, Path(programs), loaded)
    else:
        pairs = programs
        if isinstance(programs, Mapping):
            pairs = cast("Mapping[str, str | Program]", programs).items()
        samples = [Sample(loaded.task(task_id).id, _text(task_id, each)) for task_id, each in pairs]
    if not samples:
        raise InputError(f"no program was given for {loaded.title}", hint="{TASK: PROGRAM, …}")
    options = ScoreOptions(workers=workers, rules=Rules(base_only=base_only), unsafe=unsafe)
    async with open_sandbox(workers or machine.cores(), unsafe=unsafe) as sandbox:
        return await grade_samples(samples, loaded, options, Watcher(), sandbox)


def _text(task_id: str, program: object) -> str:
    text = program.text if isinstance(program, Program) else program
    if not isinstance(text, str):
        raise InputError(f"the program of {task_id} is {program!r:.60}", hint="a text, or a Program")
    return text


def read_run(folder: Place) -> "Run":
    """Read a finished run, or what there is of one: its calls, programs, verdicts and numbers.

    Raises RunError for a folder that is no run, or one that is damaged, empty or too old to be analysed.
    """
    from dualcode.analysis.runs import load_run

    return load_run(Path(folder))


async def analyse(
    runs: "Place | Run | Result | Iterable[Place | Run | Result]",
    *,
    baseline: str | None = None,
    title: str = "",
    grade: bool = True,
) -> "Analysis":
    """Return everything that runs say: scores, comparisons with the baseline, reviewers, failures, costs.

    A folder of runs stands for all of them. The baseline is raw-coder, or the first run's pipeline. With
    `grade`, reviewed drafts that no run has a verdict of are graded now, and kept with their runs. What stays
    unknown is a UserWarning. Raises any DualcodeError.
    """
    from dualcode.analysis.gather import gather
    from dualcode.analysis.runs import Run
    from dualcode.runs.evaluate import Result

    several = [runs] if isinstance(runs, str | os.PathLike | Run | Result) else list(runs)
    paths = [each.folder if isinstance(each, Run | Result) else Path(each) for each in several]
    if not paths:
        raise InputError("no run was given to analyse", hint="a run's folder, or a folder of runs")
    return await gather(paths, baseline=baseline, title=title, grade=grade, tell=_warn)


def draw(
    analysis: "Analysis", folder: Place, names: Sequence[str] | None = None
) -> "tuple[list[Drawn], dict[str, str]]":
    """Draw figures of an analysis into a folder, each as SVG, PNG and PDF.

    Returns those that were drawn, and why each of the others could not be. `names` are figures such as
    `figure-2`; None stands for all. Raises UnknownNameError, and InputError without matplotlib.
    """
    from dualcode.figures.drawing import draw
    from dualcode.published.published import load_published

    return draw(analysis, load_published(), Path(folder), names)
