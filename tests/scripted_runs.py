"""Runs of pipelines on a scripted model: the real runner and store, no server and no sandbox."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dualcode.bench.bench import Examination, ScriptedBench, Shown
from dualcode.call import Request
from dualcode.config import Endpoint, TeamConfig
from dualcode.models.endpoints import Served
from dualcode.models.scripted import ScriptedChat
from dualcode.pipelines import Pipeline
from dualcode.runs.manifest import configure, manifest
from dualcode.runs.runner import Runner, work
from dualcode.runs.seal import contradictions
from dualcode.runs.session import open_run
from dualcode.runs.store import RunRecords
from dualcode.runs.stored import by_task
from dualcode.sampling import PAPER
from dualcode.solution import Program
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.team import Seat, Team
from dualcode.verdict import Outcome, Verdict

TEAM = TeamConfig(
    endpoints={"e": Endpoint(base_url="http://127.0.0.1:1/v1", model="m")},
    roles={"coder": "e", "reviewer": "e"},
)


def model(suite: Suite) -> Callable[[Request], str]:
    """A model that is right now and then: by the task, what is asked for, and how often it was."""
    asked: dict[str, int] = {}

    def answer(request: Request) -> str:
        text = "".join(message.content for message in request.messages)
        number, task = next((n, t) for n, t in enumerate(suite.tasks) if t.prompt.strip() in text)
        wanted = "program" if request.json_schema is None else json.dumps(request.json_schema)
        count = asked[task.id + wanted] = asked.get(task.id + wanted, 0) + 1
        luck = (3 * number + count + (wanted != "program")) % 4 > 1
        said: dict[str, Any] = {
            "better": "A" if luck else "B", "reason": "none",
            "types": "any", "examples": [], "edge_cases": [],
            "probes": [{"call": f"{task.entry_point}({count})", "asserted": "1"}],
            "verdict": "approve" if luck else "revise",
            "findings": [] if luck else [{"where": "line 1", "actual": "nothing", "expected": "something"}],
        }  # fmt: skip
        keys = [key for key in said if f'"{key}"' in wanted]
        body = f"return {count}" if luck else "return None"
        program = f"```python\ndef {task.entry_point}(*args):\n    {body}\n```"
        return json.dumps({key: said[key] for key in keys}) if keys else program

    return answer


class Judge:
    """Passes what does not return None."""

    async def grade(self, task_id: str, program: str) -> Verdict:
        failed = Outcome(status="failed", reason="wrong output", cause="wrong_output")
        outcome = failed if "None" in program else Outcome(status="passed")
        return Verdict.of(task_id, base=outcome, plus=outcome)

    async def close(self) -> None:
        """Do nothing."""


class Telling(ScriptedBench):
    """A bench that has what it showed recorded."""

    def __init__(self, record: Callable[[Shown], None]) -> None:
        super().__init__({"None": "got None"})
        self._record = record

    async def examine(self, task: Task, program: Program) -> Examination:
        found = await super().examine(task, program)
        texts = () if found.failure is None else (found.failure,)
        self._record(Shown(task_id=task.id, kind="visible", tests=("a test",), texts=texts))
        return found


async def make_run(folder: Path, pipeline: Pipeline) -> Path:
    """Run a pipeline on four tasks of the mini suite, and return the run's folder, which has its name."""
    suite = load_suite("mini").select(4)
    configuration = configure(pipeline, suite, TEAM, {"e": Served(model="m")})
    store = open_run(folder, manifest(pipeline.name, configuration, suite, TEAM), fresh=False)
    store.begin_session(1, {})
    chat = ScriptedChat(model(suite))
    seats: dict[str, Seat] = {
        "coder": Seat("coder", chat, PAPER, 1000, 64),
        "reviewer": Seat("reviewer", chat, PAPER, 1000, 64),
    }
    team = Team(seats, bench=Telling(store.add_shown))
    await work([Runner(pipeline, suite, team, Judge(), store, task_seconds=600)], most=1)
    store.end_session()
    store.close()
    return store.folder


def flaws(records: RunRecords) -> list[str]:
    """Return where the records of a run do not answer for each other."""
    tasks = frozenset(records.manifest.configuration.tasks)
    return [each for task in by_task(records) for each in contradictions(task, records.manifest, tasks)]
