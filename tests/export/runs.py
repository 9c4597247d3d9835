"""Runs that these tests export, all synthetic."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dualcode.analysis.runs import Run, load_run
from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.record import Record
from tests.made import Story, write_run

HOSTILE = (
    'def solve(n):\n    """\0 <script>document.title = "theirs"</script> '
    "<img src=x onerror=\"document.title='theirs'\"> ![x](http://example.com/x.png) attachment://abc "
    '\u202e \x1b[31m"""\n    return 3 * n\n'
)
FINDING = {"where": "return", "actual": "6", "expected": "9"}
STORIES: Mapping[str, Story] = {
    "HumanEval/0": Story(plus=True),
    "HumanEval/1": Story(plus=False, base=True, draft=HOSTILE, review="revise", findings=[FINDING]),
    "HumanEval/2": Story(plus=None),
    "HumanEval/3": Story(plus=False, review="approve", cause="time_out", reason="time-out"),
    "HumanEval/4": Story(plus=True),
}


def make_run(
    folder: Path,
    stories: Mapping[str, Story] = STORIES,
    *,
    tasks: Sequence[str] | None = None,
    replayed: bool = False,
    pipeline: str = "review-fix",
) -> Run:
    """Write a synthetic run and load it."""
    return load_run(write_run(folder, pipeline, stories, tasks=tasks, replayed=replayed))


def change_calls(run: Run, change: Callable[[Call], Call]) -> Run:
    """Change the calls of a run on the disk, and load it anew."""
    return with_records(run, "calls.jsonl", [change(call) for call in run.records.calls])


def with_shown(run: Run, *shown: Shown) -> Run:
    """Add what the bench showed to a run on the disk, and load it anew."""
    return with_records(run, "shown.jsonl", shown)


def with_records(run: Run, name: str, records: Sequence[Record]) -> Run:
    """Replace a file of records, and load the run anew."""
    (run.folder / name).write_text("".join(f"{each.to_line()}\n" for each in records))
    return load_run(run.folder)
