"""The reviewer judged: its verdicts against the hidden truth of the drafts that it read.

A review is the first one of its task that got a reply. What its reply's verdict led to is judged by the run's
final program: pipelines that go on after the fix (retries by visible tests, a guard, a choice, a synthesis)
get the credit and the blame together with the review; docs/reviewer.md says what that means for each.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dualcode.analysis.drafts import first_reviews
from dualcode.analysis.runs import Run
from dualcode.metrics import Rate, rate
from dualcode.record import Record

LEAST_TASKS = 8
"""Fewer reviewed tasks are not split: a quartile of one task says nothing."""


def share(part: int, whole: int) -> Rate | None:
    """Return part/whole; None of nothing."""
    return rate(part, whole) if whole else None


def rates_to_json(of: Record, names: Sequence[str]) -> dict[str, Any]:
    """Return a value's rates of these names with their intervals, as `--json` prints them."""
    rates: dict[str, Rate | None] = {name: getattr(of, name) for name in names}
    return {name: each and each.model_dump() for name, each in rates.items()}


class Confusion(Record):
    """Verdicts against truth. Positive: the reviewer says that the draft has a bug (`revise`).

    The rates are None where their denominator is 0; `unknown` is in none of them.
    """

    true_positive: int
    """Wrong drafts that it found wrong."""
    false_positive: int
    """Right drafts that it found wrong."""
    false_negative: int
    """Wrong drafts that it approved."""
    true_negative: int
    """Right drafts that it approved."""
    unknown: int
    """Reviews without a truth to be set against: the draft could not be graded, or there was no verdict.
    Drafts that nobody graded are mostly revised ones, so the rates are biased where there are any."""
    off_schema: int = 0
    """Of `unknown`, the unread reviews: their reply held no verdict, even after its repair. Pipelines let the
    draft stand then, but nobody judged it, so it is no approval here."""

    @classmethod
    def of(cls, seen: Sequence[tuple[str | None, bool | None]]) -> "Confusion":
        """Count reviews: each one's verdict, and whether its draft is right; None: unread, unknown."""
        off_schema = sum(verdict is None for verdict, _ in seen)
        return cls(
            true_positive=seen.count(("revise", False)),
            false_positive=seen.count(("revise", True)),
            false_negative=seen.count(("approve", False)),
            true_negative=seen.count(("approve", True)),
            unknown=off_schema + sum(verdict is not None and right is None for verdict, right in seen),
            off_schema=off_schema,
        )

    @property
    def ungraded(self) -> int:
        """Reviews with a verdict, of a draft whose truth is not known."""
        return self.unknown - self.off_schema

    @property
    def judged(self) -> int:
        """Reviews with a verdict and a truth."""
        return self.true_positive + self.false_positive + self.false_negative + self.true_negative

    @property
    def precision(self) -> Rate | None:
        """Of the drafts that it found wrong, those that are. To be held against `base_rate`."""
        return share(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> Rate | None:
        """Of the wrong drafts, those that it found wrong."""
        return share(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> Rate | None:
        """Of the right drafts, those that it approved."""
        return share(self.true_negative, self.true_negative + self.false_positive)

    @property
    def accuracy(self) -> Rate | None:
        """Of all drafts, those on which it was right."""
        return share(self.true_positive + self.true_negative, self.judged)

    @property
    def base_rate(self) -> Rate | None:
        """The wrong among the drafts: the precision of a reviewer that objects without reading."""
        return share(self.true_positive + self.false_negative, self.judged)

    def to_json(self) -> dict[str, Any]:
        """Return the counts, and the rates with their intervals."""
        names = ("precision", "recall", "specificity", "accuracy", "base_rate")
        return self.model_dump() | rates_to_json(self, names)


class Fixes(Record):
    """What became of the drafts whose review asked for a fix."""

    helped: int
    """Wrong before, right after."""
    broke: int
    """Right before, wrong after."""
    right_stayed: int
    wrong_stayed: int
    unchanged: int
    """Of all four kinds, those whose program is the draft's, text for text."""
    unknown: int
    """The draft's truth or the final program's verdict is not known."""

    @property
    def did_nothing(self) -> int:
        """Fixes that changed no verdict."""
        return self.right_stayed + self.wrong_stayed

    @property
    def net(self) -> int:
        """Tasks won by the fixes, less those lost by them."""
        return self.helped - self.broke

    @property
    def total(self) -> int:
        """Reviews that asked for a fix."""
        return self.helped + self.broke + self.did_nothing + self.unknown


class Judged(Record):
    """A reviewer over one set of tasks."""

    label: str
    """`all`, or a quartile of specification richness such as `Q1 (0.10–0.35)`: its poorest and its richest
    task."""
    tasks: int
    """Tasks with a review."""
    confusion: Confusion
    fixes: Fixes

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints of it."""
        fixes = self.fixes.model_dump() | {"did_nothing": self.fixes.did_nothing, "net": self.fixes.net}
        return self.model_dump() | {"confusion": self.confusion.to_json(), "fixes": fixes}


class ReviewerReport(Record):
    """The reviewer of one run."""

    run: str
    pipeline: str
    dataset: str
    overall: Judged
    quartiles: tuple[Judged, ...]
    """By richness of the specification, leanest first; empty where there are too few tasks (under 8) or all
    are equally rich. Equally rich tasks are in the same quartile, so some may be larger, or missing."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        quartiles = [each.to_json() for each in self.quartiles]
        return self.model_dump() | {"overall": self.overall.to_json(), "quartiles": quartiles}


class _Case(NamedTuple):
    """One review, what it was set against, and what followed."""

    verdict: str | None
    """`approve`, `revise`; None off the schema."""
    before: bool | None
    """Whether the draft is right; None: unknown."""
    after: bool | None
    """Whether the final program is."""
    unchanged: bool


def review_report(
    run: Run, truth: Mapping[str, bool], richness: Mapping[str, float]
) -> ReviewerReport | None:
    """Judge the reviewer of a run; None if no draft was reviewed in it.

    `truth` says of each task whether the reviewed draft is right on the run's hardest part (`drafts.truths`);
    tasks that it lacks are unknown. Tasks that `richness` lacks are in no quartile.
    """
    passed = run.passed(run.hardest)
    cases: dict[str, _Case] = {}
    for task, review in first_reviews(run).items():
        unchanged = review.about is not None and review.about == run.facts.tasks[task].solution
        cases[task] = _Case(review.verdict, truth.get(task), passed.get(task), unchanged)
    if not cases:
        return None
    rich = {task: richness[task] for task in cases if task in richness}
    return ReviewerReport(
        run=run.id,
        pipeline=run.pipeline,
        dataset=run.dataset,
        overall=_judged("all", list(cases.values())),
        quartiles=tuple(
            _judged(label, [cases[task] for task in tasks]) for label, tasks in quartiles(rich).items()
        ),
    )


def _judged(label: str, cases: Sequence[_Case]) -> Judged:
    fixed = [case for case in cases if case.verdict == "revise"]
    known = [case for case in fixed if None not in (case.before, case.after)]
    became = [(case.before, case.after) for case in known]
    confusion = Confusion.of([(case.verdict, case.before) for case in cases])
    fixes = Fixes(
        helped=became.count((False, True)),
        broke=became.count((True, False)),
        right_stayed=became.count((True, True)),
        wrong_stayed=became.count((False, False)),
        unchanged=sum(case.unchanged for case in known),
        unknown=len(fixed) - len(known),
    )
    return Judged(label=label, tasks=len(cases), confusion=confusion, fixes=fixes)


def quartiles(richness: Mapping[str, float]) -> dict[str, list[str]]:
    """Return label -> tasks of each quartile of richness, leanest first; empty where there is none to make.

    A task belongs to the lowest quartile whose upper edge (numpy's linear quantile) it does not exceed, so
    equal values are never parted; every task is in exactly one.
    """
    import numpy as np

    if len(richness) < LEAST_TASKS or len(set(richness.values())) == 1:
        return {}
    values = np.array(list(richness.values()), dtype=float)
    places = np.searchsorted(np.quantile(values, (0.25, 0.5, 0.75)), values, side="left").tolist()
    placed = list(zip(richness, places, strict=True))
    found: dict[str, list[str]] = {}
    for quartile in range(4):
        if tasks := [task for task, place in placed if place == quartile]:
            low, high = min(richness[task] for task in tasks), max(richness[task] for task in tasks)
            found[f"Q{quartile + 1} ({low:.2f}–{high:.2f})"] = tasks
    return found
