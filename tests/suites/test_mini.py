"""The mini suite: its format, the truth of its prompts, and that its tests catch plausible mistakes."""

import ast
import asyncio
import doctest
import hashlib
import importlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dualcode.grading.grader import SandboxGrader
from dualcode.sandbox import open_sandbox
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.verdict import Verdict

FILE = Path(__file__).parents[2] / "eval" / "mini" / "tasks.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text().splitlines()]
EVALPLUS_KEYS = {
    "task_id",
    "prompt",
    "entry_point",
    "canonical_solution",
    "base_input",
    "plus_input",
    "atol",
    "contract",
}

WRONG = {
    "double": "def double(number):\n    return number ** 2",
    "is_even": "def is_even(number):\n    return number % 2",
    "largest": """
def largest(numbers):
    best = 0
    for number in numbers:
        if number > best:
            best = number
    return best
""",
    "count_vowels": "def count_vowels(text):\n    return sum(char in 'aeiou' for char in text)",
    "running_total": """
def running_total(numbers):
    totals = [numbers[0]]
    for number in numbers[1:]:
        totals.append(totals[-1] + number)
    return totals
""",
    "reverse_words": "def reverse_words(sentence):\n    return ' '.join(sentence.split(' ')[::-1])",
    "is_balanced": """
def is_balanced(text):
    return all(text.count(a) == text.count(b) for a, b in ('()', '[]', '{}'))
""",
    "parse_duration": r"""
import re
def parse_duration(text):
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    if not re.match(r"^(\d+[dhms])+$", text):
        return None
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhms])", text))
""",
    "merge_intervals": """
def merge_intervals(intervals):
    merged = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged
""",
    "convert_roman": """
UNITS = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
         (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]
def convert_roman(value):
    if isinstance(value, int):
        letters = ""
        for worth, unit in UNITS:
            while value >= worth:
                letters += unit
                value -= worth
        return letters
    worth = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
    total = 0
    for letter, after in zip(value, value[1:] + " "):
        total += -worth[letter] if worth[letter] < worth.get(after, 0) else worth[letter]
    return total
""",
    "longest_increasing": """
from bisect import bisect_right
def longest_increasing(numbers):
    tails = []
    for number in numbers:
        place = bisect_right(tails, number)
        tails[place:place + 1] = [number]
    return len(tails)
""",
    "calculate": """
def calculate(expression):
    try:
        return eval(expression)
    except Exception:
        return None
""",
}
"""For each function a program that a careless author might write."""

CAUGHT_BY_BASE = {"double", "is_even"}
"""The rest pass the base tests: only the plus tests know better."""


async def grade(suite: Suite, programs: Mapping[str, str]) -> dict[str, Verdict]:
    async with open_sandbox(2) as sandbox, SandboxGrader(suite, sandbox, workers=2) as grader:
        verdicts = await asyncio.gather(*(grader.grade(*item) for item in programs.items()))
    return {verdict.task_id: verdict for verdict in verdicts}


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite("mini")


BEFORE = {
    "mini": "3b6af30177df0ea6c87de8c512329c9a63d76b3315081da05fafc45ee1fb9664",
    "mini-rich": "b3a5e5eae03891759226735123bb8f86ed5169928da6d729b2a5b00c1a12267c",
    "mini-lean": "85939061bd990fc5194f3223cd8daf0360572ff19a4663ae329f04d0b6fea6ec",
}
"""Of what models and graders saw of each suite in the first records, in order."""


@pytest.mark.parametrize("name", BEFORE)
def test_the_tasks_are_those_of_the_first_records(name: str) -> None:
    suite, seen = load_suite(name), hashlib.sha256()
    for task in suite.tasks:
        seen.update(json.dumps([task.id, task.prompt, task.entry_point]).encode())
        seen.update(suite.hidden[task.id].row)
    assert seen.hexdigest() == BEFORE[name]
    assert suite.data.sha256.startswith("4470c69e6c1f5023")  # runs pair by it
    assert (suite.data.official, suite.data.own_name) == (True, "mini")


def test_a_copy_under_another_name_is_the_same_suite(tmp_path: Path, suite: Suite) -> None:
    folder = shutil.copytree(FILE.parent, tmp_path / "ours")
    copy = load_suite(str(folder))
    assert (copy.name, copy.title, copy.tasks, copy.terms) == ("ours", "mini", suite.tasks, suite.terms)
    assert {name: tests.row for name, tests in copy.hidden.items()} == {
        name: tests.row for name, tests in suite.hidden.items()
    }
    assert copy.data.sha256 == suite.data.sha256


def test_every_function_comes_rich_and_lean_with_the_same_tests() -> None:
    assert len(ROWS) == 24
    for number in range(12):
        rich, lean = ROWS[2 * number : 2 * number + 2]
        assert (rich["task_id"], lean["task_id"]) == (f"MiniRich/{number}", f"MiniLean/{number}")
        assert (rich["spec"], lean["spec"]) == ("rich", "lean")
        for key in EVALPLUS_KEYS - {"task_id", "prompt"} | {"function"}:
            assert rich[key] == lean[key]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["task_id"])
def test_a_row_has_the_keys_and_counts_of_the_format(row: dict[str, Any]) -> None:
    assert set(row) == EVALPLUS_KEYS | {"function", "spec"}
    assert row["function"] == row["entry_point"]
    assert 5 <= len(row["base_input"]) <= 8
    assert 20 <= len(row["plus_input"]) <= 45
    inputs = [json.dumps(arguments) for arguments in row["base_input"] + row["plus_input"]]
    assert len(set(inputs)) == len(inputs)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["task_id"])
def test_every_input_meets_the_contract(row: dict[str, Any]) -> None:
    space: dict[str, Any] = {}
    exec(row["prompt"] + row["contract"], space)
    for arguments in row["base_input"] + row["plus_input"]:
        space[row["entry_point"]](*arguments)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["task_id"])
def test_a_rich_prompt_is_typed_and_shows_examples_and_a_lean_one_does_not(row: dict[str, Any]) -> None:
    function = ast.parse(row["prompt"]).body[0]
    assert isinstance(function, ast.FunctionDef)
    docstring = ast.get_docstring(function) or ""
    rich = row["spec"] == "rich"
    assert (docstring.count(">>> ") >= 3) is rich
    assert (function.returns is not None) is rich
    assert all((argument.annotation is not None) is rich for argument in function.args.args)
    assert rich or "\n" not in docstring


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["task_id"])
def test_every_example_in_a_prompt_is_true(row: dict[str, Any]) -> None:
    space: dict[str, Any] = {}
    exec(row["prompt"] + row["canonical_solution"], space)
    docstring = space[row["entry_point"]].__doc__
    examples = doctest.DocTestParser().get_doctest(docstring, space, row["task_id"], None, 0)
    assert doctest.DocTestRunner().run(examples).failed == 0


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["task_id"])
def test_the_reference_leaves_its_arguments_as_they_are(row: dict[str, Any]) -> None:
    space: dict[str, Any] = {}
    exec(row["prompt"] + row["canonical_solution"], space)
    for arguments in row["base_input"] + row["plus_input"]:
        before = json.dumps(arguments)
        space[row["entry_point"]](*arguments)
        assert json.dumps(arguments) == before


async def test_every_canonical_solution_passes(suite: Suite) -> None:
    verdicts = await grade(suite, {task.id: suite.hidden[task.id].reference() for task in suite.tasks})
    assert [verdict.task_id for verdict in verdicts.values() if not verdict.passed_plus] == []


async def test_a_plausible_wrong_solution_fails_and_mostly_on_plus_alone(suite: Suite) -> None:
    ids = {task.entry_point: task.id for task in suite.tasks}
    verdicts = await grade(suite, {ids[name]: program for name, program in WRONG.items()})
    assert len(verdicts) == 12
    for name in WRONG:
        verdict = verdicts[ids[name]]
        assert not verdict.passed_plus, name
        assert (verdict.base.status == "failed") is (name in CAUGHT_BY_BASE), name
        assert (verdict.plus and verdict.plus.status) == "failed", name


def test_evalplus_s_own_loader_takes_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    loader: Any = importlib.import_module("evalplus.data.humaneval")
    monkeypatch.setattr(loader, "HUMANEVAL_OVERRIDE_PATH", str(FILE))
    assert list(loader.get_human_eval_plus()) == [row["task_id"] for row in ROWS]
