"""A command line as a user types it, in an empty folder with a state and a cache of its own."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dualcode.cli import main as cli
from tests.cli.typed import Run
from tests.fake_server import FakeServer


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run one command line in an empty folder; return exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("DUALCODE_CACHE_DIR", str(tmp_path / "cache"))

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dualcode", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as leave:
            code = int(leave.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.fixture
def team(tmp_path: Path) -> Callable[[FakeServer], Path]:
    def write(server: FakeServer) -> Path:
        path = tmp_path / "team.toml"
        path.write_text(
            f'[endpoints.e]\nbase_url = "{server.base_url}"\nmodel = "m"\nattempts = 1\n'
            "price = { input_per_million = 1, output_per_million = 2 }\n"
            '[roles]\ncoder = "e"\nreviewer = "e"\n'
        )
        return path

    return write
