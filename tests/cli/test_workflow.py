"""`dualcode workflow` as it is typed: shown, checked, rehearsed; what a run is told, prints and ends with."""

import json
from pathlib import Path
from typing import Any

import pytest

from dualcode.call import Usage
from dualcode.cli import main
from dualcode.issues.verdict import IssueVerdict
from dualcode.issues.worktrees import Dropped
from dualcode.workflows import work
from dualcode.workflows.records import NodeResult
from dualcode.workflows.store import WorkStore
from dualcode.workflows.work import WorkAsked, Worked
from tests.cli.typed import Run

SHIPPED = ["implement", "implement-review-fix", "plan-implement"]
TEAM = """\
[endpoints.big]
base_url = "http://127.0.0.1:9/v1"
model = "b"
[endpoints.small]
base_url = "http://127.0.0.1:9/v1"
model = "s"
[roles]
planner = "big"
implementer = "small"
"""
LINE = ("workflow", "run", "plan-implement", "--issue", "flask-4041", "--team", "team.toml")


@pytest.fixture(autouse=True)
def _team(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    (tmp_path / "team.toml").write_text(TEAM)
    monkeypatch.setattr("dualcode.cli.workflow.spelled", lambda: "dualcode")
    monkeypatch.setattr(main, "spelled", lambda: "dualcode")


def test_those_that_are_shipped_are_listed_with_their_nodes_and_what_they_are_for(run: Run) -> None:
    code, out, err = run("workflow", "list")
    assert (code, err) == (0, "")
    names = [line.split()[0] for line in out.splitlines() if not line.startswith("  ")]
    assert sorted(names) == SHIPPED
    assert "explore -> plan -> implement -> self-review -> validate" in out
    assert max(len(line) for line in out.splitlines() if line.startswith("  ")) <= 78
    told = json.loads(run("workflow", "list", "--json")[1])["workflows"]
    assert [each["name"] for each in told] == names
    assert all(each["nodes"] and each["roles"] and Path(each["path"]).is_file() for each in told)


def test_a_file_in_workflows_of_this_folder_is_listed_and_one_that_is_refused_hides_no_other(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "broken.yaml").write_text("name: broken\nnodes: 3\n")
    code, out, err = run("workflow", "list")
    assert code == 0
    assert err.startswith("broken") and "refused: " in err
    assert "plan-implement" in out and "broken" not in out
    told = {each["name"]: each for each in json.loads(run("workflow", "list", "--json")[1])["workflows"]}
    assert told["broken"]["refused"] and "nodes" not in told["broken"]
    assert set(told) == {"broken", *SHIPPED}


def test_show_says_of_each_node_who_does_it_after_what_and_whether_it_writes(run: Run) -> None:
    code, out, _ = run("workflow", "show", "plan-implement")
    assert code == 0
    name, path = out.splitlines()[0].split("  ")
    assert name == "plan-implement" and Path(path).is_file()
    assert "input VISIBLE_TEST, required: " in out
    explore = out[out.index("explore  prompt, by planner") : out.index("\nplan  ")]
    assert "  only reads the tree" in explore and "after" not in explore
    assert "  after explore (all_success)" in out[out.index("\nplan  ") :]
    told = json.loads(run("workflow", "show", "plan-implement", "--json")[1])
    assert told["roles"] == ["planner", "implementer"]
    assert [each["id"] for each in told["nodes"]][:2] == ["explore", "plan"]


@pytest.mark.parametrize("more", [(), ("--team", "team.toml")])
def test_check_says_ok_with_nodes_and_roles(run: Run, more: tuple[str, ...]) -> None:
    code, out, err = run("workflow", "check", "plan-implement", *more)
    assert (code, err) == (0, "")
    assert out.endswith("plan-implement.yaml: ok, 5 nodes, planner, implementer\n")


def test_check_finds_a_role_that_the_team_does_not_bind(run: Run, tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text(TEAM.replace("implementer", "coder"))
    code, out, _ = run("workflow", "check", "plan-implement", "implement", "--team", "team.toml", "--json")
    assert code == 2
    first, second = json.loads(out)["workflows"]
    assert "implementer" in "".join(first["faults"]) and first["file"] == "plan-implement"
    assert second["file"] == "implement"


def test_a_dry_run_needs_no_team_and_no_server_and_has_every_text(run: Run, tmp_path: Path) -> None:
    line = ("workflow", "run", "--issue", "flask-4041", "--dry-run")
    code, out, err = run(*line)
    assert (code, err) == (0, "")
    assert next(row for row in out.splitlines() if row[:1].isdigit()) == "1. explore  prompt, by planner"
    assert "     | # Raise error when blueprint name contains a dot" in out
    told = json.loads(run(*line, "--json")[1])
    assert (told["workflow"], told["issue"]) == ("plan-implement", "flask-4041")
    assert {each["endpoint"] for each in told["nodes"]} == {None}
    assert not (tmp_path / "worked").exists()


def test_a_dry_run_with_a_team_says_which_model_and_takes_roles_bound_anew(run: Run) -> None:
    line = (*LINE, "--dry-run")
    assert "1. explore  prompt, by planner = big (b)" in run(*line)[1]
    assert "1. explore  prompt, by planner = small (s)" in run(*line, "--role", "planner=small")[1]
    nodes = json.loads(run(*line, "--json", "--role", "planner=small")[1])["nodes"]
    assert {each["model"] for each in nodes if each["role"]} == {"s"}


def test_one_server_holds_every_role(run: Run) -> None:
    alone = ("--base-url", "http://127.0.0.1:9/v1", "--model", "m")
    _, out, _ = run("workflow", "run", "--issue", "flask-4041", "--dry-run", *alone)
    assert "by planner = endpoint (m)" in out and "by implementer = endpoint (m)" in out


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--role", "planner=huge"), "no endpoint is named 'huge'; known: big, small"),
        (("--role", "reviewer=big"), "no role of this workflow is named 'reviewer'; known: implementer"),
        (("--input", "nosuch=1"), "nosuch"),
    ],
)
def test_what_a_role_or_input_names_and_is_not_there_is_refused_before_anything_is_asked(
    run: Run, tmp_path: Path, more: tuple[str, ...], told: str
) -> None:
    code, out, err = run(*LINE, "--dry-run", *more)
    assert (code, out) == (2, "")
    assert told in err
    assert not (tmp_path / "worked").exists()


NODES = (
    NodeResult(node="plan", status="completed", output="a plan", seconds=61.4),
    NodeResult(node="implement", status="failed", reason="it wrote nothing", seconds=3.0),
)
SOLVED = IssueVerdict(
    task="flask-4041", solved=True, reason="solved", out_of_scope=("x.cfg",),
    dropped=(Dropped(path="tests/new.py", why="a test"),),
)  # fmt: skip
DONE = Worked(
    folder=Path("worked/x"), nodes=NODES, diff="+a line\n", files=("a.py",), verdict=SOLVED, calls=7,
    left_out=(Dropped(path="big.bin", why="too large"),), seconds=65.0,
    usage=Usage(prompt_tokens=12345, completion_tokens=678),
)  # fmt: skip


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let the work come to what stands under `done`; what was asked stands under `asked`."""
    told: dict[str, Any] = {"done": DONE}

    async def do_work(asked: WorkAsked, tell: Any) -> Worked:
        told["asked"] = asked
        tell("plan: begins (planner)")
        return told["done"]

    monkeypatch.setattr(work, "do_work", do_work)
    return told


def test_a_run_prints_diff_nodes_tokens_and_grading_and_tells_nodes_on_stderr(
    run: Run, worked: dict[str, Any]
) -> None:
    code, out, err = run(*LINE)
    assert code == 0, err
    assert err.splitlines() == [
        "plan-implement on flask-4041, in worked/plan-implement-flask-4041-1", "plan: begins (planner)",
    ]  # fmt: skip
    assert out.splitlines() == [
        "+a line",
        "",
        "plan            completed  61 s",
        "implement       failed     3 s: it wrote nothing",
        "7 calls, 12,345 tokens in, 678 out",
        "left out: big.bin: too large",
        "graded: solved",
        "did not count: tests/new.py: a test",
        "out of scope: x.cfg",
        "on record: worked/x",
    ]
    assert run(*LINE, "-q")[2] == ""


def test_what_is_typed_of_a_run_arrives(run: Run, worked: dict[str, Any], tmp_path: Path) -> None:
    more = ("--into", "here", "--steps", "3", "--tokens", "400", "--role", "planner=small", "--unsafe")
    assert run(*LINE, *more, "--archives", "a", "--archives", "b")[0] == 0
    asked = worked["asked"]
    assert (asked.folder, asked.limits.steps, asked.limits.tokens) == (Path("here"), 3, 400)
    assert asked.limits.seconds == 3600
    assert (asked.archives, asked.unsafe, asked.resume) == ((Path("a"), Path("b")), True, False)
    assert asked.team.roles == {"planner": "small", "implementer": "small"}
    assert (asked.named, asked.team_file) == (("plan-implement", "flask-4041"), tmp_path / "team.toml")


@pytest.mark.parametrize(
    ("change", "code", "way_on"),
    [
        ({}, 0, False),
        ({"verdict": SOLVED.model_copy(update={"solved": False, "reason": "2 tests fail"})}, 5, False),
        ({"verdict": SOLVED.model_copy(update={"solved": None, "reason": "the jail broke"})}, 4, True),
        ({"verdict": None}, 5, False),
        ({"nodes": (NODES[0].model_copy(update={"fault": True}),), "verdict": None}, 4, True),
    ],
)
def test_the_exit_code_says_solved_or_not_or_that_a_fault_was_in_the_way(
    run: Run, worked: dict[str, Any], change: dict[str, Any], code: int, way_on: bool
) -> None:
    worked["done"] = DONE.model_copy(update=change)
    ended, out, err = run(*LINE)
    assert ended == code
    assert ("to go on: dualcode workflow run --resume worked/" in err) == way_on
    assert ("not graded" in out) == (worked["done"].verdict is None)


def test_an_interrupted_run_says_how_to_go_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: object) -> Worked:
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "do_work", interrupted)
    code, out, err = run(*LINE, "--into", "here")
    assert (code, out) == (130, "")
    assert "to go on: dualcode workflow run --resume here" in err


def test_a_resumed_run_takes_what_is_on_record_and_roles_that_are_typed_anew(
    run: Run, worked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kept:
        workflow, task, inputs = "implement", "flask-4041", dict[str, str]()
        limits, team, roles = {"steps": 9}, str(tmp_path / "team.toml"), {"implementer": "big"}

    class Opened:
        manifest = Kept()

    def opened(folder: Path) -> Opened:
        return Opened()

    monkeypatch.setattr(WorkStore, "open", staticmethod(opened))
    assert run("workflow", "run", "--resume", "there")[0] == 0
    asked = worked["asked"]
    assert (asked.workflow.name, asked.task.name, asked.folder) == ("implement", "flask-4041", Path("there"))
    assert (asked.limits.steps, asked.resume, asked.team.roles["implementer"]) == (9, True, "big")
    assert run("workflow", "run", "--resume", "there", "--role", "implementer=small")[0] == 0
    assert worked["asked"].team.roles["implementer"] == "small"
