"""What tests of commands share: the type of `run`, and finished runs to read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.made import SOURCES, Story, write_run

Run = Callable[..., tuple[int, str, str]]
"""Runs one command line; returns exit code, stdout and stderr."""


def finished(folder: Path) -> list[Path]:
    """Write a run of raw-coder and one of review-fix, each of one task."""
    fix = Story(plus=False, draft=SOURCES["right"], review="revise", findings=[])
    return [
        write_run(folder, "raw-coder", {"HumanEval/0": Story(plus=True)}),
        write_run(folder, "review-fix", {"HumanEval/0": fix}),
    ]


def undrawn(
    *_: object, tell: Callable[[str], object] = str, **__: object
) -> tuple[list[Any], dict[str, str]]:
    """Stand in for drawing all figures, which takes seconds, where a test is about something else."""
    tell("drawing figures")
    return [], {}
