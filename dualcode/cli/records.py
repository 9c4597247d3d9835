"""`dualcode records`: what the pair did in daily work, day by day, and an end to what is kept of it."""

import click

from dualcode.cli.options import WholeSummaries, age, json_option, print_json


@click.group(cls=WholeSummaries, invoke_without_command=True)
@click.option(
    "--since", "first", metavar="DAY", help="From this day on: 7d, or 2026-11-28. Default: all there is."
)
@json_option
@click.pass_context
def records(context: click.Context, first: str | None, as_json: bool) -> None:
    """Show what the pair did in daily work: a row a day of what gateway, review and solve kept.

    Records lie on this machine alone, in the user's state folder; DUALCODE_RECORDS=off keeps none.

    \b
    Example:
      dualcode records --since 7d
    """
    if context.invoked_subcommand is not None:
        if first or as_json:
            raise click.UsageError(f"--since and --json are not for {context.invoked_subcommand}")
        return
    from dualcode.journal import Journal, by_day, since

    journal = Journal()
    entries, damage = journal.read(None if first is None else since(first))
    days = by_day(entries)
    if as_json:
        found = {"folder": str(journal.folder), "days": [each.to_json() for each in days]}
        print_json({**found, "damaged": [str(each) for each in damage]})
        return
    for each in damage:
        click.echo(f"warning: {each}", err=True)
    if not days:
        click.echo(f"there are no records in {journal.folder}")
        return
    from dualcode.cli.terminal import show
    from dualcode.tables.days import days_table

    show(days_table(days))


@records.command()
@click.option("--older-than", callback=age, metavar="AGE", help="Days that ended so long ago: 30d, 12h, 2w.")
@click.option("--all", "everything", is_flag=True, help="Every day.")
def prune(older_than: float | None, everything: bool) -> None:
    """Delete what is kept of whole days.

    \b
    Example:
      dualcode records prune --older-than 30d
    """
    from dualcode.journal import Journal

    if everything == (older_than is not None):
        raise click.UsageError("give either --all, or --older-than")
    journal = Journal()
    gone = journal.prune(older_than or 0.0)
    many = "1 day" if len(gone) == 1 else f"{len(gone)} days"
    click.echo(f"deleted {many} of records from {journal.folder}")
