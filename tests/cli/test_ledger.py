"""`dualcode ledger`: what it says is kept, what it deletes, and what it refuses to."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dualcode.call import Usage
from dualcode.cli.ledger import ledger
from dualcode.errors import DualcodeError, InputError
from dualcode.models.ledger import Fingerprint
from dualcode.models.ledger.store import LedgerStore
from dualcode.models.scripted import reply


def key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def command(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(ledger, [str(each) for each in arguments])
    return done.exit_code, done.output + (
        str(done.exception) if isinstance(done.exception, DualcodeError) else ""
    )


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    store = LedgerStore.open(tmp_path / "ledger")
    kept = reply("x").model_copy(update={"usage": Usage(prompt_tokens=5, completion_tokens=10)})
    for count in range(40):
        store.keep(key(f"qwen/{count}"), Fingerprint(model="qwen"), kept)
    store.find(key("qwen/1"))
    store.close()
    return tmp_path


def test_stats_are_a_table_or_json(runs: Path) -> None:
    code, table = command("stats", "--run-dir", runs)
    assert code == 0
    assert "40 entries" in table
    assert "1 hits, 40 misses; 2.4% of all completion tokens saved" in table
    assert "qwen" in table
    code, line = command("stats", "--run-dir", runs, "--json")
    found = json.loads(line)
    assert (found["entries"], found["hits"], found["models"][0]["fingerprint"]["model"]) == (40, 1, "qwen")


def test_prune_says_what_went(runs: Path) -> None:
    code, said = command("prune", "--run-dir", runs, "--all", "--dry-run")
    assert (code, said.startswith("would delete 40 entries with 400 completion tokens; they take")) == (
        0,
        True,
    )
    code, said = command("prune", "--run-dir", runs, "--model", "qwen", "--older-than", "1d")
    assert said.startswith("deleted 0 entries")
    code, said = command("prune", "--run-dir", runs, "--all")
    assert said.startswith("deleted 40 entries with 400 completion tokens; freed ")
    assert " freed 0 bytes" not in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "give either --all, or"),
        (["--all", "--model", "qwen"], "give either --all, or"),
        (["--older-than", "30"], "'30' is no age; write 30d"),
        (["--older-than", "-3d"], "'-3d' is no age"),
        (["--older-than", "0d"], "'0d' is no age"),
        (["--older-than", "soon"], "'soon' is no age"),
        (["--model", "qwem"], "no model is named 'qwem'; nearest: qwen"),
    ],
)
def test_nonsense_is_refused_and_deletes_nothing(runs: Path, arguments: list[str], complaint: str) -> None:
    code, said = command("prune", "--run-dir", runs, *arguments)
    assert code != 0
    assert complaint in said
    assert "40 entries" in command("stats", "--run-dir", runs)[1]


def test_a_folder_without_a_ledger_is_told_and_gets_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no ledger in"):
        LedgerStore.open(tmp_path / "ledger", create=False)
    code, said = command("stats", "--run-dir", tmp_path)
    assert code != 0
    assert "there is no ledger in" in said
    assert list(tmp_path.iterdir()) == []
