"""A duel at work: plans that cells share, cells side by side, each from a fresh tree to its verdict."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from dualcode.agents.records import AgentLimits
from dualcode.clock import now
from dualcode.config import Price
from dualcode.duels.assembling import ending_of, phases_of, plan_of, shared_nodes
from dualcode.duels.conditions import keys_of
from dualcode.duels.purse import Purse
from dualcode.duels.records import Cell, Condition, Key
from dualcode.duels.seats import Seating
from dualcode.duels.store import PLAN, DuelStore
from dualcode.errors import DualcodeError, GraderError, MoneyError, RunError, SuiteError
from dualcode.issues.grading import Bench
from dualcode.issues.verdict import IssueVerdict
from dualcode.issues.worktrees import Change, worktree
from dualcode.together import all_or_nothing
from dualcode.workflows.hands import RepositoryHands, Site, restore
from dualcode.workflows.records import NodeResult
from dualcode.workflows.running import inputs_of, run_workflow
from dualcode.workflows.store import CALLS, DIFF, NODES, STEPS, TESTS, Place
from dualcode.workflows.workflow import Workflow

MOST_ERRORED = 3
"""Cells in a row that errored: then something is wrong that the next one would meet, too."""


@dataclass(frozen=True)
class Means:
    """What a duel works with."""

    store: DuelStore
    workflows: Mapping[str, Workflow]
    """By the names that the conditions have."""
    benches: Mapping[str, Bench]
    """By issue."""
    seating: Seating
    prices: Mapping[str, Price | None]
    purse: Purse
    limits: AgentLimits


class Duelling:
    """The cells of one duel that are not done yet."""

    def __init__(self, means: Means, *, concurrency: int, tell: Callable[[str], None]) -> None:
        duel = means.store.duel
        self._store, self._means, self._tell = means.store, means, tell
        self._conditions = {each.id: each for each in duel.conditions}
        self._keys = keys_of(duel.conditions, duel.issues, duel.trials)
        self._slots = asyncio.Semaphore(concurrency)
        self._planned: dict[Key, asyncio.Lock] = {}
        self._done_cells = self._errored_in_a_row = 0

    async def run(self) -> list[Cell]:
        """Do what is not done, and return those that errored.

        Raises MoneyError once the limit is reached and what was in flight has ended, and RunError if cells
        error one after another. Whatever is raised, the same duel can be gone on with.
        """
        todo = [key for key in self._keys if not self._is_done(key)]
        self._done_cells = len(self._keys) - len(todo)
        await self._means.purse.spend(all_or_nothing(self._cell(key) for key in todo))
        left = sum(not self._is_done(key) for key in self._keys)
        if (why := self._means.purse.why) is not None and left:
            raise MoneyError(
                f"the money limit is reached: {why}; {left} of {len(self._keys)} cells are not done",
                hint="a higher [limits.money], then the same command goes on",
            )
        cells = (self._store.cell(key) for key in self._keys)
        return [cell for cell in cells if cell is not None and cell.status == "errored"]

    def _is_done(self, key: Key) -> bool:
        cell = self._store.cell(key)
        return cell is not None and cell.status != "errored"

    async def _cell(self, key: Key) -> None:
        condition = self._conditions[key[0]]
        try:
            plan = await self._plan(condition, *key[1:])
            async with self._slots:
                cell = await self._fight(condition, key, plan)
        except (SuiteError, RunError):
            raise  # of the disk, or of another process: nothing can be put on record
        except Exception as error:
            told = error.message if isinstance(error, DualcodeError) else f"{type(error).__name__}: {error}"
            cell = Cell(
                condition=key[0], issue=key[1], trial=key[2], status="errored", reason=told, started=now()
            )
        self._store.keep(cell)
        self._heard(cell)

    def _heard(self, cell: Cell) -> None:
        came = "solved" if cell.solved else "not solved"
        if cell.status == "errored":
            self._errored_in_a_row += 1
            came = f"errored: {cell.reason}"
        else:
            self._done_cells, self._errored_in_a_row = self._done_cells + 1, 0
            came += "" if cell.status == "complete" else f" ({cell.status}: {cell.reason})"
        name = "/".join(map(str, cell.key))
        self._tell(f"{self._done_cells} of {len(self._keys)}  {name}  {came}")
        if self._errored_in_a_row >= MOST_ERRORED:
            raise RunError(
                f"{self._errored_in_a_row} cells in a row errored, the last by: {cell.reason}",
                hint="mend that; the same command does them again",
            )

    async def _plan(self, condition: Condition, issue: str, trial: int) -> Mapping[str, NodeResult]:
        """Return the nodes that all who have this planner share, done once."""
        planner, workflow = condition.plans_by, self._means.workflows[condition.workflow]
        nodes = shared_nodes(workflow)
        if planner is None or not nodes:
            return {}
        place = self._store.plan_place(planner, issue, trial)
        async with self._planned.setdefault((planner, issue, trial), asyncio.Lock()):
            part = replace(workflow, nodes=nodes)
            done = place.begin(part)
            if all(node.id in done for node in nodes):
                return done
            async with self._slots:
                key = (f"plan:{planner}", issue, trial)
                found, _ = await self._done(part, condition, key, place, done, {})
            if fault := next((each for each in found.values() if each.fault), None):
                raise GraderError(f"the plan of {planner}: {fault.node}: {fault.reason}")
            return found

    async def _fight(self, condition: Condition, key: Key, plan: Mapping[str, NodeResult]) -> Cell:
        """Take a cell from its plan to its verdict."""
        place, workflow = self._store.place(key), self._means.workflows[condition.workflow]
        done = place.begin(workflow)
        results, change = await self._done(workflow, condition, key, place, done, plan)
        status, reason = ending_of(workflow, results)
        planned = plan_of(workflow, results)
        if planned is not None:
            place.write(PLAN, planned)
        place.write(DIFF, change.diff)
        verdict: IssueVerdict | None = None
        if status != "errored":
            verdict = await self._means.benches[key[1]].grade(
                change.diff, name=f"{self._tree_of(key)}-graded"
            )
            place.write(TESTS, verdict.output)
            if verdict.solved is None:
                status, reason = "errored", f"grading: {verdict.reason}"
        calls = place.calls()
        planner = condition.plans_by
        if plan and planner is not None:
            calls = [*self._store.plan_place(planner, *key[1:]).calls(), *calls]
        sharing = sum(each.plans_by == planner for each in self._conditions.values())
        shared = frozenset(plan) if sharing > 1 else frozenset[str]()
        phases = phases_of(condition, workflow, results, calls, self._means.prices, shared=shared)
        return Cell.model_validate(
            {
                "condition": condition.id,
                "issue": key[1],
                "trial": key[2],
                "status": status,
                "reason": reason,
                "phases": phases,
                "plan": planned,
                "diff": change.diff,
                "files": change.files,
                "left_out": change.left_out,
                "verdict": verdict,
                "started": min((call.attempts[0].started for call in calls if call.attempts), default=now()),
                "seconds": sum(each.seconds for each in phases),
            }
        )

    async def _done(
        self,
        workflow: Workflow,
        condition: Condition,
        key: Key,
        place: Place,
        done: Mapping[str, NodeResult],
        plan: Mapping[str, NodeResult],
    ) -> tuple[Mapping[str, NodeResult], Change]:
        """Do the nodes that are not done, in a tree of their own, and make the one commit of it."""
        bench = self._means.benches[key[1]]
        kept, name = len(place.calls()), "/".join(map(str, key))

        def tell(line: str) -> None:
            self._tell(f"{name}  {line}")

        with worktree(bench.base, self._tree_of(key)) as tree:
            await asyncio.to_thread(restore, tree, place.folder, done.values())
            planner = condition.plans_by  # conversations of its plan are to be had, too
            plans = [self._store.plan_place(planner, *key[1:]).folder] if planner else []
            site = Site.of(bench, tree, place.folder, plans)
            team = self._means.seating.team_of(
                condition.roles, key, lambda call: place.add(CALLS, call), first=kept + 1
            )
            hands = RepositoryHands(
                team,
                site,
                place.steps(),
                record=lambda step: place.add(STEPS, step),
                limits=self._means.limits,
                tell=tell,
            )
            results = await run_workflow(
                workflow,
                hands,
                inputs=inputs_of(workflow, bench.task),
                done={**plan, **done},
                record=lambda result: place.add(NODES, result),
                tell=tell,
            )
            change = await asyncio.to_thread(tree.commit)
        return results, change

    def _tree_of(self, key: Key) -> str:
        """Return the name of a cell's worktree: the same in each session, and no other duel's."""
        duel = hashlib.sha256(str(self._store.folder.resolve()).encode()).hexdigest()[:8]
        return f"duel-{duel}-{hashlib.sha256(repr(key).encode()).hexdigest()[:12]}"
