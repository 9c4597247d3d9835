"""The bench on the real sandbox: visible tests, observed calls, and the record of what was shown."""

from collections.abc import AsyncIterator

import pytest

from dualcode.bench.bench import Examination, SandboxBench, Shown, returned
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.sandbox import Sandbox
from dualcode.solution import Program
from dualcode.task import Task

PROMPT = '''def double(n: int) -> int:
    """Return 2 n.

    >>> double(2)
    4
    >>> double(5)
    10
    """
'''
TASK = Task(id="T/1", prompt=PROMPT, entry_point="double")


def program(body: str) -> Program:
    text = f"def double(n):\n    {body}\n"
    return Program(text=text, compiles=True, defines_entry_point=True, how="block")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox(workers=1) as opened:
        yield opened


async def examined(sandbox: Sandbox, body: str) -> tuple[Examination, list[Shown]]:
    shown: list[Shown] = []
    return await SandboxBench(sandbox, shown.append).examine(TASK, program(body)), shown


async def test_a_right_program_passes_and_only_that_it_ran_is_on_record(sandbox: Sandbox) -> None:
    examination, shown = await examined(sandbox, "return 2 * n")
    assert examination == Examination(tests=2, passed=(0, 1), failure=None)
    [ran] = shown
    assert ran.texts == ()
    assert ran.program == "def double(n):\n    return 2 * n\n"


async def test_a_wrong_program_gets_the_first_failure_and_it_is_recorded(sandbox: Sandbox) -> None:
    examination, shown = await examined(sandbox, "return 4")
    assert examination.passed == (0,)
    assert examination.failure is not None
    assert ">>> double(5)" in examination.failure
    assert shown[0].texts == (examination.failure,)
    assert shown[0].tests[0] in PROMPT.replace("    ", "")


async def test_a_program_that_does_not_compile_fails_all(sandbox: Sandbox) -> None:
    examination, _ = await examined(sandbox, "return (")
    assert (examination.ok, examination.passed) == (False, ())
    assert "does not compile" in str(examination.failure)


async def test_a_lost_test_makes_a_fix_worse(sandbox: Sandbox) -> None:
    right, _ = await examined(sandbox, "return 2 * n")
    wrong, _ = await examined(sandbox, "return 4")
    assert wrong.worse_than(right) == (1,)
    assert right.worse_than(wrong) == ()


async def observed(sandbox: Sandbox, body: str, *calls: str) -> list[str]:
    seen = await SandboxBench(sandbox).observe(TASK, program(body), calls)
    assert [each.call for each in seen] == list(calls)
    return [each.outcome for each in seen]


async def test_calls_are_observed_one_by_one(sandbox: Sandbox) -> None:
    outcomes = await observed(sandbox, "return {n: 10 // n, 'b': {'y', 'x'}}", "double(5)", "double(0)")
    assert outcomes == [
        "returned {5: 2, 'b': {'x', 'y'}}",
        "raised ZeroDivisionError: integer division or modulo by zero",
    ]


async def test_a_call_without_end_is_observed_as_such(sandbox: Sandbox) -> None:
    assert await observed(sandbox, "\n    while n: pass", "double(0)", "double(1)", "double(0)") == [
        "returned None",
        "did not end in time",
        "was not called, for one before it did not end",
    ]


async def test_a_call_that_ends_the_process_is_observed_as_such(sandbox: Sandbox) -> None:
    body = "\n    import os; os._exit(0) if n else None"
    assert await observed(sandbox, body, "double(0)", "double(1)", "double(0)") == [
        "returned None",
        "ended its process",
        "was not called, for one before it ended the process",
    ]


async def test_a_program_that_does_not_load_is_observed_as_such(sandbox: Sandbox) -> None:
    [outcome] = await observed(sandbox, "return (", "double(1)")
    assert "does not load" in outcome


async def test_what_was_observed_is_recorded(sandbox: Sandbox) -> None:
    shown: list[Shown] = []
    await SandboxBench(sandbox, shown.append).observe(TASK, program("return 2 * n"), ["double(8)"])
    [ran] = shown
    assert (ran.kind, ran.tests, ran.texts) == ("observed", ("double(8)",), ("returned 16",))
    assert ran.program == "def double(n):\n    return 2 * n\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (" 4", "returned 4"),
        ("{'b','a'}", "returned {'a', 'b'}"),
        ("[1,2]", "returned [1, 2]"),
        ("f(", "returned f("),
    ],
)
def test_asserted_results_are_written_like_observed_ones(source: str, said: str) -> None:
    assert returned(source) == said
