"""The report: one HTML file that opens from the disk, without a network.

| file | what it makes |
|---|---|
| `file.py`, `template.py` | the file: template, styles and scripts under a policy that forbids all else |
| `page.py` | the report of runs; `duels/page.py` makes that of a duel from `duel.html.j2` |
| `headline.py` | the page's first part: what was run, and pass@1 at a glance |
| `tasks.py` | the task list: what became of each task in each pipeline |
| `transcript.py`, `programs.py`, `findings.py` | a task's transcript: programs, diffs, findings by line |
| `pack.py` | transcripts made small, and smaller where the file would be too large |
| `text.py` | foreign text made visible |
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualcode.report.page import write_report

__all__ = ["write_report"]


def __getattr__(name: str) -> Any:
    """Import `write_report` when it is first asked for: every command imports this package."""
    if name == "write_report":
        from dualcode.report.page import write_report

        return write_report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
