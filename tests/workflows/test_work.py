"""`dualcode workflow` as a user types it, with a scripted server, a real jail and a real repository."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dualcode.config import load_team
from dualcode.issues import packages
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.packages import Environment
from dualcode.issues.task import IssueTask
from dualcode.workflows.find import find_workflow
from dualcode.workflows.loading import load_workflow
from dualcode.workflows.store import WorkStore
from dualcode.workflows.work import WorkAsked, do_work
from tests.cli.conftest import run
from tests.cli.typed import Run
from tests.fake_server import Answer, FakeServer, serve
from tests.workflows.test_hands import MEND, says, submits

__all__ = ["run"]

Body = dict[str, Any]
TEAM = """\
[endpoints.big]
base_url = "{url}"
model = "m"
attempts = 1
[endpoints.small]
base_url = "{url}"
model = "m"
attempts = 1
[roles]
planner = "big"
reviewer = "big"
implementer = "small"
"""
PHASES = {
    "Explore this repository": "explore",
    "Plan the solution": "plan",
    "Solve this issue": "implement",
    "Review what you have done": "check",
    "Answer with a word.": "word",
}


def phase(body: Body) -> tuple[str, int]:
    """Return what a request is about, and its number within that."""
    users = [(n, each["content"]) for n, each in enumerate(body["messages"]) if each["role"] == "user"]
    for place, text in reversed(users):
        for words, name in PHASES.items():
            if text.startswith(words):
                return name, (len(body["messages"]) - place) // 2
    raise AssertionError(users[0])


def script(**changes: list[str]) -> Callable[[Body], Answer]:
    """Return a model that mends the shop, but for what is given."""
    replies = {
        "explore": [says("cat shop/price.py"), submits("total() leaves out the first.")],
        "plan": [submits("Sum all prices in shop/price.py.")],
        "implement": [says(MEND), submits("mended")],
        "check": [submits("right")],
        "word": [submits("done")],
        **changes,
    }

    def respond(body: Body) -> Answer:
        name, number = phase(body)
        return Answer(content=replies[name][number])

    return respond


@pytest.fixture
def server(tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A server that mends the shop, named in team.toml; the task's packages are those of the fixture."""

    def given(task: IssueTask) -> Environment:
        return environment

    monkeypatch.setattr(packages, "environment", given)
    with serve(Answer()) as found:
        found.respond = script()
        (tmp_path / "team.toml").write_text(TEAM.format(url=found.base_url))
        yield found


def asked(server: FakeServer) -> list[str]:
    return [phase(body)[0] for body in server.bodies]


def work(run: Run, task: IssueTask, *more: str) -> tuple[int, str, str]:
    return run("workflow", "run", "--issue", task.folder, "--team", "team.toml", "--into", "out", *more)


def test_the_default_solves_the_issue_and_shows_the_diff_and_its_grading(
    run: Run, server: FakeServer, task: IssueTask, jail: CommandJail, tmp_path: Path
) -> None:
    code, out, err = work(run, task)
    assert code == 0, err
    assert "+    return sum(prices)" in out
    assert "graded: solved" in out
    assert "explore         completed  2 steps" in out
    assert "plan: begins (planner)" in err
    assert asked(server) == ["explore", "explore", "plan", "implement", "implement", "check"]
    store = WorkStore.open(tmp_path / "out")
    assert store.manifest.roles == {"planner": "big", "implementer": "small"}
    assert list(store.nodes()) == ["explore", "plan", "implement", "self-review", "validate"]
    assert [call.step for call in store.calls()] == [*asked(server)[:-1], "self-review"]
    assert [call.number for call in store.calls()] == list(range(1, 7))
    assert json.loads((tmp_path / "out" / "verdict.json").read_text())["solved"] is True
    # What has ended is not done again.
    code, out, err = run("workflow", "run", "--resume", "out", "--json")
    assert (code, json.loads(out)["solved"]) == (0, True)
    assert len(asked(server)) == 6


def test_a_wrong_fix_ends_with_5_and_says_which_tests_fail(
    run: Run, server: FakeServer, task: IssueTask, jail: CommandJail
) -> None:
    server.respond = script(implement=[says("echo '# no' >> shop/price.py"), submits("mended")])
    code, out, _ = work(run, task, "--json")
    worked = json.loads(out)
    assert (code, worked["solved"], worked["files"]) == (5, False, ["shop/price.py"])
    assert worked["verdict"]["failing"] == ["tests/test_issue.py::test_all_count"]


def test_a_server_that_fails_ends_with_4_and_the_run_goes_on_where_it_was(
    run: Run, server: FakeServer, task: IssueTask, jail: CommandJail, tmp_path: Path
) -> None:
    working = script()

    def failing(body: Body) -> Answer:
        return (
            Answer(status=400, error={"message": "no"}) if phase(body) == ("implement", 1) else working(body)
        )

    server.respond = failing
    nodes = "- {id: implement, prompt: Solve this issue., retry: {max_attempts: 1, delay_ms: 1000}}"
    head = "name: own\ndescription: one node\nrole: implementer\n"
    (tmp_path / "own.yaml").write_text(f"{head}nodes:\n{nodes}\n")
    code, out, err = work(run, task, "./own.yaml")
    assert code == 4, err
    assert "not graded" in out
    assert "workflow run --resume out" in err
    assert asked(server) == ["implement"] * 3  # the second attempt asks only what was not answered
    server.respond = working
    code, out, err = run("workflow", "run", "--resume", "out")
    assert code == 0, err
    assert len(asked(server)) == 4
    assert (tmp_path / "out" / "nodes.jsonl").read_text().count("\n") == 1  # what came of it in the end
    steps = WorkStore.open(tmp_path / "out").steps()
    assert [step.number for step in steps] == [1, 2]


def test_an_interrupted_run_goes_on_and_asks_nothing_twice(
    run: Run, server: FakeServer, task: IssueTask, jail: CommandJail, tmp_path: Path
) -> None:
    working, reached = script(), asyncio.Event()

    async def interrupted() -> None:
        loop = asyncio.get_running_loop()

        def hanging(body: Body) -> Answer:
            if phase(body) == ("implement", 1):
                loop.call_soon_threadsafe(reached.set)
                return Answer(hang=600)
            return working(body)

        server.respond = hanging
        workflow = load_workflow(find_workflow("plan-implement"))
        file = tmp_path / "team.toml"
        what = WorkAsked(workflow, task, load_team(file), tmp_path / "out", team_file=file)
        what = replace(what, named=("plan-implement", str(task.folder)))
        working_on = asyncio.create_task(do_work(what, lambda _: None))
        await reached.wait()
        working_on.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working_on

    asyncio.run(interrupted())
    assert list(WorkStore.open(tmp_path / "out").nodes()) == ["explore", "plan"]
    server.respond, before = working, len(asked(server))
    code, _, err = run("workflow", "run", "--resume", "out")
    assert code == 0, err
    assert "explore: on record" in err
    assert asked(server)[before:] == ["implement", "check"]
    assert len(WorkStore.open(tmp_path / "out").calls()) == 6


GATED = """\
name: gated
description: asks first
nodes:
- {id: word, prompt: Answer with a word., role: planner, writable: false}
- {id: gate, approval: {message: "Is it $word.output?"}, depends_on: [word]}
- {id: mend, bash: "sed -i 's/prices\\\\[1:\\\\]/prices/' shop/price.py", depends_on: [gate]}
"""


def test_a_decision_is_refused_off_a_terminal_unless_it_was_made_beforehand(
    run: Run, server: FakeServer, task: IssueTask, jail: CommandJail, tmp_path: Path
) -> None:
    (tmp_path / "gated.yaml").write_text(GATED)
    code, _, err = work(run, task, "gated.yaml")
    assert code == 2
    assert "gated.yaml: node 'gate' asks for a decision, and stdin is no terminal" in err
    assert "--approve gate=approve" in err
    assert work(run, task, "gated.yaml", "--approve", "gate=perhaps")[0] == 2
    assert work(run, task, "gated.yaml", "--approve", "door=approve")[0] == 2
    assert asked(server) == []
    assert not (tmp_path / "out").exists()
    code, out, err = work(run, task, "gated.yaml", "--approve", "gate=approve:go on")
    assert code == 0, err
    assert "gate: approve, as --approve says" in err
    code, out, err = work(run, task, "gated.yaml", "--approve", "gate=reject:no", "--into", "other")
    assert code == 5
    assert "gate            cancelled" in out
    assert "rejected: no" in out
    assert "not graded" in out


def test_a_dry_run_needs_no_server_and_shows_what_would_be_said(
    run: Run, task: IssueTask, tmp_path: Path
) -> None:
    (tmp_path / "team.toml").write_text(TEAM.format(url="http://127.0.0.1:9/v1"))
    code, out, _ = work(run, task, "--dry-run")
    assert code == 0
    assert "1. explore  prompt, by planner = big (m)" in out
    assert "3. implement  prompt, by implementer = small (m)" in out
    assert "goes on in the conversation of implement" in out
    assert "     | # The first price is not counted" in out
    assert "     | $explore.output" in out
    assert "     | bash -c 'python -m pytest -q tests'" in out
    code, out, _ = work(run, task, "--dry-run", "--json", "--role", "planner=small")
    nodes = json.loads(out)["nodes"]
    assert [node["endpoint"] for node in nodes] == ["small"] * 4 + [None]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--role", "planner=large"], "no endpoint is named 'large'; known: big, small"),
        (["--role", "critic=big"], "no role of this workflow is named 'critic'"),
        (["--role", "planner"], "--role 'planner': write KEY=VALUE"),
        (["--input", "WHAT=x"], "'WHAT' is no input of plan-implement"),
        (["--resume", "out"], "--resume goes on with what is on record"),
        (["nothing"], "no workflow is named 'nothing'"),
    ],
)
def test_what_does_not_fit_is_refused(
    run: Run, task: IssueTask, tmp_path: Path, more: list[str], told: str
) -> None:
    (tmp_path / "team.toml").write_text(TEAM.format(url="http://127.0.0.1:9/v1"))
    code, _, err = work(run, task, "--dry-run", *more)
    assert (code, told in err) == (2, True), err


def test_a_role_that_the_team_leaves_unbound_is_told_with_its_line(
    run: Run, task: IssueTask, tmp_path: Path
) -> None:
    (tmp_path / "team.toml").write_text(TEAM.format(url="http://127.0.0.1:9/v1").replace("planner", "coder"))
    code, _, err = work(run, task)
    assert code == 2
    assert (
        "plan-implement.yaml:13: node 'explore' needs the role 'planner', which the team leaves unbound"
        in err
    )


def test_what_is_on_record_is_gone_on_with_by_the_same_alone(
    run: Run, server: FakeServer, task: IssueTask, jail: CommandJail, tmp_path: Path
) -> None:
    assert run("workflow", "run", "--resume", "nowhere")[0] == 3
    (tmp_path / "own.yaml").write_text(GATED)
    assert work(run, task, "own.yaml", "--approve", "gate=reject")[0] == 5
    code, _, err = work(run, task, "own.yaml", "--approve", "gate=approve")
    assert (code, "out holds a run already" in err) == (3, True)
    (tmp_path / "own.yaml").write_text(GATED.replace("with a word", "with two words"))
    code, _, err = run("workflow", "run", "--resume", "out", "--approve", "gate=approve")
    assert (code, "was begun with another workflow" in err) == (3, True)


def test_workflows_are_listed_shown_and_checked(run: Run, tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "ours.yaml").write_text(GATED)
    (tmp_path / "workflows" / "bad.yaml").write_text("name: bad\non: push\n")
    code, out, err = run("workflow", "list")
    assert code == 0
    assert "explore -> plan -> implement -> self-review -> validate" in out
    assert "bad                   refused: " in err
    listed = json.loads(run("workflow", "list", "--json")[1])["workflows"]
    assert {"ours", "bad", "plan-implement", "implement"} <= {each["name"] for each in listed}
    code, out, _ = run("workflow", "show", "implement-review-fix")
    assert code == 0
    assert (
        "fix  prompt, by implementer\n  after review (all_success)\n  when $review.output.verdict == 'revise'"
        in out
    )
    shown = json.loads(run("workflow", "show", "ours", "--json")[1])
    assert [(node["id"], node["body"]) for node in shown["nodes"]] == [
        ("word", "prompt"), ("gate", "approval"), ("mend", "bash"),
    ]  # fmt: skip
    assert run("workflow", "check", "ours", "implement")[0] == 0
    code, out, _ = run("workflow", "check", "workflows/bad.yaml", "ours")
    assert code == 2
    assert "workflows/bad.yaml:2: YAML reads 'on'" in out
    assert "ours.yaml: ok, 3 nodes, planner" in out
    assert json.loads(run("workflow", "check", "bad", "--json")[1])["workflows"][0]["faults"]
    (tmp_path / "team.toml").write_text(
        '[endpoints.e]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n[roles]\n'
    )
    code, out, _ = run("workflow", "check", "ours", "--team", "team.toml")
    assert (code, "ours.yaml:4: node 'word' needs the role 'planner'" in out) == (2, True)


def test_a_decision_is_asked_for_at_a_terminal_until_it_is_one(
    run: Run,
    server: FakeServer,
    task: IssueTask,
    jail: CommandJail,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keyboard, terminal = os.openpty()
    with os.fdopen(keyboard, "w") as typed, os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        (tmp_path / "gated.yaml").write_text(GATED)
        typed.write("what?\nreject not like this\n")
        typed.flush()
        code, out, err = work(run, task, "gated.yaml")
    assert code == 5
    assert "\nIs it done?\n" in err
    assert err.count("gate: approve | reject [words]? ") == 2
    assert "rejected: not like this" in out
