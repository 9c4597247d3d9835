"""The steps between a reply and a program, each by itself: thoughts, fences, the prompt, and real replies."""

import ast
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualcode.extraction import extract
from dualcode.extraction.fences import Piece, cut, without_fences
from dualcode.extraction.prompt import read_prompt
from dualcode.extraction.salvage import join, salvage
from dualcode.extraction.thinking import clean, first_turn, read
from dualcode.task import Task

REAL = Path(os.environ.get("DUALCODE_RAW_RESPONSES", Path(__file__).parents[3] / "shared/data/raw_responses"))


# Thoughts


def test_a_reply_with_stray_marks_has_several_readings_the_last_first() -> None:
    readings = read("thought\n</think>\nfirst\n</think>\nsecond")
    assert readings.answers == ("second", "first")


def test_without_marks_there_is_one_reading_and_nothing_literal() -> None:
    assert (read("answer").answers, read("answer").literal) == (("answer",), None)


def test_marks_behind_the_first_thought_may_be_meant_literally() -> None:
    readings = read("<think>a</think>x = '</think>'")
    assert readings.literal == "x = '</think>'"


def test_a_thought_alone_leaves_one_empty_answer() -> None:
    assert read("<think>never ends").answers == ("",)


@pytest.mark.parametrize("text", ["a\r\nb", "a\rb", "a\u00a0b", "a\u200bb", "\ufeffa", "a\0b", "a\ud800b"])
def test_clean_text_has_nothing_that_python_s_grammar_lacks(text: str) -> None:
    cleaned = clean(text)
    assert not set(cleaned) & set("\r\u00a0\u200b\ufeff\0\ud800")
    assert clean(cleaned) == cleaned


def test_a_conversation_s_next_turn_is_cut_off_and_a_quoted_mark_is_not() -> None:
    assert first_turn("answer<|im_end|>\n<|im_start|>user\nmore").rstrip() == "answer"
    quoted = 'print("<|im_end|>")'
    assert first_turn(quoted) == quoted
    in_code = "```python\ntext = '''\nUser: x\n'''\n```"
    assert first_turn(in_code) == in_code


# Fences


@pytest.mark.parametrize(
    ("answer", "pieces"),
    [
        ("prose", [("prose", False)]),
        ("```python\nx\n```", [("x", True)]),
        ("a\n```\nx\n```\nb", [("a", False), ("x", True), ("b", False)]),
        ("```\nx", [("x", True)]),
        ("x\n```\nb", [("x", False), ("b", True)]),
        ("```py\nx\n```py\ny\n```", [("x", True), ("y", True)]),
        ("so: ```python\nx\n```", [("so: ", False), ("x", True)]),
        ("```\n\n```", []),
        ("  ```\n  x\n    y\n  ```", [("x\n  y", True)]),
        ("~~~\nx\n~~~", [("x", True)]),
        ("a ` b `` c", [("a ` b `` c", False)]),
    ],
)
def test_an_answer_is_cut_at_its_fences(answer: str, pieces: list[tuple[str, bool]]) -> None:
    assert [(piece.text.strip("\n"), piece.fenced) for piece in cut(answer)] == pieces


def test_only_what_no_fence_closes_may_have_been_cut_off() -> None:
    assert [piece.last for piece in cut("```\nx\n```\n")] == [False]
    assert cut("```\nx") == [Piece("x", fenced=True, last=True)]


def test_without_its_fences_an_answer_keeps_its_lines() -> None:
    answer = "a\n```python\nx\n```\nb"
    assert without_fences(answer).split("\n") == ["a", "", "x", "", "b"]


# The prompt


def prompt(text: str) -> Task:
    return Task(id="T/1", prompt=text, entry_point="f")


@pytest.mark.parametrize(
    ("signature", "accepted", "refused"),
    [
        ("f(a, b)", ["f(x, y)", "f(x, y, z=1)", "f(*all)", "f(x, /, y)"], ["f(x)", "f(x, y, z)", "f()"]),
        ("f(a, b=1)", ["f(x, y)", "f(x, y=0)"], ["f(x)"]),
        ("f(*many)", ["f()", "f(x)", "f(x, y, z)"], []),
    ],
)
def test_a_prompt_accepts_what_can_be_called_as_its_signature(
    signature: str, accepted: list[str], refused: list[str]
) -> None:
    shown = read_prompt(prompt(f'def {signature}:\n    """Do it."""\n'))
    for texts, wanted in ((accepted, True), (refused, False)):
        for text in texts:
            node = ast.parse(f"def {text}: pass").body[0]
            assert isinstance(node, ast.FunctionDef)
            assert shown.accepts(node) is wanted, text


def test_a_prompt_gives_its_helpers_and_its_open_signature() -> None:
    text = 'import math\nK = 3\ndef help(x):\n    return x\n\ndef f(a):\n  """Do it."""\n'
    shown = read_prompt(prompt(text))
    assert [sorted(each.binds) for each in shown.context] == [["math"], ["K"], ["help"]]
    assert (shown.header, shown.indent, shown.arguments) == (text.rstrip(), 2, 1)


@pytest.mark.parametrize("text", ["Write a function.", "def g(a): return a", "def f(a):\n    return a\n", ""])
def test_a_prompt_without_an_open_signature_takes_no_body(text: str) -> None:
    assert read_prompt(prompt(text)).header == ""


# What does not parse


def test_of_text_that_does_not_parse_the_statements_that_do_are_kept() -> None:
    text = "Sure! Here it is (I think:\n\nimport os\nK = 1\n\ndef f(x):\n    return x\n\nThat's it.\n"
    assert [sorted(each.binds) for each in salvage(text, "f")] == [["os"], ["K"], ["f"]]


def test_a_definition_that_was_cut_off_is_marked() -> None:
    [found] = salvage("def f(x):\n    y = x\n    return (y,\n", "f")
    assert found.cut_short
    assert found.source == "def f(x):\n    y = x"


@pytest.mark.parametrize(
    "body", ["    return a", "return a", "return a\n", "  return a", "b = a\n    return b"]
)
def test_a_body_is_joined_at_any_margin(body: str) -> None:
    [found] = join("def f(a):", body, "f", 4)
    assert "return" in found.source
    assert not found.cut_short


@pytest.mark.parametrize("body", ["print(a)", "", "I return nothing.", "return a)"])
def test_what_gives_nothing_back_is_no_body(body: str) -> None:
    assert join("def f(a):", body, "f", 4) == []


# Real replies


def replies(per_file: int) -> Iterator[tuple[str, Task]]:
    """Yield some replies of each model, spread over its file."""
    for path in sorted(REAL.glob("*.jsonl.gz")):
        rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        for row in rows[:: max(1, len(rows) // per_file)][:per_file]:
            if row["response"]:
                yield row["response"], Task(id=row["task_id"], prompt="", entry_point=row["entry_point"])


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real replies at {REAL}")
class TestRealReplies:
    def test_a_program_does_not_depend_on_line_ends(self) -> None:
        for reply, task in replies(6):
            plain = reply.replace("\r\n", "\n")
            assert extract(plain.replace("\n", "\r\n"), task) == extract(plain, task)

    def test_what_was_thought_before_it_is_none_of_the_program(self) -> None:
        draft = "<think>\nMaybe:\n```python\ndef {}(*args):\n    return 'draft'\n```\n</think>\n\n"
        for reply, task in replies(6):
            if "think" not in reply:
                assert extract(draft.format(task.entry_point) + reply, task) == extract(reply, task)

    def test_a_program_given_alone_is_found_again_in_whole(self) -> None:
        found = 0
        for reply, task in replies(8):
            program = extract(reply, task)
            if program.defines_entry_point:
                again = extract(f"Here:\n\n```python\n{program.text}```\n", task)
                assert ast.dump(ast.parse(again.text)) == ast.dump(ast.parse(program.text)), task.id
                found += 1
        assert found > 40
