"""What a pipeline asks at least and at most, found by running it once each way on scripted models."""

import hashlib
import json
from functools import partial
from typing import Any

from dualcode.bench.bench import ScriptedBench
from dualcode.call import Call, Request
from dualcode.config import TeamConfig
from dualcode.errors import DualcodeError
from dualcode.models.scripted import ScriptedChat
from dualcode.pipelines import Pipeline
from dualcode.record import Record
from dualcode.task import Task
from dualcode.team import build_team


class Asked(Record):
    """One call of a rehearsal."""

    step: str
    endpoint: str
    key: str
    """Equal for two calls that the ledger would pay for once."""
    prompt_characters: int
    most_tokens: int
    """Most tokens of thought and answer together."""


class Rehearsal(Record):
    """A pipeline's calls for one task."""

    pipeline: str
    least: tuple[Asked, ...]
    """If the first draft is right and the reviewer says so."""
    most: tuple[Asked, ...]
    """If every program fails and the reviewer finds bugs."""


async def rehearse(pipeline: Pipeline, task: Task, config: TeamConfig) -> Rehearsal:
    """Return what the pipeline asks for one task. A pipeline that raises on scripts asked what it had."""
    least = await _play(pipeline, task, config, good=True)
    most = await _play(pipeline, task, config, good=False)
    fewest, highest = pipeline.calls or (len(least), len(most))
    # Not every branch can be reached by a script; the pipeline says what its longest one asks.
    more = (most[-1].model_copy(update={"key": f"{most[-1].key}-{n}"}) for n in range(highest - len(most)))
    return Rehearsal(pipeline=pipeline.name, least=least[:fewest], most=(*most, *(more if most else ())))


async def _play(pipeline: Pipeline, task: Task, config: TeamConfig, *, good: bool) -> tuple[Asked, ...]:
    real = build_team(config, pipeline.roles)
    calls: list[Call] = []
    bench = ScriptedBench({} if good else {"": "a visible test failed"})
    answer = partial(_answer, entry_point=task.entry_point, good=good)
    team = real.through(lambda chat: ScriptedChat(answer, name=chat.name))
    try:
        await pipeline(task, team.at_work(pipeline.roles, bench).for_task(task.id, calls.append))
    except (DualcodeError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError):
        pass  # a drop-in may want answers that no script of ours gives
    finally:
        await real.close()
    asked: list[Asked] = []
    for call in calls:
        text = json.dumps([call.endpoint, call.request.model_dump(mode="json")], sort_keys=True)
        asked.append(
            Asked(
                step=call.step,
                endpoint=config.roles[call.role],  # pyright: ignore[reportArgumentType] - a bound role
                key=hashlib.sha256(text.encode()).hexdigest(),
                prompt_characters=sum(len(message.content) for message in call.request.messages),
                most_tokens=call.request.max_tokens,
            )
        )
    return tuple(asked)


def _answer(request: Request, entry_point: str, *, good: bool) -> str:
    """Answer by the request alone, so that equal requests of two pipelines get equal answers."""
    if request.json_schema is None:
        mark = hashlib.sha256(request.model_dump_json().encode()).hexdigest()[:8]
        return f"```python\ndef {entry_point}(*_):\n    return {mark!r}\n```"
    schema = json.dumps(request.json_schema)  # a review's is a choice of two objects
    finding = {"where": "line 1", "actual": "nothing", "expected": "something"}
    said: dict[str, Any] = {
        "verdict": "approve" if good else "revise",
        "findings": [] if good else [finding],
        "types": "any",
        "examples": [],
        "edge_cases": [],
        "probes": [{"call": f"{entry_point}(1)", "asserted": "2"}],
        "reason": "none",
        "better": "A",
    }
    return json.dumps({key: value for key, value in said.items() if f'"{key}"' in schema})
