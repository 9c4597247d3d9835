"""The report of runs: what its template is filled in with; first, what was run and pass@1 at a glance."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from dualcode import __version__
from dualcode.analysis.analyse import Analysis
from dualcode.analysis.comparability import Difference, Kind, find_differences
from dualcode.analysis.costs import together
from dualcode.analysis.runs import Run
from dualcode.errors import RunError
from dualcode.figures.drawn import Drawn
from dualcode.report.file import as_json, fill, image, task_link, write_page
from dualcode.report.pack import Packed, pack
from dualcode.report.tasks import index, rows
from dualcode.report.transcript import transcript
from dualcode.tables.selection import suite_title
from dualcode.tables.table import Table
from dualcode.verdict import Part

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
        "models": models,
        "day": day,
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


class Suite(NamedTuple):
    """The runs of one dataset."""

    dataset: str
    title: str
    """With what the runs cover of it, such as `HumanEval+ (40 of 164 tasks)`."""
    runs: Sequence[Run]
    differences: Sequence[Difference]
    """In what its runs differ beyond their pipelines, the worst first, without what the card itself shows."""

    @property
    def part(self) -> Part:
        """The hardest part, on which the picture is drawn."""
        return self.runs[0].hardest


class Headline(NamedTuple):
    """What the report is about."""

    models: Sequence[str]
    dates: str
    """Of the runs: one day, or the first and the last."""
    suites: Sequence[Suite]


def headline(analysis: Analysis) -> Headline:
    """Return what stands above all else."""
    days = sorted({day(run) for run in analysis.runs})
    suites: list[Suite] = []
    for dataset in analysis.datasets:
        runs = [run for run in analysis.runs if run.dataset == dataset]
        differences = [each for each in find_differences(runs) if each.kind not in SEEN_BELOW]
        suites.append(Suite(dataset, suite_title(runs), runs, differences))
    return Headline(
        models=list(dict.fromkeys(model for run in analysis.runs for model in models(run))),
        dates=" to ".join(dict.fromkeys((days[0], days[-1]))) if days else "",
        suites=suites,
    )


def models(run: Run) -> list[str]:
    """Return the models of a run with their roles, such as `smollm2-coder (coder)`."""
    team = run.made.team
    endpoints, roles = team.get("endpoints", {}), team.get("roles", {})
    return [f"{endpoints[name]['model']} ({role})" for role, name in roles.items() if name in endpoints]


def day(run: Run) -> str:
    """Return the day on which a run was made."""
    return f"{datetime.fromtimestamp(run.records.manifest.created, UTC):%Y-%m-%d}"
