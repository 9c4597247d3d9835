"""The Landlock tier: libraries can be read, one scratch folder written, and no other file opened.

This file is imported in the fork server, without the package around it.
"""

import os
import posix  # its names stay when those in `os` go, see `harness.prepare`

from dualcode.sandbox import kernel
from dualcode.sandbox.libraries import Libraries

SCRATCH_BYTES = 64 << 20
SCRATCH_ENTRIES = 4096

_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = 2, 4, 8, 16, 32
_MAKE_DIR, _MAKE_REG, _REFER, _TRUNCATE, _IOCTL_DEV = 1 << 7, 1 << 8, 1 << 13, 1 << 14, 1 << 15
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
    writing = _WRITE_FILE | _READ_FILE | _READ_DIR | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG
    kernel.landlock_allow(ruleset, scratch, (writing | _REFER | _TRUNCATE) & known)
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


def overflows(scratch: str) -> bool:
    """Tell whether a scratch folder holds more than allowed."""
    size = count = 0
    folders = [scratch]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    count += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    if count > SCRATCH_ENTRIES or size > SCRATCH_BYTES:
                        return True
        except FileNotFoundError:
            continue
        except OSError:  # a path that is too long, say
            return True
    return False


def clear(scratch: str) -> None:
    """Empty a scratch folder, however deep a tree was left in it: what lies deeper is moved up."""
    token, serial = os.urandom(8).hex(), 0  # drawn now, so that no name can have been taken
    while names := os.listdir(scratch):
        for name in names:
            path = os.path.join(scratch, name)
            if os.path.islink(path) or not os.path.isdir(path):
                posix.unlink(path)
                continue
            posix.chmod(path, 0o700)
            for inner in os.listdir(path):
                serial += 1
                posix.rename(os.path.join(path, inner), os.path.join(scratch, f"{token}-{serial}"))
            posix.rmdir(path)
