"""What a study will take, before it starts: calls, tokens, hours, money, each from the least to the most.

The least is every first draft right and approved; the most is every program failing, with the longest branch
of every pipeline. Tokens and speed are those of earlier calls to the same servers where there are any, so
that a forecast is worth what was measured; where a step was never asked, its least is `SHORTEST` tokens and
its most is its limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dualcode.call import Usage
from dualcode.config import TeamConfig
from dualcode.pricing import cost
from dualcode.record import Record
from dualcode.study.known import Known
from dualcode.study.rehearsal import Asked, Rehearsal

SHORTEST = 48
"""Completion tokens of the shortest answer to expect: an approval, or a function of a few lines."""

CHARACTERS_A_TOKEN = 3.5
"""Of a prompt that was never counted: code has fewer than prose."""


class Range(Record):
    """From the least to the most."""

    least: float
    most: float

    def __add__(self, other: "Range") -> "Range":
        """Return the sums."""
        return Range(least=self.least + other.least, most=self.most + other.most)

    def times(self, factor: float) -> "Range":
        """Return the range in another unit."""
        return Range(least=self.least * factor, most=self.most * factor)


NOTHING = Range(least=0, most=0)


class Share(Record):
    """What one endpoint has to do."""

    endpoint: str
    calls: Range
    prompt_tokens: Range
    completion_tokens: Range
    seconds: Range | None
    """Busy; None where its speed is not known."""


class Row(Record):
    """One run of the study."""

    dataset: str
    pipeline: str
    tasks: int
    """That are left to do."""
    of: int
    shares: tuple[Share, ...]

    @property
    def calls(self) -> Range:
        """Of all endpoints."""
        return sum((share.calls for share in self.shares), NOTHING)

    @property
    def seconds(self) -> Range | None:
        """At least as long as the busier endpoint, at most as both one after the other."""
        known = [share.seconds for share in self.shares if share.seconds is not None]
        if len(known) < len(self.shares):
            return None
        least = max((each.least for each in known), default=0.0)
        return Range(least=least, most=sum(each.most for each in known))


class Forecast(Record):
    """A study's forecast."""

    rows: tuple[Row, ...]
    money: dict[str, Range]
    """By currency; empty where no price is configured or the time is not known."""
    measured: int
    """Calls that tokens and speeds were measured on."""

    @property
    def seconds(self) -> Range | None:
        """The runs are done one after the other."""
        each = [row.seconds for row in self.rows]
        known = [seconds for seconds in each if seconds is not None]
        return sum(known, NOTHING) if len(known) == len(each) else None

    @property
    def calls(self) -> Range:
        """Without those that the ledger shares."""
        return sum((row.calls for row in self.rows), NOTHING)

    def tokens(self) -> dict[str, tuple[Range, Range]]:
        """Return prompt and completion tokens by endpoint."""
        total: dict[str, tuple[Range, Range]] = {}
        for row in self.rows:
            for share in row.shares:
                prompt, completion = total.get(share.endpoint, (NOTHING, NOTHING))
                total[share.endpoint] = (prompt + share.prompt_tokens, completion + share.completion_tokens)
        return total


@dataclass(frozen=True)
class Plan:
    """One run to come: which, how many tasks are left, and what it asks a task."""

    dataset: str
    pipeline: str
    tasks: int
    of: int
    rehearsal: Rehearsal


def forecast(plans: Sequence[Plan], config: TeamConfig, known: Known, *, ledger: bool = True) -> Forecast:
    """Return what the plans take, in their order. With `ledger`, a call that an earlier plan made is free."""
    paid: dict[str, set[str]] = {}
    rows: list[Row] = []
    for plan in plans:
        seen = paid.setdefault(plan.dataset, set()) if ledger else set[str]()
        rehearsal = plan.rehearsal
        least = [asked for asked in rehearsal.least if asked.key not in seen]
        # The longest branch shares its first calls too, as far as they were the same.
        most = [asked for asked in rehearsal.most if asked.key not in seen]
        endpoints = dict.fromkeys(asked.endpoint for asked in (*rehearsal.least, *rehearsal.most))
        shares = tuple(_share(name, plan.tasks, least, most, known) for name in endpoints)
        rows.append(
            Row(dataset=plan.dataset, pipeline=plan.pipeline, tasks=plan.tasks, of=plan.of, shares=shares)
        )
        seen.update(asked.key for asked in rehearsal.least)
    measured = sum(len(each) for each in known.tokens.values())
    return Forecast(rows=tuple(rows), money=_money(rows, config), measured=measured)


def _share(endpoint: str, tasks: int, least: Sequence[Asked], most: Sequence[Asked], known: Known) -> Share:
    ends: list[tuple[int, float, float]] = []
    for asked, longest in ((least, False), (most, True)):
        own = [each for each in asked if each.endpoint == endpoint]
        prompts = completions = 0.0
        for each in own:
            otherwise = (
                each.prompt_characters / CHARACTERS_A_TOKEN,
                each.most_tokens if longest else SHORTEST,
            )
            prompt, completion = known.mean(endpoint, each.step) or otherwise
            prompts, completions = prompts + prompt, completions + completion
        ends.append((len(own), prompts, completions))
    calls, prompts, completions = (
        Range(least=tasks * low, most=tasks * high) for low, high in zip(*ends, strict=True)
    )
    rate = known.rate(endpoint)
    return Share(
        endpoint=endpoint,
        calls=calls,
        prompt_tokens=prompts,
        completion_tokens=completions,
        seconds=completions.times(1 / rate) if rate else None,
    )


def _money(rows: Sequence[Row], config: TeamConfig) -> dict[str, Range]:
    total: dict[str, Range] = {}
    for row, share in ((each, share) for each in rows for share in each.shares):
        price = config.endpoints[share.endpoint].price
        if price is None or (price.gpu_hour is not None and row.seconds is None):
            continue
        ends: dict[str, float] = {}
        for end in ("least", "most"):
            usage = Usage(
                prompt_tokens=round(getattr(share.prompt_tokens, end)),
                completion_tokens=round(getattr(share.completion_tokens, end)),
            )
            ends[end] = cost(price, usage, getattr(row.seconds or NOTHING, end))
        total[price.currency] = total.get(price.currency, NOTHING) + Range(**ends)
    return total
