"""The file: a template filled in, its styles and scripts within, and a policy that lets nothing else run.

Nothing that a model wrote is ever markup. Here it goes through Jinja's escaping or, for the scripts, through
JSON and base64; there it becomes text nodes. The policy of the page names its own styles and scripts by their
hashes and forbids every request, every other script, and every way to turn a string into markup.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from dualcode import __version__
from dualcode.analysis.analyse import Analysis
from dualcode.analysis.costs import Total, together
from dualcode.errors import RunError
from dualcode.figures.drawn import Drawn
from dualcode.report.headline import headline
from dualcode.report.pack import Packed, pack
from dualcode.report.tasks import index, rows
from dualcode.report.template import as_json, environment, task_link
from dualcode.report.transcript import transcript
from dualcode.tables.table import Table

MOST_BYTES = 10_000_000
"""Of the file. Long reasonings, then messages, then replies are cut in their middle to stay below it."""
_FOLDER = Path(__file__).parent
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
        "figures": [(figure, _image(figure)) for figure in figures],
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
    _write(target, _page(values, packed))
    return target


def _totals(analysis: Analysis, dataset: str) -> list[tuple[str, Total]]:
    """Return what all runs of a dataset took together, or of all datasets for ""."""
    runs = [run for run in analysis.runs if dataset in ("", run.dataset) and run.id in analysis.costs]
    costs = [analysis.costs[run.id] for run in runs]
    return [("as if alone", together(costs, "alone")), ("really spent", together(costs, "spent"))]


def _page(values: Mapping[str, Any], packed: Packed) -> str:
    style, theme = _asset("report.css"), _asset("theme.js")
    script = '"use strict";\n' + "\n".join(_asset(name) for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; script-src {_hash(theme)} {_hash(script)}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    own = {"policy": policy, "style": style, "theme": theme, "script": script}
    marked = {name: Markup(text) for name, text in own.items()}
    return environment().get_template("report.html.j2").render(**values, **marked, packed=packed)


@cache
def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _image(figure: Drawn) -> str:
    try:
        content = figure.svg.read_bytes()
    except OSError as error:
        raise RunError(
            f"the figure {figure.name} cannot be read: {error}", hint="python -m dualcode.figures RUN…"
        ) from error
    return f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"


def _write(target: Path, page: str) -> None:
    """Write the file so that a kill leaves the old one or the new one."""
    fresh = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(page.encode("utf-8", "replace"))
        fresh.replace(target)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error}", hint="-o FILE") from error
