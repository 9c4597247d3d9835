"""The grader: EvalPlus's verdicts, their reasons, and what a broken worker costs."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
import pytest

from dualcode.errors import GraderError, UnknownNameError
from dualcode.eval.grader import EvalPlusGrader, Grader
from dualcode.eval.suites import Suite, load_suite
from dualcode.verdict import Outcome, Verdict
from tests.eval.data import HUMANEVAL_PLUS, MBPP_PLUS, needs_data, problem, write_rows

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
async def grader(suite: Suite) -> AsyncGenerator[EvalPlusGrader]:
    async with EvalPlusGrader(suite, workers=1) as grader:
        yield grader


def base(verdict: Verdict) -> tuple[str, str | None, str | None]:
    return verdict.base.status, verdict.base.reason, verdict.base.failing_input


def found(folder: Path, pattern: str) -> list[Path]:
    return list(folder.rglob(pattern))


# Verdicts and their reasons


async def test_a_right_program_passes_base_and_plus(grader: Grader) -> None:
    assert await grader.grade(TASK, RIGHT) == Verdict(task_id=TASK, base=PASSED, plus=PASSED)


async def test_plus_is_graded_even_if_base_failed(grader: Grader) -> None:
    verdict = await grader.grade(TASK, "def triple(n):\n    return 3 * n if n not in (1, 2) else 0\n")
    assert base(verdict) == ("failed", "wrong output", "1")
    assert verdict.plus == PASSED
    assert not verdict.passed_plus


async def test_the_first_failing_input_is_named(grader: Grader) -> None:
    verdict = await grader.grade(TASK, "def triple(n):\n    return abs(3 * n)\n")
    assert verdict.base == PASSED
    assert verdict.plus == Outcome(status="failed", reason="wrong output", failing_input="-1")


@pytest.mark.parametrize(
    ("program", "reason", "failing_input"),
    [
        ("def triple(n:", "does not compile: SyntaxError: '(' was never closed", None),
        ("x = '\0'", "does not compile: ", None),
        ("", "does not define triple", None),
        ("class Other: pass", "does not define triple", None),
        ("import nowhere", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere'", None),
        ("exit(0)", "cannot be loaded: TypeError: 'NoneType' object is not callable", None),
        ("raise SystemExit(0)", "cannot be loaded: SystemExit: 0", None),
        ("triple = 3", "raised TypeError: 'int' object is not callable", "1"),
        ("class triple:\n    def __init__(self, n): pass", "wrong output", "1"),
        ("def triple(n):\n    return [][n]", "raised IndexError: list index out of range", "1"),
        ("def triple(n):\n    return input()", "raised OSError", "1"),
        ("def triple(n):\n    return open('x')", "raised TypeError: 'NoneType' object is not callable", "1"),
        ("def triple(n):\n    import sys; sys.exit(0)", "raised SystemExit: 0", "1"),
        ("def triple(n):\n    return triple(n)", "raised RecursionError: maximum recursion depth", "1"),
        ("def triple(n):\n    return bytearray(5 << 30)", "raised MemoryError", "1"),
        ("def triple(n):\n    return 3 * n if n < 2 else None", "wrong output", "2"),
    ],
)
async def test_a_failure_has_its_reason(
    grader: Grader, program: str, reason: str, failing_input: str | None
) -> None:
    status, told, shown = base(await grader.grade(TASK, program))
    assert (status, shown) == ("failed", failing_input)
    assert str(told).startswith(reason)


async def test_an_endless_loop_is_a_time_out(grader: Grader) -> None:
    verdict = await grader.grade("HumanEval/1", "def triple(n):\n    while True: pass\n")
    assert base(verdict) == ("failed", "time-out", "1")


async def test_a_loop_that_swallows_the_alarm_is_a_time_out_of_all_tests(grader: Grader) -> None:
    program = (
        "import time\ndef triple(n):\n    while True:\n"
        "        try: time.sleep(30)\n        except Exception: pass\n"
    )
    verdict = await grader.grade("HumanEval/1", program)
    assert base(verdict) == ("failed", "time-out (all tests together)", "1")


async def test_a_program_that_ends_its_process_fails(grader: Grader) -> None:
    verdict = await grader.grade(TASK, "import os\ndef triple(n):\n    os._exit(0)\n")
    assert base(verdict) == ("failed", "the process died", "1")


async def test_a_hostile_exception_does_not_break_the_reason(grader: Grader) -> None:
    program = "class E(BaseException):\n    def __str__(self): raise self\ndef triple(n):\n    raise E(E())\n"
    assert base(await grader.grade(TASK, program)) == ("failed", "raised E", "1")


async def test_main_blocks_do_not_run(grader: Grader) -> None:
    verdict = await grader.grade(TASK, RIGHT + "if __name__ == '__main__':\n    raise ValueError\n")
    assert verdict.passed_plus


async def test_a_ten_megabyte_program_gets_a_verdict(grader: Grader) -> None:
    assert (await grader.grade(TASK, RIGHT + "#" * 10_000_000)).passed_plus


async def test_a_program_that_cannot_be_loaded_fails_an_empty_set_of_tests_too(grader: Grader) -> None:
    verdict = await grader.grade("HumanEval/1", "import nowhere")
    assert verdict.plus is not None
    assert str(verdict.plus.reason).startswith("cannot be loaded: ModuleNotFoundError")


async def test_a_long_input_is_cut(tmp_path: Path) -> None:
    row = problem(base_input=[["x" * 2000]])
    suite = load_suite("humaneval", data=write_rows(tmp_path / "d.jsonl", row))
    async with EvalPlusGrader(suite, workers=1) as grader:
        shown = (await grader.grade(TASK, "def triple(n):\n    return n")).base.failing_input
    assert shown is not None
    assert (len(shown), shown[-1]) == (500, "…")


async def test_a_task_that_the_suite_lacks_is_refused(grader: Grader) -> None:
    with pytest.raises(UnknownNameError, match="HumanEval/99"):
        await grader.grade("HumanEval/99", RIGHT)


# HumanEval's own tests


async def test_humaneval_base_runs_the_check_of_the_package() -> None:
    suite = load_suite("humaneval-base")
    async with EvalPlusGrader(suite, workers=2) as grader:
        right, wrong, absent = await asyncio.gather(
            grader.grade("HumanEval/53", suite.hidden["HumanEval/53"].reference()),
            grader.grade("HumanEval/53", "def add(x, y):\n    return x - y\n"),
            grader.grade("HumanEval/53", "def plus(x, y):\n    return x + y\n"),
        )
    assert right == Verdict(task_id="HumanEval/53", base=PASSED, plus=None)
    assert base(wrong) == ("failed", "wrong output: assert candidate(0, 1) == 1", None)
    assert base(absent) == ("failed", "does not define add", None)


async def test_humaneval_base_passes_its_canonical_solutions() -> None:
    suite = load_suite("humaneval-base")
    async with EvalPlusGrader(suite, workers=2) as grader:
        verdicts = await asyncio.gather(
            *(grader.grade(task.id, suite.hidden[task.id].reference()) for task in suite.tasks)
        )
    assert [verdict for verdict in verdicts if verdict.base.status != "passed"] == []


# Parity with EvalPlus's data


@needs_data
async def test_humaneval_32_passes_no_program_in_evalplus_0_3_1() -> None:
    suite = load_suite("humaneval", data=HUMANEVAL_PLUS)
    async with EvalPlusGrader(suite, workers=1) as grader:
        verdict = await grader.grade("HumanEval/32", suite.hidden["HumanEval/32"].reference())
    assert verdict.base.status == "failed"
    assert str(verdict.base.reason).startswith("EvalPlus 0.3.1 passes no program here")


@needs_data
async def test_mbpp_s_special_inputs_and_oracles_hold() -> None:
    suite = load_suite("mbpp", data=MBPP_PLUS)
    special = [2, 7, 63, 115, 124, 164, 252, 295, 558, 580, 581, 722, 778]
    ids = [f"Mbpp/{number}" for number in special if f"Mbpp/{number}" in suite.hidden]
    async with EvalPlusGrader(suite, workers=2) as grader:
        verdicts = await asyncio.gather(
            *(grader.grade(task_id, suite.hidden[task_id].reference()) for task_id in ids)
        )
        order = "def similar_elements(a, b):\n    return sorted(set(a) & set(b), reverse=True)\n"
        assert (await grader.grade("Mbpp/2", order)).passed_plus
    assert len(ids) > 9
    assert [verdict for verdict in verdicts if not verdict.passed_plus] == []


async def test_a_candidate_has_4_gib_beyond_what_it_inherits(grader: Grader) -> None:
    if psutil.virtual_memory().total < 6 << 30:
        pytest.skip("EvalPlus lowers the limit on a machine with less memory")
    program = "import mmap\ndef triple(n):\n    x = mmap.mmap(-1, 4090 << 20)\n    return 3 * n\n"
    assert (await grader.grade(TASK, program)).passed_plus


async def test_recursion_goes_as_deep_as_under_evalplus_evaluate(grader: Grader) -> None:
    # 28 frames stand on the stack, the candidate's own included, where `evalplus.evaluate` calls it.
    program = (
        "import sys\ndef triple(n):\n    frame, depth = sys._getframe(), 0\n"
        "    while frame: frame, depth = frame.f_back, depth + 1\n"
        "    return 3 * n if depth == 28 else depth\n"
    )
    assert (await grader.grade(TASK, program)).passed_plus


def printed(command: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


async def test_hash_seed_and_random_state_are_the_same_each_time(grader: Grader) -> None:
    command = "import random; random.seed(0); print((hash('dualcode'), random.random()))"
    told = printed(command, PYTHONHASHSEED="0")
    program = f"import random\nfixed = (hash('dualcode'), random.random()) == {told}\n"
    program += "def triple(n):\n    return 3 * n if fixed else None\n"
    assert (await grader.grade(TASK, program)).passed_plus


# What a candidate sees


async def test_nothing_that_a_candidate_writes_reaches_the_terminal(
    grader: Grader, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = "import os, sys\nprint('noise', flush=True)\nfor d in (1, 2): os.write(d, b'noise')\n"
    noise += "sys.__stdout__.write('noise'); sys.__stdout__.flush()\n"
    assert (await grader.grade(TASK, noise + RIGHT)).passed_plus
    await grader.close()
    assert capfd.readouterr() == ("", "")


async def test_a_candidate_cannot_write_into_the_protocol(grader: Grader) -> None:
    program = "import os\nfor d in range(3, 64):\n    try: os.write(d, b'{}\\n')\n    except OSError: pass\n"
    assert (await grader.grade(TASK, program + RIGHT)).passed_plus
    assert (await grader.grade(TASK, RIGHT)).passed_plus


async def test_a_candidate_sees_no_variable_of_ours(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "secret")
    program = "import os\nseen = [k for k in os.environ if k in ('API_KEY', 'USER', 'PYTHONPATH')]\n"
    program += "def triple(n):\n    return seen or 3 * n\n"
    assert (await grader.grade(TASK, program)).passed_plus


async def test_a_candidate_runs_in_an_empty_folder(grader: Grader) -> None:
    program = "import os\nseen = os.listdir('.')\ndef triple(n):\n    return seen or 3 * n\n"
    assert (await grader.grade(TASK, program)).passed_plus


async def test_what_a_candidate_leaves_behind_is_removed(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = "import posix\nposix.close(posix.open('left', posix.O_CREAT | posix.O_WRONLY))\n" + RIGHT
    async with EvalPlusGrader(suite, workers=1) as grader:
        await grader.grade(TASK, program)
        assert len(found(tmp_path, "dualcode-grader-*")) == 1
        assert found(tmp_path, "left") == []
    assert found(tmp_path, "*") == []


# A broken worker, and load

KILL_BENCH = "import posix\nposix.kill(posix.getppid(), 9)\n"
KILL_WORKER = "import posix\nposix.killpg(0, 9)\n"


@pytest.mark.parametrize("program", [KILL_BENCH, KILL_WORKER])
async def test_a_killed_worker_is_one_errored_verdict_and_is_replaced(suite: Suite, program: str) -> None:
    async with EvalPlusGrader(suite, workers=2) as grader:
        verdicts = await asyncio.gather(
            *(grader.grade(TASK, text) for text in (RIGHT, program, RIGHT, RIGHT, RIGHT))
        )
    assert [verdict.base.status for verdict in verdicts] == ["passed", "errored", *["passed"] * 3]
    assert verdicts[1].errored
    assert "died" in str(verdicts[1].base.reason)


async def test_a_worker_that_hangs_is_errored_at_the_deadline_and_replaced(suite: Suite) -> None:
    async with EvalPlusGrader(suite, workers=1, deadline=2.0) as grader:
        verdict = await grader.grade(TASK, "import posix\nposix.killpg(0, 19)\n")
        assert verdict.errored
        assert "no answer within 2 s" in str(verdict.base.reason)
        assert (await grader.grade(TASK, RIGHT)).passed_plus


async def test_a_task_whose_reference_breaks_is_errored(tmp_path: Path) -> None:
    row = problem(canonical_solution="    return 1 / 0\n")
    suite = load_suite("humaneval", data=write_rows(tmp_path / "d.jsonl", row))
    async with EvalPlusGrader(suite, workers=1) as grader:
        verdict = await grader.grade(TASK, RIGHT)
    assert verdict.errored
    assert "cannot be checked: ZeroDivisionError" in str(verdict.base.reason)


async def test_a_worker_that_cannot_start_is_an_error_for_all(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    async with EvalPlusGrader(suite, workers=1) as grader:
        for _ in range(2):
            with pytest.raises(GraderError, match="worker does not start"):
                await grader.grade(TASK, RIGHT)


async def test_the_reason_of_a_worker_that_cannot_start_is_told(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def astray(scratch: str) -> dict[str, str]:
        return {"PYTHONHOME": scratch}

    monkeypatch.setattr("dualcode.eval.grader._environment", astray)
    async with EvalPlusGrader(suite, workers=1) as grader:
        with pytest.raises(GraderError, match="does not start.*died: ."):
            await grader.grade(TASK, RIGHT)


async def test_a_cancelled_grade_frees_its_worker(suite: Suite) -> None:
    async with EvalPlusGrader(suite, workers=1) as grader:
        slow = asyncio.create_task(grader.grade(TASK, "import time\ntime.sleep(30)\n"))
        await asyncio.sleep(1)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        started = time.monotonic()
        assert (await grader.grade(TASK, RIGHT)).passed_plus
    assert time.monotonic() - started < 20


async def test_a_grade_cancelled_while_its_worker_starts_leaves_no_half_started_one(suite: Suite) -> None:
    async with EvalPlusGrader(suite, workers=1) as grader:
        for pause in (0, 0.001, 0.05):
            starting = asyncio.create_task(grader.grade(TASK, RIGHT))
            await asyncio.sleep(pause)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
        assert (await grader.grade(TASK, RIGHT)).passed_plus


async def test_closing_leaves_no_process(suite: Suite) -> None:
    strangers = set(psutil.Process().children(recursive=True))  # the model servers of other tests
    grader = EvalPlusGrader(suite, workers=2)
    await asyncio.gather(grader.grade(TASK, RIGHT), grader.grade(TASK, RIGHT))
    busy = asyncio.create_task(grader.grade(TASK, "import time\ntime.sleep(30)\n"))
    await asyncio.sleep(0.5)
    children = [child for child in psutil.Process().children(recursive=True) if child not in strangers]
    assert len(children) >= 2
    await grader.close()
    await grader.close()
    assert (await busy).errored
    psutil.wait_procs(children, timeout=5)
    assert not [child for child in children if child.is_running() and child.status() != "zombie"]
    with pytest.raises(GraderError, match="closed"):
        await grader.grade(TASK, RIGHT)


async def test_a_time_out_is_tried_again_before_it_counts(suite: Suite, tmp_path: Path) -> None:
    marker = tmp_path / "was-here"
    program = (
        "import os, posix, time\n"
        f"marker = {os.fspath(marker)!r}\n"
        "slow = not os.path.exists(marker)\n"
        "posix.close(posix.open(marker, posix.O_CREAT | posix.O_WRONLY))\n"
        "def triple(n):\n    if slow: time.sleep(30)\n    return 3 * n\n"
    )
    async with EvalPlusGrader(suite, workers=1) as grader:
        assert (await grader.grade("HumanEval/1", program)).passed_plus


async def test_a_second_try_has_the_grader_to_itself(suite: Suite, tmp_path: Path) -> None:
    def logging(name: str, body: str) -> str:
        log = os.fspath(tmp_path / name)
        return (
            "import posix, time\n"
            f"d = posix.open({log!r}, posix.O_CREAT | posix.O_WRONLY | posix.O_APPEND)\n"
            "def triple(n):\n"
            "    posix.write(d, b'%f ' % time.time())\n"
            f"    {body}\n"
            "    posix.write(d, b'%f ' % time.time())\n    return 3 * n\n"
        )

    async with EvalPlusGrader(suite, workers=2) as grader:
        await asyncio.gather(
            grader.grade("HumanEval/1", logging("slow", "time.sleep(30)")),
            *(grader.grade("HumanEval/1", logging(str(number), "time.sleep(0.4)")) for number in range(12)),
        )
    first, second = map(float, (tmp_path / "slow").read_text().split())
    assert second > first + 1
    for number in range(12):
        started, ended = map(float, (tmp_path / str(number)).read_text().split())
        assert ended < second or started > second + 1


async def test_grading_leaves_the_event_loop_free(suite: Suite) -> None:
    async with EvalPlusGrader(suite, workers=2) as grader:
        grading = asyncio.gather(*(grader.grade(TASK, RIGHT) for _ in range(20)))
        longest = 0.0
        while not grading.done():
            before = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - before)
    assert longest < 0.25
