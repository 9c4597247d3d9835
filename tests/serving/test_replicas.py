"""Replicas of a model behind a router: what is started, where requests go, and what is read of them."""

import asyncio
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dualcode.call import Message, Request
from dualcode.config import Endpoint
from dualcode.errors import ProfileError, ServingError
from dualcode.models.chat import Meter
from dualcode.models.openai import SESSION, OpenAIChat, session_of
from dualcode.runs.monitor import GpuMeter, Monitor, Reading, Source, sources
from dualcode.sampling import Sampling
from dualcode.serving import launch, processes
from dualcode.serving.hardware import ServedHardware, hardware_of
from dualcode.serving.pair import start, status
from dualcode.serving.profiles import load
from dualcode.serving.running import RunningPair
from tests.fake_server import serve
from tests.serving.conftest import MakeProfile


def quiet(_line: str) -> None:
    """Say nothing."""


@pytest.fixture(autouse=True)
def fake_router(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that passes for vllm-router."""
    import sys

    program = tmp_path / "router"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("fake_router.py")} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv(launch.ROUTER, str(program))
    return program


@pytest.fixture
def two(make_profile: MakeProfile, vllm: Path, state: Path) -> RunningPair:
    """A coder of two replicas, and a reviewer."""
    profile = Path(make_profile(coder={}, reviewer={}))
    team = profile / "team.toml"
    team.write_text(team.read_text().replace('"coder.yaml"', '"coder.yaml"\nreplicas = 2'))
    return start(f"{profile}/", state=state, python=vllm, say=quiet)


def test_replicas_stand_behind_a_router_at_the_profiles_port(two: RunningPair, state: Path) -> None:
    assert {each.name: each.kind for each in two.servers} == {
        "coder-1": "replica", "coder-2": "replica", "coder": "router", "reviewer": "server",
    }  # fmt: skip
    assert set(two.base_urls()) == {"coder", "reviewer"}
    assert [each.name for each in two.behind(two["coder"])] == ["coder-1", "coder-2"]
    assert two.behind(two["reviewer"]) == (two["reviewer"],)
    assert {each.health for each in status(state)} == {"healthy"}


def test_the_router_neither_retries_nor_queues_and_keeps_a_session_together(two: RunningPair) -> None:
    told = two["coder"].log.read_text()
    for words in (
        "'--disable-retries'",
        "'--disable-circuit-breaker'",
        "'sticky_least_loaded'",
        "'--queue-size', '0'",
    ):
        assert words in told
    for replica in two.behind(two["coder"]):
        assert replica.root_url in told


def test_a_lost_replica_starts_again_where_its_router_looks_for_it(
    two: RunningPair, vllm: Path, state: Path
) -> None:
    processes.end([two["coder-2"]], patience=0)
    again = start(str(two.team_file.parent) + "/", state=state, python=vllm, say=quiet)
    assert again["coder-2"].base_url == two["coder-2"].base_url
    assert again["coder-2"].pid != two["coder-2"].pid
    assert (again["coder"], again["coder-1"]) == (two["coder"], two["coder-1"])


def test_replicas_divide_gpus_and_refuse_what_does_not_divide(tmp_path: Path) -> None:
    def profile(replicas: int, devices: str) -> str:
        (tmp_path / "coder.yaml").write_text("model: org/m\n")
        env = f'[servers.coder.env]\nCUDA_VISIBLE_DEVICES = "{devices}"\n'
        head = f'[servers.coder]\nconfig = "coder.yaml"\nreplicas = {replicas}\n'
        (tmp_path / "team.toml").write_text(head + env)
        return f"{tmp_path}/"

    assert load(profile(2, "0,1,2,3")).servers[0].devices == ["0,1", "2,3"]
    assert load(profile(2, "0, 5")).servers[0].devices == ["0", "5"]
    with pytest.raises(ProfileError, match="3 replicas cannot share 4 GPUs evenly"):
        load(profile(3, "0,1,2,3"))
    with pytest.raises(ProfileError, match="no replicas and no workers"):
        load(profile(0, "0"))


def routed_to(make_profile: MakeProfile, *workers: str) -> str:
    profile = Path(make_profile(coder={}))
    team = profile / "team.toml"
    lines = f'"coder.yaml"\nreplicas = 0\nworkers = {json.dumps(workers)}'
    team.write_text(team.read_text().replace('"coder.yaml"', lines))
    return f"{profile}/"


def test_servers_of_other_machines_stand_behind_the_router_too(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    with served_model("model-coder") as first, served_model("model-coder") as second:
        pair = start(routed_to(make_profile, first, f"{second}/v1"), state=state, python=vllm, say=quiet)
        assert [each.kind for each in pair.servers] == ["router"]


def test_replicas_of_different_models_are_refused_before_anything_starts(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    with (
        served_model("model-coder") as first,
        served_model("another") as second,
        pytest.raises(ProfileError, match="different models: the profile says model-coder, .* another"),
    ):
        start(routed_to(make_profile, first, second), state=state, python=vllm, say=quiet)
    assert status(state) == []


def test_a_worker_that_does_not_answer_is_named(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    with pytest.raises(ServingError, match="worker http://127.0.0.1:9 does not answer"):
        start(routed_to(make_profile, "http://127.0.0.1:9"), state=state, python=vllm, say=quiet)


def test_without_a_router_the_way_to_one_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(launch.ROUTER, str(tmp_path / "none"))
    with pytest.raises(ServingError, match="names no program"):
        launch.find_router()
    monkeypatch.delenv(launch.ROUTER)
    monkeypatch.setattr(launch, "CHECKOUT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServingError, match="replicas need vllm-router") as caught:
        launch.find_router()
    assert caught.value.hint == "scripts/setup.sh router"


def said(*contents: str) -> Request:
    roles = ("user", "assistant", "user", "assistant")
    messages = tuple(Message(role=role, content=text) for role, text in zip(roles, contents, strict=False))
    return Request(messages=messages, sampling=Sampling(), answer_tokens=9)


def test_a_fix_has_its_drafts_session_and_another_task_has_not() -> None:
    draft = session_of(said("write f"))
    assert session_of(said("write f", "the draft", "the review")) == draft
    assert session_of(said("write g")) != draft


async def test_the_session_goes_with_every_request() -> None:
    with serve() as server:
        chat = OpenAIChat("coder", Endpoint(model="m", base_url=server.base_url))
        request = said("write f")
        await chat.complete(request)
        await chat.close()
    found = {name.lower(): value for name, value in server.headers[-1].items()}
    assert found[SESSION.lower()] == session_of(request)


METRICS = (
    "vllm:num_requests_running{{}} {0}\nvllm:generation_tokens_total {0}\nvllm:kv_cache_usage_perc 0.{0}\n"
)


@contextmanager
def answering(pages: dict[str, str]) -> Generator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in pages else 404)
            self.end_headers()
            self.wfile.write(pages.get(self.path, "").encode())

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def served_model(name: str) -> Generator[str]:
    listed = json.dumps({"data": [{"id": name, "max_model_len": 4096}]})
    with answering({"/health": "", "/v1/models": listed}) as url:
        yield url


async def read(source: Source) -> list[Reading]:
    found: list[Reading] = []
    monitor = Monitor(source, found.append, GpuMeter())
    await monitor.read()
    await monitor.close()
    return found


async def test_a_reading_of_replicas_is_what_all_of_them_tell_together() -> None:
    first, second = ({"/metrics": METRICS.format(number)} for number in (3, 4))
    with answering(first) as one, answering(second) as two:
        source = Source("http://router", ("coder",), (Meter(),), replicas=(one, two))
        [reading] = await read(source)
        assert (reading.running, reading.generation_tokens, reading.kv_cache) == (7, 7, 0.4)


async def test_replicas_of_which_one_does_not_answer_are_not_counted_short() -> None:
    with answering({"/metrics": METRICS.format(3)}) as one:
        source = Source("http://router", ("coder",), (Meter(),), replicas=(one, "http://127.0.0.1:9"))
        assert await read(source) == []
        assert source.absent is None


async def test_the_monitor_finds_the_replicas_in_what_is_recorded_of_an_endpoint() -> None:
    chat = OpenAIChat("coder", Endpoint(model="m", base_url="http://127.0.0.1:1/v1"))
    hardware = {"coder": ServedHardware(model="m", root=None, replicas=("http://a", "http://b"))}
    [source] = sources([chat], {"coder": "http://127.0.0.1:1/v1"}, hardware)
    assert source.replicas == ("http://a", "http://b")
    await chat.close()


def test_a_routers_hardware_is_its_replicas(
    two: RunningPair, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dualcode.models.endpoints import Served

    monkeypatch.setenv("DUALCODE_STATE_DIR", str(state))
    served = {name: Served(model=f"model-{name}", root=None) for name in ("coder", "reviewer")}
    found = asyncio.run(asyncio.to_thread(hardware_of, two.base_urls(), served))
    assert found["coder"].replicas == (two["coder-1"].root_url, two["coder-2"].root_url)
    assert found["reviewer"].replicas == ()
    one, both = found["reviewer"].resident_bytes, found["coder"].resident_bytes
    assert one
    assert both
    assert both > 1.5 * one
