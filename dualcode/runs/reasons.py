"""Why a pipeline gave no program, in a line for its verdict."""

import traceback
from pathlib import Path

from dualcode.errors import DualcodeError, EndpointError
from dualcode.runs import watchdog


class ElsewhereError(Exception):
    """A pipeline gave no program in another process, which said why."""


def reason_of(error: BaseException) -> str:
    """Return why a pipeline gave no program."""
    if isinstance(error, ElsewhereError):
        return str(error)
    if isinstance(error, EndpointError):
        return error.message
    if isinstance(error, DualcodeError):  # an unbound role, a sandbox that broke
        return f"{type(error).__name__}: {error.message}"
    return f"pipeline raised {type(error).__name__}: {error} ({place_of(error)})"


def place_of(error: BaseException) -> str:
    """Return where an error came from, without the watchdog's own place."""
    own = watchdog.__file__
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename != own]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
