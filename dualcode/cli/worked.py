"""What a workflow came to, for people."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dualcode.workflows.work import Worked


def print_worked(worked: "Worked") -> None:
    """Print the diff, and below it each node and the grading."""
    click.echo(worked.diff or "(no change)\n", nl=False)
    click.echo()
    for node in worked.nodes:
        steps = sum(each.steps for each in node.runs)
        told = f"{steps} steps, {node.seconds:.0f} s" if node.runs else f"{node.seconds:.0f} s"
        why = f": {node.reason}" if node.reason else ""
        click.echo(f"{node.node:<16}{node.status:<11}{told}{why}")
    usage = worked.usage
    click.echo(f"{worked.calls} calls, {usage.prompt_tokens:,} tokens in, {usage.completion_tokens:,} out")
    for each in worked.left_out:
        click.echo(f"left out: {each.path}: {each.why}")
    verdict = worked.verdict
    if verdict is None:
        click.echo("not graded")
    else:
        click.echo(f"graded: {verdict.reason}")
        for each in verdict.dropped:
            click.echo(f"did not count: {each.path}: {each.why}")
        if verdict.out_of_scope:
            click.echo(f"out of scope: {', '.join(verdict.out_of_scope)}")
    click.echo(f"on record: {worked.folder}")
