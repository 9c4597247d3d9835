"""The report of runs: what its template is filled in with; first, what was run and pass@1 at a glance."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dualcode import __version__
from dualcode.analysis.analyse import Analysis
from dualcode.analysis.comparability import Difference, Kind, find_differences
from dualcode.analysis.costs import together
from dualcode.analysis.runs import Run, Score
from dualcode.analysis.statistics import Comparison
from dualcode.errors import RunError
from dualcode.figures.drawn import Drawn
from dualcode.record import Record
from dualcode.report.file import fill, image, write_page
from dualcode.report.pack import Packed, pack
from dualcode.report.tasks import index, rows
from dualcode.report.template import as_json, task_link
from dualcode.report.transcript import transcript
from dualcode.tables.selection import suite_title
from dualcode.tables.table import Table

MOST_BYTES = 10_000_000
"""Of the file. Long reasonings, then messages, then replies are cut in their middle to stay below it."""
SEEN_BELOW: frozenset[Kind] = frozenset({"errored"})
"""Differences that the cards show themselves."""
_SCRIPTS = ("dom.js", "code.js", "transcript.js", "list.js", "main.js")


def write_report(
    analysis: Analysis,
    tables: Sequence[Table],
    figures: Sequence[Drawn],
    target: Path,
) -> Path:
    """Write the report of an analysis as one HTML file, and return its path.

    Raises RunError if there is no run, or if the file cannot be written.
    """
    if not analysis.runs:
        raise RunError("there is no run to report on", hint="dualcode report RUN…")
    found, many = rows(analysis)
    totals: dict[str, Any] = {}
    for dataset in ("", *analysis.datasets):  # "": of all datasets together
        runs = [run for run in analysis.runs if dataset in ("", run.dataset) and run.id in analysis.costs]
        costs = [analysis.costs[run.id] for run in runs]
        totals[dataset] = [
            ("as if alone", together(costs, "alone")),
            ("really spent", together(costs, "spent")),
        ]
    values: dict[str, Any] = {
        "analysis": analysis,
        "head": headline(analysis),
        "tables": tables,
        "has_published": any(column.published for table in tables for column in table.columns),
        "has_base": any(run.hardest != "base" for run in analysis.runs),
        "figures": [(figure, image(figure)) for figure in figures],
        "version": __version__,
        "task_link": task_link,
        "pipelines": {run.id: run.pipeline for run in analysis.runs},
        "titles": {run.id: run.title for run in analysis.runs},
        "suites": {run.id: run.dataset for run in analysis.runs},
        "totals": totals,
        "index": as_json(index(analysis, found)),
        "listed": {(row.dataset, row.id) for row in found},
        "left_out": many - len(found),
    }
    bare = len(_page(values, Packed([], 0)).encode())
    packed = pack((transcript(analysis, row) for row in found), MOST_BYTES - bare - 60 * len(found))
    write_page(target, _page(values, packed))
    return target


def _page(values: Mapping[str, Any], packed: Packed) -> str:
    return fill("report.html.j2", ("report.css",), _SCRIPTS, packed=packed, **values)


class Glance(Record):
    """A run in one line of the first picture; shares are 0..1."""

    run: str
    pipeline: str
    score: Score
    base: Score
    comparison: Comparison | None
    """Against the baseline, on the hardest part; None for the baseline."""


class Suite(Record):
    """The runs of one dataset."""

    dataset: str
    title: str
    """With what the runs cover of it, such as `HumanEval+ (40 of 164 tasks)`."""
    differences: tuple[Difference, ...]
    """In what its runs differ beyond their pipelines, the worst first, without what the card itself shows."""
    part: str
    """The hardest part, on which the picture is drawn."""
    glances: tuple[Glance, ...]
    """Without the runs that have no graded task."""

    @property
    def breaking(self) -> tuple[str, ...]:
        """Sentences on why the runs' rates are not of the same tasks and tests."""
        return tuple(each.text for each in self.differences if each.breaks)

    @property
    def others(self) -> tuple[str, ...]:
        """Sentences on all other differences but `changed`."""
        return tuple(each.text for each in self._others)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What the other differences are of."""
        return tuple(dict.fromkeys(str(each.kind) for each in self._others))

    @property
    def changed(self) -> tuple[str, ...]:
        """Sentences on runs whose records changed after they were sealed: a warning, whatever it breaks."""
        return tuple(each.text for each in self.differences if each.kind == "seal")

    @property
    def _others(self) -> list[Difference]:
        return [each for each in self.differences if not each.breaks and each.kind != "seal"]


class Origin(Record):
    """Where a run's numbers come from."""

    run: str
    pipeline: str
    title: str
    tasks: int
    errored: int
    models: str
    sampling: str
    data: str
    """Version and the first digits of the checksum of the benchmark's data."""
    created: str
    version: str


class Headline(Record):
    """What the report is about."""

    models: tuple[str, ...]
    dates: str
    """Of the runs: one day, or the first and the last."""
    suites: tuple[Suite, ...]
    origins: tuple[Origin, ...]


def headline(analysis: Analysis) -> Headline:
    """Return what stands above all else."""
    days = sorted({_day(run) for run in analysis.runs})
    return Headline(
        models=tuple(dict.fromkeys(model for run in analysis.runs for model in models(run))),
        dates=" to ".join(dict.fromkeys((days[0], days[-1]))) if days else "",
        suites=tuple(_suite(analysis, dataset) for dataset in analysis.datasets),
        origins=tuple(
            Origin(
                run=run.id,
                pipeline=run.pipeline,
                title=run.title,
                tasks=len(run.tasks),
                errored=len(run.errored),
                models=", ".join(models(run)),
                sampling=", ".join(dict.fromkeys(each.name for each in run.made.sampling.values())),
                data=f"{run.records.manifest.source.version}, {run.records.manifest.source.sha256[:12]}",
                created=_day(run),
                version=run.records.manifest.dualcode,
            )
            for run in analysis.runs
        ),
    )


def models(run: Run) -> list[str]:
    """Return the models of a run with their roles, such as `smollm2-coder (coder)`."""
    team = run.made.team
    endpoints, roles = team.get("endpoints", {}), team.get("roles", {})
    return [f"{endpoints[name]['model']} ({role})" for role, name in roles.items() if name in endpoints]


def _suite(analysis: Analysis, dataset: str) -> Suite:
    runs = [run for run in analysis.runs if run.dataset == dataset]
    return Suite(
        dataset=dataset,
        title=suite_title(runs),
        differences=tuple(each for each in find_differences(runs) if each.kind not in SEEN_BELOW),
        part=runs[0].hardest,
        glances=tuple(
            Glance(
                run=run.id,
                pipeline=run.pipeline,
                score=analysis.scores[run.id][run.hardest],
                base=analysis.scores[run.id]["base"],
                comparison=analysis.comparisons.get(run.id, {}).get(run.hardest),
            )
            for run in runs
            if run.hardest in analysis.scores.get(run.id, {})
        ),
    )


def _day(run: Run) -> str:
    return f"{datetime.fromtimestamp(run.records.manifest.created, UTC):%Y-%m-%d}"
