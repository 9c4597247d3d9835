"""The whole matrix of a duel on the shipped tasks: 3 planners x 3 implementers x 3 issues x 2 trials.

    python benchmarks/duel.py [--concurrency 4] [--trials 2] [--issues NAME ...] [--archives FOLDER]

The models are scripts whose agents work in the real jail: one applies the task's solution, one a turned copy
of it, one changes nothing. Everything else is what a duel does: trees, agents, the trees' own tests, grading.
Prints one line of JSON with wall and CPU seconds, and ends with an error if anything is solved that is not
right, or the reverse. Archives and packages are fetched before the clock starts.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import tempfile
import time
from pathlib import Path

from dualcode.duels.duel import Models, open_benches, seated
from dualcode.duels.preparing import Prepared, differences, manifest, prepare
from dualcode.duels.purse import Purse
from dualcode.duels.running import Duelling, Means
from dualcode.duels.store import DuelStore, read_duel
from dualcode.issues.grading import Bench
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.tiers import open_jail
from dualcode.issues.task import find_task
from dualcode.models.ledger import Fingerprint
from dualcode.panel.calibration import turned
from tests.duels.acting import write_duel
from tests.duels.scripted import Script, ScriptedModel

MODELS = ("right", "wrong", "idle")
ISSUES = ("flask-4041", "jinja-1427", "sqlparse-742")


class Solver(ScriptedModel):
    """Applies a patch of the issue that it is asked about."""

    def __init__(self, name: str, issues: tuple[str, ...]) -> None:
        super().__init__(name, lambda request: self._script(request.messages[1].content).play(request))
        self._issues = {issue: find_task(issue) for issue in issues}

    def _script(self, asked: str) -> Script:
        task = next(each for each in self._issues.values() if each.instruction.splitlines()[0] in asked)
        patch = task.solution.read_text("utf-8")
        patches = {"right": patch, "wrong": turned(patch)}
        if self.name not in patches:
            return Script()
        return Script(edits=(f"git apply - <<'END_OF_PATCH'\n{patches[self.name]}\nEND_OF_PATCH",))


async def fight(
    prepared: Prepared, folder: Path, issues: tuple[str, ...], concurrency: int
) -> dict[str, object]:
    """Fight it, and return what it took."""
    jail: CommandJail = await open_jail()
    chats = {name: Solver(name, issues) for name in MODELS}
    models = Models(prepared.team, chats, {name: Fingerprint(model=name) for name in MODELS}, {})
    benches: dict[str, Bench] = await open_benches(prepared.tasks, prepared.near, jail, lambda _: None)
    began, before, load = time.monotonic(), _cpu(), os.getloadavg()[0]
    duel = manifest(prepared, served={}, tier=jail.tier.name)
    with contextlib.closing(DuelStore.open(folder, duel, differences)) as store:
        purse = Purse(folder, prepared.prices)
        with seated(models, folder, purse, prepared.config.seed) as seating:
            limits = prepared.agent_limits
            means = Means(store, prepared.workflows, benches, seating, prepared.prices, purse, limits)
            errored = await Duelling(means, concurrency=concurrency, tell=lambda _: None).run()
    records = read_duel(folder)
    amiss = [cell.key for cell in records.cells if cell.solved is not cell.condition.endswith("->right")]
    if errored or amiss:
        raise SystemExit(f"errored: {[cell.reason for cell in errored]}; not as they ought to be: {amiss}")
    return {
        "concurrency": concurrency,
        "cells": len(records.cells),
        "solved": sum(bool(cell.solved) for cell in records.cells),
        "requests": sum(chat.made for chat in chats.values()),
        "wall_seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(_cpu() - before, 1),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }


def _cpu() -> float:
    """Return the CPU seconds of this process and of all that it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--trials", type=int, default=2)
    parser.add_argument("--issues", nargs="+", default=list(ISSUES))
    parser.add_argument("--archives", default="tests/issues/data")
    options = parser.parse_args()
    issues = tuple(options.issues)
    with tempfile.TemporaryDirectory(prefix="dualcode-duel-") as root:
        config = write_duel(
            Path(root), MODELS, Path(), issues=list(issues), trials=options.trials,
            archives=[str(Path(options.archives).resolve())],
        )  # fmt: skip
        prepared = prepare(config)
        found = asyncio.run(fight(prepared, Path(root) / "duel", issues, options.concurrency))
    print(json.dumps({"issues": issues, "trials": options.trials, **found}))


if __name__ == "__main__":
    main()
