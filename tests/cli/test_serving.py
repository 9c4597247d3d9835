"""The command line of serving, on the stand-in for vLLM."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from dualcode.cli.serve import serve
from dualcode.serving import interpreter
from tests.serving.conftest import MakeProfile, make_profile, state, vllm

__all__ = ["make_profile", "state", "vllm"]


def test_start_status_and_stop(
    make_profile: MakeProfile, vllm: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(interpreter.VARIABLE, str(vllm))
    run, at = CliRunner().invoke, ["--state", str(state)]
    assert run(serve, ["status", *at]).exit_code == 3
    started = run(serve, ["--profile", make_profile(coder={}, reviewer={}), "--port-free", *at])
    assert started.exit_code == 0, started.output
    table = run(serve, ["status", *at])
    assert table.exit_code == 0
    assert "model-reviewer" in table.output
    rows = json.loads(run(serve, ["status", "--json", *at]).stdout)["servers"]
    assert {row["health"] for row in rows} == {"healthy"}
    assert "(fake) args" in run(serve, ["logs", "coder", *at]).output
    assert run(serve, ["stop", *at]).output == "stopped coder, reviewer\n"
    assert run(serve, ["stop", *at]).output == "nothing is running\n"


def test_an_error_is_printed_without_a_traceback(state: Path) -> None:
    command = [sys.executable, "-m", "dualcode.serving", "--profile", "nonesuch", "--state", str(state)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no serving profile is named 'nonesuch'")
    assert "Traceback" not in done.stderr


def test_help_does_not_wait_for_what_it_does_not_need() -> None:
    code = (
        "import sys; from dualcode.cli.serve import serve\n"
        "sys.exit(bool({'httpx', 'psutil', 'pydantic', 'rich'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_ending_a_start_ends_its_servers(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    profile = make_profile(coder={"fake": {"silent": True}})
    command = [sys.executable, "-m", "dualcode.serving", "start", "--profile", profile, "--state", str(state)]
    with subprocess.Popen(command, env={interpreter.VARIABLE: str(vllm)}, stderr=subprocess.PIPE) as start:
        while not (state / "running.json").exists():
            time.sleep(0.05)
        start.terminate()
        assert start.wait(60) != 0
    assert not (state / "running.json").exists()
