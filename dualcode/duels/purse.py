"""What a duel has really paid, request by request, and the limit at which it makes no further one."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from dualcode.call import Attempt, Reply, Request, Usage
from dualcode.clock import now
from dualcode.config import Price
from dualcode.errors import ConfigError, EndpointError
from dualcode.models.chat import ChatModel
from dualcode.pricing import DOLLARS, CostSource, charge
from dualcode.record import Record
from dualcode.runs.lines import append_whole, drop_torn_line, read_lines, writing

FILE = "paid.jsonl"
T = TypeVar("T")


class Paid(Record):
    """One call that a server answered, or was lost at: a line of `paid.jsonl`."""

    at: float
    """Seconds since the epoch."""
    endpoint: str
    outcome: Literal["answered", "failed", "left"]
    """`left`: whoever asked was gone before the answer; what the server did until then is not known."""
    usage: Usage = Usage()
    seconds: float = 0.0
    money: float | None = None
    """None: unknown."""
    currency: str | None = None
    source: CostSource = "unknown"


class Purse:
    """The money of one duel, over all its sessions. What the ledger answers is not paid for."""

    def __init__(
        self, folder: Path, prices: Mapping[str, Price | None], limits: Mapping[str, float] | None = None
    ) -> None:
        """Read what earlier sessions paid. Raises RunError if that cannot be read."""
        self._path = folder / FILE
        with writing(self._path):
            drop_torn_line(self._path)
        self._prices, self._limits = prices, dict(limits or {})
        self.spent: dict[str, float] = {}
        """By currency."""
        self.unknown = 0
        """Calls of which nobody knows what they cost."""
        self.emptied = asyncio.Event()
        self._draining = asyncio.Event()
        self._flying = set[asyncio.Task[Reply]]()
        for each in read_lines(self._path, Paid, []):
            self._count(each)

    @property
    def why(self) -> str | None:
        """Which limit is reached, in words; None while none is."""
        for currency, amount in self.spent.items():
            if self._limits and currency not in self._limits and amount > 0:
                return f"a server charges in {currency}, for which [limits.money] says nothing"
        for currency, limit in self._limits.items():
            if (paid := self.spent.get(currency, 0.0)) >= limit:
                return f"{currency}{paid:.4g} of {currency}{limit:g} are paid"
        return None

    async def passed(self) -> None:
        """Return while there is money; without it, wait until nothing is in flight, and be cancelled."""
        if self.emptied.is_set():
            await self._draining.wait()
            raise asyncio.CancelledError("the money limit is reached")

    def pay(self, endpoint: str, attempts: Sequence[Attempt], outcome: str = "answered") -> None:
        """Put what a call's requests cost on record."""
        usage = sum((each.usage for each in attempts), Usage())
        seconds = sum(each.seconds for each in attempts)
        if outcome == "failed" and usage.nothing:
            return
        known = None if outcome == "left" else charge(self._prices.get(endpoint), usage, seconds)
        fields: dict[str, Any] = {"usage": usage, "seconds": seconds}
        if known is not None:
            fields |= {"money": known.amount, "currency": known.currency, "source": known.source}
        paid = Paid.model_validate({"at": now(), "endpoint": endpoint, "outcome": outcome, **fields})
        with writing(self._path):
            append_whole(self._path, f"{paid.to_line()}\n")
        self._count(paid)

    def _count(self, paid: Paid) -> None:
        if paid.money is None or paid.currency is None:
            self.unknown += 1
        else:
            self.spent[paid.currency] = self.spent.get(paid.currency, 0.0) + paid.money
        if self.why is not None:
            self.emptied.set()

    async def answered(self, asking: asyncio.Task[Reply]) -> Reply:
        """Return a reply. Whoever is cancelled for want of money leaves it to arrive, and to be kept."""
        self._flying.add(asking)
        asking.add_done_callback(self._flying.discard)
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            if not self.emptied.is_set():
                asking.cancel()
                await asyncio.wait({asking})
            raise

    async def spend(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do work while there is money, and return what came of it; None if it was ended for want of money.

        What is in flight then is waited for: it is paid, and belongs into the ledger.
        """
        working = asyncio.create_task(work)
        emptied = asyncio.create_task(self.emptied.wait())
        try:
            await asyncio.wait({working, emptied}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                self._draining.set()
                while flying := [each for each in self._flying if not each.done()]:
                    await asyncio.wait(flying)
        finally:
            for each in (working, emptied):
                each.cancel()
            await asyncio.wait({working, emptied})
        return None if working.cancelled() else working.result()


class _Behind:
    """A ChatModel before another one, with a purse at hand."""

    def __init__(self, chat: ChatModel, purse: Purse) -> None:
        self.name, self.model, self.meter = chat.name, chat.model, chat.meter
        self._chat, self._purse = chat, purse

    async def close(self) -> None:
        """Close the chat model."""
        await self._chat.close()


class PaidChat(_Behind):
    """A ChatModel whose every answer is paid from a purse."""

    async def complete(self, request: Request) -> Reply:
        """Answer while there is money; see ChatModel."""
        await self._purse.passed()
        try:
            reply = await self._chat.complete(request)
        except EndpointError as error:
            self._purse.pay(self.name, error.attempts, "failed")
            raise
        except asyncio.CancelledError:
            self._purse.pay(self.name, (), "left")
            raise
        self._purse.pay(self.name, reply.attempts)
        return reply


class SteadyChat(_Behind):
    """A ChatModel, behind the ledger, whose answers arrive though who asked is stopped for want of money."""

    async def complete(self, request: Request) -> Reply:
        """Answer; see ChatModel."""
        return await self._purse.answered(asyncio.create_task(self._chat.complete(request)))


def refuse_unknown_prices(
    limits: Mapping[str, float], prices: Mapping[str, Price | None], where: Path
) -> None:
    """Refuse a limit that could not be held: of a model without a price, or in a currency without a limit."""
    if not limits:
        return
    if unknown := [name for name, price in prices.items() if price is None]:
        raise ConfigError(
            f"{where}: limits.money is set, and nobody knows what these cost: {', '.join(unknown)}",
            hint=f"[endpoints.{unknown[0]}.price] in the team's file, or no [limits.money]",
        )
    for name, price in prices.items():
        if price is not None and price.currency not in limits:
            raise ConfigError(
                f"{where}: limits.money says nothing of {price.currency}, in which {name} is paid",
                hint=f'"{price.currency}" = 5.0 under [limits.money], or another currency in the price',
            )


def cautions(prices: Mapping[str, Price | None]) -> Iterable[str]:
    """Yield what makes a bill wrong or unknown, a line each."""
    for name, price in prices.items():
        if price is None:
            yield (
                f"{name} has no price: its cost is unknown unless its server tells it, as OpenRouter "
                f"does (in {DOLLARS}); [endpoints.{name}.price] in the team's file gives one"
            )
        elif price.input_per_million is not None and price.cached_input_per_million is None:
            yield (
                f"{name} is priced by tokens without cached_input_per_million: most of what an agent sends "
                "was sent before, and billing it in full makes the bill several times too high"
            )
