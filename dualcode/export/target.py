"""Where an export lies: written whole or not at all, and never over something else without being told."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from dualcode.errors import ConfigError

State = Literal["written", "unchanged", "replaced"]


def place(
    target: Path,
    write: Callable[[Path], object],
    same: Callable[[Path, Path], bool],
    *,
    replace: bool,
) -> State:
    """Let `write` make a file beside the target, then move it there, unless the same is there already.

    Another content is replaced only if `replace`: it may have been edited. Raises ConfigError otherwise,
    and if it cannot be written.
    """
    fresh = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write(fresh)
        if not target.exists():
            fresh.replace(target)
            return "written"
        if same(fresh, target):
            return "unchanged"
        if not replace:
            raise ConfigError(
                f"{target} is there already and differs: the run has gone on, the file was edited,"
                " or another version wrote it",
                hint="--replace, or -o FOLDER",
            )
        fresh.replace(target)
        return "replaced"
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error}", hint="-o FOLDER") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
