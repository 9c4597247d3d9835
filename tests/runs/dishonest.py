"""Pipelines that cheat, each in a way of its own, and what the audit has to make of it.

They know the hidden tests of one small task, whatever way they came by them. `Caught` says how: `leak`, a
finding; `unasked` and `unexplained`, a count that the audit tells of; `unseen`, nothing but the audit's own
word that it cannot see such a thing.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from dualcode.bench.bench import SandboxBench, Shown
from dualcode.call import Call, Message, Request
from dualcode.extraction import extract
from dualcode.models.scripted import ScriptedChat, reply
from dualcode.pipelines import Solve
from dualcode.runs.audit import Audit, Evidence, Findings, Hidden
from dualcode.runs.provenance import literals
from dualcode.sampling import PAPER
from dualcode.sandbox.sandbox import Sandbox
from dualcode.solution import Program
from dualcode.steps import critique, fix, mend, write
from dualcode.steps.conversation import answered, writing
from dualcode.steps.review import Finding, Review
from dualcode.steps.writing import read_plan
from dualcode.task import Task
from dualcode.team import Seat, Team

Caught = Literal["leak", "unasked", "unexplained", "unseen"]

TASK = Task(
    id="T/1",
    prompt='def rank(xs, options=None):\n    """Return the rank of each number.\n\n'
    "    >>> rank([30, 10, 20])\n    [2, 0, 1]\n"
    '    """\n',
    entry_point="rank",
)
OTHER = Task(id="T/2", prompt='def twice(n):\n    """Return n twice."""\n', entry_point="twice")
REFERENCE = (
    TASK.prompt + "    order = sorted(range(len(xs)), key=xs.__getitem__)\n"
    "    return [order.index(place) for place in range(len(xs))]\n"
)
HIDDEN = [
    Hidden("[5, 6, 7, 8]", "[0, 1, 2, 3]"),
    Hidden(
        "[1000, 25000, 1000000], {'stable': True, 'key': None}",
        "[0, 1, 2]",
        ("[1000, 25000, 1000000]", "{'stable': True, 'key': None}"),
    ),
    Hidden("['pear', 'quince', 'apple']", "[1, 2, 0]"),
    Hidden("[30, 10, 20]", "[2, 0, 1]"),
]
DRAFT = "def rank(xs, options=None):\n    return xs\n"


def answer(request: Request) -> str:
    """Answer as a model that writes a wrong draft and finds a fault in every program."""
    if request.json_schema is None:
        name = "twice" if "twice" in request.messages[-1].content else "rank"
        return f"```python\n{DRAFT.replace('rank', name)}```"
    finding = {"where": "return xs", "actual": "the numbers", "expected": "their ranks"}
    said = {
        "verdict": "revise",
        "findings": [finding],
        "types": "list of int",
        "examples": [{"call": "rank([2, 1])", "result": "[1, 0]"}],
        "edge_cases": ["no number"],
        "probes": [{"call": "rank([4, 3, 9])", "asserted": "[1, 0, 2]"}],
        "reason": "none",
        "better": "A",
    }
    wanted = json.dumps(request.json_schema)
    return json.dumps({key: value for key, value in said.items() if f'"{key}"' in wanted})


async def audited(
    solve: Solve, sandbox: Sandbox, *, source: str = "", tasks: Sequence[Task] = (TASK,)
) -> Audit:
    """Run a pipeline over the tasks on a scripted model and the real bench, and audit what it left."""
    calls, shown, solutions = list[Call](), list[Shown](), dict[str, str]()
    chat = ScriptedChat(answer)
    team = Team(
        {role: Seat(role, chat, PAPER, 1000, None) for role in ("coder", "reviewer")},
        bench=SandboxBench(sandbox, shown.append),
    )
    for task in tasks:
        solutions[task.id] = (await solve(task, team.for_task(task.id, calls.append))).text
    hidden = {TASK.id: HIDDEN, OTHER.id: [Hidden("12345", "24690")]}
    evidence = [
        Evidence(
            task.id,
            task.prompt,
            [call for call in calls if call.task_id == task.id],
            [each for each in shown if each.task_id == task.id],
            hidden[task.id],
            reference=REFERENCE if task == TASK else "",
            solution=solutions[task.id],
        )
        for task in sorted(tasks, key=lambda task: task.id)
    ]
    return audit(evidence, literals(source))


def audit(tasks: Sequence[Evidence], constants: Sequence[str] = ()) -> Audit:
    """Return the audit of tasks by a pipeline with these texts in its source."""
    found = Findings(constants)
    for each in tasks:
        found.add(each)
    return found.audit(tasks)


DISHONEST: dict[str, tuple[Solve, Caught]] = {}


def dishonest(caught: Caught) -> Callable[[Solve], Solve]:
    def enter(solve: Solve) -> Solve:
        DISHONEST[solve.__name__] = (solve, caught)
        return solve

    return enter


def program(text: str) -> Program:
    return Program(text=text, compiles=True, defines_entry_point=True, how="own")


async def ask(task: Task, seat: Seat, *said: str, role: str = "user") -> Program:
    """Ask for a program, with more messages after the honest ones."""
    more = [Message.model_validate({"role": role, "content": each}) for each in said]
    return await seat.ask("write", [*writing(task), *more], read=lambda reply: extract(reply, task))


def shows(text: str, *more: str) -> Solve:
    """Return a pipeline that says these texts to the model, each in a message."""

    async def solve(task: Task, team: Team) -> Program:
        return await ask(task, team.coder, text, *more)

    return solve


IN_MESSAGES = {
    "in_a_message": shows("It will be tested on rank([5, 6, 7, 8])."),
    "as_a_result": shows("One test wants ['pear', 'quince', 'apple'] ranked."),
    "without_blanks_and_with_other_quotes": shows('Try ["pear","quince","apple"].'),
    "one_a_line": shows("The list holds\n5\n6\n7\n8\nand no more."),
    "in_prose": shows("The fruits: pear, quince and then apple? No: pear; quince; apple."),
    "as_a_tuple": shows("Try (5, 6, 7, 8)."),
    "numbers_in_another_spelling": shows("Try 1e3, 25_000 and then nothing; or: 1e3, 25_000, 1.0E6."),
    "as_json": shows('With the options {"stable": true, "key": null}.'),
    "as_keywords": shows("With the options stable=True, key=None."),
    "one_argument_of_several": shows("Mind lists such as [1000, 25000, 1000000]."),
    "split_across_messages": shows("Try rank([5, 6,", "7, 8])."),
    "split_with_talk_between": shows("First come 5, 6 in it.", "Then, at its end, come 7, 8 in it."),
    "the_reference_as_advice": shows(
        "Better: order=sorted(range(len(xs)),key = xs.__getitem__)  # by value, and go on from there"
    ),
}
for name, solve in IN_MESSAGES.items():
    solve.__name__ = name
    dishonest("leak")(solve)


@dishonest("leak")
async def in_the_system_message(task: Task, team: Team) -> Program:
    return await ask(task, team.coder, "Tests: [5, 6, 7, 8].", role="system")


@dishonest("leak")
async def as_an_answer_that_the_model_never_gave(task: Task, team: Team) -> Program:
    return await ask(task, team.coder, "I thought of rank([5, 6, 7, 8]).", role="assistant")


@dishonest("leak")
async def split_across_calls(task: Task, team: Team) -> Program:
    await ask(task, team.coder, "Note the first half of it: 5, 6 so far.")
    return await ask(task, team.coder, "Note the second half of it: 7, 8 at last.")


@dishonest("leak")
async def before_the_model_says_it(task: Task, team: Team) -> Program:
    await ask(task, team.coder, "Consider rank([5, 6, 7, 8]).")
    return program("def rank(xs):\n    return xs\n")


def in_schema(place: Callable[[], dict[str, Any]]) -> Callable[[Task, Team], Awaitable[Program]]:
    async def solve(task: Task, team: Team) -> Program:
        asked = {"type": "object", "properties": {"verdict": {"type": "string"}}} | place()
        await team.coder.ask("think", writing(task), schema=asked, read=read_plan)
        return await write(team.coder, task)

    return solve


for name, solve in {
    "in_the_schemas_enum": in_schema(lambda: {"enum": [[5, 6, 7, 8]]}),
    "in_the_schemas_const": in_schema(lambda: {"const": {"stable": True, "key": None}}),
    "in_the_schemas_description": in_schema(lambda: {"description": "try [5, 6, 7, 8]"}),
    "in_the_schemas_title": in_schema(lambda: {"title": '["pear", "quince", "apple"]'}),
    "in_the_name_of_a_field": in_schema(lambda: {"properties": {"rank([5, 6, 7, 8])": {}}}),
}.items():
    solve.__name__ = name
    dishonest("leak")(solve)


@dishonest("leak")
async def in_the_repair(task: Task, team: Team) -> Program:
    await team.coder.ask("think", writing(task), read=lambda _: None, repair="Think of [5, 6, 7, 8].")
    return await write(team.coder, task)


@dishonest("leak")
async def through_the_error_of_a_program_of_its_own(task: Task, team: Team) -> Program:
    own = program("def rank(xs, options=None):\n    raise ValueError('rank([5, 6, 7, 8]) fails')\n")
    failure = (await team.bench.examine(task, own)).failure
    return await mend(team.coder, task, await write(team.coder, task), failure or "")


@dishonest("leak")
async def through_what_a_program_of_its_own_returns(task: Task, team: Team) -> Program:
    own = program("def rank(xs):\n    return [n + 5 for n in range(4)]\n")
    [seen] = await team.bench.observe(task, own, ["rank([2, 1])"])
    return await ask(task, team.coder, f"It gave this: {seen.outcome}")


@dishonest("leak")
async def an_assertion_in_the_program_on_the_bench(task: Task, team: Team) -> Program:
    """It only chooses: no model sees a word of it."""
    drafts = [await write(team.coder, task), await write(team.coder, task, draw=1)]
    checked = [program(each.text + "\nassert rank([5, 6, 7, 8]) == [0, 1, 2, 3]\n") for each in drafts]
    merits = [(await team.bench.examine(task, each)).ok for each in checked]
    return drafts[merits.index(max(merits))]


@dishonest("leak")
async def a_hidden_call_on_the_bench(task: Task, team: Team) -> Program:
    draft = await write(team.coder, task)
    await team.bench.observe(task, draft, ["rank(['pear', 'quince', 'apple'])"])
    return draft


@dishonest("leak")
async def hidden_tests_on_the_bench_as_if_the_prompt_showed_them(task: Task, team: Team) -> Program:
    """It only chooses: no model sees a word of it."""
    drafts = [await write(team.coder, task), await write(team.coder, task, draw=1)]
    tests = "    >>> rank([5, 6, 7, 8])\n    [5, 6, 7, 8]\n"
    richer = task.model_copy(update={"prompt": task.prompt.replace("    >>> ", f"{tests}    >>> ", 1)})
    merits = [len((await team.bench.examine(richer, each)).passed) for each in drafts]
    return drafts[merits.index(max(merits))]


@dishonest("leak")
async def the_reference_as_a_draft(task: Task, team: Team) -> Program:
    draft = program(REFERENCE)
    review = await critique(team.reviewer, task, draft)
    return draft if review.approves else await fix(team.coder, task, draft, review)


@dishonest("leak")
async def the_reference_without_comments_as_an_answer(task: Task, team: Team) -> Program:
    own = REFERENCE.replace("\n    order", "\n\n    # ranks\n    order").replace(", key", ",   key")
    said = Message(role="user", content="Shorten it.")
    asked = [*writing(task), answered(program(own)), said]
    return await team.coder.ask("write", asked, read=lambda reply: extract(reply, task))


@dishonest("leak")
async def in_a_finding_of_a_review_that_nobody_wrote(task: Task, team: Team) -> Program:
    finding = Finding(where="rank", actual="wrong for [5, 6, 7, 8]", expected="[0, 1, 2, 3]")
    draft = await write(team.coder, task)
    return await fix(team.coder, task, draft, Review(verdict="revise", findings=(finding,)))


@dishonest("leak")
async def the_reference_without_a_model(_task: Task, _team: Team) -> Program:
    return program(REFERENCE)


@dishonest("leak")
async def a_table_of_results_in_the_solution(task: Task, team: Team) -> Program:
    draft = await write(team.coder, task)
    return program(
        draft.text.replace("    return", "    if xs == [5, 6, 7, 8]:\n        return xs\n    return")
    )


@dishonest("unasked")
async def a_solution_of_its_own(_task: Task, _team: Team) -> Program:
    return program("def rank(xs, options=None):\n    ys = sorted(xs)\n    return [ys.index(x) for x in xs]\n")


@dishonest("unexplained")
async def the_reference_with_other_names(task: Task, team: Team) -> Program:
    own = REFERENCE.replace("order", "perm").replace("place", "spot").replace("xs", "values")
    review = await critique(team.reviewer, task, program(own))
    return await fix(team.coder, task, await write(team.coder, task), review)


@dishonest("unexplained")
async def in_base64(task: Task, team: Team) -> Program:
    return await ask(task, team.coder, base64.b64encode(b"a call with [5, 6, 7, 8]").decode() + " helps.")


@dishonest("unexplained")
async def in_other_words(task: Task, team: Team) -> Program:
    return await ask(task, team.coder, "Mind four numbers that count up from five.")


@dishonest("unseen")
async def by_a_choice_between_drafts(task: Task, team: Team) -> Program:
    """It runs the hidden tests itself, as whoever has them may."""
    drafts = [await write(team.coder, task, draw=draw) for draw in range(3)]
    return max(drafts, key=lambda each: "sorted" in each.text)


@dishonest("unseen")
async def past_its_seat(task: Task, team: Team) -> Program:
    message = Message(role="user", content="Try rank([5, 6, 7, 8]).")
    await team.coder.chat.complete(Request(messages=(message,), sampling=PAPER.plain, answer_tokens=9))
    return await write(team.coder, task)


@dishonest("unseen")
async def with_a_record_of_its_own(task: Task, team: Team) -> Program:
    """It writes down a reply that no model gave, and quotes it."""
    draft = await write(team.coder, task)
    request = Request(messages=tuple(writing(task)), sampling=PAPER.plain, answer_tokens=9)
    number = next(team.coder.numbers)
    made = {"task_id": task.id, "number": number, "step": "think", "role": "coder", "endpoint": "e"}
    said = reply("I think of rank([5, 6, 7, 8]).")
    team.coder.record(Call.model_validate({**made, "model": "m", "request": request, "reply": said}))
    return await ask(task, team.coder, f"You said: {said.content}") or draft
