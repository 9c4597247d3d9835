"""Options and exit codes that several commands share, and how help is laid out. Imports click alone."""

import functools
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

if TYPE_CHECKING:
    from dualcode.config import TeamConfig
    from dualcode.suites.suite import Suite

EXIT_ERRORED = 4
EXIT_LEAK = 5
EXIT_FOUND = 5
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)
COUNT = click.IntRange(min=1)
ABOVE_ZERO = click.FloatRange(min=0, min_open=True)


class WholeSummaries(click.Group):
    """A group whose help tells each command's first sentence whole, on as many lines as it takes.

    A name that is none of its commands is told with the nearest.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], self.list_commands(ctx))
            more = f" Nearest: {', '.join(near)}." if near else ""
            raise click.UsageError(error.message + more, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands."""
        self.write_commands("Commands", self.list_commands(ctx), ctx, formatter)

    def write_commands(
        self, title: str, names: Sequence[str], ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write these commands below a title."""
        found = ((name, self.get_command(ctx, name)) for name in names)
        rows = [(name, each.get_short_help_str(limit=1000)) for name, each in found if each is not None]
        with formatter.section(title):
            formatter.write_dl(rows)


def spelled() -> str:
    """Return how this command line is called here: `dualcode` where that is on PATH."""
    if shutil.which("dualcode"):
        return "dualcode"
    python = Path(sys.executable)
    near = python.is_relative_to(Path.cwd())
    return f"{python.relative_to(Path.cwd()) if near else python} -m dualcode"


def age(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Return an age such as `30d` in seconds."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", value.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds <= 0:
        raise click.BadParameter(
            f"{value!r} is no age; write 30d, 12h or 2w (s, m, h, d, w)", context, parameter
        )
    return seconds


def split_names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:  # noqa: ARG001
    """Return the names in a list such as `HumanEval/0,HumanEval/7`."""
    return tuple(name for part in (value or "").split(",") if (name := part.strip()))


def telling(aloud: bool) -> Callable[[str], None]:
    """Return what tells progress on stderr, or nothing of it."""
    return lambda line: click.echo(line, err=True) if aloud else None


def print_json(found: Mapping[str, Any]) -> None:
    """Print one object on one line of stdout."""
    click.echo(json.dumps(found))


def stacked(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return what adds several options, in this order."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
json_of_each_option = click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object a run on stdout instead of tables."
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress.")
limit_option = click.option("--limit", type=COUNT, help="Only the first N tasks.")
unsafe_option = click.option(
    "--unsafe", is_flag=True,
    help="Run programs even where no sandbox holds on this machine. They can then read your files.",
)  # fmt: skip
no_ledger_option = click.option(
    "--no-ledger", is_flag=True, help="Ask every call anew; neither read nor fill RUN-DIR/ledger."
)


def run_dir_option(told: str = "Where runs lie.") -> Callable[[F], F]:
    """Return what adds --run-dir."""
    return click.option("--run-dir", type=PATH, default=Path("runs"), show_default=True, help=told)


def data_option(told: str) -> Callable[[F], F]:
    """Return what adds --data."""
    return click.option("--data", type=PATH, help=told)


def archives_option(whose: str) -> Callable[[F], F]:
    """Return what adds --archives, of `a` task or `the` task."""
    told = f"A folder that may hold {whose} task's archive, so that nothing is downloaded."
    return click.option("--archives", type=PATH, multiple=True, help=told)


def team_options(command: F) -> F:
    """Add --team, --base-url and --model; the command is given `team`, as `team_of` makes it of them."""

    @functools.wraps(command)
    def called(
        *given: Any, team: Path | None, base_url: str | None, model: str | None, **options: Any
    ) -> Any:
        return command(*given, team=team_of(team, base_url, model), **options)

    add = stacked(
        click.option("--team", type=PATH, help="The team's TOML. Default: the started servers."),
        click.option(
            "--base-url", metavar="URL",
            help="One OpenAI-compatible server for every role, without a team's file: http://HOST:PORT/v1.",
        ),
        click.option("--model", metavar="NAME", help="The model that --base-url serves, by its served name."),
    )  # fmt: skip
    return add(cast("F", called))


running_options = stacked(
    team_options,
    run_dir_option(),
    click.option(
        "--concurrency", type=COUNT,
        help="Tasks at a time, of all pipelines together. Default: fill every server.",
    ),
    click.option(
        "--wait-for-server", type=click.FloatRange(min=0), envvar="DUALCODE_WAIT_FOR_SERVER", default=300.0,
        show_default=True, metavar="SECONDS",
        help="How long a server that is lost, or has no room, is waited for before the run stops.",
    ),
    click.option(
        "--task-seconds", type=ABOVE_ZERO, envvar="DUALCODE_TASK_SECONDS",
        help="Most seconds a task; then it is errored. Default: the team's [limits], 4 hours.",
    ),
    click.option(
        "--fresh", is_flag=True,
        help="Begin a new run, even if there is one to be resumed. Without --fresh that goes on.",
    ),
    quiet_option,
)  # fmt: skip
"""What commands that run pipelines take, from --team to --quiet."""


def team_of(team: Path | None, base_url: str | None, model: str | None) -> "Path | TeamConfig | None":
    """Return what `team_options` say of the team: its file, one endpoint for both roles, or nothing."""
    if base_url is None and model is None:
        return team
    if team is not None:
        raise click.UsageError("give either --team, or --base-url with --model")
    if base_url is None or model is None:
        raise click.UsageError("--base-url and --model go together; URL/models lists what a server serves")
    from dualcode.config import Endpoint, TeamConfig

    only = Endpoint(model=model, base_url=base_url)
    return TeamConfig(endpoints={"endpoint": only}, roles=dict.fromkeys(("coder", "reviewer"), "endpoint"))


dataset_options = stacked(
    click.option(
        "--dataset", required=True, metavar="SUITE",
        help="A name (see `datasets`), or the file or folder of a suite of your own.",
    ),
    data_option("The benchmark's own file (.jsonl or .jsonl.gz), instead of EvalPlus's cache or download."),
)  # fmt: skip


def load(dataset: str, data: Path | None) -> "Suite":
    """Return the suite that `dataset_options` name."""
    from dualcode.suites.registry import load_suite

    return load_suite(dataset, data=data)


def print_columns(rows: Sequence[tuple[str, str, str]]) -> None:
    """Print a name, a place and a text a line; see `print_below`."""
    width = max((20, *(len(name) + 1 for name, _, _ in rows)))
    for name, place, text in rows:
        print_below(f"{name:<{width}}{place:<14}", text)


def print_below(lead: str, text: str) -> None:
    """Print a lead and a text: in a pipe on one line, on a terminal folded so that each line stands below."""
    if not sys.stdout.isatty():
        click.echo(lead + text)
        return
    width = max(20, shutil.get_terminal_size().columns - len(lead))
    folded = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
    click.echo("\n".join([lead + folded[0], *(" " * len(lead) + line for line in folded[1:])]))
