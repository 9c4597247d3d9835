"""The public names: their page runs, they cost nothing until they are asked for, and nothing prints."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dualcode
from dualcode import OwnTask, Program, Task, Team, pipeline, scripted_team
from dualcode.bench.bench import ScriptedBench
from dualcode.errors import (
    ConfigError,
    DualcodeError,
    EndpointError,
    InputError,
    RunError,
    SuiteError,
    TeamError,
    UnknownNameError,
)
from dualcode.steps import write
from tests import mini_model
from tests.fake_server import FakeServer, serve
from tests.pages import ROOT, blocks, run_block

PAGE = ROOT / "docs" / "library.md"
DOUBLE = "def double(number):\n    return 2 * number\n"
ADD = OwnTask(entry_point="add", prompt="Write `add(a, b)`.", tests="assert add(1, 2) == 3\n")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A scripted model behind `team.toml` in an empty working folder, with state and caches of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("DUALCODE_CACHE_DIR", str(tmp_path / "cache"))
    with serve() as server:
        server.respond = mini_model.answer
        (tmp_path / "team.toml").write_text(mini_model.TEAM.format(url=server.base_url))
        yield server


# The page


async def test_the_page_runs_from_top_to_bottom_in_a_running_loop(
    server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    for line, source in blocks(PAGE, "python"):
        await run_block(PAGE, line, source, names)
    assert names["graded"].base.pass_at_1 == 0.5
    assert [call.role for call in names["tried"].calls] == ["coder", "reviewer"]
    assert [result.summary.complete for result in names["results"]] == [True, True]
    assert [each.name for each in names["drawn"]] == ["figure-2"]
    told = capsys.readouterr()
    assert told.err == ""
    assert "no dataset is named 'humanevil'" in told.out


def test_the_page_names_every_public_name_and_no_other() -> None:
    table = PAGE.read_text().partition("\n## ")[0]
    told = {word for line in table.splitlines() if line.startswith("| `") for word in _names(line)}
    assert told == {*dualcode.__all__}


def _names(row: str) -> set[str]:
    """Return the public names that stand in code in a row of the page's table, called or not."""
    spans = row.split("`")[1::2]
    return {name for span in spans if (name := span.removeprefix("await ").partition("(")[0]) in _KNOWN}


_KNOWN = {*dualcode.HOMES}


# The names


def test_the_lists_of_public_names_agree() -> None:
    body = ast.parse(Path(dualcode.__file__).read_text()).body
    [typed] = [node for node in body if isinstance(node, ast.If)]
    imported = {
        alias.name: node.module
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == {name: f"dualcode.{home}" for name, home in dualcode.HOMES.items()}
    assert dualcode.__all__ == sorted(dualcode.HOMES)


@pytest.mark.parametrize("name", dualcode.__all__)
def test_each_public_name_is_there_listed_and_documented(name: str) -> None:
    found = getattr(dualcode, name)
    assert name in dir(dualcode)
    assert len(found.__doc__) > 20
    assert found is getattr(sys.modules[f"dualcode.{dualcode.HOMES[name]}"], name)


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        dualcode.evaluat  # type: ignore[attr-defined]  # noqa: B018


def test_importing_dualcode_imports_nothing_else() -> None:
    source = "import sys; before = {*sys.modules}; import dualcode; print([*{*sys.modules} - before])"
    told = subprocess.check_output([sys.executable, "-c", source], text=True)
    assert ast.literal_eval(told) == ["dualcode"]


# A task


@pipeline("given", roles=["coder"])
async def given(task: Task, team: Team) -> Program:
    """One call, and the program is run on what the prompt shows."""
    program = await write(team.coder, task)
    await team.bench.examine(task, program)
    return program


async def test_solve_tells_of_each_call_as_it_ends_and_returns_them_all() -> None:
    heard: list[str] = []
    task = dualcode.load_suite("mini").tasks[0]
    team = scripted_team(bench=ScriptedBench(), coder=[DOUBLE])
    solved = await dualcode.solve(given, task, team, on_call=lambda call: heard.append(call.step))
    assert (solved.program.text, heard) == (DOUBLE, ["write"])
    assert [call.task_id for call in solved.calls] == [task.id]


async def test_solve_raises_what_the_model_raised() -> None:
    task = dualcode.load_suite("mini").tasks[0]
    with pytest.raises(EndpointError, match="gone"):
        await dualcode.solve("raw-coder", task, scripted_team(coder=[EndpointError("gone")]))


async def test_solve_refuses_a_team_without_the_pipelines_roles(server: FakeServer) -> None:
    config = dualcode.load_team("team.toml").model_copy(update={"roles": {"coder": "both"}})
    with pytest.raises(TeamError, match="review-fix needs the role 'reviewer'"):
        await dualcode.solve("review-fix", dualcode.load_suite("mini").tasks[0], config)


def test_a_script_that_is_one_text_is_refused() -> None:
    with pytest.raises(InputError, match="is one text"):
        scripted_team(coder="def f(): pass")


# Suites


def test_the_same_tasks_are_the_same_suite_and_others_are_refused(tmp_path: Path) -> None:
    first = dualcode.build_suite(tmp_path / "ours", {"add": ADD})
    assert dualcode.build_suite(tmp_path / "ours", {"add": ADD}) == first
    with pytest.raises(InputError, match="holds other tasks"):
        dualcode.build_suite(tmp_path / "ours", {"add": ADD, "more": ADD})
    assert dualcode.load_suite(tmp_path / "ours") == first


def test_what_cannot_be_a_suite_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = ADD.model_copy(update={"tests": "assert add(1, 2) = 3\n"})
    with pytest.raises(SuiteError, match=r"tests\.py, line 1"):
        dualcode.build_suite(tmp_path / "ours", {"add": broken})
    for name in ("../add", "", ".add", "a b"):
        with pytest.raises(InputError, match="cannot be a task's folder"):
            dualcode.build_suite(tmp_path / "ours", {name: ADD})
    with pytest.raises(InputError, match="no task was given"):
        dualcode.build_suite(tmp_path / "ours", {})
    assert not (tmp_path / "ours").exists()


def test_a_file_where_the_suite_should_lie_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        dualcode.build_suite(tmp_path / "ours", {"add": ADD})
    assert (tmp_path / "ours").read_text() == "mine"


def test_data_that_others_may_write_is_a_warning_and_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    dualcode.build_suite(tmp_path / "ours", {"add": ADD})
    (tmp_path / "ours").chmod(0o777)
    with pytest.warns(UserWarning, match="who else may write") as told:
        dualcode.load_suite(tmp_path / "ours")
    assert not str(told[0].message).startswith("warning:")
    assert capfd.readouterr() == ("", "")


# Scores


async def test_programs_a_mapping_pairs_and_a_file_are_scored_alike(tmp_path: Path) -> None:
    suite = dualcode.load_suite("mini").select(tasks=["MiniRich/0", "MiniLean/0"])
    programs = {"MiniRich/0": DOUBLE, "MiniLean/0": DOUBLE.replace("2", "3")}
    file = tmp_path / "samples.jsonl"
    file.write_text("".join(json.dumps({"task_id": t, "solution": p}) + "\n" for t, p in programs.items()))
    scores = [await dualcode.score(each, suite) for each in (programs, programs.items(), str(file))]
    assert [each.base.pass_at_1 for each in scores] == [0.5, 0.5, 0.5]
    assert [[verdict.passed_plus for verdict in each.verdicts] for each in scores] == [[True, False]] * 3


async def test_programs_that_cannot_be_scored_are_refused_before_any_is_run() -> None:
    suite = dualcode.load_suite("mini")
    with pytest.raises(UnknownNameError, match="MiniRich/99"):
        await dualcode.score({"MiniRich/99": DOUBLE}, suite)
    with pytest.raises(InputError, match="program of MiniRich/0 is None"):
        await dualcode.score([("MiniRich/0", None)], suite)  # type: ignore[list-item]
    with pytest.raises(InputError, match="no program was given for mini"):
        await dualcode.score({}, suite)


# Runs


class Heard(dualcode.Observer):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_start(self, total: int, verdicts: Any) -> None:
        self.told.append(f"{total} tasks, {len(verdicts)} done")

    def on_call(self, call: dualcode.Call) -> None:
        self.told.append(call.step)

    def on_verdict(self, verdict: dualcode.Verdict) -> None:
        self.told.append("passed" if verdict.passed_plus else "not passed")


async def test_an_observer_hears_of_calls_and_verdicts_and_nothing_is_printed(
    server: FakeServer, capfd: pytest.CaptureFixture[str]
) -> None:
    suite, heard = dualcode.load_suite("mini").select(limit=1), Heard()
    [result] = await dualcode.evaluate("raw-coder", suite, "team.toml", observer=heard, concurrency=1)
    verdict = dualcode.read_run(result.folder).records.verdicts["MiniRich/0"]
    assert heard.told == ["1 tasks, 0 done", "write", "passed" if verdict.passed_plus else "not passed"]
    [again] = await dualcode.evaluate("raw-coder", suite, "team.toml")
    assert (again.folder, again.resumed) == (result.folder, 1)
    assert capfd.readouterr() == ("", "")


async def test_a_run_of_a_suite_that_was_built_is_audited_and_read(server: FakeServer) -> None:
    program = "def add(a, b):\n    return a + b\n"
    server.respond = None
    server.answers[0].content = program
    suite = dualcode.build_suite("ours", {"add": ADD})
    [result] = await dualcode.evaluate("raw-coder", suite, "team.toml", run_dir="kept")
    assert result.audit.clean
    assert dualcode.read_run(str(result.folder)).records.samples["ours/add"].solution == program
    analysis = await dualcode.analyse("kept", grade=False)
    assert [run.suite for run in analysis.runs] == ["ours"]


async def test_a_run_wants_servers_a_file_and_a_number(server: FakeServer) -> None:
    with pytest.raises(InputError, match="this team has none"):
        await dualcode.evaluate("raw-coder", "mini", scripted_team(coder=[]))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a concurrency of 0"):
        await dualcode.evaluate("raw-coder", "mini", "team.toml", concurrency=0)
    names: dict[str, Any] = {"pipeline": pipeline}
    exec("@pipeline('cell', roles=['coder'])\nasync def cell(task, team): ...", names)
    with pytest.raises(InputError, match="pipeline cell is in no file"):
        await dualcode.evaluate(names["cell"], "mini", "team.toml")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: dualcode.load_team("nowhere.toml"), TeamError),
        (lambda: dualcode.load_team(), TeamError),
        (lambda: dualcode.load_suite("humanevil"), UnknownNameError),
        (lambda: dualcode.read_run("nowhere"), RunError),
    ],
)
def test_errors_are_the_houses_own_and_say_what_to_try(server: FakeServer, call: Any, error: Any) -> None:
    with pytest.raises(error) as told:
        call()
    assert isinstance(told.value, DualcodeError)
    assert told.value.hint


async def test_nothing_to_analyse_is_refused() -> None:
    with pytest.raises(ConfigError, match="no run was given"):
        await dualcode.analyse([])
