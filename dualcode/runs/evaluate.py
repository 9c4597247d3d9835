"""A run from its options to its summary: what `dualcode eval` does."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from dualcode.config import Role, TeamConfig
from dualcode.models.endpoints import Served, check_endpoints
from dualcode.models.probe import ask_endpoints, cautions
from dualcode.pipelines import Pipeline
from dualcode.pipelines.find import find_pipelines
from dualcode.record import Record
from dualcode.runs.audit import Audit
from dualcode.runs.manifest import Configuration, Manifest, addresses, configure, manifest
from dualcode.runs.monitor import monitored, sources
from dualcode.runs.progress import Display, Tally, Whole
from dualcode.runs.runner import Observer, Runner, open_run, session
from dualcode.runs.seal import finish
from dualcode.runs.store import RunStore
from dualcode.runs.summary import Summary
from dualcode.runs.workshop import Workshop
from dualcode.sandbox.sandbox import Tier
from dualcode.serving.hardware import hardware_of
from dualcode.serving.running import find_team
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite


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
    whole = whole or Whole(len(pipelines), len(pipelines) * len(suite.tasks))
    console = console or Console(quiet=True)
    served = await asked(config, roles, console, quiet=options.quiet)
    opening = Workshop(
        suite, config, roles, served,
        run_dir=options.run_dir, ledger=not options.no_ledger, unsafe=options.unsafe, observer=observer,
    )  # fmt: skip
    async with opening as workshop:
        return [await _evaluate(options, console, workshop, each, whole) for each in pipelines]


async def asked(
    config: TeamConfig, roles: Sequence[Role], console: Console, *, quiet: bool = False
) -> dict[str, Served]:
    """Return what serves these roles and can do, asked where it is not known; what it cannot is told."""

    def say(line: str, style: str = "dim") -> None:
        if not quiet:
            console.print(line, style=style, soft_wrap=True, markup=False, highlight=False)

    served = await ask_endpoints(config, roles, await check_endpoints(config, roles), say=say)
    for name, each in served.items():
        for line in cautions(config, roles, name, each):
            say(f"warning: {line}", "yellow")
    return served


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
        audit, summary = await finish(store.folder, suite)
    finally:
        store.close()
    return Result(folder=store.folder, summary=summary, resumed=resumed, sandbox=tier, audit=audit)


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
    tools = await workshop.tools()
    tools.grader.prepare([task.id for task in suite.tasks if task.id not in store.records.done])
    team = tools.team_of(pipeline.roles, store.add_shown)
    concurrency = options.concurrency or default_concurrency(config, pipeline)
    reached = addresses(made_with.configuration, config)
    hardware = await asyncio.to_thread(hardware_of, reached, workshop.served)
    begun = {"sandbox": tools.sandbox.tier, "hardware": hardware}
    store.keep_source(pipeline.source.read_bytes())
    store.begin_session(session(concurrency).model_copy(update=begun), reached)
    tally = Tally(suite.has_plus, workshop.observer)
    whole.begin(tally)
    title = f"{pipeline.name} on {suite.title}"
    display = Display(title, tally, team.chats, quiet=options.quiet, console=console, whole=whole)
    try:
        seconds = options.task_seconds or config.limits.task_seconds
        runner = Runner(
            pipeline, suite, team, tools.grader, store,
            concurrency=concurrency, observer=tally, task_seconds=seconds,
        )  # fmt: skip
        async with monitored(sources(team.chats, reached, hardware), store.add_reading):
            await _watched(runner, display)
    finally:
        store.end_session()
    return tools.sandbox.tier


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
