"""The main job: a pipeline over a suite by the team, from names to a finished run."""

import asyncio
import contextlib
from pathlib import Path

from rich.console import Console

from dualcode.config import TeamConfig, load_team
from dualcode.dropins import find_pipeline
from dualcode.errors import TeamError
from dualcode.eval.grader import EvalPlusGrader
from dualcode.eval.manifest import Configuration, Manifest, addresses, configure, manifest
from dualcode.eval.progress import Display, Tally
from dualcode.eval.runner import Runner, open_run, session
from dualcode.eval.store import RunStore, read_run
from dualcode.eval.suites import Suite, load_suite
from dualcode.eval.summary import Summary, summarize
from dualcode.pipelines import Pipeline
from dualcode.record import Record
from dualcode.serving.running import running
from dualcode.team import build_team, check_endpoints


class EvalOptions(Record):
    """What `dualcode eval` was asked for."""

    pipeline: str
    dataset: str
    data: Path | None = None
    limit: int | None = None
    tasks: tuple[str, ...] = ()
    team: Path | None = None
    run_dir: Path = Path("runs")
    concurrency: int | None = None
    fresh: bool = False
    quiet: bool = False


class Result(Record):
    """A finished run, and where it lies."""

    folder: Path
    summary: Summary
    resumed: int
    """How many tasks were there already."""


async def evaluate(options: EvalOptions, console: Console) -> Result:
    """Run, or resume, what the options name; `console` shows progress.

    Everything that can be refused is refused before the first task. Raises any DualcodeError.
    """
    pipeline = find_pipeline(options.pipeline)
    suite = load_suite(options.dataset, data=options.data).select(options.limit, options.tasks or None)
    config = find_team(options.team)
    config.require(pipeline.roles, by=f"pipeline {pipeline.name}")
    served = await check_endpoints(config, pipeline.roles)
    configuration = configure(pipeline, suite, config, served)
    made_with = manifest(run_id(configuration), configuration, suite, config)
    store = open_run(options.run_dir, made_with, fresh=options.fresh)
    try:
        resumed = len(store.records.done)
        if resumed < len(suite.tasks):
            await _work(options, console, pipeline, suite, config, store, made_with)
    finally:
        store.close()
    return Result(folder=store.folder, summary=summarize(read_run(store.folder)), resumed=resumed)


async def _work(
    options: EvalOptions,
    console: Console,
    pipeline: Pipeline,
    suite: Suite,
    config: TeamConfig,
    store: RunStore,
    made_with: Manifest,
) -> None:
    team = build_team(config, pipeline.roles)
    concurrency = options.concurrency or default_concurrency(config, pipeline)
    tally = Tally(suite.has_plus)
    title = f"{pipeline.name} on {suite.title}"
    display = Display(title, tally, team.chats, quiet=options.quiet, console=console)
    store.begin_session(session(concurrency), addresses(made_with.configuration, config))
    try:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(team.close)
            grader = await stack.enter_async_context(EvalPlusGrader(suite))
            runner = Runner(pipeline, suite, team, grader, store, concurrency=concurrency, observer=tally)
            await _watched(runner, display)
    finally:
        store.end_session()


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


def find_team(path: Path | None) -> TeamConfig:
    """Return the team of a TOML file, or of the servers that `scripts/serve.sh` started, with addresses.

    Raises TeamError if there is neither.
    """
    pair = running()
    file = path or (pair and pair.team_file)
    if file is None:
        raise TeamError(
            "no team: --team was not given, and scripts/serve.sh has started no servers",
            hint="scripts/serve.sh start (or start --profile cpu), or --team FILE",
        )
    return load_team(file).resolved(pair.base_urls() if pair else {})
