"""Every limit is enforced from outside the candidate's process, and every ending is told from the others."""

from dataclasses import replace
from typing import Any

import pytest

from dualcode.sandbox.job import Arguments, Expressions, Job, Limits, Ran
from dualcode.sandbox.pool import Pool

CALL = Limits(call_cpu=0.2)
SPENDING = """
import time
def f(x):
    end = time.process_time() + {seconds}
    while time.process_time() < end: pass
"""


def calling(program: str, **options: Any) -> Job:
    return Job(program, Arguments.of("f", [[1], [2]]), **options)


def kinds(ran: Ran) -> str:
    return "".join(frame.kind for frame in ran.frames())


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        "import signal\n    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n    while True: pass",
        "return sum(iter(int, 1))",
        "import threading\n    threading.Thread(target=sum, args=[iter(int, 1)]).start()\n    while 1: pass",
    ],
    ids=["loop", "swallowed", "masked", "in-C", "in-a-thread"],
)
async def test_an_endless_call_is_timed_out(sandbox: Pool, body: str) -> None:
    ran = await sandbox.run(calling(f"def f(x):\n    {body}", limits=CALL))
    assert ran.ending == "timed_out", ran
    assert kinds(ran) in ("B", "BLE")


async def test_a_swallowed_alarm_is_a_time_out_nevertheless(sandbox: Pool) -> None:
    program = "def f(x):\n    try:\n        while True: pass\n    except Exception: return x"
    ran = await sandbox.run(calling(program, limits=CALL, go_on=True))
    assert (ran.ending, kinds(ran)) == ("timed_out", "BLE")


async def test_calls_that_may_be_slow_have_limits_of_their_own(sandbox: Pool) -> None:
    program = SPENDING.format(seconds=0.4)
    ran = await sandbox.run(calling(program, limits=Limits(call_cpu=0.2, slow_calls={0: 5.0})))
    assert (ran.ending, kinds(ran)) == ("timed_out", "BVLE")


async def test_sleep_is_no_cpu_time(sandbox: Pool) -> None:
    ran = await sandbox.run(calling("import time\ndef f(x): time.sleep(0.3)", limits=CALL))
    assert ran.ending == "finished"


async def test_a_sleeper_meets_the_wall(sandbox: Pool) -> None:
    ran = await sandbox.run(calling("import time\ndef f(x): time.sleep(1000)", limits=Limits(wall=0.3)))
    assert (ran.ending, ran.detail) == ("timed_out", "0.3 s of time")


async def test_loading_is_under_the_total_limit(sandbox: Pool) -> None:
    ran = await sandbox.run(calling("while True: pass", limits=Limits(total_cpu=0.3)))
    assert (ran.ending, kinds(ran)) == ("timed_out", "")


async def test_many_calls_are_under_the_total_limit(sandbox: Pool) -> None:
    program = SPENDING.format(seconds=0.1)
    job = Job(program, Arguments.of("f", [[1]] * 50), limits=Limits(call_cpu=1.0, total_cpu=0.5))
    ran = await sandbox.run(job)
    assert ran.ending == "timed_out"
    assert ran.detail == "0.5 s of CPU time in all"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("import os\n    os._exit(0)", "exit code 0 before the end"),
        ("import os\n    os._exit(3)", "exit code 3"),
        ("import ctypes\n    ctypes.string_at(0)", "signal SIGSEGV"),
    ],
)
async def test_a_death_is_told_with_its_cause(sandbox: Pool, body: str, detail: str) -> None:
    ran = await sandbox.run(calling(f"def f(x):\n    {body}"))
    assert (ran.ending, ran.detail) == ("died", detail)


async def test_memory_is_bounded_and_running_out_of_it_is_an_exception(sandbox: Pool) -> None:
    limits = Limits(memory=512 << 20)
    ran = await sandbox.run(calling("def f(x): return bytearray(600 << 20)[0]", limits=limits))
    told = ran.told()
    assert told is not None
    assert (ran.ending, told.type) == ("finished", "MemoryError")


async def test_more_output_than_allowed_is_cut_at_a_whole_frame(sandbox: Pool) -> None:
    limits = Limits(output=1 << 20)
    ran = await sandbox.run(calling("def f(x): return 'a' * (600 << 10)", limits=limits, digest_above=None))
    assert (ran.ending, kinds(ran)) == ("flooded", "BV")


@pytest.mark.parametrize(
    "writing",
    [
        "while True: os.write(3, b'x' * 65536)",
        "while True: os.write(3, b'V' + bytes(4))",
        "os.write(3, b'V\\xff\\xff\\xff\\xff')\n    while True: os.write(3, b'x' * 65536)",
    ],
)
async def test_a_flood_of_bytes_ends_the_run(sandbox: Pool, writing: str) -> None:
    ran = await sandbox.run(calling(f"import os\ndef f(x):\n    {writing}", limits=Limits(output=1 << 20)))
    assert ran.ending == "flooded"
    assert len(ran.stream) <= 1 << 20


@pytest.mark.parametrize(
    "raw",
    [
        "b''",
        "b'x'",
        "b'V\\xff\\xff\\xff\\xff'",
        "b'E\\0\\0\\0\\0trailing'",
        "b'V' + bytes(4) + b'E\\0\\0\\0'",
        "bytes(range(256)) * 99",
    ],
)
async def test_a_stream_without_a_proper_end_is_never_finished(sandbox: Pool, raw: str) -> None:
    ran = await sandbox.run(calling(f"import os\ndef f(x):\n    os.write(3, {raw})\n    os._exit(0)"))
    assert ran.ending == "died"
    assert b"trailing" not in ran.stream


async def test_more_frames_than_calls_are_never_finished(sandbox: Pool) -> None:
    program = (
        "import os\ndef f(x):\n    os.write(3, (b'V' + bytes(4)) * 100 + b'E' + bytes(4))\n    os._exit(0)"
    )
    assert (await sandbox.run(calling(program))).ending == "died"


async def test_a_closed_stream_is_no_end(sandbox: Pool) -> None:
    ran = await sandbox.run(
        calling("import os\ndef f(x):\n    os.close(3)\n    while True: pass", limits=CALL)
    )
    assert ran.ending in ("timed_out", "died")


async def test_threads_left_running_delay_nothing(sandbox: Pool) -> None:
    program = """
import atexit, threading
def spin():
    while True: pass
atexit.register(spin)
def f(x):
    threading.Thread(target=spin).start()
    return x
"""
    ran = await sandbox.run(calling(program, limits=Limits(wall=30.0)))
    assert ran.ending == "finished"


async def test_threads_are_bounded(sandbox: Pool) -> None:
    program = """
import threading, time
threading.stack_size(65536)
def f(x):
    count = 0
    try:
        while count < 20000:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            count += 1
    except RuntimeError:
        return count < 1000
    time.sleep(60)
"""
    ran = await sandbox.run(calling(program))
    assert ran.detail == "more than 256 threads" or kinds(ran) == "BVVE"


async def test_files_are_bounded(sandbox: Pool) -> None:
    program = """
import io, time
def f(x):
    try:
        for number in range(400):
            with io.open(str(number), "wb") as file:
                file.write(bytes(1 << 20))
            time.sleep(0.002)
    except OSError as error:
        return error.errno == 28
"""
    ran = await sandbox.run(calling(program))
    assert "MiB" in ran.detail or kinds(ran) == "BVVE"


async def test_a_file_is_bounded(sandbox: Pool) -> None:
    program = "import io\ndef f(x):\n    with io.open('big', 'wb') as file: file.write(bytes(17 << 20))"
    told = (await sandbox.run(calling(program))).told()
    assert told is not None
    assert told.type == "OSError"


async def test_expressions_have_the_calls_limit(sandbox: Pool) -> None:
    job = Job("", Expressions(("1", "sum(iter(int, 1))", "2")), limits=CALL)
    ran = await sandbox.run(job)
    assert (ran.ending, kinds(ran)) == ("timed_out", "BV")


SPEND = """
import os, time, signal
def spend(seconds, meanwhile=lambda: None):
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    end = time.process_time() + seconds
    while time.process_time() < end:
        until = time.process_time() + 0.15
        while time.process_time() < until: pass
        meanwhile()
"""


async def test_a_program_that_cancels_its_timer_meets_the_watch(sandbox: Pool) -> None:
    ran = await sandbox.run(calling(SPEND + "def f(x): spend(5)", limits=CALL))
    assert (ran.ending, ran.detail, ran.killed) == ("timed_out", "0.2 s of CPU time for a call", True)
    assert ran.cpu < 2


async def test_dribbled_bytes_gain_a_call_no_time(sandbox: Pool) -> None:
    """The bytes are a right frame's, so that the stream is whole in the end."""
    program = (
        SPEND
        + """
rest = list(b"V\\x01\\0\\0\\0N")
def f(x):
    if x == 2: return
    spend(0.8, lambda: rest[1:] and os.write(3, bytes([rest.pop(0)])))
    os.write(3, bytes(rest))
"""
    )
    job = Job(program, Arguments.of("f", [[1], [2], [2]]), limits=CALL)
    ran = await sandbox.run(job)
    assert (ran.ending, ran.detail, ran.killed) == ("timed_out", "0.2 s of CPU time for a call", False)
    roomy = Limits(call_cpu=0.2, slow_calls={0: 2.0})
    assert (await sandbox.run(replace(job, limits=roomy))).ending == "finished"


async def test_frames_before_their_time_gain_a_call_no_time(sandbox: Pool) -> None:
    """Answers to calls that were not made are given away: the next answers are held against these calls."""
    program = SPEND + "def f(x):\n    spend(1.2, lambda: os.write(3, b'V\\x01\\0\\0\\0N'))"
    limits = replace(CALL, waiting=600.0, wall=600.0)  # others may have the processors meanwhile
    ran = await sandbox.run(Job(program, Arguments.of("f", [[1]] * 4), limits=limits))
    assert (ran.ending, ran.detail) == ("died", "exit code 0 before the end")


async def test_a_limit_that_is_only_told_is_no_time_out(sandbox: Pool) -> None:
    program = "import os\ndef f(x):\n    os.write(3, b'L' + bytes(4) + b'E' + bytes(4))\n    os._exit(0)"
    ran = await sandbox.run(calling(program))
    assert (ran.ending, ran.killed) == ("died", False)


@pytest.mark.parametrize(
    ("body", "killed"),
    [
        ("while True: pass", True),
        ("import os\n    os._exit(0)", False),
        ("import ctypes\n    ctypes.string_at(0)", False),
        ("return x", False),
        ("raise ValueError", False),
    ],
)
async def test_a_run_says_whether_it_was_ended_from_outside(sandbox: Pool, body: str, killed: bool) -> None:
    assert (await sandbox.run(calling(f"def f(x):\n    {body}", limits=CALL))).killed is killed


async def test_a_quick_call_is_not_blamed_for_the_slow_one_behind_it(sandbox: Pool) -> None:
    """Frames of quick calls wait for the next, which may be one that is allowed to take long."""
    busy = "import time\ndef f(x):\n end = time.process_time() + x\n while time.process_time() < end: pass\n"
    limits = Limits(call_cpu=0.1, slow_calls={2: 4.0}, total_cpu=10.0, waiting=600.0, wall=600.0)
    ran = await sandbox.run(Job(busy, Arguments.of("f", [[0.0], [0.0], [1.5], [0.0]]), limits))
    assert (ran.ending, ran.detail) == ("finished", "")
