"""`dualcode ledger`: what the store of model calls holds and saved, and how to make it smaller."""

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dualcode.cli.options import WholeSummaries, age, json_option, print_json, run_dir_option

if TYPE_CHECKING:
    from dualcode.models.ledger.store import LedgerStats

in_ledger = run_dir_option("Where runs lie; their ledger is in RUN-DIR/ledger.")


@click.group(cls=WholeSummaries)
def ledger() -> None:
    """The store of model calls: the same request to the same model is paid for once."""


@ledger.command()
@in_ledger
@json_option
def stats(run_dir: Path, as_json: bool) -> None:
    """Show entries, tokens kept and tokens saved, by model and fingerprint.

    \b
    Example:
      dualcode ledger stats --run-dir runs
    """
    from dualcode.models.ledger.store import FOLDER, LedgerStore

    with closing(LedgerStore.open(run_dir / FOLDER, create=False)) as store:
        found = store.stats()
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)


@ledger.command()
@in_ledger
@click.option(
    "--older-than", callback=age, metavar="AGE", help="Neither stored nor used for so long: 30d, 12h."
)
@click.option("--model", metavar="NAME", help="A model's served name, or 8 digits of its fingerprint.")
@click.option("--damaged", is_flag=True, help="Entries that cannot be read.")
@click.option("--all", "everything", is_flag=True, help="Every entry.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def prune(
    run_dir: Path, older_than: float | None, model: str | None, damaged: bool, everything: bool, dry_run: bool
) -> None:
    """Delete entries and give their space back; runs that are at work go on.

    Conditions given together must all hold. What was deleted is asked and paid for again when a run needs it.

    \b
    Example:
      dualcode ledger prune --older-than 30d --dry-run
    """
    from dualcode.models.ledger.store import FOLDER, Entries, LedgerStore

    narrowed = older_than is not None or model is not None or damaged
    if everything == narrowed:
        raise click.UsageError("give either --all, or --older-than, --model or --damaged")
    which = Entries(unused_for=older_than, model=model, damaged=damaged)
    with closing(LedgerStore.open(run_dir / FOLDER, create=False)) as store:
        gone = store.prune(which, dry_run=dry_run)
    click.echo(
        f"{'would delete' if dry_run else 'deleted'} {gone.entries} entries with {gone.tokens:,} completion "
        f"tokens; {'they take' if dry_run else 'freed'} {gone.bytes:,} bytes"
    )


def _print(found: "LedgerStats") -> None:
    from dualcode.cli.terminal import show
    from dualcode.tables.grid import listed, numbers, words

    saved = "–" if found.saved_share is None else f"{found.saved_share:.1%}"
    click.echo(f"{found.path}: {found.entries} entries, {found.bytes:,} bytes on disk")
    click.echo(f"{found.hits} hits, {found.misses} misses; {saved} of all completion tokens saved")
    if found.oldest is not None and found.newest is not None:
        days = (time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(each)) for each in (found.oldest, found.newest))
        click.echo("oldest {}, newest {}".format(*days))
    heads = (
        words("model"), words("fingerprint", drop=1), numbers("entries"), numbers("tokens in", drop=2),
        numbers("out"), numbers("hits"), numbers("misses"), numbers("saved out"),
    )  # fmt: skip
    rows = [
        (
            each.fingerprint.model, each.digest[:8], f"{each.entries:,}", f"{each.usage.prompt_tokens:,}",
            f"{each.usage.completion_tokens:,}", f"{each.hits:,}", f"{each.misses:,}", f"{each.hit_tokens:,}",
        )
        for each in found.models
    ]  # fmt: skip
    show(listed("ledger", "", heads, rows))
