"""Money: what is really paid is counted once over all sessions, and at the limit nothing more is asked."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dualcode.call import Message, Reply, Request, Usage
from dualcode.config import Price
from dualcode.duels.purse import PaidChat, Purse, SteadyChat
from dualcode.errors import EndpointError
from dualcode.models.chat import ChatModel, Meter
from dualcode.models.ledger import Fingerprint, Ledger, LedgerChat
from dualcode.models.scripted import ScriptedChat, reply
from dualcode.sampling import PAPER

PRICES: dict[str, Price | None] = {"scripted": Price(input_per_million=0, output_per_million=1_000_000)}
"""A token of an answer costs 1."""


def request(text: str) -> Request:
    return Request(messages=(Message(role="user", content=text),), sampling=PAPER.plain, answer_tokens=9)


def steady(chat: ChatModel, purse: Purse, ledger: Ledger) -> SteadyChat:
    """Return a model as a duel has it."""
    return SteadyChat(LedgerChat(PaidChat(chat, purse), ledger, Fingerprint(model=chat.model)), purse)


def test_what_was_paid_is_known_to_the_next_session(tmp_path: Path) -> None:
    async def session(words: list[str]) -> Purse:
        purse, chat = Purse(tmp_path, PRICES), ScriptedChat(lambda _: "three words long")
        with contextlib.closing(Ledger.open(tmp_path / "ledger")) as ledger:
            for word in words:
                await steady(chat, purse, ledger).complete(request(word))
        return purse

    assert asyncio.run(session(["a", "b"])).spent == {"$": 6.0}
    assert asyncio.run(session(["a", "b", "c"])).spent == {"$": 9.0}  # two are the ledger's
    with (tmp_path / "paid.jsonl").open("a") as file:
        file.write('{"at": 1, "endp')  # torn by a kill
    assert asyncio.run(session(["a"])).spent == {"$": 9.0}


async def test_a_server_s_own_word_is_what_is_paid(tmp_path: Path) -> None:
    usage = Usage(completion_tokens=5, cost=0.25)
    said = reply("x")
    attempt = said.attempts[0].model_copy(update={"usage": usage})
    chat = ScriptedChat([said.model_copy(update={"attempts": (attempt,), "usage": usage})])
    purse = Purse(tmp_path, PRICES)
    await PaidChat(chat, purse).complete(request("a"))
    assert purse.spent == {"$": 0.25}


async def test_what_nobody_knows_the_price_of_is_counted_and_is_not_free(tmp_path: Path) -> None:
    purse = Purse(tmp_path, {})
    await PaidChat(ScriptedChat(["a"]), purse).complete(request("a"))
    assert (purse.spent, purse.unknown) == ({}, 1)


async def test_a_failed_request_that_took_nothing_is_not_paid(tmp_path: Path) -> None:
    purse = Purse(tmp_path, PRICES)
    with pytest.raises(EndpointError):
        await PaidChat(ScriptedChat([EndpointError("refused")]), purse).complete(request("a"))
    assert (purse.spent, purse.unknown) == ({}, 0)


class Slow:
    """A model that answers when it is let."""

    def __init__(self) -> None:
        self.name = self.model = "scripted"
        self.meter = Meter()
        self.asked = asyncio.Semaphore(0)
        self.let = asyncio.Event()
        self.answers = 0

    async def complete(self, request: Request) -> Reply:
        self.asked.release()
        await self.let.wait()
        self.answers += 1
        return reply("three words long")

    async def close(self) -> None:
        """Do nothing."""


async def spent(
    tmp_path: Path, limits: dict[str, float], work: Callable[[SteadyChat, Slow], Any]
) -> tuple[Purse, Any]:
    purse, slow = Purse(tmp_path, PRICES, limits), Slow()
    with contextlib.closing(Ledger.open(tmp_path / "ledger")) as ledger:
        found = await purse.spend(work(steady(slow, purse, ledger), slow))
    return purse, found


async def test_at_the_limit_what_is_in_flight_arrives_and_is_kept_and_nothing_more_is_asked(
    tmp_path: Path,
) -> None:
    made = list[Slow]()

    async def work(chat: SteadyChat, slow: Slow) -> None:
        made.append(slow)
        async with asyncio.TaskGroup() as group:
            for word in ("a", "b", "c"):
                group.create_task(chat.complete(request(word)))
            for _ in range(3):
                await slow.asked.acquire()
            slow.let.set()
            await asyncio.sleep(0)
            for word in ("d", "e"):
                await chat.complete(request(word))

    purse, found = await spent(tmp_path, {"$": 8.0}, work)
    assert found is None
    assert made[0].answers == 3
    assert purse.spent == {"$": 9.0}
    assert purse.why == "$9 of $8 are paid"
    with contextlib.closing(Ledger.open(tmp_path / "ledger")) as ledger:
        chat = ScriptedChat([])  # has no answer: those are the ledger's
        again = Purse(tmp_path, PRICES, {"$": 100.0})
        for word in ("a", "b", "c"):
            assert (await steady(chat, again, ledger).complete(request(word))).from_ledger


async def test_a_currency_without_a_limit_ends_it_too(tmp_path: Path) -> None:
    purse = Purse(tmp_path, PRICES, {"€": 5.0})
    await PaidChat(ScriptedChat(["a"]), purse).complete(request("a"))
    assert purse.why == "a server charges in $, for which [limits.money] says nothing"


async def test_work_within_the_limit_returns_what_it_came_to(tmp_path: Path) -> None:
    async def work(chat: SteadyChat, slow: Slow) -> str | None:
        slow.let.set()
        return (await chat.complete(request("a"))).content

    assert (await spent(tmp_path, {"$": 8.0}, work))[1] == "three words long"


async def test_a_failure_within_it_is_raised(tmp_path: Path) -> None:
    async def work(chat: SteadyChat, slow: Slow) -> None:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        await spent(tmp_path, {}, work)


async def test_who_is_cancelled_for_another_reason_takes_his_request_with_him(tmp_path: Path) -> None:
    purse, slow = Purse(tmp_path, PRICES), Slow()
    with contextlib.closing(Ledger.open(tmp_path / "ledger")) as ledger:
        asking = asyncio.create_task(steady(slow, purse, ledger).complete(request("a")))
        await slow.asked.acquire()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert slow.answers == 0
    assert (purse.spent, purse.unknown) == ({}, 1)  # what the server did until then, nobody knows
