"""Runs that nobody made: records of chosen outcomes, to try tables, figures and the report on.

They are synthetic. Their ids begin with `synthetic-`, and no number of theirs says anything about a model.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import dualcode
from dualcode.analysis.runs import Run
from dualcode.call import Attempt, Call, Message, Reply, Request, Usage, Value
from dualcode.models.endpoints import Served
from dualcode.record import Record
from dualcode.runs.manifest import Configuration, Manifest, Session
from dualcode.runs.store import NamedProgram, RunRecords, Sample
from dualcode.sampling import PAPER
from dualcode.solution import Program
from dualcode.suites.files import DataSource
from dualcode.suites.registry import known_entry
from dualcode.task import Task
from dualcode.verdict import Cause, Outcome, Status, Verdict

TITLES = {"humaneval": "HumanEval+", "mbpp": "MBPP+", "humaneval-base": "HumanEval", "mini": "mini"}
SOURCES = {
    "right": "def solve(n):\n    return 3 * n\n",
    "wrong": "def solve(n):\n    return 2 * n\n",
}
MODELS = {"coder": "synthetic-coder-14b", "reviewer": "synthetic-reviewer-32b"}
Step = tuple[str, str, str, Program | dict[str, Any]]
"""Its name, the role, what was answered, and the program or the review that was read from it."""
STARTED = 1_700_000_000.0


@dataclass(frozen=True)
class Story:
    """What happened on one task."""

    plus: bool | None
    """Whether the solution passed base and plus; None: errored."""
    base: bool | None = None
    """Whether it passed base; None: as `plus`."""
    program: str | None = None
    """Its text. None: one that is right, or wrong, as `plus` says."""
    draft: str | None = None
    """The text of the first draft, where a review or a fix followed; None: there was none of its own."""
    review: Literal["approve", "revise"] | None = None
    findings: Sequence[Mapping[str, str]] = ()
    """Each with `where`, `actual` and `expected`."""
    cause: Cause = "wrong_output"
    reason: str = "wrong output"
    failing_input: str | None = "3"
    reasoning: str | None = None
    """What the reviewer thought before its verdict."""


def held(run: Run) -> RunRecords:
    """Return all records of a run, for a test that changes them."""
    records = run.held().records
    assert isinstance(records, RunRecords)
    return records


def write_run(
    folder: Path,
    pipeline: str,
    stories: Mapping[str, Story],
    *,
    dataset: str = "humaneval",
    has_plus: bool = True,
    prompts: Mapping[str, str] | None = None,
    data: str = "0" * 64,
    tasks: Sequence[str] | None = None,
    replayed: bool = False,
    price: Mapping[str, Any] | None = None,
    words: str | Mapping[str, str] = "",
) -> Path:
    """Write one run below `folder` and return its own folder.

    `tasks` is the selection where it is more than the stories; `replayed` marks every first draft as from the
    ledger; `words`, or a task's own, are added to every reply, to give transcripts a length.
    """
    manifest = _manifest(pipeline, tuple(tasks or stories), dataset, has_plus, data, price)
    target = folder / manifest.id
    target.mkdir(parents=True)
    known, programs = list[Record](), dict[tuple[str, str], Record]()
    calls, samples, verdicts = list[Record](), list[Record](), list[Record]()
    clock = STARTED
    for task, story in stories.items():
        prompt = (prompts or {}).get(task, f'def solve(n):\n    """Return three times n ({task})."""\n')
        own = _calls(task, story, prompt, clock, replayed=replayed, words=_own(words, task))
        clock = max(call.reply.started + call.reply.seconds for call in own if call.reply)
        calls += own
        known.append(_task(task, prompt))
        programs |= {(task, each.checksum): each for each in _named(own, _program(story))}
        samples.append(Sample(task_id=task, solution=_program(story), extraction="block"))
        verdicts.append(_verdict(task, story, has_plus))
    ended = manifest.model_copy(
        update={"sessions": (Session(started=STARTED, ended=clock + 1, concurrency=4),)}
    )
    (target / "manifest.json").write_text(ended.model_dump_json(indent=2))
    known += [_task(task, "") for task in manifest.configuration.tasks if task not in stories]
    written = {"tasks": known, "programs": programs.values(), "calls": calls}
    for name, records in (written | {"samples": samples, "verdicts": verdicts}).items():
        (target / f"{name}.jsonl").write_text("".join(f"{each.to_line()}\n" for each in records))
    return target


def _task(id_: str, prompt: str) -> Task:
    return Task(id=id_, prompt=prompt, entry_point=(re.findall(r"def (\w+)", prompt) or ["solve"])[-1])


def _named(calls: Sequence[Call], solution: str) -> Iterator[NamedProgram]:
    named = [(program, call.step, call.number) for call in reversed(calls) for program in call.programs]
    for program, step, number in [(_written(solution), "solution", 0), *named]:
        yield NamedProgram(
            task_id=calls[0].task_id, checksum=program.checksum, text=program.text, step=step, call=number
        )


def _own(words: str | Mapping[str, str], task: str) -> str:
    return words if isinstance(words, str) else words.get(task, "")


def _program(story: Story) -> str:
    return story.program if story.program is not None else SOURCES["right" if story.plus else "wrong"]


def _calls(task: str, story: Story, prompt: str, clock: float, *, replayed: bool, words: str) -> list[Call]:
    first = story.draft if story.draft is not None else _program(story)
    steps: list[Step] = [("write", "coder", f"{words}```python\n{first}```", _written(first))]
    if story.review is not None:
        review = {"verdict": story.review, "findings": [dict(each) for each in story.findings]}
        steps.append(("review", "reviewer", f"{words}{story.review}", review))
    if story.review == "revise":
        fixed = _program(story)
        steps.append(("fix", "coder", f"{words}```python\n{fixed}```", _written(fixed)))
    return [
        _call(task, number, step, prompt, first, clock + number, replayed and number == 1, story.reasoning)
        for number, step in enumerate(steps, start=1)
    ]


def _written(text: str) -> Program:
    return Program(text=text, compiles=True, defines_entry_point=True, how="block")


def _messages(step: str, prompt: str, draft: str) -> tuple[Message, ...]:
    """Return a conversation; a fix continues the writer's own, as in the pipelines."""
    system = Message(role="system", content="You are an expert Python programmer.")
    if step != "fix":
        return system, Message(role="user", content=f"{step}:\n```python\n{prompt}```")
    first = Message(role="user", content=f"write:\n```python\n{prompt}```")
    own = Message(role="assistant", content=f"```python\n{draft.strip()}\n```")
    return system, first, own, Message(role="user", content="Correct what the reviewer found.")


def _call(
    task: str,
    number: int,
    step: Step,
    prompt: str,
    draft: str,
    started: float,
    replayed: bool,
    reasoning: str | None,
) -> Call:
    name, role, content, read = step
    about = () if name == "write" else (_written(draft),)
    usage = Usage(prompt_tokens=len(prompt) // 4, completion_tokens=len(content) // 4)
    attempt = Attempt(
        kind="chat", started=started, seconds=0.9, outcome="ok", finish_reason="stop", usage=usage,
        from_ledger=replayed,
    )  # fmt: skip
    return Call(
        task_id=task, number=number, step=name, role=role, endpoint=role, model=MODELS[role],
        request=Request(
            messages=_messages(name, prompt, draft),
            sampling=PAPER.plain, answer_tokens=1000,
        ),
        reply=Reply(
            content=content, reasoning=reasoning if name == "review" else None, finish_reason="stop",
            usage=usage, started=started, seconds=0.9, attempts=(attempt,),
        ),
        value=Value.of(read) if isinstance(read, Program) else Value(kind="review", data=read),
        about=tuple(program.checksum for program in about),
        programs=(*about, *([read] if isinstance(read, Program) else [])),
    )  # fmt: skip


def _verdict(task: str, story: Story, has_plus: bool) -> Verdict:
    if story.plus is None:
        return Verdict.of_error(task, "the server was lost", plus=has_plus)
    base = story.plus if story.base is None else story.base
    plus = _outcome(story, passed=story.plus) if has_plus else None
    return Verdict.of(task, base=_outcome(story, passed=base), plus=plus)


def _outcome(story: Story, *, passed: bool) -> Outcome:
    status: Status = "passed" if passed else "failed"
    if passed:
        return Outcome(status=status)
    return Outcome(
        status=status, reason=story.reason, cause=story.cause, at=0, failing_input=story.failing_input
    )


def _manifest(
    pipeline: str,
    tasks: tuple[str, ...],
    dataset: str,
    has_plus: bool,
    data: str,
    price: Mapping[str, Any] | None,
) -> Manifest:
    endpoints = {role: {"model": model, "price": price} for role, model in MODELS.items()}
    configuration = Configuration(
        pipeline=pipeline,
        pipeline_source="0" * 64,
        dataset=dataset,
        data=data,
        tasks=tasks,
        team={"endpoints": endpoints, "roles": {role: role for role in MODELS}},
        sampling=dict.fromkeys(MODELS, PAPER),
        served={role: Served(model=model, version="synthetic") for role, model in MODELS.items()},
        prompts={"write": "0" * 64},
        code="0" * 64,
        packages={},
    )
    return Manifest(
        id=f"synthetic-{dataset}-{pipeline}-{configuration.fingerprint[:8]}",
        created=time.time(),
        fingerprint=configuration.fingerprint,
        configuration=configuration,
        title=TITLES.get(dataset) or (entry.title if (entry := known_entry(dataset)) else dataset),
        has_plus=has_plus,
        source=DataSource(
            name="synthetic", version="synthetic", path=Path("-"), sha256=data, source="synthetic"
        ),
        addresses={},
        dualcode=dualcode.__version__,
        python="3.11",
        platform="synthetic",
        sessions=(),
    )
