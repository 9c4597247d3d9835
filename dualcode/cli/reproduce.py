"""`dualcode reproduce`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualcode.cli.options import EXIT_ERRORED, EXIT_LEAK, running_options, unsafe_option

if TYPE_CHECKING:
    from dualcode.study.study import Study


@click.command()
@click.option(
    "--study",
    default="paper",
    show_default=True,
    metavar="NAME|FILE",
    help="paper, quick, full, or a TOML file such as eval/quick.toml.",
)
@click.option("--limit", type=click.IntRange(min=1), help="At most N tasks of each suite.")
@click.option(
    "--data",
    multiple=True,
    metavar="DATASET=FILE",
    help="A benchmark's own file, such as humaneval=HumanEvalPlus.jsonl.gz. May be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Where tables, figures and report go. Default: reproduction/STUDY.",
)
@click.option("--forecast", "only_forecast", is_flag=True, help="Say what it will take, and stop.")
@running_options
@click.option("--no-ledger", is_flag=True, help="Ask every call anew, in every pipeline.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout instead of tables.")
@unsafe_option
def reproduce(study: str, limit: int | None, data: tuple[str, ...], **options: Any) -> None:
    """Run a study's pipelines over its suites, and make tables, figures and a report of it.

    It begins with a forecast of calls, tokens, hours and money. If it is killed, the same command resumes
    it: what was paid for is kept.

    \b
    Example:
      scripts/serve.sh start --profile cpu
      dualcode reproduce --study quick
    """
    from dualcode.study.study import load_study

    wanted = load_study(study).limited(limit)
    output = options.pop("output") or Path("reproduction") / Path(study).stem
    as_json, only_forecast = options.pop("as_json"), options.pop("only_forecast")
    code = asyncio.run(_reproduce(wanted, _files(data), output, as_json, only_forecast, options))
    if code:
        sys.exit(code)


async def _reproduce(
    study: "Study", data: dict[str, Path], output: Path, as_json: bool, only_forecast: bool, options: Any
) -> int:
    from dualcode.analysis.gather import gather
    from dualcode.cli import printing, terminal
    from dualcode.study import outputs, words
    from dualcode.study.reproduce import ReproduceOptions, perform, predict, prepare

    outputs.require_matplotlib()
    if not only_forecast:
        outputs.check_folder(output)
    told = terminal.console(stderr=True)
    prepared = await prepare(study, ReproduceOptions(data=data, **options), told)
    predicted = await predict(prepared)
    if only_forecast and as_json:
        click.echo(predicted.model_dump_json())
        return 0
    terminal.show(words.forecast_table(predicted), to=None if only_forecast else told)
    if only_forecast:
        return 0
    results = await perform(prepared, told)
    told.print("drawing tables, figures and the report", style="dim")
    analysis = await gather(
        [each.folder for each in results], baseline=study.baseline, title=study.title, note=study.note
    )
    made = outputs.write_outputs(analysis, study, output)
    if as_json:
        runs = [each.to_json() for each in results]
        click.echo(json.dumps({"study": study.title, "runs": runs, **made.model_dump(mode="json")}))
    else:
        for dataset in dict.fromkeys(each.summary.dataset for each in results):
            own = [each.summary for each in results if each.summary.dataset == dataset]
            terminal.show(printing.comparison(own))
        click.echo(f"report   {made.report}\npage     {made.page}\ntables   {output / 'tables'}")
        click.echo(f"figures  {output / 'figures'}")
    for name, reason in made.left_out.items():
        click.echo(f"not drawn: {name}: {reason}", err=True)
    if not all(each.audit.clean for each in results):
        return EXIT_LEAK
    return 0 if all(each.summary.complete for each in results) else EXIT_ERRORED


def _files(data: tuple[str, ...]) -> dict[str, Path]:
    from dualcode.errors import InputError
    from dualcode.suites.registry import find_entry

    found: dict[str, Path] = {}
    for each in data:
        name, equals, file = each.partition("=")
        if not equals or not file:
            raise InputError(f"--data {each!r} is not DATASET=FILE", hint="--data humaneval=FILE.jsonl.gz")
        found[find_entry(name).name] = Path(file)
    return found
