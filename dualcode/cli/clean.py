"""`dualcode clean`: where dualcode keeps what it can make again, how large that is, and an end to it."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from dualcode.cli.options import print_columns, print_json, spelled

KINDS = ("grading", "models", "issues", "state")


@dataclass(frozen=True)
class Place:
    """A folder of one kind, or what dualcode keeps of one in a folder that others may use, too."""

    kind: str
    what: str
    paths: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        """How large it is."""
        files = (each for path in self.paths for each in (path, *path.rglob("*")) if each.is_file())
        return sum(each.lstat().st_size for each in files)


def places() -> list[Place]:
    """Return what can be cleared. Runs and their ledgers are none of it: they cost what was paid for them."""
    from dualcode.models.probe import folder
    from dualcode.resources import cache_folder, state_folder
    from dualcode.serving.logs import log_folder
    from dualcode.serving.running import FILE

    cache, state = cache_folder(), state_folder()
    return [
        Place("grading", "what the benchmarks' references return; made again by the first grading",
              (cache / "grading",)),
        Place("models", "the small model's checkpoints; made again by the next start", (cache / "models",)),
        Place("issues", "archives, packages and worktrees of issue tasks; made again by the next check",
              (cache / "issues",)),
        Place("state", "logs and pids of the servers, and what servers were found to be able to do",
              (log_folder(state), state / FILE, state / "lock", folder())),
    ]  # fmt: skip


@click.command("clean")
@click.argument("kinds", nargs=-1, metavar="[KIND]...", type=click.Choice(KINDS))
@click.option("--yes", is_flag=True, help="Clear without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print where things lie as one JSON object.")
def clean(kinds: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Show where caches, models and states lie and how large they are, and clear them if that is confirmed.

    KIND is grading, models, issues or state; without one it is all four. Runs and their ledger lie where
    --run-dir says and are never touched; `dualcode ledger prune` makes a ledger smaller. EvalPlus's downloads
    lie in EvalPlus's own cache: `dualcode datasets` says where.

    \b
    Example:
      dualcode clean
      dualcode clean models --yes
    """
    if yes and as_json:
        raise click.UsageError("--json says where things lie, and clears nothing: leave out --yes")
    from dualcode.errors import ServingError
    from dualcode.serving.running import recorded

    found = [each for each in places() if not kinds or each.kind in kinds]
    if as_json:
        rows = [
            {"kind": each.kind, "path": str(each.paths[0]), "bytes": each.bytes, "what": each.what}
            for each in found
        ]
        print_json({"places": rows})
        return
    for each in found:
        print_columns([(each.kind, f"{each.bytes / 1e6:,.1f} MB", f"{each.paths[0]}  {each.what}")])
    there = [each for each in found if any(path.exists() for path in each.paths)]
    if not there:
        click.echo("there is nothing to clear")
        return
    if any(each.kind != "grading" for each in there) and recorded() is not None:
        raise ServingError("servers are running on this state and these models", hint="dualcode serve stop")
    names = ", ".join(each.kind for each in there)
    if not yes and not sys.stdin.isatty():
        again = " ".join([spelled(), "clean", *kinds, "--yes"])
        click.echo(f"nothing was cleared; to clear {names}: {again}", err=True)
        return
    if not yes and not click.confirm(f"clear {names}?"):
        return
    for path in (path for each in there for path in each.paths):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    click.echo(f"cleared {names}")
