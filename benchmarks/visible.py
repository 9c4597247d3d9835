"""Tables of the tests that prompts show, checked against the reference solutions, and of richness.

    python benchmarks/visible.py --humaneval HumanEvalPlus.jsonl.gz --mbpp MbppPlus.jsonl.gz [--workers 2]
        [--responses DIR]

Without the options the files are searched as `dualcode eval` does. Prints Markdown and, last, one line of
JSON; exit code 2 without data.

The reference solutions run in the sandbox. The latency is that of `run_visible` from call to result, one run
at a time, on each reference solution; and per run with all workers busy. The threshold is the score that
tells the suites apart best: the highest mean of the share of HumanEval+ at or above it and of MBPP+ below it.

DIR holds *.jsonl.gz with `task_id`, `response` and `source_verdict_base` (`pass` or `fail`: the source's own
verdict on the base tests) a row. The programs in the replies, each once, are run on their visible tests: how
many wrong ones these catch, and how many right ones they reject.
"""

import argparse
import asyncio
import gzip
import itertools
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dualcode.bench.richness import Richness, richness
from dualcode.bench.visible import VisibleResult, VisibleTests, run_visible, visible_tests
from dualcode.errors import DualcodeError
from dualcode.extraction import extract
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.sandbox import Sandbox
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.task import Task

BIN = 0.05


@dataclass(frozen=True)
class Measured:
    """One suite's tasks with what was found, in the suite's order."""

    suite: Suite
    tests: tuple[VisibleTests, ...]
    results: tuple[VisibleResult, ...]
    """Of the reference solutions."""
    seconds: tuple[float, ...]
    """Of each run, one at a time."""
    at_once: float
    """Seconds a run with all workers busy."""
    richness: tuple[Richness, ...]

    @property
    def scores(self) -> list[float]:
        """The richness scores in ascending order."""
        return sorted(each.score for each in self.richness)


def main() -> int:
    options = _options()
    try:
        suites = [load_suite("humaneval", data=options.humaneval), load_suite("mbpp", data=options.mbpp)]
        measured, tier = asyncio.run(_measure_all(suites, options.workers))
        caught = (
            asyncio.run(_catch(suites, options.responses, options.workers)) if options.responses else None
        )
    except DualcodeError as error:
        print(error, file=sys.stderr)
        return 2
    for table in (_counts, _kinds, _left_out, _failures, _latency, _components, _histogram):
        print(f"{table(measured)}\n")
    if caught:
        print(f"{_caught(caught)}\n")
    best, correct = threshold(measured[0].scores, measured[1].scores)
    print(
        json.dumps(
            {
                "benchmark": "visible",
                "tier": tier,
                **_summary(measured),
                "threshold": best,
                "told_apart": correct,
            }
        )
    )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--humaneval", type=Path, help="HumanEval+ (.jsonl or .jsonl.gz)")
    parser.add_argument("--mbpp", type=Path, help="MBPP+ (.jsonl or .jsonl.gz)")
    parser.add_argument("--responses", type=Path, help="folder of replies with their sources' verdicts")
    parser.add_argument("--workers", type=int, default=2, help="sandbox workers")
    return parser.parse_args()


async def _measure_all(suites: Sequence[Suite], workers: int) -> tuple[list[Measured], str]:
    async with open_sandbox(workers) as sandbox:
        return [await _measure(suite, sandbox) for suite in suites], sandbox.tier.name


async def _measure(suite: Suite, sandbox: Sandbox) -> Measured:
    tests = tuple(map(visible_tests, suite.tasks))
    programs = [suite.hidden[task.id].reference() for task in suite.tasks]
    results: list[VisibleResult] = []
    seconds: list[float] = []
    for each, program in zip(tests, programs, strict=True):
        start = time.perf_counter()
        results.append(await run_visible(each, program, sandbox))
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    await asyncio.gather(*(run_visible(*pair, sandbox) for pair in zip(tests, programs, strict=True)))
    at_once = (time.perf_counter() - start) / len(tests)
    scores = tuple(map(richness, suite.tasks))
    return Measured(suite, tests, tuple(results), tuple(seconds), at_once, scores)


async def _catch(suites: Sequence[Suite], folder: Path, workers: int) -> Counter[tuple[str, str, bool]]:
    """Count programs by suite, the source's verdict, and whether they pass the visible tests."""
    tests = {task.id: visible_tests(task) for suite in suites for task in suite.tasks}
    titles = {task.id: suite.title for suite in suites for task in suite.tasks}
    programs = _programs({task.id: task for suite in suites for task in suite.tasks}, folder)
    async with open_sandbox(workers) as sandbox:
        runs = [run_visible(tests[task_id], text, sandbox) for task_id, text in programs]
        results = await asyncio.gather(*runs)
    pairs = zip(programs.items(), results, strict=True)
    return Counter((titles[task_id], verdict, result.passed) for ((task_id, _), verdict), result in pairs)


def _programs(tasks: Mapping[str, Task], folder: Path) -> dict[tuple[str, str], str]:
    """Return the source's verdict by task and program."""
    found: dict[tuple[str, str], str] = {}
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                task, verdict = tasks.get(row["task_id"]), row.get("source_verdict_base")
                if task is not None and verdict is not None:
                    found.setdefault((task.id, extract(str(row["response"] or ""), task).text), verdict)
    return found


def threshold(rich: Sequence[float], lean: Sequence[float]) -> tuple[float, float]:
    """Return the score that tells two sets apart best (the middle of the best stretch), and how well."""
    cuts = [step / 1000 for step in range(1001)]
    told = [(_share(rich, cut) + 1 - _share(lean, cut)) / 2 for cut in cuts]
    best = [cut for cut, accuracy in zip(cuts, told, strict=True) if accuracy == max(told)]
    return round(statistics.mean((best[0], best[-1])), 3), round(max(told), 4)


def _share(scores: Sequence[float], cut: float) -> float:
    return sum(score >= cut for score in scores) / len(scores)


# Tables


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _counts(measured: Sequence[Measured]) -> str:
    counts = [Counter(len(each.tests) for each in one.tests) for one in measured]
    most = max(itertools.chain(*counts))
    rows = [[number, *(count[number] for count in counts)] for number in range(most + 1)]
    total = ["tests", *(sum(len(each.tests) for each in one.tests) for one in measured)]
    return _table(["visible tests", *(f"{one.suite.title} tasks" for one in measured)], [*rows, total])


def _kinds(measured: Sequence[Measured]) -> str:
    kinds = [Counter(test.kind for each in one.tests for test in each.tests) for one in measured]
    names = sorted({name for kind in kinds for name in kind}, key=lambda name: -sum(k[name] for k in kinds))
    rows = [[name, *(kind[name] for kind in kinds)] for name in names]
    return _table(["kind", *(one.suite.title for one in measured)], rows)


def _left_out(measured: Sequence[Measured]) -> str:
    lefts = [(each.task_id, left) for one in measured for each in one.tests for left in each.left_out]
    found = [((task_id, left.reason.partition(":")[0]), left.shown) for task_id, left in lefts]
    counts, first = Counter(key for key, _ in found), dict(reversed(found))
    rows = [[key[0], n, key[1], _code(first[key])] for key, n in counts.items()]
    return _table(["left out", "how many", "reason", "the first"], rows)


def _code(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return f"`` {line[:90]}{'…' if len(line) > 90 else ''} ``"


def _failures(measured: Sequence[Measured]) -> str:
    rows: list[Sequence[object]] = []
    for one in measured:
        for tests, result in zip(one.tests, one.results, strict=True):
            failed = [i for i, outcome in enumerate(result.outcomes) if outcome != "passed"]
            rows += [[tests.task_id, result.outcomes[i], _code(tests.tests[i].shown)] for i in failed]
    return _table(["the reference fails", "outcome", "test"], rows)


def _latency(measured: Sequence[Measured]) -> str:
    heads = ["run_visible on", "runs", "median ms", "p99 ms", "max ms", "ms a run, all workers"]
    return _table(heads, [[one.suite.title, len(one.seconds), *_times(one)] for one in measured])


def _times(one: Measured) -> list[float]:
    ordered = sorted(one.seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return [round(1000 * each, 2) for each in (statistics.median(ordered), p99, ordered[-1], one.at_once)]


def _caught(counts: Counter[tuple[str, str, bool]]) -> str:
    groups = sorted({(title, verdict) for title, verdict, _ in counts})
    rows = [[*group, counts[*group, True], counts[*group, False]] for group in groups]
    return _table(["programs in replies", "source's verdict", "pass all visible tests", "do not"], rows)


def _components(measured: Sequence[Measured]) -> str:
    heads = ["richness", *(f"{one.suite.title} {name}" for one in measured for name in _QUARTILES)]
    names = [component.name for component in measured[0].richness[0].components]
    rows: list[Sequence[object]] = [
        ["score", *itertools.chain(*(_quartiles(one.scores) for one in measured))]
    ]
    for index, name in enumerate(names):
        parts = [[each.components[index].score for each in one.richness] for one in measured]
        rows.append([name, *itertools.chain(*map(_quartiles, parts))])
    return _table(heads, rows)


_QUARTILES = ("quartile 1", "median", "quartile 3")


def _quartiles(values: Sequence[float]) -> list[str]:
    return [f"{each:.2f}" for each in statistics.quantiles(values, n=4, method="inclusive")]


def _histogram(measured: Sequence[Measured]) -> str:
    bins = [Counter(int(score / BIN + 1e-9) for score in one.scores) for one in measured]
    used = range(min(itertools.chain(*bins)), max(itertools.chain(*bins)) + 1)
    rows = [[f"{BIN * n:.2f}", *itertools.chain(*((b[n], "█" * -(-b[n] // 4)) for b in bins))] for n in used]
    heads = ["score from", *itertools.chain(*((f"{one.suite.title} tasks", "") for one in measured))]
    return _table(heads, rows)


def _summary(measured: Sequence[Measured]) -> dict[str, object]:
    return {
        one.suite.name: {
            "tasks": len(one.tests),
            "with_tests": sum(bool(each.tests) for each in one.tests),
            "tests": sum(len(each.tests) for each in one.tests),
            "reference_fails": sum(len(r.outcomes) - len(r.passing) for r in one.results),
            "median_ms": _times(one)[0],
            "p99_ms": _times(one)[1],
            "richness_quartiles": statistics.quantiles(one.scores, n=4, method="inclusive"),
        }
        for one in measured
    }


if __name__ == "__main__":
    sys.exit(main())
