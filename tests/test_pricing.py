"""What an exchange cost: the server's own word, then the price table, else unknown, which is not 0."""

import json

import pytest

from dualcode.call import Call, Message, Reply, Request, Usage
from dualcode.config import Price
from dualcode.models.scripted import reply
from dualcode.models.stream import Stream
from dualcode.pricing import bill, charge
from dualcode.sampling import PAPER

TOKENS = Price(input_per_million=10.0, cached_input_per_million=1.0, output_per_million=20.0, currency="€")
HOUR = Price(gpu_hour=3.6)
USED = Usage(prompt_tokens=1_000_000, cached_tokens=900_000, completion_tokens=100_000)


def heard(**usage: object) -> Usage:
    """Return what a stream that ends with such a usage comes to."""
    stream = Stream()
    event = {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}
    stream.feed(f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode())
    stream.close()
    return stream.paid()


def call(usage: Usage, endpoint: str = "a", answer: Reply | None = None) -> Call:
    """Return a call that took these tokens, one second long."""
    said = answer or reply("x")
    attempt = said.attempts[0].model_copy(update={"usage": usage, "seconds": 1.0})
    request = Request(messages=(Message(role="user", content="?"),), sampling=PAPER.plain, answer_tokens=1)
    return Call(
        task_id="t", number=1, step="s", role="r", endpoint=endpoint, model="m", request=request,
        reply=said.model_copy(update={"attempts": (attempt,), "usage": usage}),
    )  # fmt: skip


def test_the_server_s_own_word_wins_over_the_price_table() -> None:
    paid = charge(TOKENS, USED.model_copy(update={"cost": 0.25}), 1.0)
    assert paid is not None
    assert (paid.amount, paid.currency, paid.source) == (0.25, "$", "provider")


def test_cached_tokens_have_their_own_rate() -> None:
    paid = charge(TOKENS, USED, 1.0)
    assert paid is not None
    assert (paid.amount, paid.currency, paid.source) == (pytest.approx(1.0 + 0.9 + 2.0), "€", "tokens")


def test_a_gpu_is_paid_by_its_time_whatever_the_tokens() -> None:
    paid = charge(HOUR, Usage(untold=1), 1000.0)
    assert paid is not None
    assert (paid.amount, paid.source) == (pytest.approx(1.0), "gpu")


@pytest.mark.parametrize(("price", "usage"), [(None, USED), (TOKENS, Usage(untold=1))])
def test_what_nobody_knows_is_unknown_and_not_free(price: Price | None, usage: Usage) -> None:
    assert charge(price, usage, 1.0) is None


@pytest.mark.parametrize(
    ("first", "second", "cost"),
    [
        (Usage(prompt_tokens=1, cost=0.5), Usage(prompt_tokens=1, cost=0.25), 0.75),
        (Usage(prompt_tokens=1, cost=0.5), Usage(prompt_tokens=1), None),
        (Usage(prompt_tokens=1, cost=0.5), Usage(untold=1), None),
        (Usage(prompt_tokens=1, cost=0.5), Usage(), 0.5),  # a request that nothing came of
        (Usage(prompt_tokens=1, cost=0.0), Usage(), 0.0),
        (Usage(), Usage(), None),
    ],
)
def test_a_sum_s_cost_is_known_only_if_all_of_it_is(first: Usage, second: Usage, cost: float | None) -> None:
    assert (first + second).cost == (second + first).cost == cost


@pytest.mark.parametrize(
    ("told", "cost"),
    [
        ({"cost": 0.0125}, 0.0125),
        ({"cost": 0}, 0.0),
        ({}, None),
        ({"cost": None}, None),
        ({"cost": "0.1"}, None),
        ({"cost": True}, None),
        ({"cost": -1}, None),
        ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}}, 0.51),
        ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None),
    ],
)
def test_what_a_stream_tells_of_its_cost(told: dict[str, object], cost: float | None) -> None:
    usage = heard(prompt_tokens=3, completion_tokens=1, **told)
    assert (usage.cost, usage.untold) == (cost, 0)


def test_a_cost_that_is_untold_stands_on_no_record() -> None:
    assert "cost" not in Usage().model_dump()
    assert Usage.model_validate_json(Usage(cost=0.5).to_line()).cost == 0.5


def test_a_bill_adds_by_currency_and_names_the_least_certain_source() -> None:
    calls = [call(USED), call(USED.model_copy(update={"cost": 0.5})), call(USED, "gpu")]
    money, source = bill(calls, {"a": TOKENS, "gpu": HOUR})
    assert money == {"€": pytest.approx(3.9), "$": pytest.approx(0.501)}
    assert source == "gpu"


def test_one_call_of_unknown_cost_makes_the_bill_unknown() -> None:
    assert bill([call(USED), call(USED, "unpriced")], {"a": TOKENS}) == (None, "unknown")
    assert bill([call(USED, "unpriced").model_copy(update={"reply": None})], {}) == ({}, "unknown")
