"""Grade the canonical solutions by `evalplus.evaluate` and by `dualcode score`, in turn, and compare.

    python benchmarks/grading.py --data DIR [--suite humaneval|mbpp] [--repeats 2] [--parallel N ...]

DIR holds HumanEvalPlus.jsonl(.gz) and MbppPlus.jsonl(.gz). Prints one line of JSON a suite. Everything
happens in a folder of its own (--work) with a HOME of its own, so nothing of the user's is read or written.

Times are of whole processes, wall clock, the least of the repeats; each repeat runs all contestants in the
opposite order of the one before. EvalPlus runs with its default (half of the cores) and with every --parallel
(default: 1 to cores + 1, of which the best counts; after the first repeat only the default and the best run
again). What each computes once and keeps (EvalPlus its expected outputs, dualcode its calibration) is done
before, and its time stated apart (`prepare`; near nothing if --work holds it from an earlier time).

- `plain`: CPU seconds over cores of the tests alone: every solution loaded and called with every input in a
  plain process, as many of them side by side as there are cores. `whole_over_plain` compares a whole process
  of ours, `phase_over_plain` the loop over the samples.
- `bound`: CPU seconds of the candidates' processes over cores, the least that a grading can take. `phase` is
  what the loop over the samples took in a process that records every run; `phase_over_bound` compares them.
- `busy`: the share of the cores that candidates used in each quarter of that loop's time: flat, if well.
- `peak_mib`: memory of the whole process tree, in proportional set size where the kernel tells it.

About 4 minutes for HumanEval+ and 12 for MBPP+ with two repeats on 2 cores.
"""

import argparse
import asyncio
import contextlib
import gzip
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

SUITES = {"humaneval": "HumanEvalPlus.jsonl", "mbpp": "MbppPlus.jsonl"}
OVERRIDES = {"humaneval": "HUMANEVAL_OVERRIDE_PATH", "mbpp": "MBPP_OVERRIDE_PATH"}
CORES = len(os.sched_getaffinity(0))
SAMPLE_SECONDS = 0.5
_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Whole:
    """A process from its start to its end."""

    seconds: float
    peak_mib: float
    passed: int


@dataclass(frozen=True)
class Place:
    """Where a suite is graded."""

    suite: str
    data: Path
    samples: Path
    env: Mapping[str, str]

    @property
    def results(self) -> Path:
        """Where EvalPlus writes its results; a file that is there already would be taken for them."""
        return self.samples.with_name(f"{self.samples.stem}_eval_results.json")


def main() -> int:
    options = _options()
    if options.record:
        print(json.dumps(asyncio.run(_record(options.suite, options.data, options.record))))
        return 0
    for suite in [options.suite] if options.suite else SUITES:
        place = _prepare(suite, options.data, options.work / suite)
        print(json.dumps(_compare(place, options.repeats, options.parallel)), flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of EvalPlus's data files")
    parser.add_argument("--suite", choices=sorted(SUITES), help="only this one")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--parallel", type=int, nargs="*", help="worker counts of EvalPlus to try")
    parser.add_argument("--work", type=Path, default=Path("runs/grading"), help="folder for all that is made")
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)  # the process that records every run
    return parser.parse_args()


def _prepare(suite: str, data: Path, work: Path) -> Place:
    """Lay out a folder: the data unpacked, the canonical samples, an empty home."""
    home = work.resolve() / "home"
    home.mkdir(parents=True, exist_ok=True)
    plain = work.resolve() / SUITES[suite]
    source = data / SUITES[suite]
    plain.write_bytes(source.read_bytes() if source.exists() else gzip.decompress(_packed(source)))
    samples = work.resolve() / "samples.jsonl"
    rows = map(json.loads, plain.read_text().splitlines())
    lines = [
        {"task_id": row["task_id"], "solution": row["prompt"] + row["canonical_solution"]} for row in rows
    ]
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    env = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        OVERRIDES[suite]: str(plain),
    }
    return Place(suite, plain, samples, env)


def _packed(source: Path) -> bytes:
    return source.with_name(f"{source.name}.gz").read_bytes()


def _compare(place: Place, repeats: int, parallel: Sequence[int] | None) -> dict[str, Any]:
    default = max(1, (os.cpu_count() or 1) // 2)
    counts = sorted({default, *(parallel or range(1, CORES + 2))})
    prepared = {"evalplus": _timed(place, _GROUND_TRUTH), "dualcode": _whole(place, _ours).seconds}
    seen: dict[str, list[Whole]] = {}
    best = default
    for repeat in range(repeats):
        contestants = [f"evalplus {count}" for count in counts] + ["dualcode"]
        for name in contestants[:: -1 if repeat % 2 else 1]:
            seen.setdefault(name, []).append(_whole(place, _command(name)))
        best = min(counts, key=lambda count: min(each.seconds for each in seen[f"evalplus {count}"]))
        counts = sorted({default, best})
    recorded, plain = _recorded(place), _plain(place)
    return _line(place.suite, seen, default, best, recorded | {"plain": plain}, prepared)


def _line(
    suite: str,
    seen: Mapping[str, list[Whole]],
    default: int,
    best: int,
    recorded: Mapping[str, Any],
    prepared: Mapping[str, float],
) -> dict[str, Any]:
    walls = {name: round(min(each.seconds for each in all_of), 2) for name, all_of in seen.items()}
    ours, bound = walls["dualcode"], recorded["cpu"] / CORES
    return {
        "benchmark": "grading",
        "suite": suite,
        "cores": CORES,
        "repeats": max(map(len, seen.values())),
        "seconds": walls,
        "best_parallel": best,
        "default_over_ours": round(walls[f"evalplus {default}"] / ours, 2),
        "best_over_ours": round(walls[f"evalplus {best}"] / ours, 2),
        "plain": round(recorded["plain"], 2),
        "whole_over_plain": round(ours / recorded["plain"], 3),
        "phase_over_plain": round(recorded["seconds"] / recorded["plain"], 3),
        "bound": round(bound, 2),
        "phase": round(recorded["seconds"], 2),
        "phase_over_bound": round(recorded["seconds"] / bound, 3),
        "whole_over_bound": round(ours / bound, 3),
        "busy": recorded["busy"],
        "peak_mib": {name: round(max(each.peak_mib for each in all_of)) for name, all_of in seen.items()},
        "passed": {name: min(each.passed for each in all_of) for name, all_of in seen.items()},
        "samples": recorded["samples"],
        "prepare": {name: round(seconds, 1) for name, seconds in prepared.items()},
        "load_at_end": round(os.getloadavg()[0], 2),
    }


Command = Callable[[Place], tuple[list[str], Callable[[bytes], int]]]
"""A command line, and what counts the passed samples from its output."""


def _command(name: str) -> Command:
    kind, _, count = name.partition(" ")
    return _ours if kind == "dualcode" else lambda place: _evalplus(place, int(count))


def _ours(place: Place) -> tuple[list[str], Callable[[bytes], int]]:
    command = [_BIN / "dualcode", "score", place.samples, "--dataset", place.suite, "--data", place.data]
    return [*map(str, command), "--json"], lambda told: json.loads(told)["plus"]["passed"]


def _evalplus(place: Place, count: int) -> tuple[list[str], Callable[[bytes], int]]:
    place.results.unlink(missing_ok=True)
    command = [_BIN / "evalplus.evaluate", "--dataset", place.suite, "--samples", place.samples]
    return [*map(str, command), "--parallel", str(count)], lambda _: _passed(place.results)


def _passed(results: Path) -> int:
    samples = (each for rows in json.loads(results.read_text())["eval"].values() for each in rows)
    return sum(each["base_status"] == each["plus_status"] == "pass" for each in samples)


def _whole(place: Place, command: Command) -> Whole:
    line, count = command(place)
    started = time.monotonic()
    with (place.samples.parent / "log").open("ab") as log:
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=log, env=place.env)
        with _watching(process.pid) as peak:
            told, _ = process.communicate()
    seconds = time.monotonic() - started
    if process.returncode:
        sys.exit(f"{' '.join(line)} ended with {process.returncode}; see {log.name}")
    return Whole(seconds, peak[0] / (1 << 20), count(told))


@contextlib.contextmanager
def _watching(pid: int) -> Generator[list[int]]:
    """Yield a list of one number: the most bytes that the process tree held so far."""
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_SECONDS):
            with contextlib.suppress(psutil.NoSuchProcess):
                root = psutil.Process(pid)
                peak[0] = max(peak[0], sum(map(_memory, [root, *root.children(recursive=True)])))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _memory(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except psutil.AccessDenied:  # a jailed process of an ordinary user
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


_GROUND_TRUTH = """
import sys
from evalplus.data import get_human_eval_plus, get_human_eval_plus_hash, get_mbpp_plus, get_mbpp_plus_hash
from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS
from evalplus.evaluate import get_groundtruth
if sys.argv[1] == "mbpp":
    get_groundtruth(get_mbpp_plus(), get_mbpp_plus_hash(), MBPP_OUTPUT_NOT_NONE_TASKS)
else:
    get_groundtruth(get_human_eval_plus(), get_human_eval_plus_hash(), [])
"""


_PLAIN = """
import copy, json, sys, time
sys.set_int_max_str_digits(0)
from evalplus.data import get_human_eval_plus, get_mbpp_plus
rows = (get_mbpp_plus() if sys.argv[1] == "mbpp" else get_human_eval_plus()).values()
used = 0.0
for row in rows:
    for inputs in (row["base_input"], row["plus_input"]):
        copied, names = copy.deepcopy(inputs), {}
        began = time.process_time()
        exec(row["prompt"] + row["canonical_solution"], names)
        for each in copied:
            names[row["entry_point"]](*each)
        used += time.process_time() - began
print(used)
"""


def _plain(place: Place) -> float:
    """Return the seconds that the tests alone need on all cores."""
    line = [sys.executable, "-c", _PLAIN, place.suite]
    running = [subprocess.Popen(line, env=place.env, stdout=subprocess.PIPE) for _ in range(CORES)]
    return sum(float(each.communicate()[0]) for each in running) / CORES**2


def _timed(place: Place, code: str) -> float:
    """Let EvalPlus compute what it keeps; return the seconds that it took (near none, if it is there)."""
    started = time.monotonic()
    with (place.samples.parent / "log").open("ab") as log:
        subprocess.run(
            [sys.executable, "-c", code, place.suite], env=place.env, stdout=log, stderr=log, check=True
        )
    return time.monotonic() - started


def _recorded(place: Place) -> dict[str, Any]:
    line = [sys.executable, __file__, "--suite", place.suite, "--data", place.data, "--record", place.samples]
    done = subprocess.run([*map(str, line)], env=place.env, capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.decode())
    return json.loads(done.stdout)


async def _record(suite_name: str, data: Path, samples: Path) -> dict[str, Any]:
    """Grade as `dualcode score` does, every run noted: return their CPU time and how busy the cores were."""
    from dualcode.grading.grader import SandboxGrader
    from dualcode.grading.samples import read_samples
    from dualcode.grading.scoring import Watcher, grade_all
    from dualcode.sandbox import open_sandbox
    from dualcode.suites.registry import load_suite

    suite = load_suite(suite_name, data=data)
    read = read_samples(samples, suite)
    async with open_sandbox(CORES) as sandbox:
        recording = _Recording(sandbox)
        async with SandboxGrader(suite, recording, workers=CORES) as grader:
            started = time.monotonic()
            await grade_all(read, grader, Watcher())
            ended = time.monotonic()
    cpu = sum(ran.cpu for _, ran in recording.runs)
    return {
        "cpu": cpu,
        "seconds": ended - started,
        "busy": recording.busy(started, ended),
        "samples": len(read),
    }


class _Recording:
    """A sandbox that notes when each run ended and what it used."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.tier = inner.tier
        self.runs: list[tuple[float, Any]] = []

    async def run(self, job: Any) -> Any:
        ran = await self._inner.run(job)
        self.runs.append((time.monotonic(), ran))
        return ran

    async def close(self) -> None:
        await self._inner.close()

    def busy(self, started: float, ended: float) -> list[float]:
        """Return the share of the cores that runs used in each quarter of the time."""
        quarter = (ended - started) / 4
        used = [0.0] * 4
        for end, ran in self.runs:
            begin = end - max(ran.wall, 1e-6)
            for number in range(4):
                since = started + number * quarter
                overlap = max(0.0, min(end, since + quarter) - max(begin, since))
                used[number] += ran.cpu * overlap / (end - begin)
        return [round(each / quarter / CORES, 3) for each in used]


if __name__ == "__main__":
    sys.exit(main())
