"""Files that appear whole or not at all."""

import errno
import os
from pathlib import Path

from dualcode.errors import InputError

_HINT = "name a file in an existing folder that you may write to, with -o"


def check_place(path: Path) -> None:
    """Refuse a place where no file can be written, before any work is done: an InputError says why."""
    path = path.resolve()  # what a link points to is replaced, not the link
    if path.exists() and not path.is_file():
        raise InputError(f"{path} cannot be written: it is no regular file", hint=_HINT)
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {path.parent}", hint=_HINT)
    if not os.access(path.parent, os.W_OK):
        refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))
        raise InputError(f"{path} cannot be written", hint=_HINT) from refused


def write_whole(path: Path, text: str) -> None:
    """Write a text in a file's place, with a common file's rights; an InputError if that cannot be done."""
    check_place(path)
    path = path.resolve()
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with fresh.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}", hint=_HINT) from error
    finally:
        fresh.unlink(missing_ok=True)
