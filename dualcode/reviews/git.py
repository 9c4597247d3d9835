"""git, asked and never obeyed: nothing that a repository configures is run, and nothing of it is written."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dualcode.errors import InputError

SECONDS = 60.0
_QUIET = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false",
    "-c", "core.quotePath=false", "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false",
    "-c", "submodule.recurse=false", "-c", "core.sshCommand=false", "-c", "protocol.allow=never",
)  # fmt: skip
"""Filters are turned off by name, for a repository chooses the names."""
_CALLS_OUT = ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_TRACE")


def root_of(folder: Path) -> Path | None:
    """Return the top of the working tree that a folder lies in; None where there is none, or no git."""
    try:
        found = _git(folder, ["rev-parse", "--show-toplevel"])
    except InputError:
        return None
    return Path(os.fsdecode(found.stdout.rstrip(b"\n"))) if found.returncode == 0 else None


def diff(folder: Path, revision: str) -> str:
    """Return what the working tree has that the common ancestor of HEAD and a revision has not.

    Raises InputError for a folder outside git, and for a revision that is none.
    """
    root = root_of(folder)
    if root is None:
        raise InputError(
            f"{folder} lies in no git repository",
            hint="dualcode review FILE; or `dualcode review -` on a diff",
        )
    commit = _asked(root, ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"])
    if not commit:
        raise InputError(f"{revision!r} is no revision of {root}", hint="git log --oneline; or --diff HEAD")
    base = _asked(root, ["merge-base", "--end-of-options", "HEAD", commit]) or commit
    names = _asked(root, ["config", "--name-only", "--get-regexp", r"^filter\..*\.(clean|process|required)$"])
    filters = [part for name in names.splitlines() for part in ("-c", f"{name}=")]
    asked = [
        "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--unified=3", "--ignore-submodules=all",
        "--src-prefix=a/", "--dst-prefix=b/", "--no-relative", "--find-renames",
        "--end-of-options", base, "--",
    ]  # fmt: skip
    found = _git(root, asked, filters)
    if found.returncode:
        *_, said = ["without a word", *found.stderr.decode("utf-8", "replace").strip().splitlines()]
        raise InputError(f"git diff failed: {said}", hint=f"git diff {revision}")
    return found.stdout.decode("utf-8", "surrogateescape")


def tracked(root: Path) -> list[str]:
    """Return the files that git knows or would take, by their path from the root."""
    found = _git(root, ["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    return [os.fsdecode(name) for name in found.stdout.split(b"\0") if name]


def _asked(root: Path, command: Sequence[str]) -> str:
    return _git(root, command).stdout.decode("utf-8", "replace").strip()


def _git(
    folder: Path, command: Sequence[str], options: Sequence[str] = ()
) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in _CALLS_OUT}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["git", "--no-pager", *_QUIET, *options, *command],
            cwd=folder, env=environment, capture_output=True, check=False, timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise InputError(
            "there is no git on this machine", hint="install git; or dualcode review FILE"
        ) from None
    except subprocess.TimeoutExpired:
        raise InputError(
            f"git took more than {SECONDS:.0f} s in {folder}", hint="git status, there"
        ) from None
