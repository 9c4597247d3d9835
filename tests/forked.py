"""Processes of their own that need not import dualcode: forked from one that has, so that starts are cheap.

For tests that kill and start again what is tested. What `python -m dualcode` itself does, tests/cli tells.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from dualcode.cli.main import main

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(
    [
        "dualcode.cli.eval",
        "dualcode.grading.grader",
        "dualcode.models.openai",
        "dualcode.runs.evaluate",
    ]
)


def forked(function: Callable[..., None], *arguments: Any, errors: Path) -> BaseProcess:
    """Call a module's function in a process that leads a group of its own; its stderr goes to a file."""
    process = _FORKING.Process(target=_alone, args=(function, arguments, errors))
    process.start()
    assert process.pid is not None
    while process.is_alive() and os.getpgid(process.pid) != process.pid:
        time.sleep(0.001)
    return process


def dualcode(arguments: Sequence[str], *, errors: Path) -> BaseProcess:
    """Run a command line of dualcode."""
    return forked(_command, list(arguments), errors=errors)


def _command(arguments: list[str]) -> None:
    sys.argv[1:] = arguments
    main(program="python -m dualcode")


def _alone(function: Callable[..., None], arguments: Sequence[Any], errors: Path) -> None:
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for standard, opened in enumerate((null, null, os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND))):
        os.dup2(opened, standard)
    function(*arguments)
