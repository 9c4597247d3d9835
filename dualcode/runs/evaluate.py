"""A run from its options to its summary: what `dualcode eval` does."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from dualcode.bench.bench import SandboxBench
from dualcode.config import Role, TeamConfig, load_team
from dualcode.errors import TeamError
from dualcode.grading.grader import SandboxGrader, default_workers
from dualcode.models.endpoints import Served, check_endpoints
from dualcode.models.ledger import FOLDER, Ledger, behind_ledger
from dualcode.pipelines import Pipeline
from dualcode.pipelines.find import find_pipelines
from dualcode.record import Record
from dualcode.runs.audit import Audit
from dualcode.runs.manifest import Configuration, Manifest, addresses, configure, manifest
from dualcode.runs.monitor import monitored, sources
from dualcode.runs.progress import Display, Tally, Whole
from dualcode.runs.runner import Observer, Runner, open_run, session
from dualcode.runs.seal import seal
from dualcode.runs.store import RunStore, read_run
from dualcode.runs.summary import Summary, summarize
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.sandbox import Sandbox, Tier
from dualcode.serving.hardware import hardware_of
from dualcode.serving.running import running
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.team import Team, build_team


class EvalOptions(Record):
    """What the command line asks for."""

    pipeline: str
    """One name, several with commas between them, or `all`."""
    dataset: str
    data: Path | None = None
    limit: int | None = None
    tasks: tuple[str, ...] = ()
    team: Path | TeamConfig | None = None
    """Its file, or what would stand in it; None for the servers that were started."""
    run_dir: Path = Path("runs")
    concurrency: int | None = None
    task_seconds: float | None = None
    """None: as the team's configuration says."""
    fresh: bool = False
    no_ledger: bool = False
    """Whether every call is asked anew, and none is kept for others."""
    quiet: bool = False
    unsafe: bool = False
    """Whether to go on without a sandbox that holds."""


class Result(Record):
    """A finished run, and where it lies."""

    folder: Path
    summary: Summary
    resumed: int
    """How many tasks were there already."""
    sandbox: Tier | None
    """What the programs ran in; None if nothing was left to do."""
    audit: Audit
    """Whether a hidden test reached a model."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return self.summary.to_json() | {
            "folder": str(self.folder),
            "resumed": self.resumed,
            "sandbox": self.sandbox.name if self.sandbox else None,
            "clean": self.audit.clean,
        }


async def evaluate(options: EvalOptions, console: Console, whole: Whole | None = None) -> list[Result]:
    """Run, or resume, what the options name, one pipeline after the other; `console` shows progress.

    `whole` is told how far it is, where this is a part of something longer. Everything that can be refused
    is refused before the first task. Raises any DualcodeError.
    """
    pipelines = find_pipelines(options.pipeline)
    suite = load_suite(options.dataset, data=options.data).select(options.limit, options.tasks or None)
    config = find_team(options.team)
    return await evaluate_suite(options, pipelines, suite, config, console, whole)


async def evaluate_suite(
    options: EvalOptions,
    pipelines: Sequence[Pipeline],
    suite: Suite,
    config: TeamConfig,
    console: Console | None = None,
    whole: Whole | None = None,
    *,
    observer: Observer | None = None,
) -> list[Result]:
    """Do the same with pipelines, suite and team that are at hand: `options` only says how to run them.

    Without `console` nothing is shown; `observer` hears of each call and verdict.
    """
    for each in pipelines:
        config.require(each.roles, by=f"pipeline {each.name}")
    roles = list(dict.fromkeys(role for each in pipelines for role in each.roles))
    served = await check_endpoints(config, roles)
    whole = whole or Whole(len(pipelines), len(pipelines) * len(suite.tasks))
    console = console or Console(quiet=True)
    async with Workshop(options, suite, config, roles, served, observer) as workshop:
        return [await _evaluate(options, console, workshop, each, whole) for each in pipelines]


class Workshop:
    """What the runs of one command share, each part opened when a run first needs it."""

    def __init__(
        self,
        options: EvalOptions,
        suite: Suite,
        config: TeamConfig,
        roles: Sequence[Role],
        served: dict[str, Served],
        observer: Observer | None = None,
    ) -> None:
        self.suite = suite
        self.config = config
        self.served = served
        self.observer = observer
        self._options = options
        self._roles = roles
        self._parts = contextlib.AsyncExitStack()
        self._tools: tuple[Team, SandboxGrader, Sandbox] | None = None

    async def tools(self) -> tuple[Team, SandboxGrader, Sandbox]:
        """Return the team, the grader, and the sandbox for what pipelines run."""
        if self._tools is None:
            workers, unsafe = default_workers(), self._options.unsafe
            grading = await self._parts.enter_async_context(open_sandbox(workers, unsafe=unsafe))
            # A visible test takes milliseconds and holds a model up: it does not wait behind a grading.
            bench = await self._parts.enter_async_context(open_sandbox(workers, unsafe=unsafe))
            grader = SandboxGrader(self.suite, grading, workers=grading.workers)
            await self._parts.enter_async_context(grader)
            team = build_team(self.config, self._roles)
            self._parts.push_async_callback(team.close)
            if not self._options.no_ledger:
                ledger = Ledger.open(self._options.run_dir / FOLDER)
                self._parts.callback(ledger.close)
                behind = await behind_ledger(team.chats, ledger, self.config, self.served)
                team = team.through(lambda chat: behind[chat.name])
            self._tools = team, grader, bench
        return self._tools

    async def __aenter__(self) -> "Workshop":
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._parts.aclose()


async def _evaluate(
    options: EvalOptions, console: Console, workshop: Workshop, pipeline: Pipeline, whole: Whole
) -> Result:
    suite, config = workshop.suite, workshop.config
    served = {name: workshop.served[name] for name in {config.roles[role] for role in pipeline.roles}}
    configuration = configure(pipeline, suite, config, served)
    made_with = manifest(run_id(configuration), configuration, suite, config)
    store = open_run(options.run_dir, made_with, fresh=options.fresh)
    for each in store.records.damage:
        console.print(f"warning: {store.folder}: {each}", style="yellow", soft_wrap=True, markup=False)
    try:
        if store.records.damage:
            store.add_tasks(suite.tasks)
        resumed, tier = len(store.records.done), None
        if resumed < len(suite.tasks):
            tier = await _work(options, console, workshop, pipeline, store, made_with, whole)
        whole.end(len(suite.tasks))
        sealed = await seal(store.folder, suite)
    finally:
        store.close()
    summary = summarize(read_run(store.folder))
    return Result(folder=store.folder, summary=summary, resumed=resumed, sandbox=tier, audit=sealed)


async def _work(
    options: EvalOptions,
    console: Console,
    workshop: Workshop,
    pipeline: Pipeline,
    store: RunStore,
    made_with: Manifest,
    whole: Whole,
) -> Tier:
    """Do what the run lacks, and return what its programs ran in."""
    suite, config = workshop.suite, workshop.config
    shared, grader, sandbox = await workshop.tools()
    grader.prepare([task.id for task in suite.tasks if task.id not in store.records.done])
    team = shared.at_work(pipeline.roles, SandboxBench(sandbox, store.add_shown))
    concurrency = options.concurrency or default_concurrency(config, pipeline)
    reached = addresses(made_with.configuration, config)
    hardware = await asyncio.to_thread(hardware_of, reached, workshop.served)
    begun = {"sandbox": sandbox.tier, "hardware": hardware}
    store.keep_source(pipeline.source.read_bytes())
    store.begin_session(session(concurrency).model_copy(update=begun), reached)
    tally = Tally(suite.has_plus, workshop.observer)
    whole.begin(tally)
    title = f"{pipeline.name} on {suite.title}"
    display = Display(title, tally, team.chats, quiet=options.quiet, console=console, whole=whole)
    try:
        seconds = options.task_seconds or config.limits.task_seconds
        runner = Runner(
            pipeline, suite, team, grader, store,
            concurrency=concurrency, observer=tally, task_seconds=seconds,
        )  # fmt: skip
        async with monitored(sources(team.chats, reached, hardware), store.add_reading):
            await _watched(runner, display)
    finally:
        store.end_session()
    return sandbox.tier


async def _watched(runner: Runner, display: Display) -> None:
    watching = asyncio.create_task(display.watch())
    try:
        await runner.run()
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


def default_concurrency(config: TeamConfig, pipeline: Pipeline) -> int:
    """Return how many tasks at a time keep every endpoint of the pipeline full."""
    return sum(config.endpoints[name].concurrency for name in {config.roles[role] for role in pipeline.roles})


def run_id(configuration: Configuration) -> str:
    """Return the id of the configuration's run: readable, and different for each configuration."""
    return f"{configuration.dataset}-{configuration.pipeline}-{configuration.fingerprint[:8]}"


def find_team(given: Path | TeamConfig | None) -> TeamConfig:
    """Return the team of a TOML file, or of the servers that `scripts/serve.sh` started, with addresses.

    Raises TeamError if there is neither.
    """
    if isinstance(given, TeamConfig):
        return given
    pair = running()
    file = given or (pair and pair.team_file)
    if file is None:
        raise TeamError(
            "no team: --team was not given, and scripts/serve.sh has started no servers",
            hint="scripts/serve.sh start (or start --profile cpu), --team FILE, or --base-url with --model",
        )
    return load_team(file).resolved(pair.base_urls() if pair else {})
