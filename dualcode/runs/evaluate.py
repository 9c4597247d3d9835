"""A run from its options to its summary: what `dualcode eval` does."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from dualcode.config import Role, TeamConfig
from dualcode.models.breaker import PATIENCE
from dualcode.models.endpoints import Served, check_endpoints
from dualcode.models.probe import ask_endpoints, cautions
from dualcode.pipelines import Pipeline
from dualcode.pipelines.find import find_pipelines
from dualcode.record import Record
from dualcode.runs.audit import Audit
from dualcode.runs.hands import Hands
from dualcode.runs.manifest import Configuration, addresses, configure, manifest
from dualcode.runs.monitor import Reading, monitored, sources
from dualcode.runs.progress import Display, Tally, Whole
from dualcode.runs.runner import Observer, Runner, open_run, session, work
from dualcode.runs.seal import finish
from dualcode.runs.session import RunStore
from dualcode.runs.summary import Summary
from dualcode.runs.watchdog import watched
from dualcode.runs.witness import Witness
from dualcode.runs.workshop import Workshop
from dualcode.sandbox import open_sandbox
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
    ray: str | None = None
    """HOST:PORT of a Ray cluster at whose nodes tasks are done; None: on this machine."""
    wait_for_server: float = PATIENCE
    """Seconds that a server which is lost, or has no room, is waited for."""


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


Tell = Callable[[str], None]
"""Hears what a step that may take long does; "" says that it is over."""


async def evaluate(
    options: EvalOptions, console: Console, whole: Whole | None = None, *, tell: Tell = lambda _: None
) -> list[Result]:
    """Run, or resume, what the options name, its pipelines side by side; `console` shows progress.

    `whole` is told how far it is, where this is a part of something longer. `tell` hears what is done before
    there is any progress. Everything that can be refused is refused before the first task. Raises any
    DualcodeError.
    """
    tell("reading the pipelines, the suite and the team")
    pipelines = find_pipelines(options.pipeline)
    suite = load_suite(options.dataset, data=options.data).select(options.limit, options.tasks or None)
    config = find_team(options.team)
    return await evaluate_suite(options, pipelines, suite, config, console, whole, tell=tell)


async def evaluate_suite(
    options: EvalOptions,
    pipelines: Sequence[Pipeline],
    suite: Suite,
    config: TeamConfig,
    console: Console | None = None,
    whole: Whole | None = None,
    *,
    observer: Observer | None = None,
    tell: Tell = lambda _: None,
) -> list[Result]:
    """Do the same with pipelines, suite and team that are at hand: `options` only says how to run them.

    Without `console` nothing is shown; `observer` hears of each call and verdict.
    """
    for each in pipelines:
        config.require(each.roles, by=f"pipeline {each.name}")
    roles = list(dict.fromkeys(role for each in pipelines for role in each.roles))
    whole = whole or Whole(len(pipelines), len(pipelines) * len(suite.tasks))
    console = console or Console(quiet=True)
    async with contextlib.AsyncExitStack() as around:
        hands = None
        if options.ray is not None:
            async with open_sandbox(1, unsafe=options.unsafe):
                pass  # this machine seals the runs, whatever the nodes have
            tell(f"opening the nodes of {options.ray}")
            hands = await around.enter_async_context(_cluster(options, pipelines, suite, config, console))
        tell("asking the servers what they are")
        served = await asked(config, roles, console, quiet=options.quiet)
        tell("opening the runs")
        opening = Workshop(
            suite, config, roles, served,
            run_dir=options.run_dir, ledger=not options.no_ledger, unsafe=options.unsafe, observer=observer,
            patience=options.wait_for_server, hands=hands,
        )  # fmt: skip
        workshop = await around.enter_async_context(opening)
        with contextlib.ExitStack() as opened:
            runs = [_open(options, console, workshop, each, opened) for each in pipelines]
            lacking = [run for run in runs if run.resumed < len(suite.tasks)]
            for run in runs:
                if run not in lacking:
                    whole.end(len(suite.tasks))
                    tell(f"auditing and sealing {run.store.folder.name}")
                    await _finish(run, suite, None, unsafe=options.unsafe)
            if lacking:
                await _work(options, console, workshop, lacking, whole, tell)
            tell("")
            return [run.result for run in runs if run.result is not None]


def _cluster(
    options: EvalOptions, pipelines: Sequence[Pipeline], suite: Suite, config: TeamConfig, console: Console
) -> contextlib.AbstractAsyncContextManager[Hands]:
    from dualcode.runs.cluster.ray import open_cluster

    def say(line: str) -> None:
        if not options.quiet or line.startswith("warning"):
            style = "yellow" if line.startswith("warning") else "dim"
            console.print(line, style=style, soft_wrap=True, markup=False, highlight=False)

    assert options.ray is not None
    seconds = options.task_seconds or config.limits.task_seconds
    return open_cluster(
        options.ray, suite, config, pipelines, task_seconds=seconds, unsafe=options.unsafe, say=say
    )


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


@dataclass(eq=False)
class _Run:
    """One of the runs of a command."""

    pipeline: Pipeline
    store: RunStore
    addresses: dict[str, str]
    tally: Tally
    resumed: int
    """How many tasks were there already."""
    witness: Witness | None = None
    """Who audits it while it works, where it began in this process."""
    result: Result | None = None
    """Once it is sealed."""


def _open(
    options: EvalOptions,
    console: Console,
    workshop: Workshop,
    pipeline: Pipeline,
    opened: contextlib.ExitStack,
) -> _Run:
    suite, config = workshop.suite, workshop.config
    served = {name: workshop.served[name] for name in {config.roles[role] for role in pipeline.roles}}
    configuration = configure(pipeline, suite, config, served)
    made_with = manifest(run_id(configuration), configuration, suite, config)
    store = open_run(options.run_dir, made_with, fresh=options.fresh)
    opened.callback(store.close)
    for each in store.damage:
        console.print(f"warning: {store.folder}: {each}", style="yellow", soft_wrap=True, markup=False)
    if store.damage:
        store.add_tasks(suite.tasks)
    tally = Tally(suite.has_plus, workshop.observer)
    return _Run(pipeline, store, addresses(configuration, config), tally, len(store.done))


async def _finish(run: _Run, suite: Suite, sandbox: Tier | None, *, unsafe: bool) -> None:
    audit, summary = await finish(run.store.folder, suite, run.witness, unsafe=unsafe)
    run.result = Result(
        folder=run.store.folder, summary=summary, resumed=run.resumed, sandbox=sandbox, audit=audit
    )


async def _work(
    options: EvalOptions,
    console: Console,
    workshop: Workshop,
    runs: Sequence[_Run],
    whole: Whole,
    tell: Tell,
) -> None:
    """Do what the runs lack, all of them as one pool of work, and seal each as it ends."""
    suite, config = workshop.suite, workshop.config
    tell("opening the sandboxes and the ledger")
    tools = await workshop.tools()
    tier = tools.hands.tier
    left = {task.id for run in runs for task in suite.tasks if task.id not in run.store.done}
    tools.hands.prepare([task.id for task in suite.tasks if task.id in left])
    reached = {name: url for run in runs for name, url in run.addresses.items()}
    tell("looking at what the servers run on")
    hardware = await asyncio.to_thread(hardware_of, reached, workshop.served)
    running: dict[Runner, _Run] = {}
    for run in runs:
        concurrency = options.concurrency or default_concurrency(config, run.pipeline)
        own = {name: hardware[name] for name in run.addresses if name in hardware}
        about = {"sandbox": tier, "hardware": own, "nodes": tools.hands.nodes}
        begun = session(concurrency).model_copy(update=about)
        run.store.keep_source(run.pipeline.source.read_bytes())
        run.store.begin_session(begun, run.addresses)
        run.witness = Witness(run.store.folder, run.store.manifest, suite)
        run.store.listener = run.witness.hear
        pipeline, team = tools.hands.equip(run.pipeline, tools.team, run.store.add_shown)
        seconds = options.task_seconds or config.limits.task_seconds
        runner = Runner(
            pipeline, suite, team, tools.hands.grader, run.store, observer=run.tally, task_seconds=seconds
        )
        running[runner] = run
        whole.begin(run.tally)
    chats = list({chat.name: chat for runner in running for chat in runner.chats}.values())
    tallies = {run.pipeline.name: run.tally for run in runs}
    display = Display(suite.title, tallies, chats, quiet=options.quiet, console=console, whole=whole)

    def record(reading: Reading) -> None:
        for run in running.values():
            if own := tuple(name for name in reading.endpoints if name in run.addresses):
                run.store.add_reading(reading.model_copy(update={"endpoints": own}))

    tell("")  # from here on there is progress
    try:
        async with monitored(sources(chats, reached, hardware), record) as read:

            async def end(runner: Runner) -> None:
                await read()
                run = running.pop(runner)
                run.store.end_session(held=runner.held if len(runs) > 1 else None)
                whole.end(len(suite.tasks), run.tally)
                await _finish(run, suite, tier, unsafe=options.unsafe)

            with watched(options.task_seconds or config.limits.task_seconds):
                await _watched(work(list(running), most=options.concurrency, ended=end), display)
    finally:
        for runner, run in running.items():
            run.store.end_session(held=runner.held if len(runs) > 1 else None)


async def _watched(working: Coroutine[Any, Any, None], display: Display) -> None:
    watching = asyncio.create_task(display.watch())
    try:
        await working
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
