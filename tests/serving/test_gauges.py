"""What a server tells at /metrics, and what two readings say."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.serving.gauges import _FIELDS as FIELDS  # pyright: ignore[reportPrivateUsage]
from dualcode.serving.gauges import _FORMER as FORMER_NAMES  # pyright: ignore[reportPrivateUsage]
from dualcode.serving.gauges import Gauges, parse
from tests.operating.pages import RECORDED, metrics


def read(page: str, at: float = 0.0) -> Gauges:
    found = parse(page, at)
    assert found is not None
    return found


def test_a_page_of_vllm_is_read_and_any_other_is_none() -> None:
    found = read(metrics(running=3, waiting=2, kv=0.25, written=100, read=50, queries=40, hits=10))
    assert (found.running, found.waiting, found.kv_cache, found.generation_tokens) == (3, 2, 0.25, 100)
    assert (found.prefix_share, found.rejections, found.corrupted) == (0.25, 0, None)
    assert parse("# nothing\nllamacpp:tokens 3\n", 0.0) is None
    assert parse("<html>", 0.0) is None


def test_engines_and_reasons_add_up_and_the_fullest_cache_counts() -> None:
    page = metrics(running=1, kv=0.5) + metrics(running=2, kv=0.75).replace('engine="0"', 'engine="1"')
    page += 'vllm:admission_rejections_total{reason="x"} 4\n'
    found = read(page)
    assert (found.running, found.kv_cache, found.rejections) == (3, 0.75, 4)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "many"])
def test_what_is_no_number_is_passed_over(value: str) -> None:
    assert read(f"vllm:num_requests_waiting 1\nvllm:num_requests_running {value}\n").running is None


def test_rates_are_those_between_two_readings() -> None:
    before, after = (
        read(metrics(written=100, preempted=1), 10.0),
        read(metrics(written=300, preempted=1), 14.0),
    )
    rates = after.since(before)
    assert (rates["tokens_per_second"], rates["preemptions_per_second"]) == (50.0, 0.0)
    assert rates["corrupted"] is None


def test_a_server_that_was_started_anew_has_no_rate_yet() -> None:
    assert read(metrics(written=5), 20.0).since(read(metrics(written=900), 10.0))["tokens_per_second"] is None
    assert read(metrics(), 10.0).since(read(metrics(), 10.0))["tokens_per_second"] is None


def test_every_gauge_that_is_read_has_a_name_that_vllm_has() -> None:
    names = {line.split()[0].removeprefix("vllm:") for line in RECORDED.read_text().splitlines()[1:]}
    unknown = FIELDS.keys() - names
    assert unknown == {"corrupted_requests_total"}  # vLLM has it with VLLM_COMPUTE_NANS_IN_LOGITS alone
    assert set(FIELDS.values()) <= Gauges.model_fields.keys()


def test_a_cache_that_never_had_what_was_looked_for_has_a_share_of_nothing() -> None:
    assert read(metrics(queries=40, hits=0)).prefix_share == 0.0
    assert read(metrics(queries=0, hits=0)).prefix_share is None  # nobody asked: nothing is known


FORMER = """\
vllm:num_requests_running{model_name="m"} 1.0
vllm:gpu_cache_usage_perc{model_name="m"} 0.25
vllm:gpu_prefix_cache_queries_total{model_name="m"} 80.0
vllm:gpu_prefix_cache_hits_total{model_name="m"} 20.0
"""


def test_names_of_older_servers_count_and_of_both_the_newer() -> None:
    """vLLM up to 0.9 has the former names alone, 0.10 tells each cache under both."""
    old = read(FORMER)
    assert (old.running, old.kv_cache, old.prefix_share) == (1, 0.25, 0.25)
    newer = FORMER.replace("vllm:gpu_cache", "vllm:kv_cache").replace("gpu_prefix", "prefix")
    both = read(FORMER + newer.replace("0.25", "0.5").replace("80.0", "100.0"))
    assert (both.kv_cache, both.prefix_queries, both.prefix_hits) == (0.5, 100, 20)


OTHERS = {
    "SGLang": 'sglang:num_running_reqs{model_name="m"} 2.0\nsglang:token_usage{model_name="m"} 0.3\n',
    "llama.cpp": "llamacpp:requests_processing 1\nllamacpp:kv_cache_usage_ratio 0.5\n",
    "TGI": "tgi_batch_current_size 3\ntgi_queue_size 1\n",
    "Ray's prefix": 'ray_vllm:num_requests_running{model_name="m"} 2.0\n',
    "a comment": "# vllm:num_requests_running 3\n",
    "a name that goes on": "vllm:num_requests_running_total 3\n",
    "no value": "vllm:num_requests_running\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_other_servers_tell_is_not_taken_for_vllms(name: str) -> None:
    assert parse(OTHERS[name], 0.0) is None


@pytest.mark.parametrize(
    "line",
    [
        "vllm:num_requests_running 3",
        "vllm:num_requests_running{} 3.0",
        "vllm:num_requests_running{} 3.0 1764000000000",
        "vllm:num_requests_running\t3e0\r",
        'vllm:num_requests_running{model_name="a } b 7",path="C:\\\\x\\"y"} 3',
        'vllm:num_requests_running{model_name="Qwen/Qwen3-32B-AWQ \U0001f600"} 3',
    ],
)
def test_a_line_is_read_in_every_form_that_prometheus_allows(line: str) -> None:
    assert read(f"# HELP x y\n{line}\n").running == 3
    assert read(line).running == 3  # at the end of a page that was cut off


LABELS = st.sampled_from(["", "{}", '{engine="0"}', '{a="}"}', '{a="', "{", "\x00"])
VALUES = st.one_of(st.floats(-1e300, 1e300).map(repr), st.text(max_size=6), st.just("NaN"), st.just("-Inf"))
LINES = st.builds("vllm:{}{} {}".format, st.sampled_from([*FIELDS, *FORMER_NAMES, "other"]), LABELS, VALUES)


@settings(deadline=None, max_examples=60)
@given(st.lists(LINES, max_size=8), st.sampled_from(["\n", "\r\n", "\r", " \n"]))
def test_no_page_whatever_breaks_the_reader(lines: list[str], end: str) -> None:
    found = parse(end.join(lines), 1.0)
    for value in found.model_dump().values() if found else ():
        assert value is None or math.isfinite(value)


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(0, 1e6))
def test_a_rate_is_never_negative_and_unknown_without_time(then: float, now: float, span: float) -> None:
    before, after = Gauges(at=5.0, preemptions=then), Gauges(at=5.0 + span, preemptions=now)
    rate = after.since(before)["preemptions_per_second"]
    assert (rate is None) == (now < then or after.at == before.at)
    assert rate is None or rate >= 0
    assert after.since(Gauges(at=0.0))["preemptions_per_second"] is None
