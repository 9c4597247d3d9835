"""Synthetic runs and their report, for the tests of this folder. No number here says anything of a model."""

from collections.abc import Mapping
from pathlib import Path

from dualcode.analysis.analyse import Analysis, analyse
from dualcode.analysis.runs import Run, load_run
from dualcode.figures.drawn import Drawn
from dualcode.report.page import write_report
from dualcode.tables.table import Column, Table
from tests.made import Story, held, write_run

DRAFT = (
    "def below_zero(n):\n    total = 0\n    for each in n:\n        total += each\n    return total <= 0\n"
)
FIXED = "def below_zero(n):\n    total = 0\n    for each in n:\n        total += each\n    return total < 0\n"
FINDINGS = (
    {"where": "line 5", "actual": "returns True for []", "expected": "False, as 0 is not below zero"},
    {"where": "`total += each`", "actual": "adds every number", "expected": "stops below zero"},
    {"where": "the docstring", "actual": "is missing", "expected": "says what is meant"},
)
HOSTILE = '</script><img src=x onerror="alert(1)"><svg onload=alert(2)>\0\x1b[31m\u2028\u202e&amp;'
PROMPT = 'def below_zero(n):\n    """Say whether the sum of n is below zero."""\n'


def table() -> Table:
    """Return a table with a column of ours and a published one."""
    return Table(
        name="table-2",
        title="Table 2: synthetic",
        columns=(
            Column(name="pipeline", align="left"),
            Column(name="ours"),
            Column(name="paper", published=True),
        ),
        rows=(("raw-coder", "50.0", "78.0"), ("review-fix", "75.0", "87.8")),
        notes=("Ours is synthetic.",),
        runs=("synthetic-humaneval-raw-coder",),
        values=({}, {}),
    )


def figure(folder: Path) -> Drawn:
    """Return a figure that is one red square."""
    svg = folder / "figure-2.svg"
    square = '<rect width="90" height="90" fill="red"/>'
    svg.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90">{square}</svg>')
    return Drawn(
        name="figure-2",
        title="A square",
        caption="A red square, synthetic.",
        runs=(),
        svg=svg,
        png=svg,
        pdf=svg,
    )


def analysis_of(folder: Path, pipelines: Mapping[str, Mapping[str, Story]], **changes: str) -> Analysis:
    """Write a run for each pipeline below the folder, and return what they say."""
    prompts = {task: PROMPT for stories in pipelines.values() for task in stories}
    folders = [write_run(folder, name, stories, prompts=prompts) for name, stories in pipelines.items()]
    runs = [with_surrogates(load_run(each)) if "title" in changes else load_run(each) for each in folders]
    return analyse(
        runs, title=changes.get("title", "Synthetic runs"), note=changes.get("note", "No model ran.")
    )


def with_surrogates(run: Run) -> Run:
    """Return a run whose replies end in a lone surrogate, which no file of records could hold."""
    calls = [
        call.model_copy(
            update={"reply": call.reply.model_copy(update={"content": f"{call.reply.content}\ud800"})}
        )
        for call in run.records.calls
        if call.reply
    ]
    return Run(run.folder, held(run).model_copy(update={"calls": tuple(calls)}))


def four_tasks() -> dict[str, dict[str, Story]]:
    """Return a baseline and a reviewing pipeline: one task gained, one lost, one errored, one kept."""
    return {
        "raw-coder": {
            "HumanEval/0": Story(plus=True, program=FIXED),
            "HumanEval/1": Story(plus=True, program=FIXED),
            "HumanEval/2": Story(plus=True, program=FIXED),
            "HumanEval/3": Story(plus=False, base=True, program=DRAFT),
        },
        "review-fix": {
            "HumanEval/0": Story(plus=True, program=FIXED, review="approve"),
            "HumanEval/1": Story(
                plus=False, program=DRAFT, draft=FIXED, review="revise", findings=FINDINGS[:1]
            ),
            "HumanEval/2": Story(plus=None, program=FIXED),
            "HumanEval/3": Story(plus=True, program=FIXED, draft=DRAFT, review="revise", findings=FINDINGS),
        },
    }


def report_of(folder: Path, pipelines: Mapping[str, Mapping[str, Story]], **changes: str) -> Path:
    """Write the report of such runs, with one table and one figure, and return its path."""
    analysis = analysis_of(folder / "runs", pipelines, **changes)
    target = folder / "report.html"
    return write_report(analysis, [table()], [figure(folder)], target)
