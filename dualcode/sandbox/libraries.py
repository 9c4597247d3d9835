"""What a candidate may read: the standard library, numpy and the system's shared libraries.

Found by looking at the lean interpreter that asks, which is the fork server: this file is imported there,
without the package around it.
"""

import os
import sys
from typing import NamedTuple

_PACKAGE_FOLDERS = ("site-packages", "dist-packages")
_SYSTEM_LINKS = ("/lib", "/lib32", "/lib64", "/libx32")
_EXTRAS = ("/etc/ld.so.cache", "/usr/share/zoneinfo", "/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8")


class Libraries(NamedTuple):
    """Absolute paths, sorted, so that a folder comes before what lies in it."""

    readable: tuple[str, ...]
    """Folders and files."""
    hidden: tuple[str, ...]
    """Folders of installed packages beneath those; what is readable beneath these, is readable."""
    links: tuple[tuple[str, str], ...]
    """Places and targets of the system's own symbolic links to libraries."""


def find_libraries(packages: str | None) -> Libraries:
    """Look at this interpreter's import path and at what it has mapped; `packages` is where numpy lies."""
    standard = {os.path.abspath(path) for path in sys.path if os.path.exists(path)}
    named = (os.path.join(packages, name) for name in ("numpy", "numpy.libs") if packages)
    numpy = {folder for folder in named if os.path.isdir(folder)}
    readable = (
        standard | numpy | _mapped_folders(standard) | {path for path in _EXTRAS if os.path.exists(path)}
    )
    readable |= {os.path.realpath(path) for path in readable}
    folders = {os.path.join(path, name) for path in readable for name in _PACKAGE_FOLDERS}
    hidden = {path for path in folders if os.path.isdir(path)}
    links = {link: os.readlink(link) for link in _SYSTEM_LINKS if os.path.islink(link)}
    shown = set[str]()
    for path in readable:  # unless a folder around it is shown already
        around = [other for other in readable if _is_beneath(path, other)]
        veils = [other for other in hidden if _is_beneath(path, other)]
        if not around or max(map(len, around)) <= max(map(len, veils), default=0):
            shown.add(path)
    return Libraries(tuple(sorted(shown)), tuple(sorted(hidden)), tuple(sorted(links.items())))


def _mapped_folders(standard: set[str]) -> set[str]:
    """Return the folders of the shared libraries in use: what is imported later needs their neighbours.

    Of a folder around the standard library (a prefix's own `lib`) only the shared libraries are taken.
    """
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
        mapped = {line.split(None, 5)[5].strip() for line in file if ".so" in line}
    found = set[str]()
    for folder in {os.path.dirname(path) for path in mapped if os.path.isfile(path)}:
        if any(_is_beneath(path, folder) for path in standard):
            names = (name for name in os.listdir(folder) if ".so" in name)
            found |= {path for path in (os.path.join(folder, name) for name in names) if os.path.isfile(path)}
        else:
            found.add(folder)
    return found


def _is_beneath(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def all_reachable(paths: tuple[str, ...]) -> bool:
    """Tell whether any user can get to these paths."""
    return all(
        os.stat(folder).st_mode & 1 for path in paths for folder in _parents(os.path.realpath(path))
    ) and all(os.stat(path).st_mode & 4 for path in paths)


def _parents(path: str) -> list[str]:
    parents = [os.path.dirname(path)]
    while parents[-1] != "/":
        parents.append(os.path.dirname(parents[-1]))
    return parents
