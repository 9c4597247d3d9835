"""What a client gets: thoughts while the pair works, then the answer; every branch of the protocol."""

import asyncio
import json
from typing import Any, cast

import httpx
import openai
import pytest
from openai.types import Completion, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from starlette.responses import JSONResponse, StreamingResponse

from dualcode.gateway.catalogue import FLOWS
from dualcode.pipelines import builtins
from tests.gateway.conftest import House, Opened
from tests.gateway.replies import FORMS, NAMED, SEARCH
from tests.gateway.upstream import APPROVAL, DROP, FINDING, REVISION, Upstream

pytestmark = pytest.mark.asyncio(loop_scope="session")
ASK: list[Any] = [{"role": "user", "content": "Let add in my module calc.py return the sum, please."}]
DRAFT = "Sure.\n\n```python\ndef add(a, b):\n    return a - b\n```\n\nDone."
FIXED = "```python\ndef add(a, b):\n    return a + b\n```"
AMENDED = DRAFT.replace("a - b", "a + b")
STUB = 'def double(n: int) -> int:\n    """Return twice n.\n\n    >>> double(2)\n    4\n    """\n'


def pair(house: House, *, review: Any = REVISION, fix: Any = FIXED, write: Any = DRAFT) -> Upstream:
    house.upstream.on(write=write, review=review, fix=fix)
    return house.upstream


class Heard:
    """A stream, taken apart and held to openai's own types."""

    def __init__(self) -> None:
        self.thought = self.content = ""
        self.finish: list[str] = []
        self.usage: list[Any] = []
        self.summary: dict[str, Any] = {}
        self.order: list[str] = []

    async def take(self, stream: openai.AsyncStream[ChatCompletionChunk]) -> "Heard":
        async for chunk in stream:
            strict(ChatCompletionChunk, chunk.model_dump(exclude_unset=True))
            self.usage += [chunk.usage] if chunk.usage else []
            self.summary |= (chunk.model_extra or {}).get("dualcode", {})
            for choice in chunk.choices:
                extra = choice.delta.model_extra or {}
                assert extra.get("reasoning") == extra.get("reasoning_content")
                self.thought += extra.get("reasoning") or ""
                self.content += choice.delta.content or ""
                self.order += ["thought"] * bool(extra.get("reasoning")) + ["content"] * bool(
                    choice.delta.content
                )
                self.finish += [choice.finish_reason] if choice.finish_reason else []
        return self


def strict(kind: Any, value: dict[str, Any]) -> None:
    kind.model_validate(value, strict=True)


async def streamed(house: House, model: str = "dualcode/review-fix", **more: Any) -> Heard:
    stream = await house.create(model=model, messages=ASK, stream=True, **more)
    return await Heard().take(stream)


async def whole(house: House, model: str = "dualcode/review-fix", **more: Any) -> ChatCompletion:
    answer = await house.create(**{"model": model, "messages": ASK, **more})
    strict(ChatCompletion, answer.model_dump(exclude_unset=True))
    return answer


def summary(answer: ChatCompletion) -> dict[str, Any]:
    return (answer.model_extra or {})["dualcode"]


async def test_the_work_is_told_as_thoughts_and_the_answer_follows(house: Opened) -> None:
    async with house() as home:
        pair(home)
        heard = await streamed(home, stream_options={"include_usage": True})
    for step in ("Drafting", "a - b", "Reviewing", "add: it gives 0 for 1, 2 Expected: 3", "Correcting"):
        assert step in heard.thought
    assert heard.content == AMENDED
    assert heard.order == sorted(heard.order, reverse=True)
    assert heard.finish == ["stop"]
    [usage] = heard.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (21, 9, 30)
    assert (heard.summary["path"], heard.summary["amended"]) == ("pair", True)
    assert heard.summary["findings"] == [FINDING]


async def test_no_tokens_are_told_that_nobody_asked_for(house: Opened) -> None:
    async with house() as home:
        pair(home)
        assert (await streamed(home)).usage == []


async def test_tokens_that_a_server_does_not_tell_are_unknown_and_not_zero(house: Opened) -> None:
    async with house() as home:
        pair(home).usage = None
        assert (await whole(home)).usage is None
        assert (await home.kept())[0].money is None


async def test_an_approved_draft_stands_and_costs_no_correction(house: Opened) -> None:
    async with house() as home:
        upstream = pair(home, review=APPROVAL)
        answer = await whole(home)
        assert upstream.steps() == ["write", "review"]
    assert answer.choices[0].message.content == DRAFT
    assert summary(answer)["amended"] is False


async def test_the_messages_reach_the_coder_as_they_are_and_the_correction_continues_them(
    house: Opened,
) -> None:
    turns = [
        {"role": "developer", "content": "Answer in Python."},
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "Here is calc.py"},
        {"role": "system", "content": "Keep the format."},
    ]
    async with house() as home:
        upstream = pair(home)
        await whole(
            home, messages=turns, temperature=0.5, seed=7, max_tokens=99, extra_body={"frobnicate": 1}
        )
        [write], [review], [fix] = (upstream.bodies(step) for step in ("write", "review", "fix"))
    said = [
        {"role": "system", "content": "Answer in Python."},
        {"role": "user", "content": "one\ntwo"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "Here is calc.py\n\nKeep the format."},
    ]
    assert write["messages"] == said
    assert fix["messages"][:5] == [*said, {"role": "assistant", "content": DRAFT}]
    assert (write["temperature"], write["seed"], write["max_tokens"]) == (0.5, 7, 99)
    assert (review["temperature"], review["max_tokens"]) == (0.0, 1024)
    assert "Keep the format." in review["messages"][1]["content"]


@pytest.mark.parametrize("form", FORMS)
async def test_each_form_of_edits_is_amended_in_its_own_form(house: Opened, form: str) -> None:
    async with house() as home:
        pair(home, write=FORMS[form].draft, fix=FORMS[form].right)
        answer = await whole(home)
    assert summary(answer)["amended"] is True
    assert "a + b" in (answer.choices[0].message.content or "")


@pytest.mark.parametrize("form", FORMS)
async def test_a_correction_that_loses_the_form_is_refused_and_the_draft_stands(
    house: Opened, form: str
) -> None:
    wrong = next(iter(FORMS[form].wrong.values()))
    async with house() as home:
        upstream = pair(home, write=FORMS[form].draft, fix=wrong)
        answer = await whole(home)
        guarded = await whole(home, "dualcode/review-fix-guarded")
        assert upstream.steps().count("fix") == 1 + 2
        assert "A first correction was refused" in upstream.bodies("fix")[-1]["messages"][-1]["content"]
    for each in (answer, guarded):
        assert each.choices[0].message.content == FORMS[form].draft.strip("\n")
        assert summary(each)["refused"]
        assert summary(each)["amended"] is False


async def test_a_fact_of_the_compiler_reaches_the_reviewer_and_other_languages_are_said_unchecked(
    house: Opened,
) -> None:
    async with house() as home:
        upstream = pair(home, write=NAMED.replace("return a - b", "return a -"), review=APPROVAL)
        answer = await whole(home)
        shown = upstream.bodies("review")[0]["messages"][1]["content"]
    assert "`calc.py` does not compile: invalid syntax" in shown
    assert summary(answer)["unchecked"] == ["`web/app.js` (javascript)"]


async def test_an_answer_without_code_is_not_reviewed(house: Opened) -> None:
    async with house() as home:
        upstream = pair(home, write="A monad is a monoid in the category of endofunctors.")
        answer = await whole(home)
        raw = await home.raw(model="review-fix", messages=ASK)
        assert upstream.steps() == ["write", "write"]
    assert raw.headers["x-dualcode-path"] == "alone"
    assert (summary(answer)["path"], summary(answer)["amended"]) == ("alone", None)


async def test_a_draft_that_was_cut_off_is_handed_over_as_such(house: Opened) -> None:
    async with house() as home:
        pair(home).finish = "length"
        answer = await whole(home)
        assert home.upstream.steps() == ["write"]
    assert answer.choices[0].finish_reason == "length"
    assert "cut off" in summary(answer)["notes"][0]


@pytest.mark.parametrize("review", ["no object at all", '{"verdict": "approve", "findings": [1]}'])
async def test_a_review_that_cannot_be_read_is_no_approval(house: Opened, review: str) -> None:
    async with house() as home:
        pair(home, review=review)
        home.upstream.on(repair=review)
        answer = await whole(home)
        assert (await home.kept())[0].unread == 1
    assert summary(answer)["amended"] is None
    assert answer.choices[0].message.content == DRAFT


@pytest.mark.parametrize("step", ["review", "fix"])
async def test_a_server_that_is_lost_after_the_draft_leaves_the_draft(house: Opened, step: str) -> None:
    async with house() as home:
        pair(home, **{step: ["{", DROP]})
        answer = await whole(home)
        heard = await streamed(home)
    assert answer.choices[0].message.content == heard.content == DRAFT
    assert "the draft stands" in summary(answer)["notes"][0]


async def test_a_server_that_is_lost_in_the_draft_is_asked_again_and_the_client_sees_one_answer(
    house: Opened,
) -> None:
    async with house(attempts=2) as home:
        lost = iter([[DRAFT[:20], DROP], [DRAFT], [DRAFT[:20], DROP], [DRAFT[:9], DRAFT[9:]]])
        pair(home, review=APPROVAL).answer("write", lambda _: next(lost))
        assert (await streamed(home)).content == DRAFT
        assert (await streamed(home, "dualcode/review-fix:stream")).content == DRAFT


async def test_a_live_draft_that_comes_out_otherwise_the_second_time_is_an_error(house: Opened) -> None:
    async with house(attempts=2) as home:
        lost = iter([["one thing", DROP], ["another thing"]])
        pair(home).answer("write", lambda _: next(lost))
        with pytest.raises(openai.APIError, match="was lost in mid-answer"):
            await streamed(home, "dualcode/review-fix:stream")


async def test_a_server_that_is_lost_before_a_draft_is_an_error_of_the_protocol(house: Opened) -> None:
    async with house() as home:
        pair(home, write=["x", DROP])
        with pytest.raises(openai.InternalServerError) as met:
            await whole(home)
        with pytest.raises(openai.APIError, match="connection lost"):
            await streamed(home)
        assert met.value.status_code == 503
        assert met.value.response.headers["retry-after"]
        assert (met.value.code, met.value.type) == ("upstream_lost", "upstream_error")
        assert [each.outcome for each in await home.kept()] == ["errored", "errored"]
        pair(home)
        assert (await whole(home)).choices[0].message.content == AMENDED


async def test_a_conversation_beyond_the_context_is_the_clients_to_shorten(house: Opened) -> None:
    too_long = JSONResponse({"error": {"message": "maximum context length is 4096"}}, 400)
    async with house() as home:
        pair(home, write=too_long)
        with pytest.raises(openai.BadRequestError) as met:
            await whole(home)
    assert met.value.code == "context_length_exceeded"


async def test_a_live_draft_is_handed_over_before_its_review_and_amended_after(house: Opened) -> None:
    async with house() as home:
        review, seen = asyncio.Event(), asyncio.Event()
        pair(home, review=[review, REVISION])
        stream = await home.create(model="dualcode/review-fix:stream", messages=ASK, stream=True)
        content = ""
        async for chunk in stream:
            for choice in chunk.choices:
                content += choice.delta.content or ""
            if content == DRAFT and not seen.is_set():
                seen.set()
                review.set()
    assert seen.is_set()
    assert content.startswith(f"{DRAFT}\n\n---\nAmended after the review:\n1. add: it gives 0")
    assert content.endswith(AMENDED)


async def test_live_edits_are_not_given_twice(house: Opened) -> None:
    async with house() as home:
        pair(home, write=SEARCH, fix=FORMS["search/replace"].right)
        heard = await streamed(home, "dualcode/review-fix:stream")
    assert heard.content.count("<<<<<<< SEARCH") == SEARCH.count("<<<<<<< SEARCH")
    assert "would apply twice" in heard.content


async def test_a_thought_in_the_answer_is_told_as_one_and_is_no_part_of_it(house: Opened) -> None:
    async with house() as home:
        pair(home, write=["<thi", "nk>hm, a - b?</th", "ink>\n", DRAFT], review=APPROVAL)
        for model in ("dualcode/review-fix:stream", "dualcode/review-fix"):
            heard = await streamed(home, model)
            assert heard.content == DRAFT
            assert "hm, a - b?" in heard.thought


async def test_stop_sequences_end_the_answer_wherever_the_pieces_break(house: Opened) -> None:
    async with house() as home:
        pair(home, write=[*DRAFT], review=APPROVAL)
        for model in ("dualcode/review-fix:stream", "dualcode/review-fix"):
            heard = await streamed(home, model, stop=["\n\nDone", "never"])
            assert heard.content == DRAFT.removesuffix("\n\nDone.")
            assert heard.finish == ["stop"]


async def test_one_function_runs_a_pipeline_as_it_is_measured(house: Opened) -> None:
    program = "def double(n: int) -> int:\n    return n + n"
    async with house() as home:
        upstream = pair(home, write=f"```python\n{program}\n```", review=APPROVAL)
        for prompt in (STUB, f"Complete this:\n```python\n{STUB}```"):
            answer = await whole(home, messages=[{"role": "user", "content": prompt}])
            assert answer.choices[0].message.content == f"```python\n{program}\n```"
            assert summary(answer)["path"] == "function"
        assert (
            "Write a Python program that solves this problem."
            in upstream.bodies("write")[0]["messages"][1]["content"]
        )


@pytest.mark.parametrize("name", [name for name in builtins() if name not in ("raw-coder", "raw-planner")])
async def test_every_pipeline_can_be_asked_for_a_function_and_says_what_it_cannot(
    house: Opened, name: str
) -> None:
    async with house() as home:
        home.upstream.scripts = {}
        pair(home, write="```python\ndef double(n):\n    return 2 * n\n```", review=APPROVAL, fix="no")
        home.upstream.on(plan="Double it.", alone="{}")
        answer = await whole(home, f"dualcode/{name}", messages=[{"role": "user", "content": STUB}])
        assert "return 2 * n" in (answer.choices[0].message.content or "")
        if name in FLOWS:
            assert (await whole(home, f"dualcode/{name}")).choices[0].message.content
        else:
            with pytest.raises(openai.BadRequestError, match="works on one Python function"):
                await whole(home, f"dualcode/{name}")


async def test_plan_code_hands_the_plan_to_the_coder(house: Opened) -> None:
    async with house() as home:
        upstream = pair(home)
        upstream.on(plan="Add the numbers.")
        answer = await whole(home, "plan-code")
        assert upstream.steps() == ["plan", "write"]
        assert "Add the numbers." in upstream.bodies("write")[0]["messages"][-1]["content"]
    assert answer.choices[0].message.content == DRAFT


TOOL = {"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}
CALLED = {"index": 0, "id": "1", "type": "function", "function": {"name": "read", "arguments": "{}"}}


async def test_a_request_with_tools_goes_to_the_coder_alone_and_says_so(house: Opened) -> None:
    async with house() as home:
        home.upstream.on(alone=[{"reasoning": "hm"}, {"tool_calls": [CALLED]}])
        raw = await home.raw(
            model="dualcode/review-fix",
            messages=ASK,
            stream=True,
            tools=[TOOL],
        )
        calls, thoughts = list[Any](), list[object]()
        async for chunk in raw.parse():
            strict(ChatCompletionChunk, chunk.model_dump(exclude_unset=True))
            assert chunk.model == "dualcode/review-fix"
            assert chunk.usage is None
            for choice in chunk.choices:
                calls += choice.delta.tool_calls or []
                thoughts.append(getattr(choice.delta, "reasoning_content", None))
        [body] = home.upstream.bodies("alone")
    assert (raw.headers["x-dualcode-path"], raw.headers["x-dualcode-reason"]) == ("alone", "tools")
    assert [call.function.name for call in calls] == ["read"]
    assert "hm" in thoughts
    assert (body["model"], body["tools"], body["max_tokens"]) == ("m", [TOOL], 2048)


async def test_a_server_that_takes_no_tools_is_asked_without_them(house: Opened) -> None:
    def script(body: dict[str, Any]) -> Any:
        refusal = {"error": {"message": '"auto" tool choice requires --enable-auto-tool-choice'}}
        return JSONResponse(refusal, 400) if "tools" in body else "in words"

    async with house() as home:
        home.upstream.on(alone=script)
        for _ in range(2):
            raw = await home.raw(
                model="dualcode/review-fix",
                messages=ASK,
                tools=[TOOL],
                tool_choice="auto",
            )
            assert raw.parse().choices[0].message.content == "in words"
            assert "does not take" in raw.headers["x-dualcode-reason"]
        assert home.upstream.steps() == ["alone"] * 3


SIDE = [
    {"messages": [{"role": "user", "content": "### Task:\nGenerate a concise, 3-5 word title."}]},
    {"messages": [{"role": "system", "content": "Write a concise git commit message."}, *ASK]},
    {"messages": [{"role": "user", "content": "*Briefly* summarize this partial conversation about x."}]},
    {"messages": [{"role": "user", "content": "Suggest 3-5 relevant follow-up questions."}]},
    {"max_tokens": 20},
    {"response_format": {"type": "json_object"}},
    {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]}]},
    {"model": "dualcode/raw-coder"},
    {"model": "raw-planner", "n": 2, "logprobs": True},
]  # fmt: skip


@pytest.mark.parametrize("asked", SIDE)
async def test_what_is_no_coding_task_goes_to_one_model_alone(house: Opened, asked: dict[str, Any]) -> None:
    async with house() as home:
        home.upstream.on(alone="A title")
        answer = await home.create(**{"model": "dualcode/review-fix", "messages": ASK, **asked})
        strict(ChatCompletion, answer.model_dump(exclude_unset=True))
        assert home.upstream.steps() == ["alone"]
        assert answer.choices[0].message.content == "A title"
        [kept] = await home.kept()
    assert (kept.amended, kept.calls, kept.usage.completion_tokens) == (None, 1, 3)


CODE = [
    "Write a function that generates a title from a text.",
    "Add a method to summarize this log file.",
    "Write a script to create tags in the database.",
    "Fix the bug in make_title() in app.py",
]


@pytest.mark.parametrize("said", CODE)
async def test_code_about_titles_and_tags_is_a_coding_task(house: Opened, said: str) -> None:
    async with house() as home:
        pair(home)
        await whole(home, messages=[{"role": "user", "content": said}])
        assert home.upstream.steps() == ["write", "review", "fix"]


@pytest.mark.parametrize(
    ("asked", "param"),
    [({"n": 2}, "n"), ({"logprobs": True}, "logprobs"), ({"modalities": ["text", "audio"]}, "audio")],
)
async def test_what_several_calls_cannot_give_is_refused_by_name(
    house: Opened, asked: dict[str, Any], param: str
) -> None:
    async with house() as home:
        with pytest.raises(openai.BadRequestError, match="dualcode/raw-coder") as met:
            await whole(home, **asked)
    assert (met.value.param, met.value.code) == (param, "unsupported_parameter")


async def test_a_refusal_of_the_server_comes_back_in_its_words_and_openais_shape(house: Opened) -> None:
    refusal = JSONResponse({"detail": [{"loc": ["body", "best_of"], "msg": "too many"}]}, 422)
    async with house() as home:
        home.upstream.on(alone=refusal)
        for stream in (False, True):
            with pytest.raises(openai.UnprocessableEntityError, match="best_of: too many"):
                await home.create(model="dualcode/raw-coder", messages=ASK, stream=stream)
        home.upstream.on(alone=JSONResponse({"error": "no key sk-12345678901234567890"}, 401))
        with pytest.raises(openai.InternalServerError, match="refuses the gateway's key") as met:
            await whole(home, "raw-coder")
        assert "sk-123" not in str(met.value)


async def test_one_model_alone_that_is_lost_in_mid_answer_is_an_error(house: Opened) -> None:
    async with house() as home:
        home.upstream.on(alone=["half", DROP])
        with pytest.raises((openai.APIError, httpx.HTTPError), match="lost"):
            await streamed(home, "raw-coder")


TOLD = [  # vLLM's form, llama.cpp's line, a code without a form, and one that says when
    ('data: {"error": {"message": "the queue is full", "code": 503}}', 503, 2),
    ('error: {"code": 503, "message": "the queue is full", "type": "unavailable_error"}', 503, 2),
    ('data: {"error": {"message": "slow down", "code": "429", "retry_after": 7}}', 503, 7),
    ('data: {"error": {"message": "broken", "code": 500}}', 502, 2),
    ('data: {"error": "broken"}', 502, 2),
]
"""An error that a server tells within its stream; the status, and seconds after which one may come back."""


@pytest.mark.parametrize(("line", "status", "after"), TOLD)
async def test_an_error_before_the_first_event_is_a_status_with_retry_after(
    house: Opened, line: str, status: int, after: int
) -> None:
    async with house() as home:
        home.upstream.on(alone=StreamingResponse(iter([f": hello\n\ndata\n\ndata:\n\n{line}\n\n"])))
        with pytest.raises(openai.APIStatusError) as met:
            await streamed(home, "raw-coder")
        assert (met.value.status_code, met.value.response.headers["retry-after"]) == (status, str(after))
        assert set(cast("dict[str, Any]", met.value.body)) == {"message", "type", "param", "code"}
        assert [each.outcome for each in await home.kept()] == ["errored"]


@pytest.mark.parametrize(("line", "status", "after"), TOLD)
async def test_an_error_within_a_stream_ends_it_and_names_the_seconds(
    house: Opened, line: str, status: int, after: int
) -> None:
    choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": None}
    said = json.dumps({"id": "u", "object": "chat.completion.chunk", "choices": [choice]})
    async with house() as home:
        home.upstream.on(alone=StreamingResponse(iter([f"data: {said}\n\n{line}\n\ndata: [DONE]\n\n"])))
        async with httpx.AsyncClient(verify=False) as client:
            body = {"model": "raw-coder", "messages": ASK, "stream": True}
            answer = await client.post(f"{home.url}/v1/chat/completions", json=body)
        _, last, nothing = answer.text.split("\n\n")
        told = json.loads(last.removeprefix("data: "))["error"]
        assert (answer.status_code, nothing, told["retry_after"]) == (200, "", after)
        assert [each.outcome for each in await home.kept()] == ["errored"]
        home.upstream.on(alone=StreamingResponse(iter([f"data: {said}\n\n{line}\n\n"])))
        with pytest.raises(openai.APIError) as met:
            await streamed(home, "raw-coder")
        assert cast("dict[str, Any]", met.value.body)["retry_after"] == after


async def test_a_pair_that_loses_its_server_names_the_seconds_within_its_stream(house: Opened) -> None:
    async with house() as home:
        pair(home, write=["x", DROP])
        with pytest.raises(openai.APIError) as met:
            await streamed(home)
        assert cast("dict[str, Any]", met.value.body)["retry_after"] == 5


async def test_completions_fill_in_the_middle_with_the_coder(house: Opened) -> None:
    async with house() as home:
        home.upstream.on(alone=" a + b")
        asked: dict[str, Any] = {
            "model": "review-fix",
            "prompt": "def add(a, b):\n    return",
            "suffix": "\n",
        }
        create: Any = home.client.completions.create
        answer = await create(**asked)
        strict(Completion, answer.model_dump(exclude_unset=True))
        assert answer.choices[0].text == " a + b"
        stream = await create(**asked, stream=True)
        assert "".join([each.text async for chunk in stream for each in chunk.choices]) == " a + b"
        assert home.upstream.bodies("alone")[0]["suffix"] == "\n"


async def test_models_are_listed_with_their_calls_roles_and_context(house: Opened) -> None:
    async with house() as home:
        listed = {each.id: each async for each in home.client.models.list()}
        one = await home.client.models.retrieve("dualcode/review-fix")
    for each in listed.values():
        strict(Model, each.model_dump())
    assert {"dualcode/raw-coder", "dualcode/raw-planner", "dualcode/review-fix:stream"} <= set(listed)
    assert {f"dualcode/{name}" for name in builtins()} <= set(listed)
    card = listed["dualcode/review-fix"].model_extra or {}
    assert card == one.model_extra
    assert card["max_model_len"] == 8192 - 768
    assert card["dualcode"]["calls"] == [2, 3]
    assert card["dualcode"]["roles"] == {"coder": "m", "reviewer": "m"}


async def test_a_piece_of_work_is_on_record_as_a_measured_runs_calls_are(house: Opened) -> None:
    async with house(keep_calls=True) as home:
        pair(home)
        await whole(home)
        [kept] = await home.kept()
    assert (kept.pipeline, kept.amended, kept.findings.untried, kept.calls) == ("review-fix", True, 1, 3)
    assert kept.money == {"$": pytest.approx((21 + 2 * 9) / 1e6)}
    assert [call.step for call in kept.exchanges] == ["write", "review", "fix"]
    assert kept.exchanges[1].verdict == "revise"


async def test_a_long_silence_is_filled_with_comments(house: Opened) -> None:
    async with house(keep_alive=0.01) as home:
        for model, step in (("review-fix", "review"), ("raw-coder", "alone")):
            gate = asyncio.Event()
            pair(home)
            home.upstream.on(**{step: [gate, APPROVAL]})
            asked = {"model": model, "messages": ASK, "stream": True}
            async with (
                httpx.AsyncClient() as client,
                client.stream("POST", f"{home.url}/v1/chat/completions", json=asked) as answer,
            ):
                lines = list[str]()
                async for line in answer.aiter_lines():
                    lines.append(line)
                    if line == ": working":
                        gate.set()
        assert lines[-2:] == ["data: [DONE]", ""]
    assert json.loads(lines[-4].removeprefix("data: "))["choices"]
