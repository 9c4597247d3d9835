"""The base of a task: the bytes of one revision or archive, and nothing of what lies around them."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from dualcode.errors import SuiteError
from dualcode.issues import bases, packages
from dualcode.issues.bases import Base, git_dir_of, open_base, unpack
from dualcode.issues.git import git
from dualcode.issues.task import IssueTask, Source
from dualcode.issues.worktrees import worktree
from tests.issues import shop
from tests.issues.test_packages import make_archive, of_archive


def at_head(task: IssueTask, repository: Path) -> IssueTask:
    """Return the task at what the repository's HEAD is now."""
    source = Source(path=repository, revision=shop.git(repository, "rev-parse", "HEAD").strip())
    return task.model_copy(update={"settings": task.settings.model_copy(update={"source": source})})


def committed(task: IssueTask, repository: Path, files: dict[str, bytes]) -> Base:
    """Return the base of a commit with some more files."""
    for name, content in files.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    shop.git(repository, "add", "-A", "-f")
    shop.git(repository, "commit", "-qm", "more")
    return open_base(at_head(task, repository))


def test_bytes_are_those_of_the_commit_whatever_its_attributes_say(task: IssueTask, repository: Path) -> None:
    """Ends of lines, encodings, idents and exports are changed by attributes, where git is let."""
    files = {
        "unix.txt": b"a\nb\n", "windows.txt": b"a\r\nb\r\n", "mixed.txt": b"a\r\nb\n", "id.txt": b"$Id$\n",
        "latin.txt": "größe\n".encode("latin-1"), "none.txt": b"x", "empty.txt": b"",
        "sub/größe mit blank.txt": b"x\n",
    }  # fmt: skip
    shop.git(repository, "config", "core.autocrlf", "false")
    base = committed(task, repository, files)
    attributes = (
        b"*.txt text eol=crlf ident\nlatin.txt working-tree-encoding=latin1\nnone.txt export-ignore\n"
    )
    (repository / ".gitattributes").write_bytes(attributes)
    shop.git(repository, "add", ".gitattributes")  # that alone: git would change the others' contents
    shop.git(repository, "commit", "-qm", "attributes")
    attributed = open_base(at_head(task, repository))
    for each in (base, attributed):
        with worktree(each, "trial") as tree:
            found = {name: (tree.path / name).read_bytes() for name in files}
            assert tree.change().diff == ""
        assert found == files


def test_the_base_s_own_rules_are_kept_at_their_places(task: IssueTask, repository: Path) -> None:
    files = {"shop/.gitignore": b"*.tmp\n", "shop/deep/.gitignore": b"!keep.tmp\n"}
    (repository / "linked").mkdir()
    (repository / "linked/.gitignore").symlink_to("/etc/passwd")
    base = committed(task, repository, files)
    assert {each.relative_to(base.rules).as_posix() for each in base.rules.rglob(".gitignore")} == {
        ".gitignore", *files,
    }  # fmt: skip
    with worktree(base, "trial") as tree:
        shop.write(
            tree.path, {"shop/a.tmp": "", "shop/deep/a.tmp": "", "shop/deep/keep.tmp": "", "b.tmp": ""}
        )
        assert tree.change().files == ("b.tmp", "shop/deep/keep.tmp")


def test_one_revision_is_one_base_however_it_is_named(task: IssueTask, repository: Path) -> None:
    head = shop.git(repository, "rev-parse", "HEAD").strip()
    shop.git(repository, "tag", "-a", "-m", "a tag with a message", "v1")
    shop.git(repository, "branch", "with/slash")
    found: set[str] = set()
    for name in (head, head[:10], "HEAD", "v1", "with/slash", "HEAD^0"):
        settings = task.settings.model_copy(update={"source": Source(path=repository, revision=name)})
        found.add(str(open_base(task.model_copy(update={"settings": settings})).folder))
    assert len(found) == 1


@pytest.mark.parametrize("revision", ["--all", "HEAD:shop", "HEAD^{tree}", "no such", "", "HEAD..HEAD~1"])
def test_what_is_no_commit_is_refused_and_is_no_option(repository: Path, revision: str) -> None:
    with pytest.raises(SuiteError, match="has no revision"):
        bases.resolve(repository, revision)


def test_a_repository_is_known_by_its_folder_alone(tmp_path: Path, repository: Path) -> None:
    assert git_dir_of(repository) == repository / ".git"
    for each in (repository / "shop", tmp_path, tmp_path / "gone"):
        with pytest.raises(SuiteError, match="is no git repository"):
            git_dir_of(each)


def test_a_base_that_cannot_be_made_leaves_nothing(task: IssueTask, repository: Path) -> None:
    sub = ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/größe")
    shop.git(repository, *sub)
    shop.git(repository, "commit", "-qm", "a submodule")
    with pytest.raises(SuiteError, match="has submodules, which are not fetched: vendor/größe"):
        open_base(at_head(task, repository))
    assert not [each for each in (packages.store() / "bases").iterdir() if each.is_dir()]


def made(path: Path, *members: tarfile.TarInfo) -> Path:
    """Write an archive of these members, each without content."""
    with tarfile.open(path, "w:gz") as file:
        for each in members:
            file.addfile(each, io.BytesIO(b"x" * each.size))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    """Return a member of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    info.size = 1 if kind == tarfile.REGTYPE else 0
    return info


def test_an_archive_gives_files_programs_folders_and_links(tmp_path: Path) -> None:
    path = made(
        tmp_path / "a.tar.gz",
        member("a-1/link", tarfile.SYMTYPE, "bin/run"),
        member("a-1/bin", tarfile.DIRTYPE),
        member("a-1/bin/run", mode=0o4777),
        member("a-1/größe mit blank.txt", mode=0o600),
        member("a-1/deep/er/x"),
    )
    unpack(path, tmp_path / "inner" / "out")
    out = tmp_path / "inner" / "out"
    assert (out / "link").readlink() == Path("bin/run")
    modes = {name: (out / name).stat().st_mode & 0o7777 for name in ("bin/run", "größe mit blank.txt")}
    assert modes == {"bin/run": 0o755, "größe mit blank.txt": 0o644}
    assert (out / "deep/er/x").read_bytes() == b"x"
    assert [each.name for each in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize(
    "odd",
    [
        member("a-1/hard", tarfile.LNKTYPE, "a-1/x"),
        member("a-1/device", tarfile.CHRTYPE),
        member("a-1/pipe", tarfile.FIFOTYPE),
        member("/absolute"),
        member("a-1/../../up"),
        member("a-1/link", tarfile.SYMTYPE, "../../up"),
        member("a-1/link", tarfile.SYMTYPE, "/etc"),
    ],
    ids=lambda each: f"{each.name}-{each.linkname}".replace("/", "_"),
)
def test_what_has_no_place_in_an_archive_is_refused(tmp_path: Path, odd: tarfile.TarInfo) -> None:
    path = made(tmp_path / "a.tar.gz", member("a-1/x"), odd)
    with pytest.raises(SuiteError, match="cannot be unpacked"):
        unpack(path, tmp_path / "inner" / "out")
    assert not (tmp_path / "up").exists()


def test_no_file_is_written_through_a_link_of_the_archive(tmp_path: Path) -> None:
    """The link stands first in it; written first, it would lead the file into another folder."""
    path = made(
        tmp_path / "a.tar.gz", member("a-1/bin", tarfile.SYMTYPE, "lib"), member("a-1/lib", tarfile.DIRTYPE),
        member("a-1/bin/x"),
    )  # fmt: skip
    with pytest.raises(SuiteError, match="cannot be unpacked"):
        unpack(path, tmp_path / "inner" / "out")


def test_an_archive_that_is_torn_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "a.tar.gz", member("a-1/x"), member("a-1/y"))
    monkeypatch.setattr(bases, "_ARCHIVE_BYTES", 1)
    with pytest.raises(SuiteError, match="unpacks to more than"):
        unpack(path, tmp_path / "large" / "out")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SuiteError, match="cannot be unpacked"):
        unpack(path, tmp_path / "torn" / "out")
    path.write_bytes(b"no archive")
    with pytest.raises(SuiteError, match="cannot be unpacked"):
        unpack(path, tmp_path / "none" / "out")


def test_the_archive_beside_one_whose_name_begins_alike_is_found(task: IssueTask, tmp_path: Path) -> None:
    """Registries spell a project's name in several ways, and a version may begin another one."""
    near = tmp_path / "near"
    near.mkdir()
    for name in ("Shop-1.0.1.tar.gz", "SHOP-1.0rc1.tar.gz", "Shop-1.0.post1.tar.gz"):
        make_archive(near / name, {"other/x": "another version"})
    right = make_archive(near / "shop-1.0.tar.gz", {"shop-1.0/x": "x"})
    base = open_base(of_archive(task, right), [near])
    assert git(base.git_dir, "cat-file", "blob", f"{base.commit}:x") == b"x"


@pytest.mark.parametrize(
    "one, other", [("zope.interface", "zope_interface"), ("Flask", "flask"), ("a--b._c", "a-b-c")]
)  # fmt: skip
def test_a_project_s_name_has_one_spelling(one: str, other: str) -> None:
    assert packages.normal(one) == packages.normal(other)
    assert packages.normal(one) != packages.normal(f"{one}x")


def test_the_folder_of_a_base_can_be_read_by_who_runs_commands(task: IssueTask) -> None:
    base = open_base(task)
    assert base.folder.stat().st_mode & 0o005 == 0o005
    assert os.access(base.git_dir / "HEAD", os.R_OK)
