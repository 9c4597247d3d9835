"""Who may write what lies at a path: whoever may decides what is read there, and so what verdicts say."""

import contextlib
import grp
import os
import pwd
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Doubt(NamedTuple):
    """Why a path is not only this user's."""

    path: Path
    """The file or folder that is at fault: the path itself, or one above it."""
    why: str
    """Such as `may be written by everyone`."""
    remedy: str | None
    """The command that mends it; None if it takes another place."""


def doubt(path: Path, *, above: bool = True) -> Doubt | None:
    """Return why others than this user and root may change what is read at a path; None if they may not.

    The path counts and, with `above`, all folders above it, on the way that its text goes and on the way that
    links lead. A folder above with the sticky bit, such as /tmp, is no fault: what lies in it is its owner's.
    """
    ways = dict.fromkeys((path.absolute(), path.resolve())) if above else ()
    for each in (place for way in ways for place in (way, *way.parents)) if above else (path,):
        try:
            state = each.lstat()
        except OSError:  # not there, so there is nothing to be read
            continue
        if (owner := state.st_uid) not in (os.geteuid(), 0):
            return Doubt(each, f"belongs to {_name(pwd.getpwuid, owner) or f'user {owner}'}", None)
        if (who := _writers(state)) and not (each != path and state.st_mode & stat.S_ISVTX):
            return Doubt(each, f"may be written by {who}", f"chmod go-w {shlex.quote(str(each))}")
    return None


def make_private(folder: Path) -> None:
    """Make a folder and those that are missing above it, for this user alone; an OSError if it cannot be."""
    for each in (*reversed(folder.parents), folder):
        if not each.is_dir():
            each.mkdir(mode=0o700, exist_ok=True)


def _writers(state: os.stat_result) -> str | None:
    """Return who else may write; None if nobody. A link's own mode says nothing."""
    if stat.S_ISLNK(state.st_mode):
        return None
    if state.st_mode & stat.S_IWOTH:
        return "everyone"
    group = state.st_gid
    if not state.st_mode & stat.S_IWGRP or group == 0:
        return None
    with contextlib.suppress(KeyError):  # the one that many systems give each user alone
        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
        if user.pw_gid == group and entry.gr_name == user.pw_name and set(entry.gr_mem) <= {user.pw_name}:
            return None
    return f"the group {_name(grp.getgrgid, group) or group}"


def _name(find: Callable[[int], tuple[Any, ...]], number: int) -> str | None:
    """Return what the system calls a user or group; None if it has no name for it."""
    try:
        return find(number)[0]
    except KeyError:
        return None
