"""Records in other tools' forms: what mini-swe-agent itself would have written, and what ATIF asks for."""

import json
from typing import Any

import pytest

from dualcode.agents import mini
from dualcode.agents.mini import Said
from dualcode.agents.records import Workplace
from dualcode.agents.trajectory import atif_trajectory, mini_trajectory
from dualcode.models.scripted import reply
from tests.agents.acting import MEND, SUBMIT, Acted, act, says


@pytest.fixture
async def acted(place: Workplace) -> Acted:
    thought = reply(says("ls"), reasoning="I wonder.")
    return await act(place, [thought, "prose", says(MEND), says(SUBMIT)])


def own_trajectory(acted: Acted) -> dict[str, Any]:
    """Return what its own agent writes when it is told the same."""
    steps = iter(acted.steps)
    now = next(steps)

    def query(messages: object) -> Said:
        nonlocal now
        now = acted.steps[sum(message["role"] == "assistant" for message in loop.messages)]
        said = {"role": "assistant", "content": now.said}
        if now.command is None:
            raise mini.load().format_error(said, {"role": "user", "content": now.observation})
        return {**said, "extra": {"actions": [{"command": now.command}]}}

    def execute(action: Said) -> Said:
        if now.answer is not None:
            last = {"exit_status": "Submitted", "submission": now.answer}
            raise mini.load().interrupt({"role": "exit", "content": now.answer, "extra": last})
        return {"output": now.observation}

    loop = mini.load().loop(query, execute, steps=9, format_errors=3)
    loop.run(acted.said[1].content, told=acted.said[0].content)
    return loop.serialize()


async def test_mini_s_own_form_is_what_mini_would_have_written(acted: Acted) -> None:
    ours = json.loads(json.dumps(mini_trajectory(acted.run, acted.steps, acted.said[:2])))
    theirs = own_trajectory(acted)
    assert ours.keys() == theirs.keys()
    assert ours["trajectory_format"] == theirs["trajectory_format"]
    assert ours["info"].keys() == theirs["info"].keys()
    for key in ("exit_status", "submission", "mini_version"):
        assert ours["info"][key] == theirs["info"][key]
    assert ours["info"]["model_stats"] == theirs["info"]["model_stats"]
    told = [[(each["role"], each["content"]) for each in form["messages"]] for form in (ours, theirs)]
    assert told[0] == told[1]
    assert ours["messages"][2]["extra"]["actions"] == [{"command": "ls"}]


async def test_other_endings_keep_mini_s_words_where_it_has_them(place: Workplace) -> None:
    limited = await act(place, [says("ls")], steps=1)
    lost = await act(place, [])
    told = [
        mini_trajectory(each.run, each.steps, each.said[:2])["info"]["exit_status"]
        for each in (limited, lost)
    ]
    assert told == ["LimitsExceeded", "endpoint"]


async def test_atif_has_each_step_with_its_call_observation_and_tokens(acted: Acted) -> None:
    form = atif_trajectory(
        acted.run, acted.steps, acted.said[:2], acted.calls, session="shop-1/A/1/implement"
    )
    form = json.loads(json.dumps(form))
    assert {"schema_version", "session_id", "agent", "steps"} <= form.keys()
    assert {"name", "version"} <= form["agent"].keys()
    steps = form["steps"]
    assert [step["step_id"] for step in steps] == list(range(1, 7))
    assert [step["source"] for step in steps] == ["system", "user", *["agent"] * 4]
    assert steps[2]["reasoning_content"] == "I wonder."
    only_agents = {"model_name", "reasoning_content", "tool_calls", "metrics"}
    assert not any(only_agents & step.keys() for step in steps[:2])
    for step in steps[2:]:
        calls = {each["tool_call_id"] for each in step.get("tool_calls", [])}
        sources = {each.get("source_call_id") for each in step["observation"]["results"]}
        assert sources == (calls or {None})
        assert all(each["arguments"]["command"] for each in step.get("tool_calls", []))
        assert step["timestamp"].endswith("+00:00")
    total = sum(step["metrics"]["completion_tokens"] for step in steps[2:])
    assert form["final_metrics"]["total_completion_tokens"] == total == acted.run.usage.completion_tokens
    assert form["extra"]["answer"] == "done"


async def test_tokens_that_no_server_told_are_left_out(acted: Acted) -> None:
    untold = acted.run.model_copy(update={"usage": acted.run.usage.model_copy(update={"untold": 1})})
    form = atif_trajectory(untold, acted.steps, acted.said[:2], [], session="s")
    assert form["final_metrics"] == {"total_steps": 6}
    assert "metrics" not in form["steps"][2]
