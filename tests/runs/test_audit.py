"""The audit: hidden tests in a message are found, and what a model may know is no leak."""

from dualcode.bench.bench import Shown
from dualcode.call import Call, Message, Request, Value
from dualcode.models.scripted import reply
from dualcode.runs.audit import Audit, Evidence, Hidden
from dualcode.sampling import Sampling
from tests.runs import dishonest

PROMPT = 'def rank(xs):\n    """Return the ranks.\n    >>> rank([30, 10, 20])\n    [2, 0, 1]\n    """\n'
HIDDEN = [Hidden("[5, 6, 7, 8]", "[0, 1, 2, 3]"), Hidden("[30, 10, 20]", "[2, 0, 1]"), Hidden("[]", "[]")]


def call(number: int, asked: str, answered: str | None, parsed: dict[str, object] | None = None) -> Call:
    return Call(
        task_id="T/1",
        number=number,
        step="write",
        role="coder",
        endpoint="c",
        model="m",
        request=Request(
            messages=(Message(role="user", content=asked),), sampling=Sampling(), answer_tokens=10
        ),
        reply=reply(answered),
        value=Value(kind="review", data=parsed) if parsed else None,
    )


def audited(calls: list[Call], shown: list[Shown] | None = None) -> Audit:
    return dishonest.audit([Evidence("T/1", PROMPT, calls, shown or [], HIDDEN)])


def visible(tests: tuple[str, ...], texts: tuple[str, ...] = ()) -> Shown:
    return Shown(task_id="T/1", kind="visible", tests=tests, texts=texts)


def test_a_run_that_shows_the_prompt_alone_is_clean() -> None:
    outcome = audited([call(1, f"Solve this:\n{PROMPT}", "def rank(xs): ...")])
    assert outcome.clean
    assert (outcome.tasks, outcome.calls, outcome.strings, outcome.short) == (1, 1, 4, 2)


def test_hidden_arguments_in_a_message_are_a_leak() -> None:
    outcome = audited([call(1, PROMPT, "x"), call(2, "Also try rank([5,6,\n 7,8]).", "y")])
    [leak] = outcome.leaks
    assert (leak.task_id, leak.call, leak.what, leak.string) == ("T/1", 2, "arguments", "[5, 6, 7, 8]")
    assert "rank([5,6,7,8])" in leak.excerpt


def test_a_hidden_result_in_a_message_is_a_leak() -> None:
    assert [leak.what for leak in audited([call(1, "It must give [0, 1, 2, 3].", "x")]).leaks] == ["expected"]


def test_what_a_model_said_before_is_no_leak() -> None:
    """A model may think of the same input as a hidden test."""
    calls = [call(1, PROMPT, "consider [5, 6, 7, 8]"), call(2, "You said: consider [5, 6, 7, 8]", "x")]
    assert audited(calls).clean


def test_what_a_model_says_later_excuses_nothing() -> None:
    calls = [call(1, "consider [5, 6, 7, 8]", "x"), call(2, PROMPT, "consider [5, 6, 7, 8]")]
    assert not audited(calls).clean


def test_strings_of_a_structured_answer_count_as_said() -> None:
    escaped = call(1, PROMPT, '{"call": "rank([5, 6,\\n 7, 8])"}', {"call": ["rank([5, 6,\n 7, 8])"]})
    assert audited([escaped, call(2, "run: rank([5, 6, 7, 8])", "x")]).clean


def test_a_visible_failure_is_no_leak() -> None:
    """What a program returned on a visible test may equal a hidden result by chance."""
    failure = "rank([30, 10, 20])\nexpected [2, 0, 1], got [0, 1, 2, 3]"
    shown = visible((">>> rank([30, 10, 20])\n    [2, 0, 1]",), (failure,))
    assert audited([call(1, f"It failed:\n{failure}", "x")], [shown]).clean
    assert not audited([call(1, f"It failed:\n{failure}", "x")]).clean


def test_a_bench_that_ran_a_hidden_test_is_a_leak() -> None:
    shown = visible(("rank([5, 6, 7, 8])",), ("expected [0, 1, 2, 3]",))
    outcome = audited([call(1, "expected [0, 1, 2, 3]", "x")], [shown])
    assert [(leak.call, leak.what, leak.string) for leak in outcome.leaks] == [
        (0, "arguments", "[5, 6, 7, 8]"),
        (1, "expected", "[0, 1, 2, 3]"),  # so what it said of it excuses nothing
    ]


def test_calls_that_a_model_wrote_may_be_run() -> None:
    observed = Shown(
        task_id="T/1", kind="observed", tests=("rank([5, 6, 7, 8])",), texts=("returned [0, 1, 2, 3]",)
    )
    calls = [
        call(1, PROMPT, "try rank([5, 6, 7, 8])"),
        call(2, "rank([5, 6, 7, 8]) returned [0, 1, 2, 3]", "x"),
    ]
    assert audited(calls, [observed]).clean
