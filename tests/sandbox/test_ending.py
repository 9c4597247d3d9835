"""How a run ended, told from its frames, its status, and the CPU seconds at which its bytes came."""

import signal

import pytest

from dualcode.sandbox.ending import tell
from dualcode.sandbox.job import Arguments, Job, Limits, Ran, frame
from dualcode.sandbox.wire import Answer, Arrival

JOB = Job("", Arguments.of("f", [[1]] * 4), Limits(call_cpu=1.0, slow_calls={2: 5.0}, total_cpu=30.0))
B, V, E = frame("B", b""), frame("V", b"N"), frame("E", b"")
EXIT_3 = 3 << 8


def ran(*pieces: tuple[bytes, float, float], status: int = 0, cpu: float | None = None) -> Ran:
    """Return what is told of pieces of a stream: each with the CPU seconds by which it came, and until when
    nothing more had come."""
    content = b""
    arrivals = [Arrival(0, 0.0, pieces[0][1] if pieces else 0.0)]
    for piece, by, until in pieces:
        content += piece
        arrivals.append(Arrival(len(content), by, until))
    used = cpu if cpu is not None else arrivals[-1].until
    return tell(JOB, Answer(1, None, status, used, used, 1 << 20, len(content), arrivals, ""), content)


def test_a_whole_stream_in_time_has_finished() -> None:
    done = ran((B, 0.1, 0.5), (V, 0.9, 1.8), (V, 1.9, 6.8), (V + V + E, 6.9, 6.9))
    assert (done.ending, done.detail, done.killed) == ("finished", "", False)


def test_bytes_that_are_no_frame_gain_no_time() -> None:
    dribbled = [(bytes([each]), 0.9 * at, 0.9 * at + 0.8) for at, each in enumerate(V[:4], 1)]
    done = ran((B, 0.1, 0.8), *dribbled, (V[4:] + V * 3 + E, 4.5, 4.5))
    assert (done.ending, done.killed) == ("timed_out", False)
    assert done.detail == "1 s of CPU time for a call"


def test_the_first_call_has_its_time_from_the_first_byte_on() -> None:
    """Whatever that byte is, the program is given its calls for it."""
    dribbled = [(B[at : at + 1], 0.1 + 0.9 * at, 0.9 + 0.9 * at) for at in range(len(B))]
    done = ran(*dribbled, (V * 4 + E, 4.0, 4.0))
    assert (done.ending, done.detail) == ("timed_out", "1 s of CPU time for a call")


def test_a_call_has_its_own_limit() -> None:
    assert ran((B, 0.1, 0.1), (V + V, 0.2, 5.1), (V + V + E, 5.2, 5.2)).ending == "finished"
    assert ran((B, 0.1, 0.1), (V + V, 0.2, 6.0), (V + V + E, 6.1, 6.1)).ending == "timed_out"


def test_many_calls_cannot_each_take_the_slack() -> None:
    calls = [(V, 1.4 * at, 1.4 * at + 1.3) for at in range(1, 4)]
    done = ran((B, 0.1, 1.3), *calls, (V + E, 5.7, 5.7))
    assert (done.ending, done.detail) == ("timed_out", "2 s of CPU time for 2 calls")


def test_what_a_busy_machine_moved_late_is_not_held_against_a_program() -> None:
    assert ran((B, 3.9, 0.1), (V * 4 + E, 4.0, 0.1)).ending == "finished"
    assert ran((B, 0.1, 0.1), (V * 4 + E, 4.0, 0.1)).ending == "finished"


def test_frames_written_before_their_time_gain_none() -> None:
    assert ran((B + V * 4, 0.1, 9.0), (E, 9.1, 9.1)).ending == "finished"  # its answers stand, wrong or right
    assert ran((B + V * 2, 0.1, 9.0), (V * 2 + E, 9.1, 9.1)).ending == "timed_out"


def test_a_limit_that_was_told_must_have_been_reached() -> None:
    told = frame("L", b"") + E
    reached = ran((B + V, 0.1, 1.1), (told, 1.2, 1.2))
    assert (reached.ending, reached.killed) == ("timed_out", True)
    with_quick_ones = ran((B, 0.1, 0.1), (V + told, 1.2, 0.1), cpu=1.2)
    assert (with_quick_ones.ending, with_quick_ones.killed) == ("timed_out", True)
    claimed = ran((B + V, 0.1, 0.5), (told, 0.6, 0.6))
    assert (claimed.ending, claimed.killed) == ("died", False)
    assert claimed.detail == "told of a limit, 1 s of CPU time, that it had not reached"


@pytest.mark.parametrize(
    ("status", "cpu", "ending", "detail", "killed"),
    [
        (signal.SIGKILL, 1.0, "died", "signal SIGKILL", True),
        (signal.SIGKILL, 31.0, "timed_out", "30 s of CPU time in all", True),
        (signal.SIGSEGV, 1.0, "died", "signal SIGSEGV", False),
        (40, 1.0, "died", "signal 40", False),
        (EXIT_3, 1.0, "died", "exit code 3", False),
    ],
)
def test_only_the_kernel_and_the_watch_kill(
    status: int, cpu: float, ending: str, detail: str, killed: bool
) -> None:
    done = ran((B + V, 0.1, 0.1), status=status, cpu=cpu)
    assert (done.ending, done.detail, done.killed) == (ending, detail, killed)


def test_what_the_server_ended_was_killed() -> None:
    answer = Answer(1, "flooded", signal.SIGKILL, 1.0, 1.0, 1, 9, [Arrival(0, 0.0, 0.0)], "more than 9 bytes")
    done = tell(JOB, answer, B + V[:4])
    assert (done.ending, done.stream, done.detail, done.killed) == ("flooded", B, "more than 9 bytes", True)
