"""bubblewrap's arguments: a root of its own, with the system's programs, the tree and nothing else."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from dualcode.issues.jail.room import Places, Room
from dualcode.issues.packages import Interpreter, store

PLACES = Places("/repo", "/environment/packages", "/environment/bin", "/tmp", "/results", "/given")
"""Short and the same for everyone: no path tells a model whose tree it works on."""
BASE = "/base"
"""Where git's own files lie, read-only."""
Show = Callable[[str, Path | str, str], None]
TMP_BYTES, SHM_BYTES = 256 << 20, 64 << 20
HINT = "apt-get install bubblewrap (as root), or docs/issues.md for machines that forbid user namespaces"

_FLAGS = (
    "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--clearenv",
    "--cap-drop", "ALL", "--uid", "1000", "--gid", "1000", "--hostname", "jail",
)  # fmt: skip
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_USR = (
    "bin", "sbin", "include", "lib32", "lib64", "libx32", "lib/*-linux-gnu*", "lib/python3.*", "lib/git-core",
    "lib/gcc", "lib/locale", "lib/*.so*", "lib/ssl", "libexec/git-core", "libexec/gcc", "share/zoneinfo",
    "share/git-core",
    "share/perl", "share/perl5", "share/terminfo", "share/locale/locale.alias", "share/i18n", "local/bin",
    "local/lib/python3.*", "local/lib/*.so*",
)  # fmt: skip
_SHOWN = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
_USERS = {
    "passwd": "user:x:1000:1000::/tmp:/bin/bash\n",
    "group": "user:x:1000:\n",
    "hosts": "127.0.0.1 localhost jail\n",
}


def find() -> str | None:
    """Return the path of bubblewrap, if it is installed."""
    return shutil.which("bwrap")


def system_paths(interpreter: Interpreter) -> list[str]:
    """Return what is shown of the machine: programs, shared libraries, one Python.

    An allow list: a copy of the fix lies in many a place beneath /usr, and not only among Python's packages.
    """
    patterns = [f"/usr/{each}" for each in _USR]
    if not interpreter.prefix.is_relative_to("/usr"):
        patterns.append(f"{interpreter.prefix}")
    found = {path for pattern in patterns for path in Path("/").glob(pattern.lstrip("/"))}
    return sorted(str(path) for path in found if path.exists() and (path.is_dir() or not path.is_symlink()))


def package_folders(interpreter: Interpreter) -> list[str]:
    """Return the folders of installed packages beneath `system_paths`, which are hidden."""
    found: set[Path] = set()
    for root in {Path("/usr"), Path("/usr/local"), interpreter.prefix}:
        for name in ("site-packages", "dist-packages"):
            found |= {*root.glob(f"lib/python3.*/{name}"), *root.glob(f"lib64/python3.*/{name}")}
    return sorted(str(each) for each in found if each.is_dir() and not each.is_symlink())


def arguments(program: str, room: Room, environment: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return bubblewrap's command line up to the command, and the host's paths that it names by number.

    `\\0N` stands for the Nth path, `\\1` for the filter's descriptor and `\\2` for that on which bubblewrap
    tells that it came to the command: the launcher puts them in.
    """
    sources: list[str] = []
    parts: list[str] = [program, *_FLAGS, "--seccomp", "\1", "--json-status-fd", "\2"]

    def show(option: str, source: Path | str, target: str) -> None:
        parts.extend((option, f"\0{len(sources)}", target))
        sources.append(str(source))

    interpreter = room.environment.interpreter
    for each in system_paths(interpreter):
        show("--ro-bind", each, each)
    for each in map(Path, _SYSTEM):
        if each.is_symlink():
            parts.extend(("--symlink", str(each.readlink()), str(each)))
        elif each.is_dir():
            show("--ro-bind", each, str(each))
    for each in filter(lambda path: Path(path).exists(), _SHOWN):
        show("--ro-bind", each, each)
    for name in _users():
        show("--ro-bind", name, f"/etc/{name.name}")
    masks = package_folders(interpreter)
    for each in masks:
        parts.extend(("--size", "65536", "--tmpfs", each))
    parts.extend(("--proc", "/proc", "--dev", "/dev", "--size", str(SHM_BYTES), "--tmpfs", "/dev/shm"))
    if room.scratch is None:
        parts.extend(("--size", str(TMP_BYTES), "--tmpfs", PLACES.scratch))
    else:
        show("--bind", room.scratch, PLACES.scratch)
    show("--ro-bind", room.environment.packages.parent, "/environment")
    show("--bind" if room.writable else "--ro-bind", room.worktree.path, PLACES.tree)
    _show_git(room, show, parts)
    if room.results is not None:
        show("--bind", room.results, PLACES.results)
    for file, name in room.files:
        show("--ro-bind", file, f"{PLACES.given}/{name}")
    for each in ("/", "/dev", *masks):
        parts.extend(("--remount-ro", each))
    for name, value in environment.items():
        parts.extend(("--setenv", name, value))
    return [*parts, "--chdir", PLACES.tree, "--"], sources


def _show_git(room: Room, show: Show, parts: list[str]) -> None:
    """Show the base's git dir and the tree's own, read-only: `git diff` works, and no other tree is seen."""
    worktree = room.worktree
    inside = f"{BASE}/worktrees/{worktree.admin.name}"
    link = worktree.base.folder / "links" / worktree.admin.name
    link.parent.mkdir(exist_ok=True)
    link.write_text(f"gitdir: {inside}\n")
    show("--ro-bind", worktree.base.git_dir, BASE)
    parts.extend(("--size", "65536", "--tmpfs", f"{BASE}/worktrees"))
    show("--ro-bind", worktree.admin, inside)
    if (worktree.path / ".git").is_file() and not (worktree.path / ".git").is_symlink():
        show("--ro-bind", link, f"{PLACES.tree}/.git")
    parts.extend(("--remount-ro", f"{BASE}/worktrees"))


def _users() -> Sequence[Path]:
    folder = store() / "etc"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _USERS.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    return [folder / name for name in _USERS]
