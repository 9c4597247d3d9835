"""mini-swe-agent's loop as it is used: what its import does not do, and what of it is relied on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dualcode.agents import mini
from dualcode.agents.mini import Said
from dualcode.errors import ConfigError

IMPORTS = """
import json, os, sys
before = dict(os.environ)
from dualcode.agents import agent, trajectory, mini
early = sorted(name for name in sys.modules if name.startswith(("minisweagent", "litellm")))
loop = mini.load().loop(lambda messages: {}, lambda action: {}, steps=1, format_errors=1)
unwanted = ("litellm", "datasets", "textual", "prompt_toolkit", "openai")
told = [name for name in unwanted if name in sys.modules]
print(json.dumps({"early": early, "told": told, "same": before == dict(os.environ)}))
"""


def test_its_import_is_late_silent_without_litellm_and_leaves_no_trace(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".config/mini-swe-agent").mkdir(parents=True)
    (home / ".config/mini-swe-agent/.env").write_text("FROM_ITS_SETTINGS=1\n")
    (tmp_path / ".env").write_text("FROM_HERE=1\n")
    path = str(Path(mini.__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        cwd=tmp_path,
        env={"HOME": str(home), "PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"early": [], "told": [], "same": True}, "no banner stands before it"
    assert [each.name for each in (home / ".config/mini-swe-agent").iterdir()] == [".env"]


def test_without_it_there_is_an_error_that_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    mini.load.cache_clear()
    monkeypatch.setitem(sys.modules, "minisweagent", None)
    try:
        with pytest.raises(ConfigError, match=r"agents need mini-swe-agent") as caught:
            mini.load()
        assert "pip install 'dualcode[agents]'" in str(caught.value)
    finally:
        mini.load.cache_clear()


def play(
    replies: list[Said | Exception], *, steps: int = 9, format_errors: int = 3
) -> tuple[Said, list[Said]]:
    """Run its loop with these replies; commands print themselves."""
    left = iter(replies)

    def query(messages: object) -> Said:
        reply = next(left)
        if isinstance(reply, Exception):
            raise reply
        return reply

    loop = mini.load().loop(
        query, lambda action: {"output": action["command"]}, steps=steps, format_errors=format_errors
    )
    return loop.run("an {% instance %}", told="a {{ system }}"), loop.messages


def said(command: str) -> Said:
    return {"role": "assistant", "content": command, "extra": {"actions": [{"command": command}]}}


def bad() -> Exception:
    return mini.load().format_error({"role": "assistant", "content": "?"}, {"role": "user", "content": "!"})


def leave(status: str) -> Exception:
    return mini.load().interrupt({"role": "exit", "content": "", "extra": {"exit_status": status}})


def test_texts_are_values_and_no_templates() -> None:
    exited, messages = play([said("ls"), leave("Done")])
    assert exited["exit_status"] == "Done"
    contents = [message["content"] for message in messages]
    assert contents == ["a {{ system }}", "an {% instance %}", "ls", "ls", ""]


def test_format_errors_count_in_a_row_and_every_reply_is_a_step() -> None:
    assert play([bad(), bad(), said("ls"), bad(), bad(), bad()])[0]["exit_status"] == "RepeatedFormatError"
    exited, messages = play([bad(), said("ls")] * 9, steps=4)
    assert exited["exit_status"] == "LimitsExceeded"
    assert [message["role"] for message in messages] == ["system", "user", *["assistant", "user"] * 4, "exit"]


def test_what_a_model_or_a_command_raises_comes_out_of_the_loop() -> None:
    with pytest.raises(OSError, match="odd"):
        play([OSError("odd")])
