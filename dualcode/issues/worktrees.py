"""Worktrees: a tree of its own for each condition and trial, and the one commit that is made of it.

A worktree is git's own, locked for as long as it lives, and its owner holds a lock that the kernel releases
however it ends. What is found without an owner was left by a process that was killed, and is cleared before
the name is used again. The commit is made here, from the tree, with an explicit git dir and objects of its
own; a model needs no git dir that it can write to, and nothing in its tree runs on the host.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from dualcode.errors import RunError, SuiteError
from dualcode.issues import packages
from dualcode.issues.bases import Base
from dualcode.issues.git import GitError, also_objects_of, git, names
from dualcode.record import Record
from dualcode.sandbox import fence

JAIL_USER = 65533
"""Who commands are where dualcode is root: the worktree belongs to it."""
LARGEST_FILE = 5 << 20
MOST_FILES = 20_000
"""New ones. A tree with more is left out from there on, and said so."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_BUILT = re.compile(rb"(^|/)(__pycache__|\.pytest_cache|\.mypy_cache|\.ruff_cache)(/|$)|\.py[co]$")
_KEPT = "kept"
_TEMPORARY, _YOUNG_SECONDS = "dualcode-room-", 60


class Dropped(Record):
    """Something in a tree, or in a diff, that does not count as part of a fix."""

    path: str
    why: str


def dropped(path: bytes | str, why: str) -> Dropped:
    """Return the record of a path, as the kernel or git has it."""
    return Dropped(path=os.fsdecode(path), why=why)


@dataclass(frozen=True)
class Change:
    """What a worktree holds beyond its base: exactly one commit."""

    commit: str
    diff: str
    """As `git apply` takes it, binary files included; empty if nothing was changed."""
    files: tuple[str, ...]
    """Paths that were added, changed or removed."""
    left_out: tuple[Dropped, ...]
    """Nested repositories, links out of the tree, devices, what is too large; never silently."""


@dataclass
class Worktree:
    """A tree to work in. `path` is the host's; see CommandJail for the path that commands see."""

    base: Base
    name: str
    path: Path
    admin: Path
    """Its own git dir, which only the host writes."""

    def apply(self, diff: str, *, index: Path | None = None) -> None:
        """Apply a diff to the tree, or to an index alone.

        Raises SuiteError with git's words if it does not fit.
        """
        if not diff.strip():
            return
        more = {**self.objects(), "GIT_INDEX_FILE": str(index)} if index else None
        given = diff.encode("utf-8", "surrogateescape")
        try:
            self._git(
                "apply", *(["--cached"] if index else []), "--whitespace=nowarn", "-", given=given, more=more
            )
        except GitError as error:
            raise SuiteError(f"the patch does not apply: {error.message}", hint="git diff --binary") from None
        if not index:
            self.give()

    def checkout(self, tree: str) -> None:
        """Make the files those of a tree object that the base, or this worktree's own store, has."""
        git(self.admin, "read-tree", "--reset", "-u", tree, tree=self.path, more=self.objects())
        self.give()

    def give(self) -> None:
        """Hand the tree to the user that commands run as."""
        give(self.path)

    def restore(self, diff: str) -> None:
        """Make the tree its base with a diff applied, whatever stands in it now. Raises as `apply`."""
        fence.clear(str(self.path))
        (self.path / ".git").write_text(f"gitdir: {self.admin}\n")
        self._git("read-tree", "--reset", "-u", self.base.commit, more=self.objects())
        self.apply(diff)
        self.give()

    def commit(self) -> Change:
        """Make the one commit of what the tree holds now, and HEAD it. The tree itself is only read.

        Raises SuiteError if it cannot be read.
        """
        change = self.change()
        self._git("update-ref", "--no-deref", "HEAD", change.commit, more=self.objects())
        return change

    def change(self) -> Change:
        """Return what `commit` would, and leave HEAD: who goes on working compares with the base."""
        left: list[Dropped] = []
        stays: set[bytes] = set()
        wanted = sorted(self._files(left, stays))
        ignored = self._ignored(wanted)
        objects = self.objects()
        index = self.admin / "index"
        known = {each for each in self._git("ls-files", "-z").split(b"\0") if each}
        new = [each for each in wanted if each not in known and each not in ignored]
        left += (dropped(each, f"more than {MOST_FILES} new files") for each in new[MOST_FILES:])
        taken = {*new[:MOST_FILES], *(each for each in wanted if each in known)}
        closed = tuple(each and each + b"/" for each in stays)
        gone = {each for each in known - taken if each not in stays and not each.startswith(closed)}
        lists = (("--add", taken), ("--force-remove", gone))
        scratch = {**objects, "GIT_INDEX_FILE": str(self.admin / "commit-index")}
        (self.admin / "commit-index").write_bytes(index.read_bytes())
        for option, paths in lists:
            if paths:
                given = b"\0".join(sorted(paths)) + b"\0"
                self._git("update-index", option, "--replace", "-z", "--stdin", more=scratch, given=given)
        tree = self._git("write-tree", more=scratch).decode().strip()
        commit = (
            self._git("commit-tree", tree, "-p", self.base.commit, "-m", "change", more=objects)
            .decode()
            .strip()
        )
        diff, files = self._difference(tree)
        return Change(commit, diff, files, tuple(left))

    def _difference(self, tree: str) -> tuple[str, tuple[str, ...]]:
        between = ("--no-renames", "--no-ext-diff", "--no-textconv", self.base.commit, tree)
        more = self.objects()
        diff = self._git(
            "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-color", *between, more=more
        )
        files = names(self._git("diff-tree", "-r", "-z", "--name-only", *between, more=more))
        return diff.decode("utf-8", "surrogateescape"), tuple(files)

    def _files(self, left: list[Dropped], stays: set[bytes]) -> Iterator[bytes]:
        """Yield the files and links of the tree, no link followed, and tell what is none of a fix's.

        What does not count, but stands in the place of what the base has, removes nothing: that `stays`.
        """
        waiting = [b""]
        top = os.fsencode(self.path)
        while waiting:
            inner = waiting.pop()
            try:
                entries = list(os.scandir(os.path.join(top, inner)))  # noqa: PTH118 - bytes
            except OSError as error:
                left.append(dropped(inner, f"cannot be read: {error.strerror}"))
                stays.add(inner)
                continue
            for entry in entries:
                path = inner + b"/" + entry.name if inner else entry.name
                mode = entry.stat(follow_symlinks=False).st_mode
                if entry.name.lower() == b".git":
                    if inner:
                        left.append(dropped(inner, "a nested repository: its files count, its history not"))
                elif stat.S_ISDIR(mode):
                    waiting.append(path)
                elif why := self._unfit(entry, path, mode):
                    left.append(dropped(path, why))
                    stays.add(path)
                else:
                    yield path

    def _unfit(self, entry: "os.DirEntry[bytes]", path: bytes, mode: int) -> str:
        if stat.S_ISLNK(mode):
            target = os.readlink(entry.path)  # noqa: PTH115 - bytes
            around = os.path.normpath(os.path.join(os.path.dirname(path), target))  # noqa: PTH118, PTH120
            out = target.startswith(b"/") or around == b".." or around.startswith(b"../")
            inside = around.split(b"/")[0].lower() == b".git"
            if not out and not inside:
                return ""
            of_base = ("cat-file", "blob", f"{self.base.commit}:{os.fsdecode(path)}")
            if git(self.base.git_dir, *of_base, allowed=(0, 128)) == target:
                return ""  # nothing that anybody made of it
            return f"a link out of the tree, to {os.fsdecode(target)}"
        if not stat.S_ISREG(mode):
            return "neither a file, a folder nor a link"
        size = entry.stat(follow_symlinks=False).st_size
        in_base = ("ls-files", "-z", "--", os.fsdecode(b":(literal)" + path))
        if size > LARGEST_FILE and not self._git(*in_base):
            return f"{size:,} bytes, and a new file may have {LARGEST_FILE:,}"
        if os.geteuid() and not mode & stat.S_IRUSR:
            return "cannot be read"
        return ""

    def _ignored(self, paths: list[bytes]) -> set[bytes]:
        """Return those that the base's own rules ignore, and what Python and its tools leave behind."""
        built = {path for path in paths if _BUILT.search(path)}
        given = b"\0".join(path for path in paths if path not in built) + b"\0"
        listed = git(
            self.base.git_dir, "check-ignore", "-z", "--stdin", "--no-index",
            tree=self.base.rules, given=given, allowed=(0, 1),
        )  # fmt: skip
        return built | {each for each in listed.split(b"\0") if each}

    def objects(self) -> dict[str, str]:
        """Return the settings by which what this worktree makes lies with it, and not in the base."""
        own = self.admin / "objects"
        own.mkdir(exist_ok=True)
        return {"GIT_OBJECT_DIRECTORY": str(own), **also_objects_of(self.base.git_dir)}

    def _git(self, *arguments: str, given: bytes = b"", more: dict[str, str] | None = None) -> bytes:
        return git(self.admin, *arguments, tree=self.path, given=given, more=more)


def entries_beneath(*tops: Path) -> Iterator[tuple["os.DirEntry[str]", os.stat_result]]:
    """Yield all that lies beneath some folders, no link followed, as far as it can be seen."""
    waiting = [str(each) for each in tops]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    yield entry, entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:  # removed meanwhile, or closed to us
            continue


def give(top: Path) -> None:
    """Hand a folder, with all in it, to the user that commands run as, where that is another one."""
    if os.geteuid() == 0:
        for folder, folders, files in os.walk(top):
            for each in (folder, *(os.path.join(folder, name) for name in (*folders, *files))):  # noqa: PTH118
                os.chown(each, JAIL_USER, JAIL_USER, follow_symlinks=False)


@contextlib.contextmanager
def worktree(base: Base, name: str) -> Generator[Worktree]:
    """Lend a fresh worktree; removed once the block ends or is cancelled, kept if it fails.

    Raises RunError if another process, or another thread, owns the name.
    """
    if not _NAME.fullmatch(name):
        raise SuiteError(f"{name!r} cannot be a worktree's name: letters, digits, . _ - only")
    folder = base.folder / "trees"
    folder.mkdir(exist_ok=True)
    with _owned(folder / f"{name}.lock") as lock:
        if lock is None:
            owner = (folder / f"{name}.lock").read_text()
            raise RunError(
                f"the worktree {name} is in use by process {owner or 'unknown'}",
                hint=f"wait for it, or end it; it lies in {folder / name}",
            )
        with packages.only_one(base.folder / "worktrees"):  # git's own entries are read and written
            _clear(base, name)
            made = _add(base, name)
        failed = False
        try:
            yield made
        except Exception:  # who is interrupted, or cancelled, leaves nothing to be looked at
            failed = True
            raise
        finally:
            if failed:
                (made.admin / "locked").write_text(f"{_KEPT}\n")
            else:
                with packages.only_one(base.folder / "worktrees"):
                    _clear(base, name)
                lock.unlink()


@contextlib.contextmanager
def _owned(path: Path) -> Generator[Path | None]:
    """Own a lock file while the block runs; None if another does. Only its owner may remove it."""
    while True:
        with path.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            if not path.exists() or path.stat().st_ino != os.fstat(lock.fileno()).st_ino:
                continue  # its owner removed it just now
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield path
            return


def _add(base: Base, name: str) -> Worktree:
    path = base.folder / "trees" / name
    options = ("--quiet", "--detach", "--lock", "--reason", f"process {os.getpid()}")
    git(base.git_dir, "worktree", "add", *options, str(path), base.commit)
    admin = Path((path / ".git").read_text().removeprefix("gitdir:").strip())
    made = Worktree(base, name, path, admin)
    made.give()
    return made


def _clear(base: Base, name: str) -> None:
    """Remove a worktree, whole, half made or gone, whatever is in its tree. The caller owns the name."""
    path = base.folder / "trees" / name
    for each in (path, base.folder / "scratch" / name):  # what a killed command left there, too
        if each.is_dir() and not each.is_symlink():
            fence.clear(str(each))
            each.rmdir()
        elif each.is_symlink() or each.exists():
            each.unlink()
    for entry in (base.git_dir / "worktrees").glob("*/gitdir"):
        if entry.read_text().strip() == str(path / ".git"):
            git(base.git_dir, "worktree", "remove", "--force", "--force", str(path), allowed=(0, 128))
            if entry.parent.exists():
                fence.clear(str(entry.parent))
                entry.parent.rmdir()


@contextlib.contextmanager
def temporary_folder() -> Generator[Path]:
    """Lend an empty folder that is removed in the end; what a kill leaves of it, `clear_abandoned` finds."""
    folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY))
    owned = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(owned, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(owned)


def clear_abandoned() -> int:
    """Remove this user's temporary folders whose owner was killed, and return how many.

    The kernel released their locks. One that was made just now may not be locked yet, and stays.
    """
    removed = 0
    for path in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError):
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                about = os.fstat(folder)
                mine = about.st_uid in {os.geteuid(), os.geteuid() or JAIL_USER}
                if mine and time.time() - about.st_ctime > _YOUNG_SECONDS:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    fence.clear(str(path))
                    path.rmdir()
                    removed += 1
            finally:
                os.close(folder)
    return removed


def recover(base: Base) -> list[str]:
    """Remove what killed processes left behind, and return the names; kept and owned trees stay."""
    removed: list[str] = []
    trees = base.folder / "trees"
    for lock_file in sorted(trees.glob("*.lock")):
        name = lock_file.name.removesuffix(".lock")
        with _owned(lock_file) as lock, packages.only_one(base.folder / "worktrees"):
            if lock is not None and name not in _kept(base):
                _clear(base, name)
                lock.unlink()
                removed.append(name)
    return removed


def _kept(base: Base) -> set[str]:
    """Return the names of the trees that were kept on purpose."""
    found: set[str] = set()
    for entry in (base.git_dir / "worktrees").glob("*/locked"):
        gitdir = entry.with_name("gitdir")
        if gitdir.exists() and entry.read_text().strip() == _KEPT:
            found.add(Path(gitdir.read_text().strip()).parent.name)
    return found
