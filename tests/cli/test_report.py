"""`dualcode report`, on synthetic runs."""

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dualcode.cli.report import report
from dualcode.errors import RunError
from tests.report.made import analysis_of, four_tasks


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(report, [str(each) for each in arguments], catch_exceptions=False)


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all else, and has tests of its own."""
    real = importlib.util.find_spec

    def find(name: str) -> ModuleSpec | None:
        return None if name == "matplotlib" else real(name)

    monkeypatch.setattr("importlib.util.find_spec", find)


@pytest.mark.usefixtures("no_figures")
def test_makes_a_report_of_a_folder_of_runs_and_says_what_is_left_out(tmp_path: Path) -> None:
    analysis_of(tmp_path / "runs", four_tasks())
    target = tmp_path / "out" / "report.html"
    result = run(tmp_path / "runs", "-o", target, "--title", "A title of mine", "--no-grade")
    assert result.exit_code == 0
    assert "report.html" in result.stdout
    assert "matplotlib is not installed" in result.stderr
    assert "pip install 'dualcode[figures]'" in result.stderr
    page = target.read_text()
    assert '<h1 id="title">A title of mine</h1>' in page
    assert "synthetic-humaneval-review-fix" in page


def test_a_folder_without_runs_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=str(tmp_path)):
        run(tmp_path, "--no-grade")


def test_a_folder_as_the_file_to_write_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is a folder"):
        run(tmp_path / "no-such-run", "-o", tmp_path)
