"""Compare `dualcode.extraction` with `evalplus.sanitize` by the verdicts on the programs that they find.

    python benchmarks/extraction_verdicts.py --data DIR --humaneval FILE --mbpp FILE

DIR holds replies as for `extraction.py`; FILEs are EvalPlus's data. Of each reply to one of their tasks both
programs are graded on the base tests, in the sandbox. Prints, for each file of replies, how many pass with
each, and then every reply that passes with the sanitizer's program and fails with ours: there should be none.
Exit code 1 if there are any, 2 without data.
"""

import argparse
import asyncio
import gzip
import importlib
import json
import os
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dualcode.extraction import extract
from dualcode.grading.rules import Rules
from dualcode.grading.samples import Sample
from dualcode.grading.scoring import ScoreOptions, Watcher, grade_samples
from dualcode.sandbox import open_sandbox
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite

PEER_SECONDS = 10


class Pair(NamedTuple):
    """The two programs of a reply."""

    place: str
    ours: Sample
    peers: Sample


class PeerTimeoutError(Exception):
    """The peer took longer than its limit."""


def main() -> int:
    options = _options()
    data = options.data and Path(options.data)
    files = sorted(data.glob("*.jsonl.gz")) if data else []
    if not files:
        print(f"no replies: {data or 'neither --data nor DUALCODE_RAW_RESPONSES is given'}", file=sys.stderr)
        return 2
    sanitize, lost = _peer(), list[str]()
    warnings.simplefilter("ignore")  # what the compiler remarks on is the candidates'
    for suite in (load_suite("humaneval", data=options.humaneval), load_suite("mbpp", data=options.mbpp)):
        pairs = {path.name: _pairs(path, suite, sanitize) for path in files}
        passed = asyncio.run(_passed(suite, [pair for each in pairs.values() for pair in each]))
        for name, each in pairs.items():
            seen = Counter((pair.ours in passed, pair.peers in passed) for pair in each)
            if each:
                ours, peers = seen[True, True] + seen[True, False], seen[True, True] + seen[False, True]
                print(f"{name}: {len(each)} replies; pass with ours {ours}, with the sanitizer's {peers}")
        every = (pair for each in pairs.values() for pair in each)
        lost += [pair.place for pair in every if pair.peers in passed and pair.ours not in passed]
    print(f"lost: {len(lost)} {' '.join(lost)}")
    return 1 if lost else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default=os.environ.get("DUALCODE_RAW_RESPONSES"), help="folder of replies")
    parser.add_argument("--humaneval", type=Path, help="HumanEvalPlus.jsonl.gz; default: EvalPlus's cache")
    parser.add_argument("--mbpp", type=Path, help="MbppPlus.jsonl.gz; default: EvalPlus's cache")
    return parser.parse_args()


def _peer() -> Callable[[str, str], str]:
    sanitize = importlib.import_module("evalplus.sanitize").sanitize

    def interrupt(*_: object) -> None:
        raise PeerTimeoutError

    signal.signal(signal.SIGALRM, interrupt)

    def within_limit(reply: str, name: str) -> str:
        try:
            signal.alarm(PEER_SECONDS)
            return sanitize(reply, name)
        except PeerTimeoutError:
            return ""
        finally:
            signal.alarm(0)

    return within_limit


def _pairs(path: Path, suite: Suite, sanitize: Callable[[str, str], str]) -> list[Pair]:
    tasks = {task.id: task for task in suite.tasks}
    pairs: list[Pair] = []
    with gzip.open(path, "rt", encoding="utf-8") as source:
        for number, row in enumerate(map(json.loads, source), start=1):
            task, reply = tasks.get(row["task_id"]), str(row["response"] or "")
            if task is not None:
                ours = Sample(task.id, extract(reply, task).text)
                peers = Sample(task.id, sanitize(reply, task.entry_point))
                pairs.append(Pair(f"{path.name}:{number}", ours, peers))
    return pairs


async def _passed(suite: Suite, pairs: list[Pair]) -> set[Sample]:
    """Return the programs that pass the base tests."""
    samples = list(dict.fromkeys(sample for pair in pairs for sample in (pair.ours, pair.peers)))
    if not samples:
        return set()
    async with open_sandbox(2) as sandbox:
        options = ScoreOptions(rules=Rules(base_only=True))
        done = await grade_samples(samples, suite, options, Watcher(), sandbox)
    verdicts = zip(samples, done.verdicts, strict=True)
    return {sample for sample, verdict in verdicts if verdict.base.status == "passed"}


if __name__ == "__main__":
    sys.exit(main())
