"""How fast the servers are, tried on requests that the study will ask anyway."""

import asyncio
from collections.abc import Callable, Sequence

from dualcode.call import Call
from dualcode.errors import DualcodeError
from dualcode.pipelines import Pipeline
from dualcode.runs.evaluate import Workshop
from dualcode.study.known import Known

MOST = 16
"""Tasks of a trial: enough to fill a server's batch, few enough to be done soon."""


async def try_speed(
    pipelines: Sequence[Pipeline], workshop: Workshop, known: Known, tell: Callable[[str], None]
) -> None:
    """Add to `known` what the one-call pipelines' first tasks take, for endpoints without any measurement.

    An endpoint that no such pipeline speaks to, or that fails, stays unknown; a run says what is wrong.
    """
    for pipeline in pipelines:
        if pipeline.calls != (1, 1) or len(pipeline.roles) != 1:
            continue
        endpoint = workshop.config.roles[pipeline.roles[0]]
        if known.rate(endpoint) is None:
            count = min(MOST, workshop.config.endpoints[endpoint].concurrency, len(workshop.suite.tasks))
            tell(f"trying the speed of {endpoint} on {count} drafts, which are kept")
            known.add(await _try(pipeline, workshop, count))


async def _try(pipeline: Pipeline, workshop: Workshop, count: int) -> list[Call]:
    team, _, _ = await workshop.tools()
    calls: list[Call] = []
    tasks = workshop.suite.tasks[:count]
    solving = (pipeline(task, team.for_task(task.id, calls.append)) for task in tasks)
    for failure in await asyncio.gather(*solving, return_exceptions=True):
        if isinstance(failure, BaseException) and not isinstance(failure, DualcodeError):
            raise failure
    return calls
