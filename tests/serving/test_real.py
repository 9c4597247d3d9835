"""The real pair: vLLM with the small model, as the profile `cpu` starts it."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from dualcode.serving import processes
from dualcode.serving.pair import status
from dualcode.serving.running import RunningPair, running
from tests.servers import in_four_bits

pytestmark = pytest.mark.servers

QUESTION = "Is `def add(a, b): return a - b` a correct function for addition? Explain in two sentences."
SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"enum": ["approve", "reject"]}, "why": {"type": "string", "maxLength": 40}},
    "required": ["verdict", "why"],
    "additionalProperties": False,
}


def ask(pair: RunningPair, *, thinking: bool, server: str = "reviewer", **more: Any) -> dict[str, Any]:
    """Return the one choice of a greedy chat completion."""
    body = {
        "model": pair[server].model,
        "messages": [{"role": "user", "content": QUESTION}],
        "temperature": 0,
        "max_tokens": 48,
        "chat_template_kwargs": {"enable_thinking": thinking},
        **more,
    }
    reply = httpx.post(f"{pair[server].base_url}/chat/completions", json=body, timeout=120, trust_env=False)
    assert reply.status_code == 200, reply.text
    return reply.json()["choices"][0]


def schema_format() -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "review", "schema": SCHEMA, "strict": True}}


def test_the_coder_is_served_from_awq_or_both_in_float32_where_this_cpu_has_no_kernel(
    servers: RunningPair,
) -> None:
    forms, logs = zip(
        *((Path(each.weights).name, each.log.read_text()) for each in servers.servers), strict=True
    )
    if in_four_bits():
        assert forms[0].startswith("smollm2-awq")
        assert re.search("quantization=(auto_)?awq", logs[0])
    else:
        assert all(form.startswith("smollm2-bf16") for form in forms)
        assert all("dtype=torch.float32" in log for log in logs)


def test_the_checkpoint_tells_what_it_lost(servers: RunningPair) -> None:
    if not in_four_bits():
        pytest.skip("no 4-bit checkpoint is served: vLLM has no kernel for it on this CPU")
    report = json.loads((Path(servers["coder"].weights) / "checkpoint.json").read_text())
    assert report["group"] == 32
    assert len(report["layer_errors"]) == 210
    assert report["layer_error_mean"] < 0.05
    assert report["divergence"] < 0.25


def test_the_coder_writes_a_function(servers: RunningPair) -> None:
    messages = [{"role": "user", "content": "Write a Python function add(a, b) that returns the sum."}]
    assert "def add" in ask(servers, thinking=False, server="coder", messages=messages)["message"]["content"]


def test_both_are_healthy_on_this_machine_only(servers: RunningPair) -> None:
    state = servers["coder"].log.parents[1]
    assert running(state) == servers
    assert [each.health for each in status(state)] == ["healthy", "healthy"]
    assert {each.max_model_len for each in status(state)} == {4096}
    for server in servers.servers:
        for process in processes.members(server):
            listening = [each.laddr[0] for each in process.net_connections("inet") if each.status == "LISTEN"]
            assert set(listening) <= {"127.0.0.1"}


def test_each_server_keeps_to_its_cores(servers: RunningPair) -> None:
    for server in servers.servers:
        assert server.cores
        for process in processes.members(server):
            assert set(process.cpu_affinity() or []) <= set(server.cores)


def test_without_thinking_all_is_content(servers: RunningPair) -> None:
    choice = ask(servers, thinking=False)
    assert choice["message"]["content"].strip()
    assert choice["message"]["reasoning"] is None


def test_a_spent_budget_closes_the_thought_and_an_answer_follows(servers: RunningPair) -> None:
    message = ask(servers, thinking=True, thinking_token_budget=12)["message"]
    assert message["reasoning"].strip()
    assert message["content"].strip()
    assert "think>" not in message["reasoning"] + message["content"]


def test_running_out_of_tokens_while_thinking_leaves_null_content(servers: RunningPair) -> None:
    choice = ask(servers, thinking=True, max_tokens=8)
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"] is None
    assert choice["message"]["reasoning"]


@pytest.mark.parametrize("thinking", [False, True])
def test_a_schema_holds_with_and_without_a_thought(servers: RunningPair, thinking: bool) -> None:
    more: dict[str, Any] = {"response_format": schema_format(), "max_tokens": 120}
    more |= {"thinking_token_budget": 12} if thinking else {}
    message = ask(servers, thinking=thinking, **more)["message"]
    assert set(json.loads(message["content"])) == {"verdict", "why"}
    assert bool(message["reasoning"]) == thinking


def test_a_thought_can_be_closed_by_token_ids(servers: RunningPair) -> None:
    """A prompt of token ids through /v1/completions brings a thought without an answer to its end."""
    server = servers["reviewer"]
    with httpx.Client(timeout=120, trust_env=False) as client:
        body = {"model": server.model, "messages": [{"role": "user", "content": QUESTION}]}
        thinking = {"add_generation_prompt": True, "chat_template_kwargs": {"enable_thinking": True}}
        prompt = client.post(f"{server.root_url}/tokenize", json=body | thinking).json()["tokens"]
        text = {"model": server.model, "prompt": "It subtracts.\n</think>\n\n", "add_special_tokens": False}
        close = client.post(f"{server.root_url}/tokenize", json=text).json()["tokens"]
        ask_on = {"model": server.model, "prompt": prompt + close, "max_tokens": 16, "temperature": 0}
        reply = client.post(f"{server.base_url}/completions", json=ask_on).json()
    assert reply["choices"][0]["text"].strip()
