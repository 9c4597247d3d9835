"""Analyses read records: other words in every prompt change nothing of what is said of a scripted run."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
from inspect_ai.event import InfoEvent, ModelEvent

from dualcode import prompts
from dualcode.analysis.analyse import Analysis
from dualcode.analysis.gather import gather
from dualcode.export.sample import samples
from dualcode.pipelines import builtins
from dualcode.report.tasks import rows
from dualcode.report.transcript import transcript
from tests.scripted_runs import make_run


async def analysed(folder: Path) -> Analysis:
    """Run every built-in pipeline, and analyse the runs."""
    for pipeline in builtins().values():
        await make_run(folder, pipeline)
    return await gather([folder], grade=False)


def said(analysis: Analysis) -> dict[str, Any]:
    """Everything that is said of the runs, without messages and times."""
    found: dict[str, Any] = {
        "scores": analysis.scores,
        "comparisons": analysis.comparisons,
        "reviewers": analysis.reviewers,
        "regressions": analysis.regressions,
        "richness": analysis.richness,
        "rows": rows(analysis).shown,
    }
    for row in rows(analysis).shown:
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
