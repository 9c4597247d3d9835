"""The team: endpoints checked before the first task, and seats that record every call."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dualcode.bench.bench import SandboxBench
from dualcode.call import Call, Message, Reply, Request, Value
from dualcode.config import Endpoint, TeamConfig
from dualcode.errors import EndpointError, TeamError, UnreachableError
from dualcode.models.chat import ChatModel
from dualcode.models.endpoints import Served, check_endpoints
from dualcode.models.openai import OpenAIChat
from dualcode.models.scripted import Answer, ScriptedChat, reply
from dualcode.sampling import PAPER
from dualcode.sandbox.scripted import ScriptedSandbox, ended
from dualcode.solution import Program
from dualcode.steps.writing import Plan
from dualcode.team import Seat, Team, build_team, open_team
from tests.fake_server import FakeServer, serve

HI = [Message(role="user", content="hi")]
ROLES = ["coder", "reviewer"]


def config(server: FakeServer, **endpoint: Any) -> TeamConfig:
    values = {"base_url": server.base_url, "model": "m"} | endpoint
    return TeamConfig(endpoints={"e": Endpoint.model_validate(values)}, roles={"coder": "e", "reviewer": "e"})


def seat(*answers: Answer, budget: int | None = None) -> tuple[Seat, list[Call]]:
    calls: list[Call] = []
    whole = Seat("coder", ScriptedChat(answers), PAPER, answer_tokens=100, thinking_budget=budget)
    return Team({"coder": whole}).for_task("T/1", calls.append).coder, calls


def said(reply: str | None) -> Plan:
    return Plan(text=reply or "")


async def test_endpoints_tell_what_they_serve() -> None:
    with serve() as server:
        served = await check_endpoints(config(server), ROLES)
    assert served["e"].model_dump() == {
        "model": "m", "root": "org/m", "max_model_len": 32768, "version": "0.0-fake", "card": None,
    }  # fmt: skip


async def test_a_server_that_is_not_there_names_the_key() -> None:
    with serve() as server:
        pass
    with pytest.raises(
        UnreachableError, match=r"endpoints\.e\.base_url: found no server at .*expected one.*'m'"
    ):
        await check_endpoints(config(server), ROLES)


async def test_a_model_that_is_not_served_names_the_served_ones() -> None:
    with (
        serve() as server,
        pytest.raises(TeamError, match=r"endpoints\.e\.model: expected 'other'; .* serves: m"),
    ):
        await check_endpoints(config(server, model="other"), ROLES)


async def test_an_address_without_v1_is_explained() -> None:
    with serve() as server, pytest.raises(TeamError, match="ends in /v1"):
        await check_endpoints(config(server, base_url=server.base_url.removesuffix("/v1")), ROLES)


async def test_tokens_that_leave_no_room_for_a_prompt_are_refused() -> None:
    with serve() as server, pytest.raises(TeamError, match="leave no room .* max_model_len 32768"):
        await check_endpoints(config(server, answer_tokens=32768), ROLES)


async def test_api_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sesame")
    with serve() as server:
        await check_endpoints(config(server, api_key_env="SOME_KEY"), ROLES)
    assert {
        value
        for headers in server.headers
        for name, value in headers.items()
        if name.lower() == "authorization"
    } == {"Bearer sesame"}


def test_unbound_role_lists_the_bound_ones() -> None:
    with pytest.raises(TeamError, match="'reviewer' is unbound; bound: coder"):
        _ = Team({"coder": seat()[0]}).reviewer


def test_any_bound_role_has_a_seat() -> None:
    judge = seat()[0]
    team = Team({"coder": judge, "judge-2": judge})
    assert team["judge-2"] is judge
    with pytest.raises(TeamError, match="'judge-3' is unbound; bound: coder, judge-2"):
        _ = team["judge-3"]


async def test_calls_are_numbered_and_say_who_and_why() -> None:
    coder, calls = seat("a", "b")
    await coder.ask("write", HI, read=said)
    await coder.ask("fix", HI, read=said)
    assert [(call.number, call.step, call.role, call.task_id) for call in calls] == [
        (1, "write", "coder", "T/1"),
        (2, "fix", "coder", "T/1"),
    ]


async def test_a_failed_call_is_recorded_before_it_is_raised() -> None:
    coder, calls = seat(EndpointError("down"))
    with pytest.raises(EndpointError):
        await coder.ask("write", HI, read=said)
    assert calls[0].reply is None
    assert calls[0].error == "down"


async def test_thinking_needs_a_model_that_can() -> None:
    coder, calls = seat("a")
    await coder.ask("write", HI, read=said, thinking=True)
    thinker, thoughts = seat("a", budget=64)
    await thinker.ask("write", HI, read=said, thinking=True)
    assert (calls[0].request.thinking, thoughts[0].request.thinking) == (False, True)
    assert thoughts[0].request.max_tokens == 164


async def test_null_content_and_cuts_are_noted() -> None:
    coder, calls = seat(reply(None, finish_reason="length"), reply("x", finish_reason="repetition"))
    await coder.ask("write", HI, read=said)
    await coder.ask("write", HI, read=said)
    assert calls[0].notes == ("null-content", "cut")
    assert calls[1].notes == ("cut",)


async def ask_object(coder: Seat) -> Plan | None:
    def read(text: str | None) -> Plan | None:
        return said(text) if text == "good" else None

    return await coder.ask("review", HI, schema={}, read=read, repair="again", thinking=True)


async def test_a_reply_off_the_schema_is_repaired_within_its_call() -> None:
    coder, calls = seat("bad", "good")
    assert await ask_object(coder) == Plan(text="good")
    (call,) = calls
    assert call.notes == ("off-schema", "repaired")
    assert call.value == Value(kind="plan", data={"text": "good"})
    assert [attempt.kind for attempt in call.attempts] == ["chat", "repair"]
    assert call.attempts[0].content == "bad"
    assert call.usage.completion_tokens == 2


async def test_the_repair_sees_the_bad_reply_and_does_not_think() -> None:
    coder, _ = seat("bad", "good", budget=64)
    await ask_object(coder)
    assert isinstance(coder.chat, ScriptedChat)
    first, second = coder.chat.requests
    assert [message.content for message in second.messages] == ["hi", "bad", "again"]
    assert (first.thinking, second.thinking) == (True, False)


async def test_the_record_holds_what_the_repair_asked_whole() -> None:
    coder, calls = seat("bad", "good")
    await ask_object(coder)
    assert isinstance(coder.chat, ScriptedChat)
    assert [attempt.request for attempt in calls[0].attempts] == [None, coder.chat.requests[1]]


async def test_a_second_reply_off_the_schema_ends_the_matter() -> None:
    coder, calls = seat("bad", "worse")
    assert await ask_object(coder) is None
    assert (calls[0].notes, calls[0].value) == (("off-schema",), None)
    assert len(calls) == 1


async def test_a_repair_that_fails_keeps_the_first_attempt() -> None:
    coder, calls = seat("bad", EndpointError("down"))
    with pytest.raises(EndpointError):
        await ask_object(coder)
    assert [attempt.outcome for attempt in calls[0].attempts] == ["ok"]
    assert calls[0].attempts[0].content == "bad"


PROGRAM = Program(text="x = 1\n", compiles=True, defines_entry_point=False, how="block")


async def test_the_record_holds_the_program_and_those_that_it_is_about_by_their_checksums() -> None:
    coder, calls = seat("a", EndpointError("down"))
    other = PROGRAM.model_copy(update={"text": "x = 2\n"})
    assert await coder.ask("fix", HI, read=lambda _: PROGRAM, about=(other,)) == PROGRAM
    with pytest.raises(EndpointError):
        await coder.ask("fix", HI, read=lambda _: PROGRAM, about=(other,))
    done, failed = calls
    assert (done.program, done.about, done.programs) == (
        PROGRAM.checksum,
        (other.checksum,),
        (other, PROGRAM),
    )
    assert "x = " not in done.to_line()
    assert (failed.value, failed.about) == (None, (other.checksum,))


async def test_a_call_of_an_older_run_keeps_its_structured_answer() -> None:
    coder, calls = seat("a")
    await coder.ask("review", HI, read=said)
    line = calls[0].model_dump(mode="json", exclude={"value", "about"})
    revised = json.dumps(line | {"parsed": {"verdict": "revise", "findings": []}})
    assert Call.model_validate_json(revised).verdict == "revise"
    assert Call.model_validate_json(json.dumps(line | {"parsed": None})).value is None


class Broken(ScriptedChat):
    """A chat model of somebody's own, with a fault in it."""

    async def complete(self, request: Request) -> Reply:
        raise TypeError("create() got an unexpected keyword argument")


@pytest.mark.parametrize("structured", [False, True])
async def test_a_call_is_on_record_whatever_its_client_raises(structured: bool) -> None:
    calls: list[Call] = []
    whole = Seat("coder", Broken([]), PAPER, answer_tokens=100)
    coder = Team({"coder": whole}).for_task("T/1", calls.append).coder
    with pytest.raises(TypeError):
        await (ask_object(coder) if structured else coder.ask("write", HI, read=said))
    assert [call.error for call in calls] == ["TypeError: create() got an unexpected keyword argument"]


@pytest.mark.parametrize("answers", [["good"], ["bad", "good"]])
async def test_a_reply_is_on_record_with_its_tokens_whatever_its_reader_raises(answers: list[str]) -> None:
    def read(text: str | None) -> Plan | None:
        assert text != "good", "a fault of the reader"
        return None

    coder, calls = seat(*answers)
    with pytest.raises(AssertionError):
        await coder.ask("review", HI, schema={}, read=read, repair="again", about=(PROGRAM,))
    (call,) = calls
    assert (call.value, call.about) == (None, (PROGRAM.checksum,))
    assert str(call.error).startswith("AssertionError: a fault of the reader")
    assert call.usage.completion_tokens == len(answers)


GOOD_OBJECT = '{"n": 1}'


def read_n(text: str | None) -> Plan | None:
    return said("1") if text is not None and text.rstrip("` \n").endswith(GOOD_OBJECT) else None


@pytest.mark.parametrize("content", [None, "", "\n\n"])
@pytest.mark.parametrize("thought", [GOOD_OBJECT, f"Hm. {GOOD_OBJECT}\n", f"```json\n{GOOD_OBJECT}\n```"])
async def test_an_answer_that_stands_in_the_thoughts_field_is_read(content: str | None, thought: str) -> None:
    coder, calls = seat(reply(content, reasoning=thought))
    assert await coder.ask("review", HI, schema={}, read=read_n, repair="again") == said("1")
    assert "off-schema" not in calls[0].notes


@pytest.mark.parametrize(
    "first",
    [
        reply(None, reasoning=f"I might say {GOOD_OBJECT} but it is wrong"),
        reply(None, reasoning=GOOD_OBJECT, finish_reason="length"),
        reply("It is fine.", reasoning=GOOD_OBJECT),
    ],
)
async def test_a_thought_that_holds_no_answer_is_not_taken_for_one(first: Reply) -> None:
    coder, calls = seat(first, "nothing either")
    assert await coder.ask("review", HI, schema={}, read=read_n, repair="again") is None
    assert calls[0].notes[-1:] == ("off-schema",)


@pytest.mark.parametrize("content", [None, "", " \n", "<think>hm</think>"])
async def test_a_repair_sends_no_empty_turn(content: str | None) -> None:
    coder, _ = seat(content, "good")
    await ask_object(coder)
    assert isinstance(coder.chat, ScriptedChat)
    (asked,) = coder.chat.requests[1].messages
    assert (asked.role, asked.content) == ("user", "hi\n\nagain")


async def test_a_thought_is_no_answer_where_none_was_asked_to_be_an_object() -> None:
    coder, _ = seat(reply("", reasoning=GOOD_OBJECT))
    assert await coder.ask("write", HI, read=said) == said("")


def team_of(**chats: ScriptedChat) -> Team:
    return Team({role: Seat(role, chat, PAPER, answer_tokens=100) for role, chat in chats.items()})


async def test_the_seats_of_a_task_number_their_calls_together_and_each_task_from_1() -> None:
    chat = ScriptedChat(lambda _: "a")
    team = team_of(coder=chat, reviewer=chat)
    for task in ("T/1", "T/2"):
        calls = list[Call]()
        at_work = team.for_task(task, calls.append)
        for seat in (at_work.coder, at_work.reviewer, at_work.coder):
            await seat.ask("step", HI, read=said)
        assert [(call.task_id, call.number, call.role) for call in calls] == [
            (task, 1, "coder"), (task, 2, "reviewer"), (task, 3, "coder"),
        ]  # fmt: skip


async def test_a_step_may_lower_the_tokens_of_an_answer_and_never_raise_them() -> None:
    chat = ScriptedChat(lambda _: "a")
    coder = team_of(coder=chat).coder
    for wanted in (None, 7, 100, 5000):
        await coder.ask("step", HI, read=said, answer_tokens=wanted)
    assert [request.answer_tokens for request in chat.requests] == [100, 7, 100, 100]


async def test_draws_have_seeds_of_their_own_and_the_first_is_the_configured_one() -> None:
    chat = ScriptedChat(lambda _: "a")
    coder = team_of(coder=chat).coder
    for draw in (0, 1, 2, 1):
        await coder.ask("step", HI, read=said, draw=draw)
    first, second, third, again = (request.sampling for request in chat.requests)
    assert first == PAPER.plain
    assert len({each.seed for each in (first, second, third)}) == 3
    assert again == second


async def test_what_is_asked_when_a_task_ends_is_cancelled_and_nothing_more_is_asked() -> None:
    started = asyncio.Event()

    class Slow(ScriptedChat):
        async def complete(self, request: Request) -> Reply:
            self.requests.append(request)
            started.set()
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")

    chat, calls = Slow([]), list[Call]()
    team = team_of(coder=chat).for_task("T/1", calls.append)
    asking = asyncio.create_task(team.coder.ask("step", HI, read=said))
    await started.wait()
    team.end_task()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(asyncio.CancelledError, match="the task has ended"):
        await team.coder.ask("step", HI, read=said)
    assert (len(chat.requests), calls) == (1, [])


async def test_the_end_of_one_task_leaves_the_others_at_work() -> None:
    team = team_of(coder=ScriptedChat(["a"]))
    first, second = team.for_task("T/1", lambda _: None), team.for_task("T/2", lambda _: None)
    first.end_task()
    assert await second.coder.ask("step", HI, read=said) == Plan(text="a")


def test_a_model_behind_two_roles_is_one_model_and_stays_one() -> None:
    shared, other = ScriptedChat([], name="one"), ScriptedChat([], name="two")
    team = team_of(coder=shared, reviewer=shared, judge=other)
    assert team.chats == [shared, other]
    made = list[ScriptedChat]()

    def wrap(chat: ChatModel) -> ChatModel:
        made.append(ScriptedChat([], name=f"behind-{chat.name}"))
        return made[-1]

    behind = team.through(wrap)
    assert behind.chats == made
    assert [each.name for each in made] == ["behind-one", "behind-two"]
    assert behind.coder.chat is behind.reviewer.chat
    assert team.chats == [shared, other], "the team itself is as before"


def test_a_team_without_a_bench_says_so_and_one_at_work_has_its_own_roles_alone() -> None:
    team = team_of(coder=ScriptedChat([]), reviewer=ScriptedChat([]))
    with pytest.raises(TeamError, match="no bench to run programs on"):
        _ = team.bench
    bench = SandboxBench(ScriptedSandbox(lambda _: ended("died")))
    at_work = team.at_work(["reviewer"], bench)
    assert (list(at_work.seats), at_work.bench, at_work.has_bench) == (["reviewer"], bench, True)
    with pytest.raises(TeamError, match="'judge' is unbound; bound: coder, reviewer"):
        team.at_work(["judge"], bench)


@pytest.mark.parametrize(
    ("own", "served", "context"),
    [
        ({}, None, None),
        ({}, Served(model="m"), None),
        ({}, Served(model="m", max_model_len=8192), 8192),
        ({}, Served(model="m", max_model_len=8192, context=4096), 4096),
        ({"can": {"context": 2048}}, Served(model="m", context=4096), 2048),
    ],
)
async def test_a_seat_knows_the_context_that_its_server_tells(
    own: dict[str, Any], served: Served | None, context: int | None
) -> None:
    endpoint = Endpoint.model_validate({"base_url": "http://127.0.0.1:9/v1", "model": "m", **own})
    bound = TeamConfig(endpoints={"e": endpoint}, roles={"coder": "e"})
    team = build_team(bound, ["coder"], {"e": served} if served else None)
    assert team.coder.context == context
    await team.close()


async def test_an_opened_team_answers_from_its_ledger_what_was_asked_before(tmp_path: Path) -> None:
    with serve() as server:
        bound = config(server)
        served = await check_endpoints(bound, ROLES)
        asked: list[int] = []
        for ledger in (tmp_path, tmp_path, None):
            async with open_team(bound, ROLES, served, ledger=ledger, patience=7) as team:
                before = len(server.bodies)
                await team.coder.ask("write", HI, read=said)
                asked.append(len(server.bodies) - before)
        assert asked == [1, 0, 1]


async def test_an_opened_team_waits_for_lost_servers_if_it_is_to() -> None:
    with serve() as server:
        bound = config(server)
        served = await check_endpoints(bound, ROLES)
        for patience in (7, None):
            async with open_team(bound, ROLES, served, patience=patience) as team:
                [chat] = team.chats
                assert isinstance(chat, OpenAIChat)
                assert (chat.breaker and chat.breaker.patience) == patience
