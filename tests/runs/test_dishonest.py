"""The audit against pipelines that cheat, and against honest ones that look a little like it."""

from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from dualcode.call import Message, Request
from dualcode.cli.printing import audited as told
from dualcode.extraction import extract
from dualcode.pipelines import Solve, builtins
from dualcode.runs.audit import UNSEEN, Audit, scattered
from dualcode.sampling import PAPER
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.sandbox import Sandbox
from dualcode.solution import Program
from dualcode.steps import write
from dualcode.steps.conversation import writing
from dualcode.task import Task
from dualcode.team import Team
from tests.runs.dishonest import DISHONEST, OTHER, TASK, audited, shows


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox(workers=1) as opened:
        yield opened


@pytest.mark.parametrize("name", DISHONEST)
async def test_a_pipeline_that_cheats_is_found_or_told_of(name: str, sandbox: Sandbox) -> None:
    solve, caught = DISHONEST[name]
    found = await audited(solve, sandbox)
    assert bool(found.leaks) == (caught == "leak"), found.leaks
    assert found.clean == (caught != "leak")
    if caught == "unasked":
        assert found.unasked == (TASK.id,)
        assert "no model wrote 1 of the solutions: T/1" in told(found)
    if caught == "unexplained":
        assert found.unexplained > 0
        assert "words of no known source" in told(found)
    if caught == "unseen":
        assert all(each in told(found, every=True) for each in UNSEEN)


def test_there_are_dishonest_pipelines_of_every_kind() -> None:
    assert {caught for _, caught in DISHONEST.values()} == {"leak", "unasked", "unexplained", "unseen"}
    assert len(DISHONEST) >= 35


@pytest.mark.parametrize("name", builtins())
async def test_a_built_in_pipeline_is_clean_and_every_word_of_it_has_a_source(
    name: str, sandbox: Sandbox
) -> None:
    found = await audited(builtins()[name], sandbox, tasks=(TASK, OTHER))
    assert (found.leaks, found.unasked, found.unexplained) == ((), (), 0)
    assert found.requests >= 2


NUMBERS = "Lists may be long, such as [5, 6, 7, 8]; answer with True or False in no case."
ADVICE = (
    "You have written Python for thirty years. Before you write, say to yourself which inputs are empty,"
    " which are negative, and which repeat. Take each example of the specification through your program."
)


async def test_a_drop_in_may_have_long_texts_of_its_own(sandbox: Sandbox) -> None:
    found = await audited(shows(ADVICE), sandbox, source=f"ADVICE = {ADVICE!r}", tasks=(TASK, OTHER))
    assert found.clean
    assert found.unexplained == 0


async def test_text_of_an_unknown_source_is_counted_and_no_finding(sandbox: Sandbox) -> None:
    found = await audited(shows(ADVICE), sandbox)
    assert found.clean
    assert found.unexplained == 1
    assert 15 < found.unexplained_words <= len(ADVICE.split())


async def test_a_short_list_in_a_constant_that_all_tasks_are_shown_is_chance(sandbox: Sandbox) -> None:
    found = await audited(shows(NUMBERS), sandbox, source=f"TEXT = {NUMBERS!r}", tasks=(TASK, OTHER))
    assert found.clean
    assert found.by_chance == 1
    assert "taken for chance" in told(found)


def only_for(task_id: str, text: str) -> Solve:
    async def solve(task: Task, team: Team) -> Program:
        return await shows(text if task.id == task_id else "Good luck.")(task, team)

    return solve


async def test_a_short_list_in_a_constant_that_one_task_alone_is_shown_is_a_leak(sandbox: Sandbox) -> None:
    solve = only_for(TASK.id, NUMBERS)
    found = await audited(solve, sandbox, source=f"TEXT = {NUMBERS!r}", tasks=(TASK, OTHER))
    assert [leak.string for leak in found.leaks] == ["[5, 6, 7, 8]"]


async def test_a_long_hidden_string_in_a_constant_is_a_leak_whoever_is_shown_it(sandbox: Sandbox) -> None:
    text = "Lists such as ['pear', 'quince', 'apple'] may come."
    found = await audited(shows(text), sandbox, source=f"TEXT = {text!r}", tasks=(TASK, OTHER))
    assert [leak.string for leak in found.leaks] == ["['pear', 'quince', 'apple']"]


async def test_a_drop_in_may_run_calls_of_its_own(sandbox: Sandbox) -> None:
    async def solve(task: Task, team: Team) -> Program:
        draft = await write(team.coder, task)
        [seen] = await team.bench.observe(task, draft, ["rank([3])"])
        said = Message(role="user", content=f"Your program returned this: {seen.outcome}")
        asked = [*writing(task), said]
        return await team.coder.ask("again", asked, read=lambda reply: extract(reply, task))

    found = await audited(solve, sandbox)
    assert found.clean
    assert found.unknown_tests == 1


LIST = "{}([5, 6, 7, 8])"


async def test_a_drop_in_may_run_the_same_call_for_every_task(sandbox: Sandbox) -> None:
    """A call that happens to be hidden in one of them."""

    async def solve(task: Task, team: Team) -> Program:
        draft = await write(team.coder, task)
        await team.bench.observe(task, draft, [LIST.format(task.entry_point)])
        return draft

    found = await audited(solve, sandbox, source='LIST = "([5, 6, 7, 8])"', tasks=(TASK, OTHER))
    assert found.clean
    assert found.by_chance == 1
    assert not (await audited(solve, sandbox)).clean


def test_a_request_has_no_field_that_the_audit_does_not_know() -> None:
    with pytest.raises(ValidationError):
        Request.model_validate({"messages": [], "sampling": PAPER.plain, "answer_tokens": 1, "stop": ["[5]"]})


def test_pieces_are_found_in_order_and_near_each_other() -> None:
    far = ["word"] * 20
    assert scattered(["5", "6", "7"], ["first", "5", "6", "then", "7"]) == 1
    assert scattered(["5", "6", "7"], ["7", "6", "5"]) is None
    assert scattered(["5", "6", "7"], ["5", "6", *far, "7"]) is None


def test_an_audit_says_what_it_is_based_on_and_proves_nothing() -> None:
    text = told(
        Audit(tasks=1, calls=2, strings=3, short=1, shown=0, leaks=(), requests=2, programs=1), every=True
    )
    assert "3 hidden strings looked for in 2 requests and 1 programs" in text
    assert "1 hidden strings are too short to tell" in text
    assert "prove" not in text
    assert text.count("not seen by this") == len(UNSEEN)


def test_an_audit_of_an_older_version_can_be_read() -> None:
    old = '{"tasks": 1, "calls": 2, "strings": 3, "short": 1, "shown": 0, "leaks": []}'
    assert Audit.model_validate_json(old).clean
