"""Which way a request goes, and what of its roles the pair takes."""

from typing import Any

import pytest

from dualcode.call import Message
from dualcode.config import Endpoint, TeamConfig
from dualcode.gateway.catalogue import FLOWS, Catalogue
from dualcode.gateway.protocol import ChatRequest, RefusedError, conversation
from dualcode.gateway.routing import function_in, route
from dualcode.models.endpoints import Served
from dualcode.pipelines import builtins
from dualcode.sampling import PAPER, RECOMMENDED

STUB = 'import math\n\ndef total(of: list[int]) -> int:\n    """Sum.\n\n    >>> total([1])\n    1\n    """\n'
MBPP = '"""\nWrite a function to add two numbers.\nassert add(1, 2) == 3\n"""\n'
CONFIG = TeamConfig(
    endpoints={
        "big": Endpoint(model="large", base_url="http://127.0.0.1:1/v1"),
        "small": Endpoint(model="little", base_url="http://127.0.0.1:2/v1"),
    },
    roles={"coder": "small", "reviewer": "big"},
)
SERVED = {
    "big": Served(model="large", max_model_len=16384),
    "small": Served(model="little", max_model_len=4096),
}


def catalogue(config: TeamConfig = CONFIG, served: dict[str, Served] = SERVED) -> Catalogue:
    return Catalogue(config, served, list(builtins().values()))


def user(*texts: str) -> tuple[Message, ...]:
    return tuple(Message(role="user", content=text) for text in texts)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (STUB, "total"),
        (f"```python\n{STUB}```", "total"),
        (f"Complete the following function:\n```python\n{STUB}```\nAnswer with code.", "total"),
        (f"```\n{STUB}\n```", "total"),
        (MBPP, "add"),
        (f"```python\n{MBPP}```", "add"),
        (f"import math\n\ndef help_me(x):\n    return x\n\n{STUB}", "total"),
    ],
)
def test_a_function_to_be_written_is_a_task(text: str, name: str) -> None:
    task = function_in(user(text))
    assert task is not None
    assert task.entry_point == name
    assert "```" not in task.prompt


@pytest.mark.parametrize(
    "text",
    [
        "Write a function that adds two numbers.",
        f"{'Some words on my project. ' * 12}\n```python\n{STUB}```",
        f"calc.py\n```python\n{STUB}```\nb.py\n```python\nx = 1\n```",
        "def add(a, b):\n    return a - b\n",
        "def add(a, b):\n    pass\n",
        '"""Write something."""',
        "x = 1",
        "def broken(:\n",
        "```js\nfunction add(a, b) {}\n```",
    ],
)
def test_anything_else_is_a_conversation(text: str) -> None:
    assert function_in(user(text)) is None


def test_a_conversation_or_an_editors_rules_around_a_function_make_it_none() -> None:
    [asked] = user(STUB)
    rules = Message(role="system", content="Answer with whole files. " * 20)
    short = Message(role="system", content="You are a helpful assistant.")
    assert function_in((rules, asked)) is None
    assert function_in((*user("hi"), Message(role="assistant", content="yes?"), asked)) is None
    assert function_in((short, asked)) is not None


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"seed": 1}, "function"),
        ({"max_tokens": 100}, "pair"),
        ({"max_tokens": 64}, "alone"),
        ({"tools": [{"type": "function"}]}, "alone"),
    ],
)
def test_a_function_that_may_not_be_long_enough_is_asked_of_the_pair(
    asked: dict[str, Any], path: str
) -> None:
    request = ChatRequest(model="m", messages=[{"role": "user", "content": STUB}], **asked)  # pyright: ignore[reportArgumentType]
    assert route(request, catalogue().choose("review-fix")).path == path


def test_a_live_draft_is_always_the_pairs() -> None:
    request = ChatRequest(model="m", messages=[{"role": "user", "content": STUB}])  # pyright: ignore[reportArgumentType]
    assert route(request, catalogue().choose("review-fix:stream")).path == "pair"


@pytest.mark.parametrize(
    ("roles", "found"),
    [
        (["user"], ["user"]),
        (["system", "user"], ["system", "user"]),
        (["developer", "system", "user"], ["system", "user"]),
        (["user", "user"], ["user"]),
        (["user", "assistant", "user", "system"], ["user", "assistant", "user"]),
        (["user", "assistant", "system", "user"], ["user", "assistant", "user"]),
        (["user", "assistant", "assistant", "user"], ["user", "assistant", "user"]),
    ],
)
def test_roles_become_what_any_chat_template_takes(roles: list[str], found: list[str]) -> None:
    messages: Any = [{"role": role, "content": f"{role} {n}"} for n, role in enumerate(roles)]
    turns = conversation(ChatRequest(model="m", messages=messages))
    assert [turn.role for turn in turns] == found
    said = " ".join(turn.content for turn in turns)
    assert all(str(each["content"]) in said for each in messages)


@pytest.mark.parametrize(
    "roles", [["assistant"], ["system"], ["user", "assistant"], ["assistant", "user"], ["user", "tool"]]
)
def test_roles_that_are_out_of_order_are_refused(roles: list[str]) -> None:
    messages: Any = [{"role": role, "content": "x"} for role in roles]
    with pytest.raises(RefusedError) as met:
        conversation(ChatRequest(model="m", messages=messages))
    assert (met.value.status, met.value.param) == (400, "messages")


def test_what_the_client_samples_with_replaces_the_teams_values_and_nothing_else() -> None:
    request = ChatRequest(model="m", messages=[{"role": "user"}], temperature=0.0, top_k=-1, seed=7)  # pyright: ignore[reportArgumentType]
    found = request.sampled(RECOMMENDED)
    for before, after in ((RECOMMENDED.plain, found.plain), (RECOMMENDED.thinking, found.thinking)):
        assert after == before.model_copy(update={"temperature": 0.0, "top_k": 0, "seed": 7})
    plain = ChatRequest(model="m", messages=[{"role": "user"}])  # pyright: ignore[reportArgumentType]
    assert plain.sampled(PAPER) == PAPER


def test_the_context_is_that_of_the_smaller_server_less_what_a_review_adds() -> None:
    cards: dict[str, Any] = {card.id: card.model_dump() for card in catalogue().listed()}
    assert cards["dualcode/review-fix"]["max_model_len"] == 4096 - 768
    assert cards["dualcode/raw-coder"]["max_model_len"] == 4096
    assert cards["dualcode/raw-planner"]["max_model_len"] == 16384
    assert cards["dualcode/review-fix"]["dualcode"]["roles"] == {"coder": "little", "reviewer": "large"}
    unknown: dict[str, Any] = catalogue(served={}).card(catalogue().choose("review-fix")).model_dump()
    assert unknown["max_model_len"] is None


def test_a_team_of_a_coder_alone_serves_what_needs_no_reviewer() -> None:
    lone = CONFIG.model_copy(update={"roles": {"coder": "small"}})
    names = {choice.name for choice in catalogue(lone)}
    assert names == {"raw-coder", "self-review", "best-of-k", "raw-retry"}
    with pytest.raises(RefusedError, match="no model is named"):
        catalogue(lone).choose("review-fix")


def test_every_flow_is_a_pipeline_with_the_same_roles() -> None:
    for name, flow in FLOWS.items():
        used = {role for role in (flow.writer, flow.critic, flow.planner) if role}
        assert used == set(builtins()[name].roles)
