"""A run in numbers: records in, one value out; nothing is measured without its price."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dualcode.call import Attempt, Call, Usage
from dualcode.config import Price
from dualcode.metrics import Counts
from dualcode.pricing import charge
from dualcode.record import Record
from dualcode.runs.lines import Damage
from dualcode.runs.manifest import Manifest
from dualcode.runs.store import RunRecords
from dualcode.runs.stored import TaskRecords, by_task
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
    """The run's own duration, over all its sessions; where it worked beside others, its part of the time."""
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


MOST_UNREAD = 0.02
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
    sums = Sums(records.manifest)
    for task in by_task(records):
        sums.add(task)
    return sums.summary(records.damage, records.manifest)


class Sums:
    """Adds a run up, task by task; of a task it keeps no more than when its requests began and ended."""

    def __init__(self, manifest: Manifest) -> None:
        self._counts = Counter[str]()
        self._reviews = Counter[str]()
        self._base, self._plus = Counter[str](), Counter[str]()
        self._replayed = Spans()
        endpoints = manifest.configuration.team["endpoints"]
        self._uses = [UseSums(name, endpoints[name]) for name in manifest.configuration.served]

    def add(self, task: TaskRecords) -> None:
        """Add a task, of which each call and verdict is there once."""
        calls = task.calls
        for verdict in task.verdicts:
            errored, passed = verdict.errored, verdict.passed_plus
            self._base[verdict.base.status] += 1
            self._plus["errored" if errored else "passed" if passed else "failed"] += 1
        self._counts["calls"] += len(calls)
        self._counts["failed_calls"] += sum(call.reply is None for call in calls)
        self._counts["null_contents"] += _noted(calls, "null-content")
        self._counts["cut"] += _noted(calls, "cut")
        self._counts["retries"] += sum(each.waited > 0 for call in calls for each in call.attempts)
        for name, count in review_counts(calls).items():
            self._reviews[name] += count
        # On any server: the run waited for it.
        self._replayed.add(
            each for call in (*calls, *task.superseded) for each in call.attempts if each.from_ledger
        )
        for use in self._uses:
            use.add(task)

    def summary(self, damage: Iterable[Damage], manifest: Manifest) -> Summary:
        """Return what it came to; `damage` is what of the records could not be read, `manifest` the last."""
        configuration = manifest.configuration
        lasted = [(each.ended or each.started) - each.started for each in manifest.sessions]
        held = sum(
            seconds if each.held is None else each.held
            for each, seconds in zip(manifest.sessions, lasted, strict=True)
        )
        tiers = [each.sandbox for each in manifest.sessions if each.sandbox is not None]
        cautions = [*map(str, damage), *(line for each in tiers if (line := each.caution))]
        return Summary(
            run=manifest.id,
            pipeline=configuration.pipeline,
            dataset=configuration.dataset,
            title=manifest.title,
            data=manifest.source,
            tasks=len(configuration.tasks),
            base=_outcomes(self._base),
            plus=_outcomes(self._plus) if manifest.has_plus else None,
            reviews=ReviewCounts.model_validate(dict.fromkeys(ReviewCounts.model_fields, 0) | self._reviews),
            servers=tuple(use.total(held, self._replayed.seconds()) for use in self._uses),
            seconds=sum(lasted),
            cautions=tuple(dict.fromkeys(cautions)),
            **{name: self._counts[name] for name in _COUNTED},
        )


_TOKENS = tuple(name for name in Usage.model_fields if name != "cost")
_COUNTED = ("calls", "failed_calls", "null_contents", "cut", "retries")


class Spans:
    """When requests were in flight."""

    def __init__(self) -> None:
        self._starts, self._ends = array("d"), array("d")

    def add(self, attempts: Iterable[Attempt]) -> None:
        """Add the time of each."""
        for each in attempts:
            self._starts.append(each.started)
            self._ends.append(each.started + each.seconds)

    def seconds(self) -> float:
        """Return the length of their union."""
        order = sorted(range(len(self._starts)), key=self._ends.__getitem__)  # no value for each of many
        order.sort(key=self._starts.__getitem__)
        return _union_in_order((self._starts[each], self._ends[each]) for each in order)


class UseSums:
    """Adds up what one endpoint did; `table` is its part of the team's configuration."""

    def __init__(self, endpoint: str, table: Mapping[str, Any]) -> None:
        self._endpoint, self._model = endpoint, table["model"]
        self._price = Price.model_validate(table["price"]) if table.get("price") else None
        self._calls = self._replayed = 0
        self._made, self._paid = _Requests(), _Requests()

    def add(self, task: TaskRecords) -> None:
        """Add a task's calls, each once."""
        own = [call for call in task.calls if call.endpoint == self._endpoint]
        again = [call for call in task.superseded if call.endpoint == self._endpoint]
        paid = [each for call in (*own, *again) for each in call.attempts if not each.from_ledger]
        if len({each.started for each in paid}) < len(paid):
            # A kill while calls are set aside may leave some in both files.
            paid = list(dict.fromkeys(paid))
        self._calls += len(own)
        self._replayed += sum(call.from_ledger for call in own)
        self._made.add([attempt for call in own for attempt in call.attempts])
        self._paid.add(paid)

    def total(self, wall: float, replayed: float) -> ServerUse:
        """Return the sum for a run that had the server for `wall` seconds, and the ledger for `replayed`.

        A GPU-hour price counts all of that: the server is held for it.
        """
        usage, paid = self._made.usage(), self._paid.usage()
        alone = charge(self._price, usage, wall + replayed)
        spent = charge(self._price, paid, wall)
        return ServerUse(
            endpoint=self._endpoint,
            model=self._model,
            calls=self._calls,
            replayed=self._replayed,
            requests=self._made.count,
            usage=usage,
            busy_seconds=self._made.spans.seconds(),
            wall_seconds=wall,
            cost=alone and alone.amount,
            currency=alone.currency if alone else self._price and self._price.currency,
            spent=Spent(
                requests=self._paid.count,
                usage=paid,
                busy_seconds=self._paid.spans.seconds(),
                cost=spent and spent.amount,
            ),
        )


class _Requests:
    """Adds requests up: their times, and their tokens as `Usage` does, without a value on the way."""

    def __init__(self) -> None:
        self.count = 0
        self.spans = Spans()
        self._sums = [0] * len(_TOKENS)
        self._cost: float | None = None
        self._untold = False

    def add(self, attempts: Sequence[Attempt]) -> None:
        self.count += len(attempts)
        self.spans.add(attempts)
        for used in (each.usage for each in attempts):
            self._sums = [
                known + getattr(used, name) for known, name in zip(self._sums, _TOKENS, strict=True)
            ]
            if used.cost is not None:
                self._cost = (self._cost or 0.0) + used.cost
            elif not used.nothing:
                self._untold = True

    def usage(self) -> Usage:
        """Return the sum; the cost is known if it is of all."""
        return Usage(**dict(zip(_TOKENS, self._sums, strict=True)), cost=None if self._untold else self._cost)


def _outcomes(counts: Mapping[str, int]) -> Counts:
    return Counts(passed=counts["passed"], failed=counts["failed"], errored=counts["errored"])


def review_counts(calls: Sequence[Call]) -> dict[str, int]:
    """Count what the calls of the step `review` led to, by the fields of ReviewCounts."""
    reviews = [call for call in calls if call.step == "review" and call.reply is not None]
    verdicts = [call.verdict for call in reviews]
    return {
        "approved": verdicts.count("approve"),
        "revised": verdicts.count("revise"),
        "unread": verdicts.count(None),
        "off_schema": _noted(reviews, "off-schema"),
        "repaired": _noted(reviews, "repaired"),
        "fixes": sum(call.step == "fix" and call.reply is not None for call in calls),
    }


def union_seconds(intervals: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of (start, end) intervals."""
    return _union_in_order(sorted(intervals))


def _union_in_order(intervals: Iterable[tuple[float, float]]) -> float:
    total, reached = 0.0, float("-inf")
    for start, end in intervals:
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
