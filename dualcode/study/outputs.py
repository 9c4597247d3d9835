"""What a study leaves behind: tables, figures, the report, and a page that shows them in a repository."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

from dualcode.analysis.analyse import Analysis
from dualcode.errors import ConfigError, InputError
from dualcode.figures import Drawn, draw
from dualcode.published.published import load_published
from dualcode.record import Record
from dualcode.report import write_report
from dualcode.study.study import Study
from dualcode.tables import tables, write_tables
from dualcode.tables.forms import to_text
from dualcode.tables.table import Table


class Outputs(Record):
    """Where things lie."""

    report: Path
    page: Path
    tables: tuple[Path, ...]
    figures: tuple[Path, ...]
    left_out: dict[str, str]
    """Figures with nothing to draw, and why."""


def require_matplotlib() -> None:
    """Refuse, before anything runs, an installation that cannot draw."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("figures need matplotlib", hint="pip install 'dualcode[figures]'")


def check_folder(folder: Path) -> None:
    """Refuse, before anything runs, a place where the outputs cannot lie."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error}", hint="-o FOLDER") from error


def write_outputs(
    analysis: Analysis, study: Study, folder: Path, tell: Callable[[str], object] = str
) -> Outputs:
    """Write tables, figures, report and page into `folder`, over those of an earlier time.

    `tell` hears what is at hand.
    """
    published = load_published()
    made = tables(analysis, published, study.tables)
    drawn, left_out = draw(analysis, published, folder / "figures", study.figures, tell)
    files = write_tables(made, folder / "tables")
    tell("writing the report")
    report = write_report(analysis, made, drawn, folder / "report.html")
    page = folder / "README.md"
    page.write_text("\n".join(_page(analysis, made, drawn, left_out)), encoding="utf-8")
    pictures = tuple(path for each in drawn for path in (each.svg, each.png, each.pdf))
    return Outputs(report=report, page=page, tables=tuple(files), figures=pictures, left_out=left_out)


def _page(
    analysis: Analysis, made: Sequence[Table], drawn: Sequence[Drawn], left_out: dict[str, str]
) -> list[str]:
    lines = [f"# {analysis.title}", ""]
    if analysis.note:
        lines += [f"**{analysis.note}**", ""]
    lines += ["The whole of it, with every transcript: [report.html](report.html).", ""]
    lines += ["Where such a run is not the paper's, and why: `docs/deviations.md`.", ""]
    for table in made:
        lines += [to_text([table], "md"), ""]
    for each in drawn:
        lines += [f"## {each.title}", "", f"![{each.title}](figures/{each.png.name})", "", each.caption, ""]
    if left_out:
        lines += ["## Not drawn", "", *(f"- {name}: {reason}" for name, reason in left_out.items()), ""]
    lines += ["## Runs", "", *(f"- `{run.id}`" for run in analysis.runs), ""]
    return lines
