"""Review and solve on the real CPU pair: whole commands, whose answers a small model really gave."""

import json
from pathlib import Path

import pytest

from dualcode.journal import Journal
from dualcode.serving.running import RunningPair
from tests.cli.typed import Run

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
STUB = 'def double(n):\n    """Return twice n.\n\n    >>> double(2)\n    4\n    """\n'


@pytest.fixture(autouse=True)
def _used(run: Run, servers: RunningPair, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Make the pair what `scripts/serve.sh` started, whatever `run` set."""
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(servers["coder"].log.parents[1]))


def test_solve_prints_a_program_or_says_which_test_it_fails(run: Run, tmp_path: Path) -> None:
    spec = tmp_path / "spec.py"
    spec.write_text(STUB)
    code, out, err = run("solve", spec, "--json")
    told = json.loads(out)
    assert told["program"]["text"].strip() and told["calls"] >= 1, err
    assert code == (0 if told["ok"] else 5), err
    assert not told["ok"] or told["passed"] == told["examination"]["tests"] == 1
    assert "write: coder" in err


def test_review_reads_what_a_real_reviewer_says_and_ends_by_what_was_confirmed(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "double.py"
    file.write_text(STUB + "    return n + 2\n")
    code, out, err = run("review", file, "--json")
    told = json.loads(out)
    confirmed = [each for each in told["findings"] if each["status"] == "confirmed"]
    assert code == (5 if confirmed else 0), err
    assert all(Path(each["file"]).name == "double.py" for each in told["findings"])
    entry = [each for each in Journal().read()[0] if each.source == "review"][-1]
    assert entry.calls >= 1 and entry.usage.completion_tokens and not entry.usage.untold
