"""`dualcode reviewer bench`: reviews alone, of programs whose truth is known, by form, thinking and model."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Literal

from dualcode import machine
from dualcode.analysis.trial import FILE, PREFIX, Standing, TrialReview, standings
from dualcode.bench.bench import Bench
from dualcode.bench.claims import is_call
from dualcode.call import Call, Usage
from dualcode.config import Price, Role, TeamConfig
from dualcode.errors import EndpointError, RunError
from dualcode.grading.grader import SandboxGrader
from dualcode.journal import Findings
from dualcode.models.ledger.store import FOLDER
from dualcode.pricing import charge
from dualcode.record import Record
from dualcode.reviews.cases import Case, make_cases
from dualcode.reviews.desk import desk
from dualcode.reviews.prompt_sets import BUILT_IN, Form, find_form
from dualcode.runs.lines import append_whole, read_lines
from dualcode.sandbox import open_sandbox
from dualcode.serving.running import find_team
from dualcode.solution import Program
from dualcode.steps import valued
from dualcode.steps.claims import Tried, defined, state, try_claims
from dualcode.steps.review import Review
from dualcode.suites.registry import load_suite
from dualcode.task import Task
from dualcode.team import Seat
from dualcode.together import all_or_nothing, ticking

LOST_IN_A_ROW = 3
"""Reviews that lose their server one after the other end the trial, as tasks do a run."""
Thinking = Literal["both", "on", "off"]
CASES = "cases.jsonl"


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


class TrialOptions(Record):
    """What `dualcode reviewer bench` was asked for."""

    suite: str
    data: Path | None = None
    limit: int | None = None
    tasks: tuple[str, ...] = ()
    mutants: int = 2
    seed: int = 0
    forms: tuple[str, ...] = BUILT_IN
    thinking: Thinking = "both"
    """Ways that a model has not are passed over."""
    roles: tuple[Role, ...] = ("reviewer",)
    team: Path | TeamConfig | None = None
    run_dir: Path = Path("runs")
    concurrency: int | None = None
    no_ledger: bool = False
    unsafe: bool = False


class Trial(Record):
    """What came of it."""

    suite: str
    title: str
    folder: Path
    right: int
    """Programs that are right."""
    wrong: int
    missing: tuple[str, ...]
    """Tasks with fewer programs than wanted, and why."""
    wanted: int
    """Reviews."""
    reviews: tuple[TrialReview, ...]

    @property
    def standings(self) -> list[Standing]:
        """A row for each model, form and way of thinking."""
        return standings(self.reviews)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        shown = self.model_dump(mode="json", exclude={"reviews"})
        return shown | {"reviews": len(self.reviews), "rows": [each.to_json() for each in self.standings]}


async def try_reviewers(asked: TrialOptions, tell: Callable[[str], None]) -> Trial:
    """Make the programs, have them reviewed, and return what each way of reviewing is worth.

    All is kept in a folder of RUN-DIR, and what is there is not done again: the same command resumes, and
    another form, model or more tasks add to it. Raises InputError, TeamError, and RunError for lost servers.
    """
    suite = load_suite(asked.suite, data=asked.data).select(asked.limit, asked.tasks or None)
    forms = [find_form(name) for name in dict.fromkeys(asked.forms)]
    config = find_team(asked.team)
    config.require(asked.roles, by="reviewer bench")
    folder = asked.run_dir / f"{PREFIX}{suite.name}-{suite.data.sha256[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    async with (
        open_sandbox(machine.cores(), unsafe=asked.unsafe) as sandbox,
        SandboxGrader(suite, sandbox, workers=sandbox.workers) as grader,
    ):
        cases, missing = await make_cases(
            suite, grader, folder / CASES, mutants=asked.mutants, seed=asked.seed, tell=tell
        )
    ledger = None if asked.no_ledger else asked.run_dir / FOLDER
    async with desk(
        config, asked.roles, ledger=ledger, own_ledger=False, unsafe=asked.unsafe, tell=tell
    ) as place:
        reviewers = [
            Reviewer(place.team[role], form, thinks, place.prices[config.roles[role]])
            for role in asked.roles
            for form in forms
            for thinks in ways(config, role, asked.thinking)
        ]
        at_once = asked.concurrency or sum(
            config.endpoints[name].concurrency for name in {config.roles[role] for role in asked.roles}
        )
        async with ticking(tell) as heard:  # a slow server answers the first review after minutes
            reviews = await hold(
                cases,
                {task.id: task for task in suite.tasks},
                reviewers,
                place.team.bench,
                folder / FILE,
                at_once=at_once,
                tell=heard,
            )
    right = sum(each.right for each in cases)
    return Trial(
        suite=suite.name, title=suite.title, folder=folder, right=right, wrong=len(cases) - right,
        missing=tuple(missing), wanted=len(cases) * len(reviewers), reviews=tuple(reviews),
    )  # fmt: skip


def read_trials(folders: Sequence[Path]) -> list[tuple[str, list[Standing]]]:
    """Return the trials that lie in folders of runs: a title, and what each way of reviewing is worth."""
    found: list[tuple[str, list[Standing]]] = []
    for file in sorted({each for folder in folders for each in folder.glob(f"{PREFIX}*/{FILE}")}):
        reviews = read_lines(file, TrialReview, [])
        programs = {each.case: each.right for each in reviews}
        suite = file.parent.name.removeprefix(PREFIX).rpartition("-")[0]
        right = sum(programs.values())
        title = f"Reviewers on the bench: {suite}, {right} right and {len(programs) - right} wrong programs"
        if reviews:
            found.append((title, standings(reviews)))
    return found


def ways(config: TeamConfig, role: Role, asked: Thinking) -> list[bool]:
    """Return the ways of thinking that are asked for and that a role's model has; never none."""
    can = config.endpoint_of(role).thinking == "switch"
    wanted = {"both": (False, True), "on": (True,), "off": (False,)}[asked]
    return [each for each in wanted if can or not each] or [False]
