"""The Landlock tier: libraries can be read, one scratch folder written, and no other file opened.

This file is imported in the fork server, without the package around it.
"""

import contextlib
import errno
import io
import os
import posix  # its names stay when those in `os` go, see `harness.prepare`
import stat
from collections.abc import Generator

from dualcode.sandbox import kernel
from dualcode.sandbox.libraries import Libraries

SCRATCH_BYTES = 64 << 20
SCRATCH_ENTRIES = 4096
FILE_BYTES = 16 << 20
"""The most that one file may have."""

_FILLABLE = stat.S_IWUSR | stat.S_IXUSR
"""What the owner of a folder needs to put something into it. No program can change a mode."""
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = 2, 4, 8, 16, 32
_MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FILES_BY_ABI = ((1, (1 << 13) - 1), (2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV))
_NETWORK = 3  # ABI 4: bind and connect TCP
_SCOPES = 3  # ABI 6: abstract sockets and signals


def build(scratch: str, libraries: Libraries) -> int:
    """Return the descriptor of a ruleset for `kernel.landlock_restrict`. Raises OSError."""
    abi = kernel.landlock_abi()
    known = sum(rights for since, rights in _FILES_BY_ABI if abi >= since)
    ruleset = kernel.landlock_create(abi, known, _NETWORK if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    for path in libraries.readable:
        _allow_reading(ruleset, path, libraries.hidden)
    files = _WRITE_FILE | _READ_FILE | _REMOVE_FILE | _MAKE_REG | _MAKE_SYM | _REFER | _TRUNCATE
    folders = _READ_DIR | _REMOVE_DIR | _MAKE_DIR
    kernel.landlock_allow(ruleset, scratch, (files | folders) & known)
    return ruleset


def _allow_reading(ruleset: int, path: str, hidden: tuple[str, ...]) -> None:
    """Grant reading beneath a path. Rules have no exceptions: around a hidden folder, entries are granted.

    The names in the hidden folder can still be listed: the import system must list what lies around it.
    """
    if not os.path.isdir(path):
        kernel.landlock_allow(ruleset, path, _READ_FILE)
    elif not any(each.startswith(path + "/") for each in hidden):
        kernel.landlock_allow(ruleset, path, _READ_FILE | _READ_DIR)
    else:
        kernel.landlock_allow(ruleset, path, _READ_DIR)
        for name in os.listdir(path):
            entry = os.path.join(path, name)
            if entry not in hidden:
                _allow_reading(ruleset, entry, hidden)


def make_scratch(folder: str, user: int) -> str:
    """Return a fresh folder beneath the server's private one; it belongs to `user` (0: to this process).

    An earlier one, which could not be cleared, makes room for it.
    """
    posix.chmod(folder, 0o711)
    scratch = os.path.join(folder, "scratch")
    if os.path.lexists(scratch):
        posix.rename(scratch, os.path.join(folder, os.urandom(8).hex()))
    posix.mkdir(scratch, 0o700)
    if user:
        posix.chown(scratch, user, user)
    return scratch


@contextlib.contextmanager
def acting_as(user: int) -> Generator[None]:
    """Act as a user (0: as oneself) to open what that user may open: its folders, /proc of its processes."""
    if not user:
        yield
        return
    posix.setresgid(-1, user, -1)
    posix.setresuid(-1, user, -1)
    try:
        yield
    finally:
        posix.setresuid(-1, 0, -1)
        posix.setresgid(-1, 0, -1)


def find_excess(pid: int | None, scratch: str) -> bool:
    """Tell whether a process that stands still holds more on disk than allowed; None: one that has ended.

    It holds what lies in its scratch folder, and what lies nowhere any more but is open or mapped. Raises
    OSError where this machine does not show that.
    """
    size, count = _measure(scratch)
    unlinked = dict[int, int]() if pid is None else _find_unlinked(pid, scratch)
    return size + sum(unlinked.values()) > SCRATCH_BYTES or count + len(unlinked) > SCRATCH_ENTRIES


def _measure(scratch: str) -> tuple[int, int]:
    """Return bytes and entries of a folder; too many bytes where they cannot be told."""
    size = count = 0
    folders = [scratch]
    while folders and size <= SCRATCH_BYTES and count <= SCRATCH_ENTRIES:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    count += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except OSError as error:  # a path that is too long, say
            if error.errno != errno.EACCES or os.lstat(folder).st_mode & _FILLABLE == _FILLABLE:
                return SCRATCH_BYTES + 1, count
    return size, count


def _find_unlinked(pid: int, scratch: str) -> dict[int, int]:
    """Return the bytes of the files, by inode, that a process keeps although they have no name.

    Nothing tells the size of one that is only mapped: it counts as large as a file may be.
    """
    found = dict[int, int]()
    for task in _list(f"/proc/{pid}/task"):  # the first of them may have ended, and then shows nothing
        try:
            with io.open(f"{task}/maps", "rb") as file:  # noqa: UP020  # `open` is taken away in the server
                maps = file.read()
        except OSError:
            continue
        if not maps:
            continue
        for line in maps.splitlines():
            if os.fsencode(scratch) in line and line.endswith(b" (deleted)"):
                found[int(line.split(None, 5)[4])] = FILE_BYTES
        for descriptor in _list(f"{task}/fd"):
            with contextlib.suppress(OSError):
                info = os.stat(descriptor)
                if stat.S_ISREG(info.st_mode) and not info.st_nlink:
                    found[info.st_ino] = info.st_blocks * 512
        return found
    raise PermissionError(errno.EACCES, "the files of other processes cannot be seen", f"/proc/{pid}")


def _list(folder: str) -> list[str]:
    """Return the paths in a folder of /proc; none where the process has ended."""
    try:
        return [f"{folder}/{name}" for name in os.listdir(folder)]
    except OSError:
        return []


def clear(folder: str) -> None:
    """Empty a folder, whatever its tree: as deep, with such names and modes as a program chose.

    No link is followed, though another process may change the tree meanwhile, or clear it, too. Every call is
    relative to an open folder, for a path could be too long. What lies deeper is moved up. Raises OSError.
    """
    top = os.open(folder, _FOLDER | os.O_RDONLY)
    token, serial = os.urandom(8).hex(), 0  # drawn now, so that no name can have been taken
    try:
        while names := os.listdir(top):
            for name in names:
                try:
                    inner = _remove(name, top)
                    if inner is None:
                        continue
                    try:
                        for below in os.listdir(inner):
                            deeper = _remove(below, inner)
                            if deeper is not None:
                                os.close(deeper)
                                serial += 1
                                posix.rename(below, f"{token}-{serial}", src_dir_fd=inner, dst_dir_fd=top)
                    finally:
                        os.close(inner)
                    posix.rmdir(name, dir_fd=top)
                except OSError as error:
                    # A process that is being killed may still make files, and another one clear them, too.
                    if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                        raise
    finally:
        os.close(top)


def _remove(name: str, parent: int) -> int | None:
    """Remove an entry of a folder, or return the descriptor of the folder that it is, made accessible."""
    try:
        posix.unlink(name, dir_fd=parent)
        return None
    except (IsADirectoryError, PermissionError):
        # No mode keeps the owner from opening the place itself, and the mode is changed there.
        place = os.open(name, _FOLDER | os.O_PATH, dir_fd=parent)
    try:
        posix.chmod(f"/proc/self/fd/{place}", 0o700)
        return os.open(".", _FOLDER | os.O_RDONLY, dir_fd=place)
    finally:
        os.close(place)
