"""`dualcode workflow run`: a workflow at work on one issue, in a worktree, and the grading of its change."""

import asyncio
import contextlib
import hashlib
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dualcode import clock
from dualcode.agents.records import AgentLimits
from dualcode.call import Call, Usage
from dualcode.config import TeamConfig
from dualcode.errors import RunError
from dualcode.issues.checking import open_bench
from dualcode.issues.jail.tiers import open_jail
from dualcode.issues.task import IssueTask
from dualcode.issues.verdict import IssueVerdict
from dualcode.issues.worktrees import Dropped, recover, worktree
from dualcode.models.endpoints import check_endpoints
from dualcode.models.ledger.store import FOLDER
from dualcode.models.probe import ask_endpoints
from dualcode.record import Record
from dualcode.team import Team, open_team
from dualcode.workflows.hands import Approver, RepositoryHands, Site, nobody, restore
from dualcode.workflows.loading import check_roles
from dualcode.workflows.records import NodeResult
from dualcode.workflows.running import check_inputs, inputs_of, run_workflow
from dualcode.workflows.store import CALLS, NODES, STEPS, WorkManifest, WorkStore, checksum
from dualcode.workflows.workflow import Workflow

Tell = Callable[[str], None]


@dataclass(frozen=True)
class WorkAsked:
    """What is to be done."""

    workflow: Workflow
    task: IssueTask
    team: TeamConfig
    """With addresses."""
    folder: Path
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Beside those that the task gives."""
    limits: AgentLimits = field(default_factory=AgentLimits)
    approver: Approver = nobody
    archives: Sequence[Path] = ()
    unsafe: bool = False
    named: tuple[str, str] = ("", "")
    """What the workflow and the task were found by."""
    team_file: Path | None = None
    resume: bool = False


class Worked(Record):
    """What came of it."""

    folder: Path
    nodes: tuple[NodeResult, ...]
    diff: str
    files: tuple[str, ...]
    left_out: tuple[Dropped, ...]
    verdict: IssueVerdict | None
    """None: there was a fault of ours, or the workflow was ended by one of its nodes."""
    calls: int
    usage: Usage
    seconds: float

    @property
    def faulted(self) -> bool:
        """Whether a fault of ours is in the way: going on does it again."""
        unsure = self.verdict is not None and self.verdict.solved is None
        return unsure or any(each.fault for each in self.nodes)

    @property
    def solved(self) -> bool:
        """Whether the hidden tests pass."""
        return self.verdict is not None and self.verdict.solved is True


async def do_work(asked: WorkAsked, tell: Tell) -> Worked:
    """Run a workflow on an issue, and grade the change; begin the run, or go on with it.

    Raises WorkflowError, TeamError, SuiteError, EndpointError, SandboxError or RunError.
    """
    inputs = inputs_of(asked.workflow, asked.task, asked.inputs)
    check_inputs(asked.workflow, inputs)
    check_roles(asked.workflow, list(asked.team.roles))
    jail = await open_jail(unsafe=asked.unsafe)
    if jail.tier.name == "unsafe":
        tell("no jail: what models write runs as you")
    tell(f"{asked.task.name}: source, base and environment")
    bench = await open_bench(asked.task, jail, asked.archives)
    await asyncio.to_thread(recover, bench.base)
    began = time.monotonic()
    # The same name each time, and no other run's.
    name = f"workflow-{hashlib.sha256(str(asked.folder.resolve()).encode()).hexdigest()[:16]}"
    with worktree(bench.base, name) as tree:
        store = _store(asked, inputs, jail.tier.name)
        done = store.begin(asked.workflow)
        await asyncio.to_thread(restore, tree, asked.folder, done.values())
        async with _team(asked, store, tell) as team:
            hands = RepositoryHands(
                team,
                Site.of(bench, tree, asked.folder),
                store.steps(),
                lambda step: store.add(STEPS, step),
                limits=asked.limits,
                approver=asked.approver,
                tell=lambda line: tell(f"  {line}"),
            )
            results = await run_workflow(
                asked.workflow,
                hands,
                inputs=inputs,
                done=done,
                record=lambda result: store.add(NODES, result),
                tell=tell,
            )
        change = await asyncio.to_thread(tree.commit)
    verdict: IssueVerdict | None = None
    if not any(each.fault or each.status == "cancelled" for each in results.values()):
        tell("grading")
        verdict = await bench.grade(change.diff)
    store.end(change.diff, verdict)
    calls = store.calls()
    return Worked(
        folder=asked.folder,
        nodes=tuple(results.values()),
        diff=change.diff,
        files=change.files,
        left_out=change.left_out,
        verdict=verdict,
        calls=len(calls),
        usage=sum((call.usage for call in calls), Usage()),
        seconds=time.monotonic() - began,
    )


def _store(asked: WorkAsked, inputs: Mapping[str, str], tier: str) -> WorkStore:
    roles = {role: asked.team.roles[role] for role in asked.workflow.roles}
    found = checksum(asked.workflow)
    if not asked.resume:
        manifest = WorkManifest(
            workflow=asked.named[0],
            name=asked.workflow.name,
            checksum=found,
            task=asked.named[1],
            inputs=dict(inputs),
            roles=roles,
            models={role: asked.team.endpoint_of(role).model for role in roles},
            team=str(asked.team_file) if asked.team_file else None,
            limits=asked.limits.model_dump(),
            tier=tier,
            created=clock.now(),
        )
        return WorkStore.create(asked.folder, manifest)
    store = WorkStore.open(asked.folder)
    models = {role: asked.team.endpoint_of(role).model for role in roles}
    now = {"workflow": found, "inputs": dict(inputs), "models": models, "limits": asked.limits.model_dump()}
    kept = store.manifest
    was = {"workflow": kept.checksum, "inputs": kept.inputs, "models": kept.models, "limits": kept.limits}
    if differ := [name for name in now if now[name] != was[name]]:
        raise RunError(
            f"{asked.folder} was begun with another {' and another '.join(differ)}",
            hint="put that back, or begin a new run",
        )
    return store


@contextlib.asynccontextmanager
async def _team(asked: WorkAsked, store: WorkStore, tell: Tell) -> AsyncGenerator[Team]:
    """Open the models behind the run's own ledger; the servers are asked first who they are."""
    roles = asked.workflow.roles
    if not roles:
        yield Team({})
        return
    served = await ask_endpoints(asked.team, roles, await check_endpoints(asked.team, roles), say=tell)
    async with open_team(asked.team, roles, served, ledger=asked.folder / FOLDER) as team:

        def keep(call: Call) -> None:
            store.add(CALLS, call)

        team = team.for_task(asked.task.name, keep)
        numbers = itertools.count(len(store.calls()) + 1)  # those before are on record
        yield Team({role: replace(seat, numbers=numbers) for role, seat in team.seats.items()})


def new_folder(workflow: Workflow, task: IssueTask, within: Path) -> Path:
    """Return the next free folder for a run of this workflow on this task."""
    names = (within / f"{workflow.name}-{task.name}-{number}" for number in itertools.count(1))
    return next(each for each in names if not each.exists())
