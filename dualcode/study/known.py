"""What earlier calls, or a short trial, say about the calls to come: tokens a step, tokens a second."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from dualcode.call import Call
from dualcode.errors import DualcodeError, RunError
from dualcode.models.endpoints import Served
from dualcode.pipelines import Pipeline
from dualcode.runs.store import read_run
from dualcode.runs.summary import union_seconds
from dualcode.runs.workshop import Workshop

MOST = 16
"""Tasks of a trial: enough to fill a server's batch, few enough to be done soon."""


class Known:
    """Measured calls, by endpoint."""

    def __init__(self) -> None:
        self.tokens = defaultdict[tuple[str, str], list[tuple[int, int]]](list)
        """(endpoint, step) to (prompt tokens, completion tokens) a call."""
        self.made = defaultdict[str, int](int)
        """Completion tokens that were really made."""
        self.spans = defaultdict[str, list[tuple[float, float]]](list)
        """When requests that made them were in flight; those of runs side by side overlap."""

    def add(self, calls: Iterable[Call]) -> None:
        """Add calls, of one run or of several."""
        for call in calls:
            if call.reply is None or call.usage.untold:
                continue  # what a server did not tell is not what calls take
            self.tokens[call.endpoint, call.step].append(
                (call.usage.prompt_tokens, call.usage.completion_tokens)
            )
            for attempt in call.attempts:
                if not attempt.from_ledger:
                    self.made[call.endpoint] += attempt.usage.completion_tokens
                    span = (attempt.started, attempt.started + attempt.seconds)
                    self.spans[call.endpoint].append(span)

    def rate(self, endpoint: str) -> float | None:
        """Return completion tokens a busy second; None if nothing was measured."""
        made, busy = self.made.get(endpoint, 0), union_seconds(self.spans.get(endpoint, ()))
        return made / busy if made and busy else None

    def mean(self, endpoint: str, step: str) -> tuple[float, float] | None:
        """Return the mean prompt and completion tokens of a step's calls; None if there were none."""
        found = self.tokens.get((endpoint, step))
        return (fmean(each[0] for each in found), fmean(each[1] for each in found)) if found else None


def learn(run_dir: Path, served: Mapping[str, Served]) -> Known:
    """Return what the runs in `run_dir` measured of these servers; other models' runs are passed over."""
    known = Known()
    for path in sorted(run_dir.glob("*/manifest.json")):
        try:
            records = read_run(path.parent)
        except RunError:
            continue  # a damaged run stops whoever needs it, not a forecast
        theirs = records.manifest.configuration.served
        # As a record holds it: what a server can do beside is told of the living one alone.
        same = {
            name
            for name, each in theirs.items()
            if (living := served.get(name)) and each == Served.model_validate(living.model_dump())
        }
        known.add(call for call in records.calls if call.endpoint in same)
    return known


async def try_speed(
    pipelines: Sequence[Pipeline], workshop: Workshop, known: Known, tell: Callable[[str], None]
) -> None:
    """Add to `known` what the one-call pipelines' first tasks take, for endpoints without any measurement.

    These are requests that the study will ask anyway. An endpoint that no such pipeline speaks to, or that
    fails, stays unknown; a run says what is wrong.
    """
    for pipeline in pipelines:
        if pipeline.calls != (1, 1) or len(pipeline.roles) != 1:
            continue
        endpoint = workshop.config.roles[pipeline.roles[0]]
        if known.rate(endpoint) is not None:
            continue
        tasks = workshop.suite.tasks[: min(MOST, workshop.config.endpoints[endpoint].concurrency)]
        tell(f"trying the speed of {endpoint} on {len(tasks)} drafts, which are kept")
        team = (await workshop.tools()).team
        calls: list[Call] = []
        limit = workshop.config.limits.task_seconds
        solving = (pipeline(task, team.for_task(task.id, calls.append)) for task in tasks)
        trials = (asyncio.wait_for(each, limit) for each in solving)
        for failure in await asyncio.gather(*trials, return_exceptions=True):
            if isinstance(failure, BaseException) and not isinstance(failure, DualcodeError | TimeoutError):
                raise failure
        known.add(calls)
