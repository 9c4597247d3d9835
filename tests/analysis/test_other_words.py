"""Analyses read records: other words in every prompt change nothing of what is said of a scripted run."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from inspect_ai.event import InfoEvent, ModelEvent

from dualcode import prompts
from dualcode.analysis.analyse import Analysis
from dualcode.analysis.gather import gather
from dualcode.bench.bench import Examination, Shown
from dualcode.call import Request
from dualcode.config import Endpoint, Role, TeamConfig
from dualcode.export.sample import samples
from dualcode.models.scripted import ScriptedBench, ScriptedChat
from dualcode.pipelines.find import find_pipelines
from dualcode.report.tasks import rows
from dualcode.report.transcript import transcript
from dualcode.runs.manifest import configure, manifest
from dualcode.runs.runner import Runner, open_run, session
from dualcode.sampling import PAPER
from dualcode.solution import Program
from dualcode.suites.suite import Suite, load_suite
from dualcode.task import Task
from dualcode.team import Seat, Served, Team
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
        return Verdict(task_id=task_id, base=outcome, plus=outcome)

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


async def analysed(folder: Path) -> Analysis:
    """Run every built-in pipeline on four tasks, and analyse the runs."""
    suite = load_suite("mini").select(4)
    for pipeline in find_pipelines("all"):
        made_with = manifest(
            pipeline.name, configure(pipeline, suite, TEAM, {"e": Served(model="m")}), suite, TEAM
        )
        store = open_run(folder, made_with, fresh=False)
        store.begin_session(session(1), {})
        chat = ScriptedChat(model(suite))
        seats: dict[Role, Seat] = {
            "coder": Seat("coder", chat, PAPER, 1000, 64),
            "reviewer": Seat("reviewer", chat, PAPER, 1000, 64),
        }
        team = Team(seats, bench=Telling(store.add_shown))
        await Runner(pipeline, suite, team, Judge(), store, concurrency=1).run()
        store.end_session()
        store.close()
    return await gather([folder], grade=False)


def said(analysis: Analysis) -> dict[str, Any]:
    """Everything that is said of the runs, without messages and times."""
    found: dict[str, Any] = {
        "scores": analysis.scores,
        "comparisons": analysis.comparisons,
        "reviewers": analysis.reviewers,
        "regressions": analysis.regressions,
        "richness": analysis.richness,
        "rows": rows(analysis),
    }
    for row in rows(analysis):
        data = transcript(analysis, row)
        named = ("program", "before", "changes", "review", "value", "step")
        for run in data["runs"]:
            calls = [{key: _text(data, call.get(key)) for key in named} for call in run["calls"]]
            found[f"{run['id']} {row.id}"] = (calls, _text(data, run["final"]), run["shown"])
    for run in analysis.runs:
        found[run.id] = [
            (each.role if isinstance(each, ModelEvent) else str(each.data))
            for sample in samples(run)
            for each in sample.events
            if isinstance(each, ModelEvent | InfoEvent)
        ]
    return found


def _text(data: dict[str, Any], place: Any) -> Any:
    """Return the text at an index, within reviews too; anything else as it is."""
    if isinstance(place, dict):
        review = cast("dict[str, Any]", place)
        return review | {"program": _text(data, review["program"])}
    return data["texts"][place] if isinstance(place, int) else place


def other_words(folder: Path) -> Path:
    """Write the prompts with every word of theirs turned round, what is filled in aside."""
    folder.mkdir()
    for name in prompts.names():
        parts = re.split(r"(\{\{.*?\}\}|\{%.*?%\})", (prompts.FOLDER / f"{name}.md").read_text())
        words = (
            part if part.startswith("{") else re.sub(r"\w+", lambda w: f"{w[0][::-1]}x", part)
            for part in parts
        )
        (folder / f"{name}.md").write_text("".join(words))
    return folder


async def test_other_words_in_every_prompt_change_no_analysis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = await analysed(tmp_path / "usual")
    monkeypatch.setattr(prompts, "FOLDER", other_words(tmp_path / "prompts"))
    other = await analysed(tmp_path / "other")
    calls = [[call for run in each.runs for call in run.records.calls] for each in (usual, other)]
    asked = [{call.request.model_dump_json() for call in each} for each in calls]
    assert not asked[0] & asked[1]
    assert said(usual) == said(other)
    judged = usual.reviewers["review-fix"].overall
    assert judged.confusion.judged == 4  # it is no empty truth
    assert usual.regressions["review-fix"].regressions
