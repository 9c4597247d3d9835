"""A folder to keep state in, a fake vLLM, and profiles made on the spot."""

import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dualcode.serving import processes, running

MakeProfile = Callable[..., str]


@pytest.fixture
def vllm(tmp_path: Path) -> Path:
    """An executable that passes for a Python with vLLM."""
    shim = tmp_path / "python-with-fake-vllm"
    fake = Path(__file__).with_name("fake_vllm.py")
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} {fake} "$@"\n')
    shim.chmod(0o755)
    return shim


@pytest.fixture
def state(tmp_path: Path) -> Generator[Path]:
    """A state folder; whatever a test left running there is ended."""
    folder = tmp_path / "state"
    yield folder
    if pair := running.recorded(folder):
        processes.end(pair.servers, patience=0)


@pytest.fixture
def make_profile(tmp_path: Path) -> MakeProfile:
    """Return a function that writes a profile: server name -> its YAML, and more TOML for each."""

    def make(*, toml: str = "", **servers: dict[str, Any]) -> str:
        folder = tmp_path / "profile"
        folder.mkdir()
        ports = processes.free_ports(len(servers), "127.0.0.1")
        for (name, settings), port in zip(servers.items(), ports, strict=True):
            content = {"served-model-name": f"model-{name}", "port": port, **settings}
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
        head = '[servers.{0}]\nconfig = "{0}.yaml"\nready_seconds = 120\n'
        tables = [head.format(name) + toml for name in servers]
        (folder / "team.toml").write_text("\n".join(tables))
        return f"{folder}{os.sep}"

    return make
