"""`dualcode eval`: pipelines over a suite, graded, with their price."""

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from dualcode.cli.options import (
    EXIT_ERRORED,
    EXIT_LEAK,
    data_option,
    json_of_each_option,
    limit_option,
    no_ledger_option,
    print_json,
    running_options,
    split_names,
    unsafe_option,
)

if TYPE_CHECKING:
    from dualcode.runs.evaluate import EvalOptions
    from dualcode.study.forecast import Forecast


@click.command("eval")
@click.option(
    "--pipeline", required=True, metavar="NAME,…",
    help="A name (see `dualcode pipelines`), several, `all`, or FILE.py:NAME.",
)  # fmt: skip
@click.option(
    "--dataset", default="mini", show_default=True, metavar="SUITE",
    help="A name (see `dualcode datasets`), or the file or folder of a suite of your own.",
)  # fmt: skip
@data_option("The benchmark's own file, .jsonl or .jsonl.gz.")
@limit_option
@click.option(
    "--tasks", callback=split_names, metavar="ID,ID…",
    help="Only these tasks, such as HumanEval/0,HumanEval/7.",
)  # fmt: skip
@running_options
@no_ledger_option
@click.option(
    "--dry-run", is_flag=True, help="Say what would run, where, and what it would take; ask no model."
)
@click.option(
    "--details", is_flag=True, help="Of several pipelines, every result, not their comparison alone."
)
@json_of_each_option
@click.option(
    "--ray", metavar="HOST:PORT",
    help="Do the tasks at the nodes of this Ray cluster (docs/scaling.md); models are asked from here.",
)  # fmt: skip
@unsafe_option
def command(dry_run: bool, details: bool, as_json: bool, **options: Any) -> None:
    """Run a pipeline over a benchmark, grade it, and print pass@1 with its interval and its price.

    A run lies in RUN-DIR/ID, with the transcript of every call. If it is killed, the same command resumes
    it; a changed configuration starts another run.

    \b
    Example:
      scripts/serve.sh start --profile cpu
      dualcode eval --pipeline review-fix --dataset mini --limit 8
    """
    from dualcode.cli import terminal
    from dualcode.cli.steps import Steps

    steps = Steps()
    with steps as tell:
        tell("loading what runs and grades")
        from dualcode.cli import printing
        from dualcode.runs.evaluate import EvalOptions, evaluate

    asked = EvalOptions(**options)
    if dry_run:
        runs, forecast = asyncio.run(_plan(asked))
        if as_json:
            print_json({"runs": runs, "forecast": forecast.model_dump(mode="json")})
            return
        from dualcode.study.words import forecast_table

        terminal.show(forecast_table(forecast))
        for each in runs:
            state = "new" if not each["done"] else f"{each['done']} of {each['tasks']} tasks done"
            click.echo(f"would run: {each['folder']} ({state})")
        return
    with steps as tell:
        done = asyncio.run(evaluate(asked, terminal.console(stderr=True), tell=tell))
    if as_json:
        for each in done:
            print_json(each.to_json())
    else:
        if len(done) > 1:
            printing.results(done)
        for each in done if details or len(done) == 1 else ():
            if each.resumed == each.summary.tasks:
                click.echo("this run was complete already; --fresh runs it anew", err=True)
            printing.result(each.summary, each.folder)
            if each.sandbox is not None:
                click.echo(f"programs ran in: {each.sandbox.name} (dualcode sandbox says what holds there)")
            click.echo(printing.audited(each.audit))
    if not all(each.audit.clean for each in done):
        sys.exit(EXIT_LEAK)
    if not all(each.summary.complete for each in done):
        sys.exit(EXIT_ERRORED)


async def _plan(asked: "EvalOptions") -> "tuple[list[dict[str, Any]], Forecast]":
    """Return the runs that `asked` names, each with its folder and what is done of it, and their forecast.

    The servers are asked who they are, for that is part of a run's name; no model is asked anything.
    """
    from dualcode.models.endpoints import check_endpoints
    from dualcode.models.probe import ask_endpoints
    from dualcode.pipelines.find import find_pipelines
    from dualcode.serving.running import find_team
    from dualcode.study.known import learn
    from dualcode.study.reproduce import Prepared, ReproduceOptions, planned, predict
    from dualcode.study.study import Study, SuiteChoice
    from dualcode.suites.registry import load_suite

    pipelines = find_pipelines(asked.pipeline)
    suite = load_suite(asked.dataset, data=asked.data).select(asked.limit, asked.tasks or None)
    config = find_team(asked.team)
    for each in pipelines:
        config.require(each.roles, by=f"pipeline {each.name}")
    roles = list(dict.fromkeys(role for each in pipelines for role in each.roles))
    served = await ask_endpoints(config, roles, await check_endpoints(config, roles), ask=False)
    names = tuple(each.name for each in pipelines)
    study = Study(title="", pipelines=names, suites=(SuiteChoice(dataset=asked.dataset),))
    options = ReproduceOptions(run_dir=asked.run_dir, fresh=asked.fresh, no_ledger=asked.no_ledger)
    known = learn(asked.run_dir, served)
    prepared = Prepared(study, options, config, served, pipelines, [suite], known)
    runs: list[dict[str, Any]] = []
    for each in pipelines:
        folder, done = planned(each, suite, prepared)
        about = {"pipeline": each.name, "dataset": suite.name, "folder": str(folder)}
        runs.append({**about, "tasks": len(suite.tasks), "done": done})
    return runs, await predict(prepared)
