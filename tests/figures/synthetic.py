"""Synthetic analyses for figures: chosen outcomes, no model's. Nothing here was measured."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dualcode.analysis.analyse import Analysis, analyse
from dualcode.analysis.runs import load_runs
from dualcode.verdict import Cause
from tests.made import Story, write_run

SIZES = {"humaneval": 164, "mbpp": 378}
PREFIX = {"humaneval": "HumanEval", "mbpp": "Mbpp"}
PAPERS = (
    "raw-coder", "raw-planner", "plan-code", "review-fix", "review-fix-retry", "adversarial", "gated",
    "enriched",
)  # fmt: skip
ALL = (
    *PAPERS, "best-of-k", "raw-retry", "self-review", "swapped", "review-fix-guarded", "review-fix-tests",
)  # fmt: skip
REVIEWING = {
    name for name in ALL if name not in ("raw-coder", "raw-planner", "plan-code", "raw-retry", "best-of-k")
}
GAIN_LOSS = {
    "raw-coder": (0, 0), "raw-planner": (0.5, 0.07), "plan-code": (0.3, 0.115), "review-fix": (0.5, 0.015),
    "review-fix-retry": (0.6, 0.012), "adversarial": (0.48, 0.025), "gated": (0.35, 0.02),
    "enriched": (0.54, 0.017), "best-of-k": (0.15, 0.02), "raw-retry": (0.25, 0.0),
    "self-review": (0.15, 0.04),
    "swapped": (0.52, 0.05), "review-fix-guarded": (0.5, 0.004), "review-fix-tests": (0.55, 0.01),
}  # fmt: skip
"""The share of wrong drafts made right, and of right ones broken; chosen to resemble the paper's rates."""
LEAN = 0.3
"""How much of a gain is left where specifications are lean; also chosen."""
SOLVED = {"humaneval": 0.78, "mbpp": 0.675}
RIGHT = "def solve(n):\n    return 3 * n\n"
WRONG: tuple[tuple[str, Cause, str], ...] = (
    (
        "def solve(n):\n    return 3 * math.factorial(n)\n",
        "raised",
        "raised NameError: name 'math' is not defined",
    ),
    ("def solve(n):\n    return 2 * n\n", "wrong_output", "wrong output"),
    (
        "def solve(n):\n    if n == 3:\n        raise ValueError(n)\n    return 3 * n\n",
        "raised",
        "raised ValueError: 3",
    ),
    ("def solv(n):\n    return 3 * n\n", "not_loaded", "does not define solve"),
)
"""Programs, and what a grader would say of them."""


def stories(
    pipeline: str,
    dataset: str,
    count: int | None = None,
    errored: Sequence[int] = (),
    solved: float | None = None,
) -> dict[str, Story]:
    """Return a story for each task; the same arguments give the same stories."""
    tasks = [f"{PREFIX[dataset]}/{number}" for number in range(count or SIZES[dataset])]
    drafts, chance = random.Random(f"drafts {dataset}"), random.Random(f"{pipeline} {dataset}")
    gain, loss = GAIN_LOSS[pipeline]
    gain *= LEAN if dataset == "mbpp" else 1
    share = SOLVED[dataset] if solved is None else solved
    found: dict[str, Story] = {}
    for number, task in enumerate(tasks):
        right = drafts.random() < share
        after = chance.random() >= loss if right else chance.random() < gain * (share > 0)
        found[task] = _story(pipeline, right, after, chance, errored=number in errored)
    return found


def _story(pipeline: str, right: bool, after: bool, chance: random.Random, *, errored: bool) -> Story:
    program, cause, reason = (RIGHT, "wrong_output", "") if after else chance.choice(WRONG)
    draft = RIGHT if right else WRONG[1][0]
    plus = None if errored else after
    if pipeline == "raw-coder":
        return Story(plus=plus, program=draft)
    if pipeline not in REVIEWING:
        return Story(plus=plus, program=program, cause=cause, reason=reason)
    revise = (not right and chance.random() < 0.75) or after != right or chance.random() < 0.08
    return Story(
        plus=plus, draft=draft, program=program, review="revise" if revise else "approve", cause=cause,
        reason=reason,
    )  # fmt: skip


def truth(dataset: str, count: int | None = None, solved: float | None = None) -> dict[str, bool]:
    """Return whether each task's draft is right."""
    return {
        task: bool(story.plus) for task, story in stories("raw-coder", dataset, count, solved=solved).items()
    }


def analysis(
    folder: Path,
    pipelines: Sequence[str] = PAPERS,
    datasets: Sequence[str] = ("humaneval", "mbpp"),
    *,
    count: int | None = None,
    price: Mapping[str, Any] | None = None,
    errored: Mapping[str, Sequence[int]] | None = None,
    known: bool = True,
    rich: bool = False,
    note: str = "made-up outcomes, no model's",
    solved: float | None = None,
    baseline: str = "raw-coder",
    **options: Any,
) -> Analysis:
    """Write synthetic runs into an empty folder and return their analysis. `known`: of the drafts' truth;
    `rich`: with a richness for each task."""
    folders = [
        write_run(
            folder / "runs", pipeline,
            stories(pipeline, dataset, count, (errored or {}).get(pipeline, ()), solved),
            dataset=dataset, price=price, **options,
        )
        for dataset in datasets
        for pipeline in pipelines
    ]  # fmt: skip
    runs = load_runs(folders)
    truths = {run.id: truth(run.dataset, count, solved) for run in runs} if known else {}
    tasks = [task for run in runs for task in run.tasks] if rich else []
    richness = {task: random.Random(task).uniform(0.2 if "Mbpp" in task else 0.4, 0.7) for task in tasks}
    return analyse(runs, baseline=baseline, title="SYNTHETIC", note=note, truth=truths, richness=richness)
