"""Where the files that people edit are found: profiles, suites, studies, workflows.

A folder of the current directory wins over the checkout that this code belongs to, and that over the
copy which the wheel carries.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).parent


def rooms(name: str) -> Iterator[Path]:
    """Yield the existing folders of one room (`serving`, `eval`), the winning one first."""
    seen: set[Path] = set()
    for folder in (Path.cwd() / name, _PACKAGE.parent / name, _PACKAGE / "_data" / name):
        resolved = folder.resolve()
        if resolved.is_dir() and resolved not in seen and resolved != _PACKAGE / name:
            seen.add(resolved)
            yield resolved


def find(room: str, name: str) -> Path | None:
    """Return the winning `name` inside `room`, or None if no room holds it."""
    return next((folder / name for folder in rooms(room) if (folder / name).exists()), None)


def state_folder() -> Path:
    """Return where pids, logs and the running team lie: `$DUALCODE_STATE_DIR` or the user's state folder."""
    given = os.environ.get("DUALCODE_STATE_DIR")
    return Path(given) if given else platformdirs.user_state_path("dualcode")


def cache_folder() -> Path:
    """Return where things lie that can be made again: `$DUALCODE_CACHE_DIR` or the user's cache."""
    given = os.environ.get("DUALCODE_CACHE_DIR")
    return Path(given) if given else platformdirs.user_cache_path("dualcode")
