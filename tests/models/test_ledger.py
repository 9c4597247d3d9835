"""The ledger: what is kept, what is found, what a kill leaves, and what it says of itself."""

import asyncio
import hashlib
import json
import multiprocessing
import os
import random
import resource
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from dualcode.call import IN_ANSWERS, Message, Reply, Request, Usage
from dualcode.config import Endpoint, TeamConfig
from dualcode.errors import EndpointError, RunError, UnknownNameError
from dualcode.models.chat import PROTOCOL, ChatModel
from dualcode.models.endpoints import Served
from dualcode.models.ledger import Fingerprint, Ledger, LedgerChat, behind_ledger, identify, key_of
from dualcode.models.ledger.locks import Locks, place_of
from dualcode.models.ledger.store import APPLICATION, FILE, Entries, LedgerStore
from dualcode.models.openai import OpenAIChat
from dualcode.models.scripted import Answer as Scripted
from dualcode.models.scripted import ScriptedChat, reply
from dualcode.pipelines.find import find_pipeline
from dualcode.runs.manifest import configure, manifest
from dualcode.runs.runner import Runner
from dualcode.runs.runner import work as work_all
from dualcode.runs.session import open_run
from dualcode.runs.store import RunRecords, read_run
from dualcode.runs.summary import Summary, summarize
from dualcode.sampling import PAPER, Sampling
from dualcode.suites.registry import load_suite
from dualcode.team import Seat, Team
from dualcode.verdict import Outcome, Verdict
from tests.fake_server import Answer, FakeServer, serve

MODEL = Fingerprint(model="m", version="1")
ASKED = Request(messages=(Message(role="user", content="hi"),), sampling=PAPER.plain, answer_tokens=16)
SPAWN, FORK = multiprocessing.get_context("spawn"), multiprocessing.get_context("fork")


def number(value: int) -> Request:
    return ASKED.model_copy(update={"messages": (Message(role="user", content=str(value)),)})


def chat_to(server: FakeServer | str, **endpoint: Any) -> OpenAIChat:
    url = server if isinstance(server, str) else server.base_url
    values = {"model": "m", "base_url": url, "attempts": 1} | endpoint
    return OpenAIChat("e", Endpoint.model_validate(values), backoff=0.0)


async def seen(server: FakeServer, requests: int) -> None:
    """Wait until the server has been asked so often."""
    while len(server.bodies) < requests:  # noqa: ASYNC110 - the server is a thread, without events of ours
        await asyncio.sleep(0.01)


@pytest.fixture
def ledger(tmp_path: Path) -> Generator[Ledger]:
    opened = Ledger.open(tmp_path / "ledger")
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> Generator[LedgerStore]:
    opened = LedgerStore.open(tmp_path / "ledger")
    yield opened
    opened.close()


# What counts as the same request.

OTHER_REQUEST: dict[str, Any] = {
    "messages": (Message(role="user", content="ho"),),
    "sampling": Sampling(temperature=0.1),
    "thinking": True,
    "thinking_budget": 7,
    "answer_tokens": 17,
    "repetition": IN_ANSWERS,
    "json_schema": {"type": "object"},
}
OTHER_SAMPLING = {name: (field.default or 0) + 1 for name, field in Sampling.model_fields.items()}
OTHER_MODEL: dict[str, Any] = {
    "model": "n",
    "root": "org/n",
    "max_model_len": 8,
    "version": "2",
    "card": "0",
    "left_out": ("seed",),
    "system": "vllm-1-0000",
    "template": "0",
    "weights": "0",
    "thinking": "switch",
    "protocol": PROTOCOL + 1,
}


@pytest.mark.parametrize("field", Request.model_fields)
def test_every_field_of_a_request_counts(field: str) -> None:
    other = ASKED.model_copy(update={field: OTHER_REQUEST[field]})
    assert key_of(MODEL, other) != key_of(MODEL, ASKED)


@pytest.mark.parametrize("field", Sampling.model_fields)
def test_every_sampling_parameter_counts(field: str) -> None:
    sampling = ASKED.sampling.model_copy(update={field: OTHER_SAMPLING[field]})
    assert key_of(MODEL, ASKED.model_copy(update={"sampling": sampling})) != key_of(MODEL, ASKED)


@pytest.mark.parametrize("field", Fingerprint.model_fields)
async def test_another_fingerprint_never_gets_the_reply(ledger: Ledger, field: str) -> None:
    await LedgerChat(ScriptedChat(["mine"]), ledger, MODEL).complete(ASKED)
    other = MODEL.model_copy(update={field: OTHER_MODEL[field]})
    assert (await LedgerChat(ScriptedChat(["other's"]), ledger, other).complete(ASKED)).content == "other's"
    assert (await LedgerChat(ScriptedChat([]), ledger, MODEL).complete(ASKED)).content == "mine"


def test_another_draw_is_another_request() -> None:
    draws = [ASKED.model_copy(update={"sampling": ASKED.sampling.drawn(draw)}) for draw in range(3)]
    assert len({key_of(MODEL, draw) for draw in draws}) == 3


def test_the_order_of_a_schema_counts_since_replies_follow_it() -> None:
    schemas = [{"a": 1, "b": 2}, {"b": 2, "a": 1}]
    requests = [ASKED.model_copy(update={"json_schema": schema}) for schema in schemas]
    assert key_of(MODEL, requests[0]) != key_of(MODEL, requests[1])


def test_an_equal_request_has_the_same_key() -> None:
    again = Request.model_validate_json(ASKED.to_line())
    assert key_of(Fingerprint.model_validate_json(MODEL.to_line()), again) == key_of(MODEL, ASKED)


async def test_what_the_client_sends_changes_only_with_protocol() -> None:
    """If this fails, kept replies are to other requests than the ones sent now: raise PROTOCOL."""
    thinking = ASKED.model_copy(update={"thinking": True, "thinking_budget": 7})
    bound = ASKED.model_copy(update={"json_schema": {"type": "object"}, "repetition": IN_ANSWERS})
    with serve() as server:
        chat = chat_to(server, thinking="switch")
        for request in (ASKED, thinking, bound):
            await chat.complete(request)
        await chat.close()
    bodies = [{**body, "n": 1} for body in server.bodies]  # as it was sent once, and means without a word
    sent = json.dumps([bodies, PROTOCOL], sort_keys=True)
    assert hashlib.sha256(sent.encode()).hexdigest()[:16] == "799c0d16a8b154df"


# What identifies a model.


async def test_a_fingerprint_holds_what_the_server_says_of_itself() -> None:
    said = reply("x").model_copy(update={"system_fingerprint": "vllm-0.1-abcd"})
    served = Served(model="m", root="org/m", max_model_len=9, version="0.1")
    made = await identify(ScriptedChat([said]), served, Endpoint(base_url="http://127.0.0.1:1/v1", model="m"))
    assert made == Fingerprint(
        model="m", root="org/m", max_model_len=9, version="0.1", system="vllm-0.1-abcd"
    )


async def test_another_chat_template_is_another_fingerprint() -> None:
    async def template(server: FakeServer) -> str | None:
        chat = chat_to(server)
        made = await identify(chat, Served(model="m"), Endpoint(model="m", base_url=server.base_url))
        await chat.close()
        return made.template

    with serve() as server:
        first, again = await template(server), await template(server)
        server.has_tokenize = False
        unknown = await template(server)
    assert first == again is not None
    assert unknown is None


async def test_exchanged_weights_in_a_folder_are_another_fingerprint(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"1234")

    async def digest() -> str:
        served = Served(model="m", root=str(tmp_path))
        endpoint = Endpoint(base_url="http://127.0.0.1:1/v1", model="m")
        return (await identify(ScriptedChat(["x"]), served, endpoint)).digest

    before = await digest()
    assert await digest() == before
    weights.write_bytes(b"12345")
    assert await digest() != before


# What is replayed.


async def test_a_replayed_reply_is_the_paid_one_marked(ledger: Ledger) -> None:
    with serve(Answer(reasoning="hm")) as server:
        chat = LedgerChat(chat_to(server), ledger, MODEL)
        paid, again = await chat.complete(ASKED), await chat.complete(ASKED)
        await chat.close()
    assert len(server.bodies) == 1
    assert (paid.from_ledger, again.from_ledger) == (False, True)
    assert again == paid.replayed()
    assert (again.usage, again.started, again.seconds) == (paid.usage, paid.started, paid.seconds)


async def test_a_replayed_reply_is_no_work_of_the_server(ledger: Ledger) -> None:
    with serve() as server:
        inner = chat_to(server)
        chat = LedgerChat(inner, ledger, MODEL)
        await chat.complete(ASKED)
        before = inner.meter.tokens
        await chat.complete(ASKED)
        await chat.close()
    assert chat.meter is inner.meter
    assert (inner.meter.tokens, inner.meter.in_flight) == (before, 0)


async def test_text_that_utf8_cannot_hold_survives(ledger: Ledger) -> None:
    chat = LedgerChat(ScriptedChat(["half \ud83d pair"]), ledger, MODEL)
    await chat.complete(ASKED)
    assert (await chat.complete(ASKED)).content == "half \ud83d pair"


async def test_the_ledger_is_read_and_written_off_the_event_loop(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    for name in ("find", "keep"):
        whole = getattr(LedgerStore, name)

        def watched(*arguments: Any, whole: Any = whole) -> Any:
            threads.append(threading.current_thread())
            return whole(*arguments)

        monkeypatch.setattr(LedgerStore, name, watched)
    await LedgerChat(ScriptedChat(["x"]), ledger, MODEL).complete(ASKED)
    assert len(threads) == 3
    assert threading.current_thread() not in threads


# What is not kept.


async def test_an_error_is_not_kept(ledger: Ledger) -> None:
    with serve(Answer(status=503), Answer(content="well")) as server:
        chat = LedgerChat(chat_to(server), ledger, MODEL)
        with pytest.raises(EndpointError):
            await chat.complete(ASKED)
        assert (await chat.complete(ASKED)).content == "well"
        await chat.close()
    assert len(server.bodies) == 2


@pytest.mark.parametrize("finish", ["abort", "error"])
async def test_a_reply_that_the_server_broke_off_is_not_kept(ledger: Ledger, finish: str) -> None:
    cut, whole = reply("ha", finish_reason=finish), reply("hallo")
    chat = LedgerChat(ScriptedChat([cut, whole]), ledger, MODEL)
    assert [(await chat.complete(ASKED)).content for _ in range(3)] == ["ha", "hallo", "hallo"]


async def test_a_cancelled_call_is_not_kept_and_the_next_in_line_asks(ledger: Ledger) -> None:
    with serve(Answer(hang=60.0), Answer(content="second")) as server:
        chat = LedgerChat(chat_to(server), ledger, MODEL)
        first, second = (asyncio.create_task(chat.complete(ASKED)) for _ in range(2))
        await seen(server, 1)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        assert (await second).content == "second"
        await chat.close()
    assert len(server.bodies) == 2


# One asks, the others wait.


async def test_tasks_that_ask_the_same_at_once_ask_once(ledger: Ledger) -> None:
    with serve(Answer(hang=0.1)) as server:
        chat = LedgerChat(chat_to(server), ledger, MODEL)
        replies = await asyncio.gather(*(chat.complete(ASKED) for _ in range(10)))
        await chat.close()
    assert len(server.bodies) == 1
    assert sorted(each.from_ledger for each in replies) == [False] + [True] * 9


def ask_all(folder: Path, url: str, requests: list[Request], start: Any, answers: Any) -> None:
    """Be a process that asks all requests at once; put the replies into `answers`."""

    async def ask() -> list[Reply]:
        ledger = Ledger.open(folder)
        chat = LedgerChat(chat_to(url), ledger, MODEL)
        start.wait()
        replies = await asyncio.gather(*(chat.complete(request) for request in requests))
        await chat.close()
        ledger.close()
        return replies

    answers.put([each.to_line() for each in asyncio.run(ask())])


def test_processes_that_ask_the_same_at_once_ask_once(tmp_path: Path) -> None:
    requests = [number(value) for value in range(4)] * 2
    start, answers = SPAWN.Barrier(3), SPAWN.Queue()
    with serve(Answer(hang=0.3)) as server:
        arguments = (tmp_path / "ledger", server.base_url, requests, start, answers)
        workers = [SPAWN.Process(target=ask_all, args=arguments) for _ in range(3)]
        with ended(*workers):
            replies = [Reply.model_validate_json(line) for _ in workers for line in answers.get(timeout=250)]
    assert len(server.bodies) == 4
    assert len(replies) == 24
    assert sum(not each.from_ledger for each in replies) == 4


async def test_a_killed_asker_blocks_nobody(tmp_path: Path, ledger: Ledger) -> None:
    start, answers = SPAWN.Barrier(1), SPAWN.Queue()
    with serve(Answer(hang=600.0), Answer(content="second")) as server:
        arguments = (tmp_path / "ledger", server.base_url, [ASKED], start, answers)
        worker = SPAWN.Process(target=ask_all, args=arguments)
        with ended(worker):
            await seen(server, 1)
            chat = LedgerChat(chat_to(server), ledger, MODEL)
            waiting = asyncio.create_task(chat.complete(ASKED))
            await asyncio.sleep(0.1)
            assert len(server.bodies) == 1  # it waits for the other process's reply
            worker.kill()
            assert (await waiting).content == "second"
            await chat.close()


async def test_a_stopped_asker_is_waited_for_only_so_long(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dualcode.models.ledger.PATIENCE", 0.0)
    locks = Locks(tmp_path / "ledger" / "claims.lock")
    assert locks.take(place_of(key_of(MODEL, ASKED)))
    assert (await LedgerChat(ScriptedChat(["mine"]), ledger, MODEL).complete(ASKED)).content == "mine"
    locks.close()


def test_the_first_of_two_kept_replies_stands(store: LedgerStore) -> None:
    key = key_of(MODEL, ASKED)
    assert store.keep(key, MODEL, reply("first")).content == "first"
    assert store.keep(key, MODEL, reply("second")).content == "first"
    assert store.stats().entries == 1


# Kills.


@contextmanager
def ended(*workers: BaseProcess) -> Generator[None]:
    """Start the processes; none is left."""
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.join(timeout=20) if worker.exitcode is None else None
            worker.kill()
            worker.join()
            worker.close()


def entry(name: str) -> tuple[bytes, Reply]:
    """Return an entry whose reply can be told from its name, of 0 to 60 kB."""
    digest = hashlib.sha256(name.encode())
    filler = random.Random(name).randbytes(digest.digest()[0] * 120).hex()
    return digest.digest(), reply(f"{name}:{filler}").model_copy(update={"started": 0.0, "attempts": ()})


def write_for_ever(folder: Path, name: str, committed: int) -> None:
    """Be a process that keeps entries, and tells the pipe `committed` of each after it was kept."""
    store = LedgerStore.open(folder)
    for count in range(1_000_000):
        key, whole = entry(f"{name}/{count}")
        store.keep(key, MODEL, whole)
        os.write(committed, f"{name}/{count}\n".encode())


def read_names(pipe: int, content: bytes = b"") -> list[str]:
    """Return the names that were written to the pipe until its writers ended, after `content`."""
    while chunk := os.read(pipe, 65536):
        content += chunk
    os.close(pipe)
    return content.decode().split()


def killed_writers(folder: Path, round_: int, chance: random.Random) -> list[str]:
    """Kill two writers in the middle of their work; return what they had committed."""
    read, write = os.pipe()
    workers = [FORK.Process(target=write_for_ever, args=(folder, f"{round_}-{n}", write)) for n in range(2)]
    for worker in workers:
        worker.start()
    os.close(write)
    begun = os.read(read, 4096)
    time.sleep(chance.uniform(0.0, 0.04))
    for worker in workers:
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        worker.close()
    return read_names(read, begun)


def test_kill_9_at_any_moment_leaves_whole_entries_and_loses_none(tmp_path: Path) -> None:
    folder, chance, committed = tmp_path / "ledger", random.Random(4), list[str]()
    for round_ in range(20):
        committed += killed_writers(folder, round_, chance)
        store = LedgerStore.open(folder)
        for name in committed[-100:]:
            key, whole = entry(name)
            assert store.find(key) == whole
        assert store.prune(Entries(damaged=True), dry_run=True).entries == 0
        # The kill may fall between a commit and the word of it.
        assert 0 <= store.stats().entries - len(committed) <= 2 * (round_ + 1)
        store.close()
    with sqlite3.connect(folder / FILE) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    assert len(committed) > 20


def open_for_ever(folder: Path) -> None:
    for count in range(1_000_000):
        LedgerStore.open(folder / str(count)).close()


def test_kill_9_while_a_ledger_is_made_leaves_one_that_opens(tmp_path: Path) -> None:
    chance = random.Random(4)
    for round_ in range(10):
        worker = FORK.Process(target=open_for_ever, args=(tmp_path / str(round_),))
        worker.start()
        time.sleep(chance.uniform(0.01, 0.06))
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        worker.close()
        for folder in (tmp_path / str(round_)).glob("*"):
            store = LedgerStore.open(folder)
            key, whole = entry("x")
            assert store.keep(key, MODEL, whole) == store.find(key)
            store.close()


# Runs.

RAW, REVIEW = find_pipeline("raw-coder"), find_pipeline("review-fix")
SUITE = load_suite("mini").select(6)


class PassAll:
    async def grade(self, task_id: str, program: str) -> Verdict:
        passed = Outcome(status="passed")
        return Verdict.of(task_id, base=passed, plus=passed)

    async def close(self) -> None:
        pass


def config_of(url: str) -> TeamConfig:
    endpoint = {"model": "m", "base_url": url, "attempts": 1}
    endpoint |= {"price": {"input_per_million": 1, "output_per_million": 2}}
    roles = {"coder": "e", "reviewer": "e"}
    return TeamConfig.model_validate({"endpoints": {"e": endpoint}, "roles": roles})


async def work(
    root: Path, url: str, pipeline: str = "raw-coder", *, fresh: bool = False, concurrency: int = 2
) -> RunRecords:
    config, chosen = config_of(url), find_pipeline(pipeline)
    made_with = manifest(pipeline, configure(chosen, SUITE, config, {"e": Served(model="m")}), SUITE, config)
    store = open_run(root, made_with, fresh=fresh)
    store.begin_session(concurrency, {})
    ledger, chat = Ledger.open(root / "ledger"), chat_to(url)
    kept = LedgerChat(chat, ledger, MODEL)
    seats: dict[str, Seat] = {role: Seat(role, kept, PAPER, 100) for role in chosen.roles}
    try:
        one = Runner(chosen, SUITE, Team(seats), PassAll(), store, task_seconds=600)
        await work_all([one], most=concurrency)
    finally:
        store.end_session()
        store.close()
        await chat.close()
        ledger.close()
    return read_run(store.folder)


def run_to_be_killed(root: Path, url: str) -> None:
    asyncio.run(work(root, url))


def usages(summary: Summary) -> tuple[Usage, Usage]:
    """Return the tokens as if alone, and the spent ones."""
    (server,) = summary.servers
    return server.usage, server.spent.usage


async def test_a_second_pipeline_does_not_ask_again_for_what_it_shares(tmp_path: Path) -> None:
    approval = '{"verdict": "approve", "findings": []}'
    with serve(Answer(content=approval)) as server:
        raw = await work(tmp_path, server.base_url)
        review = await work(tmp_path, server.base_url, "review-fix")
    assert len(server.bodies) == 12  # 6 drafts, 6 reviews
    assert {call.step for call in review.calls if call.from_ledger} == {"write"}
    drafts = {
        call.task_id: call.reply.content for call in review.calls if call.step == "write" and call.reply
    }
    assert drafts == {call.task_id: call.reply.content for call in raw.calls if call.reply}


async def test_each_run_is_accounted_as_if_alone_and_as_spent(tmp_path: Path) -> None:
    with serve() as server:
        first = summarize(await work(tmp_path, server.base_url))
        second = summarize(await work(tmp_path, server.base_url, fresh=True))
    assert len(server.bodies) == 6
    assert usages(first) == (usages(second)[0], usages(first)[0])
    assert usages(second)[1] == Usage()
    assert (first.replayed, second.replayed) == (0, 6)
    assert first.servers[0].busy_seconds == pytest.approx(second.servers[0].busy_seconds)
    assert second.servers[0].spent.busy_seconds == 0
    assert first.cost == first.spent == second.cost
    assert second.spent == {"$": 0}
    assert second.to_json()["servers"][0]["spent"]["requests"] == 0


async def test_a_killed_run_resumes_without_paying_for_a_finished_call_again(tmp_path: Path) -> None:
    in_flight = Answer(hang=600.0)
    with serve(Answer(), Answer(), Answer(), in_flight, in_flight, Answer()) as server:
        worker = SPAWN.Process(target=run_to_be_killed, args=(tmp_path, server.base_url))
        with ended(worker):
            await seen(server, 5)
            worker.kill()
        resumed = await work(tmp_path, server.base_url)
        asked = Counter(json.dumps(body) for body in server.bodies)
        undisturbed = await work(tmp_path / "other", server.base_url)
    assert sorted(asked.values()) == [1, 1, 1, 1, 2, 2]  # twice: what was in flight at the kill
    assert resumed.samples == undisturbed.samples
    assert usages(summarize(resumed)) == usages(summarize(undisturbed))
    assert summarize(resumed).servers[0].spent.requests == 6


async def test_calls_done_twice_are_spent_once_each_however_the_kill_left_the_files(tmp_path: Path) -> None:
    with serve() as server:
        whole = await work(tmp_path, server.base_url)
    other = whole.calls[0].model_copy(update={"task_id": "T/0", "reply": shifted(whole.calls[0].reply)})
    doubled = whole.model_copy(update={"superseded": (whole.calls[0], other)})
    (server_use,) = summarize(doubled).servers
    assert (server_use.requests, server_use.spent.requests) == (6, 7)


def shifted(whole: Reply | None) -> Reply:
    assert whole is not None
    attempts = [each.model_copy(update={"started": each.started + 9}) for each in whole.attempts]
    return whole.model_copy(update={"attempts": tuple(attempts)})


async def test_a_repair_of_a_replayed_reply_takes_its_own_time(ledger: Ledger) -> None:
    async def ask(*answers: Scripted) -> Reply:
        calls: list[Any] = []
        seat = Seat(
            "coder", LedgerChat(ScriptedChat(answers), ledger, MODEL), PAPER, 100, record=calls.append
        )

        def read(text: str | None) -> Usage | None:
            return Usage() if text == "good" else None

        with suppress(EndpointError):
            await seat.ask("review", ASKED.messages, schema={}, read=read, repair="again")
        return calls[0].reply

    long_ago = reply("bad").model_copy(update={"started": 1.0, "seconds": 2.0})
    assert await ask(long_ago) is None  # the repair fails: only the first reply is kept
    mended = await ask("good")
    assert [attempt.from_ledger for attempt in mended.attempts] == [True, False]
    assert (mended.from_ledger, mended.started, mended.seconds) == (False, 1.0, 2.0)


async def test_every_chat_model_of_a_team_goes_through_the_ledger(ledger: Ledger) -> None:
    def bound(chat: ChatModel) -> Team:
        return Team(
            {"coder": Seat("coder", chat, PAPER, 100), "reviewer": Seat("reviewer", chat, PAPER, 100)}
        )

    with serve() as server:
        config, served = config_of(server.base_url), {"e": Served(model="m")}
        bare = bound(chat_to(server))
        behind = await behind_ledger(bare.chats, ledger, config, served)
        team = bare.through(lambda chat: behind[chat.name])
        asked = len(server.bodies)
        for seat in (team.coder, team.reviewer):
            await seat.ask("write", ASKED.messages, read=lambda _: None)
        await team.close()
    assert len(team.chats) == 1
    assert len(server.bodies) - asked == 1


# Statistics and pruning.


def filled(store: LedgerStore, *models: str) -> None:
    for model in models:
        for count in range(40):
            key, whole = entry(f"{model}/{count}")
            whole = whole.model_copy(update={"usage": Usage(prompt_tokens=5, completion_tokens=10)})
            store.keep(key, Fingerprint(model=model), whole)


def test_statistics_say_what_is_kept_and_what_was_saved(store: LedgerStore) -> None:
    filled(store, "a", "b")
    for _ in range(2):
        store.find(entry("a/0")[0])
    store.find(b"unknown")
    stats = store.stats()
    assert (stats.entries, stats.hits, stats.misses) == (80, 2, 80)
    assert stats.saved_share == pytest.approx(20 / 820)
    assert [(model.fingerprint.model, model.entries, model.hits) for model in stats.models] == [
        ("a", 40, 2),
        ("b", 40, 0),
    ]
    assert stats.models[0].usage == Usage(prompt_tokens=200, completion_tokens=400)
    assert stats.bytes > 0
    assert stats.oldest is not None and stats.newest is not None and stats.oldest < stats.newest


def test_pruning_a_model_leaves_the_others_and_frees_space(store: LedgerStore, tmp_path: Path) -> None:
    filled(store, "a", "b")
    before = store.stats().bytes
    would = store.prune(Entries(model="a"), dry_run=True)
    assert (would.entries, would.tokens, store.stats().entries) == (40, 400, 80)
    gone = store.prune(Entries(model="a"))
    assert gone.entries == 40
    assert 0 < gone.bytes <= before - store.stats().bytes
    assert [model.fingerprint.model for model in store.stats().models] == ["b"]


def test_pruning_by_age_spares_what_was_used_since(store: LedgerStore, tmp_path: Path) -> None:
    filled(store, "a")
    database = sqlite3.connect(tmp_path / "ledger" / FILE)
    with database:
        database.execute("UPDATE entries SET used = used - 100, created = created - 100")
    database.close()
    store.find(entry("a/7")[0])
    assert store.prune(Entries(unused_for=50)).entries == 39
    assert store.find(entry("a/7")[0]) is not None


def test_pruning_an_unknown_model_names_the_nearest(store: LedgerStore) -> None:
    filled(store, "qwen-coder")
    with pytest.raises(UnknownNameError, match="qwen-coder"):
        store.prune(Entries(model="qwen-codr"))


def test_a_model_can_be_named_by_its_fingerprint(store: LedgerStore) -> None:
    filled(store, "a", "b")
    assert store.prune(Entries(model=Fingerprint(model="a").digest[:8])).entries == 40


def test_pruning_beside_a_writer_hurts_neither(tmp_path: Path) -> None:
    folder, (read, write) = tmp_path / "ledger", os.pipe()
    worker = FORK.Process(target=write_for_ever, args=(folder, "w", write))
    worker.start()
    os.close(write)
    store, gone, said = LedgerStore.open(folder), 0, b""
    while gone < 100:
        said += os.read(read, 65536)
        gone += store.prune(Entries()).entries
    assert worker.is_alive()
    worker.kill()
    worker.join()
    worker.close()
    written, left = read_names(read, said), store.stats().entries
    assert 0 <= gone + left - len(written) <= 1
    assert store.prune(Entries(damaged=True), dry_run=True).entries == 0
    store.close()


# Damage.


def spoiled(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    (folder / FILE).write_bytes(content)
    return folder / FILE


def database_with(path: Path, *commands: str) -> None:
    database = sqlite3.connect(path)
    for command in commands:
        database.execute(command)
    database.commit()
    database.close()


@pytest.mark.parametrize("content", [b"not a database", b"not a database" * 1000, b"SQLite format 3\0" * 300])
def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = spoiled(tmp_path / "ledger", content)
    with pytest.raises(RunError, match=f"{path} is damaged, or no ledger(.|\n)*mv {path.parent} "):
        LedgerStore.open(path.parent)
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = spoiled(tmp_path / "ledger", b"")
    database_with(path, "CREATE TABLE t (x)")
    content = path.read_bytes()
    with pytest.raises(RunError, match="database of another program(.|\n)*try: mv"):
        LedgerStore.open(path.parent)
    assert path.read_bytes() == content


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = spoiled(tmp_path / "ledger", b"")
    database_with(
        path, "CREATE TABLE t (x)", f"PRAGMA application_id = {APPLICATION}", "PRAGMA user_version = 2"
    )
    with pytest.raises(RunError, match="schema 2; this dualcode knows schema 1"):
        LedgerStore.open(path.parent)


def test_a_database_cut_short_says_so(tmp_path: Path) -> None:
    store = LedgerStore.open(tmp_path / "ledger")
    filled(store, "a")
    store.close()
    path = tmp_path / "ledger" / FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(RunError, match=f"{path} is damaged(.|\n)*try: mv"):
        read_all(path.parent)


def read_all(folder: Path) -> None:
    store = LedgerStore.open(folder)
    try:
        for count in range(40):
            store.find(entry(f"a/{count}")[0])
        store.stats()
    finally:
        store.close()


def test_a_damaged_entry_is_never_believed(store: LedgerStore, tmp_path: Path) -> None:
    filled(store, "a")
    (key, _), (other, _) = entry("a/3"), entry("a/4")
    path = tmp_path / "ledger" / FILE
    database = sqlite3.connect(path)
    with database:  # a whole reply, but to another request
        database.execute(
            "UPDATE entries SET (seal, reply) = (SELECT seal, reply FROM entries WHERE key = ?) "
            "WHERE key = ?",
            (other, key),
        )
    database.close()
    with pytest.raises(
        RunError, match=f"{path}: the entry {key.hex()[:16]} is damaged(.|\n)*prune --damaged"
    ):
        store.find(key)
    assert store.prune(Entries(damaged=True)).entries == 1
    assert store.find(key) is None
    assert store.stats().entries == 39


def test_a_full_or_forbidden_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("a file")
    with pytest.raises(RunError, match=f"cannot write to {tmp_path / 'ledger'}"):
        LedgerStore.open(tmp_path / "ledger")


def test_a_full_disk_is_told_and_leaves_the_ledger_usable(tmp_path: Path, store: LedgerStore) -> None:
    filled(store, "a")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, ((tmp_path / "ledger" / f"{FILE}-wal").stat().st_size, limit[1])
    )
    try:
        with pytest.raises(RunError, match=f"{tmp_path / 'ledger' / FILE}: .*(.|\n)*free the disk"):
            filled(store, "b")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    filled(store, "c")
    counts = {model.fingerprint.model: model.entries for model in store.stats().models}
    assert (counts["a"], counts["c"]) == (40, 40)
    assert store.prune(Entries(damaged=True), dry_run=True).entries == 0


def test_a_writer_that_holds_its_turn_for_ever_is_reported(tmp_path: Path) -> None:
    first, second = (Locks(tmp_path / "claims.lock") for _ in range(2))
    assert first.take(0)
    with pytest.raises(RunError, match="another process holds it for more than 0 s"), second.held(0, 0.0):
        pass
    first.close()
    assert second.take(0)
    second.close()
