"""`dualcode issues`: repository issues as tasks: shown, proved, imported, written."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualcode.cli.options import (
    PATH,
    WholeSummaries,
    archives_option,
    json_option,
    print_columns,
    print_json,
    quiet_option,
    spelled,
    stacked,
    telling,
    unsafe_option,
)

if TYPE_CHECKING:
    from dualcode.issues.checking import IssueProof
    from dualcode.issues.task import IssueTask

EXIT_FAULTY = 2


@click.group("issues", cls=WholeSummaries)
def command() -> None:
    """Prove, import and write tasks made of issues of real repositories.

    A task is a folder in Harbor's layout: task.toml, instruction.md, tests/, solution/. docs/issues.md has
    an example, and says how commands of models and tests are contained.

    \b
    Example:
      dualcode issues list
      dualcode issues check sqlparse-742
    """


@command.command("list")
@json_option
def list_issues(as_json: bool) -> None:
    """List the issue tasks that dualcode carries, and those in eval/issues of this folder.

    \b
    Example:
      dualcode issues list --json
    """
    from dualcode.issues.task import read_task, shipped_folders

    tasks = [read_task(folder) for folder in shipped_folders()]
    if as_json:
        print_json({"issues": [_about(task) for task in tasks]})
        return
    for each in tasks:
        print_columns([(each.name, "", each.settings.source.named)])
        click.echo(click.wrap_text(_title(each), 78, "  ", "  "))


@command.command("show")
@click.argument("name", metavar="TASK|FOLDER")
@json_option
def show_issue(name: str, as_json: bool) -> None:
    """Show one task: where its tree comes from, its tests and limits, and the issue as models read it.

    \b
    Example:
      dualcode issues show flask-4041
    """
    from dualcode.issues.task import find_task

    task = find_task(name)
    if as_json:
        print_json({**_about(task), "instruction": task.instruction})
        return
    limits, settings = task.limits, task.settings
    rows = (
        ("folder", str(task.folder)),
        ("source", settings.source.named),
        ("python", f"{settings.python}, with {len(settings.pins)} pinned packages"),
        ("tests", f"{len(task.fail_to_pass)} fail to pass, {len(task.pass_to_pass)} pass to pass"),
        ("known bad", f"{len(settings.known_bad)}"),
        ("visible test", settings.visible_test),
        ("scope", ", ".join(settings.paths_in_scope) or "any file"),
        ("a command", f"{limits.command_seconds:g} s, {limits.memory_mb} MiB, {limits.processes} processes"),
        ("the tests", f"{limits.test_seconds:g} s"),
    )
    for key, value in rows:
        click.echo(f"{key:<14}{value}")
    click.echo(f"\n{task.instruction}", nl=False)


@command.command("check")
@click.argument("tasks", nargs=-1, required=True, metavar="TASK|FOLDER...")
@archives_option("a")
@unsafe_option
@quiet_option
@json_option
def check(
    tasks: tuple[str, ...], archives: tuple[Path, ...], unsafe: bool, quiet: bool, as_json: bool
) -> None:
    """Prove tasks: the base fails exactly what a fix has to turn, and the solution passes everything.

    Both are run twice, in the jail, without a network; and no copy of the fix may be readable in there.
    Archives and packages are fetched before that, once. Exit code 2 if something has to be mended.

    \b
    Example:
      dualcode issues check sqlparse-742
      dualcode issues check ./our-issue --json
    """
    from dualcode.issues.checking import prove_issue
    from dualcode.issues.jail.tiers import open_jail
    from dualcode.issues.task import find_task

    wanted, tell = [find_task(name) for name in tasks], telling(not quiet)

    async def proved() -> "list[IssueProof]":
        jail = await open_jail(unsafe=unsafe)
        found: list[IssueProof] = []
        for task in wanted:

            def told(what: str, name: str = task.name) -> None:
                tell(f"{name}: {what}")

            found.append(await prove_issue(task, jail, near=archives, tell=told))
            if not as_json:
                _print(found[-1])
        return found

    proofs = asyncio.run(proved())
    if as_json:
        print_json({"issues": [each.model_dump(mode="json") for each in proofs]})
    if any(each.faults for each in proofs):
        sys.exit(EXIT_FAULTY)


@command.command("jail")
@json_option
def jail(as_json: bool) -> None:
    """Say how commands are contained on this machine: each jail is tried by a command that attacks it.

    Exit code 3 if none holds.

    \b
    Example:
      dualcode issues jail
    """
    from dualcode.issues.jail.tiers import TIERS, describe, probe

    async def tried() -> dict[str, str]:
        failures = {name: await probe(name) for name in TIERS}
        return {name: str(failure.message) if failure else "" for name, failure in failures.items()}

    whys = asyncio.run(tried())
    chosen = next((name for name, why in whys.items() if not why), None)
    tier = describe(chosen, {}) if chosen else None
    if as_json:
        tiers = [{"name": name, "works": not why, "why": why} for name, why in whys.items()]
        holds, lacks = (list(tier.holds), list(tier.lacks)) if tier else ([], [])
        print_json({"tiers": tiers, "chosen": chosen, "holds": holds, "lacks": lacks})
    else:
        for name, why in whys.items():
            click.echo(
                f"{name:<12}{f'no: {why}' if why else 'works (chosen)' if name == chosen else 'works'}"
            )
        for head, phrases in (("holds", tier.holds), ("lacks", tier.lacks)) if tier else ():
            click.echo(f"\n{head}")
            for phrase in phrases:
                click.echo(f"  {phrase}")
    if chosen is None:
        sys.exit(3)


_tree_options = stacked(
    click.option(
        "--python", default=">=3.8", show_default=True, help="The versions of Python that a tree runs on."
    ),
    click.option(
        "--pin", "pins", multiple=True, metavar="NAME==VERSION", help="A package that the tests need."
    ),
    click.option(
        "--pythonpath", multiple=True, default=(".",), show_default=True, help="A tree's import root."
    ),
)
"""What a task says of its tree."""


@command.command("import")
@click.argument("source", type=PATH, metavar="FILE|FOLDER")
@click.argument("target", type=PATH, metavar="FOLDER")
@click.option(
    "--repository", "repositories", multiple=True, metavar="[NAME=]PATH",
    help="Where a row's repository lies here; NAME as the rows have it, such as pallets/flask.",
)  # fmt: skip
@_tree_options
@click.option("--only", default="*", metavar="PATTERN", help="Only rows, or exercises, of such a name.")
def import_issues(source: Path, target: Path, repositories: tuple[str, ...], only: str, **tree: Any) -> None:
    """Make tasks of SWE-bench's rows (.jsonl, .json), or of Python exercises of aider's polyglot folder.

    What needs a Docker image is refused by name. A row's repository is read where --repository says, and not
    changed. `dualcode issues check` proves what was written.

    \b
    Example:
      dualcode issues import rows.jsonl ours --repository pallets/flask=../flask --pin pytest==7.4.4
      dualcode issues import polyglot-benchmark ours --pin pytest==7.4.4
    """
    from dualcode.issues.importing import Wanted, import_tasks
    from dualcode.issues.writing import Needs

    wanted = Wanted.of(repositories, only=only, needs=Needs(**tree))
    written, refused = import_tasks(source, target, wanted)
    for name, why in refused:
        click.echo(f"refused  {name}: {why}", err=True)
    for folder in written:
        click.echo(folder)
    if written:
        click.echo(f"to prove them: {spelled()} issues check {target}/*", err=True)
    if refused and not written:
        sys.exit(EXIT_FAULTY)


@command.command("new")
@click.argument("folder", type=PATH, metavar="FOLDER")
@click.option("--path", "repository", required=True, type=PATH, help="The repository.")
@click.option("--revision", default="HEAD", show_default=True, help="The commit that has the fault.")
@click.option("--issue", required=True, type=PATH, help="A file with the issue's text; - for stdin.")
@click.option(
    "--fix", metavar="REVISION", help="A commit that mends it: its source and its tests become the proof."
)
@_tree_options
def new(folder: Path, repository: Path, revision: str, issue: Path, fix: str | None, **tree: Any) -> None:
    """Write a task from a local repository, a revision of it and an issue's text.

    With --fix the tests and the solution are taken from that commit; without it, a first hidden test is
    written that you complete. The repository is only read.

    \b
    Example:
      dualcode issues new ours/price-7 --path ../shop --revision v1.2 --issue issue.md --pin pytest==7.4.4
    """
    from dualcode.errors import InputError
    from dualcode.issues.writing import Needs, write_task

    try:
        text = sys.stdin.read() if str(issue) == "-" else issue.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{issue} cannot be read as text: {error}", hint="--issue FILE, or - for stdin"
        ) from None
    for path in write_task(folder, repository, revision, text, fix=fix, needs=Needs(**tree)):
        click.echo(path)
    click.echo(f"complete tests/ and fail_to_pass, then: {spelled()} issues check {folder}", err=True)


def _about(task: "IssueTask") -> dict[str, object]:
    return {
        "name": task.name,
        "title": _title(task),
        "folder": str(task.folder),
        "settings": task.settings.model_dump(mode="json"),
        "fail_to_pass": len(task.fail_to_pass),
        "pass_to_pass": len(task.pass_to_pass),
    }


def _title(task: "IssueTask") -> str:
    return task.instruction.partition("\n")[0].lstrip("# ")


def _print(proof: "IssueProof") -> None:
    state = "faulty" if proof.faults else "proved" if proof.has_solution else "ok, without a solution"
    took = sum(proof.seconds.values())
    click.echo(
        f"{proof.task}  {state}  {proof.fail_to_pass} fail to pass, {proof.pass_to_pass} pass to pass; "
        f"{took:.1f} s"
    )
    for fault in proof.faults:
        click.echo(f"  mend: {fault}")
    if proof.seconds:
        click.echo("  " + ", ".join(f"{what} {seconds:.2f} s" for what, seconds in proof.seconds.items()))
