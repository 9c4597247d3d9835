"""What a program leaves tells the next one nothing: no frame, no flag, no time, no number of a file."""

import errno
import marshal
from collections.abc import AsyncIterator

import pytest

from dualcode.errors import SandboxError
from dualcode.sandbox.job import Arguments, Expressions, Job
from dualcode.sandbox.pool import Pool, open_sandbox
from dualcode.sandbox.tiers import TIERS

SERVER_FRAMES = """
import sys
def answers():
    seen, frame = [], sys._getframe()
    while frame is not None:
        for name, value in frame.f_locals.items():
            for each in (value, *vars(value).values()) if hasattr(value, "__dict__") else (value,):
                if isinstance(each, type): continue
                if hasattr(each, "arrivals") or getattr(each, "output", OWN) != OWN:
                    seen.append(f"{name} {type(each).__name__}")
        frame = frame.f_back
    return sorted(seen)
"""
FLAGS = "import fcntl\ndef flags(): return [fcntl.fcntl(each, fcntl.F_GETFL) for each in range(3)]"
SET_FLAGS = "import fcntl\ndef f():\n    for each in range(3): fcntl.fcntl(each, fcntl.F_SETFL, 0o6000)"
FOLDER = """
import os
def folder():
    made = os.stat(".")
    os.close(os.open("one", os.O_CREAT))
    return [made.st_size, os.stat("one").st_ino * (made.st_dev == os.stat("one").st_dev and TMPFS)]
"""
USE_FOLDER = """
import os, posix
def f():
    for number in range(2000):
        os.mkdir("n" * 200 + str(number))
        posix.rmdir("n" * 200 + str(number))
    os.mkdir("old")
    posix.rmdir("old")
"""


@pytest.fixture(params=TIERS)
async def alone(request: pytest.FixtureRequest) -> AsyncIterator[Pool]:
    """A sandbox of one server."""
    try:
        opened = await open_sandbox(1, tier=request.param)
    except SandboxError as error:
        pytest.skip(f"this machine refuses the tier {request.param}: {error}")
    yield opened
    await opened.close()


async def payload(sandbox: Pool, program: str, call: str) -> bytes:
    ran = await sandbox.run(Job(program, Expressions((call,))))
    assert (ran.ending, ran.told()) == ("finished", None), ran
    return ran.returned()[0].payload


async def test_flags_of_the_standard_streams_go_with_the_program(alone: Pool) -> None:
    before = await payload(alone, FLAGS, "flags()")
    await payload(alone, SET_FLAGS, "f()")
    assert await payload(alone, FLAGS, "flags()") == before


async def test_a_folder_that_was_emptied_tells_nothing_of_what_was_in_it(alone: Pool) -> None:
    program = FOLDER.replace("TMPFS", str(alone.tier.name == "namespaces"))
    before = await payload(alone, program, "folder()")
    await payload(alone, USE_FOLDER, "f()")
    assert await payload(alone, program, "folder()") == before
    times = "import os, time\ndef age(): return time.time() - os.stat('.').st_mtime < 60"
    assert await payload(alone, times, "age()") == b"T"


async def test_the_frames_below_a_program_tell_nothing_of_the_one_before(alone: Pool) -> None:
    inputs = Arguments.of("f", [[number] for number in range(9)])
    await alone.run(Job("import posix\ndef f(x): posix._exit(42)", inputs))
    await alone.run(Job("def f(x): return 'x' * 999", inputs))
    own = Expressions(("answers()",))
    ran = await alone.run(Job(f"OWN = {Job('', own).limits.output}\n{SERVER_FRAMES}", own))
    assert ran.returned()[0].payload == b"[\0\0\0\0", ran


async def test_a_run_is_over_when_its_folder_is_clear(alone: Pool) -> None:
    """Else clearing up after one program would use the next one's time."""
    if alone.tier.name == "namespaces":
        pytest.skip("its folder cannot be seen from here")
    program = "import os\ndef f():\n    for n in range(500): os.makedirs(f'{n}/a/b/c')"
    for _ in range(5):
        await payload(alone, program, "f()")
        (folder,) = alone.folders
        assert [list(each.iterdir()) for each in folder.iterdir()] == [[]]


async def test_blocks_cannot_be_reserved(alone: Pool) -> None:
    program = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def reserve():
    file = os.open("file", os.O_CREAT | os.O_RDWR)
    return libc.fallocate(file, 0, ctypes.c_long(0), ctypes.c_long(1 << 20)), ctypes.get_errno()
"""
    assert marshal.loads(await payload(alone, program, "reserve()")) == (-1, errno.EPERM)
