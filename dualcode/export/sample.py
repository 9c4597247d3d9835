"""A task of a run as an Inspect sample: its prompt, what was said, program, scores, and all as events."""

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeVar

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
from inspect_ai.log import EvalError, EvalRetryError, EvalSample
from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput
from inspect_ai.scorer import CORRECT, INCORRECT, Score

from dualcode.analysis.runs import Run
from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.export.messages import (
    Scope,
    Turn,
    When,
    asked,
    converse,
    printable,
    printables,
    settings,
    times,
    tokens,
    utc,
    whereabouts,
)

R = TypeVar("R", Shown, Call)

NO_TARGET = ""
"""What is right is decided by hidden tests, which no record of a run holds."""


def samples(run: Run) -> list[EvalSample]:
    """Return a sample for each task that has a record, in the suite's order.

    A task without a verdict, for whatever reason, is a sample with an error and without scores.
    """
    shown, superseded = _by_task(run.records.shown), _by_task(run.records.superseded)
    return [
        _sample(run, task, shown.get(task, ()), superseded.get(task, ()))
        for task in run.tasks
        if run.calls.get(task) or task in run.records.verdicts or task in superseded
    ]


def begun(run: Run) -> float:
    """Return when the run began, in seconds since the epoch."""
    manifest = run.records.manifest
    return manifest.sessions[0].started if manifest.sessions else manifest.created


def _by_task(records: Sequence[R]) -> dict[str, list[R]]:
    found: dict[str, list[R]] = {}
    for each in records:
        found.setdefault(each.task_id, []).append(each)
    return found


def _sample(run: Run, task: str, shown: Sequence[Shown], superseded: Sequence[Call]) -> EvalSample:
    scope, calls = Scope(run.id, task), run.calls.get(task, ())
    conversation, turns = converse(scope, calls)
    when = times(calls, begun(run))
    start = min((each.start for each in when), default=begun(run))
    end = max((each.end for each in when), default=start)
    first = (printable(each.content) for call in superseded[:1] for each in call.request.messages)
    prompt = turns[0].input if turns else "\n\n".join(first)
    verdict, scores, error = run.records.verdicts.get(task), _scores(run, task), None
    if verdict is None or verdict.errored:
        error = _told(
            (verdict.base.reason or "errored") if verdict else "no verdict: the run was interrupted"
        )
    transcript = Transcript(scope, start)
    transcript.tell(SampleInitEvent, sample=Sample(id=task, input=prompt, target=NO_TARGET))
    with transcript.span("solvers", "solvers"), transcript.span(run.pipeline, "solver"):
        transcript.exchanges(turns, when, shown)
        if (program := run.records.samples.get(task)) is not None:
            transcript.info("program", program.solution, {"extraction": program.extraction})
    if error is not None:
        transcript.tell(ErrorEvent, error=error)
    transcript.scores(scores)
    by_model, by_role = asked(calls)
    return EvalSample(
        id=task,
        epoch=1,
        uuid=scope.id("sample"),
        input=prompt,
        target=NO_TARGET,
        messages=conversation,
        output=_output(run, task, turns),
        scores=scores or None,
        metadata={"steps": [call.step for call in calls]},
        events=transcript.events,
        model_usage=by_model,
        role_usage=by_role,
        started_at=utc(start).isoformat(),
        completed_at=utc(end).isoformat(),
        total_time=end - start,
        turn_count=len(calls),
        error=error,
        error_retries=_retries(run, task, superseded),
    )


def _output(run: Run, task: str, turns: Sequence[Turn]) -> ModelOutput:
    """Return the program as the output, by the model that last wrote one, with the tokens of all calls."""
    authors = [turn.call.model for turn in turns if turn.call.program is not None]
    model = (authors or [turn.call.model for turn in turns] or [writer(run)])[-1]
    program = run.records.samples.get(task)
    if program is None:
        return ModelOutput(model=model)
    message = ChatMessageAssistant(
        id=Scope(run.id, task).id("program"),
        content=printable(program.solution),
        model=model,
        source="generate",
        metadata={"extraction": program.extraction},
    )
    usage = tokens(turn.call.usage for turn in turns)
    return ModelOutput(
        model=model, choices=[ChatCompletionChoice(message=message, stop_reason="stop")], usage=usage
    )


def writer(run: Run) -> str:
    """Return the model that writes the run's programs, the coder's where both do."""
    authors = [call for call in run.records.calls if call.program is not None]
    models = {call.role: call.model for call in authors}
    team = run.records.manifest.configuration.team
    bound = [team["endpoints"][name]["model"] for name in team["roles"].values()]
    return models.get("coder") or next(iter(models.values()), bound[0])


def _scores(run: Run, task: str) -> dict[str, Score]:
    verdict = run.records.verdicts.get(task)
    if verdict is None or verdict.errored:
        return {}
    program, scores = run.records.samples.get(task), dict[str, Score]()
    for part in run.parts:
        outcomes = {"base": verdict.base, "plus": verdict.plus} if part == "plus" else {"base": verdict.base}
        failed = {name: each for name, each in outcomes.items() if each and each.status == "failed"}
        lines: list[str] = []
        for name, outcome in failed.items():
            lines.append(f"{name} tests: {outcome.reason or 'failed'}")
            if outcome.failing_input is not None:
                lines.append(f"failing input: {outcome.failing_input}")
        scores[part] = Score(
            value=CORRECT if verdict.passed(part) else INCORRECT,
            answer=printable(program.solution) if program else None,
            explanation=printable("\n".join(lines)) or "passed",
            metadata={name: {"cause": each.cause, "at": each.at} for name, each in failed.items()},
        )
    return scores


def _told(reason: str) -> EvalError:
    """Return an error that the viewer shows: it has room for nothing but a traceback."""
    text = printable(reason)
    return EvalError(message=text, traceback=text, traceback_ansi=text)


def _retries(run: Run, task: str, superseded: Sequence[Call]) -> list[EvalRetryError] | None:
    """Return the calls that were paid for in vain, when the task was cut short and done again."""
    if not superseded:
        return None
    scope = Scope(run.id, f"{task} superseded")
    when = times(superseded, begun(run))
    transcript = Transcript(scope, when[0].start)
    transcript.exchanges(converse(scope, superseded)[1], when, ())
    told = _told("the task was cut short by a kill or a fault, and done again")
    return [EvalRetryError(**told.model_dump(), events=transcript.events)]


class Transcript:
    """The events of a sample, told in their order; spans group them as in Inspect's own transcripts."""

    def __init__(self, scope: Scope, began: float) -> None:
        self.events: list[Event] = []
        self._scope = scope
        self._began = self._now = began
        self._spans: list[str] = []

    def tell(self, kind: Callable[..., Event], **fields: Any) -> None:
        """Tell an event of a kind, with its place in the sample and its time."""
        place = {
            "uuid": self._scope.id("event", len(self.events)),
            "span_id": self._spans[-1] if self._spans else None,
            "timestamp": utc(self._now),
            "working_start": max(0.0, self._now - self._began),
        }
        self.events.append(kind(**place, **fields))

    @contextlib.contextmanager
    def span(self, name: str, kind: str | None = None) -> Generator[None]:
        """Group what is told inside."""
        id_ = self._scope.id("span", len(self.events))
        parent = self._spans[-1] if self._spans else None
        self._spans.append(id_)
        self.tell(SpanBeginEvent, id=id_, parent_id=parent, type=kind, name=name)
        yield
        self.tell(SpanEndEvent, id=id_)
        self._spans.pop()

    def exchanges(self, turns: Sequence[Turn], when: Sequence[When], shown: Sequence[Shown]) -> None:
        """Tell calls in their order, and what the bench showed after as many of them as had ended by then."""
        for place, (turn, moment) in enumerate(zip(turns, when, strict=True)):
            for each in shown:
                if each.after == place:
                    self.shown(each)
            self.call(turn, moment)
        for each in shown:
            if each.after is None or each.after >= len(turns):
                self.shown(each)

    def call(self, turn: Turn, when: When) -> None:
        """Tell a call, in a span that names its step and role."""
        self._now, call, paid = when.start, turn.call, {"replayed": turn.call.from_ledger}
        if call.from_ledger:  # attempts have the times of the call that paid for them
            paid |= {"paid_at": call.attempts[0].started}
        told = {  # what Inspect has no field for
            **whereabouts(call),
            **paid,
            "endpoint": call.endpoint,
            "thinking": call.request.thinking,
            "notes": list(call.notes),
            "value": None if call.value is None else call.value.model_dump(),
            "about": list(call.about),
            "attempts": [each.model_dump(mode="json") for each in call.attempts],
        }
        with self.span(f"{call.number} {call.step} ({call.role})"):
            self.tell(
                ModelEvent,
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
                metadata=printables(told),
            )
            self._now = when.end

    def shown(self, shown: Shown) -> None:
        """Tell what the bench ran and may have shown to a model; of a program that passed that is nothing."""
        if not shown.texts:
            return
        ran = [f"tests of the prompt, or calls that a model wrote ({shown.kind}):", *shown.tests]
        text = "\n".join([*ran, "", "what a model may be shown:", *shown.texts])
        self.info("bench", text, {"kind": shown.kind, "tests": shown.tests, "texts": shown.texts})

    def info(self, source: str, text: str, metadata: Mapping[str, Any]) -> None:
        """Tell a text, which the viewer shows line by line, and the same as data."""
        self.tell(InfoEvent, source=source, data=printable(text), metadata=printables(metadata))

    def scores(self, scores: Mapping[str, Score]) -> None:
        """Tell the scores; nothing where there are none."""
        if not scores:
            return
        with self.span("scorers", "scorers"):
            for name, score in scores.items():
                with self.span(name, "scorer"):
                    self.tell(ScoreEvent, score=score, scorer=name)
