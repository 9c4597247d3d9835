"""Reviewers on the bench: their reviews of programs whose truth is known, and what these come to."""

from collections.abc import Sequence
from typing import Any, Literal

from dualcode.analysis.reviewer import Confusion, rates_to_json, share
from dualcode.call import Usage
from dualcode.journal import Findings
from dualcode.metrics import Rate
from dualcode.record import Record

FILE = "reviews.jsonl"
PREFIX = "reviewer-bench-"
"""Of a bench's folder, beside the runs: then the suite and the beginning of its data's checksum."""


class TrialReview(Record):
    """One review of one program: a line of `reviews.jsonl`."""

    task_id: str
    case: str
    """The program's key among the cases."""
    right: bool
    change: str
    form: str
    form_checksum: str
    thinking: bool
    model: str
    """The endpoint and the model that it serves."""
    verdict: Literal["approve", "revise"] | None
    """None: the reply could not be read, even after its repair."""
    findings: Findings = Findings()
    """What came of running them."""
    seconds: float
    """Of the review's own requests; a replayed one's are those that were paid."""
    usage: Usage
    money: float | None
    currency: str | None
    claim_seconds: float = 0.0
    """Of the request that puts findings as calls, where the form does not ask for them."""
    claim_usage: Usage = Usage()

    @property
    def key(self) -> tuple[str, ...]:
        """What is asked once."""
        return (self.case, self.form_checksum, str(self.thinking), self.model)


class Standing(Record):
    """What the reviews of one model, form and way of thinking came to."""

    model: str
    form: str
    thinking: bool
    confusion: Confusion
    on_wrong: Findings
    """Findings about wrong programs."""
    on_right: Findings
    alarms: int
    """Right programs that were rejected with findings, and of these ..."""
    alarms_refuted: int
    """... those whose every finding is refuted by running it: m of docs/simulator.md."""
    hits: int
    hits_refuted: int
    """The same of wrong programs: n."""
    reviews: int
    seconds: float
    """Mean of a review, without its claims."""
    tokens: float | None
    """Mean of a review, prompt and reply; None where a server told none."""
    money: float | None
    """Mean of a review."""
    currency: str | None
    claim_seconds: float
    """Mean of a review, for putting its findings as calls."""

    @property
    def refuted_alarms(self) -> Rate | None:
        """Of the false alarms with findings, those that running them refutes."""
        return share(self.alarms_refuted, self.alarms)

    @property
    def refuted_hits(self) -> Rate | None:
        """Of the hits with findings, those that running them refutes."""
        return share(self.hits_refuted, self.hits)

    @property
    def truthful(self) -> Rate | None:
        """Of the findings that could be run, those whose claim about the program holds."""
        found = self.on_wrong + self.on_right
        return share(found.confirmed, found.confirmed + found.refuted)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        shown = self.model_dump(mode="json") | {"confusion": self.confusion.to_json()}
        shown |= rates_to_json(self.confusion, ("recall", "specificity"))
        return shown | rates_to_json(self, ("refuted_alarms", "refuted_hits", "truthful"))


def standings(reviews: Sequence[TrialReview]) -> list[Standing]:
    """Return what the reviews came to, by model, form and thinking, in the order of their first review."""
    groups: dict[tuple[str, str, str, bool], list[TrialReview]] = {}
    for each in reviews:
        groups.setdefault((each.model, each.form, each.form_checksum, each.thinking), []).append(each)
    return [_standing(group) for group in groups.values()]


def _standing(group: Sequence[TrialReview]) -> Standing:
    reported = [each for each in group if each.verdict == "revise" and each.findings != Findings()]
    refuted = [each for each in reported if not (each.findings.confirmed or each.findings.untried)]
    paid = [each.money for each in group]
    size, first = len(group), group[0]
    told = sum((each.usage for each in group), Usage())
    return Standing(
        model=first.model,
        form=first.form,
        thinking=first.thinking,
        confusion=Confusion.of([(each.verdict, each.right) for each in group]),
        on_wrong=sum((each.findings for each in group if not each.right), Findings()),
        on_right=sum((each.findings for each in group if each.right), Findings()),
        alarms=sum(each.right for each in reported),
        alarms_refuted=sum(each.right for each in refuted),
        hits=sum(not each.right for each in reported),
        hits_refuted=sum(not each.right for each in refuted),
        reviews=size,
        seconds=sum(each.seconds for each in group) / size,
        tokens=None if told.untold else (told.prompt_tokens + told.completion_tokens) / size,
        money=None if None in paid else sum(each or 0.0 for each in paid) / size,
        currency=first.currency,
        claim_seconds=sum(each.claim_seconds for each in group) / size,
    )
