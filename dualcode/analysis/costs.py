"""What a run took: tokens, seconds of each server, money, joules; per task and per solved task."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from dualcode.analysis.runs import Run
from dualcode.record import Record
from dualcode.runs.monitor import Reading
from dualcode.runs.summary import ServerUse, union_seconds

Side = Literal["alone", "spent"]
"""`alone`: as if the run had found nothing in the ledger; `spent`: what it really took."""

LONGEST_GAP = 10.0
"""Seconds between two readings beyond which nobody knows whether the server was busy."""
UNCOVERED = 0.1
"""Share of a run that may be without readings (2 seconds may always) before nothing is said of it."""


ALWAYS_KNOWN = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "busy_seconds", "wall_seconds")
MAYBE_KNOWN = ("metered_seconds", "gpu_hours", "joules")
"""Of a `Total`, without its money."""


class ServerCost(Record):
    """What one server did for a run, as if the run were alone, and what was really spent."""

    endpoint: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    busy_seconds: float
    """As the client saw it: at least one request in flight."""
    metered_seconds: float | None
    """As the server's own metrics had it: at least one request running, anybody's; None where they were not
    read, or not for nearly the whole run."""
    wall_seconds: float
    """As spent: the run's own duration over all its sessions. Alone: with the busy time of all that was
    replayed added, which is at most what it would have lasted."""
    money: float | None
    currency: str | None
    joules: float | None
    """Of the server's GPUs while the run lasted, as NVML counts them, whoever they worked for; None without
    NVML."""
    gpus: tuple[str, ...] | None = None
    """UUIDs of the GPUs that it computed on; empty on CPU, None where that is not known."""
    gpu_joules: Mapping[str, float] = {}
    """`joules` by GPU: two servers may share one."""
    shared: float | None = None
    """The share of the readings in which the server had more requests than the run had in flight: so often
    `metered_seconds` and `joules` were not for this run alone. None without readings."""
    same_server: tuple[str, ...] = ()
    """All endpoints of the run that are this very server, this one included."""

    @property
    def paid(self) -> dict[str, float]:
        """Its money by currency; nothing without a price."""
        return {} if self.money is None else {self.currency or "": self.money}

    @property
    def gpu_hours(self) -> float | None:
        """Its GPUs times wall time; None where it is not known what it ran on."""
        return None if self.gpus is None else len(self.gpus) * self.wall_seconds / 3600


class Total(Record):
    """What all servers of a run took together, or that divided by a number of tasks."""

    prompt_tokens: float
    completion_tokens: float
    """Reasoning included."""
    reasoning_tokens: float
    busy_seconds: float
    """Of all servers added up."""
    metered_seconds: float | None
    """Of all servers added up; None if one of them was not metered."""
    wall_seconds: float
    gpu_hours: float | None
    """GPUs times wall time: they are held for the run. 0 where the servers have none, None where it is not
    known of each of them."""
    money: Mapping[str, float]
    """By currency; of the servers that have a price."""
    joules: float | None
    """Of all GPUs added up, each once; None if the energy of one of them is not known, or there is none."""

    def per(self, count: int) -> "Total | None":
        """Return this divided by a number of tasks; None for 0."""
        if not count:
            return None
        amounts = ((name, getattr(self, name)) for name in (*ALWAYS_KNOWN, *MAYBE_KNOWN))
        shares: dict[str, Any] = {name: each if each is None else each / count for name, each in amounts}
        return Total(**shares, money={currency: amount / count for currency, amount in self.money.items()})


class Costs(Record):
    """What a run took."""

    run: str
    pipeline: str
    dataset: str
    tasks: int
    """Tasks that the run worked on: all of its selection, unless it is half done."""
    solved: int
    """Tasks passed on the hardest part."""
    calls: int
    alone: tuple[ServerCost, ...]
    """As if nothing came from the ledger."""
    spent: tuple[ServerCost, ...]
    """Without what the ledger replayed."""
    notes: tuple[str, ...] = ()
    """What is not known, or not this run's alone, and why; a sentence each."""

    def total(self, side: Side) -> Total:
        """Return what all servers took together."""
        servers = self.alone if side == "alone" else self.spent
        once = {server.same_server: server.metered_seconds for server in servers}
        wall = max((server.wall_seconds for server in servers), default=0.0)
        held = {gpu for server in servers for gpu in server.gpus or ()}
        by_gpu = {gpu: joules for server in servers for gpu, joules in server.gpu_joules.items()}
        whole = all(server.joules is not None or server.gpus == () for server in servers)
        return Total(
            prompt_tokens=sum(server.prompt_tokens for server in servers),
            completion_tokens=sum(server.completion_tokens for server in servers),
            reasoning_tokens=sum(server.reasoning_tokens for server in servers),
            busy_seconds=sum(server.busy_seconds for server in servers),
            metered_seconds=_sum(once.values()),
            wall_seconds=wall,
            gpu_hours=len(held) * wall / 3600 if all(server.gpus is not None for server in servers) else None,
            money=_added(server.paid for server in servers if server.currency is not None),
            joules=sum(by_gpu.values()) if by_gpu and whole else None,
        )

    def per_task(self, side: Side) -> Total | None:
        """Return the total by task; None if the run worked on none."""
        return self.total(side).per(self.tasks)

    def per_solved(self, side: Side) -> Total | None:
        """Return the total by solved task; None if none was solved."""
        return self.total(side).per(self.solved)


def costs_of(run: Run) -> Costs:
    """Return what a run took, from its records and from what it saw of its servers.

    Raises RunError if `servers.jsonl` is damaged.
    """
    readings = run.readings
    spent = tuple(_spent(run, use, readings) for use in run.summary.servers)
    alone = tuple(_alone(run, use, really) for use, really in zip(run.summary.servers, spent, strict=True))
    return Costs(
        run=run.id,
        pipeline=run.pipeline,
        dataset=run.dataset,
        tasks=sum(each.calls > 0 or each.has_verdict for each in run.facts.tasks.values()),
        solved=sum(run.passed(run.hardest).values()),
        calls=run.summary.calls,
        alone=alone,
        spent=spent,
        notes=tuple(_notes(run, spent, readings)),
    )


def together(costs: Iterable[Costs], side: Side) -> Total:
    """Return what several runs took; what is not known of one of them is not known of all.

    The busy time and the GPU-hours are those of runs one after the other. Alone, a call that runs share is
    counted in each of them.
    """
    totals = [one.total(side) for one in costs]
    sums: dict[str, Any] = {name: sum(getattr(each, name) for each in totals) for name in ALWAYS_KNOWN}
    sums |= {name: _sum(getattr(each, name) for each in totals) for name in MAYBE_KNOWN}
    return Total(**sums, money=_added(each.money for each in totals))


def _added(amounts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return money added up by currency."""
    together: dict[str, float] = {}
    for own in amounts:
        for currency, amount in own.items():
            together[currency] = together.get(currency, 0.0) + amount
    return together


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = list(amounts)
    return sum(each for each in known if each is not None) if known and None not in known else None


def _spent(run: Run, use: ServerUse, readings: Sequence[Reading]) -> ServerCost:
    own = [reading for reading in readings if use.endpoint in reading.endpoints]
    told = [reading for reading in own if reading.running is not None]
    # The GPUs that the server was seen on, in any session.
    hosts = (each.hardware.get(use.endpoint) for each in run.records.manifest.sessions)
    noted = [host.gpus for host in hosts if host is not None and host.gpus is not None]
    seen = {gpu.uuid for reading in own for gpu in reading.gpus}
    seen |= {gpu.uuid for gpus in noted for gpu in gpus}
    gpus = tuple(sorted(seen)) if seen or noted else None
    energy = _energy(run, own, gpus or ())
    return ServerCost(
        endpoint=use.endpoint,
        model=use.model,
        prompt_tokens=use.spent.usage.prompt_tokens,
        completion_tokens=use.spent.usage.completion_tokens,
        reasoning_tokens=use.spent.usage.reasoning_tokens,
        busy_seconds=use.spent.busy_seconds,
        metered_seconds=_metered(run, told),
        wall_seconds=use.wall_seconds,
        money=use.spent.cost,
        currency=use.currency,
        joules=sum(energy.values()) if energy else None,
        gpus=gpus,
        gpu_joules=energy,
        shared=sum(reading.shared for reading in told) / len(told) if told else None,
        same_server=own[-1].endpoints if own else (use.endpoint,),
    )


def _alone(run: Run, use: ServerUse, spent: ServerCost) -> ServerCost:
    # How long the servers took for what was replayed, as the summary's cost by the hour has it.
    made = run.facts.requests
    replayed = union_seconds(
        (started, started + seconds)
        for started, seconds, again in zip(made.started, made.seconds, made.from_ledger, strict=True)
        if again
    )
    update = {
        "prompt_tokens": use.usage.prompt_tokens,
        "completion_tokens": use.usage.completion_tokens,
        "reasoning_tokens": use.usage.reasoning_tokens,
        "busy_seconds": use.busy_seconds,
        "wall_seconds": use.wall_seconds + replayed,
        "money": use.cost,
    }
    if not _undisturbed(run):  # meters saw what happened, not what would have
        update |= {"metered_seconds": None, "joules": None, "gpu_joules": {}, "shared": None}
    return spent.model_copy(update=update)


def _undisturbed(run: Run) -> bool:
    """Whether the run made all of its calls itself, and each once."""
    return not run.facts.any_replayed and not run.facts.any_superseded


def _spans(run: Run, readings: Sequence[Reading]) -> Iterator[tuple[Reading, Reading, float]]:
    """Yield neighbouring readings, with the seconds between them that lie in a session of the run."""
    sessions = [(each.started, each.ended or each.started) for each in run.records.manifest.sessions]
    for first, second in pairwise(readings):
        inside = sum(max(0.0, min(second.at, end) - max(first.at, start)) for start, end in sessions)
        if inside:
            yield first, second, inside


def _covers(run: Run, seconds: float) -> bool:
    wall = run.summary.seconds
    return seconds > 0 and wall - seconds <= max(2.0, UNCOVERED * wall)


def _metered(run: Run, readings: Sequence[Reading]) -> float | None:
    """Integrate "at least one request runs" over the sessions; a change lies halfway between two readings."""
    busy = covered = 0.0
    for first, second, inside in _spans(run, readings):
        if second.at - first.at <= LONGEST_GAP:
            covered += inside
            busy += inside * (bool(first.running) + bool(second.running)) / 2
    return busy if _covers(run, covered) else None


def _energy(run: Run, readings: Sequence[Reading], gpus: Sequence[str]) -> dict[str, float]:
    """Return the joules of each GPU; empty if one of them is not known: a part would look like the whole."""
    found: dict[str, float] = {}
    for gpu in gpus:
        joules = {each.at: own.joules for each in readings for own in each.gpus if own.uuid == gpu}
        told = [reading for reading in readings if joules.get(reading.at) is not None]
        used = covered = 0.0
        for first, second, inside in _spans(run, told):
            more = (joules[second.at] or 0.0) - (joules[first.at] or 0.0)
            if more < 0:  # the driver was loaded anew
                return {}
            covered += inside
            used += more * inside / (second.at - first.at)
        if not _covers(run, covered):
            return {}
        found[gpu] = used
    return found


def _notes(run: Run, spent: Sequence[ServerCost], readings: Sequence[Reading]) -> Iterator[str]:
    if run.errored:
        yield f"{len(run.errored)} of {len(run.tasks)} tasks have no verdict; what they took is counted"
    if not _undisturbed(run):
        yield (
            "as if alone: calls were replayed from the ledger or done twice, so metered seconds and energy "
            "are not known, and the wall time is the most that it can be"
        )
    about: dict[str, list[str]] = {}
    for server in spent:
        for note in _server_notes(server, readings):
            about.setdefault(note, []).append(server.endpoint)
    for note, endpoints in about.items():
        yield f"{', '.join(endpoints)}: {note}"


def _server_notes(server: ServerCost, readings: Sequence[Reading]) -> Iterator[str]:
    if server.metered_seconds is None:
        own = [reading for reading in readings if server.endpoint in reading.endpoints]
        absent = next((reading.absent for reading in own if reading.absent), None)
        why = f"its /metrics gave {absent}" if absent else "the readings cover too little of the run"
        yield f"metered seconds are not known: {why if own else 'the run kept no readings of the server'}"
    if server.shared:
        yield (
            f"in {server.shared:.0%} of the readings the server had more requests than this run had in "
            "flight; metered seconds and energy are the server's, whoever it worked for"
        )
    if server.gpus is None:
        yield "GPU-hours and energy are not known: the run does not say what the server ran on"
    elif not server.gpus:
        yield "no energy: the server ran on CPU, and only GPUs are metered"
    elif server.joules is None:
        yield (
            "energy is not known: the GPU's counter was not read for the whole run (it takes the package "
            "nvidia-ml-py, and a GPU of Volta or later)"
        )
    if server.money is None:
        yield "no money: the team's endpoint has no price"
