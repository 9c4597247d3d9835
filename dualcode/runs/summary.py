"""A run in numbers: records in, one value out; nothing is measured without its price."""

from collections.abc import Iterable, Sequence
from typing import Any

from dualcode.call import Attempt, Call, Usage
from dualcode.config import Price
from dualcode.metrics import Counts, count
from dualcode.record import Record
from dualcode.runs.store import RunRecords
from dualcode.suites.files import DataSource


class Spent(Record):
    """What a run really paid one endpoint for: without what the ledger replayed, with what was done twice."""

    requests: int
    usage: Usage
    busy_seconds: float
    cost: float | None


class ServerUse(Record):
    """What one endpoint did for a run, as if the run were alone: replayed calls count as they were made."""

    endpoint: str
    model: str
    calls: int
    replayed: int
    """Calls that the ledger answered alone."""
    requests: int
    """HTTP requests, the retries included."""
    usage: Usage
    busy_seconds: float
    """Time with at least one request in flight."""
    wall_seconds: float
    """The run's own duration, over all its sessions."""
    cost: float | None
    """In `currency`; None where no price is configured, or one by tokens that the server did not tell. By the
    GPU's hour, the busy time of the replayed requests is added to the duration: at most what the run would
    have cost alone."""
    currency: str | None
    spent: Spent

    @property
    def tokens_per_second(self) -> float | None:
        """Completion tokens per busy second; None if it was never busy, or did not tell its tokens."""
        if self.usage.untold or not self.busy_seconds:
            return None
        return self.usage.completion_tokens / self.busy_seconds

    @property
    def busy_share(self) -> float | None:
        """The share of the run during which the endpoint was busy for it."""
        return self.spent.busy_seconds / self.wall_seconds if self.wall_seconds else None

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        rate, share = self.tokens_per_second, self.busy_share
        return {
            **self.model_dump(exclude={"usage", "busy_seconds", "wall_seconds", "spent"}),
            **self.usage.model_dump(),
            "busy_seconds": round(self.busy_seconds, 3),
            "busy_share": None if share is None else round(share, 4),
            "tokens_per_second": None if rate is None else round(rate, 2),
            "spent": {
                **self.spent.model_dump(exclude={"usage", "busy_seconds"}),
                **self.spent.usage.model_dump(),
                "busy_seconds": round(self.spent.busy_seconds, 3),
            },
        }


MOST_UNREAD = 0.05
"""The share of unread reviews above which a result is not what it is called."""


class ReviewCounts(Record):
    """What the reviews of a run came to."""

    approved: int
    revised: int
    """Reviews with findings; each led to a fix."""
    unread: int = 0
    """Reviews whose reply held no verdict, even after its repair. Their drafts stood, approved by nobody."""
    off_schema: int
    """Reviews whose first reply was off the schema."""
    repaired: int
    """Of those, the ones that one repair brought back; the others are unread."""
    fixes: int

    @property
    def total(self) -> int:
        """Reviews that got a reply."""
        return self.approved + self.revised + self.unread

    @property
    def warning(self) -> str | None:
        """What a reader of any number of this run must know first; None if nothing."""
        return unread_warning(self.unread, self.total)


def unread_warning(unread: int, total: int) -> str | None:
    """Return the warning that so many unread reviews are worth; None up to MOST_UNREAD of all."""
    if unread <= MOST_UNREAD * total:
        return None
    return (
        f"warning: {unread} of {total} reviews ({unread / total:.0%}) are unread: their replies held no "
        "verdict. Their drafts stood unreviewed, so the pipeline is not what it is said to be."
    )


class Summary(Record):
    """A run in numbers."""

    run: str
    pipeline: str
    dataset: str
    title: str
    data: DataSource
    tasks: int
    """Of the run's selection, done or not."""
    base: Counts
    plus: Counts | None
    calls: int
    failed_calls: int
    null_contents: int
    """Calls that ended without an answer."""
    cut: int
    """Calls that ended by `length` or `repetition`."""
    retries: int
    """HTTP requests beyond the first of their call that a transport fault made necessary."""
    reviews: ReviewCounts
    servers: tuple[ServerUse, ...]
    seconds: float
    cautions: tuple[str, ...] = ()
    """What of its records cannot be read, and what the sandboxes that its programs ran in do not hold, a line
    for each."""

    @property
    def complete(self) -> bool:
        """Whether every task has a verdict that is not errored."""
        return self.base.passed + self.base.failed == self.tasks

    @property
    def cost(self) -> dict[str, float]:
        """Money by currency, as if the run were alone; empty where no price is configured."""
        return _by_currency((server.currency, server.cost) for server in self.servers)

    @property
    def spent(self) -> dict[str, float]:
        """Money by currency that the run really took."""
        return _by_currency((server.currency, server.spent.cost) for server in self.servers)

    @property
    def replayed(self) -> int:
        """Calls that the ledger answered."""
        return sum(server.replayed for server in self.servers)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            **self.model_dump(exclude={"title", "seconds"}),
            "data": self.data.to_json(),
            "base": _counts_json(self.base),
            "plus": _counts_json(self.plus) if self.plus else None,
            "servers": [server.to_json() for server in self.servers],
            "replayed": self.replayed,
            "cost": self.cost or None,
            "spent": self.spent or None,
            "seconds": round(self.seconds, 3),
            "cautions": list(self.cautions),
        }


def summarize(records: RunRecords) -> Summary:
    """Return a run's numbers."""
    manifest, calls = records.manifest, records.calls
    verdicts = list(records.verdicts.values())
    seconds = sum((each.ended or each.started) - each.started for each in manifest.sessions)
    base, plus = count(verdicts, has_plus=manifest.has_plus)
    tiers = [each.sandbox for each in manifest.sessions if each.sandbox is not None]
    return Summary(
        run=manifest.id,
        pipeline=manifest.configuration.pipeline,
        dataset=manifest.configuration.dataset,
        title=manifest.title,
        data=manifest.source,
        tasks=len(manifest.configuration.tasks),
        base=base,
        plus=plus,
        calls=len(calls),
        failed_calls=sum(call.reply is None for call in calls),
        null_contents=_noted(calls, "null-content"),
        cut=_noted(calls, "cut"),
        retries=sum(attempt.waited > 0 for call in calls for attempt in call.attempts),
        reviews=review_counts(calls),
        servers=tuple(server_use(records, name, seconds) for name in manifest.configuration.served),
        seconds=seconds,
        cautions=tuple(
            dict.fromkeys([*map(str, records.damage), *(line for each in tiers if (line := each.caution))])
        ),
    )


def review_counts(calls: Sequence[Call]) -> ReviewCounts:
    """Count what the calls of the step `review` led to."""
    reviews = [call for call in calls if call.step == "review" and call.reply is not None]
    verdicts = [call.verdict for call in reviews]
    return ReviewCounts(
        approved=verdicts.count("approve"),
        revised=verdicts.count("revise"),
        unread=verdicts.count(None),
        off_schema=_noted(reviews, "off-schema"),
        repaired=_noted(reviews, "repaired"),
        fixes=sum(call.step == "fix" and call.reply is not None for call in calls),
    )


def server_use(records: RunRecords, endpoint: str, wall: float) -> ServerUse:
    """Add up what one endpoint did; a GPU-hour price counts the whole run: the server is held for it."""
    own = [call for call in records.calls if call.endpoint == endpoint]
    attempts = [attempt for call in own for attempt in call.attempts]
    table = records.manifest.configuration.team["endpoints"][endpoint]
    price = Price.model_validate(table["price"]) if table.get("price") else None
    every = [(call.endpoint, each) for call in records.calls + records.superseded for each in call.attempts]
    replayed = _busy(each for _, each in every if each.from_ledger)  # on any server: the run waited for it
    # A kill while calls are set aside may leave some in both files.
    paid = list(dict.fromkeys(each for name, each in every if name == endpoint and not each.from_ledger))
    usage, paid_usage = _usage(attempts), _usage(paid)
    return ServerUse(
        endpoint=endpoint,
        model=table["model"],
        calls=len(own),
        replayed=sum(call.from_ledger for call in own),
        requests=len(attempts),
        usage=usage,
        busy_seconds=_busy(attempts),
        wall_seconds=wall,
        cost=money(price, usage, wall + replayed),
        currency=price.currency if price else None,
        spent=Spent(
            requests=len(paid),
            usage=paid_usage,
            busy_seconds=_busy(paid),
            cost=money(price, paid_usage, wall),
        ),
    )


def _usage(attempts: Iterable[Attempt]) -> Usage:
    return sum((attempt.usage for attempt in attempts), Usage())


def _busy(attempts: Iterable[Attempt]) -> float:
    return union_seconds((each.started, each.started + each.seconds) for each in attempts)


def money(price: Price | None, usage: Usage, wall_seconds: float) -> float | None:
    """Return the money, None where there is no price, or one by tokens that the server did not tell."""
    if price is None or (price.gpu_hour is None and usage.untold):
        return None
    return cost(price, usage, wall_seconds)


def cost(price: Price, usage: Usage, wall_seconds: float) -> float:
    """Return the money for tokens, or for holding the GPUs for `wall_seconds`."""
    if price.gpu_hour is not None:
        return price.gpu_hour * wall_seconds / 3600
    return (
        usage.prompt_tokens * (price.input_per_million or 0)
        + usage.completion_tokens * (price.output_per_million or 0)
    ) / 1e6


def union_seconds(intervals: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of (start, end) intervals."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _by_currency(amounts: Iterable[tuple[str | None, float | None]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for currency, amount in amounts:
        if currency is not None and amount is not None:
            total[currency] = total.get(currency, 0.0) + amount
    return total


def _noted(calls: Iterable[Call], note: str) -> int:
    return sum(note in call.notes for call in calls)


def _counts_json(counts: Counts) -> dict[str, Any]:
    rate = counts.rate
    return {**counts.to_json(), "interval": None if rate is None else [rate.low, rate.high]}
