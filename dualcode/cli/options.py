"""Options and exit codes that several commands share. Imports click alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from dualcode.suites.suite import Suite

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
    """Add what commands that run pipelines take: --team, --run-dir, --concurrency and so on."""
    for option in (
        click.option("--quiet", "-q", is_flag=True, help="No progress."),
        click.option(
            "--fresh",
            is_flag=True,
            help="Begin a new run, even if there is one to be resumed. Without --fresh that goes on.",
        ),
        click.option(
            "--task-seconds",
            type=click.FloatRange(min=0, min_open=True),
            envvar="DUALCODE_TASK_SECONDS",
            help="Most seconds a task; then it is errored. Default: the team's [limits], 4 hours.",
        ),
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


def dataset_options(command: F) -> F:
    """Add --dataset and --data."""
    command = click.option(
        "--data",
        type=click.Path(path_type=Path),
        help="The benchmark's own file (.jsonl or .jsonl.gz), instead of EvalPlus's cache or download.",
    )(command)
    return click.option(
        "--dataset",
        required=True,
        metavar="SUITE",
        help="A name (see `datasets`), or the file or folder of a suite of your own.",
    )(command)


def load(dataset: str, data: Path | None) -> "Suite":
    """Return the suite that `dataset_options` name."""
    from dualcode.suites.registry import load_suite

    return load_suite(dataset, data=data)


def print_columns(rows: Sequence[tuple[str, str, str]]) -> None:
    """Print a name, a place and a text a line."""
    for name, place, text in rows:
        click.echo(f"{name:<20}{place:<14}{text}")
