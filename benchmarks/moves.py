"""What another checkout makes of the same study, value by value: to be run after code was moved.

    python -m benchmarks.moves OTHER [--show 3]

OTHER is the folder of another checkout, such as `git worktree add` makes. Each side writes the same synthetic
runs in its own form of records (`tests/made.py`), analyses them, and tells all that its analysis, its tables
and its figures hold before they are drawn. No model is asked, and no program is run. A row of a table is
known by its words and a cell by its head, so that another order is no difference.

Prints for each part how many values both sides have, how many of them differ, and how many one side has
alone; then each kind of difference, with examples. The exit code is 1 if values that both have differ.
"""

import argparse
import asyncio
import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from dualcode.analysis.gather import gather
from dualcode.figures.content import NothingToDrawError
from dualcode.figures.drawing import catalogue
from dualcode.published.published import load_published
from dualcode.tables.catalogue import build
from dualcode.tables.table import Table
from tests.made import Story, write_run

PIPELINES = (
    "raw-coder", "raw-planner", "plan-code", "review-fix", "gated", "enriched", "self-review", "best-of-k",
)  # fmt: skip
REVIEWED = frozenset({"review-fix", "gated", "enriched", "self-review"})
TASKS = {"humaneval": ("HumanEval/{}", 164), "mbpp": ("Mbpp/{}", 378), "mini": ("MiniRich/{}", 12)}
PROGRAMS = {
    "right": "def solve(n):\n    return 3 * n\n",
    "wrong": "def solve(n):\n    return 2 * n\n",
    "renamed": "def answer(n):\n    return 3 * n\n",
    "import": "def solve(n):\n    return math.prod((3, n))\n",
    "guard": "def solve(n):\n    if not n:\n        raise ValueError('no number')\n    return 3 * n\n",
    "syntax": "def solve(n):\n    return (3 * n\n",
}
PRICES = ({"gpu_hour": 1.0}, {"input_per_million": 0.5, "output_per_million": 2.0})
RUN = re.compile(r"-[0-9a-f]{8}\b")
"""The end of a run's id: its configuration's, which another checkout may write in another way."""
Leaves = dict[str, Any]
"""The place of a value -> the value."""


def story(pipeline: str, task: str) -> Story:
    """Return what came of a task: always the same, and a bit of everything."""
    luck = [int(hashlib.sha256(f"{task}{each}".encode()).hexdigest(), 16) for each in ("", pipeline)]
    kinds = [*PROGRAMS, *["right"] * 6]
    draft, last = (kinds[each % len(kinds)] for each in luck)
    if pipeline not in REVIEWED:
        return Story(None if luck[1] % 61 == 0 else last == "right", program=PROGRAMS[last])
    revised = (luck[1] >> 9) % 4 < (3 if draft != "right" else 1)
    kept = last if revised else draft
    finding = {"where": "line 2", "actual": f"{luck[1] % 9}", "expected": "three times n"}
    return Story(
        None if luck[1] % 61 == 0 else kept == "right",
        base=kept in ("right", "guard"),
        program=PROGRAMS[kept],
        draft=PROGRAMS[draft],
        review="revise" if revised else "approve",
        findings=[finding] if revised else [],
    )


def told(folder: Path) -> dict[str, Any]:
    """Write the study below a folder, and return what this checkout makes of it."""
    for suite, (name, count) in TASKS.items():
        for number, pipeline in enumerate(PIPELINES):
            stories = {task: story(pipeline, task) for task in map(name.format, range(count))}
            write_run(folder, pipeline, stories, dataset=suite, price=PRICES[number % 2])
    analysis = asyncio.run(gather([folder], grade=False, tell=lambda _: None))
    published = load_published()
    made, absent = build(analysis, published)
    figures: dict[str, Any] = {}
    for name, figure in catalogue().items():
        try:
            figures[name] = figure.data(analysis, published)
        except NothingToDrawError as reason:
            figures[name] = str(reason)
    parts = ("scores", "comparisons", "gaps", "reviewers", "regressions", "costs", "richness")
    found = {part: getattr(analysis, part) for part in parts}
    found |= {"summaries": {run.id: run.summary for run in analysis.runs}, "absent": absent}
    found |= {"tables": {table.name: _by_words(table) for table in made}, "figures": figures}
    return cast("dict[str, Any]", _plain(found))


def _by_words(table: Table) -> dict[str, Any]:
    """Return a table with each cell under its row's words and its column's head."""
    words = [at for at, column in enumerate(table.columns) if column.align == "left"][:3]
    heads = [column.name for column in table.columns]
    rows = {" ".join(row[at] for at in words): dict(zip(heads, row, strict=True)) for row in table.rows}
    return {"title": table.title, "rows": rows, "notes": table.notes, "values": table.values}


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a value."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in cast("Sequence[Any]", value)]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its place; runs are known by suite and pipeline."""
    if isinstance(value, dict | list) and value:
        known = cast("dict[str, Any] | list[Any]", value)
        inside = known.items() if isinstance(known, dict) else enumerate(known)
        for key, each in inside:
            yield from leaves(each, f"{place} > {RUN.sub('', str(key))}")
    else:
        yield place, RUN.sub("", value) if isinstance(value, str) else value


def asked(checkout: Path) -> Leaves:
    """Return what a checkout makes of the study, told by a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(Path(__file__).resolve()), "--tell", folder]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        done = subprocess.run(command, cwd=checkout, env=environment, check=True, stdout=subprocess.PIPE)
    return dict(leaves(json.loads(done.stdout)))


def compared(ours: Leaves, theirs: Leaves, show: int) -> bool:
    """Print how two sides differ, and return whether a value that both have does."""
    sides = {"differ": [place for place in ours if place in theirs and ours[place] != theirs[place]]}
    sides["only ours"] = [place for place in ours if place not in theirs]
    sides["only theirs"] = [place for place in theirs if place not in ours]
    counts: dict[str, Counter[str]] = {side: Counter(map(_part, places)) for side, places in sides.items()}
    both = Counter(_part(place) for place in ours if place in theirs)
    print(f"{'':24}{'both':>9}" + "".join(f"{side:>13}" for side in sides))
    for part in dict.fromkeys(map(_part, [*ours, *theirs])):
        print(f"{part:24}{both[part]:9}" + "".join(f"{counts[side][part]:13}" for side in sides))
    for side, places in sides.items():
        kinds: dict[str, list[str]] = defaultdict(list)
        for place in places:
            kinds[re.sub(r"\d+|synthetic-[\w-]+", "*", place)].append(place)
        for kind, members in kinds.items():
            print(f"\n{side}, {len(members)}:{kind}")
            for place in members[:show]:
                each = (str(side.get(place))[:200] for side in (ours, theirs))
                print(f"   {place[3:]}: {' | '.join(each)}")
    return bool(sides["differ"])


def _part(place: str) -> str:
    _, part, *rest = place.split(" > ")
    return f"{part} {rest[0]}" if part in ("tables", "figures") else part


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?", help="the other checkout's folder")
    parser.add_argument("--show", type=int, default=3, help="examples of each kind of difference")
    parser.add_argument("--tell", type=Path, metavar="FOLDER", help="print one side; the study goes here")
    options = parser.parse_args()
    if options.tell is not None:
        print(json.dumps(told(options.tell)))
        return 0
    if options.other is None:
        parser.error("which other checkout?")
    here = Path(__file__).resolve().parents[1]
    return int(compared(asked(here), asked(options.other.resolve()), options.show))


if __name__ == "__main__":
    sys.exit(main())
