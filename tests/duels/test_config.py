"""A duel's file: what it means, and every way in which it can be wrong."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from dualcode.duels.conditions import conditions_of, keys_of
from dualcode.duels.config import DuelConfig
from dualcode.duels.forecast import LEAST_STEPS, forecast
from dualcode.duels.preparing import differences, manifest, prepare
from dualcode.duels.records import Duel
from dualcode.errors import DualcodeError, InputError
from dualcode.issues.task import IssueTask
from tests.duels.acting import PRICE, write_duel

ROLES = {
    "plan-implement": ("planner", "implementer"),
    "implement": ("implementer",),
    "implement-review-fix": ("implementer", "reviewer"),
}
ALL = ("pair", "solo", "no-plan", "review", "drawn")


def config(**keys: Any) -> DuelConfig:
    return DuelConfig.model_validate({"models": ("a", "b", "c"), "issues": ("x", "y"), **keys})


def refused(folder: Path, issue: IssueTask, **changes: Any) -> str:
    """Return what is said of a file with such keys."""
    with pytest.raises(DualcodeError) as told:
        prepare(write_duel(folder, ("a", "b"), issue.folder, **changes))
    assert told.value.exit_code == 2
    assert told.value.hint
    return str(told.value)


def test_three_models_make_nine_pairs_and_the_arms_of_their_own() -> None:
    found = conditions_of(config(arms=ALL), ROLES)
    by_arm = {arm: [each.id for each in found if each.arm == arm] for arm in ALL}
    assert {arm: len(ids) for arm, ids in by_arm.items()} == {
        "pair": 6, "solo": 3, "no-plan": 3, "review": 9, "drawn": 1,
    }  # fmt: skip
    assert by_arm["solo"] == ["a->a", "b->b", "c->c"]
    assert by_arm["drawn"] == ["drawn:a+b+c"]
    assert len({each.id for each in found}) == len(found)


def test_who_implements_reviews_his_own_work_but_for_the_arm_review() -> None:
    roles = {**ROLES, "plan-implement": ("explorer", "planner", "implementer", "reviewer")}
    found = {each.id: each.roles for each in conditions_of(config(arms=ALL), roles)}
    assert found["a->b"] == {"explorer": "a", "planner": "a", "implementer": "b", "reviewer": "b"}
    assert found["review:a+b"] == {"implementer": "a", "reviewer": "b"}
    assert found["no-plan:c"] == {"implementer": "c"}
    assert set(found["drawn:a+b+c"].values()) == {"a+b+c"}


def test_whole_trials_come_first() -> None:
    found = conditions_of(config(planners=("a",), implementers=("a", "b")), ROLES)
    keys = keys_of(found, ("x", "y"), 2)
    assert [key[2] for key in keys] == [1] * 4 + [2] * 4
    assert len(set(keys)) == 8


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a model that the team has not": ({"models": ["a", "z"]}, "no endpoint in"),
    "a judge that the team has not": ({"judges": ["nobody"]}, "judges, is named 'nobody'"),
    "an issue that nobody knows": ({"issues": ["flask-9999"]}, "no issue task is named 'flask-9999'"),
    "a folder that is no issue": ({"issues": ["./gone"]}, "./gone is no folder"),
    "no trials": ({"trials": 0}, "trials: found 0"),
    "half a trial": ({"trials": 1.5}, "trials: found 1.5"),
    "a name twice": ({"models": ["a", "a"]}, "'a' stands there twice"),
    "an unknown key": ({"trails": 3}, "trails: unknown key; expected one of: name, team"),
    "an unknown limit": ({"limits": {"step": 3}}, "limits.step: unknown key; expected one of: concurrency"),
    "an unknown arm": ({"arms": ["pair", "triple"]}, "arms.1: found 'triple'"),
    "an arm of one model": ({"models": ["a"], "arms": ["drawn"]}, "there is one alone"),
    "nobody who implements": ({"models": [], "planners": ["a"]}, "nobody who implements"),
    "nobody who plans": ({"models": [], "implementers": ["a"]}, "nobody who plans"),
    "no issue": ({"issues": []}, "issues: found []"),
    "a workflow that nobody knows": ({"workflows": {"planned": "plan-only"}}, "no workflow is named"),
    "a workflow without a planner": ({"workflows": {"planned": "implement"}}, "no role 'planner'"),
    "a rubric that nobody knows": ({"judges": ["a"], "rubric": "nice"}, "no rubric is named 'nice'"),
    "no money at all": ({"limits": {"money": {"$": 0}}}, "limits.money.$: found 0"),
    "money in another currency": ({"limits": {"money": {"€": 5}}}, "says nothing of $, in which a is paid"),
    "a name that is a path": ({"name": "../up"}, "name: found '../up'"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_named_with_what_would_be_right(tmp_path: Path, issue: IssueTask, what: str) -> None:
    changes, told = WRONG[what]
    assert told in refused(tmp_path, issue, **changes)


def test_models_of_unknown_price_are_refused_by_name_under_a_money_limit(
    tmp_path: Path, issue: IssueTask
) -> None:
    def price(name: str) -> str:
        return PRICE if name == "a" else ""

    told = refused(tmp_path, issue, price=price, limits={"money": {"$": 1}})
    assert "nobody knows what these cost: b" in told
    assert "[endpoints.b.price]" in told


def test_a_file_that_is_not_there_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no duel's file"):
        prepare(tmp_path / "gone.toml")
    (tmp_path / "broken.toml").write_text("models = [")
    with pytest.raises(InputError, match="cannot be read as TOML"):
        prepare(tmp_path / "broken.toml")


def test_two_folders_of_one_name_are_refused(tmp_path: Path, issue: IssueTask) -> None:
    shutil.copytree(issue.folder, tmp_path / "other" / issue.name)
    told = refused(tmp_path, issue, issues=[str(issue.folder), f"other/{issue.name}"])
    assert "two folders hold a task 'shop-1'" in told


def test_a_price_without_a_cached_rate_is_warned_of(tmp_path: Path, issue: IssueTask) -> None:
    dear = "price = { input_per_million = 1.0, output_per_million = 2.0 }"
    prices = {"a": dear, "b": ""}
    path = write_duel(tmp_path, ("a", "b"), issue.folder, price=lambda name: prices[name])
    told = prepare(path).cautions
    assert any(line.startswith("a is priced by tokens without cached_input_per_million") for line in told)
    assert any(line.startswith("b has no price") for line in told)


def made(folder: Path, issue: IssueTask, **changes: Any) -> Duel:
    return manifest(
        prepare(write_duel(folder, ("a", "b", "c"), issue.folder, **changes)), served={}, tier="t"
    )


GROWTH: dict[str, dict[str, Any]] = {
    "nothing": {},
    "trials": {"trials": 3},
    "models": {"models": ["a", "b", "c"]},
    "arms": {"arms": ["pair", "solo", "no-plan"]},
    "judges": {"judges": ["c"]},
    "concurrency and money": {"limits": {"concurrency": 9, "money": {"$": 5.0}, "steps": 30}},
}
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "steps": ({"limits": {"steps": 20}}, "config.limits.steps was 30, is 20"),
    "seed": ({"seed": 1}, "config.seed was 0, is 1"),
    "fewer trials": ({"trials": 1}, "trials was 2, is 1"),
    "fewer models": ({"models": ["a"], "arms": ["solo"]}, "the condition a->b is gone"),
    "another price": (
        {"price": lambda _: PRICE.replace("2.0", "3.0")},  # pyright: ignore[reportUnknownLambdaType]
        "team.endpoints.a.price.output_per_million was 2.0, is 3.0",
    ),
}  # fmt: skip
BASE: dict[str, Any] = {"models": ["a", "b"], "trials": 2, "limits": {"steps": 30}}


@pytest.mark.parametrize("what", GROWTH)
def test_a_duel_may_grow(tmp_path: Path, issue: IssueTask, what: str) -> None:
    assert differences(made(tmp_path, issue, **BASE), made(tmp_path, issue, **BASE | GROWTH[what])) == []


@pytest.mark.parametrize("what", CHANGES)
def test_what_cells_were_made_with_may_not_change_and_is_named(
    tmp_path: Path, issue: IssueTask, what: str
) -> None:
    changes, told = CHANGES[what]
    assert told in differences(made(tmp_path, issue, **BASE), made(tmp_path, issue, **BASE | changes))


def test_a_task_that_was_changed_is_named(tmp_path: Path, issue: IssueTask) -> None:
    before = made(tmp_path, issue, **BASE)
    changed = before.model_copy(update={"issue_hashes": {"shop-1": "other"}})
    assert differences(before, changed) == ["the task shop-1 was changed"]


def test_a_forecast_counts_a_shared_plan_once_and_each_judgement(tmp_path: Path, issue: IssueTask) -> None:
    path = write_duel(
        tmp_path,
        ("a", "b", "c"),
        issue.folder,
        models=["a", "b"],
        trials=2,
        judges=["c"],
        limits={"steps": 10},
    )
    found = forecast(prepare(path), ())
    assert (found.cells, found.of, found.plans) == (8, 8, 4)
    by_model = {each.model: each for each in found.models}
    # Two trials: explore and plan once each, implement and self-review for two planners each.
    agents = 2 * (2 + 2 * 2)
    assert by_model["a"].calls.least == LEAST_STEPS * agents
    assert by_model["a"].calls.most == 10 * agents
    assert by_model["c"].calls.least == by_model["c"].calls.most == found.judgements >= 2 * 8
    assert all(
        each.money and each.money.least < each.money.most for name, each in by_model.items() if name != "c"
    )
    assert found.money["$"].most == pytest.approx(sum(each.money.most for each in found.models if each.money))
    assert all(each.measured == 0 for each in found.models)


def test_what_a_gpu_by_the_hour_will_cost_is_unknown_before_its_speed_is(
    tmp_path: Path, issue: IssueTask
) -> None:
    path = write_duel(
        tmp_path, ("a",), issue.folder, arms=["solo"], price=lambda _: "price = { gpu_hour = 2.0 }"
    )
    found = forecast(prepare(path), ())
    assert (found.money, found.unknown) == ({}, ("a",))
