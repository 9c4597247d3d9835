"""One synthetic study and all tables that are made of it: both are made once and only read."""

import pytest

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.comparisons import compare_runs
from dualcode.analysis.costs import costs_of
from dualcode.analysis.reviewer import Judged
from dualcode.published.published import load_published
from dualcode.tables.catalogue import tables
from dualcode.tables.comparisons import gaps_table, suite_table
from dualcode.tables.costs import overview, run_costs
from dualcode.tables.regressions import classes, lost_tasks
from dualcode.tables.reviewers import fixes, matrix, quartiles, rates
from dualcode.tables.reviewers import overview as reviewed
from dualcode.tables.table import Table
from tests.figures.synthetic import PAPERS, analysis


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """Return the paper's pipelines on two suites of 40 tasks, with prices, two tasks errored. Read-only."""
    price = {"gpu_hour": 1.0, "currency": "$"}
    folder = tmp_path_factory.mktemp("study")
    return analysis(folder, PAPERS, count=40, price=price, errored={"plan-code": (3, 9)}, rich=True)


@pytest.fixture(scope="session")
def every(study: Analysis) -> list[Table]:
    """Return every table that a command shows, and every table of a study."""
    found = study
    compared = compare_runs(found.runs)
    reports = list(found.reviewers.values())
    return [
        *tables(found, load_published()),
        *(suite_table(suite, 14) for suite in compared.suites),
        gaps_table(compared),
        overview([(each, "HumanEval+") for each in found.costs.values()]),
        reviewed([(run, found.reviewers[run.id]) for run in found.runs if run.id in found.reviewers]),
        *(run_costs(costs_of(run), run.title) for run in found.runs[:3]),
        *(table for lost in found.regressions.values() for table in (classes(lost), lost_tasks(lost))),
        *(make(each.overall.confusion) for each in reports for make in (matrix, rates)),
        *(fixes(each.overall.fixes) for each in reports),
        *(quartiles(each.quartiles) for each in reports),
        *(quartiles([_unread(quartile) for quartile in each.quartiles]) for each in reports),
    ]


def _unread(judged: Judged) -> Judged:
    counts = judged.confusion.model_copy(update={"unknown": 5, "off_schema": 3})
    return judged.model_copy(update={"confusion": counts})
