"""`dualcode eval --ray`: refused before anything starts, and a real cluster of two nodes that loses one."""

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dualcode.config import TeamConfig
from dualcode.errors import ClusterError
from dualcode.pipelines import builtins
from dualcode.runs.cluster import ray as clusters
from dualcode.runs.cluster.ray import open_cluster
from dualcode.runs.store import read_run
from dualcode.suites.registry import load_suite
from tests.fake_server import serve
from tests.mini_model import TEAM, answer
from tests.ray_cluster import QUIET, ray_cluster
from tests.runs.test_kill import essence
from tests.scripted_runs import TEAM as SCRIPTED

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'dualcode[ray]'"
)
NAMES = ("best-of-k", "review-fix", "review-fix-tests")


async def refused(address: str, team: TeamConfig = SCRIPTED) -> str:
    suite, pipelines = load_suite("mini"), [builtins()["raw-coder"]]
    with pytest.raises(ClusterError) as raised:
        async with open_cluster(address, suite, team, pipelines, task_seconds=60):
            pass
    assert raised.value.hint is not None
    return str(raised.value)


@pytest.fixture
def listener() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as open_:
        yield f"127.0.0.1:{open_.getsockname()[1]}"


@pytest.mark.parametrize("address", ["auto", "6379", "ray://h:1", "h:port", ":6379"])
async def test_what_is_no_address_is_refused(address: str) -> None:
    assert f"--ray {address}: expected HOST:PORT" in await refused(address)


async def test_an_address_where_nobody_answers_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    assert f"no Ray cluster answers at {address} (" in await refused(address)
    assert "no Ray cluster answers at 127.0.0.1:99999 (" in await refused("127.0.0.1:99999")


async def test_without_ray_the_command_that_installs_it_is_said(
    listener: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", dict[str, Any]().get)
    assert "pip install 'dualcode[ray]'" in await refused(listener)


@needs_ray
async def test_what_listens_and_is_no_cluster_is_refused_in_bounded_time(
    listener: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "ANSWER_SECONDS", 1.0)
    async with asyncio.timeout(300):
        assert f"no Ray cluster answers at {listener}: what listens there" in await refused(listener)


def evaluated(folder: Path, team: Path, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "dualcode", "eval", "--pipeline", ",".join(NAMES), "--dataset", "mini"]
    command += ["--team", str(team), "--run-dir", str(folder), "--json", "-q", *more]
    environment = {**os.environ, **QUIET}
    piped = subprocess.PIPE
    return subprocess.Popen(command, stdout=piped, stderr=piped, text=True, env=environment)


def runs(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: essence(read_run(path.parent)) for path in folder.glob("*/manifest.json")}


@needs_ray
def test_a_node_that_is_killed_in_mid_run_changes_no_record_and_pays_nothing_twice(tmp_path: Path) -> None:
    team = tmp_path / "team.toml"
    with serve() as server, ray_cluster(1, 1) as cluster:
        server.respond = answer
        team.write_text(TEAM.format(url=server.base_url))
        alone = evaluated(tmp_path / "alone", team)
        said, errors = alone.communicate()
        assert alone.returncode == 0, errors
        once = len(server.bodies)
        there = evaluated(tmp_path / "there", team, "--ray", cluster.address)
        while len(server.bodies) < once + once // 3 and there.poll() is None:
            time.sleep(0.01)
        cluster.kill(0)
        said, errors = there.communicate()
        assert there.returncode == 0, errors
        assert len(server.bodies) == 2 * once
    assert len(said.splitlines()) == len(NAMES)  # Ray's own words are none of them
    assert "warning: lost the node" in errors
    found = runs(tmp_path / "there")
    assert found == runs(tmp_path / "alone")
    for name in found:
        [begun] = read_run(tmp_path / "there" / name).manifest.sessions
        assert len(begun.nodes) == 2
        assert begun.sandbox is not None
