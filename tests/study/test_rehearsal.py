"""What a pipeline asks at least and at most, without a server."""

from pathlib import Path

import pytest

from dualcode.config import load_team
from dualcode.pipelines import builtins, pipeline
from dualcode.pipelines.find import find_pipelines
from dualcode.solution import Program
from dualcode.steps.writing import Plan
from dualcode.study.rehearsal import Rehearsal, rehearse
from dualcode.suites.registry import load_suite
from dualcode.task import Task
from dualcode.team import Team
from tests.mini_model import TEAM


async def played(name: str, task: str, tmp_path: Path) -> Rehearsal:
    team = tmp_path / "team.toml"
    team.write_text(TEAM.format(url="http://127.0.0.1:9/v1"))
    return await rehearse(find_pipelines(name)[0], load_suite("mini").task(task), load_team(team))


@pytest.mark.parametrize("name", builtins())
@pytest.mark.parametrize("task", ["MiniRich/3", "MiniLean/5"])
async def test_every_pipeline_is_rehearsed_within_its_bounds(name: str, task: str, tmp_path: Path) -> None:
    bounds = builtins()[name].calls
    assert bounds is not None
    found = await played(name, task, tmp_path)
    assert len(found.least) <= bounds[0]
    assert len(found.most) == bounds[1]


async def test_the_branches_of_a_review_are_the_least_and_the_most(tmp_path: Path) -> None:
    found = await played("review-fix", "MiniRich/3", tmp_path)
    assert [each.step for each in found.least] == ["write", "review"]
    assert [each.step for each in found.most] == ["write", "review", "fix"]


async def test_pipelines_that_begin_alike_share_their_first_calls(tmp_path: Path) -> None:
    raw = await played("raw-coder", "MiniRich/3", tmp_path)
    review = await played("review-fix", "MiniRich/3", tmp_path)
    retry = await played("review-fix-retry", "MiniRich/3", tmp_path)
    plan = await played("plan-code", "MiniRich/3", tmp_path)
    assert raw.least[0].key == review.least[0].key == retry.most[0].key
    assert review.most[:3] == retry.most[:3]
    assert plan.least[0].key != raw.least[0].key


async def test_a_pipeline_that_raises_on_scripts_asked_what_it_had(tmp_path: Path) -> None:
    @pipeline("odd", roles=("coder",))
    async def odd(task: Task, team: Team) -> Program:
        plan = await team.coder.ask("write", [], read=lambda reply: Plan(text=reply or ""))
        raise ValueError(plan.text)

    team = tmp_path / "team.toml"
    team.write_text(TEAM.format(url="http://127.0.0.1:9/v1"))
    found = await rehearse(odd, load_suite("mini").task("MiniRich/0"), load_team(team))
    assert [each.step for each in found.most] == ["write"]
