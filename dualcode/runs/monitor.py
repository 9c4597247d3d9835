"""What the servers do while a run works: a reading of each server and its GPUs about every second.

The metrics are the server's, not the run's: several runs may use one server at once. A reading therefore says
how many requests this command, with all of its runs, had in flight at the time. A reading is never worth a
run: what cannot be read or written is left out, the run does not hear of it, and the next reading is taken
all the same.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from dualcode.clock import now
from dualcode.models.chat import ChatModel, Meter
from dualcode.models.endpoints import is_loopback
from dualcode.record import Record
from dualcode.serving import gauges
from dualcode.serving.gauges import Gauges
from dualcode.serving.gpus import Cards
from dualcode.serving.hardware import ServedHardware
from dualcode.together import together

INTERVAL = 1.0
"""Seconds from one reading of a server to the next."""
PATIENCE = 5.0
"""Seconds that a server may take to tell its metrics; a busy one may take some."""


class GpuReading(Record):
    """What a GPU did at one moment."""

    uuid: str
    utilization: float | None
    """0..1: the share of the driver's last sample period in which a kernel ran."""
    used_bytes: int | None
    """Of its memory, by anybody."""
    watts: float | None
    joules: float | None
    """Energy since the driver was loaded: only differences mean something. None on GPUs older than Volta."""


class Reading(Record):
    """A line of `servers.jsonl`: what a server, whoever it works for, did at one moment."""

    at: float
    """Seconds since the epoch."""
    endpoints: tuple[str, ...]
    """The run's endpoints on this server: usually one."""
    in_flight: int
    """Requests of this command that the server had not answered."""
    running: int | None = None
    """Requests in the server's batch; this and what follows is None where it has no such metrics."""
    waiting: int | None = None
    """Requests in its queue."""
    prompt_tokens: int | None = None
    """Since the server's start, those found in its prefix cache included."""
    generation_tokens: int | None = None
    """Since the server's start."""
    kv_cache: float | None = None
    """0..1: the share of the KV cache in use; the fullest engine's."""
    gpus: tuple[GpuReading, ...] = ()
    absent: str | None = None
    """Why there are no metrics, such as `HTTP 404`. This is said once, and they are not asked for again."""

    @property
    def shared(self) -> bool:
        """Whether the server had more requests than this command had in flight: it worked for others, too."""
        return (self.running or 0) + (self.waiting or 0) > self.in_flight


@dataclass
class Source:
    """A server to be read."""

    root: str
    """Where /metrics is."""
    endpoints: tuple[str, ...]
    meters: tuple[Meter, ...]
    gpus: tuple[str, ...] = ()
    """UUIDs."""
    replicas: tuple[str, ...] = ()
    """Where the servers behind a router are: its own /metrics would be one of theirs."""
    absent: str | None = field(default=None, init=False)

    @property
    def in_flight(self) -> int:
        """Requests that were sent to the server and not answered."""
        return sum(meter.in_flight for meter in self.meters)


def sources(
    chats: Iterable[ChatModel], base_urls: Mapping[str, str], hardware: Mapping[str, ServedHardware]
) -> list[Source]:
    """Return the servers behind the chat models, each once."""
    behind: dict[str, list[ChatModel]] = {}
    for chat in chats:
        behind.setdefault(base_urls[chat.name].rstrip("/").removesuffix("/v1"), []).append(chat)
    found: list[Source] = []
    for root, own in behind.items():
        told = hardware.get(own[0].name)
        gpus = tuple(gpu.uuid for gpu in (told.gpus if told else None) or ())
        names = tuple(chat.name for chat in own)
        replicas = told.replicas if told else ()
        meters = tuple(chat.meter for chat in own)
        found.append(Source(root, names, meters=meters, gpus=gpus, replicas=replicas))
    return found


@contextlib.asynccontextmanager
async def monitored(
    found: Sequence[Source], record: Callable[[Reading], None], *, interval: float = INTERVAL
) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """Read the servers until the block ends, once more after it if it ended well, and when the block asks.

    What a server says of its queue is told to what lets requests through to it.
    """
    async with contextlib.AsyncExitStack() as parts:
        monitors = [Monitor(source, record, GpuMeter()) for source in found]
        for monitor in monitors:
            parts.push_async_callback(monitor.close)
        following = [asyncio.create_task(monitor.follow(interval)) for monitor in monitors]

        async def read() -> None:
            await together(*(monitor.read() for monitor in monitors))

        try:
            yield read
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
        await read()


class Monitor:
    """Reads one server."""

    def __init__(self, source: Source, record: Callable[[Reading], None], meter: "GpuMeter") -> None:
        self._source = source
        self._record = record
        self._meter = meter
        self._client = httpx.AsyncClient(timeout=PATIENCE, trust_env=not is_loopback(source.root))

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def follow(self, interval: float) -> None:
        """Read every `interval` seconds, until there is nothing to be read."""
        while True:
            began = time.monotonic()
            if not await self.read():
                return
            await asyncio.sleep(max(0.0, began + interval - time.monotonic()))

    async def read(self) -> bool:
        """Take a reading; return whether it is worth while to take another."""
        source = self._source
        had, known = source.in_flight, source.absent
        try:
            metrics = await self._metrics() if known is None else {}
            for meter in source.meters:
                if meter.admission is not None and metrics:
                    meter.admission.heard(*map(metrics.get, ("running", "waiting", "generation_tokens")))
            gpus = await asyncio.to_thread(self._meter.read, source.gpus)
            news = source.absent if source.absent != known else None
            if metrics or gpus or news:
                reading = Reading(
                    at=now(),
                    endpoints=source.endpoints,
                    in_flight=max(had, source.in_flight),
                    **metrics,
                    gpus=gpus,
                    absent=news,
                )
                self._record(reading)
        except Exception:  # an answer that nobody foresaw, a full disk: the next reading may do better
            return True
        return source.absent is None or bool(gpus)

    async def _metrics(self) -> dict[str, Any]:
        """Return what the server tells; nothing if it could not tell now, or (`source.absent`) never will.

        Of replicas it is what all of them tell together: without one of them it would be too little.
        """
        roots = self._source.replicas or (self._source.root,)
        try:
            answers = await together(*(self._client.get(f"{root}/metrics") for root in roots))
        except (httpx.HTTPError, httpx.InvalidURL):
            return {}
        for answer in answers:
            if answer.is_server_error or answer.status_code == 429:
                return {}
            if not answer.is_success:
                self._source.absent = f"HTTP {answer.status_code}"
                return {}
        told = gauges.parse("\n".join(answer.text for answer in answers), time.monotonic())
        found = {} if told is None else shown(told)
        self._source.absent = None if found else "no metrics of vLLM"
        return found


def shown(told: Gauges) -> dict[str, Any]:
    """Return a Reading's fields of what a server tells, requests and tokens in whole numbers."""
    counted = ("running", "waiting", "prompt_tokens", "generation_tokens")
    found = {name: round(value) for name in counted if (value := getattr(told, name)) is not None}
    return found | ({} if told.kv_cache is None else {"kv_cache": told.kv_cache})


class GpuMeter:
    """Reads a server's GPUs; the driver is asked only where it has some."""

    @cached_property
    def _cards(self) -> Cards:
        return Cards()

    def read(self, uuids: Sequence[str]) -> tuple[GpuReading, ...]:
        """Return a reading of each GPU that answers; nothing where NVML or its module is not there."""
        found: list[GpuReading] = []
        for uuid in uuids:
            handle = self._cards.ask("nvmlDeviceGetHandleByUUID", uuid)
            if handle is None:
                continue
            rates = self._cards.ask("nvmlDeviceGetUtilizationRates", handle)
            memory = self._cards.ask("nvmlDeviceGetMemoryInfo", handle)
            milliwatts = self._cards.ask("nvmlDeviceGetPowerUsage", handle)
            millijoules = self._cards.ask("nvmlDeviceGetTotalEnergyConsumption", handle)
            reading = GpuReading(
                uuid=uuid,
                utilization=None if rates is None else rates.gpu / 100,
                used_bytes=None if memory is None else int(memory.used),
                watts=None if milliwatts is None else milliwatts / 1000,
                joules=None if millijoules is None else millijoules / 1000,
            )
            found.append(reading)
        return tuple(found)
