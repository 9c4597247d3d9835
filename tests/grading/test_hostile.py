"""No act of a program may end as an errored verdict, or as an exception of the grader's: it has failed."""

import random
import struct
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.grader import SandboxGrader
from dualcode.grading.rules import Rules
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.job import TOLD_BYTES, Job, Ran, frame, told
from dualcode.sandbox.pool import Pool
from dualcode.suites.registry import load_suite
from dualcode.verdict import Verdict
from tests.suites.data import problem, write_rows

TASK, LONG = "HumanEval/0", "HumanEval/1"
RIGHT_LONG = "def triple(n):\n    return [n / 3] * 30_000\n"
FORGE = """
import os, struct
def send(kind, payload):
    os.write(3, kind + struct.pack("<I", len(payload)) + payload)
def triple(n):
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> CalibrationCache:
    return CalibrationCache("hostile", "key", "machine", root=tmp_path_factory.mktemp("cache"))


@pytest.fixture
async def sandbox() -> AsyncGenerator[Pool]:
    async with open_sandbox(2) as sandbox:
        yield sandbox


@pytest.fixture
async def grader(sandbox: Pool, cache: CalibrationCache, tmp_path: Path) -> AsyncGenerator[SandboxGrader]:
    """A task of small outputs, and one of floats in outputs so long that they travel as digests."""
    long = problem(1, canonical_solution="    return [n / 3] * 30_000\n", plus_input=[], atol=1e-6)
    suite = load_suite("humaneval", data=write_rows(tmp_path / "d.jsonl", problem(), long))
    async with SandboxGrader(suite, sandbox, Rules(base_only=True), workers=2, cache=cache) as grader:
        yield grader


def check(verdict: Verdict) -> None:
    assert verdict.base.status == "failed", verdict
    assert Verdict.model_validate_json(verdict.to_line()) == verdict


@pytest.mark.parametrize(
    "body",
    [
        "class E(Exception): pass\n    E.__name__ = 'x' * 3_000_000\n    raise E",
        "class E(Exception): pass\n    E.__name__ = '\\ud800'\n    raise E('\\ud800')",
        "return type('\\ud800', (), {})()",
        "return '\\ud800'",
        "return 10**100_000",
        "return [0] * 10**7",
        "return 'x' * (70 << 20)",
        "import fractions; return fractions.Fraction('1e99999')",
        "import decimal; return decimal.Decimal('1e999999999')",
        "return range(10**18)",
        "return {(2**61 - 1) * i for i in range(4000)}",
        "import os; return os.urandom(100_000)",
        "import os; return b'x' * (1 << 17) if os.urandom(1)[0] & 1 else -1",
        "x = []\n    for _ in range(10**5): x = [x]\n    return x",
        "import os; os.abort()",
        "import ctypes; ctypes.string_at(0)",
    ],
)
async def test_hostile_values_and_ends_fail(grader: SandboxGrader, body: str) -> None:
    check(await grader.grade(TASK, f"def triple(n):\n    {body}\n"))


@pytest.mark.parametrize(
    "body",
    [
        "send(b'R', b'[' + b'{},' * 3_000_000 + b'1]')",
        "send(b'R', b'[' * 900_000)",
        'send(b"R", b\'["\\\\ud800", "\\\\ud800", 1]\')',
        "send(b'R', b'[1' + b'0' * 5000 + b', 1, 1]')",
        "send(b'F', b'\\xff')",
        "send(b'O', b'\\xed\\xa0\\x80')",
        "send(b'L', b'')",
        "os.write(3, b'V\\xff\\xff\\xff\\xff')",
        "while True: send(b'V', bytes(12_000))",
    ],
)
async def test_forged_frames_fail(grader: SandboxGrader, body: str) -> None:
    program = f"{FORGE}    {body}\n    send(b'E', b'')\n    os._exit(0)\n"
    check(await grader.grade(TASK, program))


async def test_forged_streams_of_chance_fail(grader: SandboxGrader) -> None:
    """Frames of every kind, with payloads that are cut, mutated and random."""
    chance = random.Random(1)
    seeds = (b"i\x09\x00\x00\x00", b"[\x01\x00\x00\x00i\x09\x00\x00\x00", b"(\xff\xff\xff\x7f", b"[1, 2]")
    for _ in range(60):
        frames = b""
        for _ in range(chance.randrange(1, 5)):
            payload = bytearray(chance.choice(seeds) + chance.randbytes(chance.randrange(40)))
            payload[chance.randrange(len(payload))] = chance.randrange(256)
            kind = bytes([chance.choice(b"VGDORLPTFEBX\xff")])
            frames += struct.pack("<cI", kind, len(payload)) + payload
        check(await grader.grade(TASK, f"{FORGE}    os.write(3, {frames!r})\n    os._exit(0)\n"))


def test_a_report_that_no_harness_wrote_is_not_read_and_every_text_can_be_written() -> None:
    assert "not readable" in told(b'["' + b"x" * TOLD_BYTES + b'", "", ""]').message
    assert told(b'["\\ud800", "\\ud800", "\\ud800"]') == ("?", "?", "?")


# Long values, which are compared in a second run


async def test_long_values_that_are_close_pass(grader: SandboxGrader) -> None:
    verdict = await grader.grade(LONG, "def triple(n):\n    return [n / 3 + 1e-9] * 30_000\n")
    assert verdict.base.status == "passed"


async def test_long_values_that_are_wrong_fail_with_their_input(grader: SandboxGrader) -> None:
    verdict = await grader.grade(LONG, "def triple(n):\n    return [n / 3 + 1] * 30_000\n")
    assert (verdict.base.reason, verdict.base.failing_input) == ("wrong output", "1")


async def test_the_second_run_must_return_what_the_first_one_returned(
    sandbox: Pool, cache: CalibrationCache, tmp_path: Path
) -> None:
    """Else a program whose long value is wrong by a coin would have another toss."""
    row = problem(1, canonical_solution="    return [n / 3] * 30_000\n", plus_input=[], atol=1e-6)
    suite = load_suite("humaneval", data=write_rows(tmp_path / "d.jsonl", row))
    wrong = "def triple(n):\n    return [n / 3 + 1] * 30_000\n"

    class Coin:
        """Runs a wrong program first, and a right one whenever the same one is to be run again."""

        def __init__(self) -> None:
            self.tier = sandbox.tier
            self.runs = 0

        async def run(self, job: Job) -> Ran:
            self.runs += job.program == wrong
            again = job.program == wrong and self.runs > 1
            return await sandbox.run(replace(job, program=RIGHT_LONG) if again else job)

        async def close(self) -> None: ...

    async with SandboxGrader(suite, Coin(), Rules(base_only=True), cache=cache) as grader:
        check(await grader.grade(LONG, wrong))


async def test_a_reference_that_does_not_come_through_again_is_our_fault(
    sandbox: Pool, cache: CalibrationCache, tmp_path: Path
) -> None:
    row = problem(1, canonical_solution="    return [n / 3] * 30_000\n", plus_input=[], atol=1e-6)
    suite = load_suite("humaneval", data=write_rows(tmp_path / "d.jsonl", row))

    class Broken:
        tier = sandbox.tier

        async def run(self, job: Job) -> Ran:
            lost = job.program.startswith("def triple(n):\n    return [n / 3]") and job.digest_above is None
            return Ran("timed_out", frame("B", b"")) if lost else await sandbox.run(job)

        async def close(self) -> None: ...

    async with SandboxGrader(suite, Broken(), Rules(base_only=True), cache=cache) as grader:
        verdict = await grader.grade(LONG, "def triple(n):\n    return [n / 3 + 1e-9] * 30_000\n")
    assert verdict.errored
    assert "the reference did not go through its tests again" in str(verdict.base.reason)
