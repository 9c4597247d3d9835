"""`dualcode workflow`: workflows of nodes, shown, checked, and run on an issue."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualcode.cli.approvals import approver, decisions_of
from dualcode.cli.options import (
    COUNT,
    EXIT_ERRORED,
    EXIT_FOUND,
    PATH,
    WholeSummaries,
    archives_option,
    json_option,
    print_columns,
    print_json,
    quiet_option,
    spelled,
    team_options,
    telling,
    unsafe_option,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dualcode.config import TeamConfig
    from dualcode.issues.task import IssueTask
    from dualcode.workflows.work import WorkAsked, Worked
    from dualcode.workflows.workflow import Workflow


@click.group("workflow", cls=WholeSummaries)
def command() -> None:
    """Let several roles of a team work on an issue, node by node, as a workflow's file says.

    A workflow is YAML in Archon's words, with a role of the team where Archon has provider and model.
    docs/workflows.md has the language in a table.

    \b
    Example:
      dualcode workflow list
      dualcode workflow run plan-implement --issue sqlparse-742 --team team.toml
    """


@command.command("list")
@json_option
def list_workflows(as_json: bool) -> None:
    """List the workflows that dualcode carries, and those in workflows/ of this folder.

    \b
    Example:
      dualcode workflow list --json
    """
    from dualcode.errors import WorkflowError
    from dualcode.workflows.find import workflow_files
    from dualcode.workflows.loading import load_workflow

    found: list[dict[str, Any]] = []
    for name, path in workflow_files().items():
        try:
            found.append({"name": name, **_about(load_workflow(path))})
        except WorkflowError as error:
            found.append({"name": name, "path": str(path), "refused": error.message})
    if as_json:
        print_json({"workflows": found})
        return
    for each in found:
        if "refused" in each:
            click.echo(f"{each['name']:<22}refused: {each['refused']}", err=True)
            continue
        nodes = " -> ".join(node["id"] for node in each["nodes"])
        print_columns([(each["name"], "", nodes)])
        click.echo(click.wrap_text(each["description"], 78, "  ", "  "))


@command.command("show")
@click.argument("name", metavar="NAME|FILE")
@json_option
def show_workflow(name: str, as_json: bool) -> None:
    """Show a workflow: its inputs, and each node with who does it, after what, and when.

    \b
    Example:
      dualcode workflow show plan-implement
    """
    workflow = _load(name)
    if as_json:
        print_json(_about(workflow))
        return
    click.echo(f"{workflow.name}  {workflow.path}\n")
    click.echo(click.wrap_text(" ".join(workflow.description.split()), 78))
    for key, each in workflow.inputs.items():
        needed = "required" if each.required else f"default {each.default!r}"
        click.echo(f"\ninput {key}, {needed}: {each.description}".rstrip(": "))
    for node in workflow.nodes:
        click.echo(f"\n{node.id}  {node.body}{f', by {node.role}' if node.role else ''}")
        for line in _conditions(node.model_dump(), node.continues):
            click.echo(f"  {line}")


@command.command("check")
@click.argument("files", nargs=-1, required=True, metavar="NAME|FILE...")
@click.option("--team", type=PATH, help="Check that this team binds the roles, too.")
@json_option
def check(files: tuple[str, ...], team: Path | None, as_json: bool) -> None:
    """Check workflows: what is wrong is told with its file and line. Exit code 2 if anything is.

    \b
    Example:
      dualcode workflow check workflows/ours.yaml
      dualcode workflow check implement --team team.toml
    """
    from dualcode.config import load_team
    from dualcode.errors import UnknownNameError, WorkflowError
    from dualcode.workflows.loading import check_roles

    config = None if team is None else load_team(team)
    found: list[dict[str, Any]] = []
    for file in files:
        try:
            workflow = _load(file)
            if config is not None:
                check_roles(workflow, list(config.roles))
            found.append({"file": file, "faults": [], **_about(workflow)})
        except (WorkflowError, UnknownNameError) as error:  # the other files are checked all the same
            found.append({"file": file, "faults": error.message.splitlines()})
    if as_json:
        print_json({"workflows": found})
    for each in found if not as_json else ():
        for fault in each["faults"]:
            click.echo(fault)
        if not each["faults"]:
            roles = ", ".join(each["roles"]) or "no role"
            click.echo(f"{each['path']}: ok, {len(each['nodes'])} nodes, {roles}")
    if any(each["faults"] for each in found):
        sys.exit(2)


def _pairs(_context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Read KEY=VALUE, as often as it was given."""
    found: dict[str, str] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{parameter.opts[0]} {each!r}: write KEY=VALUE")
        found[key] = value
    return found


@command.command("run")
@click.argument("name", metavar="[NAME|FILE]", required=False)
@click.option("--issue", metavar="TASK|FOLDER", help="The issue task; see `issues list`.")
@team_options
@click.option(
    "--role", "roles", multiple=True, callback=_pairs, metavar="ROLE=ENDPOINT",
    help="Bind a role to an endpoint of the team, instead of what its file says.",
)  # fmt: skip
@click.option(
    "--input", "inputs", multiple=True, callback=_pairs, metavar="KEY=VALUE", help="An input of the workflow."
)
@click.option(
    "--approve", "approvals", multiple=True, callback=_pairs, metavar="ID=DECISION[:WORDS]",
    help="The decision at an approval node, where nobody sits at a terminal.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be done, and ask no model.")
@click.option("--resume", type=PATH, metavar="FOLDER", help="Go on with a run.")
@click.option("--into", type=PATH, metavar="FOLDER", help="The run's folder. Default: worked/…")
@click.option("--steps", type=COUNT, help="Most replies of an agent. Default: 60.")
@click.option("--tokens", type=COUNT, help="Most tokens that an agent writes. Default: 100,000.")
@click.option("--seconds", type=click.FloatRange(min=1), help="Most seconds of an agent. Default: 3600.")
@archives_option("the")
@unsafe_option
@quiet_option
@json_option
def run(
    name: str | None,
    issue: str | None,
    team: "Path | TeamConfig | None",
    roles: dict[str, str],
    inputs: dict[str, str],
    approvals: dict[str, str],
    dry_run: bool,
    resume: Path | None,
    into: Path | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Run a workflow on an issue, in a worktree of its own, and grade the change that it makes.

    Each node is told on stderr as it begins and ends; stdout has the diff and its grading. NAME is
    plan-implement by default. Exit code 0 if the issue is solved, 5 if not, 4 if a fault was in the way:
    --resume goes on there, and asks no model again for what it answered.

    \b
    Example:
      dualcode workflow run --issue sqlparse-742 --team team.toml --dry-run
      dualcode workflow run implement-review-fix --issue ./our-issue --team team.toml
      dualcode workflow run --resume worked/plan-implement-sqlparse-742-1
    """
    from dualcode.agents.records import AgentLimits
    from dualcode.issues.task import find_task
    from dualcode.serving.running import find_team
    from dualcode.workflows.find import DEFAULT, workflow_files
    from dualcode.workflows.store import WorkStore
    from dualcode.workflows.work import WorkAsked, new_folder

    typed = {key: options.pop(key) for key in ("steps", "tokens", "seconds")}
    limits: dict[str, Any] = {key: value for key, value in typed.items() if value is not None}
    if resume is not None:
        if name or issue or inputs or into or limits or dry_run:
            raise click.UsageError(
                "--resume goes on with what is on record; give the folder alone, or --team"
            )
        kept = WorkStore.open(resume).manifest
        name, issue, inputs, limits = kept.workflow, kept.task, kept.inputs, kept.limits
        team, roles = team or (Path(kept.team) if kept.team else None), roles or kept.roles
    if issue is None:
        raise click.UsageError("give --issue TASK; `issues list` has some")
    chosen = name or DEFAULT
    workflow, task = _load(chosen), find_task(issue)
    if dry_run:
        _print_rehearsal(workflow, task, inputs, team, roles, as_json)
        return
    decisions = decisions_of(workflow, approvals)
    asked = WorkAsked(
        workflow=workflow,
        task=task,
        team=_bound(find_team(team), roles, workflow),
        folder=resume or into or new_folder(workflow, task, Path("worked")),
        inputs=inputs,
        limits=AgentLimits.model_validate(limits),
        approver=approver(decisions),
        named=(
            chosen if chosen in workflow_files() else str(workflow.path.resolve()),
            str(task.folder) if Path(issue).is_dir() else issue,
        ),
        team_file=team.resolve() if isinstance(team, Path) else None,
        resume=resume is not None,
        **options,
    )
    worked = _work(asked, quiet)
    if as_json:
        print_json({**worked.model_dump(mode="json"), "solved": worked.solved})
    else:
        _print_worked(worked)
    if worked.faulted:
        click.echo(f"to go on: {spelled()} workflow run --resume {asked.folder}", err=True)
        sys.exit(EXIT_ERRORED)
    if not worked.solved:
        sys.exit(EXIT_FOUND)


def _work(asked: "WorkAsked", quiet: bool) -> "Worked":
    """Do it, telling each node on stderr; one that is interrupted says how to go on."""
    from dualcode.together import ticking
    from dualcode.workflows.work import do_work

    tell = telling(not quiet)

    async def working() -> "Worked":
        if any(node.body == "approval" for node in asked.workflow.nodes):  # who is asked wants silence
            return await do_work(asked, tell)
        async with ticking(tell) as heard:
            return await do_work(asked, heard)

    tell(f"{asked.workflow.name} on {asked.task.name}, in {asked.folder}")
    try:
        return asyncio.run(working())
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"to go on: {spelled()} workflow run --resume {asked.folder}", err=True)
        raise


def _print_worked(worked: "Worked") -> None:
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


def _load(name: str) -> "Workflow":
    from dualcode.workflows.find import find_workflow
    from dualcode.workflows.loading import load_workflow

    return load_workflow(find_workflow(name))


def _about(workflow: "Workflow") -> dict[str, Any]:
    return {
        "path": str(workflow.path),
        "description": " ".join(workflow.description.split()),
        "roles": list(workflow.roles),
        "inputs": {name: each.model_dump() for name, each in workflow.inputs.items()},
        "nodes": [
            {
                "id": node.id,
                "body": node.body,
                **node.model_dump(mode="json", exclude_defaults=True, exclude={"id"}),
            }
            for node in workflow.nodes
        ],
    }


def _conditions(node: "Mapping[str, Any]", continues: str | None) -> "list[str]":
    """Return lines on when and how a node is done."""
    told = [f"after {', '.join(node['depends_on'])} ({node['trigger_rule']})"] if node["depends_on"] else []
    told += [f"when {node['when']}"] if node["when"] else []
    told += [f"goes on in the conversation of {continues}"] if continues not in (None, "fresh") else []
    told += ["only reads the tree"] if not node["writable"] else []
    return told


def _bound(config: "TeamConfig", roles: dict[str, str], workflow: "Workflow") -> "TeamConfig":
    """Return the team with roles bound as the options say; refuse one that lacks a role of the workflow."""
    from dualcode.errors import UnknownNameError
    from dualcode.workflows.loading import check_roles

    changed = roles
    for role, endpoint in changed.items():
        if endpoint not in config.endpoints:
            raise UnknownNameError("endpoint", endpoint, config.endpoints, hint=f"--role {role}=ENDPOINT")
        if role not in workflow.roles:
            raise UnknownNameError("role of this workflow", role, workflow.roles, hint="--role ROLE=ENDPOINT")
    if len(config.endpoints) == 1 and not changed and set(config.roles) == {"coder", "reviewer"}:
        changed = dict.fromkeys(workflow.roles, next(iter(config.endpoints)))  # one server for every role
    bound = {**config.roles, **changed}
    check_roles(workflow, list(bound))
    return config.model_copy(update={"roles": bound})


def _print_rehearsal(
    workflow: "Workflow", task: "IssueTask", inputs: dict[str, str], team: "Path | TeamConfig | None",
    roles: dict[str, str], as_json: bool,
) -> None:  # fmt: skip
    """Print what each node would do. It needs no server: no team where none was named."""
    from dualcode.config import load_team
    from dualcode.workflows.running import inputs_of, rehearse

    if roles and team is None:
        raise click.UsageError("--role binds to an endpoint of a team: give --team, too")
    config = load_team(team) if isinstance(team, Path) else team
    config = config and _bound(config, roles, workflow)
    nodes = rehearse(workflow, inputs_of(workflow, task, inputs), config)
    if as_json:
        print_json({"workflow": workflow.name, "issue": task.name, "nodes": nodes})
        return
    for number, node in enumerate(nodes, start=1):
        by = f", by {node['role']}" if node["role"] else ""
        by += f" = {node['endpoint']} ({node['model']})" if node["endpoint"] else ""
        click.echo(f"{number}. {node['id']}  {node['body']}{by}")
        for line in _conditions(node, node["context"]):
            click.echo(f"   {line}")
        for key, text in node["texts"].items():
            click.echo(f"   {key}:")
            click.echo("\n".join(f"     | {line}".rstrip() for line in text.rstrip().splitlines()))
