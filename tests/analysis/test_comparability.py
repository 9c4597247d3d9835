"""What makes runs not comparable: each way alone, with the values and the ids."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dualcode.analysis.comparability import Difference, differences, find_differences
from dualcode.analysis.runs import Run, load_run
from dualcode.call import Reply
from dualcode.models.endpoints import Served
from dualcode.runs.manifest import Configuration
from dualcode.sampling import PAPER, RECOMMENDED
from tests.made import Story, held, write_run

TASKS = [f"HumanEval/{number}" for number in range(6)]


def stories(number: int = 4, *, errored: int = 0) -> dict[str, Story]:
    return {
        task: Story(plus=True if i >= errored else None, program="the same")
        for i, task in enumerate(TASKS[:number])
    }


def run_of(
    folder: Path, pipeline: str = "raw-coder", number: int = 4, errored: int = 0, **options: Any
) -> Run:
    return load_run(write_run(folder, pipeline, stories(number, errored=errored), **options))


def changed(run: Run, change: Callable[[Configuration], dict[str, Any]], **manifest: Any) -> Run:
    """Return the run with another configuration and id, as if it had been made so."""
    old = run.records.manifest
    configuration = old.configuration.model_copy(update=change(old.configuration))
    update = {"id": f"{old.id}-changed", "configuration": configuration, **manifest}
    return Run(run.folder, held(run).model_copy(update={"manifest": old.model_copy(update=update)}))


def only(runs: list[Run]) -> Difference:
    (found,) = find_differences(runs)
    return found


def test_runs_that_differ_in_their_pipelines_alone_are_alike(tmp_path: Path) -> None:
    assert differences([run_of(tmp_path), run_of(tmp_path, "review-fix")]) == ()
    assert differences([]) == ()


def test_other_suites_are_not_comparable(tmp_path: Path) -> None:
    first, second = run_of(tmp_path), run_of(tmp_path, dataset="mini")
    found = only([first, second])
    assert found.kind == "suite"
    assert found.breaks
    assert found.text == f"not comparable: different suites: humaneval ({first.id}); mini ({second.id})"


def test_other_data_is_not_comparable_and_named_by_checksum(tmp_path: Path) -> None:
    first, second = run_of(tmp_path), run_of(tmp_path, "review-fix", data="ab" * 32)
    found = only([first, second])
    assert (found.kind, found.breaks) == ("data", True)
    assert f"sha256 000000000000 ({first.id})" in found.text
    assert f"sha256 abababababab ({second.id})" in found.text


def test_a_limit_is_not_comparable_with_more_tasks(tmp_path: Path) -> None:
    first, second = run_of(tmp_path), run_of(tmp_path, "review-fix", 2)
    found = only([first, second])
    assert (found.kind, found.breaks) == ("selection", True)
    assert f"4 of 164 tasks from HumanEval/0 on ({first.id})" in found.text
    assert f"2 of 164 tasks from HumanEval/0 on ({second.id})" in found.text
    assert found.text.endswith("2 tasks are in all of them")


def test_as_many_other_tasks_are_told_apart(tmp_path: Path) -> None:
    own = {task: Story(plus=True, program="the same") for task in (TASKS[0], TASKS[5])}
    first, second = run_of(tmp_path, number=2), load_run(write_run(tmp_path, "review-fix", own))
    found = only([first, second])
    assert "2 of 164 tasks: HumanEval/0, HumanEval/1" in found.text
    assert "2 of 164 tasks: HumanEval/0, HumanEval/5" in found.text


def test_data_and_selections_are_compared_within_a_suite_only(tmp_path: Path) -> None:
    runs = [run_of(tmp_path), run_of(tmp_path, dataset="mini", data="ab" * 32, number=2)]
    assert [each.kind for each in find_differences(runs)] == ["suite"]


def served(**change: Any) -> Callable[[Configuration], dict[str, Any]]:
    def update(configuration: Configuration) -> dict[str, Any]:
        return {"served": {**configuration.served, "coder": Served(model="synthetic-coder-14b", **change)}}

    return update


def other(**change: Any) -> Callable[[Configuration], dict[str, Any]]:
    def update(_: Configuration) -> dict[str, Any]:
        return change

    return update


def endpoint(**change: Any) -> Callable[[Configuration], dict[str, Any]]:
    def update(configuration: Configuration) -> dict[str, Any]:
        team = configuration.team
        own = {**team["endpoints"], "coder": {**team["endpoints"]["coder"], **change}}
        return {"team": {**team, "endpoints": own}}

    return update


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        (served(version="0.99"), "team", "coder's vLLM: synthetic (*); 0.99 (*-changed)"),
        (served(version="synthetic", root="/models/x"), "team", "from /models/x (*-changed)"),
        (endpoint(answer_tokens=320), "team", None),
        (
            other(prompts={"write": "ab" * 32}),
            "prompts",
            "the prompt write: 00000000 (*); abababab (*-changed)",
        ),
        (other(prompts={"fix": "ab" * 32}), "prompts", None),  # another pipeline's
        (
            other(code="cd" * 32),
            "code",
            "dualcode's code: 000000000000 (*); cdcdcdcdcdcd (*-changed)",
        ),
        (other(packages={"numpy": "2"}), "packages", "numpy: not noted (*); 2 (*-changed)"),
        (other(pipeline_source="ef" * 32), "pipeline", "the source of pipeline raw-coder: 0000"),
        (
            other(sampling={"coder": RECOMMENDED, "reviewer": PAPER}),
            "sampling",
            "coder's sampling (plain, temperature): 0.0 (*); 0.7 (*-changed)",
        ),
    ],
)
def test_what_makes_replies_and_verdicts_is_compared(
    tmp_path: Path, change: Callable[[Configuration], dict[str, Any]], kind: str, says: str | None
) -> None:
    run = run_of(tmp_path)
    found = find_differences([run, changed(run, change)])
    assert {each.kind for each in found} == ({kind} if says else set[str]())
    if says:
        assert any(says.replace("*", run.id) in each.text for each in found)
        assert not any(each.breaks for each in found)


def test_settings_of_an_endpoint_are_compared_where_both_runs_noted_them(tmp_path: Path) -> None:
    run = changed(run_of(tmp_path), endpoint(answer_tokens=320))
    found = only([run, changed(run, endpoint(answer_tokens=2048))])
    assert found.text == f"coder's answer_tokens: 320 ({run.id}); 2048 ({run.id}-changed)"


def test_addresses_prices_and_concurrency_make_no_difference(tmp_path: Path) -> None:
    run = changed(run_of(tmp_path), endpoint(concurrency=4, price=None))
    moved = changed(run, endpoint(concurrency=8, price={"gpu_hour": 1.0}), addresses={"coder": "http://x"})
    assert differences([run, moved]) == ()


def test_a_role_that_one_run_does_not_use_makes_no_difference(tmp_path: Path) -> None:
    both = run_of(tmp_path, "review-fix")
    alone = changed(both, lambda c: {"team": {**c.team, "roles": {"coder": "coder"}}})
    assert differences([both, alone]) == ()


def test_another_reply_to_the_same_first_request_is_told(tmp_path: Path) -> None:
    first, second = run_of(tmp_path), run_of(tmp_path, "review-fix")
    assert differences([first, second]) == ()
    calls = list(second.records.calls)
    reply = calls[0].reply
    assert isinstance(reply, Reply)
    calls[0] = calls[0].model_copy(update={"reply": reply.model_copy(update={"content": "another"})})
    redrawn = Run(second.folder, held(second).model_copy(update={"calls": tuple(calls)}))
    found = only([first, redrawn])
    assert found.kind == "drafts"
    assert "same request on 4 tasks and got different replies on 1 (HumanEval/0)" in found.text
    assert second.id in found.text
    assert first.id in found.text


def test_errored_tasks_are_told_with_the_interval_that_they_leave(tmp_path: Path) -> None:
    run = run_of(tmp_path, errored=1)
    wide = run.score("plus").widened
    found = only([run, run_of(tmp_path, "review-fix")])
    assert (found.kind, found.breaks) == ("errored", False)
    assert f"{run.id}: 1 of 4 tasks have no verdict (HumanEval/0)" in found.text
    assert f"to {wide[0]:.1%} – {wide[1]:.1%}" in found.text


def test_a_run_without_any_verdict_is_told_too(tmp_path: Path) -> None:
    assert "4 of 4 tasks have no verdict" in differences([run_of(tmp_path, errored=4)])[0]


def test_of_many_runs_the_odd_one_is_named(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, f"p{number}") for number in range(6)]
    odd = changed(runs[0], lambda _: {"code": "cd" * 32})
    assert only([*runs, odd]).text == (
        f"dualcode's code: 000000000000 (the other 6 runs); cdcdcdcdcdcd ({odd.id})"
    )
