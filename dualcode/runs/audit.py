"""The audit of a run: did any hidden test reach a model?

Every message of every call is compared with every hidden test of its task: with the arguments of the call
and with the expected result, both as Python writes them, blanks and the kind of quotes aside. A string that
stands in a message has to come from somewhere that a model may know: the task's prompt, the templates, an
earlier reply in the same task, or the record of the tests that the pipeline's bench ran. That record is
checked too: a test which the bench ran has to stand in the prompt or in a reply. Whatever else is a leak.

What it cannot see: a hint in other words, and strings of fewer than SHORTEST characters (`[]`, `1`), which
stand everywhere; how many those were is told.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from dualcode import prompts
from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.record import Record

SHORTEST = 4
"""Characters, blanks left out. Shorter strings prove nothing."""

EXCERPT = 60
"""Characters of the message around a leak."""


class Hidden(NamedTuple):
    """One hidden test, as Python writes it."""

    arguments: str
    """`[1, 2], 3`: as between the parentheses of a call."""
    expected: str


class Leak(Record):
    """A hidden string in a message, with no innocent source."""

    task_id: str
    call: int
    """The call's number in its task; 0 for a test that the bench ran."""
    step: str
    what: Literal["arguments", "expected", "test"]
    string: str
    excerpt: str
    """The message around it, without its blanks."""


class Audit(Record):
    """The outcome, with what it is based on."""

    tasks: int
    calls: int
    strings: int
    """Hidden strings that were looked for."""
    short: int
    """Hidden strings that are too short to prove anything."""
    shown: int
    """Tests that the bench ran."""
    leaks: tuple[Leak, ...]

    @property
    def clean(self) -> bool:
        """Whether no hidden test reached a model."""
        return not self.leaks


def audit(
    calls: Sequence[Call],
    shown: Sequence[Shown],
    prompts_by_task: Mapping[str, str],
    hidden: Mapping[str, Iterable[Hidden]],
) -> Audit:
    """Compare all calls with the hidden tests of their tasks. Pure: reads nothing, runs nothing."""
    calls_of, shown_of = _by_task(calls), _by_task(shown)
    leaks: list[Leak] = []
    strings = short = 0
    for task_id in sorted(calls_of | shown_of):
        needles = _needles(hidden[task_id])
        long = [needle for needle in needles if len(needle.squeezed) >= SHORTEST]
        strings, short = strings + len(long), short + len(needles) - len(long)
        leaks += _of_task(calls_of[task_id], shown_of[task_id], prompts_by_task[task_id], long)
    tests = sum(len(each.tests) for each in shown)
    return Audit(
        tasks=len(calls_of), calls=len(calls), strings=strings, short=short, shown=tests, leaks=tuple(leaks)
    )


class _Needle(NamedTuple):
    what: Literal["arguments", "expected"]
    text: str
    squeezed: str


def _needles(tests: Iterable[Hidden]) -> list[_Needle]:
    found: dict[tuple[Literal["arguments", "expected"], str], None] = {}
    for test in tests:  # a dictionary keeps each once, in order
        found |= {("arguments", test.arguments): None, ("expected", test.expected): None}
    return [_Needle(what, text, squeezed(text)) for what, text in found]


def squeezed(text: str) -> str:
    """Return a text without blanks, and with one kind of quotes: how it was laid out says nothing."""
    return re.sub(r"\s+", "", text).replace('"', "'")


def _by_task(records: Sequence[Any]) -> defaultdict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for each in records:
        found[each.task_id].append(each)
    return found


def _of_task(
    calls: Sequence[Call], shown: Sequence[Shown], prompt: str, needles: Sequence[_Needle]
) -> Iterator[Leak]:
    replies = [squeezed(text) for call in calls for text in said(call)]
    known = [squeezed(prompt), *replies]
    for each in shown:
        yield from (_bench_leak(each, test) for test in each.tests if not _stands_in(squeezed(test), known))
    benched = [squeezed(text) for each in shown for text in each.texts]
    innocent = "\0".join([squeezed(prompt), _templates(), *benched])
    for call in sorted(calls, key=lambda each: each.number):
        yield from _of_call(call, needles, innocent)
        innocent += "\0" + "\0".join(squeezed(text) for text in said(call))


def _of_call(call: Call, needles: Sequence[_Needle], innocent: str) -> Iterator[Leak]:
    message = "\0".join(squeezed(each.content) for each in call.request.messages)
    for needle in needles:
        if needle.squeezed in message and needle.squeezed not in innocent:
            at = message.index(needle.squeezed)
            around = message[max(0, at - EXCERPT) : at + len(needle.squeezed) + EXCERPT]
            yield Leak(
                task_id=call.task_id,
                call=call.number,
                step=call.step,
                what=needle.what,
                string=needle.text,
                excerpt=around,
            )


def _bench_leak(shown: Shown, test: str) -> Leak:
    return Leak(task_id=shown.task_id, call=0, step=shown.kind, what="test", string=test, excerpt="")


def _stands_in(needle: str, texts: Sequence[str]) -> bool:
    return any(needle in text for text in texts)


def said(call: Call) -> Iterator[str]:
    """Yield what a model said in a call: its answers and thoughts, and the strings of a structured answer."""
    if call.reply is not None:
        yield from (text for text in (call.reply.content, call.reply.reasoning) if text)
        yield from (attempt.content for attempt in call.reply.attempts if attempt.content)
    if call.value is not None and call.value.kind != "program":
        yield from _strings(call.value.data)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in cast("Mapping[str, Any]", value).values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in cast("Sequence[Any]", value):
            yield from _strings(each)


def _templates() -> str:
    return "\0".join(squeezed((prompts.FOLDER / f"{name}.md").read_text()) for name in prompts.names())
