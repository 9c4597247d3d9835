"""`dualcode reproduce`: a study from its forecast to its report."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualcode.cli.options import (
    COUNT,
    EXIT_ERRORED,
    EXIT_LEAK,
    PATH,
    json_option,
    print_json,
    running_options,
    unsafe_option,
)

if TYPE_CHECKING:
    from dualcode.study.reproduce import ReproduceOptions
    from dualcode.study.study import Study


@click.command()
@click.option(
    "--study", default="paper", show_default=True, metavar="NAME|FILE",
    help="paper, quick, full, or a TOML file such as eval/quick.toml.",
)  # fmt: skip
@click.option("--limit", type=COUNT, help="At most N tasks of each suite.")
@click.option(
    "--data", multiple=True, metavar="DATASET=FILE",
    help="A benchmark's own file, such as humaneval=HumanEvalPlus.jsonl.gz. May be repeated.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=PATH, help="Where tables, figures and report go. Default: reproduction/STUDY."
)
@click.option("--forecast", "only_forecast", is_flag=True, help="Say what it will take, and stop.")
@click.option(
    "--profile", metavar="NAME|PATH",
    help="With --forecast: ask no servers, compute for this serving profile. a10g where none run.",
)  # fmt: skip
@click.option("--gpu", metavar="NAME", help="With --forecast: the kind of GPU to compute for (serve plan).")
@running_options
@click.option("--no-ledger", is_flag=True, help="Ask every call anew, in every pipeline.")
@json_option
@unsafe_option
def reproduce(
    study: str,
    limit: int | None,
    data: tuple[str, ...],
    output: Path | None,
    only_forecast: bool,
    profile: str | None,
    gpu: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Run a study's pipelines over its suites, and make tables, figures and a report of it.

    It begins with a forecast of calls, tokens, hours and money. If it is killed, the same command resumes
    it: what was paid for is kept.

    \b
    Example:
      scripts/serve.sh start --profile cpu
      dualcode reproduce --study quick
    """
    from dualcode.errors import InputError
    from dualcode.study.reproduce import ReproduceOptions
    from dualcode.study.study import load_study
    from dualcode.suites.registry import find_entry

    wanted = load_study(study).limited(limit)
    files: dict[str, Path] = {}
    for each in data:
        name, equals, file = each.partition("=")
        if not equals or not file:
            raise InputError(f"--data {each!r} is not DATASET=FILE", hint="--data humaneval=FILE.jsonl.gz")
        files[find_entry(name).name] = Path(file)
    asked = ReproduceOptions(data=files, **options)
    folder = output or Path("reproduction") / Path(study).stem
    if not only_forecast and (profile or gpu):
        raise InputError(
            "--profile and --gpu are for --forecast; a study runs on servers that answer",
            hint="scripts/reproduce.sh --profile NAME, which starts them",
        )
    from dualcode.serving.running import running

    if only_forecast and (profile or gpu or (asked.team is None and running() is None)):
        asyncio.run(_forecast_offline(wanted, asked, profile or "a10g", gpu, as_json))
    elif code := asyncio.run(_reproduce(wanted, asked, folder, only_forecast, as_json)):
        sys.exit(code)


async def _forecast_offline(
    study: "Study", options: "ReproduceOptions", profile: str, gpu: str | None, as_json: bool
) -> None:
    from dualcode.cli import terminal
    from dualcode.study import offline, words
    from dualcode.study.reproduce import predict, prepare_offline

    prepared, basis = prepare_offline(study, options, profile, gpu, terminal.console(stderr=True))
    predicted = await predict(prepared)
    if as_json:
        told = basis.model_dump(mode="json") | {"disk_bytes": offline.disk(predicted).model_dump()}
        print_json({**predicted.model_dump(mode="json"), "computed": told})
    else:
        terminal.show(words.forecast_table(predicted, basis))


async def _reproduce(
    study: "Study", options: "ReproduceOptions", output: Path, only_forecast: bool, as_json: bool
) -> int:
    from dualcode.analysis.gather import gather
    from dualcode.cli import printing, terminal
    from dualcode.figures.drawing import need_matplotlib
    from dualcode.study import words
    from dualcode.study.reproduce import (
        check_folder,
        perform,
        predict,
        prepare,
        write_outputs,
    )

    need_matplotlib()
    if not only_forecast:
        check_folder(output)
    told = terminal.console(stderr=True)
    prepared = await prepare(study, options, told)
    predicted = await predict(prepared)
    if only_forecast and as_json:
        click.echo(predicted.model_dump_json())
        return 0
    terminal.show(words.forecast_table(predicted), to=None if only_forecast else told)
    if only_forecast:
        return 0
    results = await perform(prepared, told)
    told.print("reading and comparing the runs", style="dim")
    analysis = await gather(
        [each.folder for each in results], baseline=study.baseline, title=study.title, note=study.note
    )
    made = write_outputs(analysis, study, output, lambda step: told.print(step, style="dim"))
    if as_json:
        runs = [each.to_json() for each in results]
        print_json({"study": study.title, "runs": runs, **made.model_dump(mode="json")})
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
