"""`dualcode gateway` as a user types it: started, asked, ended; and what it refuses before it starts."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from dualcode.errors import ConfigError, ServingError
from dualcode.gateway.serving import bound, key_in, require_key
from tests.cli.conftest import run, team
from tests.cli.typed import Run
from tests.fake_server import Answer, FakeServer, serve

__all__ = ["run", "team"]


def test_a_gateway_is_started_answers_and_is_ended(
    tmp_path: Path, team: Callable[[FakeServer], Path]
) -> None:
    with serve(Answer(content="A title")) as server:
        command = [sys.executable, "-m", "dualcode", "gateway", "--port", "0", "--team", str(team(server))]
        environment = {
            **os.environ,
            "DUALCODE_STATE_DIR": str(tmp_path),
            "DUALCODE_GATEWAY_KEY": "a-secret-key",
        }
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        told = list[str]()
        assert process.stdout is not None and process.stderr is not None
        listening = threading.Thread(target=lambda: told.append(process.stderr.read()))  # pyright: ignore[reportOptionalMemberAccess]
        listening.start()
        try:
            found = re.fullmatch(
                r"the gateway answers at (http://127\.0\.0\.1:\d+/v1)\n", process.stdout.readline()
            )
            assert found is not None
            headers = {"authorization": "Bearer a-secret-key"}
            body = {
                "model": "raw-coder",
                "messages": [{"role": "user", "content": "A title, please"}],
                "stream": True,
            }
            with httpx.Client(verify=False, headers=headers, timeout=60) as client:
                assert "A title"[1:] in client.post(f"{found[1]}/chat/completions", json=body).text
                assert client.get(f"{found[1]}/models").json()["data"]
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.close()
            try:
                code = process.wait(60)
            finally:
                process.kill()
                listening.join()
            process.stderr.close()
    assert code in (0, 130), told
    assert "dualcode/review-fix:stream" in told[0]
    assert "a-secret-key" not in told[0]
    assert "Traceback" not in told[0]
    assert len(list((tmp_path / "records").iterdir())) == 1


def test_no_network_is_let_in_without_a_key(run: Run) -> None:
    code, _, err = run("gateway", "--host", "0.0.0.0")
    assert code == 2
    assert "no key is asked of them" in err
    assert "export DUALCODE_GATEWAY_KEY=KEY" in err


def test_a_port_that_is_taken_is_named_with_a_way_out(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = run("gateway", "--port", str(port))
    assert code == 3
    assert f"127.0.0.1:{port} is taken" in err
    assert "--port 0" in err


def test_an_address_that_is_not_here_is_an_error() -> None:
    with pytest.raises(ServingError, match="cannot be had"):
        bound("203.0.113.7", 1)


def test_without_servers_the_command_says_how_to_start_them(run: Run) -> None:
    code, _, err = run("gateway", "--port", "0")
    assert code == 2
    assert "no team" in err


def test_an_unknown_pipeline_is_refused_with_the_nearest(run: Run) -> None:
    code, _, err = run("gateway", "--port", "0", "--pipelines", "reveiw-fix")
    assert code == 2
    assert "nearest: review-fix" in err


def test_keeping_calls_and_keeping_nothing_are_one_or_the_other(run: Run) -> None:
    assert run("gateway", "--no-records", "--keep-calls")[0] == 2


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel"])
def test_a_key_that_no_header_carries_is_refused_and_not_shown(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", key)
    with pytest.raises(ConfigError) as met:
        key_in("SOME_KEY")
    assert key not in str(met.value)
    assert "SOME_KEY" in str(met.value)


def test_this_machine_alone_needs_no_key() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        require_key(host, None, "K")
    require_key("0.0.0.0", "a key", "K")
