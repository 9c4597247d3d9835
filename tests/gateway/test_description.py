"""The OpenAPI description: whatever schemathesis makes of it is answered as it says."""

import contextlib
import threading
import time
from collections.abc import Generator
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings

from dualcode.bench.bench import ScriptedBench
from dualcode.config import Endpoint, TeamConfig
from dualcode.gateway.app import build
from dualcode.gateway.catalogue import Catalogue
from dualcode.gateway.protocol import describe
from dualcode.gateway.raw import Alone
from dualcode.gateway.service import Gateway, Settings
from dualcode.gateway.serving import bound
from dualcode.models.scripted import ScriptedChat
from dualcode.pipelines import builtins
from dualcode.sampling import PAPER
from dualcode.team import Seat, Team
from tests.gateway.upstream import APPROVAL

schemathesis: Any = pytest.importorskip("schemathesis", reason="pip install 'dualcode[dev]'")
SCHEMA = schemathesis.openapi.from_dict(describe())
UNHURRIED = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
CHECKS = [
    schemathesis.checks.CHECKS.get_one(name)
    for name in ("response_schema_conformance", "status_code_conformance", "content_type_conformance")
]


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    """A gateway over scripted models; the model alone is a server that is not there."""
    endpoint = Endpoint(model="m", base_url="http://127.0.0.1:9/v1", silence_seconds=5)
    config = TeamConfig(endpoints={"e": endpoint}, roles={"coder": "e", "reviewer": "e"})
    chat = ScriptedChat(lambda asked: APPROVAL if asked.json_schema else "```python\nx = 1\n```")
    made = Gateway(
        config,
        Team({role: Seat(role, chat, PAPER, 2048) for role in config.roles}),
        Catalogue(config, {}, list(builtins().values())),
        {"e": Alone("e", endpoint, api_key=None)},
        Settings(),
        bench=ScriptedBench(),
    )
    server = uvicorn.Server(uvicorn.Config(build(made), log_level="critical", timeout_graceful_shutdown=1))
    server.capture_signals = contextlib.nullcontext  # pyright: ignore[reportAttributeAccessIssue]
    with bound("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started and thread.is_alive():  # bound is not yet listened on
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_what_is_described_is_what_is_answered(url: str, mode: str) -> None:
    """The cases are made here: `SCHEMA.parametrize` makes them in each process that collects the tests."""
    for found in SCHEMA.get_all_operations():
        operation = found.ok()
        if mode == "positive" or operation.body:  # nothing else of ours can be asked wrongly

            @settings(max_examples=30, suppress_health_check=UNHURRIED)
            @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
            def answered(case: Any) -> None:
                sent: Any = case.body
                if isinstance(sent, dict) and "model" in sent:
                    sent["model"] = "dualcode/review-fix"  # a random name is never found
                case.validate_response(case.call(base_url=url), checks=CHECKS)

            answered()


def test_every_route_of_the_protocol_is_described(url: str) -> None:
    told = httpx.get(f"{url}/openapi.json", verify=False).json()
    assert told == describe()
    for path, methods in told["paths"].items():
        for method in ("get", "post"):
            found = httpx.request(method, url + path.replace("{name}", "review-fix"), json={}, verify=False)
            assert (found.status_code == 405) == (method not in methods), (method, path)
