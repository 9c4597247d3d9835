"""A judge tried alone, on issues of which a right fix and a wrong one are known: can it be believed?"""

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from statistics import fmean

from dualcode import resources
from dualcode.config import TeamConfig
from dualcode.errors import InputError, UnknownNameError
from dualcode.issues.task import IssueTask
from dualcode.journal import switched_on
from dualcode.models.endpoints import check_endpoints
from dualcode.models.ledger import FOLDER, Ledger, behind_ledger
from dualcode.panel.calibration import calibrations_of
from dualcode.panel.exhibit import Exhibit
from dualcode.panel.measures import Calibrated, calibrated
from dualcode.panel.panel import Score, judge_all
from dualcode.panel.renderings import Bounds
from dualcode.panel.rubric import Rubric
from dualcode.record import Record
from dualcode.team import Seat, build_team


class JudgeTried(Record):
    """What came of a judge's trial."""

    judge: str
    model: str
    rubric: str
    issues: tuple[str, ...]
    scores: tuple[Score, ...]
    calibrated: Calibrated
    sensitivity: float | None
    """By how many points the mean moves between the renderings of the right and of the wrong fix; None where
    they have no comments and one file, or no scores."""

    @property
    def missing(self) -> tuple[Score, ...]:
        """The judgements without scores."""
        return tuple(each for each in self.scores if each.scores is None)


async def try_judge(
    judge: str,
    seat: Seat,
    tasks: Sequence[IssueTask],
    rubric: Rubric,
    *,
    seed: int = 0,
    bounds: Bounds | None = None,
    tell: Callable[[Score], None] = lambda _: None,
) -> JudgeTried:
    """Let a judge score the exhibits of these issues whose worth is known.

    Raises InputError for a task without a solution.
    """
    exhibits = [each for task in tasks for each in _exhibits(task)]
    scores = await judge_all(exhibits, {judge: seat}, rubric, seed=seed, record=tell, bounds=bounds)
    return JudgeTried(
        judge=judge,
        model=seat.chat.model,
        rubric=rubric.name,
        issues=tuple(task.name for task in tasks),
        scores=scores,
        calibrated=calibrated(scores),
        sensitivity=_sensitivity(scores),
    )


@contextlib.asynccontextmanager
async def open_judge(config: TeamConfig, name: str, *, ledger: Path | None = None) -> AsyncGenerator[Seat]:
    """Open the seat of a judge: a role of the team, or the name of one of its endpoints.

    The user's own ledger answers what was asked before, or that in `ledger`. Raises UnknownNameError,
    TeamError, UnreachableError.
    """
    if name not in config.roles and name not in config.endpoints:
        known = {*config.roles, *config.endpoints}
        raise UnknownNameError("judge of the team", name, known, hint="--judge ROLE, or an endpoint's name")
    if name not in config.roles:
        config = config.model_copy(update={"roles": {**config.roles, name: name}})
    served = await check_endpoints(config, [name])
    kept = ledger or (resources.state_folder() / FOLDER if switched_on() else None)
    async with contextlib.AsyncExitStack() as opened:
        team = build_team(config, [name], served)
        opened.push_async_callback(team.close)
        if kept is not None:
            book = Ledger.open(kept)
            opened.callback(book.close)
            behind = await behind_ledger(team.chats, book, config, served)
            team = team.through(lambda chat: behind[chat.name])
        yield team[name]


def _exhibits(task: IssueTask) -> tuple[Exhibit, ...]:
    found = calibrations_of(task)
    if not found:
        raise InputError(
            f"{task.name} has no {task.solution.name}: of it no right fix is known",
            hint=f"write {task.solution}, or --issue flask-4041",
        )
    return found


def _sensitivity(scores: Sequence[Score]) -> float | None:
    means = {
        (each.issue, each.calibration, each.rendering): each.mean
        for each in scores
        if each.calibration != "instruction" and not each.same  # without comments that is another diff
    }
    moves = [
        abs(mean - other)
        for (issue, calibration, rendering), mean in means.items()
        if rendering == "plain" and mean is not None
        if (other := means.get((issue, calibration, "other"))) is not None
    ]
    return fmean(moves) if moves else None
