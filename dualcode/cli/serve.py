"""`dualcode serve`: start, stop, status, logs, build."""

import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from dualcode.cli.options import FOLDER, WholeSummaries, json_option, print_json, spelled, stacked

if TYPE_CHECKING:
    from dualcode.serving.plan import ServerPlan

NOT_HEALTHY = 3


class DefaultToStart(WholeSummaries):
    """A group in which a line without a subcommand means `start`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `start` in front of arguments that name no subcommand."""
        bare = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        if bare and not ctx.resilient_parsing:  # which a shell's completion asks for
            args = ["start", *args]
        return super().parse_args(ctx, args)


state_option = click.option(
    "--state", type=FOLDER,
    help="Folder for pids and logs. Default: $DUALCODE_STATE_DIR or the user's state folder.",
)  # fmt: skip
profile_options = stacked(
    click.option(
        "--profile", default="a10g", show_default=True, metavar="NAME|PATH",
        help="What to serve: a folder under serving/, or a path to one.",
    ),
    click.option("--bf16", is_flag=True, help="Serve the small model in bf16 where the profile says AWQ."),
)  # fmt: skip


@click.group(cls=DefaultToStart)
def serve() -> None:
    """Start, stop and look at the two vLLM servers (without a subcommand: start)."""


@serve.command()
@profile_options
@click.option(
    "--only", multiple=True, metavar="SERVER",
    help="Start only this server of the profile, such as coder. May be repeated.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port-free", is_flag=True, help="Take any free ports instead of the profile's.")
@state_option
def start(
    profile: str, bf16: bool, only: tuple[str, ...], host: str, port_free: bool, state: Path | None
) -> None:
    """Start the servers of a profile and wait until they answer.

    What runs already is left alone, and what has died is started again beside it. Before anything is
    downloaded it looks at GPUs, driver, disk and hub, and tells all that is wrong at once.
    """
    from dualcode.serving import pair, profiles
    from dualcode.serving.progress import Display

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)  # so that an ended `start` ends its servers, too
    loaded = profiles.load(profile)
    with closing(Display()) as display:
        pair.start(
            loaded.in_bf16() if bf16 else loaded, only=only, host=host, ports="free" if port_free else None,
            state=state, say=display.say, now=display.now,
        )  # fmt: skip


@serve.command()
@state_option
def stop(state: Path | None) -> None:
    """Stop the servers and everything that they started."""
    from dualcode.serving import pair
    from dualcode.serving.progress import Display

    with closing(Display()) as display:
        stopped = pair.stop(state, say=display.say, now=display.now)
    click.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing is running")


@serve.command()
@json_option
@state_option
def status(as_json: bool, state: Path | None) -> None:
    """Show the servers. Exit code 0 if all are healthy, 3 if not or if none runs."""
    from dualcode.serving import pair

    found = pair.status(state)
    if as_json:
        print_json({"servers": [server.model_dump(mode="json") for server in found]})
    elif found:
        from dualcode.cli.terminal import show
        from dualcode.tables.grid import listed, numbers, words

        heads = (
            words("server"), numbers("pid", drop=3), numbers("port"), words("model", drop=1), words("health"),
            numbers("max_model_len", drop=2), numbers("uptime", drop=2),
        )  # fmt: skip
        rows: list[tuple[str, ...]] = []
        for each in found:
            minutes, seconds = divmod(int(each.uptime), 60)
            length = "" if each.max_model_len is None else str(each.max_model_len)
            up = f"{minutes}:{seconds:02}"
            rows.append((each.name, str(each.pid), str(each.port), each.model, each.health, length, up))
        show(listed("servers", "", heads, rows))
    else:
        click.echo(f"nothing is running\n  try: {spelled()} serve start")
    healthy = bool(found) and all(server.health == "healthy" for server in found)
    sys.exit(0 if healthy else NOT_HEALTHY)


@serve.command()
@click.argument("server", required=False)
@click.option("--lines", "-n", default=40, show_default=True, help="How many lines of each log.")
@click.option("--follow", "-f", is_flag=True, help="Go on as lines are written.")
@state_option
def logs(server: str | None, lines: int, follow: bool, state: Path | None) -> None:
    """Print the logs of the servers, or of one SERVER."""
    from dualcode.serving import logs as written

    later = written.follow(state, server) if follow else ()
    for name, line in chain(written.logs(state, server, lines=lines), later):
        click.echo(line if server else f"{name}: {line}")


@serve.command()
@profile_options
def build(profile: str, bf16: bool) -> None:
    """Build the small models of a profile, without starting anything, and print their folders."""
    from dualcode.serving import checkpoints, interpreter, pair, profiles
    from dualcode.serving.progress import Display

    loaded = profiles.load(profile)
    loaded = pair.fitting(loaded.in_bf16() if bf16 else loaded)
    wanted = list(dict.fromkeys(server.spec.make for server in loaded.servers if server.spec.make))
    with closing(Display()) as display:
        found = (
            checkpoints.ensure(wanted, interpreter.find(), say=display.say, now=display.now) if wanted else {}
        )
    for model, folder in found.items():
        click.echo(f"{model} {folder}")


@serve.command("plan")
@click.option("--gpu", "gpu", metavar="NAME", help="A kind of GPU, such as a10g. Without it they are listed.")
@click.option("--profile", metavar="NAME|PATH", help="Only this profile. Otherwise every one for GPUs.")
@click.option("--display", is_flag=True, help="Count in what a desktop takes of the card.")
@json_option
def plan_command(gpu: str | None, profile: str | None, display: bool, as_json: bool) -> None:
    """Say what of a profile fits on a kind of GPU, by arithmetic: no GPU is needed.

    Memory and speed are computed from published facts (serving/facts.toml). Exit code 0 if the profile, or
    any, fits, 3 if not.

    \b
    Example:
      dualcode serve plan --gpu rtx-4090 --profile two-24gb --display
    """
    from dualcode.errors import ProfileError
    from dualcode.serving import plan, profiles
    from dualcode.serving.facts import load_facts

    facts = load_facts()
    if gpu is None:
        if profile or display:
            raise click.UsageError("--profile and --display are of a card: give --gpu, too")
        names = sorted(facts.gpus)
        if as_json:
            print_json({"gpus": names})
        else:
            click.echo(f"GPUs of serving/facts.toml: {', '.join(names)}")
        return
    card = facts.gpu(gpu)
    loaded = [profiles.load(name) for name in ([profile] if profile else profiles.known())]
    taken = plan.DISPLAY_GIB if display else 0.0
    found = {each.name: plan.plan(each, card, facts, display=taken) for each in loaded}
    if profile and not found[loaded[0].name]:
        unknown = ", ".join(plan.unknown_models(loaded[0], facts))
        raise ProfileError(
            f"of profile {loaded[0].name!r} no model's shape is known: {unknown}",
            hint="add a table [models.NAME] to serving/facts.toml",
        )
    found = {name: plans for name, plans in found.items() if plans}
    if as_json:
        told = {name: [each.model_dump(mode="json") for each in own] for name, own in found.items()}
        print_json({"gpu": gpu, **card.model_dump(mode="json"), "profiles": told})
    else:
        _show_plans(found, f"{card.name}, {card.memory_gib:.2f} GiB")
    sys.exit(0 if any(all(each.fits for each in own) for own in found.values()) else NOT_HEALTHY)


def _show_plans(found: "Mapping[str, Sequence[ServerPlan]]", card: str) -> None:
    from dualcode.cli.terminal import show
    from dualcode.tables.grid import listed, numbers, words

    heads = (
        words("profile"), words("server"), numbers("vLLM", drop=4), numbers("weights", drop=3),
        numbers("other", drop=5), numbers("cache"), numbers("tokens"), numbers("requests"),
        numbers("free", drop=2), numbers("tok/s", drop=1), words("fits"),
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    for name, plans in found.items():
        for each in plans:
            other = each.activations + each.workspace + each.other
            speed = f"{each.tokens_per_second:.0f} – {each.tokens_per_second_full:.0f}"
            rows.append((
                name, each.server, f"{each.share:.1f}", f"{each.weights:.1f}", f"{other:.1f}",
                f"{max(0.0, each.cache):.1f}", str(each.cache_tokens), f"{each.at_full_length:.1f}",
                f"{each.outside:.1f}", speed if each.fits else "", "yes" if each.fits else "no",
            ))  # fmt: skip
            notes += [f"{name}, {each.server}: {problem}" for problem in each.problems]
    notes.append("memory in GiB; requests: of full length, that the cache holds at once; free: beside vLLM")
    notes.append("tok/s: one request alone, and as many as max-num-seqs; computed, not measured")
    show(listed("plan", f"what fits on {card}", heads, rows, notes=notes))
