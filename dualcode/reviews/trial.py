"""Reviewers on the bench: reviews alone, of programs whose truth is known, by form, thinking and model."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from dualcode.analysis.trial import TrialReview
from dualcode.bench.bench import Bench
from dualcode.bench.claims import is_call
from dualcode.call import Call, Usage
from dualcode.config import Price
from dualcode.errors import EndpointError, RunError
from dualcode.journal import Findings
from dualcode.pricing import charge
from dualcode.reviews.cases import Case
from dualcode.reviews.prompt_sets import Form
from dualcode.runs.lines import append_whole, read_lines
from dualcode.solution import Program
from dualcode.steps import valued
from dualcode.steps.claims import Tried, defined, state, try_claims
from dualcode.steps.review import Review
from dualcode.task import Task
from dualcode.team import Seat
from dualcode.together import all_or_nothing

LOST_IN_A_ROW = 3
"""Reviews that lose their server one after the other end the trial, as tasks do a run."""


@dataclass(frozen=True)
class Reviewer:
    """A model in a way of reviewing."""

    seat: Seat
    form: Form
    thinking: bool
    price: Price | None = None

    @property
    def model(self) -> str:
        """The endpoint and its model."""
        return f"{self.seat.endpoint}: {self.seat.chat.model}"

    def key(self, case: Case) -> tuple[str, ...]:
        """The key of its review of a case."""
        return (case.key, self.form.checksum, str(self.thinking), self.model)


async def hold(
    cases: Sequence[Case],
    tasks: Mapping[str, Task],
    reviewers: Sequence[Reviewer],
    bench: Bench,
    file: Path,
    *,
    at_once: int,
    tell: Callable[[str], None],
) -> list[TrialReview]:
    """Have every case reviewed by every reviewer; what `file` has is not asked again.

    Returns the reviews of these cases and reviewers. Raises RunError when servers are lost, and what was done
    stays in the file.
    """
    known = {each.key: each for each in read_lines(file, TrialReview, [])}
    wanted = [(case, each) for case in cases for each in reviewers]
    waiting = [(case, each) for case, each in wanted if each.key(case) not in known]
    if waiting and len(waiting) < len(wanted):
        tell(f"{len(wanted) - len(waiting)} reviews are there already")
    turns, lost, done = asyncio.Semaphore(at_once), list[str](), list[tuple[str, ...]]()

    async def one(case: Case, reviewer: Reviewer) -> None:
        async with turns:
            if len(lost) >= LOST_IN_A_ROW:
                return
            try:
                made = await review_case(case, tasks[case.task_id], reviewer, bench)
            except EndpointError as error:
                lost.append(error.message)
                if len(lost) >= LOST_IN_A_ROW:
                    raise RunError(
                        f"{len(lost)} reviews in a row lost their server: {error.message}",
                        hint="the same command goes on where it stopped",
                    ) from error
                return
            lost.clear()
            append_whole(file, f"{made.to_line()}\n")
            known[made.key] = made
            done.append(made.key)
            tell(f"reviews: {len(wanted) - len(waiting) + len(done)} of {len(wanted)}")

    await all_or_nothing(one(case, each) for case, each in waiting)
    return [known[each.key(case)] for case, each in wanted if each.key(case) in known]


async def review_case(case: Case, task: Task, reviewer: Reviewer, bench: Bench) -> TrialReview:
    """Review one program, and run what its findings say. Raises EndpointError."""
    calls: list[Call] = []
    seat = replace(reviewer.seat, task_id=case.task_id, record=calls.append, numbers=count(1))
    form = reviewer.form
    program = Program(text=case.program, compiles=True, defines_entry_point=True, how="suite")
    messages = form.messages(task, program)
    said = await seat.ask(
        "review",
        messages,
        read=form.read,
        about=(program,),
        schema=form.schema,
        repair=form.repair,
        thinking=reviewer.thinking,
        answer_tokens=form.tokens,
    )
    tried: Sequence[Tried] = ()
    if isinstance(said, valued.Review):
        names = {task.entry_point} | defined(program.text)
        claims = [each for each in said.claims if is_call(each.call, names)]
        tried = await try_claims(bench, task, program, said.findings, claims)
    elif isinstance(said, Review) and said.findings:
        claims = await state(seat, task, program, said, asked_for_review=messages)
        tried = await try_claims(bench, task, program, said.findings, claims)
    own, rest = calls[:1], calls[1:]
    usage, seconds = _usage(own), _seconds(own)
    paid = charge(reviewer.price, usage, seconds)
    return TrialReview(
        task_id=case.task_id,
        case=case.key,
        right=case.right,
        change=case.change,
        form=form.name,
        form_checksum=form.checksum,
        thinking=reviewer.thinking,
        model=reviewer.model,
        verdict=None if said is None else said.verdict,
        findings=Findings(**Counter(each.status for each in tried)),
        seconds=seconds,
        usage=usage,
        money=paid and paid.amount,
        currency=paid.currency if paid else reviewer.price and reviewer.price.currency,
        claim_seconds=_seconds(rest),
        claim_usage=_usage(rest),
    )


def _seconds(calls: Sequence[Call]) -> float:
    return sum(attempt.seconds for call in calls for attempt in call.attempts)


def _usage(calls: Sequence[Call]) -> Usage:
    return sum((call.usage for call in calls), Usage())
