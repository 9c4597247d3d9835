"""Specification richness, and the command that scores a team's own specification."""

import json
import statistics
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.bench.richness import PROPOSED_THRESHOLD, WEIGHTS, Component, richness
from dualcode.cli.spec import guess_entry_point, spec
from dualcode.errors import InputError
from dualcode.suites.registry import load_suite
from dualcode.task import Task
from tests.suites.data import HUMANEVAL_PLUS, MBPP_PLUS, needs_data

LEAN = '"""\nWrite a function to count vowels.\nassert count("abc") == 1\n"""\n'
RICH = '''def count(text: str, also_y: bool = False) -> int:
    """Count the vowels of a text, upper and lower case alike.

    The vowels are a, e, i, o and u, and y if asked for. Repeated vowels count each time.
    For an empty text the result is zero. You may assume at most 1000 characters.
    Raises ValueError if the text holds digits.

    >>> count("abc")
    1
    >>> count("")
    0
    >>> count("sky", True)
    1
    >>> count("1")
    Traceback (most recent call last):
        ...
    ValueError: digits
    """
'''


def score(prompt: str, name: str = "count") -> float:
    return richness(Task(id="T", prompt=prompt, entry_point=name)).score


def component(prompt: str, name: str) -> Component:
    parts = richness(Task(id="T", prompt=prompt, entry_point="count")).components
    return next(part for part in parts if part.name == name)


def test_weights_add_up_to_one_and_bound_the_score() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert score("", "") == 0
    assert 0.8 < score(RICH) < 1


def test_rich_specification_scores_above_the_gate_and_a_lean_one_below() -> None:
    assert score(LEAN) < PROPOSED_THRESHOLD < score(RICH)


@pytest.mark.parametrize(
    ("part", "removed"),
    [
        ("examples", '    >>> count("")\n    0\n'),
        ("types", ": str"),
        ("types", " -> int"),
        ("edge cases", "For an empty text the result is zero."),
        ("constraints", "You may assume at most 1000 characters."),
        ("length", "The vowels are a, e, i, o and u, and y if asked for."),
    ],
)
def test_each_part_lowers_its_component_and_the_score_when_it_is_removed(part: str, removed: str) -> None:
    assert removed in RICH
    less = RICH.replace(removed, "")
    if part != "length":
        assert component(less, part).score < component(RICH, part).score
    assert score(less) < score(RICH)


def test_examples_are_not_counted_as_words() -> None:
    longer = RICH.replace(
        '    >>> count("abc")\n', '    >>> count("one two three four five")\n    9\n    >>> count("abc")\n'
    )
    assert component(longer, "length") == component(RICH, "length")


def test_missing_components_are_in_the_order_of_their_gain() -> None:
    result = richness(Task(id="T", prompt=LEAN, entry_point="count"))
    gains = [part.gain for part in result.missing]
    assert gains == sorted(gains, reverse=True)
    assert result.score + sum(gains) == pytest.approx(1, abs=0.002)


def test_completing_what_is_said_to_be_missing_raises_the_score() -> None:
    stub = 'def count(text):\n    """Count vowels.\n    >>> count("a")\n    1\n    """\n'
    types = component(stub, "types")
    assert types.lacks == ("a type for `text`", "a type for the result")
    assert component(stub.replace("(text)", "(text: str) -> int"), "types").lacks == ()


@settings(max_examples=100, deadline=None)
@given(st.text(), st.sampled_from(["f", "", "é"]))
def test_any_text_has_a_score(prompt: str, name: str) -> None:
    task = Task(id="T", prompt=prompt, entry_point=name)
    result = richness(task)
    assert 0 <= result.score <= 1
    assert richness(task) == result


@needs_data
def test_humaneval_is_far_richer_than_mbpp() -> None:
    scores = [
        [richness(task).score for task in load_suite(name, data=data).tasks]
        for name, data in (("humaneval", HUMANEVAL_PLUS), ("mbpp", MBPP_PLUS))
    ]
    humaneval, mbpp = scores
    assert statistics.median(humaneval) > 2 * statistics.median(mbpp)
    assert sum(each >= PROPOSED_THRESHOLD for each in humaneval) / len(humaneval) > 0.94
    assert sum(each < PROPOSED_THRESHOLD for each in mbpp) / len(mbpp) > 0.97


def test_shipped_rich_and_lean_tasks_are_told_apart() -> None:
    tasks = load_suite("mini").tasks
    rich = [richness(task).score for task in tasks if task.id.startswith("MiniRich")]
    lean = [richness(task).score for task in tasks if task.id.startswith("MiniLean")]
    assert min(rich) > max(lean)


# dualcode spec


def invoke(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(spec, list(arguments), input=stdin)


def test_command_tells_score_components_and_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "stub.py"
    path.write_text('def count(text):\n    """Count vowels.\n    >>> count("a")\n    1\n    """\n')
    result = invoke(str(path))
    assert result.exit_code == 0, result.output
    assert "count" in result.output
    missing = result.output.partition("what would raise the score most:")[2].splitlines()
    gains = [float(line.split()[0]) for line in missing if line.strip()]
    assert gains == sorted(gains, reverse=True)
    assert "a type for `text`" in result.output


def test_command_prints_one_json_object_for_several_files(tmp_path: Path) -> None:
    paths = [tmp_path / "rich.py", tmp_path / "lean.txt"]
    for path, text in zip(paths, (RICH, "count the vowels of a text"), strict=True):
        path.write_text(text)
    result = invoke("--json", *map(str, paths))
    rich, lean = json.loads(result.output)["specifications"]
    assert (rich["entry_point"], lean["entry_point"]) == ("count", "")
    assert rich["score"] == score(RICH) > lean["score"]
    assert lean["missing"][0]["name"] == "examples"


def test_command_reads_stdin_and_fences_of_markdown(tmp_path: Path) -> None:
    path = tmp_path / "spec.md"
    path.write_text(f"```python\n{RICH}```\n")
    for result in (invoke(str(path), "--json"), invoke("-", "--json", stdin=RICH.encode())):
        (only,) = json.loads(result.output)["specifications"]
        assert only["score"] == score(RICH)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "is no UTF-8 text"),
        (b"text\0text", "is binary"),
        (b"a" * (1 << 21), "is longer than 1 MiB"),
    ],
)
def test_command_refuses_what_is_no_text(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "spec.txt"
    path.write_bytes(content)
    for result in (invoke(str(path)), invoke("-", stdin=content)):
        assert isinstance(result.exception, InputError)
        assert message in str(result.exception)
        assert result.exception.hint


def test_command_names_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    missing = invoke(str(tmp_path / "none.py")).exception
    assert isinstance(missing, InputError)
    assert "none.py cannot be read: No such file" in str(missing)
    folder = invoke(str(tmp_path)).exception
    assert isinstance(folder, InputError)
    assert "is a folder" in str(folder)
    assert invoke().exit_code == 2


def test_command_refuses_an_entry_point_that_the_file_lacks(tmp_path: Path) -> None:
    path = tmp_path / "stub.py"
    path.write_text(RICH)
    assert invoke(str(path), "--entry-point", "count").exit_code == 0
    error = invoke(str(path), "--entry-point", "counter").exception
    assert isinstance(error, InputError)
    assert "does not mention 'counter'" in str(error)
    assert error.hint == "--entry-point count"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (RICH, "count"),
        ("def helper(): return 1\n\ndef main_one(x):\n    '''Do.'''\n", "main_one"),
        (LEAN, "count"),
        ("Write it.\n>>> twice(2)\n4\n", "twice"),
        ("assert set(pick([1])) == {1}", "pick"),
        ("Write `area(r)` for circles.", "area"),
        ("a function named 'grow'", "grow"),
        ("nothing here", ""),
    ],
)
def test_entry_point_is_guessed(text: str, name: str) -> None:
    assert guess_entry_point(text) == name
