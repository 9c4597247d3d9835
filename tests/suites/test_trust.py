"""Who else may write a file decides what it says, and is named."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from dualcode.suites.trust import doubt, make_private

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "cache" / "grading"
    make_private(made)
    return made


def why(path: Path) -> str | None:
    found = doubt(path)
    return found and f"{found.path.name} {found.why}"


def test_a_folder_is_made_for_its_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_private(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700] * 2
    assert doubt(tmp_path / "a" / "b") is None


def test_what_is_not_there_is_no_fault(folder: Path) -> None:
    assert doubt(folder / "later") is None


def test_a_folder_that_everyone_may_write_is_named_with_the_command_that_mends_it(folder: Path) -> None:
    folder.chmod(0o777)
    found = doubt(folder)
    assert found is not None
    assert (found.path, found.why) == (folder, "may be written by everyone")
    assert found.remedy == f"chmod go-w {folder}"
    subprocess.run(shlex.split(found.remedy or ""), check=True)
    assert doubt(folder) is None


@needs_root
def test_a_folder_that_a_group_may_write_is_named(folder: Path) -> None:
    os.chown(folder, 0, 54321)
    folder.chmod(0o770)
    assert why(folder) == "grading may be written by the group 54321"


def test_a_folder_above_counts(folder: Path) -> None:
    folder.parent.chmod(0o757)
    assert why(folder) == "cache may be written by everyone"


def test_a_sticky_folder_above_is_no_fault_but_as_the_place_itself(folder: Path) -> None:
    folder.parent.chmod(0o1777)
    assert doubt(folder) is None
    assert why(folder.parent) == "cache may be written by everyone"


@needs_root
@pytest.mark.parametrize("above", [False, True])
def test_what_belongs_to_another_user_is_named(folder: Path, above: bool) -> None:
    os.chown(folder.parent if above else folder, 54321, 0)
    assert why(folder) == f"{'cache' if above else 'grading'} belongs to user 54321"


def test_the_way_that_a_link_leads_counts(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert doubt(link) is None
    folder.parent.chmod(0o757)
    assert why(link) == "cache may be written by everyone"


@needs_root
def test_a_link_that_another_user_may_turn_is_named(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    os.lchown(link, 54321, 0)
    assert why(link) == "link belongs to user 54321"


def test_a_file_that_others_may_write_is_named(folder: Path) -> None:
    file = folder / "file"
    file.write_text("x")
    file.chmod(0o644)
    assert doubt(file) is None
    file.chmod(0o646)
    assert why(file) == "file may be written by everyone"
