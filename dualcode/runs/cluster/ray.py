"""The nodes of a Ray cluster: found, compared with this process, opened, and closed again."""

import asyncio
import importlib.util
import io
import os
import sys
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, redirect_stdout, suppress
from dataclasses import replace
from typing import Any, Self

from dualcode.call import Reply
from dualcode.config import TeamConfig
from dualcode.errors import ClusterError, EndpointError, GraderError
from dualcode.pipelines import Pipeline
from dualcode.runs.cluster.driver import Driver
from dualcode.runs.cluster.node import (
    Brought,
    Heard,
    Link,
    LostError,
    Node,
    Outfit,
    Work,
    compare,
    identity,
    one_tier,
    open_node,
    unpacked,
)
from dualcode.sandbox.sandbox import Tier
from dualcode.suites.suite import Suite
from dualcode.together import together
from dualcode.verdict import Verdict

_INSTALL = "pip install 'dualcode[ray]'"
ANSWER_SECONDS = 30.0
"""For a cluster to say that it is there; a busy machine imports Ray in ten."""
OPEN_SECONDS = 300.0
"""For every node to start a process, import dualcode and open its sandboxes."""
LONGEST_REASON = 160
"""Characters of what Ray says of a node that is lost."""
AT_ONCE = 10_000
"""Tasks and gradings that a node may have at hand."""


@asynccontextmanager
async def open_cluster(
    address: str,
    suite: Suite,
    config: TeamConfig,
    pipelines: Sequence[Pipeline],
    *,
    task_seconds: float,
    unsafe: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> AsyncGenerator[Driver]:
    """Open a process with sandboxes on each node of the Ray cluster at HOST:PORT, and be its driver.

    Raises ClusterError where nobody answers, a node has other code than this process, or nodes have
    sandboxes of different tiers.
    """
    outfit = Outfit(suite, config, tuple(map(Brought.of, pipelines)), workers=1, unsafe=unsafe)
    own = await asyncio.to_thread(identity, pipelines)
    async with _joined(address) as ray, _Crew(ray, outfit, own) as crew:
        tier = one_tier(await crew.open())
        driver = Driver(
            crew.links, tier, task_seconds=task_seconds, say=say, again=crew.again, has_plus=suite.has_plus
        )
        say(f"tasks are done at {len(crew.links)} nodes: {', '.join(driver.nodes)}")
        async with driver:
            yield driver


@asynccontextmanager
async def _joined(address: str) -> AsyncGenerator[Any]:
    """Be a driver of the cluster; in a process that is one already, go on as that."""
    await _reach(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # what it holds back, it prints when it ends
    ray: Any = importlib.import_module("ray")
    if ray.is_initialized():
        yield ray
        return
    refused = (RuntimeError, ValueError, OSError)  # another Ray or Python; no node of it on this machine
    with _without_ray_in_stdout():
        try:
            await asyncio.to_thread(
                ray.init, address=address, log_to_driver=False, logging_level="ERROR", namespace="dualcode"
            )
        except refused as error:
            told = " ".join(str(error).split())
            hint = "ray start --address on this machine, too, with the Ray and Python of the others"
            raise ClusterError(f"cannot join the cluster at {address}: {told}", hint=hint) from None
        try:
            yield ray
        finally:
            await asyncio.to_thread(ray.shutdown)


class _Crew:
    """A process on each node that has CPUs."""

    def __init__(self, ray: Any, outfit: Outfit, own: dict[str, str]) -> None:
        """`own` is the identity of this process."""
        alive = [each for each in ray.nodes() if each["Alive"]]
        machines = [each for each in alive if each["Resources"].get("CPU", 0) >= 1]
        if not machines:
            raise ClusterError("the cluster has no node with CPUs", hint="ray start --address HOST:PORT")
        hosts = Counter(each["NodeManagerHostname"] for each in machines)
        self._nodes = {_name(each, hosts): each for each in machines}
        self._ray, self._outfit, self._own = ray, outfit, own
        self.links: list[_RayLink] = []
        """Of all that were opened, lost ones too."""

    async def open(self) -> dict[str, Tier]:
        """Open a process on each node; return what sandboxes they have."""
        tiers = await together(*map(self._opened, self._nodes))
        return dict(zip(self._nodes, tiers, strict=True))

    async def again(self, name: str) -> Link | None:
        """Begin a lost node's process again; see Again."""
        there = {each["NodeID"] for each in await asyncio.to_thread(self._ray.nodes) if each["Alive"]}
        if self._nodes[name]["NodeID"] not in there:
            return None
        try:
            await self._opened(name)
        except ClusterError:
            return None
        return self.links[-1]

    async def _opened(self, name: str) -> Tier:
        link = _RayLink(self._ray, name, self._nodes[name])
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                compare(name, self._own, await link.waits_for("introduce", self._outfit.pipelines))
                workers = int(self._nodes[name]["Resources"]["CPU"])
                tier = await link.waits_for("open", replace(self._outfit, workers=workers))
        except TimeoutError:
            free = f"node {name} gave no process in {OPEN_SECONDS:g} s; it takes all CPUs of a node"
            raise ClusterError(free, hint="ray status") from None
        except LostError as error:
            hint = f"{_INSTALL} there, where its `ray` is" if "No module" in str(error) else "ray logs"
            raise ClusterError(f"node {name}: {error}", hint=hint) from None
        self.links.append(link)
        return tier

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await together(*(link.end() for link in self.links))


async def _reach(address: str) -> None:
    """Raise ClusterError unless a cluster answers at the address: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        what = f"--ray {address}: expected HOST:PORT, the address that `ray start --head` prints"
        raise ClusterError(what, hint="ray start --head --port 6379; then --ray HOST:6379")
    nobody = f"no Ray cluster answers at {address}"
    hint = "ray start --head --port 6379 on the first machine, ray start --address HOST:6379 on each other"
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
    except (OSError, TimeoutError, OverflowError) as error:
        raise ClusterError(f"{nobody} ({error or 'no answer'})", hint=hint) from None
    if importlib.util.find_spec("ray") is None:
        raise ClusterError("--ray needs Ray, which is not installed", hint=_INSTALL)
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    quiet = asyncio.subprocess.DEVNULL
    asked = await asyncio.create_subprocess_exec(*check, stdout=quiet, stderr=quiet)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            healthy = await asked.wait() == 0
    except TimeoutError:
        healthy = False
    finally:
        if asked.returncode is None:
            asked.kill()
            await asked.wait()
    if not healthy:
        raise ClusterError(f"{nobody}: what listens there is none, or it is not well", hint=hint)


@contextmanager
def _without_ray_in_stdout() -> Generator[None]:
    """Keep what Ray's own threads print out of stdout, which is the command's: a lost node is told by us."""

    class Filtered(io.TextIOBase):
        def write(self, text: str) -> int:
            ours = not threading.current_thread().name.startswith("ray_")
            return before.write(text) if ours else len(text)

        def flush(self) -> None:
            before.flush()

    before = sys.stdout
    with redirect_stdout(Filtered()):
        yield


def _name(node: dict[str, Any], hosts: Counter[str]) -> str:
    """Return a node's host name, with the beginning of its id where two have the same."""
    host = node["NodeManagerHostname"]
    return f"{host}/{node['NodeID'][:6]}" if hosts[host] > 1 else host


class _RayLink:
    """A node's process in the cluster."""

    def __init__(self, ray: Any, name: str, node: dict[str, Any]) -> None:
        strategies: Any = importlib.import_module("ray.util.scheduling_strategies")
        self.name, self._ray = name, ray
        there = strategies.NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
        cpus = int(node["Resources"]["CPU"])
        actor = ray.remote(_Process).options(
            num_cpus=cpus, scheduling_strategy=there, max_concurrency=AT_ONCE, max_restarts=0
        )
        self._actor = actor.remote()

    def begin(self, work: Work) -> None:
        self._actor.begin.remote(work)

    def answer(self, number: int, reply: Reply | EndpointError) -> None:
        self._actor.answer.remote(number, reply)

    def stop(self, token: int) -> None:
        self._actor.stop.remote(token)

    async def hear(self) -> Sequence[Heard]:
        return await self.waits_for("hear")

    async def grade(self, task_id: str, program: str) -> Verdict:
        return await self.waits_for("grade", task_id, program)

    async def kill(self) -> None:
        self._ray.kill(self._actor)

    async def end(self) -> None:
        """Have the node close its sandboxes, and end its process."""
        with suppress(LostError, TimeoutError, GraderError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.waits_for("close")
        self._ray.kill(self._actor)

    async def waits_for(self, method: str, *arguments: object) -> Any:
        """Return what a method of the process returns. Raises LostError, or what the method raised."""
        errors = self._ray.exceptions
        try:
            return await getattr(self._actor, method).remote(*arguments)
        except errors.RayTaskError as error:
            cause = getattr(error, "cause", None)
            raise cause if isinstance(cause, Exception) else LostError(_last_line(error)) from None
        except errors.RayError as error:
            raise LostError(_last_line(error)) from None


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line and "ray" not in line.split(":")[0].lower()]
    return (telling or lines or [type(error).__name__])[-1][:LONGEST_REASON]


class _Process:
    """What runs at a node. Every method is awaited in one event loop."""

    def __init__(self) -> None:
        self._opened = AsyncExitStack()
        self._node: Node | None = None

    async def introduce(self, pipelines: Sequence[Brought]) -> dict[str, str]:
        """Return what the driver compares with itself."""
        return await asyncio.to_thread(lambda: identity(unpacked(pipelines)))

    async def open(self, outfit: Outfit) -> Tier:
        """Open the sandboxes."""
        self._node = await self._opened.enter_async_context(open_node(outfit))
        return self._node.tier

    async def begin(self, work: Work) -> None:
        self.node.begin(work)

    async def answer(self, number: int, reply: Reply | EndpointError) -> None:
        self.node.answer(number, reply)

    async def stop(self, token: int) -> None:
        self.node.stop(token)

    async def hear(self) -> Sequence[Heard]:
        return await self.node.hear()

    async def grade(self, task_id: str, program: str) -> Verdict:
        return await self.node.grade(task_id, program)

    async def close(self) -> None:
        await self._opened.aclose()

    @property
    def node(self) -> Node:
        assert self._node is not None  # opened before anything else is said to it
        return self._node
