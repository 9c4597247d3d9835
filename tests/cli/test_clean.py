"""`dualcode clean`: it says where things lie, and clears what was confirmed and nothing beside it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dualcode.cli.clean import KINDS, clean, places
from dualcode.errors import ServingError
from dualcode.serving import running
from tests.cli.typed import Run


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a cache and a state, each with something of ours and something of another's."""
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("DUALCODE_CACHE_DIR", str(tmp_path / "cache"))
    for name, size in (
        ("cache/grading/mini-1/a.json", 1000), ("cache/models/awq/weights", 2_000_000),
        ("cache/issues/archives/a.tar.gz", 70), ("cache/other/own", 10),
        ("state/logs/coder.log", 300), ("state/lock", 0),
        ("state/asked/e.json", 40), ("state/notes.txt", 5), ("runs/ledger/calls.db", 9),
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    return tmp_path


def left(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


OTHERS = {"cache/other/own", "state/notes.txt", "runs/ledger/calls.db"}


def test_places_are_listed_with_their_size_and_nothing_is_cleared_without_a_yes(run: Run, kept: Path) -> None:
    before = left(kept)
    code, out, err = run("clean")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(KINDS)
    assert "2.0 MB" in out and str(kept / "cache/models") in out
    assert "nothing was cleared" in err and "clean --yes" in err
    assert left(kept) == before


def test_yes_clears_all_that_is_ours_and_nothing_else(run: Run, kept: Path) -> None:
    assert run("clean", "--yes")[0] == 0
    assert left(kept) == OTHERS


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_alone_leaves_the_others(run: Run, kept: Path, kind: str) -> None:
    before = {each.kind: each.bytes for each in places()}
    code, out, _ = run("clean", kind, "--yes")
    assert (code, out.splitlines()[-1]) == (0, f"cleared {kind}")
    after = {each.kind: each.bytes for each in places()}
    assert after == {**before, kind: 0}


def test_a_second_time_there_is_nothing_to_clear(run: Run, kept: Path) -> None:
    run("clean", "--yes")
    assert "there is nothing to clear" in run("clean")[1]


def test_sizes_are_the_bytes_of_all_files_below(run: Run, kept: Path) -> None:
    found = {each["kind"]: each for each in json.loads(run("clean", "--json")[1])["places"]}
    assert {kind: each["bytes"] for kind, each in found.items()} == {
        "grading": 1000, "models": 2_000_000, "issues": 70, "state": 340,
    }  # fmt: skip
    assert left(kept) > OTHERS, "the object is a question"


@pytest.mark.parametrize(("answer", "cleared"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_on_a_terminal_it_asks_and_takes_no_for_an_answer(
    kept: Path, monkeypatch: pytest.MonkeyPatch, answer: str, cleared: bool
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    class System:
        stdin = Terminal()

    monkeypatch.setattr("dualcode.cli.clean.sys", System)
    done = CliRunner().invoke(clean, ["grading"], input=answer)
    assert done.exit_code == 0, done.output
    assert "clear grading?" in done.output
    assert ("cache/grading/mini-1/a.json" not in left(kept)) == cleared


def test_while_servers_run_their_state_and_models_stay(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "recorded", lambda: object())
    before = left(kept)
    done = CliRunner().invoke(clean, ["--yes"])
    assert isinstance(done.exception, ServingError) and done.exception.hint == "dualcode serve stop"
    assert left(kept) == before
    assert CliRunner().invoke(clean, ["grading", "--yes"]).exit_code == 0


def test_a_link_is_removed_and_what_it_points_to_stays(run: Run, kept: Path) -> None:
    (kept / "elsewhere").mkdir()
    (kept / "elsewhere" / "weights").write_text("x")
    (kept / "cache" / "models" / "awq" / "weights").unlink()
    (kept / "cache" / "models" / "awq").rmdir()
    (kept / "cache" / "models").rmdir()
    (kept / "cache" / "models").symlink_to(kept / "elsewhere")
    assert run("clean", "models", "--yes")[0] == 0
    assert (kept / "elsewhere" / "weights").exists() and not (kept / "cache" / "models").exists()


def test_an_unknown_kind_is_refused_with_the_known_ones(run: Run) -> None:
    code, _, err = run("clean", "everything")
    assert code == 2
    assert all(kind in err for kind in KINDS)
