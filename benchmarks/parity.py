"""Compare dualcode's verdicts with EvalPlus 0.3.1's on the same programs, base and plus.

    python benchmarks/parity.py --data DIR [--out DIR] [--checks N] [--responses DIR] [--side peer|ours]

DIR holds HumanEvalPlus.jsonl(.gz) and MbppPlus.jsonl(.gz). The programs are the canonical solutions, N / 2
mutants of them (`reviews/cases.py`, `twists.py`; a program is two checks, base and plus) and, with
--responses, the programs that dualcode extracts from raw replies (*.jsonl.gz with task_id and response a
row). They are made by seed.

Each side appends its verdicts to a file under --out and skips what stands there, so a comparison can be
stopped and go on, and a side can be run again by deleting its file. Then both are compared: a table of checks
and differences by family, each difference with both sides' detail, and one line of JSON. EvalPlus's limits
depend on the machine's load: `--again` lets it judge the differing programs once more.

With 6,000 checks of mutants the peer takes about 15 minutes of one core, ours less. Both run one program at
a time, since EvalPlus's limits are of wall-clock time: keep the machine quiet.
"""

import argparse
import asyncio
import contextlib
import gzip
import hashlib
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from evalplus_peer import Peer
from twists import SLOW_TWISTS, TWISTS, twisted

from dualcode.extraction import extract
from dualcode.grading.grader import SandboxGrader
from dualcode.reviews.cases import Mutant, operated
from dualcode.sandbox import open_sandbox
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite

FILES = {"humaneval": "HumanEvalPlus.jsonl", "mbpp": "MbppPlus.jsonl"}

HEAVY = frozenset({"Mbpp/599"})
"""Tasks whose tests take many seconds: their canonical solutions are compared, mutants of them are not."""

TASKS_PER_TWIST, TASKS_PER_SLOW_TWIST = 8, 3

FEW_TESTS = 15
"""Slow twists go to tasks with no more plus tests: all tests together may take that many seconds."""


@dataclass(frozen=True)
class Case:
    """A program to be judged."""

    suite: str
    task_id: str
    family: str
    program: str

    @property
    def key(self) -> str:
        """What names it in the files."""
        return hashlib.sha256(f"{self.task_id}\n{self.program}".encode("utf-8", "replace")).hexdigest()[:16]


def main() -> int:
    options = _options()
    suites = {name: load_suite(name, data=_data(options.data, file)) for name, file in FILES.items()}
    cases = list(_cases(suites, options))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "cases.jsonl").write_text(
        "".join(json.dumps(asdict(c) | {"key": c.key}) + "\n" for c in cases)
    )
    for side, judge in (("peer", _judge_by_peer), ("ours", _judge_by_us)):
        if options.side in (side, "both"):
            _complete(options.out / f"{side}.jsonl", cases, lambda left, judge=judge: judge(left, suites))
    peer, ours = options.out / "peer.jsonl", options.out / "ours.jsonl"
    if options.again:
        differing = [each.case for each in _differences(cases, _read(peer), _read(ours))]
        _append(peer, _judge_by_peer(list(dict.fromkeys(differing)), suites))
    return _compare(cases, _read(peer), _read(ours))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of EvalPlus's data files")
    parser.add_argument("--out", type=Path, default=Path("runs/parity"), help="where verdicts are kept")
    parser.add_argument("--checks", type=int, default=6000, help="checks of mutants, two a program")
    parser.add_argument("--responses", type=Path, help="folder of raw replies (*.jsonl.gz)")
    parser.add_argument("--side", choices=("both", "peer", "ours", "neither"), default="both")
    parser.add_argument("--again", action="store_true", help="let EvalPlus judge the differing ones again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only families or tasks with this in the name")
    return parser.parse_args()


def _data(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.exists() else folder / f"{name}.gz"


def _cases(suites: Mapping[str, Suite], options: argparse.Namespace) -> Iterator[Case]:
    """Yield every program once, the tasks of a suite together."""
    chosen = _twists_by_task(suites, options.seed)
    twisted_programs = sum(map(len, chosen.values()))
    tasks = sum(len(suite.tasks) for suite in suites.values())
    per_task = max(0, options.checks // 2 - twisted_programs) / tasks
    replies = _extracted(options.responses, suites) if options.responses else {}
    for name, suite in suites.items():
        for number, task in enumerate(suite.tasks):
            reference = suite.hidden[task.id].reference()
            rng = random.Random(f"{options.seed} {task.id}")
            wanted = 0 if task.id in HEAVY else int(per_task * (number + 1)) - int(per_task * number)
            programs = [Mutant("canonical", reference)]
            programs += [twisted(reference, task.entry_point, twist) for twist in chosen[task.id]]
            programs += operated(reference, wanted, rng) + replies.get(task.id, [])
            seen = {m.program: Case(name, task.id, m.family, m.program) for m in reversed(programs)}
            found = reversed(seen.values())
            yield from (c for c in found if options.only in c.family or options.only in c.task_id)


def _twists_by_task(suites: Mapping[str, Suite], seed: int) -> dict[str, list[str]]:
    """Give each twist to some tasks of both suites."""
    chosen = defaultdict[str, list[str]](list)
    ids = [task.id for suite in suites.values() for task in suite.tasks if task.id not in HEAVY]
    few = [task_id for task_id in ids if _count(suites, task_id) <= FEW_TESTS]
    for twist in TWISTS:
        rng, slow = random.Random(f"{seed} {twist}"), twist in SLOW_TWISTS
        for task_id in rng.sample(few if slow else ids, TASKS_PER_SLOW_TWIST if slow else TASKS_PER_TWIST):
            chosen[task_id].append(twist)
    return chosen


def _count(suites: Mapping[str, Suite], task_id: str) -> int:
    """Return how many plus tests a task has."""
    owner = next(suite for suite in suites.values() if task_id in suite.hidden)
    return len(json.loads(owner.hidden[task_id].row)["plus_input"])


def _extracted(folder: Path, suites: Mapping[str, Suite]) -> dict[str, list[Mutant]]:
    tasks = {task.id: task for suite in suites.values() for task in suite.tasks}
    programs = defaultdict[str, list[Mutant]](list)
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as rows:
            for row in map(json.loads, rows):
                if task := tasks.get(row["task_id"]):
                    text = extract(row["response"] or "", task).text
                    programs[task.id].append(Mutant("response", text))
    return programs


def _complete(
    path: Path, cases: Iterable[Case], judge: Callable[[list[Case]], Iterator[tuple[Case, dict[str, Any]]]]
) -> None:
    """Append the verdicts that the file lacks."""
    known = _read(path)
    _append(path, judge([case for case in cases if case.key not in known]))


def _append(path: Path, verdicts: Iterable[tuple[Case, dict[str, Any]]]) -> None:
    started = time.monotonic()
    with path.open("a") as sink:
        for number, (case, verdict) in enumerate(verdicts, start=1):
            sink.write(json.dumps({"key": case.key, "task_id": case.task_id} | verdict) + "\n")
            sink.flush()
            if number % 500 == 0:
                _tell(f"{path.stem}: {number} in {time.monotonic() - started:.0f} s")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    lines = path.read_text().split("\n")[:-1]  # what is behind the last newline was cut off
    return {row["key"]: row for row in map(json.loads, lines)}


def _judge_by_peer(cases: list[Case], suites: Mapping[str, Suite]) -> Iterator[tuple[Case, dict[str, Any]]]:
    with Peer() as peer:
        for (name, task_id), group in groupby(cases, key=lambda case: (case.suite, case.task_id)):
            own = list(group)
            row = json.loads(suites[name].hidden[task_id].row)
            yield from zip(own, peer.check(name, row, [case.program for case in own]), strict=True)


def _judge_by_us(cases: list[Case], suites: Mapping[str, Suite]) -> Iterator[tuple[Case, dict[str, Any]]]:
    with contextlib.ExitStack() as parts:
        runner = parts.enter_context(asyncio.Runner())
        opening = contextlib.AsyncExitStack()
        parts.callback(lambda: runner.run(opening.aclose()))
        sandbox = runner.run(opening.enter_async_context(open_sandbox(1)))
        graders = {name: SandboxGrader(suite, sandbox, workers=1) for name, suite in suites.items()}
        for case in cases:
            started = time.monotonic()
            verdict = runner.run(graders[case.suite].grade(case.task_id, case.program))
            seconds = round(time.monotonic() - started, 3)
            yield case, verdict.model_dump(mode="json")["parts"] | {"seconds": seconds}


@dataclass(frozen=True)
class Difference:
    """A check on which the sides disagree."""

    case: Case
    tests: str
    peer: dict[str, Any]
    ours: dict[str, Any]

    def __str__(self) -> str:
        ours = {key: value for key, value in self.ours.items() if value is not None}
        where = f"{self.case.task_id} {self.tests} [{self.case.family}] {self.case.key}"
        return f"{where}: peer {self.peer}, ours {ours}"


Verdicts = Mapping[str, Mapping[str, Any]]
"""By a case's key."""


def _differences(cases: Iterable[Case], peer: Verdicts, ours: Verdicts) -> list[Difference]:
    return [
        Difference(case, tests, peer[case.key][tests], ours[case.key][tests])
        for case in cases
        if case.key in peer and case.key in ours
        for tests in ("base", "plus")
        if (peer[case.key][tests]["status"] == "pass") != (ours[case.key][tests]["status"] == "passed")
    ]


def _compare(cases: Sequence[Case], peer: Verdicts, ours: Verdicts) -> int:
    """Print the table, the differences and the line of JSON."""
    judged = [case for case in cases if case.key in peer and case.key in ours]
    differences = _differences(judged, peer, ours)
    checks, passed = Counter[str](), Counter[str]()
    for case in judged:
        checks[_broad(case.family)] += 2
        passed[_broad(case.family)] += sum(peer[case.key][k]["status"] == "pass" for k in ("base", "plus"))
    differing = Counter(_broad(each.case.family) for each in differences)
    print("| programs | checks | passed by EvalPlus | differences |\n|---|---|---|---|")
    for family in checks:
        print(f"| {family} | {checks[family]} | {passed[family]} | {differing[family]} |")
    for each in differences:
        print(each)
    line = {"benchmark": "parity", "checks": checks.total(), "differences": len(differences)}
    print(json.dumps(line | {"by_family": dict(checks), "differing": dict(differing)}))
    return 0


def _broad(family: str) -> str:
    return family.partition(":")[0]


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
