"""The report of runs: what its template is filled in with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dualcode import __version__
from dualcode.analysis.analyse import Analysis
from dualcode.analysis.costs import Total, together
from dualcode.errors import RunError
from dualcode.figures.drawn import Drawn
from dualcode.report.file import fill, image, write_page
from dualcode.report.headline import headline
from dualcode.report.pack import Packed, pack
from dualcode.report.tasks import index, rows
from dualcode.report.template import as_json, task_link
from dualcode.report.transcript import transcript
from dualcode.tables.table import Table

MOST_BYTES = 10_000_000
"""Of the file. Long reasonings, then messages, then replies are cut in their middle to stay below it."""
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
    found = rows(analysis)
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
        "totals": {name: _totals(analysis, name) for name in ("", *analysis.datasets)},
        "index": as_json(index(analysis, found)),
    }
    transcripts = [transcript(analysis, row) for row in found]
    bare = len(_page(values, Packed([], 0)).encode())
    packed = pack(transcripts, MOST_BYTES - bare - 60 * len(found))
    write_page(target, _page(values, packed))
    return target


def _totals(analysis: Analysis, dataset: str) -> list[tuple[str, Total]]:
    """Return what all runs of a dataset took together, or of all datasets for ""."""
    runs = [run for run in analysis.runs if dataset in ("", run.dataset) and run.id in analysis.costs]
    costs = [analysis.costs[run.id] for run in runs]
    return [("as if alone", together(costs, "alone")), ("really spent", together(costs, "spent"))]


def _page(values: Mapping[str, Any], packed: Packed) -> str:
    return fill("report.html.j2", ("report.css",), _SCRIPTS, packed=packed, **values)
