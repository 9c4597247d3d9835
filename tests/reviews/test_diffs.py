"""Diffs held against files, and git asked read-only."""

import subprocess
from pathlib import Path

import pytest

from dualcode.errors import InputError
from dualcode.reviews import git
from dualcode.reviews.sources import is_diff, read_diff

BEFORE = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n"
AFTER = BEFORE.replace("two\n", "2\n").replace("nine\n", "9\nnine and a half\n")


def diff(before: str, after: str, folder: Path, name: str = "a.py", *more: str) -> str:
    """Return what git says of two texts."""
    old, new = folder / "old", folder / "new"
    for place, text in ((old, before), (new, after)):
        place.mkdir(exist_ok=True)
        (place / name).write_text(text)
    line = ["git", "diff", "--no-index", "--no-prefix", *more, f"old/{name}", f"new/{name}"]
    said = subprocess.run(line, cwd=folder, capture_output=True, check=False).stdout.decode()
    return said.replace(f"old/{name}", f"a/{name}").replace(f"new/{name}", f"b/{name}")


@pytest.mark.parametrize("there", [BEFORE, AFTER])
def test_a_diff_shows_the_file_as_it_is_after_it_whether_it_was_applied_or_not(
    tmp_path: Path, there: str
) -> None:
    text = diff(BEFORE, AFTER, tmp_path)
    (tmp_path / "a.py").write_text(there)
    [found], left_out = read_diff(text, tmp_path)
    assert (found.text, left_out) == (AFTER, [])


@pytest.mark.parametrize("context", [0, 1, 3])
def test_the_lines_of_a_diff_are_those_of_its_hunks_and_no_others(tmp_path: Path, context: int) -> None:
    text = diff(BEFORE, AFTER, tmp_path, "a.py", f"-U{context}")
    (tmp_path / "a.py").write_text(AFTER)
    [found], _ = read_diff(text, tmp_path)
    first, second = {2}, {9, 10}
    near = {at + by for at in first | second for by in range(-context, context + 1)}
    assert set(found.changed or ()) == {at for at in near if 1 <= at <= 11}


def test_lines_that_are_only_taken_away_show_what_stood_around_them(tmp_path: Path) -> None:
    after = BEFORE.replace("five\n", "")
    text = diff(BEFORE, after, tmp_path)
    (tmp_path / "a.py").write_text(BEFORE)
    [found], _ = read_diff(text, tmp_path)
    assert found.text == after
    assert set(found.changed or ()) == {2, 3, 4, 5, 6, 7}


def test_a_new_file_is_reviewed_whole_although_it_is_not_there(tmp_path: Path) -> None:
    head = "diff --git a/n.py b/n.py\nnew file mode 100644\n--- /dev/null\n+++ b/n.py\n"
    text = f"{head}@@ -0,0 +1,2 @@\n+x = 1\n+y = 2\n"
    [found], _ = read_diff(text, tmp_path)
    assert (found.path, found.text, found.changed) == ("n.py", "x = 1\ny = 2\n", (1, 2))


def test_what_a_diff_removes_renames_or_cannot_show_is_left_out_and_said(tmp_path: Path) -> None:
    text = (
        "diff --git a/gone.py b/gone.py\ndeleted file mode 100644\n--- a/gone.py\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-x = 1\n"
        "diff --git a/p.png b/p.png\nindex 1..2 100644\nBinary files a/p.png and b/p.png differ\n"
        "diff --git a/m.py b/n.py\nsimilarity index 100%\nrename from m.py\nrename to n.py\n"
    )
    found, left_out = read_diff(text, tmp_path)
    assert found == []
    assert sorted(left_out) == ["gone.py: removed", "n.py: no lines", "p.png: a binary file"]


def test_a_file_that_became_binary_is_left_out(tmp_path: Path) -> None:
    text = diff(BEFORE, AFTER, tmp_path)
    (tmp_path / "a.py").write_bytes(b"\0\1")
    assert read_diff(text, tmp_path) == ([], ["a.py: a binary file"])


def test_a_file_without_a_newline_at_its_end_and_one_with_windows_ends_are_read(tmp_path: Path) -> None:
    text = diff("a\nb", "a\nc", tmp_path)
    (tmp_path / "a.py").write_text("a\nc")
    [found], _ = read_diff(text, tmp_path)
    assert found.text == "a\nc\n"
    crlf = "--- a/a.py\r\n+++ b/a.py\r\n@@ -1,2 +1,2 @@\r\n a\r\n-b\r\n+c\r\n"
    (tmp_path / "a.py").write_bytes(b"a\r\nb\r\n")
    [found], _ = read_diff(
        crlf.replace("\r\n+++", "\n+++").replace("@@\r", "@@").replace("py\r", "py"), tmp_path
    )
    assert found.text == "a\nc\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("diff --git a/x b/x\n", True),
        ("From 1234\n\n---\n x | 1 +\n\ndiff --git a/x b/x\n", True),
        ("--- a/x\n+++ b/x\n", True),
        ("x = 1\n--- \n", False),
        ("def diff(): ...\n", False),
    ],
)
def test_code_is_told_from_a_diff(text: str, expected: bool) -> None:
    assert is_diff(text) is expected


def commit(folder: Path, *names: str) -> None:
    line = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run(["git", "add", *names], cwd=folder, check=True, capture_output=True)
    subprocess.run(["git", *line, "commit", "-qm", "x"], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True, capture_output=True)
    (folder / "a.py").write_text(BEFORE)
    (folder / "ä ö.py").write_text("x = 1\n")
    commit(folder, ".")
    return folder


def test_a_branch_is_not_blamed_for_what_others_did_since(repository: Path) -> None:
    subprocess.run(["git", "branch", "-q", "base"], cwd=repository, check=True)
    subprocess.run(["git", "checkout", "-q", "base"], cwd=repository, check=True)
    (repository / "others.py").write_text("theirs\n")
    commit(repository, ".")
    subprocess.run(["git", "checkout", "-q", "main"], cwd=repository, check=True)
    (repository / "a.py").write_text(AFTER)
    said = git.diff(repository, "base")
    assert "+nine and a half" in said
    assert "theirs" not in said


def test_names_that_are_not_ascii_are_found(repository: Path) -> None:
    (repository / "ä ö.py").write_text("x = 2\n")
    [found], _ = read_diff(git.diff(repository, "HEAD"), repository)
    assert found.path == "ä ö.py"


def test_what_the_user_prefers_of_diffs_changes_nothing(repository: Path) -> None:
    (repository / "a.py").write_text(AFTER)
    plain = git.diff(repository, "HEAD")
    wishes = {"diff.noprefix": "true", "diff.mnemonicPrefix": "true", "color.ui": "always"}
    wishes |= {"diff.context": "0", "core.quotePath": "true", "diff.relative": "true"}
    for key, value in wishes.items():
        subprocess.run(["git", "config", key, value], cwd=repository, check=True)
    assert git.diff(repository, "HEAD") == plain


def test_git_changes_nothing_in_the_repository(repository: Path) -> None:
    (repository / "a.py").write_text(AFTER)

    def state() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(repository.rglob("*")) if path.is_file()}

    before = state()
    git.diff(repository, "HEAD")
    git.tracked(repository)
    assert state() == before


def test_a_repository_without_a_commit_has_no_revision(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(InputError, match="'HEAD' is no revision"):
        git.diff(tmp_path, "HEAD")


def test_the_files_of_a_project_are_those_that_git_knows_or_would_take(repository: Path) -> None:
    (repository / ".gitignore").write_text("ignored.py\n")
    (repository / "ignored.py").write_text("")
    (repository / "fresh.py").write_text("")
    assert sorted(git.tracked(repository)) == [".gitignore", "a.py", "fresh.py", "ä ö.py"]
    assert git.root_of(repository) == repository
    assert git.root_of(Path("/")) is None


def test_a_machine_without_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.root_of(tmp_path) is None
    with pytest.raises(InputError, match="lies in no git repository"):
        git.diff(tmp_path, "HEAD")
