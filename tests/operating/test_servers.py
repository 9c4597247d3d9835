"""What the doctor finds of scripted servers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dualcode.config import TeamConfig
from dualcode.models.capabilities import Capabilities
from dualcode.models.endpoints import Served
from dualcode.operating import servers
from dualcode.operating.check import Check
from tests.dialects import DIALECTS
from tests.fake_server import Answer, FakeServer, serve
from tests.operating.pages import metrics


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(servers, "BETWEEN", 0.01)


def team(server: FakeServer, **endpoint: Any) -> TeamConfig:
    settings = {"model": "m", "base_url": server.base_url, "attempts": 1, "concurrency": 4} | endpoint
    return TeamConfig.model_validate({"endpoints": {"e": settings}, "roles": {"coder": "e"}})


async def look(config: TeamConfig, *, load: bool = True) -> dict[str, Check]:
    return {
        each.about.removeprefix("server e: "): each async for each in servers.look(config, "e", load=load)
    }


def cached(tokens: int) -> dict[str, Any]:
    return {"prompt_tokens": 900, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": tokens}}


def of_long_questions(server: FakeServer, *usages: Any) -> None:
    """Let the server tell these usages of the long question, one after the other."""
    told = iter(usages)

    def respond(body: dict[str, Any]) -> Answer:
        long = "Keep rule 1 of" in body["messages"][-1]["content"]
        return Answer(usage=next(told)) if long else Answer()

    server.respond = respond


async def test_a_server_that_is_well_passes_in_every_line() -> None:
    with serve() as server:
        server.pages["/metrics"] = metrics(queries=10, hits=5)
        server.outside = False
        of_long_questions(server, cached(0), cached(896))
        found = await look(team(server))
    speed = found.pop("speed")  # how fast a scripted server is depends on the machine
    assert speed.status in ("pass", "warn") and "with 4 requests at once" in speed.found
    assert {about: each.status for about, each in found.items()} == dict.fromkeys(
        ["server e", "can", "prefix cache", "drift", "metrics"], "pass"
    )
    assert found["prefix cache"].found.startswith("896 of 900 prompt tokens")
    assert "50% of prompt tokens found in the prefix cache" in found["metrics"].found


async def test_without_load_no_server_is_asked_for_a_token() -> None:
    with serve() as server:
        found = await look(team(server), load=False)
        assert (server.requests, server.asked) == ([], [])
    assert (found["server e"].status, found["can"].status) == ("pass", "skip")
    assert found["metrics"].found == "none of vLLM's at /metrics"


async def test_what_was_asked_before_is_told_without_load() -> None:
    with serve() as server:
        server.refuse = DIALECTS["Mistral"].refuse
        await look(team(server))
        found = await look(team(server), load=False)
    assert "left out: continuous_usage_stats, min_p" in found["can"].found


async def test_a_server_that_is_not_there_is_one_line_with_its_remedy() -> None:
    with serve() as server:
        config = team(server)
    found = await look(config)
    assert list(found) == ["server e"]
    assert (found["server e"].status, "found no server" in found["server e"].found) == ("fail", True)
    assert "scripts/serve.sh start" in found["server e"].remedy


@pytest.mark.parametrize(("variable", "held"), [("VLLM_API_KEY", "a\nb"), ("VLLM_API_KEY", "schlüssel")])
async def test_a_key_that_cannot_be_sent_is_named_and_not_shown(
    variable: str, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, held)
    with serve() as server:
        found = await look(team(server))
    assert (found["server e"].status, f"${variable}" in found["server e"].found) == ("fail", True)
    assert held not in found["server e"].found


async def test_a_proxy_that_cannot_work_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:eighty")
    with serve() as server:
        found = await look(team(server, base_url="https://far.invalid/v1"))
    assert "HTTPS_PROXY" in found["server e"].found
    assert "unset HTTPS_PROXY" in found["server e"].remedy


async def test_an_engine_that_hangs_while_its_api_answers_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "DEADLINE", 0.2)
    with serve(Answer(hang=3.0, reasoning=None)) as server:
        server.outside = False
        found = await look(team(server))
    assert found["engine"].status == "fail"
    assert found["engine"].found.endswith("while its API answers: the engine hangs")


async def test_a_server_that_refuses_what_the_team_sends_fails_with_the_line_to_change() -> None:
    with serve() as server:
        server.refuse = DIALECTS["OpenAI"].refuse
        config = team(server).model_dump() | {"sampling": {"profile": "recommended"}}
        found = await look(TeamConfig.model_validate(config))
    assert (found["can"].status, "top_k = 0" in found["can"].remedy) == ("fail", True)


async def test_a_cache_that_is_not_told_of_is_a_warning_with_the_flag() -> None:
    with serve() as server:
        of_long_questions(server, cached(0), cached(0))
        found = await look(team(server))
    assert (found["prefix cache"].status, "enable-prompt-tokens-details" in found["prefix cache"].remedy) == (
        "warn",
        True,
    )


async def test_a_server_that_tells_no_tokens_has_no_speed_and_no_guess() -> None:
    with serve(Answer(usage=None)) as server:
        server.outside = False
        found = await look(team(server))
    assert (found["speed"].status, found["prefix cache"].status) == ("skip", "skip")


async def test_a_batch_that_changes_words_is_drift() -> None:
    counts: Iterator[int] = iter(range(1000))

    def respond(body: dict[str, Any]) -> Answer:
        return Answer(content=f"{next(counts)}" if "adds 0 to" in body["messages"][-1]["content"] else "same")

    with serve() as server:
        server.respond = respond
        found = await look(team(server))
    assert found["drift"].found == "2 of 3 greedy replies are the same alone and in a batch of 4"
    assert found["drift"].status == "warn"


async def test_failures_that_the_metrics_show_are_told_with_what_to_do() -> None:
    with serve() as server:
        server.pages["/metrics"] = metrics(waiting=5, written=100)
        found = await look(team(server), load=False)
    assert found["metrics"].status == "fail"
    assert found["metrics"].found.startswith("engine hangs: requests wait, none runs")
    assert "restart" in found["metrics"].remedy


async def test_two_endpoints_are_looked_at_each_by_its_own_roles() -> None:
    with serve() as one, serve() as two:
        config = TeamConfig.model_validate(
            {
                "endpoints": {
                    "a": {"model": "m", "base_url": one.base_url},
                    "b": {"model": "m", "base_url": two.base_url},
                },
                "roles": {"coder": "a", "reviewer": "b"},
            }
        )

        async def one_of(name: str) -> list[Check]:
            return [each async for each in servers.look(config, name, load=False)]

        first, second = await asyncio.gather(one_of("a"), one_of("b"))
    assert [each[0].about for each in (first, second)] == ["server a", "server b"]


@pytest.mark.parametrize(
    ("found", "left_out", "status", "told"),
    [
        ({}, (), "warn", "structured answers: json_schema; takes all that is sent"),
        ({"usage": True}, (), "pass", "takes all that is sent; tells its tokens"),
        (
            {"usage": True, "refused": ("json_schema",)},
            ("json_schema",),
            "warn",
            "json_object; takes all that",
        ),
        ({"usage": True, "refused": ("min_p",)}, ("min_p",), "pass", "left out: min_p"),
        ({"usage": True, "budget_kept": False}, (), "pass", "thinks beyond its budget"),
        ({"usage": True, "budget_kept": True}, (), "pass", "keeps the thinking budget"),
        ({"usage": True, "thoughts": "in the answer"}, (), "warn", "thoughts: in the answer"),
        ({"usage": True, "ignored": ("top_k",)}, (), "pass", "ignores top_k"),
        ({"usage": True, "given": ("usage",)}, (), "pass", "given by the team's file: usage"),
    ],
)
def test_what_a_server_can_do_is_one_line_and_what_one_must_know_its_remedy(
    found: dict[str, Any], left_out: tuple[str, ...], status: str, told: str
) -> None:
    endpoint = {"model": "m", "base_url": "http://x/v1"}
    config = TeamConfig.model_validate({"endpoints": {"e": endpoint}, "roles": {"coder": "e"}})
    served = Served(model="m", left_out=left_out, can=Capabilities.model_validate({"usage": False} | found))
    line = servers.abilities(config, "e", ["coder"], served)
    assert (line.about, line.status, told in line.found) == ("server e: can", status, True), line
    assert bool(line.remedy) == (status == "warn")
