"""A study from its options to its report: what `dualcode reproduce` does, and what that leaves behind."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field
from rich.console import Console

from dualcode.config import TeamConfig
from dualcode.errors import InputError
from dualcode.models.breaker import PATIENCE
from dualcode.models.endpoints import Served
from dualcode.pipelines import Pipeline
from dualcode.pipelines.find import find_pipelines
from dualcode.record import Record
from dualcode.runs import evaluate
from dualcode.runs.manifest import configure
from dualcode.runs.progress import Whole
from dualcode.runs.recovery import survey
from dualcode.runs.session import to_resume
from dualcode.runs.workshop import Workshop, asked
from dualcode.serving.running import find_team
from dualcode.study.forecast import Forecast, Plan, forecast
from dualcode.study.known import Known, learn, try_speed
from dualcode.study.offline import Basis, offline
from dualcode.study.rehearsal import rehearse
from dualcode.study.study import Study, SuiteChoice
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite

if TYPE_CHECKING:
    from dualcode.analysis.analyse import Analysis


class ReproduceOptions(Record):
    """What the command line asks for."""

    team: Path | TeamConfig | None = None
    run_dir: Path = Path("runs")
    data: dict[str, Path] = Field(default_factory=dict[str, Path])
    """Dataset to its file."""
    concurrency: int | None = None
    task_seconds: float | None = None
    fresh: bool = False
    no_ledger: bool = False
    quiet: bool = False
    unsafe: bool = False
    wait_for_server: float = PATIENCE

    def of(self, dataset: str, pipelines: str, limit: int | None) -> evaluate.EvalOptions:
        """Return the options of one dataset's runs."""
        shared = {name: value for name, value in self if name != "data"}
        return evaluate.EvalOptions(
            pipeline=pipelines, dataset=dataset, data=self.data.get(dataset), limit=limit, **shared
        )


@dataclass(frozen=True)
class Prepared:
    """A study that can begin: everything that can be refused was looked at."""

    study: Study
    options: ReproduceOptions
    config: TeamConfig
    served: dict[str, Served]
    pipelines: list[Pipeline]
    suites: list[Suite]
    known: Known
    """What earlier runs and the trial measured."""


async def prepare(study: Study, options: ReproduceOptions, console: Console) -> Prepared:
    """Load what the study names, ask the servers who they are, and try their speed where it is not known.

    The trial's replies are kept in the ledger: the study's first run takes them from there. Raises any
    DualcodeError.
    """
    config = find_team(options.team)
    pipelines, suites = _named(study, options, config, console)
    names = [suite.name for suite in suites]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"the study names {name} twice", hint="one [[suites]] table a dataset")
    roles = list(dict.fromkeys(role for each in pipelines for role in each.roles))
    served = await asked(config, roles, evaluate.saying(console))
    known = learn(options.run_dir, served)
    if not options.no_ledger:
        shop = Workshop(suites[0], config, roles, served, run_dir=options.run_dir, unsafe=options.unsafe)
        async with shop as workshop:
            await try_speed(pipelines, workshop, known, lambda text: console.print(text, style="dim"))
    return Prepared(study, options, config, served, pipelines, suites, known)


def prepare_offline(
    study: Study, options: ReproduceOptions, profile: str, gpu: str | None, console: Console
) -> tuple[Prepared, Basis]:
    """Prepare a forecast for a profile whose servers do not run. Raises any DualcodeError."""
    config, known, served, basis = offline(profile, gpu)
    pipelines, suites = _named(study, options, config, console)
    return Prepared(study, options, config, served, pipelines, suites, known), basis


def _named(
    study: Study, options: ReproduceOptions, config: TeamConfig, console: Console
) -> tuple[list[Pipeline], list[Suite]]:
    """Return the pipelines and suites that a study names; the team must bind every role."""
    pipelines = find_pipelines(study.asked)
    for each in pipelines:
        config.require(each.roles, by=f"pipeline {each.name}")
    return pipelines, [_suite(choice, options, console) for choice in study.suites]


async def predict(prepared: Prepared) -> Forecast:
    """Return what is left of the study, run by run."""
    plans: list[Plan] = []
    for suite in prepared.suites:
        for pipeline in prepared.pipelines:
            rehearsing = rehearse(pipeline, suite.tasks[0], prepared.config)
            rehearsal = await asyncio.wait_for(rehearsing, timeout=60)
            done = planned(pipeline, suite, prepared)[1]
            total = len(suite.tasks)
            plans.append(Plan(suite.name, pipeline.name, total - done, total, rehearsal))
    return forecast(plans, prepared.config, prepared.known, ledger=not prepared.options.no_ledger)


async def perform(prepared: Prepared, console: Console) -> list[evaluate.Result]:
    """Run, or resume, the study's runs, those of a suite side by side. Raises any DualcodeError."""
    count = len(prepared.pipelines)
    whole = Whole(count * len(prepared.suites), sum(count * len(suite.tasks) for suite in prepared.suites))
    results: list[evaluate.Result] = []
    for suite, choice in zip(prepared.suites, prepared.study.suites, strict=True):
        asked = prepared.options.of(suite.address, prepared.study.asked, choice.limit)
        results += await evaluate.evaluate(asked, console, whole)
    return results


def _suite(choice: SuiteChoice, options: ReproduceOptions, console: Console) -> Suite:
    given = next((name for name in choice.names if name in options.data), None)
    name = given or choice.entry().address
    if name != choice.preferred:
        console.print(
            f"{choice.preferred} is not on this machine; {name} is used instead (dualcode datasets says "
            "where it would come from)",
            style="yellow",
            soft_wrap=True,
        )
    return load_suite(name, data=options.data.get(name)).select(choice.limit)


def planned(pipeline: Pipeline, suite: Suite, prepared: Prepared) -> tuple[Path, int]:
    """Return where a run will lie, and how many tasks an earlier session did of it."""
    config = prepared.config
    served = {name: prepared.served[name] for name in {config.roles[role] for role in pipeline.roles}}
    run_id = configure(pipeline, suite, config, served).run_id
    if prepared.options.fresh:
        return prepared.options.run_dir / run_id, 0
    folder = to_resume(prepared.options.run_dir, run_id)
    if not (folder / "manifest.json").exists():
        return folder, 0
    return folder, len(survey(folder).done)


class Outputs(Record):
    """Where things lie."""

    report: Path
    page: Path
    tables: tuple[Path, ...]
    figures: tuple[Path, ...]
    left_out: dict[str, str]
    """Figures with nothing to draw, and why."""


def check_folder(folder: Path) -> None:
    """Refuse, before anything runs, a place where the outputs cannot lie."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error}", hint="-o FOLDER") from error


def write_outputs(
    analysis: "Analysis", study: Study, folder: Path, tell: Callable[[str], object] = str
) -> Outputs:
    """Write tables, figures, report and page into `folder`, over those of an earlier time.

    `tell` hears what is at hand.
    """
    from dualcode.figures.drawing import draw  # all of these only now: a forecast needs none
    from dualcode.published.published import load_published
    from dualcode.report.page import write_report
    from dualcode.tables.catalogue import tables
    from dualcode.tables.forms import to_text, write_tables

    published = load_published()
    made = tables(analysis, published, study.tables)
    drawn, left_out = draw(analysis, published, folder / "figures", study.figures, tell)
    files = write_tables(made, folder / "tables")
    tell("writing the report")
    report = write_report(analysis, made, drawn, folder / "report.html")
    parts = [f"# {analysis.title}", *([f"**{analysis.note}**"] if analysis.note else [])]
    parts.append("The whole of it, with every transcript: [report.html](report.html).")
    parts.append("Where such a run is not the paper's, and why: `docs/deviations.md`.")
    parts += [to_text([table], "md") for table in made]
    for each in drawn:
        parts += [f"## {each.title}", f"![{each.title}](figures/{each.png.name})", each.caption]
    if left_out:
        parts += ["## Not drawn", "\n".join(f"- {name}: {reason}" for name, reason in left_out.items())]
    parts += ["## Runs", "\n".join(f"- `{run.id}`" for run in analysis.runs)]
    page = folder / "README.md"
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    pictures = tuple(path for each in drawn for path in (each.svg, each.png, each.pdf))
    return Outputs(report=report, page=page, tables=tuple(files), figures=pictures, left_out=left_out)
