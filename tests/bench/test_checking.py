"""The check of visible tests from frames alone: no program runs here, and no frame is trusted."""

import doctest
import json
from collections.abc import Sequence
from typing import Any

import pytest

from dualcode.bench.visible.checking import Event, check_tests, read_events, render, value_of
from dualcode.bench.visible.running import cut, run_visible
from dualcode.bench.visible.tests import VisibleTest, VisibleTests
from dualcode.sandbox import codec
from dualcode.sandbox.job import Ending, Frame, Job, Ran, digest, frame
from dualcode.sandbox.sandbox import Tier


def returned(value: Any, printed: str = "") -> Event:
    kind, payload = codec.encode(value)
    return Event(kind.decode(), payload, printed)


def raised(name: str, message: str = "") -> Event:
    return Event("R", json.dumps([name, message, ""]).encode())


ENDLESS = Event("L", b"")
FORGED = [b"", b"[]", b"{}", b"[1", b"\xff", b'["a"]', b"[" * 100_000, b'["a", "b", "c"]' + b" " * 300_000]


def shows(**fields: Any) -> VisibleTest:
    return VisibleTest.model_validate({"shown": "f(1)", "kind": "doctest", "calls": ("f(1)",)} | fields)


def outcome(test: VisibleTest, *events: Event, ending: Ending = "finished") -> str:
    [found] = check_tests([test], events, ending)
    return found.outcome


VALUE = shows(check="_0 == [1, 2]")


@pytest.mark.parametrize(
    ("value", "expected"),
    [([1, 2], "passed"), ([1.0, 2], "passed"), ([2, 1], "failed"), ("[1, 2]", "failed"), (None, "failed")],
)
def test_a_value_passes_where_its_check_holds(value: object, expected: str) -> None:
    assert outcome(VALUE, returned(value)) == expected


def test_a_failed_value_is_told_with_what_was_expected_and_its_type_where_that_is_all() -> None:
    [found] = check_tests([VALUE], [returned((1, 2))], "finished")
    assert (found.expected, found.got) == ("[1, 2]", "(1, 2)")
    [alike] = check_tests([shows(check="_0 == 'x'")], [Event("O", b"'x'")], "finished")
    assert alike.outcome == "failed"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (raised("ValueError", "no"), "passed"),
        (raised("my.ValueError", "no"), "passed"),  # as doctest does, by its last name
        (raised("ValueError", "yes"), "failed"),
        (raised("KeyError", "no"), "failed"),
        (returned("ValueError: no"), "failed"),
        (returned(None), "failed"),
    ],
)
def test_an_exception_passes_by_its_type_and_its_message(event: Event, expected: str) -> None:
    assert outcome(shows(raises="ValueError", message="no"), event) == expected


@pytest.mark.parametrize("message", [None, "n..."])
def test_an_exception_may_be_shown_without_its_message_or_with_a_part_of_it(message: str | None) -> None:
    assert outcome(shows(raises="ValueError", message=message), raised("ValueError", "no way")) == "passed"


@pytest.mark.parametrize("payload", FORGED)
def test_a_forged_exception_is_no_exception_that_a_prompt_shows(payload: bytes) -> None:
    event = Event("R", payload)
    assert outcome(shows(raises="ValueError", message="no"), event) == "failed"
    assert outcome(VALUE, event) == "raised"


@pytest.mark.parametrize("kind", ["V", "G", "D", "O"])
@pytest.mark.parametrize("payload", [*FORGED, b"\xe9\xff\xff\xff\xff", b"\0" * 40])
def test_a_forged_value_passes_no_test_and_breaks_nothing(kind: str, payload: bytes) -> None:
    event = Event(kind, payload)
    assert outcome(VALUE, event) == "failed"
    assert render(value_of(event))


@pytest.mark.parametrize(
    ("printed", "value", "expected"),
    [
        ("4\n", None, "passed"),
        ("4", None, "passed"),
        ("", "'4'", "failed"),
        ("", "4", "failed"),
        ("", 4, "passed"),
        ("4\n", 4, "failed"),
        ("5\n", None, "failed"),
    ],
)
def test_text_is_what_a_prompt_would_show_printed_and_then_the_value(
    printed: str, value: object, expected: str
) -> None:
    assert outcome(shows(output="4"), returned(value, printed)) == expected


def test_an_objects_own_text_is_not_what_a_prompt_shows() -> None:
    assert outcome(shows(output="<P object>"), Event("O", b"P")) == "failed"
    assert outcome(shows(output="4"), Event("O", b"P", "4")) == "failed"


def test_a_class_of_the_programs_with_the_name_of_a_built_in_one_is_not_that() -> None:
    own = raised("program.ValueError")
    assert outcome(shows(raises="ValueError"), own) == "failed"
    assert outcome(shows(raises="errors.Lost"), raised("Lost")) == "passed"


def test_the_flags_of_doctest_count_for_text() -> None:
    event = returned(None, "1   2")
    assert outcome(shows(output="1 2"), event) == "failed"
    assert outcome(shows(output="1 2", flags=doctest.NORMALIZE_WHITESPACE), event) == "passed"


def test_with_a_check_and_an_output_either_will_do() -> None:
    both = shows(check="_0 == 4", output="4")
    assert outcome(both, returned(4)) == "passed"
    assert outcome(both, returned(None, "4\n")) == "passed"
    assert outcome(both, returned(5, "5\n")) == "failed"


def test_a_check_over_several_calls_needs_all_of_them() -> None:
    pair = shows(calls=("f(1)", "f(2)"), check="_0 < _1")
    assert outcome(pair, returned(1), returned(2)) == "passed"
    assert outcome(pair, returned(2), returned(1)) == "failed"
    assert outcome(pair, returned(1), raised("KeyError")) == "raised"
    assert outcome(pair, returned(1), ending="died") == "died"
    assert outcome(pair, returned(1), ending="timed_out") == "timed_out"


def test_a_check_that_its_values_make_impossible_fails() -> None:
    for value in (None, "a", [1], 0):
        assert outcome(shows(check="1 / _0 == _0.x"), returned(value)) == "failed"


def test_a_setup_that_raises_is_told_and_its_printed_text_too() -> None:
    test = shows(setup=("x = f(1)",), check="_0 == 1")
    [found] = check_tests([test], [raised("KeyError", "'a'"), returned(1)], "finished")
    assert found.outcome == "raised"
    assert found.raised is not None
    assert found.raised.type == "KeyError"


def test_what_comes_after_an_end_is_not_run() -> None:
    tests = [VALUE] * 3
    for events, ending, expected in [
        ([returned([1, 2]), ENDLESS, returned([1, 2])], "finished", ["passed", "timed_out", "not_run"]),
        ([returned([1, 2])], "died", ["passed", "died", "not_run"]),
        ([], "timed_out", ["timed_out", "not_run", "not_run"]),
    ]:
        assert [each.outcome for each in check_tests(tests, events, ending)] == expected  # pyright: ignore[reportArgumentType]


def test_events_are_the_frames_of_calls_with_what_was_printed_meanwhile() -> None:
    frames = [
        Frame("P", b"before any call"), Frame("B", b""), Frame("V", b"a"), Frame("P", b"\xff!"),
        Frame("T", b""), Frame("R", b"b"), Frame("?", b"odd"),
    ]  # fmt: skip
    assert read_events(iter(frames)) == [Event("V", b"a", "\ufffd!"), Event("R", b"b")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1,), "(1,)"),
        ((), "()"),
        (set[int](), "set()"),
        (frozenset({2, 1}), "frozenset({1, 2})"),
        ({"b": {2, 1}, "a": ()}, "{'b': {1, 2}, 'a': ()}"),
        ("at 0x7f001122aabb", "'at 0x…'"),
        (-0.0, "-0.0"),
        (b"\0", "b'\\x00'"),
    ],
)
def test_a_value_is_written_the_same_in_every_process(value: object, text: str) -> None:
    assert render(value) == text


def test_a_value_too_deep_to_be_written_is_named_by_its_type() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert render(deep) == "<a list>"
    assert render(deep, "as shown") == "as shown"


class Says:
    """A sandbox that says what it was told to."""

    tier = Tier(name="unsafe", holds=())

    def __init__(self, ending: Ending, *parts: bytes) -> None:
        self._ran = Ran(ending, b"".join(parts))

    async def run(self, job: Job) -> Ran:
        return self._ran

    async def close(self) -> None:
        pass


NAME = frame("O", b"function")
ONE = VisibleTests(task_id="T", entry_point="f", tests=(VALUE,))


@pytest.mark.parametrize(
    ("ending", "parts", "said"),
    [
        ("timed_out", (), "The program did not end in time, while it was loaded"),
        ("flooded", (), "The program put out too much, while it was loaded"),
        ("died", (), "The program ended its own process, or used too much memory"),
        ("finished", (), "The program ended its own process"),
        ("finished", (frame("R", b""),), "The program does not define `f`."),
        ("unloaded", (frame("F", b'["SyntaxError", "no (<string>, line 9)", ""]'),), "compile: no, line 9"),
        ("unloaded", (frame("F", b'["TabError", "odd", ""]'),), "does not compile: odd"),
        ("unloaded", (frame("F", b'["my.Error", "", ""]'),), "cannot be loaded.\n\nRaised my.Error"),
        ("died", (NAME,), "It ended the process, or used too much memory or output."),
        ("timed_out", (NAME,), "It did not end in time (more than 3 s)."),
        ("finished", (NAME, frame("D", digest("V", b"x" * 9))), "Got: a value of 9 bytes"),
    ],
)
async def test_every_end_of_a_run_has_its_words(ending: Ending, parts: Sequence[bytes], said: str) -> None:
    result = await run_visible(ONE, "def f(n): pass", Says(ending, *parts))
    assert not result.passed
    assert said in (result.feedback or "")


async def test_what_a_program_printed_is_told_beside_a_wrong_value_and_cut() -> None:
    printed = frame("P", b"x" * 5000)
    kind, payload = codec.encode(3)
    result = await run_visible(ONE, "", Says("finished", NAME, frame(kind.decode(), payload), printed))
    assert result.feedback is not None
    assert "Got: 3\nPrinted: 'xx" in result.feedback
    assert "(5002 characters in all)" in result.feedback
    assert len(result.feedback) < 800


@pytest.mark.parametrize("most", [1, 10, 40, 99])
def test_a_cut_text_keeps_its_beginning_and_its_end(most: int) -> None:
    text = "".join(map(str, range(1000)))
    found = cut(text, most)
    assert found.startswith(text[:1])
    assert f"({len(text)} characters in all)" in found
    assert cut(text, len(text)) == text
