"""A task of a run as an Inspect sample: its prompt, what was said, the program, the scores."""

from collections.abc import Sequence
from typing import TypeVar

from inspect_ai.dataset import Sample
from inspect_ai.log import EvalError, EvalRetryError, EvalSample
from inspect_ai.model import ChatCompletionChoice, ChatMessage, ChatMessageAssistant, ModelOutput
from inspect_ai.scorer import CORRECT, INCORRECT, Score

from dualcode.analysis.runs import Run
from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.export.messages import Scope, Turn, asked, converse, printable, tokens
from dualcode.export.transcript import Transcript, tell
from dualcode.export.when import times, utc

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
    prompt = _prompt(turns, superseded)
    scores, error = _scores(run, task), _error(run, task)
    transcript = Transcript(scope, start)
    transcript.begin(Sample(id=task, input=prompt, target=NO_TARGET))
    with transcript.span("solvers", "solvers"), transcript.span(run.pipeline, "solver"):
        tell(transcript, turns, when, shown)
        if (program := run.records.samples.get(task)) is not None:
            transcript.info("program", program.solution, {"extraction": program.extraction})
    if error is not None:
        transcript.error(error)
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


def _prompt(turns: Sequence[Turn], superseded: Sequence[Call]) -> str | list[ChatMessage]:
    """Return the first messages that were sent for the task."""
    if turns:
        return turns[0].input
    return "\n\n".join(printable(each.content) for call in superseded[:1] for each in call.request.messages)


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


def _error(run: Run, task: str) -> EvalError | None:
    verdict = run.records.verdicts.get(task)
    if verdict is not None and not verdict.errored:
        return None
    reason = (verdict.base.reason or "errored") if verdict else "no verdict: the run was interrupted"
    return _told(reason)


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
    tell(transcript, converse(scope, superseded)[1], when, ())
    told = _told("the task was cut short by a kill or a fault, and done again")
    return [EvalRetryError(**told.model_dump(), events=transcript.events)]
