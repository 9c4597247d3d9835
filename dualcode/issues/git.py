"""Git, called so that nothing in a tree or of the user's can make it run anything.

Every call names the git dir; hooks, fsmonitor, filters and the configuration of user and system are off.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from dualcode.errors import SuiteError

AUTHOR = {
    "GIT_AUTHOR_NAME": "base",
    "GIT_AUTHOR_EMAIL": "base@localhost",
    "GIT_COMMITTER_NAME": "base",
    "GIT_COMMITTER_EMAIL": "base@localhost",
    "GIT_AUTHOR_DATE": "2000-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2000-01-01T00:00:00Z",
}
"""Neutral, so that the same tree has the same commit everywhere, and nobody reads a name from it."""
ATTRIBUTES = "* !text !eol !ident !filter !diff !merge !working-tree-encoding !export-subst !export-ignore\n"
"""For `info/attributes`, which wins over a tree's own: bytes in, bytes out."""

_SETTINGS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.untrackedCache=false", "core.symlinks=true",
    "core.fileMode=true", "core.autocrlf=false", "core.safecrlf=false", "core.protectHFS=true",
    "core.protectNTFS=true", "core.quotePath=false", "gc.auto=0", "maintenance.auto=false",
    "advice.detachedHead=false",
    "safe.directory=*", "protocol.allow=never", "protocol.file.allow=always", "submodule.recurse=false",
    "diff.external=", "init.defaultBranch=base", "uploadpack.allowAnySHA1InWant=true",
)  # fmt: skip


class GitError(SuiteError):
    """A git command failed; the message has what it said."""


def git(
    git_dir: Path | None,
    *arguments: str,
    tree: Path | None = None,
    given: bytes = b"",
    more: Mapping[str, str] | None = None,
    allowed: Sequence[int] = (0,),
    at: Path | None = None,
) -> bytes:
    """Run a git command and return its stdout. Raises GitError unless its exit code is allowed."""
    where = [f"--git-dir={git_dir}"] if git_dir else []
    where += [f"--work-tree={tree}"] if tree else []
    settings = [part for each in _SETTINGS for part in ("-c", each)]
    kept = {name: value for name in ("PATH", "TMPDIR") if (value := os.environ.get(name))}
    environment = {
        **kept, **AUTHOR, "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_ATTR_NOSYSTEM": "1", "LC_ALL": "C",
        "GIT_NO_REPLACE_OBJECTS": "1", "GIT_CEILING_DIRECTORIES": "/", **(more or {}),
    }  # fmt: skip
    try:
        ran = subprocess.run(
            ["git", *where, *settings, *arguments],
            input=given,
            capture_output=True,
            env=environment,
            cwd=at or tree or git_dir or "/",
            check=False,
        )
    except FileNotFoundError as error:
        if error.filename == "git":
            raise GitError("git is not installed", hint="apt-get install git") from None
        raise GitError(f"{error.filename} is not there: {error.strerror}") from None
    if ran.returncode not in allowed:
        said = " ".join(ran.stderr.decode(errors="replace").split())[:500]
        raise GitError(f"git {arguments[0]} failed ({ran.returncode}): {said}")
    return ran.stdout


def names(listed: bytes) -> list[str]:
    """Return the names of a list that git ends with NULs, as the kernel has them."""
    return [os.fsdecode(each) for each in listed.split(b"\0") if each]


def also_objects_of(git_dir: Path) -> dict[str, str]:
    """Return the setting by which a git command reads another repository's objects, whatever its path."""
    quoted = str(git_dir / "objects").replace("\\", "\\\\").replace('"', '\\"')
    return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"'}
