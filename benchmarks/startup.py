"""Measure how soon commands answer, as ratios to a Python that does nothing.

    python benchmarks/startup.py [--runs 15]

One line of JSON: the median wall-clock and CPU seconds of `python -c pass` and of each command, and their
ratios, all warm and taken in turns, so that load falls on all alike. The commands: `import dualcode` alone;
`dualcode --help`; and `dualcode score` on 10 right samples of the mini suite, whose references were run
before. The aim on two cores that do nothing else: --help under 0.3 s, score under 1.5 s. Half a minute.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dualcode.suites.registry import load_suite

SAMPLES = 10
NOTHING = "python -c pass"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15, help="runs of each command")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder, "samples.jsonl")
        suite = load_suite("mini").select(SAMPLES)
        rows = [{"task_id": task.id, "solution": suite.hidden[task.id].reference()} for task in suite.tasks]
        samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
        commands = {
            NOTHING: ("-c", "pass"),
            "import dualcode": ("-c", "import dualcode"),
            "dualcode --help": ("-m", "dualcode", "--help"),
            "dualcode score": ("-m", "dualcode", "score", str(samples), "--dataset", "mini"),
        }
        for arguments in commands.values():  # bytecode, the references' outputs, the disk's cache
            _run(arguments)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(options.runs):
            for name, arguments in commands.items():
                taken[name].append(_run(arguments))
    told: dict[str, object] = {"benchmark": "startup", "runs": options.runs}
    for place, clock in enumerate(("seconds", "cpu")):
        medians = {name: statistics.median(each[place] for each in runs) for name, runs in taken.items()}
        told[clock] = {name: round(seconds, 3) for name, seconds in medians.items()}
        told[f"{clock} ratio"] = {name: round(each / medians[NOTHING], 1) for name, each in medians.items()}
    print(json.dumps(told | {"load": round(os.getloadavg()[0], 2)}))


def _run(arguments: Sequence[str]) -> tuple[float, float]:
    """Return the wall-clock seconds of a Python, and the CPU seconds of it and its children."""
    before, start = _cpu(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
