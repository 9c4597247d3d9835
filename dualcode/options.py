"""Options and exit codes that several commands share. Imports click alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

EXIT_ERRORED = 4
EXIT_LEAK = 5

F = TypeVar("F", bound=Callable[..., Any])


def unsafe_option(command: F) -> F:
    """Add --unsafe."""
    return click.option(
        "--unsafe",
        is_flag=True,
        help="Run programs even where no sandbox holds on this machine. They can then read your files.",
    )(command)


def running_options(command: F) -> F:
    """Add what commands that run pipelines take: --team, --run-dir, --concurrency, --fresh, --quiet."""
    for option in (
        click.option("--quiet", "-q", is_flag=True, help="No progress."),
        click.option("--fresh", is_flag=True, help="Begin a new run, even if there is one to be resumed."),
        click.option(
            "--concurrency", type=click.IntRange(min=1), help="Tasks at a time. Default: fill every server."
        ),
        click.option(
            "--run-dir",
            type=click.Path(path_type=Path),
            default=Path("runs"),
            show_default=True,
            help="Where runs lie.",
        ),
        click.option(
            "--team", type=click.Path(path_type=Path), help="The team's TOML. Default: the started servers."
        ),
    ):
        command = option(command)
    return command
