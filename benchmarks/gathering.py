"""What `dualcode report` makes of 28 runs before it draws, against reading and parsing their files once.

    python benchmarks/gathering.py [--words 2000] [--times 2]

Synthetic runs (`tests/made.py`) of fourteen pipelines on both benchmarks. Prints a JSON line a time: MB of
records; CPU seconds of parsing every line as JSON (`json`), of reading every run as records (`records`) and
of `gather`, and its ratio to each. All are done in the same process, in turn: a busy machine slows all.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dualcode.analysis.gather import gather
from dualcode.runs.store import read_run
from tests.made import Story, write_run

PIPELINES = 14
TASKS = {"humaneval": ("HumanEval/{}", 164), "mbpp": ("Mbpp/{}", 378)}
FINDING = {"where": "line 2", "actual": "twice n", "expected": "three times n"}


def stories(pipeline: int, suite: str, words: str) -> Iterator[tuple[str, Story]]:
    """Yield tasks with what came of them: drafts approved, drafts amended, and none at all."""
    name, count = TASKS[suite]
    for task in range(count):
        passed, kind = (task * 7 + pipeline) % 5 != 0, (task + pipeline) % 3 if pipeline else 0
        wrong = f"def solve(n):\n    return 2 * n  # {task}\n"
        yield (
            name.format(task),
            [
                Story(plus=passed),
                Story(plus=passed, review="approve", reasoning=words),
                Story(plus=passed, draft=wrong, review="revise", findings=[FINDING], reasoning=words),
            ][kind],
        )


def made(folder: Path, words: str) -> None:
    """Write the runs."""
    for suite in TASKS:
        for pipeline in range(PIPELINES):
            name = "raw-coder" if not pipeline else f"pipeline-{pipeline}"
            write_run(folder, name, dict(stories(pipeline, suite, words)), dataset=suite, words=words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--words", type=int, default=2000, help="characters added to each reply and thought")
    parser.add_argument("--times", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        made(Path(root), "word " * (options.words // 5))
        for _ in range(options.times):
            began, size = time.process_time(), 0
            for path in sorted(Path(root).glob("*/*.jsonl")):
                with path.open("rb") as file:
                    for line in file:
                        size += len(line)
                        json.loads(line)
            parsed, began = time.process_time() - began, time.process_time()
            for path in sorted(Path(root).glob("*/manifest.json")):
                read_run(path.parent)
            read, began = time.process_time() - began, time.process_time()
            analysis = asyncio.run(gather([Path(root)], grade=False, tell=lambda _: None))
            took = time.process_time() - began
            row = {"runs": len(analysis.runs), "mb": round(size / 1e6), "json": parsed, "records": read}
            row |= {"gather": took, "to_json": took / parsed, "to_records": took / read}
            print(json.dumps({name: round(value, 2) for name, value in row.items()}), flush=True)


if __name__ == "__main__":
    main()
