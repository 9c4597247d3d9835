"""Calls and tokens a task of each pipeline, as if alone and as really spent, from finished runs.

    python benchmarks/calls.py RUNS [--without RUNS]

RUNS is the folder of runs that shared a ledger, `--without` that of the same runs made with --no-ledger.
Prints one JSON line a suite and a Markdown table on stderr. `saved` is the share of completion tokens that
the ledger replayed; without a ledger it is 0 by nature, and `alone` must then equal what was spent.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dualcode.analysis.runs import Run, load_runs
from dualcode.call import Usage
from dualcode.pipelines.find import pipelines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--without", type=Path)
    options = parser.parse_args()
    kept = load_runs([options.runs])
    anew = load_runs([options.without]) if options.without else []
    for dataset in dict.fromkeys(run.dataset for run in kept):
        rows = [row(run, anew) for run in ordered(kept, dataset)]
        print(json.dumps({"dataset": dataset, "saved": saved(ordered(kept, dataset)), "pipelines": rows}))
        print(*table(dataset, rows), sep="\n", file=sys.stderr)


def ordered(runs: Sequence[Run], dataset: str) -> list[Run]:
    names = list(pipelines())
    return sorted((run for run in runs if run.dataset == dataset), key=lambda run: names.index(run.pipeline))


def saved(runs: Sequence[Run]) -> float:
    alone = sum(tokens(run, spent=False).completion_tokens for run in runs)
    return round(1 - sum(tokens(run, spent=True).completion_tokens for run in runs) / alone, 4)


def tokens(run: Run, *, spent: bool) -> Usage:
    servers = run.summary.servers
    return sum((each.spent.usage if spent else each.usage for each in servers), Usage())


def row(run: Run, anew: Sequence[Run]) -> dict[str, Any]:
    tasks, alone, spent = len(run.tasks), tokens(run, spent=False), tokens(run, spent=True)
    twin = next((each for each in anew if (each.dataset, each.pipeline) == (run.dataset, run.pipeline)), None)
    found: dict[str, Any] = {
        "pipeline": run.pipeline,
        "tasks": tasks,
        "calls": run.summary.calls / tasks,
        "asked": (run.summary.calls - run.summary.replayed) / tasks,
        "tokens in": alone.prompt_tokens / tasks,
        "tokens out": alone.completion_tokens / tasks,
        "spent out": spent.completion_tokens / tasks,
        "saved": 1 - spent.completion_tokens / alone.completion_tokens,
    }
    if twin is not None:
        other = tokens(twin, spent=True)
        found["off calls"] = twin.summary.calls / tasks
        found["off tokens in"] = other.prompt_tokens / tasks
        found["off tokens out"] = other.completion_tokens / tasks
        found["off same programs"] = sum(
            run.records.samples[task].solution == sample.solution
            for task, sample in twin.records.samples.items()
            if task in run.records.samples
        )
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in found.items()}


def table(dataset: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    names = list(rows[0])
    lines = [
        f"\n{dataset}",
        "| " + " | ".join(names) + " |",
        "|" + "---|" * len(names),
    ]
    return lines + ["| " + " | ".join(str(each.get(name, "–")) for name in names) + " |" for each in rows]


if __name__ == "__main__":
    main()
