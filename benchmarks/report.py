"""The report at full size: its bytes, and what loading, filtering and opening take in Chromium.

    python -m benchmarks.report [--tasks 542] [--pipelines 8] [--repeats 7] [--keep FILE]

Prints one line of JSON. The runs are synthetic (`synthetic: true` says so): their outcomes are drawn, their
programs, replies and reasonings are drawn words. Programs have 8 to 30 lines, replies 300 characters
around them, prompts 420, reasonings 4,000 in the middle and 20,000 at most. The reviews of gated and
review-fix-retry are review-fix's thoughts, word for word, as the ledger has it. No table and no figure is in
the file. `whole` says that no text was shortened to stay below the report's limit.

- `load_ms`: from the start of the navigation to the end of the page's `load` event, list and all.
- `filter_ms`: from a key in the text filter to the end of the layout that follows; `filter_paint_ms` to the
  second frame after it, which has up to 33 ms of waiting in it. The median and the worst over ten filters.
- `open_ms`: from the click on a cell to its transcript, unpacked and drawn.

Chromium is $DUALCODE_CHROMIUM, or the first of chromium, chromium-browser, google-chrome.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from dualcode.analysis.analyse import analyse
from dualcode.analysis.runs import load_run
from dualcode.report.page import write_report
from tests.made import Story, write_run

PIPELINES = (
    "raw-coder", "raw-planner", "plan-code", "review-fix", "gated", "enriched", "review-fix-retry",
    "adversarial", "raw-retry", "self-review", "swapped", "best-of-k", "review-fix-tests",
    "review-fix-guarded",
)  # fmt: skip
REVIEWING = frozenset(name for name in PIPELINES if not name.startswith(("raw", "plan", "best")))
SHARED = {"gated": "review-fix", "review-fix-retry": "review-fix"}
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
FILTERS = ("1", "13", "mbpp", "solve_9", "x", "", "humaneval/1", "7", "nothing", "")

FILTER = """async (text) => {
  const field = document.getElementById("find");
  const started = performance.now();
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  document.getElementById("list").getBoundingClientRect();
  const laid = performance.now();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return [laid - started, performance.now() - started];
}"""
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
OPEN = """async (place) => {
  const started = performance.now();
  document.querySelectorAll(".row .c")[place].click();
  while (!document.querySelector("#panel .verdict")) await new Promise((done) => setTimeout(done));
  document.getElementById("task").getBoundingClientRect();
  const taken = performance.now() - started;
  location.hash = "tasks";
  while (!document.getElementById("task").hidden) await new Promise((done) => setTimeout(done));
  return taken;
}"""


class Writer:
    """Texts drawn from a vocabulary; the same seed gives the same text."""

    def __init__(self) -> None:
        letters = random.Random(0)
        self._words = [
            "".join(letters.choices("aeinorstlcdmupgh", k=letters.randint(2, 9))) for _ in range(3000)
        ]

    def prose(self, seed: str, characters: int) -> str:
        """Return sentences of about that length."""
        draw = random.Random(seed)
        common = draw.choices(self._words, k=60)
        words = (draw.choice(common if draw.random() < 0.5 else self._words) for _ in range(characters // 6))
        return " ".join(word + (".\n" if draw.random() < 0.06 else "") for word in words)

    def program(self, seed: str, name: str) -> str:
        """Return 8 to 30 lines that look like a function."""
        draw = random.Random(seed)
        lines = [f"def {name}(values, limit):"]
        for _ in range(draw.randint(7, 29)):
            first, second = draw.choices(self._words, k=2)
            form = draw.choice(("{a} = {b} + {n}", "for {a} in {b}[:{n}]: pass", "if {a} > {n}: return {b}"))
            lines.append("    " + form.format(a=first, b=second, n=draw.randint(0, 99)))
        return "\n".join(lines) + "\n"


def story(writer: Writer, pipeline: str, task: str, name: str) -> Story:
    """Return one task's story: a draft that all pipelines share, a review, a fix."""
    draw = random.Random(f"{pipeline} {task}")
    draft, passed = writer.program(task, name), draw.random() < 0.8
    if pipeline not in REVIEWING:
        own = draft if pipeline == "raw-coder" else writer.program(f"{pipeline} {task}", name)
        return Story(plus=passed, program=own)
    seed = f"{SHARED.get(pipeline, pipeline)} {task}"
    thought = writer.prose(seed, min(20_000, int(random.Random(seed).lognormvariate(8.3, 0.6))))
    revise = random.Random(seed).random() < 0.4
    lines = draft.splitlines()
    finding = {
        "where": draw.choice(lines),
        "actual": writer.prose(seed, 120),
        "expected": writer.prose(task, 100),
    }
    fixed = draft.replace(lines[2], lines[2] + "  # mended") if revise else draft
    verdict = "revise" if revise else "approve"
    found = [finding, {**finding, "where": "line 4"}] if revise else []
    return Story(plus=passed, program=fixed, draft=draft, review=verdict, findings=found, reasoning=thought)


def write_runs(folder: Path, tasks: int, pipelines: Sequence[str]) -> None:
    """Write a run for each pipeline and suite."""
    writer = Writer()
    humaneval = min(tasks, 164)
    suites = {"humaneval": [f"HumanEval/{number}" for number in range(humaneval)]}
    if tasks > humaneval:
        suites["mbpp"] = [f"Mbpp/{number}" for number in range(tasks - humaneval)]
    names = {task: f"solve_{place}" for place, task in enumerate(chain.from_iterable(suites.values()))}
    prompts = {
        task: f'def {name}(values, limit):\n    """{writer.prose(name, 420)}"""\n'
        for task, name in names.items()
    }
    for dataset, own in suites.items():
        for pipeline in pipelines:
            stories = {task: story(writer, pipeline, task, names[task]) for task in own}
            words = {task: writer.prose(f"{pipeline} {task}", 300) + "\n\n" for task in own}
            write_run(folder, pipeline, stories, dataset=dataset, prompts=prompts, words=words)


def measure(page: Page, report: Path, repeats: int) -> dict[str, Any]:
    """Return the times of a report in a browser, in milliseconds."""
    loads: list[float] = []
    for _ in range(repeats):
        page.goto("about:blank")
        page.goto(report.as_uri())
        loads.append(page.evaluate(LOADED))
    filters = [page.evaluate(FILTER, text) for _ in range(repeats) for text in FILTERS]
    cells = page.locator(".row .c").count()
    opens = [page.evaluate(OPEN, place * cells // repeats) for place in range(repeats)]
    return {
        "load_ms": _middle(loads),
        "filter_ms": _middle([laid for laid, _ in filters]),
        "filter_paint_ms": _middle([painted for _, painted in filters]),
        "open_ms": _middle(opens),
    }


def _middle(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 1), "worst": round(max(values), 1)}


def find_chromium() -> str:
    """Return the browser's path, or end the process with the command that installs one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("DUALCODE_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    return found or sys.exit("no Chromium is installed: apt-get install chromium, or set DUALCODE_CHROMIUM")


def make_report(folder: Path, target: Path, tasks: int, pipelines: Sequence[str]) -> dict[str, float]:
    """Write the runs and their report, and return the seconds of reading, analysing and writing."""
    write_runs(folder, tasks, pipelines)
    clock = [time.monotonic()]
    runs = [load_run(found.parent) for found in sorted(folder.glob("*/manifest.json"))]
    runs.sort(key=lambda run: (run.dataset, pipelines.index(run.pipeline)))
    clock.append(time.monotonic())
    analysis = analyse(runs, title="Synthetic runs", note="Synthetic: no model made any of this.")
    clock.append(time.monotonic())
    write_report(analysis, [], [], target)
    clock.append(time.monotonic())
    taken = (round(end - start, 1) for start, end in pairwise(clock))
    return dict(zip(("read_s", "analyse_s", "write_s"), taken, strict=True))


def main() -> None:
    """Write the runs and their report, measure, and print one line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=542)
    parser.add_argument("--pipelines", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="write the report here, and leave it")
    given = parser.parse_args()
    chromium = find_chromium()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder, target = Path(name), (given.keep or Path(name) / "report.html").resolve()
        seconds = make_report(folder, target, given.tasks, PIPELINES[: given.pipelines])
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        times, version = measure(browser.new_page(), target, given.repeats), browser.version
        browser.close()
        page = target.read_bytes()
        calls = sum(file.stat().st_size for file in folder.glob("*/calls.jsonl"))
    shape = {"synthetic": True, "tasks": given.tasks, "pipelines": given.pipelines, "chromium": version}
    size = {"bytes": len(page), "whole": b"Long texts were cut" not in page, "calls_bytes": calls}
    print(json.dumps({**shape, **size, **seconds, **times}))


if __name__ == "__main__":
    main()
