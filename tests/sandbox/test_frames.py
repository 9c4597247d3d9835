"""A stream of frames as the host reads it: whole frames alone, and whatever a program forged is only data."""

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.sandbox.ending import tell
from dualcode.sandbox.job import HEAD, Arguments, Expressions, Job, Ran, digest, frame, frames, told
from dualcode.sandbox.wire import ENDINGS, Answer, Arrival, Ending, Request

FRAMES = st.lists(st.tuples(st.sampled_from("BVGDORLPTFE"), st.binary(max_size=20)), max_size=8)
SECONDS = st.floats(min_value=0, max_value=1e6)
COUNTS = st.integers(min_value=0, max_value=(1 << 64) - 1)
CAME = st.lists(st.tuples(COUNTS, SECONDS, SECONDS), max_size=8)
quick = settings(max_examples=50, deadline=None, derandomize=True)


def answer(length: int, ending: Ending | None = None) -> Answer:
    return Answer(1, ending, 0, 0.1, 0.1, 1, length, [Arrival(0, 0.0, 0.1), Arrival(length, 0.1, 0.1)], "")


@quick
@given(FRAMES)
def test_frames_are_read_as_they_were_written(written: list[tuple[str, bytes]]) -> None:
    assert [tuple(each) for each in frames(b"".join(frame(*each) for each in written))] == written


@quick
@given(FRAMES, st.integers(min_value=0, max_value=200))
def test_a_stream_that_is_cut_loses_only_the_frame_at_the_cut(
    written: list[tuple[str, bytes]], length: int
) -> None:
    stream = b"".join(frame(*each) for each in written)[:length]
    read = [tuple(each) for each in frames(stream)]
    assert read == written[: len(read)]
    assert len(stream) - sum(HEAD.size + len(payload) for _, payload in read) < HEAD.size + 20


@quick
@given(st.binary(max_size=100))
def test_any_bytes_are_told_without_an_error_and_kept_at_a_frame_s_end(content: bytes) -> None:
    ran = tell(Job("", Arguments.of("f", [[1]] * 3)), answer(len(content)), content)
    assert content.startswith(ran.stream)
    assert b"".join(frame(*each) for each in frames(ran.stream)) == ran.stream
    assert (ran.ending == "finished") <= ran.stream.endswith(frame("E", b""))
    assert len(ran.printed()) + len(ran.returned()) <= len(list(ran.frames()))
    ran.told()
    ran.times()


def test_nothing_behind_the_last_frame_counts_and_no_more_frames_than_calls_can_leave() -> None:
    job = Job("", Expressions(("1",)))
    end, value = frame("E", b""), frame("V", b"N")
    whole = frame("B", b"") + value + end
    assert tell(job, answer(len(whole)), whole).ending == "finished"
    for forged in (whole + end, whole + b"x", whole + frame("V", b"T") + end):
        ran = tell(job, answer(len(forged)), forged)
        assert (ran.ending, ran.stream) == ("died", whole)
    flood = value * 1000 + end
    ran = tell(job, answer(len(flood)), flood)
    assert (ran.ending, ran.detail) == ("died", "exit code 0 before the end")
    assert len(ran.returned()) <= 5


def test_a_job_that_captures_may_leave_a_frame_more_for_each_call() -> None:
    calls = frame("B", b"") + (frame("V", b"N") + frame("P", b"said")) * 40 + frame("E", b"")
    job = Job("", Arguments.of("f", [[1]] * 40), capture=True)
    ran = tell(job, answer(len(calls)), calls)
    assert (ran.ending, ran.printed()) == ("finished", ["said"] * 40)
    assert tell(Job("", job.calls), answer(len(calls)), calls).ending == "died"


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_ending_by_the_server_stands_whatever_the_frames_say(ending: Ending) -> None:
    whole = frame("B", b"") + frame("V", b"N") + frame("E", b"")
    ran = tell(Job("", Expressions(("1",))), answer(len(whole), ending), whole)
    assert (ran.ending, ran.killed, ran.stream) == (ending, True, whole)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"[]", b'["a"]', b"[1,", b'"abc"', b'{"a":1,"b":2,"c":3}', b"\xff", b"[" * 100_000],
)
def test_the_report_of_an_exception_that_is_none_says_so(payload: bytes) -> None:
    read = told(payload)
    assert (read.type, read.traceback) == ("Exception", "")
    assert "not readable" in read.message


def test_what_is_told_of_an_exception_is_text_of_bounded_length() -> None:
    read = told(json.dumps([{"a": 1}, "m\udc80" * 5000, None, "Base"]).encode())
    assert (read.type, read.traceback) == ("{'a': 1}", "None")
    assert (len(read.message), read.message[:2]) == (2000, "m?")


def test_times_that_are_no_whole_numbers_are_left_out() -> None:
    times = struct.pack("<2d", 0.25, 1.5)
    assert Ran("finished", frame("T", times + b"abc")).times() == [0.25, 1.5]
    assert Ran("finished", frame("V", times)).times() == []


def test_a_digest_tells_values_of_another_kind_or_length_apart() -> None:
    kinds = {digest(kind, payload) for kind in "VG" for payload in (b"", b"a", b"aa")}
    assert len(kinds) == 6
    assert digest("V", b"a" * 9) == digest("V", b"a" * 9)


@quick
@given(
    COUNTS, st.sampled_from((*ENDINGS, None)), SECONDS, COUNTS, st.lists(st.tuples(COUNTS, SECONDS, SECONDS))
)
def test_an_answer_arrives_as_it_was_sent_and_none_is_read_from_a_part(
    count: int, ending: Ending | None, seconds: float, peak: int, came: list[tuple[int, float, float]]
) -> None:
    arrivals = [Arrival(*each) for each in came]
    sent = Answer(count, ending, -9, seconds, seconds, peak, count, arrivals, "ä" * 3)
    message = sent.pack()
    assert Answer.unpack(message) == sent
    head = len(message) - len(sent.detail.encode())
    for length in range(0, head, 7):
        with pytest.raises(struct.error):
            Answer.unpack(message[:length])


@pytest.mark.parametrize("message", [b"", b"ready", b"x" * 63, b"x" * 65])
def test_a_message_that_is_no_request_is_an_error(message: bytes) -> None:
    with pytest.raises(struct.error):
        Request.unpack(message)


def test_an_ending_that_there_is_not_is_an_error() -> None:
    message = bytearray(answer(4).pack())
    message[8] = len(ENDINGS) + 1
    with pytest.raises(IndexError):
        Answer.unpack(bytes(message))
