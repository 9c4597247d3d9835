"""The base of a task: a bare repository of exactly one commit, from which worktrees are made.

It has no history in which the fix could be found, a neutral author and date, and nothing of the user's own
repository but the files of one revision. It is made once and then only read.
"""

import hashlib
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dualcode.errors import SuiteError
from dualcode.issues import packages
from dualcode.issues.git import ATTRIBUTES, GitError, also_objects_of, git
from dualcode.issues.task import IssueTask, Source

RULES = "rules"
"""A folder in the base with the base's own .gitignore files, at their places."""
_FORMAT = 4
_ARCHIVE_BYTES = 1 << 30


@dataclass(frozen=True)
class Base:
    """The one commit that every fix of a task begins with."""

    folder: Path
    commit: str

    @property
    def git_dir(self) -> Path:
        """The bare repository."""
        return self.folder / "base.git"

    @property
    def rules(self) -> Path:
        """The .gitignore files of the base."""
        return self.folder / RULES


def open_base(task: IssueTask, near: Sequence[Path] = ()) -> Base:
    """Return a task's base, made if it is not there yet; `near` are folders that may hold its archive.

    Raises SuiteError if the source cannot be had or is not what the task says.
    """
    source = task.settings.source
    if source.path is not None:
        repository = (task.folder / source.path).resolve()
        revision = resolve(repository, str(source.revision))
        about = f"{_FORMAT} {repository} {revision}"
    else:
        about = f"{_FORMAT} {source.sha256}"
    folder = packages.store() / "bases" / hashlib.sha256(about.encode()).hexdigest()[:16]
    packages.made_once(folder, lambda made: _make(source, made, task.folder, near))
    commit = git(folder / "base.git", "rev-parse", "--verify", "refs/heads/base^{commit}").decode().strip()
    return Base(folder, commit)


def git_dir_of(repository: Path) -> Path:
    """Return the git dir of a user's repository, worktree or bare one. Raises SuiteError if it is none."""
    inner = repository / ".git"
    if inner.is_file():
        inner = repository / inner.read_text().removeprefix("gitdir:").strip()
        common = inner / "commondir"
        return (inner / common.read_text().strip()).resolve() if common.exists() else inner.resolve()
    for each in (inner, repository):
        if (each / "objects").is_dir():
            return each.resolve()
    raise SuiteError(
        f"{repository} is no git repository", hint="the path of one: its folder, or a bare one's"
    )


def resolve(repository: Path, revision: str) -> str:
    """Return the commit that a revision of a user's repository names; nothing there is changed."""
    own = repository / ".git"
    git_dir = git_dir_of(repository)
    if own.is_file():  # HEAD is a worktree's own
        git_dir = (repository / own.read_text().removeprefix("gitdir:").strip()).resolve()
    try:
        named = ("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        return git(git_dir, *named).decode().strip()
    except GitError as error:
        raise SuiteError(
            f"{repository} has no revision {revision!r}: {error.message}",
            hint=f"git -C '{repository}' log --oneline --all",
        ) from None


def _make(source: Source, made: Path, task_folder: Path, near: Sequence[Path]) -> None:
    git_dir = made / "base.git"
    git(None, "init", "--quiet", "--bare", "--template=", str(git_dir))
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info" / "attributes").write_text(ATTRIBUTES)
    if source.path is not None:
        repository = (task_folder / source.path).resolve()
        revision = resolve(repository, str(source.revision))
        # Read, not fetched: nothing of git's runs in the user's repository, and no commit comes along.
        theirs = also_objects_of(git_dir_of(repository))
        tree = git(git_dir, "rev-parse", f"{revision}^{{tree}}", more=theirs).decode().strip()
        listed = git(git_dir, "rev-list", "--objects", "--no-object-names", tree, more=theirs)
        packed = ("pack-objects", "-q", "--window=0", "--compression=1", str(git_dir / "objects/pack/pack"))
        git(git_dir, *packed, given=listed, more=theirs)
    else:
        unpacked = made / "unpacked"
        unpack(packages.archive(source, (*near, task_folder)), unpacked)
        git(git_dir, "add", "--all", "--force", "--", ".", tree=unpacked)
        tree = git(git_dir, "write-tree").decode().strip()
        (git_dir / "index").unlink()
        shutil.rmtree(unpacked)
    entries = [line.split(b"\t", 1) for line in git(git_dir, "ls-tree", "-rz", tree).split(b"\0") if line]
    if modules := [name.decode(errors="replace") for about, name in entries if about.startswith(b"160000")]:
        raise SuiteError(
            f"{source.named} has submodules, which are not fetched: {', '.join(modules[:3])}",
            hint="a revision without them, or an archive that holds their files",
        )
    commit = git(git_dir, "commit-tree", tree, "-m", "base").decode().strip()
    git(git_dir, "update-ref", "refs/heads/base", commit)
    _write_rules(git_dir, entries, made / RULES)


def _write_rules(git_dir: Path, entries: Sequence[Sequence[bytes]], folder: Path) -> None:
    """Write the base's .gitignore files: what a model writes into its own hides nothing from us."""
    folder.mkdir()
    for about, name in entries:
        if name.rpartition(b"/")[2] == b".gitignore" and not about.startswith(b"120000"):
            path = folder / name.decode(errors="surrogateescape")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(git(git_dir, "cat-file", "blob", about.split()[2].decode()))


def unpack(path: Path, target: Path) -> None:
    """Unpack a source archive's one folder. Raises SuiteError for what does not belong into one."""
    inner = target.with_name(target.name + ".all")
    inner.mkdir(parents=True)
    try:
        with tarfile.open(path) as file:
            members = file.getmembers()
            if sum(member.size for member in members) > _ARCHIVE_BYTES:
                raise SuiteError(
                    f"{path} unpacks to more than {_ARCHIVE_BYTES >> 20} MiB", hint="another one"
                )
            for member in sorted(members, key=lambda each: each.issym()):  # no file is written through a link
                _extract(file, member, inner)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        hint = f"rm {path}, and the same again"
        raise SuiteError(f"{path} cannot be unpacked: {error}", hint=hint) from None
    tops = list(inner.iterdir())
    if len(tops) != 1 or not stat.S_ISDIR(tops[0].lstat().st_mode):
        raise SuiteError(f"{path} holds {len(tops)} things at its top, and not one folder", hint="an sdist")
    tops[0].rename(target)
    inner.rmdir()


def _extract(file: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write a folder, a file or a link within the archive; tarfile's own filters came with Python 3.11.4."""
    inside = PurePosixPath(member.name)
    leads = PurePosixPath(os.path.normpath(inside.parent / member.linkname)) if member.issym() else inside
    if any(each.is_absolute() or ".." in each.parts for each in (inside, leads)):
        raise tarfile.TarError(f"{member.name} leads out of it")
    place = folder / inside
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
    elif member.issym():
        place.symlink_to(member.linkname)
    elif member.isfile():
        place.parent.mkdir(parents=True, exist_ok=True)
        content = file.extractfile(member)
        assert content is not None
        place.write_bytes(content.read())
        place.chmod(0o755 if member.mode & 0o100 else 0o644)
    else:
        raise tarfile.TarError(f"{member.name} is neither a file, a folder nor a link")
