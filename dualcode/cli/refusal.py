"""What the machine refuses: one cause, one exit code and one sentence, whichever command meets it."""

import contextlib
import errno
import os
import resource
import sys
from collections.abc import Iterator
from typing import cast

from dualcode.errors import DualcodeError, SandboxError

EXIT_REFUSED = 6

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SHUT = (errno.EROFS, errno.EACCES, errno.EPERM)
_FEW = (errno.EMFILE, errno.ENFILE)
_DATABASE = {"SQLITE_FULL": _FULL[0], "SQLITE_READONLY": _SHUT[0], "SQLITE_CANTOPEN": _SHUT[1]}
"""The ledger's own names of the same causes."""


def refusal(error: BaseException) -> str | None:
    """Return what to tell of an error that the machine caused, with what to try; None for any other.

    A room that met it may have named the file, and may have said so in an error of its own: the cause counts.
    """
    causes = list(_causes(error))
    told = next((each.message for each in causes if isinstance(each, DualcodeError)), "")
    sandbox = any(isinstance(each, SandboxError) for each in causes)  # it says what the kernel refuses itself
    for each in causes:
        number, file = _DATABASE.get(getattr(each, "sqlite_errorname", "")), ""
        if isinstance(each, OSError):
            number, file = each.errno, str(each.filename or "")
        where = told or file or "what was being written"
        if number in _FULL:
            return f"the disk is full: {where}\n  try: free space there, then the same command again"
        if number in _FEW:
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            return (
                f"too few files may be open at a time ({most})\n  try: ulimit -n 4096, then the same command"
            )
        # Without a file it is a system call, or a port, and the room's own error says more.
        if number in _SHUT and not sandbox and (file or not isinstance(each, OSError)):
            look = f"ls -ld {file}" if file else "its rights"
            return f"this user may not read or write there: {where}\n  try: another folder, or {look}"
        if isinstance(each, NotADirectoryError) and not told:
            return f"this is no folder to write in: {where}\n  try: another folder; HOME is {_home()}"
        if isinstance(each, RuntimeError) and "home directory" in str(each):
            return f"there is no home to write in: HOME is {_home()}\n  try: export HOME=FOLDER"
    return None


def hush() -> None:
    """Drop what cannot be written to stdout any more, so that the end of the process does not fail on it."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _home() -> str:
    return os.environ.get("HOME") or "not set"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that led to it, or that stand in it as in a group, the outermost first."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", each).exceptions
        waiting += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
