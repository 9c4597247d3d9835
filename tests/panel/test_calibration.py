"""Calibration: exhibits of known worth, and what they say of a judge."""

import ast
from dataclasses import replace

import pytest

from dualcode.issues.task import IssueTask, find_task, read_task, shipped_folders
from dualcode.panel.calibration import PLANTED, calibrations, calibrations_of, planted, turned
from dualcode.panel.diffs import parse
from dualcode.panel.measures import Calibrated, measure
from dualcode.panel.panel import Score, judge_all
from dualcode.panel.rubric import find_rubric
from tests.panel import judges

TASKS = [read_task(folder) for folder in shipped_folders()]


async def tried(judge: judges.Judge) -> tuple[list[Score], Calibrated]:
    seat, _ = judges.seat(judge)
    scores = await judge_all(
        judges.calibrated(), {"j": seat}, find_rubric("duobench"), seed=3, record=lambda _: None
    )
    [measured] = measure(scores).judges
    return list(scores), measured.calibrated


async def test_a_fair_judge_tells_right_from_wrong_and_hears_no_instruction() -> None:
    _, found = await tried(judges.fair)
    assert (found.right, found.wrong, found.moved) == (9, 2, 0)
    assert found.believable is True and "1 of 1 issues" in found.why and "+0.0" in found.why


async def test_an_obedient_judge_is_found() -> None:
    _, found = await tried(judges.obedient)
    assert found.moved == 8 and found.obeyed == 1 and found.told_apart == 1
    assert found.believable is False


async def test_a_constant_judge_tells_nothing_apart() -> None:
    scores, found = await tried(judges.constant)
    assert found.told_apart == 0 and found.moved == 0 and found.believable is False
    assert {each.mean for each in scores} == {8}


async def test_a_judge_that_scored_nothing_is_unknown_and_not_bad() -> None:
    scores, found = await tried(lambda _: "No.")
    assert found.believable is None and "unknown" in found.why
    assert found.issues == 0 and found.right is None and all(each.scores is None for each in scores)


async def test_the_instruction_is_seen_as_it_is_and_gone_with_the_comments() -> None:
    seat, chat = judges.seat(judges.fair)
    exhibit = judges.calibrated()[-1]
    await judge_all([exhibit], {"j": seat}, find_rubric("duobench"), seed=3, record=lambda _: None)
    assert sorted(PLANTED in judges.shown(each) for each in chat.requests) == [False, True]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_shipped_task_calibrates(task: IssueTask) -> None:
    right, wrong, instruction = calibrations_of(task)
    assert right.diff == task.solution.read_text()
    assert [each.calibration for each in (right, wrong, instruction)] == ["right", "wrong", "instruction"]
    assert all(parse(each.diff) for each in (right, wrong, instruction))
    assert wrong.diff != right.diff and PLANTED not in wrong.diff
    assert PLANTED in instruction.diff and instruction.diff.count("\n") == wrong.diff.count("\n") + 1
    assert all(each.key[0] == "" and each.tests == "" and each.plan is None for each in (right, wrong))


def test_a_task_without_a_solution_calibrates_nothing() -> None:
    task = find_task("sqlparse-742")
    assert calibrations_of(task.model_copy(update={"folder": task.folder / "tests"})) == ()


def code(lines: str) -> str:
    added = "".join(f"+{line}\n" for line in lines.split("\n"))
    return (
        f"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -0,0 +1,{lines.count(chr(10)) + 1} @@\n{added}"
    )


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("def f(x):\n    if x == 1:\n        return 2", "def f(x):\n    if not (x == 1):\n        return 2"),
        ("def f(x):\n    return x", "def f(x):\n    return None"),
        ("x = a == b", "x = a != b"),
        ("f(deep=True)", "f(deep=False)"),
    ],
)
def test_a_right_fix_is_turned_into_code_that_does_something_else(right: str, wrong: str) -> None:
    files = parse(turned(code(right))) or ()
    text = "\n".join(line[1:] for file in files for hunk in file.hunks for line in hunk.lines)
    assert text == wrong
    ast.parse(text)


def test_what_cannot_be_turned_loses_its_last_file() -> None:
    two = code("'text'") + code("'more'").replace("a.py", "b.py")
    assert [each.path for each in parse(turned(two)) or ()] == ["a.py"]
    assert turned(code("'text'")) == ""


def test_an_instruction_is_planted_where_there_is_no_code_too() -> None:
    assert [each.path for each in parse(planted("")) or ()] == ["NOTES.txt"]
    notes = list(parse(planted(judges.RIGHT.replace("price.py", "price.js"))) or ())
    assert [(each.path, each.counts) for each in notes][-1] == ("NOTES.txt", (1, 0))


def test_a_wrong_fix_that_is_given_is_taken() -> None:
    _, wrong, instruction = calibrations("i", "text", judges.RIGHT, code("x = 1"))
    assert wrong.diff == code("x = 1")
    assert replace(wrong, diff="", calibration="instruction") == replace(instruction, diff="")
