import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks.published_page import page
from dualcode.cli.tables import tables
from dualcode.errors import DualcodeError
from dualcode.published.published import load_published
from tests.made import write_run
from tests.tables.runs import outcomes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    for pipeline, passed in (("raw-coder", 3), ("review-fix", 5)):
        write_run(folder, pipeline, outcomes("humaneval", passed, 10))
    return folder


def called(*arguments: object) -> Result:
    result = CliRunner().invoke(tables, [str(each) for each in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_markdown_is_printed_and_what_is_left_out_is_said_on_stderr(runs: Path) -> None:
    result = called(runs)
    assert "### Table 2: pass@1 on HumanEval and HumanEval+ (10 of 164 tasks)" in result.stdout
    assert "left out: table-3: no pipeline ran on a rich and a lean suite" in result.stderr
    assert "left out" not in result.stdout


def test_one_table_in_one_form(runs: Path) -> None:
    printed = called(runs, "--name", "table-2", "--format", "json")
    (table,) = json.loads(printed.stdout)
    assert table["name"] == "table-2"
    assert called(runs, "--name", "table-2", "--format", "tex").stdout.count(r"\label{") == 1


def test_folder_gets_all_forms_or_the_asked_one(runs: Path, tmp_path: Path) -> None:
    called(runs, "--name", "table-2", "-o", tmp_path / "all")
    assert {path.suffix for path in (tmp_path / "all").iterdir()} == {".md", ".csv", ".tex", ".json"}
    called(runs, "--name", "table-2", "--format", "csv", "-o", tmp_path / "one")
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["table-2.csv"]


def test_nothing_to_show_is_an_error_with_the_reason(runs: Path) -> None:
    with pytest.raises(DualcodeError, match="nothing to show: table-3: no pipeline ran"):
        called(runs, "--name", "table-3")


def test_empty_run_is_refused_by_name(runs: Path, tmp_path: Path) -> None:
    half = write_run(tmp_path / "half", "plan-code", outcomes("humaneval", 1, 2))
    (half / "verdicts.jsonl").write_text("")
    with pytest.raises(DualcodeError, match="synthetic-humaneval-plan-code"):
        called(runs, half)


def test_command_is_known_without_importing_what_it_computes_with() -> None:
    heavy = "[each for each in ('scipy', 'numpy', 'pydantic') if each in sys.modules]"
    code = f"import dualcode.cli.tables, sys; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_page_of_the_docs_is_what_the_data_makes() -> None:
    written = (ROOT / "docs" / "published.md").read_text()
    assert written == page(load_published()), "python -m benchmarks.published_page > docs/published.md"
