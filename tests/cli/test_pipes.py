"""Output into a pipe holds no escape code, and stdout nothing but the result."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dualcode.cli.main import COMMANDS
from tests.cli.typed import Run, undrawn
from tests.fake_server import Answer, FakeServer, serve
from tests.made import SOURCES, Story, write_run

STUB = 'def double(number):\n    """Return twice the number.\n\n    >>> double(2)\n    4\n    """\n'
LINES = {
    "serve": [["serve", "status"]],
    "solve": [["solve", "stub.py", "--team", "team.toml"]],
    "review": [["review", "stub.py", "--team", "team.toml"],
               ["review", "stub.py", "--team", "team.toml", "--format", "github"]],
    "doctor": [["doctor", "--no-load", "--team", "team.toml"]],
    "top": [["top", "--once", "--team", "team.toml"]],
    "quantize": [["quantize", "no-such-model", "-o", "made"]],
    "eval": [["eval", "--pipeline", "raw-coder", "--limit", "1", "--team", "team.toml"],
             ["eval", "--pipeline", "raw-coder,review-fix", "--limit", "1", "--team", "team.toml"],
             ["eval", "--pipeline", "raw-coder", "--limit", "1", "--team", "team.toml", "--dry-run"]],
    "show": [["show", "RUN"], ["show", "RUN", "HumanEval/0"]],
    "pipelines": [["pipelines"]],
    "datasets": [["datasets"]],
    "suite": [["suite", "new", "ours"]],
    "issues": [["issues", "list"], ["issues", "show", "flask-4041"]],
    "workflow": [["workflow", "list"], ["workflow", "show", "plan-implement"]],
    "duel": [["duel", "show", "nowhere"]],
    "panel": [["panel", "rubrics"], ["panel", "check", "--judge", "reviewer", "--team", "team.toml"]],
    "score": [["score", "samples.jsonl", "--dataset", "mini"]],
    "extract": [["extract", "replies.jsonl", "--dataset", "mini", "-o", "made.jsonl"]],
    "reproduce": [["reproduce", "--study", "quick", "--limit", "1", "--team", "team.toml", "--forecast"]],
    "compare": [["compare", "runs"]],
    "reviewer": [["reviewer", "runs", "--no-grade"], ["reviewer", "RUN", "--no-grade"]],
    "failures": [["failures", "RUN"], ["failures", "RUN", "--explain", "HumanEval/0"]],
    "costs": [["costs", "runs"], ["costs", "RUN"]],
    "tables": [["tables", "runs"]],
    "figures": [["figures", "runs", "--name", "figure-2", "--no-grade"]],
    "report": [["report", "runs", "--no-grade"]],
    "export": [["export", "runs"]],
    "audit": [["audit", "RUN"]],
    "ledger": [["ledger", "stats"]],
    "gateway": [["gateway", "--host", "0.0.0.0"]],
    "records": [["records"]],
    "clean": [["clean"]],
    "sandbox": [["sandbox"]],
    "spec": [["spec", "stub.py"]],
}  # fmt: skip
"""Each command as it is called most; RUN is a finished run with a regression."""


@pytest.fixture
def scene(tmp_path: Path, run: Run) -> Path:
    """Fill the folder with what the commands read, and return the finished run."""
    lost = Story(plus=False, draft=SOURCES["right"], program=SOURCES["wrong"], review="revise", findings=[])
    write_run(tmp_path / "runs", "raw-coder", {"HumanEval/0": Story(plus=True)})
    write_run(tmp_path / "runs", "enriched", {"HumanEval/0": lost})
    (tmp_path / "stub.py").write_text(STUB)
    (tmp_path / "replies.jsonl").write_text('{"task_id": "MiniRich/0", "response": "x"}\n')
    (tmp_path / "samples.jsonl").write_text('{"task_id": "MiniRich/0", "solution": "x = 1"}\n')
    return write_run(tmp_path / "runs", "review-fix", {"HumanEval/0": lost})


def test_every_command_is_in_the_list() -> None:
    assert set(LINES) == set(COMMANDS)


@pytest.mark.parametrize("command", LINES)
def test_a_pipe_gets_no_escape_code_and_errors_stay_on_stderr(
    run: Run, scene: Path, team: Callable[[FakeServer], Path], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    if command == "report":
        monkeypatch.setattr("dualcode.figures.drawing.draw", undrawn)
    with serve(Answer(content="```python\ndef double(n):\n    return 2 * n\n```")) as server:
        team(server)
        if command == "ledger":
            run(*LINES["eval"][0])
        for line in LINES[command]:
            code, out, err = run(*(str(scene) if word == "RUN" else word for word in line))
            assert "\x1b" not in out + err, line
            assert "Traceback" not in err and code in (0, 2, 3, 4), (line, err)
            assert "error: " not in out, line


def test_dates_have_their_zone(run: Run, scene: Path, team: Callable[[FakeServer], Path]) -> None:
    with serve(Answer(content="x")) as server:
        team(server)
        run(*LINES["eval"][0])
        _, out, _ = run("ledger", "stats")
    assert re.search(r"oldest \d{4}-\d\d-\d\d \d\d:\d\dZ, newest \d{4}-\d\d-\d\d \d\d:\d\dZ\n", out)
