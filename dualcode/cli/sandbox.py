"""`dualcode sandbox`: which sandbox this machine gives, and how strong it is."""

import asyncio
import statistics
import sys
import time
from typing import Any

import click

from dualcode.cli.options import json_option, print_json
from dualcode.errors import SandboxError

RUNS = 50
EXIT_NONE = 3


@click.command("sandbox")
@json_option
@click.option("--unsafe", is_flag=True, help="Also take the tier that contains nothing, if no other works.")
def sandbox(as_json: bool, unsafe: bool) -> None:
    """Say how programs are contained on this machine: the tiers, which one works, what holds and what lacks.

    Each tier is tried by running a small program that attacks it. Exit code 3 if none works.

    \b
    Example:
      dualcode sandbox --json
    """
    report = asyncio.run(examine(unsafe=unsafe))
    if as_json:
        print_json(report)
    else:
        _print(report)
    if report["chosen"] is None:
        sys.exit(EXIT_NONE)


async def examine(*, unsafe: bool = False) -> dict[str, Any]:
    """Try every tier and measure the chosen one.

    Returns `tiers` (name, works, why it does not), `chosen` (None if none works), `holds`, `lacks`, `hint`
    and `run_ms` (median, p99 of runs of a trivial program, one at a time, and their number).
    """
    from dualcode.sandbox.job import Arguments, Job
    from dualcode.sandbox.pool import open_sandbox
    from dualcode.sandbox.tiers import TIERS, probe

    failures = {name: await probe(name) for name in TIERS}
    tiers = [
        {"name": name, "works": failure is None, "why": failure.message if failure else ""}
        for name, failure in failures.items()
    ]
    try:
        async with open_sandbox(1, unsafe=unsafe) as opened:
            tier, job = opened.tier, Job("def same(x):\n    return x\n", Arguments.of("same", [[1]]))
            await opened.run(job)  # the server has started when the others are timed
            seconds: list[float] = []
            for _ in range(RUNS):
                began = time.perf_counter()
                await opened.run(job)
                seconds.append(time.perf_counter() - began)
    except SandboxError as error:
        return {"tiers": tiers, "chosen": None, "holds": [], "lacks": [], "hint": error.hint, "run_ms": None}
    cuts = statistics.quantiles(seconds, n=100)
    return {
        "tiers": tiers,
        "chosen": tier.name,
        "holds": list(tier.holds),
        "lacks": list(tier.lacks),
        "hint": None,
        "run_ms": {"median": round(cuts[49] * 1e3, 2), "p99": round(cuts[98] * 1e3, 2), "runs": RUNS},
    }


def _print(report: dict[str, Any]) -> None:
    for tier in report["tiers"]:
        chosen = " (chosen)" if tier["name"] == report["chosen"] else ""
        click.echo(f"{tier['name']:<12}{'works' + chosen if tier['works'] else 'no: ' + tier['why']}")
    if report["chosen"] is None:
        click.echo(
            "\nno sandbox works on this machine; nothing is run without one unless told --unsafe", err=True
        )
        click.echo(f"  try: {report['hint']}", err=True)
        return
    if report["chosen"] == "unsafe":
        click.echo("unsafe      (chosen, as told)")
    from dualcode.cli.options import print_below

    click.echo("\nholds")
    for phrase in report["holds"]:
        print_below("  ", phrase)
    click.echo("lacks")
    for phrase in report["lacks"] or [
        "nothing known; faults of the kernel and side channels are not defended"
    ]:
        print_below("  ", phrase)
    median, p99, runs = report["run_ms"].values()
    click.echo(f"\none run of a trivial program: median {median} ms, p99 {p99} ms, of {runs}")
