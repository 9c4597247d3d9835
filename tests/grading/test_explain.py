"""Explanations: the first failing input, what was expected, what came, what was said and printed."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from dualcode.errors import InputError, UnknownNameError
from dualcode.grading.explain import COLUMNS, VALUE_CHARACTERS, Explanation, explain
from dualcode.grading.rules import Rules
from dualcode.grading.samples import Sample
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.sandbox import Sandbox
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from tests.suites.data import problem, write_rows

TASK = "HumanEval/0"
RIGHT = "def triple(n):\n    return 3 * n\n"


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUALCODE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return load_suite("humaneval", data=write_rows(tmp_path / "d.jsonl", problem(), problem(1)))


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with open_sandbox(1) as sandbox:
        yield sandbox


async def one(suite: Suite, sandbox: Sandbox, program: str) -> Explanation:
    (told,) = await explain([Sample(TASK, program)], [TASK], suite, sandbox, Rules())
    return told


async def test_a_program_that_passes_is_said_to(suite: Suite, sandbox: Sandbox) -> None:
    assert list((await one(suite, sandbox, RIGHT)).lines()) == [
        TASK,
        "  base: passed all 2 tests",
        "  plus: passed all 3 tests",
    ]


async def test_a_wrong_output_is_shown_beside_the_right_one(suite: Suite, sandbox: Sandbox) -> None:
    program = "def triple(n):\n    print('looking at', n)\n    return [n]\n"
    assert list((await one(suite, sandbox, program)).lines()) == [
        TASK,
        "  base: failed on test 1 of 2: wrong output",
        "    input:     1",
        "    expected:  3",
        "    got:       [1]",
        "    printed:   looking at 1",
        "  plus: failed on test 1 of 3: wrong output",
        "    input:     0",
        "    expected:  0",
        "    got:       [0]",
        "    printed:   looking at 0",
    ]


async def test_an_exception_comes_with_its_lines_in_the_program(suite: Suite, sandbox: Sandbox) -> None:
    program = "def half(n):\n    return n // (n - 2)\ndef triple(n):\n    return half(n) and 3 * n\n"
    base = (await one(suite, sandbox, program)).parts[0]
    assert (base.at, base.input, base.expected, base.got) == (1, "2", "6", None)
    assert base.reason is not None
    assert base.reason.startswith("raised ZeroDivisionError: ")
    assert base.traceback is not None
    for line in ("line 4, in triple", "return half(n) and 3 * n", "line 2, in half", "return n // (n - 2)"):
        assert line in base.traceback
    assert base.traceback.splitlines()[-1].startswith("ZeroDivisionError: ")


async def test_what_does_not_load_says_where(suite: Suite, sandbox: Sandbox) -> None:
    base = (await one(suite, sandbox, "import math\nmath.none\n")).parts[0]
    assert (base.at, base.input, base.expected) == (None, None, None)
    assert base.traceback is not None
    assert "math.none" in base.traceback


async def test_a_time_out_shows_what_was_expected(suite: Suite, sandbox: Sandbox) -> None:
    base = (await one(suite, sandbox, "def triple(n):\n    while True: pass\n")).parts[0]
    assert (base.reason, base.input, base.expected, base.got) == ("time-out", "1", "3", None)


async def test_long_values_are_cut_and_say_so_and_nothing_is_wider_than_the_screen(
    suite: Suite, sandbox: Sandbox
) -> None:
    program = "def triple(n):\n    print('p' * 30000, '\\x1b[2J\\r')\n    return 'x' * 100_000\n"
    told = await one(suite, sandbox, program)
    lines = list(told.lines())
    assert max(len(line) for line in lines) <= COLUMNS
    assert len(lines) < 200
    assert all(line.isprintable() for line in lines)
    got = told.parts[0].got or ""
    assert len(got) < 2 * VALUE_CHARACTERS
    assert "…" in got or "bytes" in got


async def test_a_hostile_object_is_told_by_its_type(suite: Suite, sandbox: Sandbox) -> None:
    program = (
        "class Evil:\n    def __repr__(self): raise SystemExit\n    def __eq__(self, other): return True\n"
    )
    base = (await one(suite, sandbox, program + "def triple(n):\n    return Evil()\n")).parts[0]
    assert base.status == "failed"
    assert "Evil" in f"{base.got} {base.reason}"


async def test_every_sample_of_a_task_is_explained(suite: Suite, sandbox: Sandbox) -> None:
    samples = [Sample(TASK, RIGHT), Sample("HumanEval/1", RIGHT), Sample(TASK, "")]
    told = await explain(samples, [TASK, TASK], suite, sandbox, Rules(base_only=True))
    assert [(each.sample, each.samples, len(each.parts)) for each in told] == [(1, 2, 1), (2, 2, 1)]
    assert next(told[1].lines()) == "HumanEval/0, sample 2 of 2"


async def test_a_task_without_a_sample_or_without_existence_is_refused(
    suite: Suite, sandbox: Sandbox
) -> None:
    with pytest.raises(InputError, match="no sample for HumanEval/1"):
        await explain([Sample(TASK, RIGHT)], ["HumanEval/1"], suite, sandbox, Rules())
    with pytest.raises(UnknownNameError, match="HumanEval/10"):
        await explain([Sample(TASK, RIGHT)], ["HumanEval/10"], suite, sandbox, Rules())
