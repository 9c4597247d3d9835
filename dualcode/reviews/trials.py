"""`dualcode reviewer bench`: from a suite and a team to what each way of reviewing is worth."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from dualcode import machine
from dualcode.analysis.trial import FILE, PREFIX, Standing, TrialReview, standings
from dualcode.config import Role, TeamConfig
from dualcode.grading.grader import SandboxGrader
from dualcode.models.ledger.store import FOLDER
from dualcode.record import Record
from dualcode.reviews.cases import Case, make_cases
from dualcode.reviews.desk import desk
from dualcode.reviews.prompt_sets import BUILT_IN, find_form
from dualcode.reviews.trial import Reviewer, hold
from dualcode.runs.lines import read_lines
from dualcode.sandbox import open_sandbox
from dualcode.serving.running import find_team
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.together import ticking

Thinking = Literal["both", "on", "off"]
CASES = "cases.jsonl"


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
    return trial_of(suite, folder, cases, missing, len(cases) * len(reviewers), reviews)


def trial_of(
    suite: Suite,
    folder: Path,
    cases: Sequence[Case],
    missing: Sequence[str],
    wanted: int,
    reviews: Sequence[TrialReview],
) -> Trial:
    """Return the trial of these reviews."""
    right = sum(each.right for each in cases)
    return Trial(
        suite=suite.name, title=suite.title, folder=folder, right=right, wrong=len(cases) - right,
        missing=tuple(missing), wanted=wanted, reviews=tuple(reviews),
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
