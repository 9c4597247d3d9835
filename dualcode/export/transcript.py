"""What happened on a task, as Inspect's events: who was asked what, what the bench showed, the scores."""

import contextlib
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.event import (
    ErrorEvent,
    Event,
    InfoEvent,
    ModelEvent,
    SampleInitEvent,
    ScoreEvent,
    SpanBeginEvent,
    SpanEndEvent,
)
from inspect_ai.log import EvalError
from inspect_ai.scorer import Score

from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.export.messages import Scope, Turn, printable, printables, settings, whereabouts
from dualcode.export.when import When, utc


class Transcript:
    """The events of a sample, told in their order; spans group them as in Inspect's own transcripts."""

    def __init__(self, scope: Scope, began: float) -> None:
        self.events: list[Event] = []
        self._scope = scope
        self._began = self._now = began
        self._spans: list[str] = []

    def begin(self, sample: Sample) -> None:
        """Tell with what the sample began."""
        self.events.append(SampleInitEvent(sample=sample, **self._place()))

    @contextlib.contextmanager
    def span(self, name: str, kind: str | None = None) -> Generator[None]:
        """Group what is told inside."""
        id_ = self._scope.id("span", len(self.events))
        parent = self._spans[-1] if self._spans else None
        self._spans.append(id_)
        self.events.append(SpanBeginEvent(id=id_, parent_id=parent, type=kind, name=name, **self._place()))
        yield
        self.events.append(SpanEndEvent(id=id_, **self._place()))
        self._spans.pop()

    def call(self, turn: Turn, when: When) -> None:
        """Tell a call, in a span that names its step and role."""
        self._now, call = when.start, turn.call
        with self.span(f"{call.number} {call.step} ({call.role})"):
            event = ModelEvent(
                model=call.model,
                role=call.role,
                input=turn.input,
                tools=[],
                tool_choice="none",
                config=settings(call.request),
                output=turn.output,
                retries=max(0, len(call.attempts) - 1) or None,
                error=None if call.error is None else printable(call.error),
                cache="read" if call.from_ledger else None,
                completed=utc(when.end),
                working_time=when.seconds,
                metadata=_record(call),
                **self._place(),
            )
            self.events.append(event)
            self._now = when.end

    def shown(self, shown: Shown) -> None:
        """Tell what the bench ran, and what of it a model may have been shown."""
        ran = [f"tests of the prompt, or calls that a model wrote ({shown.kind}):", *shown.tests]
        text = "\n".join([*ran, "", "what a model may be shown:", *shown.texts])
        self.info("bench", text, {"kind": shown.kind, "tests": shown.tests, "texts": shown.texts})

    def info(self, source: str, text: str, metadata: Mapping[str, Any]) -> None:
        """Tell a text, which the viewer shows line by line, and the same as data."""
        data = printables(metadata)
        self.events.append(
            InfoEvent(source=source, data=printable(text), **self._place() | {"metadata": data})
        )

    def scores(self, scores: Mapping[str, Score]) -> None:
        """Tell the scores; nothing where there are none."""
        if not scores:
            return
        with self.span("scorers", "scorers"):
            for name, score in scores.items():
                with self.span(name, "scorer"):
                    self.events.append(ScoreEvent(score=score, scorer=name, **self._place()))

    def error(self, error: EvalError) -> None:
        """Tell why there is no score."""
        self.events.append(ErrorEvent(error=error, **self._place()))

    def _place(self) -> dict[str, Any]:
        return {
            "uuid": self._scope.id("event", len(self.events)),
            "span_id": self._spans[-1] if self._spans else None,
            "timestamp": utc(self._now),
            "working_start": max(0.0, self._now - self._began),
        }


def _record(call: Call) -> dict[str, Any]:
    """Return what Inspect has no field for; attempts have the times of the call that paid for them."""
    paid = (
        {"replayed": True, "paid_at": call.attempts[0].started} if call.from_ledger else {"replayed": False}
    )
    record: dict[str, Any] = {
        **whereabouts(call),
        **paid,
        "endpoint": call.endpoint,
        "thinking": call.request.thinking,
        "notes": list(call.notes),
        "value": None if call.value is None else call.value.model_dump(),
        "about": list(call.about),
        "attempts": [each.model_dump(mode="json") for each in call.attempts],
    }
    return printables(record)


def tell(transcript: Transcript, turns: Sequence[Turn], when: Sequence[When], shown: Sequence[Shown]) -> None:
    """Tell calls in their order, and what the bench showed after as many of them as had ended by then.

    What it had nothing to say of, a program that passed, is left out.
    """
    shown = [each for each in shown if each.texts]
    for place, (turn, moment) in enumerate(zip(turns, when, strict=True)):
        for each in shown:
            if each.after == place:
                transcript.shown(each)
        transcript.call(turn, moment)
    for each in shown:
        if each.after is None or each.after >= len(turns):
            transcript.shown(each)
