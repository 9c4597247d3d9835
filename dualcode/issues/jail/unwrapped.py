"""Where commands run among the host's own paths: confined by Landlock, or, as told, by nothing."""

from pathlib import Path

from dualcode.issues.jail.bubblewrap import package_folders, system_paths
from dualcode.issues.jail.room import Places, Room

_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def scratch_of(room: Room) -> Path:
    """Return the folder for temporary files: the room's own, or one beside the worktree's git dir."""
    return room.scratch or room.worktree.base.folder / "scratch" / room.worktree.name


def places(room: Room) -> Places:
    """Return the host's paths."""
    return Places(
        tree=str(room.worktree.path),
        packages=str(room.environment.packages),
        tools=str(room.environment.packages.parent / "bin"),
        scratch=str(scratch_of(room)),
        results=str(room.results or ""),
        given=str(room.files[0][0].parent) if room.files else "",
    )


def rules(room: Room) -> dict[str, list[str]]:
    """Return what Landlock lets a command read, write, and what stays hidden beneath the readable."""
    interpreter, tree = room.environment.interpreter, room.worktree.path
    own = [each for each in _SYSTEM if Path(each).exists() and not Path(each).is_symlink()]
    readable = [*own, *system_paths(interpreter)]
    readable += [str(room.environment.packages.parent), *(str(file) for file, _ in room.files)]
    git_dir = room.worktree.base.git_dir
    readable += [str(each) for each in git_dir.iterdir() if each.name != "worktrees"]
    readable.append(str(room.worktree.admin))
    writable = [str(scratch_of(room)), *_DEVICES, *([str(room.results)] if room.results else [])]
    (writable if room.writable else readable).append(str(tree))
    return {"readable": readable, "writable": writable, "hidden": package_folders(interpreter)}
