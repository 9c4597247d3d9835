"""Specification richness: what counts, and how much of it a specification has."""

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.bench.richness import PROPOSED_THRESHOLD, WEIGHTS, Component, richness
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
