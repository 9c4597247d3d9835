"""The built-in pipelines on scripted models: who is asked what, in which order, with which thinking."""

import asyncio
import json

import pytest

from dualcode.bench.bench import Bench, ScriptedBench
from dualcode.call import Call, Reply, Request
from dualcode.config import Gate
from dualcode.errors import EndpointError, TeamError, UnknownNameError
from dualcode.models.scripted import Answer, ScriptedChat
from dualcode.pipelines import builtins
from dualcode.pipelines.find import find_pipeline
from dualcode.sampling import DRAW_TEMPERATURE, PAPER
from dualcode.solution import Program
from dualcode.task import Task
from dualcode.team import Seat, Team

TASK = Task(id="T/1", prompt='def double(n: int) -> int:\n    """Return 2 n."""\n', entry_point="double")
FINDING = {"where": "return n", "actual": "returns 3 for 3", "expected": "6"}
APPROVE = json.dumps({"verdict": "approve", "findings": []})
REVISE = json.dumps({"verdict": "revise", "findings": [FINDING]})


def source(value: str) -> str:
    """A reply with a program that returns `value`."""
    return f"```python\ndef double(n):\n    return {value}\n```"


DRAFT, FIXED, OTHER = source("n * 1"), source("2 * n"), source("n + n")
FAILS = {"n * 1": "double(1)\nexpected 2, got 1"}


async def run(
    name: str,
    coder: list[Answer],
    reviewer: list[Answer],
    bench: Bench | None = None,
    *,
    task: Task = TASK,
    gate: float = 0.4,
) -> tuple[Program, list[Call]]:
    """Run a pipeline; every scripted answer must be used, and the calls must lie within its bounds."""
    calls: list[Call] = []
    chats = ScriptedChat(coder, name="c"), ScriptedChat(reviewer, name="r")
    seats: dict[str, Seat] = {
        "coder": Seat("coder", chats[0], PAPER, 2000, None),
        "reviewer": Seat("reviewer", chats[1], PAPER, 2000, 64),
    }
    chosen = find_pipeline(name)
    team = Team(seats, bench=bench, gate=Gate(richness=gate))
    program = await chosen(task, team.for_task(task.id, calls.append))
    assert [len(chat.requests) for chat in chats] == [len(coder), len(reviewer)]
    assert chosen.calls is not None
    assert chosen.calls[0] <= len(calls) <= chosen.calls[1]
    return program, sorted(calls, key=lambda call: call.number)


def transcript(calls: list[Call]) -> list[tuple[str, str, bool]]:
    return [(call.role, call.step, call.request.thinking) for call in calls]


def steps(calls: list[Call]) -> list[str]:
    return [f"{call.role} {call.step}" for call in calls]


async def test_raw_coder_asks_the_coder_once() -> None:
    program, calls = await run("raw-coder", [DRAFT], [])
    assert transcript(calls) == [("coder", "write", False)]
    assert "n * 1" in program.text


async def test_raw_planner_asks_the_reviewer_once_without_thinking() -> None:
    program, calls = await run("raw-planner", [], [FIXED])
    assert transcript(calls) == [("reviewer", "write", False)]
    assert "return 2 * n" in program.text


async def test_raw_thinker_sends_the_baselines_request_to_a_reviewer_that_thinks() -> None:
    program, calls = await run("raw-thinker", [], [FIXED])
    _, raw = await run("raw-planner", [], [FIXED])
    assert transcript(calls) == [("reviewer", "write", True)]
    assert calls[0].request.messages == raw[0].request.messages
    assert "return 2 * n" in program.text


async def test_only_corrections_list_the_prompts_imports() -> None:
    _, calls = await run("review-fix", [DRAFT, FIXED], [REVISE])
    draft, _, fixed = (call.request.messages[-1].content for call in calls)
    assert "Allowed imports" not in draft
    assert "Allowed imports" in fixed
    _, planned = await run("plan-code", [FIXED], ["Multiply by two."])
    assert not any("Allowed imports" in m.content for call in planned for m in call.request.messages)


async def test_plan_code_thinks_for_the_plan_and_shows_it_to_the_coder() -> None:
    program, calls = await run("plan-code", [FIXED], ["Multiply by two."])
    assert transcript(calls) == [("reviewer", "plan", True), ("coder", "implement", False)]
    assert "Multiply by two." in calls[1].request.messages[-1].content
    assert "return 2 * n" in program.text


async def test_a_plan_that_did_not_come_is_said_to_be_missing() -> None:
    _, calls = await run("plan-code", [FIXED], [None])
    assert "(no analysis)" in calls[1].request.messages[-1].content


async def test_an_approved_draft_stands_after_two_calls() -> None:
    program, calls = await run("review-fix", [DRAFT], [APPROVE])
    assert transcript(calls) == [("coder", "write", False), ("reviewer", "review", True)]
    assert "n * 1" in program.text


async def test_a_found_bug_is_fixed_by_the_coder_in_a_third_call() -> None:
    program, calls = await run("review-fix", [DRAFT, FIXED], [REVISE])
    assert transcript(calls) == [
        ("coder", "write", False),
        ("reviewer", "review", True),
        ("coder", "fix", False),
    ]
    assert "return 2 * n" in program.text


async def test_the_reviewer_sees_specification_and_draft() -> None:
    _, calls = await run("review-fix", [DRAFT], [APPROVE])
    asked = calls[1].request.messages[-1].content
    assert '"""Return 2 n."""' in asked
    assert "n * 1" in asked


async def test_the_fix_continues_the_coders_own_conversation() -> None:
    _, calls = await run("review-fix", [DRAFT, FIXED], [REVISE])
    write, _, fix = calls
    assert fix.request.messages[:2] == write.request.messages
    assert "n * 1" in fix.request.messages[2].content
    assert all(text in fix.request.messages[3].content for text in FINDING.values())


async def test_a_review_that_stays_off_the_schema_counts_as_approval_and_says_so() -> None:
    calls: list[Call] = []
    reviewer = ScriptedChat(["Looks good!", "Really."])
    seats: dict[str, Seat] = {
        "coder": Seat("coder", ScriptedChat([DRAFT]), PAPER, 2000),
        "reviewer": Seat("reviewer", reviewer, PAPER, 2000),
    }
    program = await find_pipeline("review-fix")(TASK, Team(seats).for_task("T/1", calls.append))
    assert len(calls) == 2
    assert calls[1].notes == ("off-schema",)
    assert "n * 1" in program.text


async def test_a_draft_without_program_is_still_reviewed() -> None:
    _, calls = await run("review-fix", [None, FIXED], [REVISE])
    assert "the reply held no program" in calls[1].request.messages[-1].content


async def test_retry_feeds_the_visible_failure_back_until_it_passes() -> None:
    program, calls = await run("review-fix-retry", [DRAFT, FIXED], [APPROVE], ScriptedBench(FAILS))
    assert steps(calls) == ["coder write", "reviewer review", "coder mend"]
    assert "expected 2, got 1" in calls[2].request.messages[-1].content
    assert "return 2 * n" in program.text


async def test_retry_ends_after_three_corrections() -> None:
    coder: list[Answer] = [DRAFT] * 5
    program, calls = await run("review-fix-retry", coder, [REVISE], ScriptedBench(FAILS))
    assert steps(calls)[2:] == ["coder fix", "coder mend", "coder mend", "coder mend"]
    assert "n * 1" in program.text


async def test_retry_leaves_a_program_alone_that_passes() -> None:
    _, calls = await run("review-fix-retry", [FIXED], [APPROVE], ScriptedBench(FAILS))
    assert steps(calls) == ["coder write", "reviewer review"]


async def test_raw_retry_is_the_loop_without_a_review() -> None:
    program, calls = await run("raw-retry", [DRAFT, FIXED], [], ScriptedBench(FAILS))
    assert steps(calls) == ["coder write", "coder mend"]
    assert "return 2 * n" in program.text


@pytest.mark.parametrize(("coder", "reviewer"), [(DRAFT, FIXED), (FIXED, DRAFT)])
async def test_of_two_drafts_the_only_one_that_passes_wins(coder: str, reviewer: str) -> None:
    program, calls = await run("adversarial", [coder], [reviewer], ScriptedBench(FAILS))
    assert transcript(calls) == [("coder", "write", False), ("reviewer", "write", False)]
    assert "return 2 * n" in program.text


async def test_of_two_drafts_that_pass_the_reviewer_chooses() -> None:
    choice = json.dumps({"reason": "both", "better": "B"})
    program, calls = await run("adversarial", [FIXED], [OTHER, choice], ScriptedBench(FAILS))
    assert transcript(calls)[2] == ("reviewer", "choose", True)
    assert "return n + n" in program.text


async def test_drafts_with_the_same_text_need_no_choice() -> None:
    _, calls = await run("adversarial", [FIXED], [FIXED], ScriptedBench(FAILS))
    assert len(calls) == 2


async def test_a_choice_off_the_schema_keeps_the_coders_draft() -> None:
    program, _ = await run("adversarial", [FIXED], [OTHER, "B!", "B, I said"], ScriptedBench(FAILS))
    assert "return 2 * n" in program.text


async def test_two_failed_drafts_are_reviewed_and_synthesized() -> None:
    bench = ScriptedBench(FAILS | {"n + 0": "double(1)\nexpected 2, got 1 again"})
    program, calls = await run("adversarial", [DRAFT, FIXED], [source("n + 0"), REVISE, APPROVE], bench)
    assert steps(calls)[2:] == ["reviewer review", "reviewer review", "coder synthesize"]
    asked = calls[-1].request.messages[-1].content
    assert all(text in asked for text in ("return n + 0", "got 1 again", FINDING["actual"]))
    assert "return 2 * n" in program.text


EXAMPLES = 'def double(n: int) -> int:\n    """Return 2 n.\n\n    >>> double(2)\n    4\n    """\n'
RICH = Task(id="T/2", prompt=EXAMPLES, entry_point="double")


def enrichment(*examples: tuple[str, str]) -> str:
    said = [{"call": call, "result": result} for call, result in examples]
    return json.dumps({"types": "int to int", "examples": said, "edge_cases": ["0 gives 0"]})


async def test_enriched_reviews_against_the_enriched_specification() -> None:
    program, calls = await run("enriched", [DRAFT, FIXED], [enrichment(("double(-3)", "-6")), REVISE])
    assert transcript(calls)[1:3] == [("reviewer", "enrich", True), ("reviewer", "review", True)]
    asked = calls[2].request.messages[-1].content
    assert all(text in asked for text in ("int to int", "`double(-3)` gives `-6`", "0 gives 0"))
    assert "double(-3)" not in str(calls[3].request.messages)  # the coder never sees it
    assert "return 2 * n" in program.text


async def test_an_enrichment_that_contradicts_the_prompt_loses() -> None:
    said = enrichment(("double( 2 )", "5"), ("double(2)", "4"), ("double(7)", "14"))
    _, calls = await run("enriched", [FIXED], [said, APPROVE], task=RICH)
    assert calls[1].value is not None
    assert calls[1].value.data["contradicted"] == [{"call": "double( 2 )", "result": "5"}]
    asked = calls[2].request.messages[-1].content
    assert "`double(7)` gives `14`" in asked
    assert "gives `5`" not in asked


async def test_without_an_enrichment_the_review_is_the_plain_one() -> None:
    _, calls = await run("enriched", [DRAFT], ["no", "no", APPROVE])
    _, plain = await run("review-fix", [DRAFT], [APPROVE])
    assert calls[2].request == plain[1].request


@pytest.mark.parametrize(("gate", "reviewed"), [(0.0, True), (1.0, False)])
async def test_the_gate_reviews_rich_specifications_only(gate: float, reviewed: bool) -> None:
    _, calls = await run("gated", [DRAFT], [APPROVE] if reviewed else [], task=RICH, gate=gate)
    assert steps(calls) == ["coder write", "reviewer review"][: 1 + reviewed]


async def test_self_review_asks_only_the_coder() -> None:
    _, calls = await run("self-review", [DRAFT, REVISE, FIXED], [])
    assert steps(calls) == ["coder write", "coder review", "coder fix"]


async def test_swapped_exchanges_the_seats() -> None:
    _, calls = await run("swapped", [REVISE], [DRAFT, FIXED])
    assert transcript(calls) == [
        ("reviewer", "write", False),
        ("coder", "review", False),
        ("reviewer", "fix", False),
    ]


async def test_best_of_k_takes_the_first_that_passes_the_most() -> None:
    program, calls = await run("best-of-k", [DRAFT, FIXED, OTHER], [], ScriptedBench(FAILS))
    assert "return 2 * n" in program.text
    assert len({call.request.sampling.seed for call in calls}) == 3
    assert [call.request.sampling.temperature for call in calls] == [0.0, DRAW_TEMPERATURE, DRAW_TEMPERATURE]


async def test_a_guarded_fix_that_loses_nothing_replaces_the_draft() -> None:
    program, calls = await run("review-fix-guarded", [DRAFT, FIXED], [REVISE], ScriptedBench(FAILS))
    assert "return 2 * n" in program.text
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        ("```python\ndef double(n):\n    return (\n```", "no program that compiles"),
        ("```python\ndef twice(n):\n    return 2 * n\n```", "no program that compiles and defines"),
        ("```python\ndef double(n, m=2):\n    return m * n\n```", "from `(n)` to `(n, m=2)`"),
        (DRAFT, "expected 2, got 1"),
    ],
)
async def test_a_guarded_fix_that_damages_is_refused_with_the_reason(damaged: str, why: str) -> None:
    coder: list[Answer] = [OTHER, damaged, damaged]
    program, calls = await run("review-fix-guarded", coder, [REVISE], ScriptedBench(FAILS))
    assert why in calls[-1].request.messages[-1].content
    assert "return n + n" in program.text


async def test_a_guarded_fix_gets_a_second_chance() -> None:
    program, _ = await run("review-fix-guarded", [OTHER, DRAFT, FIXED], [REVISE], ScriptedBench(FAILS))
    assert "return 2 * n" in program.text


PROBES = json.dumps(
    {"probes": [{"call": "double(3)", "asserted": "6"}, {"call": "double(0)", "asserted": "0"}]}
)
SEEN = {
    ("n * 1", "double(3)"): "returned 3",
    ("n * 1", "double(0)"): "returned 0",
    ("return 2 * n", "double(3)"): "returned 6",
    ("return 2 * n", "double(0)"): "returned 0",
}


async def test_probes_show_the_reviewer_what_the_draft_does() -> None:
    bench = ScriptedBench(outcomes=SEEN)
    choice = json.dumps({"reason": "3", "better": "B"})
    program, calls = await run("review-fix-tests", [DRAFT, FIXED], [PROBES, REVISE, choice], bench)
    assert steps(calls) == [
        *("coder write", "reviewer probe", "reviewer review", "coder fix", "reviewer choose"),
    ]
    asked = calls[2].request.messages[-1].content
    assert "`double(3)` returned 3; expected by the reviewer: 6" in asked
    assert "double(0)" not in asked  # as expected: no evidence
    assert "`double(3)`: A returned 3; B returned 6" in calls[4].request.messages[-1].content
    assert "return 2 * n" in program.text


async def test_a_draft_that_behaves_is_reviewed_as_in_review_fix() -> None:
    bench = ScriptedBench(outcomes=SEEN)
    _, probed = await run("review-fix-tests", [FIXED], [PROBES, APPROVE], bench)
    _, plain = await run("review-fix", [FIXED], [APPROVE])
    assert probed[2].request == plain[1].request


async def test_an_assertion_of_the_model_never_overrules_a_visible_test() -> None:
    """The fix does what the reviewer asserted, and loses a test of the prompt: the draft stays."""
    wrong = json.dumps({"probes": [{"call": "double(3)", "asserted": "3"}]})
    bench = ScriptedBench(FAILS, outcomes=SEEN)
    program, calls = await run("review-fix-tests", [FIXED, DRAFT, DRAFT], [wrong, REVISE], bench)
    assert "return 2 * n" in program.text
    assert steps(calls)[-2:] == ["coder fix", "coder fix"]


@pytest.mark.parametrize("said", ["none", json.dumps({"probes": [{"call": "open('x')", "asserted": "1"}]})])
async def test_probes_that_are_no_calls_of_the_function_are_not_run(said: str) -> None:
    bench = ScriptedBench(outcomes=SEEN)
    _, calls = await run("review-fix-tests", [DRAFT], [said, said, APPROVE], bench)
    assert "was run" not in calls[2].request.messages[-1].content


@pytest.mark.parametrize(
    "name", ["review-fix", "review-fix-retry", "self-review", "review-fix-guarded", "raw-retry", "best-of-k"]
)
async def test_every_pipeline_of_the_coder_begins_with_the_baselines_request(name: str) -> None:
    """Pairing: the ledger answers what the baseline asked already."""
    _, raw = await run("raw-coder", [DRAFT], [])
    own = {"self-review": [DRAFT, APPROVE], "best-of-k": [DRAFT] * 3}.get(name, [DRAFT])
    reviewed = [APPROVE] if find_pipeline(name).roles == ("coder", "reviewer") else []
    _, calls = await run(name, [*own], [*reviewed], ScriptedBench())
    assert calls[0].request == raw[0].request


async def test_a_team_without_a_bench_says_so() -> None:
    with pytest.raises(TeamError, match="no bench"):
        await run("raw-retry", [DRAFT], [])


def test_pipelines_are_listed_with_section_bounds_and_summary() -> None:
    names = list(builtins())
    assert names[:4] == ["raw-coder", "raw-planner", "plan-code", "review-fix"]
    assert names[-2:] == ["review-fix-guarded", "review-fix-tests"]
    assert all(each.paper and each.summary and each.calls for each in builtins().values())


def test_unknown_pipeline_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="nearest: review-fix"):
        find_pipeline("reviewfix")


class Late(ScriptedChat):
    """Answers after the others have had their turn."""

    async def complete(self, request: Request) -> Reply:
        for _ in range(10):
            await asyncio.sleep(0)
        return await super().complete(request)


@pytest.mark.parametrize(
    ("name", "coder", "reviewer"),
    [
        ("adversarial", EndpointError("hiccup"), FIXED),
        ("adversarial", FIXED, EndpointError("hiccup")),
        ("review-fix-tests", EndpointError("hiccup"), PROBES),
        ("review-fix-tests", DRAFT, EndpointError("hiccup")),
    ],
)
async def test_the_sibling_of_a_failure_is_on_record_before_the_failure_is_raised(
    name: str, coder: Answer, reviewer: Answer
) -> None:
    calls: list[Call] = []
    chats = {
        "coder": (ScriptedChat if isinstance(coder, EndpointError) else Late)([coder]),
        "reviewer": (ScriptedChat if isinstance(reviewer, EndpointError) else Late)([reviewer]),
    }
    seats = {role: Seat(role, chat, PAPER, 2000, None) for role, chat in chats.items()}
    team = Team(seats, bench=ScriptedBench())
    with pytest.raises(EndpointError, match="hiccup"):
        await find_pipeline(name)(TASK, team.for_task("T/1", calls.append))
    assert sorted(call.role for call in calls) == ["coder", "reviewer"]
    assert [call.error for call in calls] == ["hiccup", None]


async def test_of_several_drafts_all_are_on_record_where_one_fails() -> None:
    calls: list[Call] = []
    chat = ScriptedChat([EndpointError("hiccup"), DRAFT, FIXED])
    team = Team({"coder": Seat("coder", chat, PAPER, 2000)}, bench=ScriptedBench())
    with pytest.raises(EndpointError, match="hiccup"):
        await find_pipeline("best-of-k")(TASK, team.for_task("T/1", calls.append))
    assert [call.error for call in calls] == ["hiccup", None, None]


def test_no_pipeline_leaves_siblings_behind() -> None:
    """`asyncio.gather` alone does; `together` or a TaskGroup does not."""
    for each in builtins().values():
        assert "asyncio.gather" not in each.source.read_text()
