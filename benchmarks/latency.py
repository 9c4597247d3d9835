"""Measure what a short run in each sandbox costs: a draft's visible tests, and a program that does nothing.

    python benchmarks/latency.py [--runs 1000] [--tiers namespaces landlock unsafe]

One line of JSON for each tier, milliseconds of wall-clock time from asking to having the answer: of a
*visible* run (a short program and three calls, as the retry loop makes thousands of) with nothing else at
work and with two at once, and of an *empty* run (no program, no call): what a jail costs by itself. The
tier `unsafe` is the same fork server without a jail; `bare` starts a new Python for each. About 15 seconds.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time

from dualcode.errors import SandboxError
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.job import Expressions, Job
from dualcode.sandbox.sandbox import Sandbox

PROGRAM = """
from typing import List

def has_close_elements(numbers: List[float], threshold: float) -> bool:
    ordered = sorted(numbers)
    return any(b - a < threshold for a, b in zip(ordered, ordered[1:]))
"""
CALLS = tuple(f"has_close_elements([1.0, 2.8, 3.0, 4.0, 5.0, 2.0], {limit})" for limit in (0.3, 0.1, 2.0))
VISIBLE = Job(PROGRAM, Expressions(CALLS), go_on=True, capture=True)
EMPTY = Job("", Expressions(()))
WARM_UP = 50


def main() -> int:
    options = _options()
    for tier in options.tiers:
        try:
            numbers = asyncio.run(_measure(tier, options.runs))
        except SandboxError as error:
            numbers = {"refused": error.message}
        _print(tier, numbers)
    _print("bare", {"visible": _summary([_bare() for _ in range(options.runs // 20)])})
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000, help="runs of each kind")
    parser.add_argument("--tiers", nargs="*", default=["namespaces", "landlock", "unsafe"])
    return parser.parse_args()


def _print(tier: str, numbers: object) -> None:
    load = round(os.getloadavg()[0], 2)
    print(json.dumps({"benchmark": "latency", "tier": tier, "ms": numbers, "load": load}), flush=True)


async def _measure(tier: str, runs: int) -> object:
    async with open_sandbox(2, tier=tier, unsafe=tier == "unsafe") as sandbox:
        for _ in range(WARM_UP):
            await asyncio.gather(_timed(sandbox, VISIBLE), _timed(sandbox, VISIBLE))

        async def repeat(job: Job, times: int) -> list[float]:
            return [await _timed(sandbox, job) for _ in range(times)]

        empty, alone = await repeat(EMPTY, runs), await repeat(VISIBLE, runs)
        one, other = await asyncio.gather(repeat(VISIBLE, runs // 2), repeat(VISIBLE, runs // 2))
    return {
        "empty": _summary(empty),
        "visible": _summary(alone),
        "visible, 2 at once": _summary([*one, *other]),
    }


async def _timed(sandbox: Sandbox, job: Job) -> float:
    start = time.perf_counter()
    ran = await sandbox.run(job)
    took = time.perf_counter() - start
    if ran.ending != "finished":
        raise RuntimeError(f"a right program {ran.ending}: {ran.detail}")
    return took * 1000


def _bare() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", "\n".join([PROGRAM, *CALLS])], check=True)
    return (time.perf_counter() - start) * 1000


def _summary(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {"median": round(statistics.median(ordered), 2), "p99": round(p99, 2), "runs": len(ordered)}


if __name__ == "__main__":
    sys.exit(main())
