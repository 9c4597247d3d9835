"""Tasks at the nodes of a Ray cluster: driver and nodes speak by messages, and only `ray.py` knows Ray."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING

from dualcode.config import TeamConfig
from dualcode.pipelines import Pipeline
from dualcode.sandbox import open_sandbox
from dualcode.suites.suite import Suite

if TYPE_CHECKING:
    from dualcode.runs.cluster.driver import Driver


@contextlib.asynccontextmanager
async def open_nodes(
    address: str,
    suite: Suite,
    config: TeamConfig,
    pipelines: Sequence[Pipeline],
    *,
    task_seconds: float,
    unsafe: bool,
    say: Callable[[str], None],
) -> AsyncGenerator["Driver"]:
    """Open the nodes of the Ray cluster at HOST:PORT. Raises ClusterError, or SandboxError of this one."""
    from dualcode.runs.cluster.ray import open_cluster  # only who names a cluster needs Ray

    async with open_sandbox(1, unsafe=unsafe):
        pass  # this machine seals the runs, whatever the nodes have
    opening = open_cluster(
        address, suite, config, pipelines, task_seconds=task_seconds, unsafe=unsafe, say=say
    )
    async with opening as driver:
        yield driver
