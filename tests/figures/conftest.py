"""One synthetic analysis, made once: it is read-only."""

import pytest

from dualcode.analysis.analyse import Analysis
from tests.figures.synthetic import PAPERS, analysis


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """Return the paper's pipelines on two suites of 48 tasks, with prices and two errored tasks."""
    price = {"gpu_hour": 1.0, "currency": "$"}
    folder = tmp_path_factory.mktemp("paper")
    return analysis(folder, PAPERS, count=48, price=price, errored={"plan-code": (3, 9)}, rich=True)
