"""A run as Inspect's log: nothing is lost or made up, and the same run always gives the same log."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="the extra `inspect` is not installed")

from inspect_ai.event import ErrorEvent, InfoEvent, ModelEvent, ScoreEvent, SpanBeginEvent
from inspect_ai.log import EvalLog, EvalSample, read_eval_log
from inspect_ai.model import ContentReasoning

from dualcode.analysis.runs import Run
from dualcode.bench.bench import Shown
from dualcode.call import Attempt, Call, Message, Usage, Value
from dualcode.errors import ConfigError
from dualcode.export.inspect import to_log, write_log
from tests.export.runs import HOSTILE, STORIES, change_calls, make_run, with_records, with_shown
from tests.made import Story, held


def read(run: Run, folder: Path) -> EvalLog:
    path, _ = write_log(run, folder)
    return read_eval_log(str(path), resolve_attachments="full")


def sample_of(log: EvalLog, task: str) -> EvalSample:
    return next(sample for sample in log.samples or [] if sample.id == task)


def model_events(sample: EvalSample) -> list[ModelEvent]:
    return [event for event in sample.events if isinstance(event, ModelEvent)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path / "runs")


@pytest.fixture
def log(run: Run, tmp_path: Path) -> EvalLog:
    return read(run, tmp_path / "logs")


def test_what_is_read_back_is_what_was_written(run: Run, log: EvalLog) -> None:
    assert log.model_dump_json() == to_log(run).model_dump_json()


def test_a_log_names_its_run_and_what_it_was_made_with(run: Run, log: EvalLog) -> None:
    spec = log.eval
    assert (spec.task, spec.run_id, spec.solver) == ("humaneval", run.id, "review-fix")
    assert spec.model == "synthetic-coder-14b"
    assert spec.dataset.sample_ids == list(STORIES)
    assert datetime.fromisoformat(spec.created).timestamp() == pytest.approx(run.records.manifest.created)
    assert spec.metadata is not None
    assert spec.metadata["fingerprint"] == run.records.manifest.fingerprint
    assert {role: config.model for role, config in (spec.model_roles or {}).items()} == {  # type: ignore
        "coder": "synthetic-coder-14b",
        "reviewer": "synthetic-reviewer-32b",
    }


def test_addresses_and_folders_stay_at_home(run: Run, log: EvalLog) -> None:
    assert str(run.folder.parent) not in log.model_dump_json()


def test_every_call_is_an_event_in_a_span_that_names_step_and_role(log: EvalLog) -> None:
    sample = sample_of(log, "HumanEval/1")
    spans = {event.id: event.name for event in sample.events if isinstance(event, SpanBeginEvent)}
    told = [(spans[event.span_id or ""], event.role, event.model) for event in model_events(sample)]
    assert told == [
        ("1 write (coder)", "coder", "synthetic-coder-14b"),
        ("2 review (reviewer)", "reviewer", "synthetic-reviewer-32b"),
        ("3 fix (coder)", "coder", "synthetic-coder-14b"),
    ]


def test_events_have_the_records_times_and_tokens(run: Run, log: EvalLog) -> None:
    calls = run.calls["HumanEval/1"]
    for call, event in zip(calls, model_events(sample_of(log, "HumanEval/1")), strict=True):
        assert call.reply is not None
        assert event.completed is not None
        assert event.timestamp.timestamp() == pytest.approx(call.reply.started)
        assert event.completed.timestamp() == pytest.approx(call.reply.started + call.reply.seconds)
        assert event.output.usage is not None
        assert event.output.usage.output_tokens == call.usage.completion_tokens
        assert [message.text for message in event.input] == [m.content for m in call.request.messages]
        assert event.output.completion == call.reply.content


def test_cached_tokens_are_counted_once(run: Run, tmp_path: Path) -> None:
    usage = Usage(prompt_tokens=10, completion_tokens=5, cached_tokens=4, reasoning_tokens=2)

    def change(call: Call) -> Call:
        assert call.reply is not None
        attempt = call.reply.attempts[0].model_copy(update={"usage": usage})
        return call.model_copy(update={"reply": call.reply.model_copy(update={"attempts": (attempt,)})})

    log = read(change_calls(run, change), tmp_path / "logs")
    used = log.stats.model_usage["synthetic-reviewer-32b"]  # two reviews
    assert (used.input_tokens, used.input_tokens_cache_read) == (12, 8)
    assert (used.output_tokens, used.reasoning_tokens, used.total_tokens) == (10, 4, 30)


def test_a_conversation_has_each_message_once(run: Run, tmp_path: Path) -> None:
    def go_on(call: Call) -> Call:
        if call.step != "fix":
            return call
        first = next(c for c in run.calls[call.task_id] if c.step == "write")
        assert first.reply is not None
        answer = Message(role="assistant", content=first.reply.content or "")
        asked = Message(role="user", content="fix it")
        messages = (*first.request.messages, answer, asked)
        return call.model_copy(update={"request": call.request.model_copy(update={"messages": messages})})

    sample = sample_of(read(change_calls(run, go_on), tmp_path / "logs"), "HumanEval/1")
    places = [(message.role, (message.metadata or {})["step"]) for message in sample.messages]
    assert places == [
        *[("system", "write"), ("user", "write"), ("assistant", "write")],
        *[("system", "review"), ("user", "review"), ("assistant", "review")],
        *[("user", "fix"), ("assistant", "fix")],
    ]
    assert len(model_events(sample)[2].input) == 4


def test_scores_are_the_verdicts_with_their_reasons(log: EvalLog) -> None:
    values = {
        sample.id: {name: score.value for name, score in (sample.scores or {}).items()}
        for sample in log.samples or []
    }
    assert values == {
        "HumanEval/0": {"base": "C", "plus": "C"},
        "HumanEval/1": {"base": "C", "plus": "I"},
        "HumanEval/2": {},
        "HumanEval/3": {"base": "I", "plus": "I"},
        "HumanEval/4": {"base": "C", "plus": "C"},
    }
    scores = sample_of(log, "HumanEval/3").scores or {}
    assert scores["base"].explanation == "base tests: time-out\nfailing input: 3"
    events = [event for event in sample_of(log, "HumanEval/1").events if isinstance(event, ScoreEvent)]
    assert [(event.scorer, event.score.value) for event in events] == [("base", "C"), ("plus", "I")]


def test_a_failed_base_fails_plus_and_says_why(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", {"HumanEval/0": Story(plus=True, base=False)})
    score = (sample_of(to_log(run), "HumanEval/0").scores or {})["plus"]
    assert score.value == "I"
    assert score.explanation is not None
    assert score.explanation.startswith("base tests: wrong output")


def test_an_errored_task_is_an_error_and_no_wrong_answer(log: EvalLog) -> None:
    sample = sample_of(log, "HumanEval/2")
    assert sample.error is not None
    assert sample.error.message == "the server was lost"
    assert sample.scores is None
    assert any(isinstance(event, ErrorEvent) for event in sample.events)
    assert log.results is not None
    for score in log.results.scores:
        assert (score.scored_samples, score.unscored_samples) == (4, 1)
    assert log.results.completed_samples == 4


def test_metrics_are_over_graded_tasks_and_beside_them_stands_wilson(run: Run, log: EvalLog) -> None:
    assert log.results is not None
    plus = next(score for score in log.results.scores if score.name == "plus")
    assert plus.metrics["accuracy"].value == 0.5
    assert plus.metrics["stderr"].value == pytest.approx(math.sqrt(0.25 / 3))  # n - 1 = 3
    rate = run.score("plus").rate
    assert plus.metadata is not None
    assert plus.metadata["wilson_95"] == rate.model_dump()
    assert plus.metadata["wilson_95_widened_by_errors"][0] < rate.low
    assert plus.metadata["errored"] == ["HumanEval/2"]


def test_a_run_without_any_grade_has_no_rate(tmp_path: Path) -> None:
    log = read(make_run(tmp_path / "runs", {"HumanEval/0": Story(plus=None)}), tmp_path / "logs")
    assert log.results is not None
    assert [score.metrics for score in log.results.scores] == [{}, {}]


def test_tasks_that_were_not_done_make_the_log_cancelled(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", tasks=[*STORIES, "HumanEval/9"])
    log = read(run, tmp_path / "logs")
    assert log.status == "cancelled"
    assert len(log.samples or []) == 5
    assert log.eval.dataset.samples == 6
    assert to_log(make_run(tmp_path / "whole")).status == "success"


def test_a_task_whose_verdict_is_missing_keeps_its_calls(run: Run, tmp_path: Path) -> None:
    kept = [verdict for task, verdict in run.records.verdicts.items() if task != "HumanEval/4"]
    log = read(with_records(run, "verdicts.jsonl", kept), tmp_path / "logs")
    sample = sample_of(log, "HumanEval/4")
    assert sample.error is not None
    assert "interrupted" in sample.error.message
    assert len(model_events(sample)) == 1


def test_replayed_calls_are_cache_reads_that_took_no_time_and_no_tokens(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", replayed=True)
    sample = sample_of(read(run, tmp_path / "logs"), "HumanEval/1")
    first, review, fix = model_events(sample)
    assert [event.cache for event in (first, review, fix)] == ["read", None, None]
    assert first.timestamp == first.completed == review.timestamp
    assert first.metadata is not None
    assert first.metadata["paid_at"] == run.calls["HumanEval/1"][0].attempts[0].started
    calls = run.calls["HumanEval/1"]
    assert sample.role_usage["coder"].output_tokens == calls[2].usage.completion_tokens
    alone = (to_log(run).eval.metadata or {})["usage_as_if_alone"]["synthetic-coder-14b"]
    coders = [call.usage for call in run.records.calls if call.role == "coder"]
    assert alone["output_tokens"] == sum(usage.completion_tokens for usage in coders)


def test_a_failed_call_is_an_event_with_its_error(run: Run, tmp_path: Path) -> None:
    lost = Attempt(kind="chat", started=1_700_000_001.0, seconds=2.0, outcome="connection lost")

    def fail(call: Call) -> Call:
        if call.task_id != "HumanEval/2":
            return call
        return call.model_copy(update={"reply": None, "error": "gone", "failed_attempts": (lost, lost)})

    (event,) = model_events(sample_of(read(change_calls(run, fail), tmp_path / "logs"), "HumanEval/2"))
    assert (event.error, event.retries, event.output.choices) == ("gone", 1, [])
    assert event.working_time == pytest.approx(2.0)


def test_thoughts_and_odd_endings_are_kept(run: Run, tmp_path: Path) -> None:
    def think(call: Call) -> Call:
        assert call.reply is not None
        update = {"reasoning": "hm", "finish_reason": "repetition", "content": None}
        return call.model_copy(update={"reply": call.reply.model_copy(update=update), "notes": ("cut",)})

    event = model_events(sample_of(read(change_calls(run, think), tmp_path / "logs"), "HumanEval/0"))[0]
    thought, answer = event.output.message.content_list
    assert isinstance(thought, ContentReasoning)
    assert (thought.reasoning, answer.type) == ("hm", "text")
    assert event.output.stop_reason == "unknown"
    assert (event.output.metadata or {})["finish_reason"] == "repetition"
    assert (event.metadata or {})["notes"] == ["cut"]


def test_what_the_bench_showed_stands_where_it_was_shown(run: Run, tmp_path: Path) -> None:
    task = {"task_id": "HumanEval/1", "tests": ("solve(3) == 9",), "texts": ("Expected 9, got 6.",)}
    shown = Shown.model_validate(task | {"kind": "visible", "after": 2})
    last = Shown.model_validate(task | {"kind": "observed", "after": 3})
    changed = with_shown(run, last, shown)
    sample = sample_of(read(changed, tmp_path / "logs"), "HumanEval/1")
    order = [
        event.role if isinstance(event, ModelEvent) else (event.metadata or {}).get("kind", event.source)
        for event in sample.events
        if isinstance(event, ModelEvent | InfoEvent)
    ]
    assert order == ["coder", "reviewer", "visible", "coder", "observed", "program"]


def paid_at(call: Call, started: float) -> Call:
    assert call.reply is not None
    attempt = call.reply.attempts[0].model_copy(update={"started": started})
    return call.model_copy(update={"reply": call.reply.model_copy(update={"attempts": (attempt,)})})


def test_calls_that_were_done_again_are_the_retries_of_the_sample(run: Run, tmp_path: Path) -> None:
    (call,) = run.calls["HumanEval/0"]
    once = to_log(run).stats.model_usage[call.model].total_tokens
    again = with_records(run, "superseded.jsonl", [paid_at(call, 5.0), paid_at(call, 6.0)])
    log = read(again, tmp_path / "logs")
    (retry,) = sample_of(log, "HumanEval/0").error_retries or []
    events = [event for event in retry.events or [] if isinstance(event, ModelEvent)]
    assert len({event.uuid for event in events}) == 2
    tokens = call.usage.prompt_tokens + call.usage.completion_tokens
    assert log.stats.model_usage[call.model].total_tokens == once + 2 * tokens


def test_a_call_that_a_kill_left_in_two_files_is_paid_once(run: Run, tmp_path: Path) -> None:
    once = to_log(run).stats
    again = with_records(run, "superseded.jsonl", run.calls["HumanEval/0"])
    assert read(again, tmp_path / "logs").stats == once


def test_hostile_text_comes_back_as_it_was(log: EvalLog) -> None:
    sample = sample_of(log, "HumanEval/1")
    assert HOSTILE in model_events(sample)[0].output.completion
    assert log.eval.viewer is not None
    assert log.eval.viewer.trust_content is False


def test_lone_surrogates_become_escapes(run: Run, tmp_path: Path) -> None:
    odd = "a\udc80b"
    call = run.records.calls[0]
    assert call.reply is not None
    changed = call.model_copy(
        update={
            "reply": call.reply.model_copy(update={"content": odd}),
            "request": call.request.model_copy(update={"messages": (Message(role="user", content="x"),)}),
            "value": Value(kind="answer", data={odd: [odd]}),
        }
    )
    samples = {task: each.model_copy(update={"solution": odd}) for task, each in run.records.samples.items()}
    records = held(run).model_copy(update={"calls": (changed, *run.records.calls[1:]), "samples": samples})
    sample = sample_of(read(Run(run.folder, records), tmp_path / "logs"), changed.task_id)
    (event,) = model_events(sample)
    assert event.output.completion == sample.output.completion == "a\\udc80b"
    assert (event.metadata or {})["value"]["data"] == {"a\\udc80b": ["a\\udc80b"]}


def test_the_same_run_gives_the_same_log_and_leaves_the_file_alone(run: Run, tmp_path: Path) -> None:
    path, state = write_log(run, tmp_path / "logs")
    before = path.stat()
    assert state == "written"
    assert write_log(run, tmp_path / "logs") == (path, "unchanged")
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert to_log(run).model_dump_json() == to_log(run).model_dump_json()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_ids_are_unique_in_a_log(log: EvalLog) -> None:
    samples = log.samples or []
    events = [event.uuid for sample in samples for event in sample.events]
    messages: list[Any] = [message.id for sample in samples for message in sample.messages]
    for ids in (events, messages, [sample.uuid for sample in samples]):
        assert len(set(ids)) == len(ids)


def test_an_edited_log_is_replaced_only_if_told(run: Run, tmp_path: Path) -> None:
    path, _ = write_log(run, tmp_path / "logs")
    longer = with_records(run, "verdicts.jsonl", list(run.records.verdicts.values())[:3])
    with pytest.raises(ConfigError, match="differs"):
        write_log(longer, tmp_path / "logs")
    assert sample_of(read_eval_log(str(path)), "HumanEval/4").error is None
    assert write_log(longer, tmp_path / "logs", replace=True)[1] == "replaced"
    assert sample_of(read_eval_log(str(path)), "HumanEval/4").error is not None
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file/.*cannot be written"):
        write_log(run, tmp_path / "file")


def test_an_id_that_is_a_path_stays_in_the_folder(run: Run, tmp_path: Path) -> None:
    manifest = run.records.manifest.model_copy(update={"id": "../../away"})
    elsewhere = Run(run.folder, held(run).model_copy(update={"manifest": manifest}))
    assert write_log(elsewhere, tmp_path / "logs")[0] == tmp_path / "logs" / "away.eval"
