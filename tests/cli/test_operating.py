"""`dualcode doctor` and `dualcode top`, as they are typed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dualcode.operating import doctor, servers
from dualcode.operating.check import skipped
from tests.cli.typed import Run
from tests.fake_server import FakeServer, serve


@pytest.fixture(autouse=True)
def _without_the_suites(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Leave out what takes seconds, where a test is about something else."""
    monkeypatch.setattr(doctor, "data", lambda: iter([skipped("data", "left out")]))
    monkeypatch.setattr(servers, "BETWEEN", 0.01)


@pytest.fixture
def nobody(tmp_path: Path) -> Path:
    """A team whose server is not there."""
    file = tmp_path / "nobody.toml"
    file.write_text('[endpoints.e]\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\n[roles]\ncoder = "e"\n')
    return file


def test_doctor_needs_no_server_and_no_gpu(run: Run) -> None:
    code, out, _ = run("doctor")
    assert (code, "skip servers: none was started here" in out) == (0, True)
    assert "pass machine: dualcode " in out
    assert "not looked at" in out.splitlines()[-1]


def test_doctor_fails_with_code_3_and_says_what_to_do(run: Run, nobody: Path) -> None:
    code, out, _ = run("doctor", "--team", nobody)
    assert (code, "fail server e: endpoints.e.base_url: found no server" in out) == (3, True)
    assert "try: scripts/serve.sh start" in out
    assert "1 wrong" in out.splitlines()[-1]


def test_doctor_as_json_is_one_object_with_every_line(run: Run, team: Callable[[FakeServer], Path]) -> None:
    with serve() as server:
        code, out, _ = run("doctor", "--json", "--team", team(server))
    told = json.loads(out)
    assert code == 0, [each for each in told["checks"] if each["status"] == "fail"]
    assert {"server e: can", "server e: speed", "server e: drift"} <= {
        each["about"] for each in told["checks"]
    }
    assert sum(told["counts"].values()) == len(told["checks"])


def test_doctor_takes_a_server_without_a_team(run: Run) -> None:
    with serve() as server:
        code, out, _ = run("doctor", "--no-load", "--base-url", server.base_url, "--model", "m")
        assert server.asked == []
    assert (code, "pass server endpoint: m at" in out) == (0, True)


def test_a_team_that_is_wrong_is_a_line_of_the_doctor(run: Run, tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text("[endpoints.e]\nmodl = 1\n")
    code, out, _ = run("doctor", "--team", tmp_path / "team.toml")
    assert (code, "fail servers:" in out, "modl" in out) == (3, True, True)


def test_logs_of_servers_that_died_are_read(run: Run, tmp_path: Path) -> None:
    logs = tmp_path / "state" / "logs"
    logs.mkdir(parents=True)
    (logs / "coder.log").write_text("torch.OutOfMemoryError: CUDA out of memory.\n")
    (logs / "reviewer.log").write_text("INFO all is well\n")
    code, out, _ = run("doctor")
    assert (code, "fail log of coder: out of GPU memory" in out) == (3, True)
    assert "pass log of reviewer: no known failure" in out


def test_a_disk_that_is_nearly_full_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOW_DISK", 2**60)
    code, out, _ = run("doctor", "--run-dir", "not/there/yet")
    assert (code, "fail disk: " in out, "dualcode clean" in out) == (3, True, True)


def test_top_once_shows_tables_and_as_json_one_object(run: Run, nobody: Path) -> None:
    code, out, _ = run("top", "--once", "--team", nobody)
    assert (code, "no answer" in out, "runs under work" in out) == (0, True, True)
    code, out, _ = run("top", "--once", "--json", "--team", nobody)
    assert (code, json.loads(out)["servers"][0]["up"]) == (0, False)


def test_top_refuses_what_does_not_go_together(run: Run) -> None:
    code, _, err = run("top", "--once", "--prometheus", "9310")
    assert (code, "--prometheus shows nothing" in err) == (2, True)


def test_top_refuses_a_team_that_is_wrong(run: Run, tmp_path: Path) -> None:
    code, _, err = run("top", "--once", "--team", tmp_path / "none.toml")
    assert (code, "no team file" in err) == (2, True)
