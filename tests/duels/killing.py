"""A duel that is killed, gone on with, and held against one that nobody killed.

`python -m tests.duels.killing [MOMENTS [SKIPPED]]` kills it at random moments and prints the table of
docs/duels.md.
"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dualcode.duels.records import DuelRecords
from dualcode.duels.store import read_duel
from dualcode.issues.bases import open_base
from dualcode.issues.grading import Bench
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.tiers import describe, open_jail
from dualcode.issues.packages import Environment, interpreter
from dualcode.runs import lines
from dualcode.workflows.store import Place
from tests.duels.acting import VISIBLE, Ground, write_duel
from tests.duels.plays import RIGHT, WRONG
from tests.duels.scripted import ScriptedModel
from tests.issues import shop

MATRIX: dict[str, Any] = {"arms": ["pair", "solo", "review"]}


@dataclass(frozen=True)
class Scene:
    """Where a duel is fought again and again."""

    folder: Path
    ground: Ground
    config: Path
    cache: Path

    def duel(self, name: str) -> Path:
        return self.folder / "duels" / name

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def models(self, name: str) -> dict[str, ScriptedModel]:
        scripts = {"right": RIGHT, "wrong": WRONG}
        return {each: ScriptedModel(each, script.play, self.log(name)) for each, script in scripts.items()}

    def fight(self, name: str) -> None:
        """Fight the duel, or go on with it, in this process."""
        errored = self.ground.run(self.ground.prepared(self.config), self.duel(name), self.models(name))
        assert [(cell.key, cell.reason) for cell in errored] == []

    def child(self, name: str, *moment: str) -> "subprocess.Popen[bytes]":
        """Fight it in another process, which may kill itself at a moment."""
        packages = self.ground.environment.packages
        tier = self.ground.jail.tier.name  # probed by whoever set the scene
        asked = [str(self.folder), str(self.config), str(packages), tier, name, *moment]
        command = [sys.executable, "-m", "tests.duels.killing", "child", *asked]
        environment = {**os.environ, "DUALCODE_CACHE_DIR": str(self.cache)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def asked(self, name: str) -> Counter[str]:
        """Return how often each request was answered by a model, and so paid for."""
        return Counter(self.log(name).read_text().splitlines())

    def left_behind(self) -> list[str]:
        """Return worktrees and processes that are left of any duel."""
        trees = [str(each) for each in (self.cache / "issues" / "bases").glob("*/trees/*")]
        return [*trees, *self.commands()]

    def commands(self) -> list[str]:
        """Return the command lines of processes that work in a tree of these duels."""
        found: list[str] = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                line = path.read_text(errors="replace").replace("\0", " ")
                if str(self.cache / "issues" / "bases") in line:
                    found.append(line)
        return found

    def wait_for_commands(self) -> None:
        """Wait for the kernel to end what a killed process had started."""
        until = time.monotonic() + 60
        while self.commands() and time.monotonic() < until:
            time.sleep(0.05)

    def shape(self, name: str) -> Any:
        """Return all that is on record but for times, and for what tells them."""
        folder = self.duel(name)
        return {**shape_of(read_duel(folder)), "files": _lines_of(folder)}


def shape_of(records: DuelRecords) -> Any:
    """Return a duel's records but for times."""
    cells = [_timeless(cell.model_dump(mode="json")) for cell in records.cells]
    steps = {
        "/".join(map(str, key)): [_timeless(step.model_dump(mode="json")) for step in each]
        for key, each in records.steps.items()
    }
    return {"cells": cells, "steps": steps}


_TIMES = {
    "seconds",
    "started",
    "first_token_seconds",
    "output",
    "phases",
    "from_ledger",
    "at",
    "created",
    "call",
}
"""Keys that tell a time, or an order between cells that work side by side; a test run's output does."""


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        # A cell's phases are kept, a grading's are seconds.
        kept = {key: each for key, each in value.items() if key not in _TIMES or isinstance(each, list)}  # pyright: ignore[reportUnknownVariableType]
        return {key: _timeless(each) for key, each in kept.items()}  # pyright: ignore[reportUnknownVariableType]
    return [_timeless(each) for each in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


def _lines_of(folder: Path) -> Mapping[str, Any]:
    """Return, for each cell and plan, its nodes, how many steps and calls it has, and its diffs."""
    found: dict[str, Any] = {}
    for nodes in sorted(folder.glob("*/*/*/*/nodes.jsonl")):
        place = Place(nodes.parent)
        calls = Counter(f"{call.step} {call.endpoint} {call.request.to_line()}" for call in place.calls())
        found[str(nodes.parent.relative_to(folder))] = {
            "nodes": [(name, each.status) for name, each in place.nodes().items()],
            "steps": len(place.steps()),
            "calls": sorted(calls.items()),
            "diff": place.read("change.diff"),
        }
    return found


@contextlib.contextmanager
def scene(folder: Path, ground: Ground | None = None, **matrix: Any) -> Generator[Scene]:
    """Set the scene in a folder."""
    cache = folder / "cache"
    before = os.environ.get("DUALCODE_CACHE_DIR")
    os.environ["DUALCODE_CACHE_DIR"] = str(cache)
    try:
        faulty = shop.make_repository(folder / "repository")
        issue = shop.make_task(folder / "shop-1", folder / "repository", faulty, VISIBLE)
        ground = ground or Ground(asyncio.run(open_jail()), shop.make_environment(folder / "environment"))
        open_base(issue)
        config = write_duel(folder / "config", ("right", "wrong"), issue.folder, **(matrix or MATRIX))
        yield Scene(folder, ground, config, cache)
    finally:
        if before is None:
            del os.environ["DUALCODE_CACHE_DIR"]
        else:
            os.environ["DUALCODE_CACHE_DIR"] = before


# The child.


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(moment: list[str], models: Mapping[str, ScriptedModel]) -> None:
    """Make this process kill itself: `asked N`, `torn FILE N`, `graded N`."""
    if not moment:
        return
    count = int(moment[-1])
    if moment[0] == "asked":
        for model in models.values():
            real = model.play

            def play(request: Any, real: Any = real) -> str:
                if sum(each.made for each in models.values()) >= count:
                    _die()
                return real(request)

            model.play = play
    elif moment[0] == "torn":
        written = Counter[str]()
        real_append = lines.append_whole

        def append(path: Path, content: str | bytes) -> None:
            written[path.name] += 1
            if path.name == moment[1] and written[path.name] == count:
                with path.open("ab", buffering=0) as file:
                    file.write(str(content).encode()[: len(content) // 2])
                _die()
            real_append(path, content)

        for room in ("workflows.store", "duels.purse"):
            sys.modules[f"dualcode.{room}"].append_whole = append  # pyright: ignore[reportAttributeAccessIssue]
    else:
        graded = Counter[str]()
        real_run = Bench.run

        async def run(bench: Bench, tree: Any) -> Any:
            graded["runs"] += 1
            if graded["runs"] == count:
                asyncio.get_running_loop().call_later(0.05, _die)
            return await real_run(bench, tree)

        Bench.run = run  # pyright: ignore[reportAttributeAccessIssue]


def child(folder: Path, config: Path, packages: Path, tier: str, name: str, *moment: str) -> None:
    """Fight a duel, and perhaps die in it."""
    ground = Ground(CommandJail(describe(tier, {})), Environment(interpreter(">=3.8"), packages))
    scene = Scene(folder, ground, config, Path(os.environ["DUALCODE_CACHE_DIR"]))
    models = scene.models(name)
    _arm(list(moment), models)
    ground.run(ground.prepared(config), scene.duel(name), models)


# The table.


def table(moments: int, seed: int, skipped: int = 0) -> None:
    """Kill duels at random moments, go on with each, and print what came of it."""
    drawn = random.Random(seed)
    for _ in range(skipped):
        drawn.uniform(0.05, 1.0)
    with tempfile.TemporaryDirectory(prefix="dualcode-kills-") as folder, scene(Path(folder)) as here:
        Path(folder).chmod(0o755)
        began = time.monotonic()
        assert here.child("whole").wait() == 0
        lasted = time.monotonic() - began
        print(f"nobody killed: {lasted:.1f} s, {sum(here.asked('whole').values())} requests")
        print("| killed after | cells done | requests lost | same records | paid twice | left behind |")
        print("|---|---|---|---|---|---|")
        whole = here.shape("whole")
        for number in range(moments):
            name, after = f"killed-{number}", drawn.uniform(0.05, 1.0) * lasted
            process = here.child(name)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(after)
            process.kill()
            process.wait()
            here.wait_for_commands()
            done = len(list(here.duel(name).glob("cells/*/*/*/cell.json")))
            here.fight(name)
            asked, expected = here.asked(name), here.asked("whole")
            lost = sum((asked - expected).values())
            twice = sum(count > 1 for count in asked.values())
            same = "yes" if here.shape(name) == whole else "NO"
            left = ", ".join(here.left_behind()) or "nothing"
            print(f"| {after:.2f} s | {done} | {lost} | {same} | {twice} | {left} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        folder, config, packages = map(Path, sys.argv[2:5])
        child(folder, config, packages, *sys.argv[5:])
    else:
        table(int(sys.argv[1]) if len(sys.argv) > 1 else 20, 1, *map(int, sys.argv[2:3]))
