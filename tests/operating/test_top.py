"""Snapshots of servers, GPUs and runs, and their forms: tables, lines, JSON, Prometheus, the dashboard."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import generate_latest

from dualcode.config import TeamConfig
from dualcode.errors import ServingError, TeamError
from dualcode.operating import top
from dualcode.operating.forms import NAMES, expose, families, lines, tables
from dualcode.operating.top import ServerNow, Snapshot, Watcher
from dualcode.serving import gauges
from dualcode.serving.gpus import Cards
from dualcode.serving.running import RunningPair, RunningServer
from tests.fake_server import FakeServer, serve
from tests.made import write_run
from tests.operating.pages import RECORDED, metrics
from tests.operating.test_work import STORIES, held
from tests.pages import ROOT
from tests.serving.nvml import nvml

DASHBOARD = json.loads((ROOT / "serving/grafana/dualcode.json").read_text())
NO_GPU = Cards(nvml(driver=False))


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(tmp_path / "state"))


def team(*servers: FakeServer) -> TeamConfig:
    endpoints = {f"e{n}": {"model": "m", "base_url": each.base_url} for n, each in enumerate(servers)}
    return TeamConfig.model_validate({"endpoints": endpoints, "roles": {"coder": "e0"}})


def text(snapshot: Snapshot) -> str:
    """Return what Prometheus is told of a snapshot."""
    told: Any = SimpleNamespace(collect=lambda: families(snapshot))
    return generate_latest(told).decode()


async def everything(folder: Path) -> Snapshot:
    """Return a snapshot of a server, two GPUs and a run."""
    run = write_run(folder / "runs", "review-fix", STORIES)
    with serve() as server, held(run):
        server.pages["/metrics"] = metrics(running=3, waiting=1, kv=0.5, written=10, queries=10, hits=4)
        async with Watcher(team(server), folder / "runs", cards=Cards(nvml())) as watcher:
            await watcher.take()
            server.pages["/metrics"] = metrics(running=3, waiting=1, kv=0.5, written=5000, queries=10, hits=4)
            return await watcher.take()


async def test_a_server_is_told_with_its_rates_once_there_are_two_readings(tmp_path: Path) -> None:
    with serve() as server:
        server.pages["/metrics"] = metrics(running=2, written=100)
        async with Watcher(team(server), tmp_path, cards=NO_GPU) as watcher:
            [first] = (await watcher.take()).servers
            server.pages["/metrics"] = metrics(running=2, written=300)
            [second] = (await watcher.take()).servers
    assert (first.up, first.running, first.tokens_per_second) == (True, 2, None)
    assert (second.tokens_per_second or 0) > 0
    assert second.name == "e0"


async def test_a_server_is_watched_over_one_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def client_for(root: str) -> httpx.AsyncClient:
        made.append(root)
        return gauges.client_for(root)

    monkeypatch.setattr(top, "gauges", SimpleNamespace(**vars(gauges) | {"client_for": client_for}))
    with serve() as server:
        async with Watcher(team(server), tmp_path, cards=NO_GPU) as watcher:
            for _ in range(3):
                await watcher.take()
        assert made == [server.base_url.removesuffix("/v1")]


async def test_a_server_without_metrics_is_up_and_one_that_is_gone_is_not(tmp_path: Path) -> None:
    with serve() as bare, serve() as gone:
        config = team(bare, gone)
    with serve() as bare:
        config = team(bare, gone)
        async with Watcher(config, tmp_path, cards=NO_GPU) as watcher:
            one, other = (await watcher.take()).servers
    assert (one.up, one.running, other.up) == (True, None, False)


async def test_two_endpoints_on_one_server_are_one_line(tmp_path: Path) -> None:
    with serve() as server:
        async with Watcher(team(server, server), tmp_path, cards=NO_GPU) as watcher:
            [found] = (await watcher.take()).servers
    assert (found.name, found.model) == ("e0, e1", "m")


async def test_a_failure_that_needs_time_to_show_shows_after_three_readings(tmp_path: Path) -> None:
    with serve() as server:
        server.pages["/metrics"] = metrics(waiting=4, written=100)
        async with Watcher(team(server), tmp_path, cards=NO_GPU) as watcher:
            shown = [(await watcher.take()).servers[0].failures for _ in range(3)]
    assert shown == [(), (), ("engine hangs",)]


async def test_without_servers_gpus_and_runs_there_is_an_empty_snapshot_and_a_word(tmp_path: Path) -> None:
    async with Watcher(None, tmp_path, cards=NO_GPU) as watcher:
        found = await watcher.take()
    assert (found.servers, found.gpus, found.runs) == ((), (), ())
    assert [line[10:] for line in lines(found)] == ["no server, no GPU and no run under work"]
    assert [bool(table.rows) for table in tables(found)] == [False, False]


async def test_tables_and_lines_say_the_same(tmp_path: Path) -> None:
    found = await everything(tmp_path)
    by_name = {table.name: table for table in tables(found)}
    assert set(by_name) == {"servers", "gpus", "runs"}
    [server], [gpu, _], [run] = (by_name[name].rows for name in ("servers", "gpus", "runs"))
    said = "\n".join(lines(found))
    for cell in (*server[2:4], *gpu[2:], *run[:3]):
        assert cell in said
    assert (server[5:9], run[2]) == (("3", "1", "50%", "40%"), "50.0 %")
    assert len(list(lines(found))) == 4


async def test_json_has_the_rate_so_far(tmp_path: Path) -> None:
    found = json.loads(json.dumps((await everything(tmp_path)).to_json()))
    assert (found["runs"][0]["pass@1"], found["runs"][0]["done"]) == (0.5, 3)
    assert found["gpus"][0]["watts"] == 250.0


LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


def exposed(page: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for line in page.splitlines():
        if not line.startswith("#"):
            match = LINE.match(line)
            assert match, line
            yield match[1], dict(re.findall(r'(\w+)="([^"]*)"', match[2] or "")), float(match[3])


async def test_prometheus_is_told_what_top_shows(tmp_path: Path) -> None:
    rows = list(exposed(text(await everything(tmp_path))))
    values = {(name, *sorted(labels.values())): value for name, labels, value in rows}
    run = next(labels["run"] for _, labels, _ in rows if "run" in labels)
    of_run = sorted([run, "review-fix", "HumanEval+"])
    assert values["dualcode_run_pass_at_1", *sorted([*of_run, "plus"])] == 0.5
    assert values["dualcode_run_tasks", *sorted([*of_run, "errored"])] == 1
    assert values["dualcode_run_reviews_total", *sorted([*of_run, "approve"])] == 2
    assert values["dualcode_gpu_power_watts", "0", "GPU-1", "NVIDIA A10G"] == 250
    assert {name for name, _, _ in rows} <= NAMES


async def test_every_metric_is_exposed_by_something(tmp_path: Path) -> None:
    snapshot = await everything(tmp_path)
    failing = snapshot.servers[0].model_copy(update={"failures": ("engine hangs",)})
    asked = snapshot.runs[0].model_copy(update={"requests": {"coder": 4}})
    whole = snapshot.model_copy(update={"servers": (failing,), "runs": (asked,)})
    assert {name for name, _, _ in exposed(text(whole))} == NAMES


async def test_labels_with_odd_letters_break_no_line(tmp_path: Path) -> None:
    snapshot = await everything(tmp_path)
    odd = snapshot.servers[0].model_copy(update={"model": 'a"b\\c\nd'})
    page = text(snapshot.model_copy(update={"servers": (odd,)}))
    assert sum(line.startswith("dualcode_server_up{") for line in page.splitlines()) == 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_metrics_are_answered_over_http_until_the_end(tmp_path: Path) -> None:
    snapshot, port = await everything(tmp_path), free_port()
    end = expose(lambda: snapshot, "127.0.0.1", port)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert "dualcode_run_tasks" in (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        end()
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/metrics")


def test_a_port_that_is_taken_is_refused_in_words() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServingError, match="cannot be listened on") as raised:
            expose(lambda: None, "127.0.0.1", taken.getsockname()[1])
    assert "--prometheus" in str(raised.value.hint)


# The dashboard.

RECORDS: dict[str, tuple[str, set[str]]] = {
    name: (kind, set(labels[0].split(",")) if labels else set[str]())
    for name, kind, *labels in (line.split() for line in RECORDED.read_text().splitlines()[1:])
}


def queries() -> list[str]:
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return found + [each["query"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]


def names_in(query: str) -> list[str]:
    return re.findall(r"\b(?:vllm:|dualcode_)\w+", query)


@pytest.mark.parametrize("query", queries())
def test_a_query_of_the_dashboard_asks_for_what_there_is(query: str) -> None:
    assert names_in(query)
    for name in names_in(query):
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in NAMES or name in RECORDS or RECORDS.get(family, ("", set()))[0] == "histogram", name


@pytest.mark.parametrize("query", [each for each in queries() if "vllm:" in each])
def test_a_query_of_vllms_uses_labels_that_the_metric_has(query: str) -> None:
    asked = set(re.findall(r"(\w+)=~", query))
    for group in re.findall(r"by \(([^)]*)\)", query):
        asked |= {each.strip() for each in group.split(",")}
    for name in names_in(query):
        family = RECORDS.get(name) or RECORDS[re.sub(r"_bucket$", "", name)]
        assert asked - {"le"} <= family[1], name


@pytest.mark.parametrize(
    "query", [each for each in queries() if "vllm:" in each and "label_values" not in each]
)
def test_counters_are_asked_for_their_rate_and_gauges_as_they_are(query: str) -> None:
    for name in names_in(query):
        kind = (RECORDS.get(name) or RECORDS[re.sub(r"_bucket$", "", name)])[0]
        assert (f"rate({name}" in query) == (kind in ("counter", "histogram")), name


def test_the_dashboard_can_be_imported() -> None:
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    assert len({each["id"] for each in panels}) == len(panels)
    assert all(each["gridPos"]["x"] + each["gridPos"]["w"] <= 24 for each in panels)
    assert DASHBOARD["uid"] == "dualcode"


def test_the_scrape_configuration_names_the_ports_of_the_profile() -> None:
    jobs = yaml.safe_load((ROOT / "serving/grafana/prometheus.yml").read_text())["scrape_configs"]
    [vllm] = [each["static_configs"][0]["targets"] for each in jobs if each["job_name"] == "vllm"]
    ports = [
        yaml.safe_load((ROOT / f"serving/a10g/{name}.yaml").read_text())["port"]
        for name in ("coder", "reviewer")
    ]
    assert vllm == [f"127.0.0.1:{port}" for port in ports]


def started(folder: Path, *servers: FakeServer) -> RunningPair:
    """Return a pair as `dualcode serve start` leaves it on record; its processes are nobody's."""
    file = folder / "team.toml"
    endpoints = "".join(f'[endpoints.e{n}]\nserver = "s{n}"\nmodel = "m"\n' for n, _ in enumerate(servers))
    tables = "".join(f'[servers.s{n}]\nconfig = "s.yaml"\n' for n, _ in enumerate(servers))
    file.write_text(f'{tables}{endpoints}[roles]\ncoder = "e0"\n')
    running = [
        RunningServer(
            name=f"s{n}", pid=2**22 + 1 + n, created=0.0, host="127.0.0.1", port=1, base_url=each.base_url,
            model="m", weights="w", log=folder / "log", cores=None, shutdown_timeout=0, started=0.0,
            ready_after=1.0,
        )
        for n, each in enumerate(servers)
    ]  # fmt: skip
    return RunningPair(
        profile="p", team_file=file, vllm_python=folder / "python", vllm="0.32.0", servers=tuple(running)
    )


async def test_a_server_that_died_is_shown_beside_the_one_that_did_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is what somebody watches for: nothing may end with the server."""
    with serve() as alive, serve() as dead:
        pair = started(tmp_path, alive, dead)
    with serve() as alive:
        monkeypatch.setattr(top, "recorded", lambda: started(tmp_path, alive, dead))
        async with Watcher(None, tmp_path, cards=NO_GPU) as watcher:
            found = (await watcher.take()).servers
            monkeypatch.setattr(top, "recorded", lambda: pair.model_copy(update={"servers": ()}))
            later = (await watcher.take()).servers
            monkeypatch.setattr(top, "recorded", lambda: None)
            stopped = (await watcher.take()).servers
    assert [(each.name, each.up) for each in found] == [("e0", True), ("e1", False)]
    assert [each.name for each in later] == ["e0", "e1"]  # its file tells no addresses any more
    assert stopped == ()


async def test_a_team_is_refused_at_the_first_look_and_kept_at_a_later_one(tmp_path: Path) -> None:
    file = tmp_path / "team.toml"
    file.write_text("[endpoints\n")
    with serve() as server:
        async with Watcher(file, tmp_path, cards=NO_GPU) as watcher:
            with pytest.raises(TeamError):
                await watcher.take()
            file.write_text(
                f'[endpoints.e]\nbase_url = "{server.base_url}"\nmodel = "m"\n[roles]\ncoder = "e"\n'
            )
            first = (await watcher.take()).servers
            file.write_text("[endpoints\n")  # somebody edits it
            assert (await watcher.take()).servers == first


def snapshot(**server: Any) -> Snapshot:
    return Snapshot(
        at=0.0, gpus=(), runs=(), servers=(ServerNow(name="e", model="m", address="http://x", **server),)
    )


@pytest.mark.parametrize(
    ("server", "state", "cells"),
    [
        ({"up": False}, "no answer", ("–",) * 7),
        ({"up": True}, "up", ("–",) * 7),
        ({"up": True, "kv_cache": 0.0, "prefix_share": 0.0}, "up", ("–", "–", "–", "–", "0%", "0%", "–")),
        ({"up": True, "kv_cache": 1.0, "running": 1e6}, "up", ("–", "–", "1000000", "–", "100%", "–", "–")),
        ({"up": True, "failures": ("engine hangs", "queue full")}, "engine hangs, queue full", ("–",) * 7),
    ],
)
def test_what_a_server_does_not_tell_is_a_dash_and_nothing_is_a_nought(
    server: dict[str, Any], state: str, cells: tuple[str, ...]
) -> None:
    [row] = next(tables(snapshot(**server))).rows
    assert (row[2], tuple(each.replace(",", "").replace("\u202f", "") for each in row[3:])) == (state, cells)
    [line] = lines(snapshot(**server))
    assert line.startswith(f"00:00:00Z server e: {state}, {row[3]} tok/s, ")
