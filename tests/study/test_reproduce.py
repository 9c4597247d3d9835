"""A whole study against a scripted server: forecast, runs, tables, figures, report, and again."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from dualcode.cli.reproduce import reproduce
from dualcode.errors import ConfigError, DualcodeError, InputError
from dualcode.study.forecast import Range
from dualcode.study.reproduce import Prepared, ReproduceOptions, predict, prepare
from dualcode.study.study import Study, SuiteChoice
from tests.fake_server import FakeServer, serve
from tests.mini_model import TEAM, answer

STUDY = """
title = "Scripted"
note = "A scripted model answers."
pipelines = ["raw-coder", "plan-code", "review-fix"]
[[suites]]
dataset = "mini-rich"
limit = 4
[[suites]]
dataset = "mini-lean"
limit = 4
"""


def arguments(folder: Path, server: FakeServer, *more: str, figures: str = "") -> list[str]:
    (folder / "study.toml").write_text(figures + STUDY)
    (folder / "team.toml").write_text(TEAM.format(url=server.base_url))
    return [
        "--study", str(folder / "study.toml"), "--team", str(folder / "team.toml"), "--run-dir",
        str(folder / "runs"), "-o", str(folder / "out"), "--quiet", "--json", *more,
    ]  # fmt: skip


def invoke(folder: Path, server: FakeServer, *more: str, figures: str = "") -> dict[str, Any]:
    """Run the command; `figures` is the study's line that says which are drawn: all, where it is left out."""
    asked = arguments(folder, server, *more, figures=figures)
    done = CliRunner().invoke(reproduce, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_one_command_leaves_runs_tables_figures_and_a_report_as_it_forecast(tmp_path: Path) -> None:
    with serve() as server:
        server.respond = answer
        before = invoke(tmp_path, server, "--forecast")
        tried = len(server.bodies)
        assert not (tmp_path / "out").exists()
        found = invoke(tmp_path, server)
        asked = [json.dumps(body) for body in server.bodies]
        after = invoke(tmp_path, server, "--forecast")
        again = invoke(tmp_path, server, figures='figures = ["figure-2"]')
        assert len(server.bodies) == len(asked)  # everything was there
    assert [(run["pipeline"], run["dataset"]) for run in found["runs"]] == [
        (pipeline, dataset)
        for dataset in ("mini-rich", "mini-lean")
        for pipeline in ("raw-coder", "plan-code", "review-fix")
    ]
    assert [run["resumed"] for run in again["runs"]] == [4] * 6
    assert (
        {Path(path).stem for path in again["figures"]}
        == {"figure-2"}
        < {Path(path).stem for path in found["figures"]}
    )
    for path in (found["report"], found["page"], *found["tables"], *found["figures"]):
        assert Path(path).stat().st_size > 0
    page = Path(found["page"]).read_text()
    assert "A scripted model answers." in page
    for run in found["runs"]:
        assert run["run"] in page
        assert run["run"] in Path(found["report"]).read_text()
    assert tried  # the speed was tried
    assert len(asked) == len(set(asked))  # and its drafts were not asked again
    assert sum(row["tasks"] for row in before["rows"]) == 24
    assert sum(row["tasks"] for row in after["rows"]) == 0
    low, high = (sum(share["calls"][end] for row in before["rows"] for share in row["shares"])
                 for end in ("least", "most"))  # fmt: skip
    assert low <= len(asked) <= high


def prepared(folder: Path, study: Study, **options: Any) -> Prepared:
    with serve() as server:
        server.respond = answer
        team = folder / "team.toml"
        team.write_text(TEAM.format(url=server.base_url))
        asked = ReproduceOptions(team=team, run_dir=folder / "runs", **options)
        return asyncio.run(prepare(study, asked, Console(quiet=True)))


def study(*suites: SuiteChoice, pipelines: tuple[str, ...] = ("raw-coder",)) -> Study:
    return Study(title="t", pipelines=pipelines, suites=suites)


MINI = SuiteChoice(dataset="mini", limit=2)


def test_a_suite_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names mini twice"):
        prepared(tmp_path, study(MINI, MINI))


def test_an_unknown_pipeline_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'raw-codr'; nearest: raw-coder"):
        prepared(tmp_path, study(MINI, pipelines=("raw-codr",)))


def test_without_a_ledger_nothing_is_tried_for_it_would_be_asked_twice(tmp_path: Path) -> None:
    found = prepared(tmp_path, study(MINI), no_ledger=True)
    assert asyncio.run(predict(found)).rows[0].seconds is None
    assert asyncio.run(predict(found)).calls == Range(least=2, most=2)


def test_an_output_folder_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with serve() as server, pytest.raises(InputError, match="cannot write to"):
        CliRunner().invoke(reproduce, arguments(tmp_path, server), catch_exceptions=False)
    assert not server.bodies


def test_a_server_that_is_not_there_is_named_before_anything_runs(tmp_path: Path) -> None:
    with serve() as server:
        server.respond = answer
        asked = arguments(tmp_path, server, "--limit", "2")
    with pytest.raises(DualcodeError, match="127.0.0.1"):
        CliRunner().invoke(reproduce, asked, catch_exceptions=False)
