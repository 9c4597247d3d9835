"""What runs took, on synthetic runs whose sums were done by hand."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dualcode.analysis.costs import Costs, ServerCost, Total, costs_of, together
from dualcode.analysis.runs import Run, load_run
from dualcode.cli.costs import costs as command
from dualcode.runs.manifest import Manifest, Session
from dualcode.runs.monitor import GpuReading, Reading
from dualcode.serving.hardware import Gpu, ServedHardware
from tests.made import STARTED, Story, write_run

# A request takes 0.9 s, a task begins one second after the end of the last, and the run ends one second after
# the last answer. So two tasks of one call each: requests at 1-1.9 and 2.9-3.8, 1.8 busy of 4.8 seconds.
TWO = {"T/0": Story(plus=True), "T/1": Story(plus=False)}
BUSY, WALL = 1.8, 4.8
BY_HOUR = {"gpu_hour": 3600.0, "currency": "€"}
BY_TOKEN = {"input_per_million": 1e6, "output_per_million": 2e6}


def write(folder: Path, stories: dict[str, Story] = TWO, pipeline: str = "raw-coder", **options: Any) -> Run:
    return load_run(write_run(folder, pipeline, stories, **options))


def see(run: Run, readings: Iterable[Reading]) -> Costs:
    """Say what the run saw of its servers, and return what it took."""
    (run.folder / "servers.jsonl").write_text("".join(f"{each.to_line()}\n" for each in readings))
    return costs_of(load_run(run.folder))


def reading(second: float, running: int | None = 0, *, endpoint: str = "coder", **update: Any) -> Reading:
    return Reading(
        at=STARTED + second, endpoints=(endpoint,), in_flight=2, running=running, waiting=0
    ).model_copy(update=update)


def gpu(joules: float | None, uuid: str = "GPU-a") -> dict[str, Any]:
    return {"gpus": (GpuReading(uuid=uuid, utilization=0.5, used_bytes=1, watts=100.0, joules=joules),)}


def coder(servers: tuple[ServerCost, ...]) -> ServerCost:
    return next(each for each in servers if each.endpoint == "coder")


def test_a_run_that_made_all_its_calls_spent_what_it_would_alone(tmp_path: Path) -> None:
    found = costs_of(write(tmp_path))
    assert found.alone == found.spent
    assert (found.tasks, found.solved, found.calls) == (2, 1, 2)
    own = coder(found.spent)
    assert own.busy_seconds == pytest.approx(BUSY)
    assert own.wall_seconds == pytest.approx(WALL)


def test_tokens_are_those_of_the_requests(tmp_path: Path) -> None:
    run = write(tmp_path)
    requests = [call.usage for call in run.records.calls]
    total = costs_of(run).total("spent")
    assert total.prompt_tokens == sum(each.prompt_tokens for each in requests) > 0
    assert total.completion_tokens == sum(each.completion_tokens for each in requests) > 0


def test_what_runs_took_together_is_the_sum_of_what_is_known_of_all(tmp_path: Path) -> None:
    first, second = costs_of(write(tmp_path, price=BY_HOUR)), costs_of(write(tmp_path, pipeline="raw-retry"))
    both = together([first, second], "alone")
    each = [one.total("alone") for one in (first, second)]
    assert both.completion_tokens == sum(one.completion_tokens for one in each)
    assert both.wall_seconds == pytest.approx(2 * WALL)
    assert both.money == each[0].money
    assert (both.joules, both.gpu_hours, both.metered_seconds) == (None, None, None)


def test_no_runs_took_nothing_and_no_energy_is_known(tmp_path: Path) -> None:
    nothing = together([], "spent")
    assert (nothing.prompt_tokens, nothing.wall_seconds, nothing.money) == (0, 0, {})
    assert nothing.joules is None


def test_what_the_ledger_shares_is_counted_in_each_run_alone_and_spent_once(tmp_path: Path) -> None:
    made, shared = write(tmp_path), write(tmp_path, pipeline="raw-retry", replayed=True)
    costs = [costs_of(made), costs_of(shared)]
    alone, spent = together(costs, "alone"), together(costs, "spent")
    assert alone.completion_tokens == 2 * spent.completion_tokens > 0


def test_replayed_calls_count_alone_and_cost_nothing(tmp_path: Path) -> None:
    found = costs_of(write(tmp_path, replayed=True, price=BY_HOUR))
    alone, spent = coder(found.alone), coder(found.spent)
    assert (alone.busy_seconds, spent.busy_seconds) == (pytest.approx(BUSY), 0)
    assert (spent.prompt_tokens, spent.completion_tokens) == (0, 0)
    assert alone.prompt_tokens > 0
    assert (alone.wall_seconds, spent.wall_seconds) == (pytest.approx(WALL + BUSY), pytest.approx(WALL))


@pytest.mark.parametrize("replayed", [True, False])
def test_money_by_the_hour_is_that_of_the_wall_time_shown_beside_it(tmp_path: Path, replayed: bool) -> None:
    found = costs_of(
        write(tmp_path, replayed=replayed, price=BY_HOUR)
    )  # 1 € a second, for each of two servers
    for side in (found.alone, found.spent):
        assert [each.money for each in side] == [pytest.approx(each.wall_seconds) for each in side]
    assert found.total("spent").money == {"€": pytest.approx(2 * WALL)}


def test_money_by_the_token(tmp_path: Path) -> None:
    found = coder(costs_of(write(tmp_path, price=BY_TOKEN)).spent)
    assert found.money == pytest.approx(found.prompt_tokens + 2 * found.completion_tokens)
    assert found.currency == "$"


def test_without_a_price_there_is_no_money_and_a_note_says_so(tmp_path: Path) -> None:
    found = costs_of(write(tmp_path))
    assert found.total("alone").money == {}
    assert "coder, reviewer: no money: the team's endpoint has no price" in found.notes


def test_a_solved_task_costs_all_tasks_of_the_run(tmp_path: Path) -> None:
    found = costs_of(write(tmp_path, {**TWO, "T/2": Story(plus=False)}, price=BY_TOKEN))
    total, task, solved = found.total("spent"), found.per_task("spent"), found.per_solved("spent")
    assert solved == total
    assert task is not None
    assert task.completion_tokens == pytest.approx(total.completion_tokens / 3)
    assert task.money["$"] == pytest.approx(total.money["$"] / 3)
    assert task.metered_seconds is None


def test_a_run_that_solved_nothing_has_no_cost_per_solved_task(tmp_path: Path) -> None:
    found = costs_of(write(tmp_path, {"T/0": Story(plus=False), "T/1": Story(plus=None)}))
    assert (found.solved, found.per_solved("alone")) == (0, None)
    assert any("1 of 2 tasks have no verdict" in note for note in found.notes)


def test_tasks_that_were_not_begun_are_not_divided_by(tmp_path: Path) -> None:
    found = costs_of(write(tmp_path, tasks=["T/0", "T/1", "T/2", "T/3"]))
    assert found.tasks == 2


def test_metered_time_begins_and_ends_halfway_between_readings(tmp_path: Path) -> None:
    seen = [reading(0, 0), reading(1, 2), reading(2, 1), reading(4, 0), reading(4.8, 0)]
    assert coder(see(write(tmp_path), seen).spent).metered_seconds == pytest.approx(0.5 + 1 + 1)


def test_time_outside_the_runs_sessions_is_not_metered(tmp_path: Path) -> None:
    seen = [reading(-5, 3), reading(2, 3), reading(4, 3), reading(9, 3)]
    assert coder(see(write(tmp_path), seen).spent).metered_seconds == pytest.approx(WALL)


def sessions(run: Run, *spans: tuple[float, float | None]) -> Run:
    """Change when the run's processes worked."""
    path = run.folder / "manifest.json"
    made = tuple(
        Session(started=STARTED + start, ended=None if end is None else STARTED + end, concurrency=1)
        for start, end in spans
    )
    changed = Manifest.model_validate_json(path.read_bytes()).model_copy(update={"sessions": made})
    path.write_text(changed.model_dump_json())
    return load_run(run.folder)


def test_the_pause_between_two_sessions_is_not_metered(tmp_path: Path) -> None:
    run = sessions(write(tmp_path), (0, 10), (15, 25))
    seen = [reading(second, 1) for second in range(26)]
    assert coder(see(run, seen).spent).metered_seconds == pytest.approx(20)


@pytest.mark.parametrize("seen", [[], [reading(0, 1)], [reading(0, 1), reading(5, 1)]])
def test_readings_of_a_part_of_the_run_meter_nothing(tmp_path: Path, seen: list[Reading]) -> None:
    found = see(sessions(write(tmp_path), (0, 60)), seen)
    assert coder(found.spent).metered_seconds is None
    assert any("coder" in note and "metered seconds are not known" in note for note in found.notes)


def test_a_long_gap_between_readings_meters_nothing(tmp_path: Path) -> None:
    run = sessions(write(tmp_path), (0, 60))
    assert coder(see(run, [reading(0, 1), reading(60, 1)]).spent).metered_seconds is None


def test_a_server_without_metrics_is_named_with_its_answer(tmp_path: Path) -> None:
    found = see(write(tmp_path), [reading(0, None, absent="HTTP 404")])
    assert coder(found.spent).metered_seconds is None
    assert "coder: metered seconds are not known: its /metrics gave HTTP 404" in found.notes


def test_readings_with_others_requests_are_counted_and_told(tmp_path: Path) -> None:
    seen = [reading(0, 2), reading(1, 3), reading(2, 2, waiting=1), reading(4.8, 2)]
    found = see(write(tmp_path), seen)
    assert coder(found.spent).shared == 0.5
    assert any(note.startswith("coder: in 50% of the readings") for note in found.notes)


def test_energy_is_the_counters_difference_within_the_sessions(tmp_path: Path) -> None:
    seen = [reading(-1, **gpu(1000)), reading(1, **gpu(1200)), reading(4.8, **gpu(1580))]
    found = see(write(tmp_path), seen)
    assert coder(found.spent).joules == pytest.approx(100 + 380)  # half of the first 200 J came before
    assert coder(found.spent).gpus == ("GPU-a",)


@pytest.mark.parametrize("counters", [[1000, None], [1000, 10], [None, None]])
def test_energy_that_was_not_read_throughout_is_not_known(
    tmp_path: Path, counters: list[float | None]
) -> None:
    seen = [reading(second, **gpu(joules)) for second, joules in zip((0, 4.8), counters, strict=True)]
    found = see(write(tmp_path), seen)
    assert coder(found.spent).joules is None
    assert any(note.startswith("coder: energy is not known") for note in found.notes)


def test_a_part_of_a_servers_gpus_is_not_shown_as_its_energy(tmp_path: Path) -> None:
    both = gpu(0)["gpus"] + gpu(None, "GPU-b")["gpus"]
    seen = [reading(0, gpus=both), reading(4.8, gpus=gpu(480)["gpus"] + gpu(None, "GPU-b")["gpus"])]
    found = see(write(tmp_path), seen)
    assert (coder(found.spent).joules, found.total("spent").joules) == (None, None)


@pytest.mark.parametrize(("other", "joules", "gpus"), [("GPU-a", 480, 1), ("GPU-b", 960, 2)])
def test_a_gpu_of_two_servers_is_held_and_fed_once(
    tmp_path: Path, other: str, joules: float, gpus: int
) -> None:
    seen = [reading(0, **gpu(0)), reading(4.8, **gpu(480))]
    seen += [reading(0, endpoint="reviewer", **gpu(0, other))]
    seen += [reading(4.8, endpoint="reviewer", **gpu(480, other))]
    total = see(write(tmp_path), seen).total("spent")
    assert total.joules == pytest.approx(joules)
    assert total.gpu_hours == pytest.approx(gpus * WALL / 3600)


def test_two_endpoints_on_one_server_are_metered_once(tmp_path: Path) -> None:
    both = ("coder", "reviewer")
    found = see(write(tmp_path), [reading(0, 1, endpoints=both), reading(4.8, 1, endpoints=both)])
    assert [each.metered_seconds for each in found.spent] == [pytest.approx(WALL)] * 2
    assert found.total("spent").metered_seconds == pytest.approx(WALL)


def test_what_meters_saw_is_not_said_of_a_run_alone_that_was_not(tmp_path: Path) -> None:
    seen = [reading(0, 1, **gpu(0)), reading(4.8, 1, **gpu(480))]
    found = see(write(tmp_path, replayed=True), seen)
    alone, spent = coder(found.alone), coder(found.spent)
    assert (spent.metered_seconds, spent.joules) == (pytest.approx(WALL), pytest.approx(480))
    assert (alone.metered_seconds, alone.joules, alone.gpu_joules) == (None, None, {})
    assert any(note.startswith("as if alone: calls were replayed") for note in found.notes)


def test_calls_that_a_kill_made_twice_are_spent_and_not_counted_alone(tmp_path: Path) -> None:
    run = write(tmp_path)
    first = run.records.calls[0]
    assert first.reply is not None
    again = [each.model_copy(update={"started": each.started - 0.5}) for each in first.reply.attempts]
    lost = first.model_copy(update={"reply": first.reply.model_copy(update={"attempts": tuple(again)})})
    (run.folder / "superseded.jsonl").write_text(f"{lost.to_line()}\n")
    found = see(run, [reading(0, 1), reading(4.8, 1)])
    assert coder(found.alone).metered_seconds is None
    assert coder(found.spent).metered_seconds == pytest.approx(WALL)
    more = coder(found.spent).completion_tokens - coder(found.alone).completion_tokens
    assert more == first.usage.completion_tokens
    assert coder(found.spent).busy_seconds == pytest.approx(BUSY + 0.5)


def test_half_of_nothing_known_is_not_known() -> None:
    total = Total(
        prompt_tokens=3, completion_tokens=5, reasoning_tokens=0, busy_seconds=1.0, metered_seconds=None,
        wall_seconds=2.0, gpu_hours=0.5, money={"$": 1.0}, joules=None,
    )  # fmt: skip
    half = total.per(2)
    assert half is not None
    assert (half.prompt_tokens, half.gpu_hours, half.money) == (1.5, 0.25, {"$": 0.5})
    assert (half.metered_seconds, half.joules, total.per(0)) == (None, None, None)


def a10g(uuid: str) -> Gpu:
    return Gpu(uuid=uuid, name="NVIDIA A10G", memory_bytes=1, used_bytes=None, driver="1")


@pytest.mark.parametrize(("gpus", "hours"), [((), 0.0), (None, None), (("GPU-a",), 60 / 3600)])
def test_gpu_hours_are_those_of_the_gpus_that_the_session_names(
    tmp_path: Path, gpus: tuple[str, ...] | None, hours: float | None
) -> None:
    held = None if gpus is None else tuple(map(a10g, gpus))
    run = sessions(write(tmp_path), (0, 60))
    manifest = run.records.manifest
    facts = {role: ServedHardware(model="m", root=None, gpus=held) for role in ("coder", "reviewer")}
    changed = manifest.model_copy(
        update={"sessions": tuple(each.model_copy(update={"hardware": facts}) for each in manifest.sessions)}
    )
    (run.folder / "manifest.json").write_text(changed.model_dump_json())
    found = costs_of(load_run(run.folder))
    assert found.total("spent").gpu_hours == (hours if hours is None else pytest.approx(hours))


def test_the_command_shows_unknowns_as_dashes_with_the_reason(tmp_path: Path) -> None:
    run = write(tmp_path, {"T/0": Story(plus=False)})
    shown = CliRunner().invoke(command, [str(run.folder)])
    assert shown.exit_code == 0
    assert "0 of 1 tasks solved" in shown.output
    [line, *_] = [line for line in shown.output.splitlines() if line.strip().startswith("a solved task")]
    assert line.split()[3:] == ["–"] * 9
    assert "no cost per solved task: none was solved" in shown.output
    assert "the run kept no readings of the server" in shown.output


def test_the_command_prints_a_json_object_a_run(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, pipeline="review-fix")
    shown = CliRunner().invoke(command, [str(tmp_path), "--json"])
    objects = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [each["pipeline"] for each in objects] == ["raw-coder", "review-fix"]
    assert objects[0]["totals"]["spent"]["per_task"]["wall_seconds"] == pytest.approx(WALL / 2)
    assert objects[0]["alone"][0]["joules"] is None
