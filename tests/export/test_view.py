"""`inspect view` opens what was exported: its own server, and a real browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

pytest.importorskip("inspect_ai", reason="the extra `inspect` is not installed")

from dualcode.export.inspect import write_log
from tests.export.runs import make_run

INSPECT = Path(sys.executable).parent / "inspect"
QUIET = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update"
    " --disable-sync --no-first-run"
)
PATIENCE = 90
"""Seconds to wait for a server or a page: only a machine that hangs needs them."""

pytestmark = pytest.mark.skipif(not INSPECT.exists(), reason=f"the command {INSPECT} is not installed")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("view")
    return write_log(make_run(folder / "runs", replayed=True), folder / "logs")[0]


@pytest.fixture(scope="module")
def view(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Start `inspect view` on the log's folder, and yield its address."""
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [INSPECT, "view", "start", "--log-dir", log.parent, "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    with (home / "output").open("w+") as output:
        server = subprocess.Popen(command, env=environment, cwd=home, stdout=output, stderr=output)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(server, address, home / "output")
            yield address
        finally:
            server.terminate()
            server.wait(PATIENCE)


def _wait(server: subprocess.Popen[bytes], address: str, output: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            httpx.get(f"{address}/api/logs")
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"inspect view did not start:\n{output.read_text()}")


def test_the_server_lists_the_log_and_serves_it(view: str, log: Path) -> None:
    (listed,) = httpx.get(f"{view}/api/logs").json()["files"]
    assert listed["name"].endswith(log.name)
    assert listed["task"] == "humaneval"
    served = httpx.get(f"{view}/api/logs/{quote(listed['name'], safe='')}").json()
    assert served["eval"]["run_id"] == log.stem
    assert [sample["id"] for sample in served["samples"]] == [f"HumanEval/{number}" for number in range(5)]
    assert {event["cache"] for event in served["samples"][0]["events"] if event["event"] == "model"} == {
        "read"
    }


def test_a_browser_shows_the_transcript_and_runs_nothing_of_it(view: str, log: Path) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET.split())
        page = browser.new_page(viewport={"width": 1400, "height": 3000})
        faults: list[str] = []
        asked: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{view}/#/logs/{log.name}/samples/sample/{quote('HumanEval/1', safe='')}/1/transcript")
        for text in ("1 write (coder)", "2 review (reviewer)", "3 fix (coder)", "document.title = "):
            page.get_by_text(text).first.wait_for(timeout=PATIENCE * 1000)
        assert page.title() != "theirs"
        assert not faults
        assert not [url for url in asked if "example.com" in url]
        browser.close()
