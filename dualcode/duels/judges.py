"""The judges of a duel, as rows and as a table: what each made of its own work, and of what is known."""

from dataclasses import dataclass
from statistics import fmean

from dualcode.duels.findings import Findings, makers
from dualcode.duels.notes import heading
from dualcode.duels.scores import scores_of
from dualcode.panel.agreement import Estimate, Preference
from dualcode.panel.measures import JudgeMeasured, PanelMeasured
from dualcode.tables import cells
from dualcode.tables.cells import MINUS, NOTHING, decimal
from dualcode.tables.grid import Field, Grid, left, right
from dualcode.tables.table import Table

_BELIEVABLE = {None: "unknown", True: "yes", False: "no"}


@dataclass(frozen=True)
class Judge:
    """One judge."""

    measured: JudgeMeasured
    own: float | None
    """Its mean over fixes that its own model implemented; None where there is none."""
    other: float | None
    by_condition: dict[str, float]
    """Its mean by condition."""

    @property
    def name(self) -> str:
        """The endpoint's name in the team."""
        return self.measured.judge

    @property
    def preference(self) -> Preference:
        """Own less other, by who implemented."""
        return self.measured.own_implementer


def judges(found: Findings) -> list[Judge]:
    """Return the judges, in the order in which they were asked; none where there was no panel."""
    if found.panel is None:
        return []
    models = found.records.duel.models
    asked = scores_of(each for each in found.records.judgements if not each.by_rule)
    whose = {each.id: makers(each, models).implementer for each in found.records.duel.conditions}
    made: list[Judge] = []
    for measured in found.panel.judges:
        given: dict[str, list[float]] = {}
        for (condition, _, _), score in asked.items():
            if scores := score.by_judge.get(measured.judge):
                known = [scores[name] for name in found.panel.dimensions if name in scores]
                given.setdefault(condition, []).extend([fmean(known)] if known else [])
        own, rest = list[float](), list[float]()
        for id_, scores in given.items():
            (own if measured.model in whose.get(id_, ()) else rest).extend(scores)
        made.append(
            Judge(
                measured,
                own=fmean(own) if own else None,
                other=fmean(rest) if rest else None,
                by_condition={id_: fmean(scores) for id_, scores in given.items() if scores},
            )
        )
    return made


def table(found: Findings) -> Table | str:
    """Return the judges: what they prefer, how far they can be trusted, and what they agree on."""
    panel = found.panel
    if panel is None:
        return "nothing was judged"
    fields: list[Field[Judge] | None] = [
        left("judge", lambda row: row.name),
        right(
            "scores", lambda row: f"{row.measured.asked - row.measured.missing}/{row.measured.asked}", drop=3
        ),
        right("own", lambda row: decimal(row.own, 2), drop=2),
        right("other", lambda row: decimal(row.other, 2), drop=2),
        right("own − other", lambda row: estimate(row.preference.delta)),
        right("beyond peers", lambda row: estimate(row.preference.excess), drop=1),
        right("moved by looks", lambda row: estimate(row.measured.sensitivity, signed=False), drop=4),
        right("AUC", lambda row: decimal(row.measured.auc, 2)),
        left("calibrated", lambda row: _BELIEVABLE[row.measured.calibrated.believable]),
    ]
    return Grid(judges(found), fields).table(
        "judges", **heading(found, "the judges, judged", *_notes(panel)),
        values=lambda row: {"ours": {
            **row.measured.model_dump(mode="json"), "own": row.own, "other": row.other,
            "by_condition": row.by_condition,
        }, "published": []},
    )  # fmt: skip


def estimate(of: Estimate, *, signed: bool = True) -> str:
    """Return a number with its interval: `+0.32 [−0.10, +0.75]`; without one where no issues tell it."""
    if of.value is None:
        return NOTHING

    def text(value: float) -> str:
        return (f"{value:+.2f}" if signed else f"{value:.2f}").replace("-", MINUS)

    inside = f" [{text(of.low)}, {text(of.high)}]" if of.low is not None and of.high is not None else ""
    return text(of.value) + inside


def _notes(panel: PanelMeasured) -> list[str]:
    alphas = ", ".join(
        f"{name.replace('_', ' ')} {'undefined' if each is None else cells.decimal(each, 2)}"
        for name, each in panel.alpha.items()
    )
    notes = [
        "own − other: its mean for fixes that its own model implemented less that for others', over plain "
        "renderings, with a 95 % interval over issues; beyond peers: the same, less what the other judges "
        "made of the same fixes. moved by looks: how far a score moves when comments and the order of files "
        "change. AUC: how often it puts a solved fix above an unsolved one; 0.5 is a coin.",
        f"Agreement, Krippendorff's alpha (ordinal): {alphas or 'undefined'}.",
    ]
    if panel.votes is not None:
        bound = "" if panel.votes_by_truth else " at least, as no tests tell what is an error"
        notes.append(f"{len(panel.judges)} judges are worth {panel.votes:.1f} independent ones{bound}.")
    for each in panel.judges:
        notes.append(f"{each.judge}: {each.calibrated.why}.")
        if each.why_missing:
            reasons = ", ".join(
                f"{why or 'no reason given'} ({count})" for why, count in each.why_missing.items()
            )
            notes.append(f"{each.judge} is missing {each.missing} times: {reasons}.")
    return notes
