"""What an exchange cost: by its server's own word, else by the price table, else unknown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from dualcode.call import Call, Usage
from dualcode.config import Price

CostSource = Literal["provider", "tokens", "gpu", "unknown"]
"""`provider`: the server told its charge; `tokens`: by the price table; `gpu`: by the hour of its GPU."""
DOLLARS = "$"
"""The currency of what servers tell."""


@dataclass(frozen=True)
class Charge:
    """Money, and how it is known."""

    amount: float
    currency: str
    source: CostSource


def charge(price: Price | None, usage: Usage, seconds: float) -> Charge | None:
    """Return what tokens, or holding the GPUs for `seconds`, cost; None where that is not known.

    Without the server's own word it needs a price, and one by tokens needs tokens that the server told.
    """
    if usage.cost is not None:
        return Charge(usage.cost, DOLLARS, "provider")
    if price is None or (price.gpu_hour is None and usage.untold):
        return None
    return Charge(cost(price, usage, seconds), price.currency, "tokens" if price.gpu_hour is None else "gpu")


def cost(price: Price, usage: Usage, seconds: float) -> float:
    """Return the money by the price table, for tokens, or for holding the GPUs for `seconds`."""
    if price.gpu_hour is not None:
        return price.gpu_hour * seconds / 3600
    new, cached = price.input_per_million or 0, price.cached_input_per_million
    found = min(usage.cached_tokens, usage.prompt_tokens)
    return (
        (usage.prompt_tokens - found) * new
        + found * (new if cached is None else cached)
        + usage.completion_tokens * (price.output_per_million or 0)
    ) / 1e6


def bill(
    calls: Iterable[Call], prices: Mapping[str, Price | None]
) -> tuple[dict[str, float] | None, CostSource]:
    """Return what calls cost by currency, and how that is known; `prices` has each endpoint's by its name.

    None and `unknown` if one call's is not known. By the GPU's hour it is the time in which the requests were
    in flight: at most what they took, for others may have shared the GPU. Where calls differ, the source is
    the least certain one.
    """
    total: dict[str, float] = {}
    sources: set[CostSource] = set()
    for call in calls:
        seconds = sum(each.seconds for each in call.attempts)
        if call.usage.nothing and call.reply is None:
            continue  # nothing was taken, and nothing is owed
        paid = charge(prices.get(call.endpoint), call.usage, seconds)
        if paid is None:
            return None, "unknown"
        total[paid.currency] = total.get(paid.currency, 0.0) + paid.amount
        sources.add(paid.source)
    order: tuple[CostSource, ...] = ("gpu", "tokens", "provider", "unknown")
    return total, min(sources or {order[-1]}, key=order.index)
