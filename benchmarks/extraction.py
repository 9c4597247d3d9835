"""Measure `dualcode.extraction` on real replies, beside `evalplus.sanitize` with --peer.

    python benchmarks/extraction.py --data DIR [--tasks HumanEvalPlus.jsonl.gz MbppPlus.jsonl.gz] [--peer]

DIR holds *.jsonl.gz with `task_id`, `entry_point` and `response` a row; the default is the environment
variable DUALCODE_RAW_RESPONSES. `--tasks` name EvalPlus's data files, for the prompts; without them (or for
rows of other suites) a task has no prompt. Prints a table and one line of JSON; exit code 2 without data.

`with code` counts the replies whose answer, thinking apart, has a line that defines the entry point, or
that returns something where the prompt shows a signature to complete. It is decided by patterns on
the text, not by the code under test. `lost` counts the rows for which the peer's program compiles and
binds the entry point and ours does not; `in thought` are those of them whose only code is in the thinking.
Times are of the processor, so that a busy machine does not change them.
"""

import argparse
import ast
import gzip
import importlib
import json
import os
import re
import signal
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dualcode.extraction import extract
from dualcode.task import Task

_PEER_SECONDS = 10


@dataclass
class Tally:
    """What was counted over some rows."""

    rows: int = 0
    with_code: int = 0
    ok_with_code: int = 0
    ok: int = 0
    peer_ok: int = 0
    peer_timeouts: int = 0
    lost: int = 0
    lost_in_thought: int = 0
    ms: list[float] = field(default_factory=list[float])
    peer_ms: list[float] = field(default_factory=list[float])

    def add(self, other: "Tally") -> None:
        """Count the other's rows too."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


class PeerTimeoutError(Exception):
    """The peer took longer than its limit."""


def main() -> int:
    options = _options()
    data = options.data and Path(options.data)
    files = sorted(data.glob("*.jsonl.gz")) if data else []
    if not files:
        print(f"no replies: {data or 'neither --data nor DUALCODE_RAW_RESPONSES is given'}", file=sys.stderr)
        return 2
    prompts = {row["task_id"]: str(row["prompt"]) for path in options.tasks for row in _rows(Path(path))}
    peer = _peer() if options.peer else None
    total, per_file = Tally(), dict[str, Tally]()
    print(_line(_HEADINGS))
    for path in files:
        tally = per_file[path.name] = Tally()
        for row in _rows(path):
            tally.add(_measure(row, prompts.get(row["task_id"], ""), peer))
        total.add(tally)
        print(_line(_cells(path.name.removesuffix(".jsonl.gz"), tally)), flush=True)
    print(_line(_cells("all", total)))
    print(json.dumps({"benchmark": "extraction", "all": _summary(total), "files": _summaries(per_file)}))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default=os.environ.get("DUALCODE_RAW_RESPONSES"), help="folder of replies")
    parser.add_argument("--tasks", nargs="*", default=[], help="EvalPlus data files, for the prompts")
    parser.add_argument("--peer", action="store_true", help="measure evalplus.sanitize too (minutes)")
    return parser.parse_args()


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as source:
        yield from map(json.loads, source)


def _measure(row: dict[str, Any], prompt: str, peer: Callable[[str, str], str] | None) -> Tally:
    reply, name = str(row["response"] or ""), str(row["entry_point"])
    task = Task(id=row["task_id"], prompt=prompt, entry_point=name)
    start = time.thread_time()
    program = extract(reply, task)
    tally = Tally(rows=1, ms=[(time.thread_time() - start) * 1000])
    tally.ok = int(binds(program.text, name))
    tally.with_code = int(has_code(reply, task))
    tally.ok_with_code = tally.ok & tally.with_code
    if peer is not None:
        _measure_peer(tally, reply, name, peer)
    return tally


def _measure_peer(tally: Tally, reply: str, name: str, peer: Callable[[str, str], str]) -> None:
    start = time.thread_time()
    try:
        signal.alarm(_PEER_SECONDS)
        tally.peer_ok = int(binds(peer(reply, name), name))
    except PeerTimeoutError:
        tally.peer_timeouts = 1
    finally:
        signal.alarm(0)
    tally.peer_ms = [(time.thread_time() - start) * 1000]
    tally.lost = tally.peer_ok & ~tally.ok
    tally.lost_in_thought = tally.lost & ~tally.with_code


def _peer() -> Callable[[str, str], str]:
    sanitize = importlib.import_module("evalplus.sanitize").sanitize  # slow, and only the peer needs it

    def interrupt(*_: object) -> None:
        raise PeerTimeoutError

    signal.signal(signal.SIGALRM, interrupt)
    return sanitize


def binds(text: str, name: str) -> bool:
    """Tell whether the text compiles and its top level binds the name; a second opinion, on purpose."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<program>", "exec")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(name in _names(node) for node in tree.body)


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def has_code(reply: str, task: Task) -> bool:
    answer = reply.rpartition("</think>")[2]
    if "</think>" not in reply and "<think>" in reply:
        answer = reply.partition("<think>")[0]
    name = re.escape(task.entry_point)
    if re.search(rf"^[ \t]*(?:(?:async )?def {name}\b|{name}[ \t]*=[^=])", answer, re.MULTILINE):
        return True
    complete = re.search(rf"^def {name}\b", task.prompt, re.MULTILINE)
    other = re.search(r"^[ \t]*def ", answer, re.MULTILINE)
    return bool(complete and not other and re.search(r"^[ \t]+(?:return|yield)\b", answer, re.MULTILINE))


_HEADINGS = [
    "file", "rows", "with code", "ok %", "ok % of all", "peer ok %", "lost", "in thought",
    "median ms", "p99 ms", "max ms", "peer median", "peer p99", "peer max",
]  # fmt: skip


def _cells(name: str, tally: Tally) -> list[str]:
    numbers = _summary(tally)
    shown = [name, str(tally.rows), str(tally.with_code)]
    shown += [_share(tally.ok_with_code, tally.with_code), _share(tally.ok, tally.rows)]
    peer = [_share(tally.peer_ok, tally.rows), str(tally.lost), str(tally.lost_in_thought)]
    shown += peer if tally.peer_ms else ["-", "-", "-"]
    return shown + [f"{numbers[key]:.1f}" if key in numbers else "-" for key in _TIMES]


_TIMES = ["median_ms", "p99_ms", "max_ms", "peer_median_ms", "peer_p99_ms", "peer_max_ms"]


def _summary(tally: Tally) -> dict[str, float]:
    counts: dict[str, float] = {key: n for key, n in asdict(tally).items() if not key.endswith("ms")}
    return counts | _times("", tally.ms) | _times("peer_", tally.peer_ms)


def _summaries(tallies: dict[str, Tally]) -> dict[str, dict[str, float]]:
    return {name: _summary(tally) for name, tally in tallies.items()}


def _times(prefix: str, ms: list[float]) -> dict[str, float]:
    if not ms:
        return {}
    ordered = sorted(ms)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    times = {"median_ms": statistics.median(ordered), "p99_ms": p99, "max_ms": ordered[-1]}
    return {prefix + key: round(value, 2) for key, value in times.items()}


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "-"


def _line(cells: list[str]) -> str:
    return f"{cells[0]:46}" + "".join(f"{cell:>13}" for cell in cells[1:])


if __name__ == "__main__":
    sys.exit(main())
