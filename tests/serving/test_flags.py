"""Every flag of every shipped profile, against vLLM's own argument parser."""

import json
import subprocess
from pathlib import Path

import pytest

from dualcode.serving import environment
from dualcode.serving.profiles import known, load
from tests.servers import require_vllm

pytestmark = pytest.mark.servers
CHECK = Path(__file__).with_name("check_flags.py")
WRONG = {
    "max-model-length: 4096": "unrecognized arguments: --max-model-length",
    "max-num-seqs: many": "argument --max-num-seqs: invalid",
    "reasoning-config: {reasoning_finish_str: x}": "reasoning_finish_str",
    "kv-cache-dtype: fp7": "argument --kv-cache-dtype: invalid choice",
    "chat-template: nowhere.jinja": "doesn't exist",
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What vLLM says to each file: shipped ones by path, wrong ones by their line; None: accepted."""
    files = {server.config: str(server.config) for name in known() for server in load(name).servers}
    folder = tmp_path_factory.mktemp("wrong")
    for index, line in enumerate(WRONG):
        file = folder / f"{index}.yaml"
        file.write_text(f"port: 8001\n{line}\n")
        files[file] = line
    done = subprocess.run(
        [require_vllm(), CHECK, *files], capture_output=True, text=True, env=environment.scrubbed()
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"file"')]
    return {files[Path(row["file"])]: row["refused"] for row in rows}


def test_vllm_accepts_every_flag_of_every_profile(refused: dict[str, str | None]) -> None:
    shipped = {file: told for file, told in refused.items() if file not in WRONG}
    assert len(shipped) >= 4
    assert shipped == dict.fromkeys(shipped)


@pytest.mark.parametrize("line", WRONG)
def test_vllm_refuses_a_wrong_flag(line: str, refused: dict[str, str | None]) -> None:
    """The check above can fail: an unknown name, a wrong type, an unknown field, choice and file."""
    assert WRONG[line] in (refused[line] or "accepted")
