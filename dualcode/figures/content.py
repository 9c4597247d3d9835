"""What a figure shows, before it is drawn, and what every figure says of its runs."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run, Score
from dualcode.published.published import Published
from dualcode.tables.selection import models, part_title

PUBLISHED = "published, arXiv 2603.03406"
"""What published values are called in every legend."""
LEADERBOARD = "published, EvalPlus leaderboard"


class NothingToDrawError(Exception):
    """The analysis lacks what a figure is made of; the text names the runs, or what is missing.

    It never leaves this package: `draw` returns it as the figure's reason.
    """


def nothing(reason: str) -> NoReturn:
    """Raise NothingToDrawError."""
    raise NothingToDrawError(reason)


@dataclass(frozen=True, kw_only=True)
class Content:
    """The data of one figure. Each figure adds its own fields."""

    title: str
    caption: str
    """Also the alternative text: it names the values that matter."""
    runs: tuple[str, ...]
    """Ids of the runs, in the order of their first appearance."""
    remarks: tuple[str, ...]
    """Small print above the runs' ids: what is not comparable, what was left out."""
    headline: str
    """The analysis's own title and note, such as that the model is a demo's; may be empty."""
    models: str
    """Which models the runs are of, by role."""


def about(analysis: Analysis, runs: Iterable[Run], title: str, caption: str, *remarks: str) -> dict[str, Any]:
    """Return the fields that every figure's content shares; `runs` are those that it shows."""
    return {
        "title": title,
        "caption": caption,
        "runs": tuple(dict.fromkeys(run.id for run in runs)),
        "remarks": remarks,
        "headline": " – ".join(part for part in (analysis.title, analysis.note) if part),
        "models": models(analysis.runs),
    }


def caveats(
    analysis: Analysis, runs: Sequence[Run], *, published: bool = False, compared: bool = False
) -> list[str]:
    """Return what keeps numbers of the runs apart: from published ones, if there are any, and each other.

    `compared`: they are drawn against the baseline, so that it counts in what they differ from it.
    """
    return [
        *selection_remarks(runs, published=published),
        *errored_remarks(runs),
        *(warning_remarks(analysis, runs) if compared else ()),
    ]


def suite_name(run: Run) -> str:
    """Return the name under which a run's hardest tests are published: `HumanEval+`, `MBPP`; or its title."""
    return part_title(run, run.hardest)


def ours(scores: Iterable[Score]) -> str:
    """Return what our values are called in a legend, with how many tasks were graded."""
    return f"ours ({spread_of(score.rate.total for score in scores)} tasks)"


def spread_of(numbers: Iterable[int]) -> str:
    """Return `164`, `164 and 378`, or `160–164` where there are more than two."""
    known = sorted(set(numbers))
    return " and ".join(map(str, known)) if len(known) < 3 else f"{known[0]}–{known[-1]}"


def selection_remarks(runs: Sequence[Run], *, published: bool) -> list[str]:
    """Say where published numbers, which are over whole suites, stand beside ours over a part of one."""
    parts = dict.fromkeys(
        (suite_name(run), len(run.tasks), run.size)
        for run in runs
        if published and len(run.tasks) < (run.size or 0)
    )
    return [
        f"Published numbers for {name} are over all {size} tasks; ours are over {chosen}."
        for name, chosen, size in parts
    ]


def warning_remarks(analysis: Analysis, runs: Iterable[Run]) -> list[str]:
    """Say in what the runs differ from their baselines beyond their pipelines: the first two, cut short."""
    compared = (analysis.comparisons.get(run.id, {}).get(run.hardest) for run in runs)
    found = list(dict.fromkeys(w for each in compared if each for w in each.warnings))
    if not found:
        return []
    more = f" And {len(found) - 2} more differences; `dualcode compare` lists them." if len(found) > 2 else ""
    shown = "; ".join(textwrap.shorten(each, 150, placeholder=" …") for each in found[:2])
    end = "" if shown.endswith(("…", ".")) else "."
    return [f"Not fully comparable with the baseline: {shown}{end}{more}"]


def correction(analysis: Analysis) -> str:
    """Say what a claimed difference was corrected for."""
    if analysis.family == 1:
        return "one comparison"
    return f"p corrected for all {analysis.family} comparisons of these runs (Holm)"


def errored_remarks(runs: Sequence[Run]) -> list[str]:
    """Say how many tasks of the runs have no verdict."""
    found = [(run.pipeline, suite_name(run), len(run.errored)) for run in runs if run.errored]
    if not found:
        return []
    shown = ", ".join(f"{name} on {suite} {count}" for name, suite, count in found[:4])
    more = f" and {len(found) - 4} more runs" if len(found) > 4 else ""
    return [f"Errored tasks (no verdict, not counted as failed): {shown}{more}."]


def main_dataset(analysis: Analysis, having: Iterable[str] | None = None) -> str:
    """Return the dataset that the paper's figures are about, HumanEval+, or else the first one.

    With `having`, the first choice that has a run of one of these pipelines.
    """
    if not analysis.runs:
        nothing("there is no run")
    wanted = None if having is None else set(having)
    for dataset in sorted(analysis.datasets, key=lambda name: not name.startswith("humaneval")):
        if wanted is None or any(r.pipeline in wanted for r in analysis.runs if r.dataset == dataset):
            return dataset
    names = " or ".join(having or ())
    return nothing(f"no run of {names} among {some_ids(analysis.runs)}")


def some_ids(runs: Sequence[Run], most: int = 3) -> str:
    """Return the runs' ids, shortened where there are many."""
    more = f" and {len(runs) - most} more" if len(runs) > most else ""
    return ", ".join(run.id for run in runs[:most]) + more


def published_percent(published: Published, run: Run) -> float | None:
    """Return what the paper's tables print for a run's pipeline and hardest part, in per cent."""
    found = published.score(suite_name(run), run.pipeline)
    return found.percent if found else None
