"""Temporary folders: gone with their owner, found when it was killed, and nobody else's touched."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from dualcode.issues import worktrees
from dualcode.issues.jail.tiers import open_jail
from dualcode.issues.worktrees import clear_abandoned, temporary_folder

_OWNER = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from dualcode.issues.worktrees import temporary_folder
with temporary_folder() as folder:
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make temporary folders here, and take none for too young."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(worktrees, "_YOUNG_SECONDS", -1)
    return tmp_path


@pytest.fixture
def other(here: Path) -> Generator[tuple[subprocess.Popen[str], Path]]:
    """Another process, and the folder that it owns."""
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(here)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        try:
            yield process, folder
        finally:
            process.kill()


def test_what_a_killed_process_left_is_removed_and_what_a_live_one_has_is_not(
    here: Path, other: tuple[subprocess.Popen[str], Path]
) -> None:
    process, theirs = other
    with temporary_folder() as own:
        assert clear_abandoned() == 0
        assert own.is_dir() and (theirs / "inner/file").is_file()
        process.kill()
        process.wait()
        assert theirs.is_dir()
        assert clear_abandoned() == 1
        assert own.is_dir()
    assert list(here.iterdir()) == []


def test_who_opens_a_jail_clears_what_was_left(here: Path) -> None:
    (here / "dualcode-room-left" / "inner").mkdir(parents=True)
    asyncio.run(open_jail("unsafe", unsafe=True))
    assert list(here.iterdir()) == []


def test_a_folder_is_removed_however_its_block_ends(here: Path) -> None:
    for error in (KeyboardInterrupt, OSError):
        with pytest.raises(error), temporary_folder() as folder:
            (folder / "x").write_text("x")
            raise error
    with temporary_folder() as folder:
        folder.rmdir()  # somebody else was there first
    assert list(here.iterdir()) == []


def test_a_folder_that_was_made_just_now_is_not_taken_for_abandoned(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between being made and being locked it has no owner that could be seen."""
    young = Path(tempfile.mkdtemp(prefix="dualcode-room-"))
    monkeypatch.setattr(worktrees, "_YOUNG_SECONDS", 3600)
    assert clear_abandoned() == 0
    monkeypatch.setattr(worktrees, "_YOUNG_SECONDS", -1)
    assert clear_abandoned() == 1
    assert not young.exists()


def test_only_folders_of_this_kind_and_no_links_are_looked_at(here: Path) -> None:
    outside = here / "elsewhere"
    (outside / "kept").mkdir(parents=True)
    (here / "dualcode-room-link").symlink_to(outside)
    (here / "dualcode-room-file").write_text("no folder")
    (here / "dualcode-other").mkdir()
    (here / "unlike").mkdir()
    assert clear_abandoned() == 0
    assert (outside / "kept").is_dir()
    assert {each.name for each in here.iterdir()} == {
        "elsewhere", "dualcode-room-link", "dualcode-room-file", "dualcode-other", "unlike",
    }  # fmt: skip


def test_what_cannot_be_removed_keeps_nobody_from_starting(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (here / f"dualcode-room-{name}").mkdir()
    real = worktrees.fence.clear

    def clear(folder: str) -> None:
        if folder.endswith("a"):
            raise PermissionError(13, "not yours")
        real(folder)

    monkeypatch.setattr(worktrees.fence, "clear", clear)
    assert clear_abandoned() == 1
    assert [each.name for each in here.iterdir()] == ["dualcode-room-a"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
def test_another_user_s_folder_is_left(here: Path) -> None:
    folder = here / "dualcode-room-theirs"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    assert clear_abandoned() == 0
    os.chown(folder, worktrees.JAIL_USER, worktrees.JAIL_USER)  # it was given to commands: ours after all
    assert clear_abandoned() == 1
