"""Compare what dualcode and EvalPlus 0.3.1 make of every kind of output, for every kind of expected value.

    python benchmarks/outputs.py [--only NAME] [--out FILE]

The tasks are synthetic: a function that returns what the task expects, for lists, dicts, texts, numbers, sets
and what else a reference may return, and for each of EvalPlus's special oracles but `find_zero`, which
nothing passes there. The programs are these
functions with a twist of `twists.py` that changes the type of what comes out (`type: …`): standard library,
numpy, classes of the program's own, iterators. A twist that changes nothing for a task makes no program.

EvalPlus's side is its own `untrusted_check` (`evalplus_peer.py`). Differences are printed by kind, then a
line of JSON. About three minutes on one core.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from evalplus_peer import Peer
from twists import TWISTS, twisted

from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.grader import SandboxGrader
from dualcode.sandbox import open_sandbox
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Form, Suite


class Expected(NamedTuple):
    """What a synthetic task returns."""

    name: str
    values: str
    """A tuple of expressions, one for each input 0, 1, …"""
    atol: float = 0
    before: str = ""


EXPECTED = (
    Expected("ints", "([1, 2, 3], [3], [])"),
    Expected("ints with a tolerance", "([1, 2, 3], [3], [])", 1e-6),
    Expected("floats", "([1.0, 2.5, 3.0], [0.1])"),
    Expected("nested ints", "([[1, 2], [3, 4]], [[5]])"),
    Expected("nested floats", "([[1.0, 2.0], [3.5, 4.0]], [[0.5]])", 1e-6),
    Expected("texts", "(['abc', 'd'], ['e'])"),
    Expected("pairs", "([(1, 2), (3, 4)], [('a', 2)])"),
    Expected("dicts", "([{'a': 1}, {}],)"),
    Expected("tuple", "((1, 2, 3), (4, 5, 6))"),
    Expected("tuple of floats", "((1.0, 2.0, 0.5), (0.25, 1.0, 2.0))"),
    Expected("dict", "({'a': 1, 'b': 2}, {'c': 3})"),
    Expected("dict of lists", "({1: [1, 2], 2: []}, {})"),
    Expected("dict of floats", "({'a': 0.5}, {'b': 1.5, 'a': 2.0})", 1e-6),
    Expected("text", "('abc', 'abc')"),
    Expected("digits", "('12', '7')"),
    Expected("int", "(1, 2)"),
    Expected("float", "(1.0, 0.1, 2.5)"),
    Expected("bool", "(True, False)"),
    Expected("None", "(None, None)"),
    Expected("set", "({1, 2, 3}, {4})"),
    Expected("set of pairs", "({(1, 2)}, {('a', 1), ('b', 2)})"),
    Expected("bytes", "(b'abc', b'')"),
    Expected("complex", "(1 + 2j, 3 + 0j)"),
    Expected("Counter", "(Counter('aab'), Counter(a=0))", before="from collections import Counter"),
    Expected("OrderedDict", "(OrderedDict(a=1, b=2),)", before="from collections import OrderedDict"),
    Expected("defaultdict", "(defaultdict(int, a=1, b=2),)", before="from collections import defaultdict"),
    Expected("deque", "(deque([1, 2, 3]),)", before="from collections import deque"),
    Expected("UserList", "(UserList([1.0, 2.0]),)", 1e-6, "from collections import UserList"),
    Expected("array of numpy", "(np.array([1.0, 2.0]), np.array([1.5]))", before="import numpy as np"),
)

_PYRAMID = "    return round(b ** 2 + 2 * b * ((b / 2) ** 2 + s ** 2) ** 0.5)\n"
_DIGITS = "    return sum(map(int, str(abs(a - b))))\n"


def _row(
    task_id: str, entry: str, signature: str, body: str, inputs: list[Any], atol: float
) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "prompt": f"def {entry}({signature}):\n",
        "entry_point": entry,
        "canonical_solution": body,
        "base_input": inputs,
        "plus_input": inputs[:1],
        "atol": atol,
        "contract": "",
    }


def rows(form: Form) -> dict[str, dict[str, Any]]:
    """Return the tasks of one form by a name for people."""
    made: dict[str, dict[str, Any]] = {}
    if form == "humaneval":
        for number, (name, values, atol, before) in enumerate(EXPECTED):
            inputs = [[at] for at in range(len(eval(values, _names(before))))]
            body = f"    return {values}[x]\n"
            made[name] = _row(f"HumanEval/{number}", "answer", "x", body, inputs, atol)
            made[name]["prompt"] = f"{before}\ndef answer(x):\n"
        return made
    values = "    return ((1, 2), ('a', 'b', 'c'), (3.0,))[x]\n"
    special: list[tuple[str, str, str, list[Any]]] = [
        ("similar_elements", "x", values, [[0], [1], [2]]),
        ("check_str", "x", "    return (None, 'a', 3)[x]\n", [[0], [1], [2]]),
        ("sum_div", "x", "    return (7, 1, 0)[x]\n", [[0], [1], [2]]),
        ("are_equivalent", "x", "    return (True, False)[x]\n", [[0], [1]]),
        ("surface_Area", "b, s", _PYRAMID, [[3, 4], [4, 5]]),
        ("digit_distance_nums", "a, b", _DIGITS, [[1, 2], [23, 56]]),
    ]
    for number, (entry, signature, body, inputs) in enumerate(special):
        made[entry] = _row(f"Mbpp/{90000 + number}", entry, signature, body, inputs, 0)
    return made


def _names(before: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(before, names)
    return names


class Program(NamedTuple):
    """One of the battery's."""

    task: str
    kind: str
    text: str


def programs(tasks: dict[str, dict[str, Any]], only: str) -> Iterator[Program]:
    """Yield every kind of output for every task that it makes a difference to."""
    kinds = [name for name in TWISTS if name.startswith("type: ")]
    for task, row in tasks.items():
        right = row["prompt"] + row["canonical_solution"]
        for kind in kinds:
            text = twisted(right, row["entry_point"], kind).program
            if only in f"{task} {kind}" and ("patched" in kind or _changes(right, text, row)):
                yield Program(task, kind.removeprefix("type: "), text)


def _changes(right: str, text: str, row: dict[str, Any]) -> bool:
    """Whether a twist gives another type or text for one input at least; or raises."""
    one, other = _names(right)[row["entry_point"]], _names(text)[row["entry_point"]]
    for inp in row["base_input"]:
        before = one(*inp)
        try:
            after = other(*inp)
            if type(before) is not type(after) or repr(before) != repr(after):
                return True
        except Exception:
            return True
    return False


Sides = dict[str, bool]
"""By set of tests: whether the program passed."""


def by_peer(form: Form, tasks: dict[str, dict[str, Any]], made: list[Program]) -> Iterator[Sides]:
    """Yield EvalPlus's verdicts in order."""
    by_task: defaultdict[str, list[Program]] = defaultdict(list)
    for program in made:
        by_task[program.task].append(program)
    with Peer() as peer:
        for task, own in by_task.items():
            for sides in peer.check(form, tasks[task], [program.text for program in own]):
                yield {name: side["status"] == "pass" for name, side in sides.items()}


async def by_us(suite: Suite, tasks: dict[str, dict[str, Any]], made: list[Program]) -> list[Sides]:
    """Return dualcode's verdicts in order."""
    found: list[Sides] = []
    with tempfile.TemporaryDirectory() as folder:
        cache = CalibrationCache(suite.name, "battery", "machine", root=Path(folder))
        async with open_sandbox(1) as sandbox:
            grader = SandboxGrader(suite, sandbox, workers=1, cache=cache)
            for program in made:
                verdict = await grader.grade(tasks[program.task]["task_id"], program.text)
                assert verdict.plus is not None
                sides = {"base": verdict.base, "plus": verdict.plus}
                if any(side.status == "errored" for side in sides.values()):
                    raise RuntimeError(f"{program.task}, {program.kind}: {verdict}")
                found.append({name: side.status == "passed" for name, side in sides.items()})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="only programs with this in task or kind")
    parser.add_argument("--out", type=Path, help="write every verdict to this file, a line of JSON each")
    options = parser.parse_args()
    counts = dict.fromkeys(("programs", "checks", "passed_by_evalplus", "differences"), 0)
    different: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    lines: list[str] = []
    forms: tuple[Form, ...] = ("humaneval", "mbpp")
    for form in forms:
        tasks = rows(form)
        made = list(programs(tasks, options.only))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "tasks.jsonl"
            file.write_text("".join(json.dumps(row) + "\n" for row in tasks.values()))
            suite = load_suite(form, data=file)
            ours = asyncio.run(by_us(suite, tasks, made))
        for program, peer, own in zip(made, by_peer(form, tasks, made), ours, strict=True):
            counts["programs"] += 1
            lines.append(json.dumps({"task": program.task, "kind": program.kind, "peer": peer, "ours": own}))
            for tests, passed in peer.items():
                counts["checks"] += 1
                counts["passed_by_evalplus"] += passed
                counts["differences"] += passed != own[tests]
                if passed != own[tests]:
                    words = ("fail", "pass")
                    different[program.kind, words[passed], words[own[tests]]].append(
                        f"{program.task} ({tests})"
                    )
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")
    print("| kind | EvalPlus | dualcode | checks |\n|---|---|---|---|")
    for (kind, peer, own), where in sorted(different.items()):
        print(f"| {kind} | {peer} | {own} | {len(where)}: {', '.join(where)} |")
    print(
        json.dumps({"benchmark": "outputs", "kinds": len({json.loads(x)["kind"] for x in lines}), **counts})
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
