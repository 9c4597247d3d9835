"""The grader: verdicts and their reasons, what counts as load, and what a broken sandbox costs."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from dualcode.errors import GraderError, SandboxError, UnknownNameError
from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.grader import Grader, SandboxGrader
from dualcode.grading.rules import Rules
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.job import Job, Ran, frame
from dualcode.sandbox.sandbox import Sandbox, Tier
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.verdict import Outcome, Verdict
from tests.suites.data import HUMANEVAL_PLUS, MBPP_PLUS, needs_data, problem, write_rows

TASK = "HumanEval/0"
RIGHT = "def triple(n):\n    return 3 * n\n"
PASSED = Outcome(status="passed")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """`triple(n)` with base inputs 1, 2 and plus inputs 0, -1, 10; and `triple` with one base input."""
    quick = problem(1, base_input=[[1]], plus_input=[])
    return load_suite(
        "humaneval", data=write_rows(tmp_path_factory.mktemp("suite") / "d.jsonl", problem(), quick)
    )


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with open_sandbox(2) as sandbox:
        yield sandbox


@pytest.fixture
def cache(tmp_path: Path) -> CalibrationCache:
    return CalibrationCache("tests", "key", "machine", root=tmp_path)


@pytest.fixture
async def grader(suite: Suite, sandbox: Sandbox, cache: CalibrationCache) -> AsyncGenerator[SandboxGrader]:
    async with SandboxGrader(suite, sandbox, workers=2, cache=cache) as grader:
        yield grader


class Between:
    """A sandbox that lets a test see, change or break what goes through it."""

    def __init__(self, real: Sandbox) -> None:
        self.real = real
        self.programs: list[str] = []
        self.running: list[str] = []
        self.beside: dict[str, set[str]] = {}
        self.change: Callable[[Job, Ran], Ran] = lambda _, ran: ran

    @property
    def tier(self) -> Tier:
        return self.real.tier

    async def run(self, job: Job) -> Ran:
        self.programs.append(job.program)
        self.running.append(job.program)
        for program in self.running:
            self.beside.setdefault(program, set()).update(self.running)
        try:
            return self.change(job, await self.real.run(job))
        finally:
            self.running.remove(job.program)

    async def close(self) -> None:
        await self.real.close()


@pytest.fixture
def between(sandbox: Sandbox) -> Between:
    return Between(sandbox)


def base(verdict: Verdict) -> tuple[str, str | None, str | None]:
    return verdict.base.status, verdict.base.reason, verdict.base.failing_input


class Stand(Between):
    """Runs nothing: every reference returns what it ought to, and so does every program."""

    def __init__(self) -> None:
        self.programs = []

    @property
    def tier(self) -> Tier:
        return Tier(name="none", holds=())

    async def run(self, job: Job) -> Ran:
        self.programs.append(job.program)
        await asyncio.sleep(0)
        done = [frame("B", b""), *[frame("V", b"N")] * job.calls.count, frame("E", b"")]
        if job.timed:
            done.insert(-1, frame("T", bytes(8 * job.calls.count)))
        return Ran("finished", b"".join(done))

    async def close(self) -> None: ...


def many(folder: Path, count: int) -> Suite:
    rows = [problem(number, base_input=[[1]], plus_input=[]) for number in range(count)]
    return load_suite("humaneval", data=write_rows(folder / "many.jsonl", *rows))


# Many programs


async def test_of_many_programs_the_first_have_verdicts_before_the_last_references_run(
    tmp_path: Path, cache: CalibrationCache
) -> None:
    suite, stand = many(tmp_path, 120), Stand()
    async with SandboxGrader(suite, stand, workers=1, cache=cache) as grader:
        known = list[float]()

        async def one(task_id: str) -> None:
            assert (await grader.grade(task_id, RIGHT)).passed_plus
            known.append(sum(grader.cpu(task.id) == 0 for task in suite.tasks))

        await asyncio.gather(*(one(task.id) for task in suite.tasks))
    assert known[0] < 60
    assert len(known) == 120


async def test_references_run_before_the_first_program_comes_and_once_only(
    tmp_path: Path, cache: CalibrationCache
) -> None:
    suite, stand = many(tmp_path, 5), Stand()
    async with SandboxGrader(suite, stand, workers=1, cache=cache) as grader:
        grader.prepare([task.id for task in suite.tasks])
        async with asyncio.timeout(60):
            while len(stand.programs) < 10:  # noqa: ASYNC110 - base and plus of each
                await asyncio.sleep(0.001)
        assert len(stand.programs) == 10
        await asyncio.gather(*(grader.grade(task.id, f"# Mine.\n{RIGHT}") for task in suite.tasks))
    assert [program.startswith("# Mine.") for program in stand.programs] == [False] * 10 + [True] * 10


async def test_a_grader_that_is_closed_prepares_nothing_more(tmp_path: Path, cache: CalibrationCache) -> None:
    suite, stand = many(tmp_path, 200), Stand()
    async with SandboxGrader(suite, stand, workers=1, cache=cache) as grader:
        grader.prepare([task.id for task in suite.tasks])
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(stand.programs) < 100


# Verdicts and their reasons


async def test_a_right_program_passes_base_and_plus(grader: Grader) -> None:
    assert await grader.grade(TASK, RIGHT) == Verdict.of(TASK, base=PASSED, plus=PASSED)


async def test_plus_is_graded_even_if_base_failed(grader: Grader) -> None:
    verdict = await grader.grade(TASK, "def triple(n):\n    return 3 * n if n not in (1, 2) else 0\n")
    assert base(verdict) == ("failed", "wrong output", "1")
    assert verdict.plus == PASSED
    assert not verdict.passed_plus


async def test_the_first_failing_input_is_named(grader: Grader) -> None:
    verdict = await grader.grade(TASK, "def triple(n):\n    return abs(3 * n)\n")
    assert verdict.base == PASSED
    assert verdict.plus == Outcome(
        status="failed", reason="wrong output", failing_input="-1", cause="wrong_output", at=1
    )


async def test_a_wrong_output_decides_although_a_later_call_never_ends(grader: Grader) -> None:
    program = "def triple(n):\n    while n == 2: pass\n    return 0\n"
    assert base(await grader.grade(TASK, program)) == ("failed", "wrong output", "1")


async def test_a_right_value_of_another_type_passes_as_it_equals(grader: Grader) -> None:
    assert (await grader.grade(TASK, "def triple(n):\n    return 3.0 * n\n")).passed_plus


@pytest.mark.parametrize(
    ("program", "reason", "failing_input"),
    [
        ("def triple(n:", "does not compile: SyntaxError: '(' was never closed", None),
        ("x = '\0'", "does not compile: ", None),
        ("x = '\ud800'", "does not compile: UnicodeEncodeError", None),
        ("", "does not define triple", None),
        ("class Other: pass", "does not define triple", None),
        ("import nowhere", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere'", None),
        ("exit(0)", "cannot be loaded: TypeError: 'NoneType' object is not callable", None),
        ("raise SystemExit(0)", "cannot be loaded: SystemExit: 0", None),
        ("triple = 3", "raised TypeError: 'int' object is not callable", "1"),
        ("class triple:\n    def __init__(self, n): pass", "returned a triple object", "1"),
        ("def triple(n):\n    return [][n]", "raised IndexError: list index out of range", "1"),
        ("def triple(n):\n    return input()", "raised OSError", "1"),
        ("def triple(n):\n    return open('x')", "raised TypeError: 'NoneType' object is not callable", "1"),
        ("def triple(n):\n    import sys; sys.exit(0)", "raised SystemExit: 0", "1"),
        ("def triple(n):\n    return triple(n)", "raised RecursionError: maximum recursion depth", "1"),
        ("def triple(n):\n    return bytearray(5 << 30)", "raised MemoryError", "1"),
        ("def triple(n):\n    raise ValueError('\\ud800 \\x1b[2J')", "raised ValueError: ", "1"),
        ("def triple(n):\n    return 3 * n if n < 2 else None", "wrong output", "2"),
    ],
)
async def test_a_failure_has_its_reason(
    grader: Grader, program: str, reason: str, failing_input: str | None
) -> None:
    verdict = await grader.grade(TASK, program)
    status, told, shown = base(verdict)
    assert (status, shown) == ("failed", failing_input)
    assert str(told).startswith(reason)
    assert Verdict.model_validate_json(verdict.to_line()) == verdict


async def test_an_endless_loop_is_a_time_out(grader: Grader) -> None:
    verdict = await grader.grade("HumanEval/1", "def triple(n):\n    while True: pass\n")
    assert base(verdict) == ("failed", "time-out", "1")
    assert verdict.base.cause == "time_out"


async def test_a_program_that_ends_its_process_fails(grader: Grader) -> None:
    verdict = await grader.grade(TASK, "import os\ndef triple(n):\n    os._exit(0)\n")
    assert base(verdict) == ("failed", "the process died (exit code 0 before the end)", None)


async def test_main_blocks_do_not_run(grader: Grader) -> None:
    verdict = await grader.grade(TASK, RIGHT + "if __name__ == '__main__':\n    raise ValueError\n")
    assert verdict.passed_plus


async def test_a_ten_megabyte_program_gets_a_verdict(grader: Grader) -> None:
    assert (await grader.grade(TASK, RIGHT + "#" * 10_000_000)).passed_plus


async def test_a_program_that_cannot_be_loaded_fails_an_empty_set_of_tests_too(grader: Grader) -> None:
    verdict = await grader.grade("HumanEval/1", "import nowhere")
    assert verdict.plus is not None
    assert str(verdict.plus.reason).startswith("cannot be loaded: ModuleNotFoundError")


async def test_base_only_runs_no_plus_tests(suite: Suite, between: Between, cache: CalibrationCache) -> None:
    async with SandboxGrader(suite, between, Rules(base_only=True), cache=cache) as grader:
        verdict = await grader.grade(TASK, RIGHT + "# mine\n")
    assert verdict == Verdict.of(TASK, base=PASSED, plus=None)
    assert between.programs.count(RIGHT + "# mine\n") == 1


async def test_a_task_that_the_suite_lacks_is_refused(grader: Grader) -> None:
    with pytest.raises(UnknownNameError, match="HumanEval/99"):
        await grader.grade("HumanEval/99", RIGHT)


async def test_a_closed_grader_refuses(grader: SandboxGrader) -> None:
    await grader.close()
    await grader.close()
    with pytest.raises(GraderError, match="closed"):
        await grader.grade(TASK, RIGHT)


# What never comes into a candidate's process


async def test_no_job_of_a_candidate_holds_an_expected_value(
    sandbox: Sandbox, cache: CalibrationCache, tmp_path: Path
) -> None:
    row = problem(canonical_solution="    return f'{n}-secret'\n")
    suite = load_suite("humaneval", data=write_rows(tmp_path / "d.jsonl", row))
    program = "import gc\ndef triple(n):\n    return 'secret' in repr(gc.get_objects())\n"
    between = Between(sandbox)
    seen: list[bytes] = []

    def look(job: Job, ran: Ran) -> Ran:
        if job.program == program:
            seen.append(repr(job.calls).encode() + ran.stream)
        return ran

    between.change = look
    async with SandboxGrader(suite, between, cache=cache) as grader:
        assert (await grader.grade(TASK, program)).base.reason == "wrong output"
    assert seen
    assert not any(b"-secret" in each for each in seen)


# HumanEval's own tests


async def test_humaneval_base_runs_the_check_of_the_package(sandbox: Sandbox) -> None:
    suite = load_suite("humaneval-base")
    async with SandboxGrader(suite, sandbox, workers=2) as grader:
        right, wrong, absent = await asyncio.gather(
            grader.grade("HumanEval/53", suite.hidden["HumanEval/53"].reference()),
            grader.grade("HumanEval/53", "def add(x, y):\n    return x - y\n"),
            grader.grade("HumanEval/53", "def plus(x, y):\n    return x + y\n"),
        )
    assert right == Verdict.of("HumanEval/53", base=PASSED, plus=None)
    assert wrong.base.status == "failed"
    assert str(wrong.base.reason).startswith("wrong output")
    assert base(absent) == ("failed", "does not define add", None)


async def test_humaneval_base_passes_its_canonical_solutions(sandbox: Sandbox) -> None:
    suite = load_suite("humaneval-base")
    async with SandboxGrader(suite, sandbox, workers=2) as grader:
        verdicts = await asyncio.gather(
            *(grader.grade(task.id, suite.hidden[task.id].reference()) for task in suite.tasks)
        )
    assert [verdict for verdict in verdicts if verdict.base.status != "passed"] == []


# Parity with EvalPlus's data


@needs_data
async def test_humaneval_32_passes_and_only_in_compatible_mode_does_not(sandbox: Sandbox) -> None:
    suite = load_suite("humaneval", data=HUMANEVAL_PLUS)
    program = suite.hidden["HumanEval/32"].reference()
    async with SandboxGrader(suite, sandbox) as grader:
        assert (await grader.grade("HumanEval/32", program)).passed_plus
    async with SandboxGrader(suite, sandbox, Rules(evalplus_compatible=True)) as grader:
        verdict = await grader.grade("HumanEval/32", program)
    assert verdict.base.status == "failed"
    assert str(verdict.base.reason).startswith("EvalPlus 0.3.1 passes no program here")


@needs_data
async def test_mbpp_s_special_inputs_and_oracles_hold(sandbox: Sandbox) -> None:
    suite = load_suite("mbpp", data=MBPP_PLUS)
    special = [2, 7, 63, 115, 124, 164, 252, 295, 558, 580, 581, 722, 778]
    ids = [f"Mbpp/{number}" for number in special if f"Mbpp/{number}" in suite.hidden]
    async with SandboxGrader(suite, sandbox, workers=2) as grader:
        verdicts = await asyncio.gather(
            *(grader.grade(task_id, suite.hidden[task_id].reference()) for task_id in ids)
        )
        order = "def similar_elements(a, b):\n    return sorted(set(a) & set(b), reverse=True)\n"
        assert (await grader.grade("Mbpp/2", order)).passed_plus
    assert len(ids) > 9
    assert [verdict for verdict in verdicts if not verdict.passed_plus] == []


# Load, and a broken sandbox


BEGIN, END = frame("B", b""), frame("E", b"")
LATE = Ran("timed_out", BEGIN, cpu=0.001, killed=True)


@pytest.mark.parametrize("first", [LATE, Ran("died", b"", "signal SIGKILL", killed=True)])
async def test_what_may_be_load_is_tried_again_alone(
    suite: Suite, between: Between, cache: CalibrationCache, first: Ran
) -> None:
    slow, tries = RIGHT + "# slow\n", list[str]()

    def late_once(job: Job, ran: Ran) -> Ran:
        tries.extend([slow] if job.program == slow else [])
        return first if job.program == slow and len(tries) <= 2 else ran

    between.change = late_once
    async with SandboxGrader(suite, between, workers=2, cache=cache) as grader:
        await grader.grade(TASK, RIGHT)
        others = [grader.grade(TASK, f"{RIGHT}# {number}\n") for number in range(8)]
        verdict, *rest = await asyncio.gather(grader.grade(TASK, slow), *others)
    assert verdict.passed_plus
    assert all(other.passed_plus for other in rest)
    assert len(tries) == 4


async def test_a_second_try_has_nothing_beside_it(
    suite: Suite, between: Between, cache: CalibrationCache
) -> None:
    slow, tries = RIGHT + "# slow\n", list[int]()
    beside: list[set[str]] = []

    def late_once(job: Job, ran: Ran) -> Ran:
        if job.program != slow:
            return ran
        tries.append(1)
        if len(tries) > 2:
            beside.append(set(between.running))
        return LATE if len(tries) <= 2 else ran

    between.change = late_once
    async with SandboxGrader(suite, between, workers=3, cache=cache) as grader:
        await grader.grade(TASK, RIGHT)
        others = [grader.grade(TASK, f"{RIGHT}# {number}\n") for number in range(20)]
        await asyncio.gather(grader.grade(TASK, slow), *others)
    assert beside == [{slow}] * 2


@pytest.mark.parametrize(
    "first",
    [
        Ran("died", BEGIN, "exit code 0 before the end"),
        Ran("died", BEGIN, "signal SIGSEGV"),
        Ran("finished", BEGIN + frame("L", b"") + END, cpu=0.01),
        Ran("timed_out", BEGIN, cpu=0.01, wall=10.1, killed=True),
        Ran("timed_out", BEGIN, cpu=60.0, wall=60.0, killed=True),
    ],
    ids=["exit", "crash", "claimed time-out", "sleep", "loop"],
)
async def test_a_program_that_ends_by_a_coin_has_no_second_toss(
    suite: Suite, between: Between, cache: CalibrationCache, first: Ran
) -> None:
    """The loop is tried again, but the second run used a small part of the first one's time."""
    unlucky = RIGHT + "# by a coin\n"
    tosses = iter([first])
    between.change = lambda job, ran: next(tosses, ran) if job.program == unlucky else ran
    async with SandboxGrader(suite, between, Rules(base_only=True), workers=2, cache=cache) as grader:
        verdict = await grader.grade(TASK, unlucky)
    assert verdict.base.status == "failed"


@pytest.mark.parametrize(
    ("body", "runs"),
    [
        ("os._exit(0)", 1),
        ("os.abort()", 1),
        ("os.write(3, b'L\\0\\0\\0\\0E\\0\\0\\0\\0'); os._exit(0)", 1),
        ("time.sleep(60)", 1),
        ("while True: pass", 2),
    ],
    ids=["exit", "crash", "claimed time-out", "sleep", "loop"],
)
async def test_only_what_the_sandbox_ended_for_want_of_time_runs_again(
    suite: Suite, between: Between, cache: CalibrationCache, body: str, runs: int
) -> None:
    program = f"import os, time\ndef triple(n):\n    {body}\n"
    async with SandboxGrader(suite, between, Rules(base_only=True), workers=2, cache=cache) as grader:
        verdict = await grader.grade(TASK, program)
    assert verdict.base.status == "failed"
    assert between.programs.count(program) == runs


async def test_a_failure_of_its_own_is_not_tried_again(
    suite: Suite, between: Between, cache: CalibrationCache
) -> None:
    program = "def triple(n):\n    return 1 // 0\n"
    async with SandboxGrader(suite, between, cache=cache) as grader:
        await grader.grade(TASK, program)
    assert between.programs.count(program) == 2


async def test_a_sandbox_that_breaks_is_one_errored_verdict(
    suite: Suite, between: Between, cache: CalibrationCache
) -> None:
    def break_on_bad(job: Job, ran: Ran) -> Ran:
        if "bad" in job.program:
            raise SandboxError("the fork server died")
        return ran

    between.change = break_on_bad
    async with SandboxGrader(suite, between, workers=2, cache=cache) as grader:
        bad, good = await asyncio.gather(grader.grade(TASK, RIGHT + "# bad"), grader.grade(TASK, RIGHT))
    assert bad == Verdict.of_error(TASK, "SandboxError: the fork server died", plus=True)
    assert good.passed_plus


async def test_a_sandbox_that_breaks_under_the_reference_is_asked_again(
    suite: Suite, between: Between, cache: CalibrationCache
) -> None:
    faults = iter([SandboxError("broken once")])

    def break_once(job: Job, ran: Ran) -> Ran:
        for fault in faults:
            raise fault
        return ran

    between.change = break_once
    async with SandboxGrader(suite, between, cache=cache) as grader:
        assert (await grader.grade(TASK, RIGHT)).errored
        assert (await grader.grade(TASK, RIGHT)).passed_plus


@pytest.mark.parametrize(
    ("solution", "why"),
    [
        ("    return 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("    return\ndef other(:\n", "SyntaxError"),
        ("    import os; os._exit(3)\n", "exit"),
    ],
)
async def test_a_task_whose_reference_breaks_is_errored_and_named(
    sandbox: Sandbox, cache: CalibrationCache, tmp_path: Path, solution: str, why: str
) -> None:
    suite = load_suite(
        "humaneval", data=write_rows(tmp_path / "d.jsonl", problem(canonical_solution=solution))
    )
    async with SandboxGrader(suite, sandbox, cache=cache) as grader:
        verdict = await grader.grade(TASK, RIGHT)
    assert verdict.errored
    assert str(verdict.base.reason).startswith(
        "SuiteError: HumanEval/0: the reference does not go through its own tests: "
    )
    assert why in str(verdict.base.reason)


async def test_a_cancelled_grade_leaves_the_grader_usable(grader: SandboxGrader) -> None:
    await grader.grade(TASK, RIGHT)
    for pause in (0, 0.001, 0.05, 0.3):
        slow = asyncio.create_task(grader.grade(TASK, "import time\ntime.sleep(30)\n"))
        await asyncio.sleep(pause)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
    assert (await grader.grade(TASK, RIGHT)).passed_plus
