"""What a server tells at /metrics, and what two readings say."""

import pytest

from dualcode.operating.gauges import _FIELDS as FIELDS  # pyright: ignore[reportPrivateUsage]
from dualcode.operating.gauges import Gauges, cache_facts, parse
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


def test_the_caches_facts_are_its_labels() -> None:
    assert cache_facts(metrics()) == {"block_size": "16", "engine": "0", "kv_cache_size_tokens": "46592"}
    assert cache_facts("") == {}


def test_every_gauge_that_is_read_has_a_name_that_vllm_has() -> None:
    names = {line.split()[0].removeprefix("vllm:") for line in RECORDED.read_text().splitlines()[1:]}
    unknown = FIELDS.keys() - names
    assert unknown == {"corrupted_requests_total"}  # vLLM has it with VLLM_COMPUTE_NANS_IN_LOGITS alone
    assert set(FIELDS.values()) <= Gauges.model_fields.keys()
