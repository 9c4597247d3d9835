"""What a study will take: pure arithmetic over rehearsals and measured calls."""

import pytest

from dualcode.config import Endpoint, Price, TeamConfig
from dualcode.study.forecast import SHORTEST, Forecast, Plan, Range, forecast
from dualcode.study.known import Known
from dualcode.study.rehearsal import Asked, Rehearsal


def team(price: Price | None = None) -> TeamConfig:
    endpoint = Endpoint(model="m", base_url="http://127.0.0.1:9/v1", price=price)
    return TeamConfig(
        endpoints={"coder": endpoint, "reviewer": endpoint},
        roles={"coder": "coder", "reviewer": "reviewer"},
    )


def asked(step: str, endpoint: str = "coder", key: str = "") -> Asked:
    return Asked(step=step, endpoint=endpoint, key=key or step, prompt_characters=350, most_tokens=500)


WRITE, REVIEW, FIX = asked("write"), asked("review", "reviewer"), asked("fix")
RAW = Rehearsal(pipeline="raw-coder", least=(WRITE,), most=(WRITE,))
REVIEWED = Rehearsal(pipeline="review-fix", least=(WRITE, REVIEW), most=(WRITE, REVIEW, FIX))


def plan(rehearsal: Rehearsal, tasks: int = 10, dataset: str = "mini") -> Plan:
    return Plan(dataset, rehearsal.pipeline, tasks, 10, rehearsal)


def measured() -> Known:
    known = Known()
    known.tokens["coder", "write"] += [(100, 80), (120, 120)]
    known.tokens["reviewer", "review"] += [(200, 50)]
    known.made |= {"coder": 1000, "reviewer": 1000}
    known.spans |= {"coder": [(0.0, 10.0)], "reviewer": [(0.0, 20.0)]}
    return known


def only(found: Forecast) -> Range:
    assert found.seconds is not None
    return found.seconds


def test_the_least_is_an_approved_draft_and_the_most_the_longest_branch() -> None:
    found = forecast([plan(REVIEWED)], team(), Known())
    assert found.calls == Range(least=20, most=30)


def test_a_draft_that_an_earlier_run_made_is_free_with_the_ledger_only() -> None:
    both = [plan(RAW), plan(REVIEWED)]
    assert forecast(both, team(), Known()).calls == Range(least=20, most=30)
    assert forecast(both, team(), Known(), ledger=False).calls == Range(least=30, most=40)


def test_suites_share_nothing() -> None:
    apart = [plan(RAW), plan(RAW, dataset="other")]
    assert forecast(apart, team(), Known()).calls == Range(least=20, most=20)


def test_tokens_are_those_of_earlier_calls_where_there_are_any() -> None:
    prompt, completion = forecast([plan(RAW)], team(), measured()).tokens()["coder"]
    assert (prompt.least, completion.most) == (10 * 110, 10 * 100)


def test_a_step_never_asked_counts_from_a_short_answer_to_its_limit() -> None:
    prompt, completion = forecast([plan(RAW)], team(), Known()).tokens()["coder"]
    assert completion == Range(least=10 * SHORTEST, most=10 * 500)
    assert prompt.least == pytest.approx(10 * 350 / 3.5)


def test_time_is_from_the_busier_server_to_both_one_after_the_other() -> None:
    found = forecast([plan(REVIEWED)], team(), measured())
    # coder: 10 drafts of 100 tokens at 100 a second, at most 10 fixes of 500 more; reviewer: 500 tokens at 50
    assert only(found) == Range(least=10.0, most=10.0 + 50.0 + 10.0)


def test_time_is_unknown_where_a_servers_speed_is() -> None:
    known = measured()
    del known.spans["reviewer"]
    found = forecast([plan(RAW), plan(REVIEWED)], team(Price(gpu_hour=1.0)), known)
    assert found.rows[0].seconds is not None
    assert found.seconds is None


def test_a_gpu_price_counts_both_servers_for_the_whole_time() -> None:
    found = forecast([plan(REVIEWED)], team(Price(gpu_hour=3600.0)), measured())
    assert found.money["$"].least == pytest.approx(2 * 10.0)


def test_a_token_price_counts_tokens() -> None:
    found = forecast([plan(RAW)], team(Price(input_per_million=1e6, output_per_million=2e6)), measured())
    assert found.money["$"].least == pytest.approx(1100 + 2 * 1000)


def test_tasks_that_are_done_cost_nothing() -> None:
    assert forecast([plan(RAW, tasks=0)], team(), measured()).calls == Range(least=0, most=0)
