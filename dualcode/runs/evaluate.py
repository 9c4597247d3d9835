"""A run from its options to its summary: what `dualcode eval` does."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from dualcode.config import TeamConfig
from dualcode.models.breaker import PATIENCE
from dualcode.pipelines import Pipeline
from dualcode.pipelines.find import find_pipelines
from dualcode.record import Record
from dualcode.runs.audit import Audit
from dualcode.runs.cluster import open_nodes
from dualcode.runs.manifest import addresses, configure, manifest
from dualcode.runs.progress import Whole
from dualcode.runs.runner import Observer, Runner, work
from dualcode.runs.seal import finish
from dualcode.runs.session import RunStore, open_run
from dualcode.runs.summary import Summary
from dualcode.runs.watching import Watch
from dualcode.runs.witness import Witness
from dualcode.runs.workshop import Workshop, asked
from dualcode.sandbox.sandbox import Tier
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
    console = console or Console(quiet=True)
    watch = Watch(suite, len(pipelines), console, whole=whole, quiet=options.quiet, observer=observer)
    seconds = options.task_seconds or config.limits.task_seconds
    async with contextlib.AsyncExitStack() as around:
        hands = None
        if options.ray is not None:
            tell(f"opening the nodes of {options.ray}")
            nodes = open_nodes(
                options.ray, suite, config, pipelines,
                task_seconds=seconds, unsafe=options.unsafe, say=saying(console, quiet=options.quiet),
            )  # fmt: skip
            hands = await around.enter_async_context(nodes)
        tell("asking the servers what they are")
        served = await asked(config, roles, saying(Console(quiet=True) if options.quiet else console))
        tell("opening the runs")
        opening = Workshop(
            suite, config, roles, served,
            run_dir=options.run_dir, ledger=not options.no_ledger, unsafe=options.unsafe,
            patience=options.wait_for_server, hands=hands,
        )  # fmt: skip
        workshop = await around.enter_async_context(opening)
        runs = [_open(options, workshop, each, saying(console), around) for each in pipelines]
        lacking = [run for run in runs if len(run.store.done) < len(suite.tasks)]
        for run in runs:
            if run not in lacking:
                watch.pass_over()
                tell(f"auditing and sealing {run.store.folder.name}")
                await _finish(run, suite, unsafe=options.unsafe)
        if lacking:
            await _work(options, workshop, lacking, watch, seconds, tell)
        tell("")
        return [run.result for run in runs if run.result is not None]


def saying(console: Console, *, quiet: bool = False) -> Callable[[str], None]:
    """Return what writes a line; where it is to be `quiet`, only a warning."""

    def say(line: str) -> None:
        warns = line.startswith("warning")
        if warns or not quiet:
            style = "yellow" if warns else "dim"
            console.print(line, style=style, soft_wrap=True, markup=False, highlight=False)

    return say


@dataclass(eq=False)
class _Run:
    """One of the runs of a command."""

    pipeline: Pipeline
    store: RunStore
    result: Result | None = None
    """Once it is sealed."""


def _open(
    options: EvalOptions,
    workshop: Workshop,
    pipeline: Pipeline,
    say: Callable[[str], None],
    opened: contextlib.AsyncExitStack,
) -> _Run:
    suite, config = workshop.suite, workshop.config
    served = {name: workshop.served[name] for name in {config.roles[role] for role in pipeline.roles}}
    configuration = configure(pipeline, suite, config, served)
    made_with = manifest(configuration.run_id, configuration, suite, config)
    store = open_run(options.run_dir, made_with, fresh=options.fresh)
    opened.callback(store.close)
    for each in store.damage:
        say(f"warning: {store.folder}: {each}")
    if store.damage:
        store.add_tasks(suite.tasks)
    return _Run(pipeline, store)


async def _finish(
    run: _Run, suite: Suite, witness: Witness | None = None, sandbox: Tier | None = None, *, unsafe: bool
) -> None:
    audit, summary = await finish(
        run.store.folder, suite, witness.testimony if witness else None, unsafe=unsafe
    )
    run.result = Result(
        folder=run.store.folder, summary=summary, resumed=len(run.store.done), sandbox=sandbox, audit=audit
    )


async def _work(
    options: EvalOptions,
    workshop: Workshop,
    runs: Sequence[_Run],
    watch: Watch,
    seconds: float,
    tell: Tell,
) -> None:
    """Do what the runs lack, all of them as one pool of work, and seal each as it ends."""
    suite, config = workshop.suite, workshop.config
    tell("opening the sandboxes and the ledger")
    tools = await workshop.tools()
    hands = tools.hands
    left = {task.id for run in runs for task in suite.tasks if task.id not in run.store.done}
    hands.prepare([task.id for task in suite.tasks if task.id in left])
    tell("looking at what the servers run on")
    hardware = await workshop.hardware()
    running: dict[Runner, _Run] = {}
    for run in runs:
        pipeline, store = run.pipeline, run.store
        store.keep_source(pipeline.source.read_bytes())
        store.begin_session(
            options.concurrency or default_concurrency(config, pipeline),
            addresses(store.manifest.configuration, config),
            sandbox=hands.tier, nodes=hands.nodes, hardware=hardware,
        )  # fmt: skip
        observer = watch.begin(pipeline.name, store)
        equipped, team = hands.equip(pipeline, tools.team, store.add_shown)
        runner = Runner(equipped, suite, team, hands.grader, store, observer=observer, task_seconds=seconds)
        running[runner] = run

    def end_session(runner: Runner) -> _Run:
        run = running.pop(runner)
        run.store.end_session(held=runner.held if len(runs) > 1 else None)
        return run

    async def end(runner: Runner) -> None:
        witness = await watch.end(running[runner].store)
        await _finish(end_session(runner), suite, witness, hands.tier, unsafe=options.unsafe)

    tell("")  # from here on there is progress
    try:
        chats = list({chat.name: chat for runner in running for chat in runner.chats}.values())
        async with watch.over(chats, seconds):
            await work(list(running), most=options.concurrency, ended=end)
    finally:
        for runner in list(running):
            end_session(runner)


def default_concurrency(config: TeamConfig, pipeline: Pipeline) -> int:
    """Return how many tasks at a time keep every endpoint of the pipeline full."""
    return sum(config.endpoints[name].concurrency for name in {config.roles[role] for role in pipeline.roles})
