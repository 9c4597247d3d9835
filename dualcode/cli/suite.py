"""`dualcode suite`: a team's own tasks, begun and proved."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dualcode import machine
from dualcode.cli.options import (
    PATH,
    WholeSummaries,
    data_option,
    json_option,
    load,
    print_json,
    spelled,
    unsafe_option,
)

if TYPE_CHECKING:
    from dualcode.runs.proof import TaskProof
    from dualcode.suites.suite import Suite

EXIT_FAULTY = 2
_SHOWN_LACKS = 3


@click.group("suite", cls=WholeSummaries)
def command() -> None:
    """Write tasks of your own, and prove them before a model sees them.

    A suite is a folder with a folder for each task (spec.md, tests.py, reference.py), or a file of rows in
    EvalPlus's or HumanEval's form; docs/own-tasks.md has all three. Every command takes it by its path.

    \b
    Example:
      dualcode suite new ours
      dualcode suite check ours
      dualcode eval --pipeline review-fix --dataset ours
    """


@command.command("new")
@click.argument("name", type=PATH, metavar="NAME")
def new(name: Path) -> None:
    """Write a first suite, with one task, into the folder NAME.

    \b
    Example:
      dualcode suite new ours
    """
    from dualcode.errors import ConfigError
    from dualcode.suites import own
    from dualcode.suites.files import Located
    from dualcode.suites.registry import OwnSuite

    if name.exists():
        raise ConfigError(f"{name} is there already", hint=f"another NAME, or dualcode suite check {name}")
    _ = OwnSuite(Located(name, "--dataset")).name  # refuses what cannot be a suite's
    try:
        files = own.write_example(name)
    except OSError as error:
        raise ConfigError(f"{name} cannot be written: {error}", hint="another NAME") from error
    for path in files:
        click.echo(path)
    click.echo(f"to prove it: {spelled()} suite check {name}", err=True)


@command.command("check")
@click.argument("name", metavar="NAME|PATH")
@data_option("A benchmark's own file, .jsonl or .jsonl.gz.")
@unsafe_option
@json_option
def check(name: str, data: Path | None, unsafe: bool, as_json: bool) -> None:
    """Prove a suite: by its name (see `dualcode datasets`), or by the path of its file or folder.

    Each reference passes its hidden tests twice, no prompt shows one but as an example, the tests that
    prompts show agree with the references, and each specification's richness is told with what it lacks.
    Exit code 2 if something has to be mended.

    \b
    Example:
      dualcode suite check ours
      dualcode suite check mini --json
    """
    from dualcode.runs.proof import prove
    from dualcode.sandbox import open_sandbox

    suite = load(name, data)

    async def proved() -> "list[TaskProof]":
        async with open_sandbox(machine.cores(), unsafe=unsafe) as sandbox:
            return await prove(suite, sandbox, sandbox.workers)

    proofs = asyncio.run(proved())
    if as_json:
        about = {"suite": suite.name, "data": suite.data.model_dump(mode="json")}
        tasks = [each.model_dump(mode="json") for each in proofs]
        print_json({**about, "terms": suite.terms.model_dump(mode="json"), "tasks": tasks})
    else:
        _print(suite, proofs)
    if any(each.faults for each in proofs):
        sys.exit(EXIT_FAULTY)


def _print(suite: "Suite", proofs: "list[TaskProof]") -> None:
    for each in proofs:
        state = "faulty" if each.faults else "ok" if each.has_reference else "ok, without a reference"
        told = (
            f"{each.tests} tests, {each.repeated} of them among the prompt's {each.visible} examples; "
            f"richness {each.richness.score:.2f}"
        )
        click.echo(f"{each.task_id}  {state}  {told}")
        for fault in each.faults:
            click.echo(f"  mend: {fault}")
        for part in each.richness.missing:
            lacks = "; ".join(part.lacks[:_SHOWN_LACKS]) or "more of the same"
            click.echo(f"  +{part.gain:.2f}  {part.name}: {lacks}")
    faulty = sum(bool(each.faults) for each in proofs)
    sure = sum(each.has_reference and not each.faults for each in proofs)
    click.echo(
        f"{suite.title}: {len(proofs)} tasks, {sure} proved, {faulty} to be mended, "
        f"{len(proofs) - sure - faulty} without a reference"
    )
