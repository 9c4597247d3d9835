"""`--json`: one object that a program reads, with the facts that the page has."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dualcode.cli import options
from dualcode.cli.main import cli
from tests.cli.typed import Run, finished
from tests.made import SOURCES, Story, write_run


def test_pipelines_are_an_object_with_their_roles_and_calls(run: Run) -> None:
    code, out, _ = run("pipelines", "--json")
    assert code == 0
    found = {each["name"]: each for each in json.loads(out)["pipelines"]}
    assert found["review-fix"]["roles"] == ["coder", "reviewer"]
    assert found["review-fix"]["paper"] == "§3.2"
    assert Path(found["review-fix"]["source"]).name == "review_fix.py"
    listed = [line.split()[0] for line in run("pipelines")[1].splitlines()]
    assert list(found) == listed


def test_datasets_are_an_object_with_their_size_and_place(run: Run) -> None:
    code, out, _ = run("datasets", "--json")
    assert code == 0
    found = {each["name"]: each for each in json.loads(out)["datasets"]}
    assert (found["mini"]["tasks"], found["mini"]["ready"]) == (24, True)
    assert {"humaneval", "mbpp", "humaneval-base"} <= set(found)
    page = run("datasets")[1]
    assert all(each["description"] in page and each["detail"] in page for each in found.values())


def test_a_run_is_an_object_with_its_result_and_every_task(run: Run, tmp_path: Path) -> None:
    stories = {
        "HumanEval/0": Story(plus=True, draft=SOURCES["wrong"], review="revise"),
        "HumanEval/1": Story(plus=False, review="approve", reason="wrong output"),
        "HumanEval/2": Story(plus=None),
    }
    folder = write_run(tmp_path / "runs", "review-fix", stories, tasks=[*stories, "HumanEval/3"])
    code, out, _ = run("show", folder, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["run"], found["folder"]) == (folder.name, str(folder))
    assert (found["result"]["plus"]["passed"], found["result"]["plus"]["failed"]) == (1, 1)
    tasks = {each["task_id"]: each for each in found["tasks"]}
    assert [each["base"] for each in tasks.values()] == ["passed", "failed", "errored", None]
    assert tasks["HumanEval/0"]["steps"] == [["write", ""], ["review", "revise"], ["fix", ""]]
    assert tasks["HumanEval/1"]["why"] == "wrong output"
    assert tasks["HumanEval/3"] == {
        "task_id": "HumanEval/3", "base": None, "plus": None, "why": None, "steps": [],
        "completion_tokens": 0, "seconds": 0,
    }  # fmt: skip


def test_a_task_is_an_object_with_messages_replies_program_and_verdict(run: Run, tmp_path: Path) -> None:
    _, reviewed = finished(tmp_path / "runs")
    found = json.loads(run("show", reviewed, "HumanEval/0", "--json")[1])
    assert [each["step"] for each in found["calls"]] == ["write", "review", "fix"]
    assert all(each["request"]["messages"] and each["reply"]["content"] for each in found["calls"])
    assert found["sample"]["solution"] == SOURCES["wrong"]
    assert found["verdict"]["parts"] if "parts" in found["verdict"] else found["verdict"]["plus"]


def test_a_task_that_was_not_begun_is_an_object_without_calls(run: Run, tmp_path: Path) -> None:
    made = write_run(tmp_path / "runs", "raw-coder", {"a": Story(plus=True)}, tasks=["a", "b"])
    found = json.loads(run("show", made, "b", "--json")[1])
    assert (found["calls"], found["sample"], found["verdict"]) == ([], None, None)
    assert "no verdict yet" in run("show", made, "b")[1]


def test_an_unknown_task_is_refused_with_the_nearest(run: Run, tmp_path: Path) -> None:
    made, _ = finished(tmp_path / "runs")
    for more in ([], ["--json"]):
        code, out, err = run("show", made, "HumanEval/9", *more)
        assert (code, out) == (2, "")
        assert "no task is named 'HumanEval/9'; nearest: HumanEval/0" in err


OBJECTS: dict[str, list[str]] = {
    "clean": [],
    "compare": ["runs"],
    "datasets": [],
    "failures": ["runs/last"],
    "issues list": [],
    "issues show": ["flask-4041"],
    "panel rubrics": [],
    "pipelines": [],
    "records": [],
    "sandbox": [],
    "score": ["samples.jsonl", "--dataset", "mini", "--explain", "MiniRich/0"],
    "serve plan": ["--gpu", "a10g", "--profile", "a10g"],
    "serve status": [],
    "show": ["runs/last"],
    "spec": ["stub.py", "stub.py"],
    "workflow check": ["plan-implement", "implement"],
    "workflow list": [],
    "workflow run": ["--issue", "flask-4041", "--dry-run"],
    "workflow show": ["implement"],
}
"""Commands that print one object, whatever they were given: here what they are given."""
LINES = ("costs", "eval", "reviewer judge", "top")
"""Commands that print an object a line: of several runs, or of readings."""
WITH_MORE = (
    "audit", "doctor", "duel forecast", "duel run", "duel show", "issues check", "issues jail",
    "ledger stats", "panel check", "quantize", "reproduce", "review", "reviewer bench", "solve",
    "suite check",
)  # fmt: skip
"""Commands whose object needs servers, a suite's own data, or what takes long: the tests of each read it."""


def with_json(called: click.Command, name: str = "") -> Iterator[str]:
    """Yield the names of the commands that have --json."""
    if isinstance(called, click.Group):
        for each in called.list_commands(click.Context(called)):
            found = called.get_command(click.Context(called), each)
            assert found is not None
            yield from with_json(found, f"{name} {each}".strip())
    if any("--json" in parameter.opts for parameter in called.params):
        yield name


def test_every_command_with_json_is_known_here() -> None:
    assert sorted(with_json(cli)) == sorted({*OBJECTS, *LINES, *WITH_MORE})


def test_what_stdout_holds_as_json_is_made_in_one_place_that_takes_objects_alone() -> None:
    files = Path(options.__file__).parent.glob("*.py")
    assert [each.name for each in files if "json.dumps" in each.read_text()] == ["options.py"]


@pytest.mark.parametrize("name", OBJECTS)
def test_json_is_one_object_on_one_line_of_stdout_and_nothing_else(
    run: Run, tmp_path: Path, name: str
) -> None:
    made = finished(tmp_path / "runs")
    (tmp_path / "stub.py").write_text('def f(n):\n    """Return n."""\n')
    (tmp_path / "samples.jsonl").write_text('{"task_id": "MiniRich/0", "solution": "x = 1"}\n')
    arguments = [str(made[1]) if each == "runs/last" else each for each in OBJECTS[name]]
    code, out, err = run(*name.split(), *arguments, "--json")
    assert code == (3 if name == "serve status" else 0), err
    assert out.count("\n") == 1 and isinstance(json.loads(out), dict)


@pytest.mark.parametrize("command", ["costs", "reviewer"])
def test_commands_of_several_runs_print_an_object_a_run(run: Run, tmp_path: Path, command: str) -> None:
    finished(tmp_path / "runs")
    more = ["--no-grade"] if command == "reviewer" else []
    code, out, err = run(command, "runs", "--json", *more)
    assert code == 0, err
    pipelines = [json.loads(line)["pipeline"] for line in out.splitlines()]
    assert pipelines == (["review-fix"] if command == "reviewer" else ["raw-coder", "review-fix"])
