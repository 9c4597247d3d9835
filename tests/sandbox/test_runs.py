"""What a program meets in the sandbox, and what comes back of it."""

import builtins
import hashlib
import marshal
import struct
from typing import Any

import pytest

from dualcode.sandbox.job import Arguments, Expressions, Job, Limits, Ran
from dualcode.sandbox.pool import Pool


def calling(program: str, *inputs: list[Any], **options: Any) -> Job:
    return Job(program, Arguments.of("f", inputs or [[1]]), **options)


def evaluating(program: str, *sources: str, **options: Any) -> Job:
    return Job(program, Expressions(sources), **options)


def kinds(ran: Ran) -> str:
    return "".join(frame.kind for frame in ran.frames())


def values(ran: Ran) -> list[Any]:
    return [marshal.loads(frame.payload) for frame in ran.returned()]


async def test_calls_are_made_in_order_in_one_process(sandbox: Pool) -> None:
    ran = await sandbox.run(
        calling("seen = []\ndef f(x):\n    seen.append(x)\n    return seen", [1], [2], [3])
    )
    assert (ran.ending, kinds(ran)) == ("finished", "BVVVE")
    assert values(ran) == [[1], [1, 2], [1, 2, 3]]


async def test_each_job_has_a_fresh_process(sandbox: Pool) -> None:
    job = calling("import math\nmath.seen = getattr(math, 'seen', 0) + 1\ndef f(x): return math.seen")
    assert [values(await sandbox.run(job)) for _ in range(4)] == [[1]] * 4


async def test_main_blocks_do_not_run(sandbox: Pool) -> None:
    ran = await sandbox.run(calling("if __name__ == '__main__': raise OSError\ndef f(x): return __name__"))
    assert values(ran) == ["builtins"]


async def test_an_exception_ends_the_run(sandbox: Pool) -> None:
    program = "def f(x):\n    if x == 2:\n        raise ValueError('no 2')\n    return x"
    ran = await sandbox.run(calling(program, [1], [2], [3]))
    assert (ran.ending, kinds(ran)) == ("finished", "BVRE")
    told = ran.told()
    assert told is not None
    assert (told.type, told.message) == ("ValueError", "no 2")
    assert "line 3, in f\n    raise ValueError('no 2')" in told.traceback
    assert "harness" not in told.traceback


async def test_an_exception_does_not_end_a_run_that_goes_on(sandbox: Pool) -> None:
    program = "def f(x):\n    if x == 2:\n        raise ValueError('no 2')\n    return x"
    ran = await sandbox.run(calling(program, [1], [2], [3], go_on=True))
    assert (ran.ending, kinds(ran)) == ("finished", "BVRVE")


@pytest.mark.parametrize("leave", ["raise SystemExit", "raise KeyboardInterrupt", "raise BaseException('x')"])
async def test_every_exception_of_a_call_is_only_that(sandbox: Pool, leave: str) -> None:
    ran = await sandbox.run(calling(f"def f(x):\n    {leave}"))
    assert (ran.ending, kinds(ran)) == ("finished", "BRE")


@pytest.mark.parametrize(
    ("program", "type_name"),
    [
        ("def f(x) return x", "SyntaxError"),
        ("def f(x): return '\0'", ("SyntaxError", "ValueError")),
        ("x = '\udc80'\ndef f(x): return x", "UnicodeEncodeError"),
        ("def g(x): return x", "NameError"),
        ("1 / 0\ndef f(x): return x", "ZeroDivisionError"),
        ("raise SystemExit", "SystemExit"),
        ("(" * 1000, ("SyntaxError", "MemoryError")),
    ],
)
async def test_a_program_that_cannot_be_loaded_says_why(
    sandbox: Pool, program: str, type_name: str | tuple[str, ...]
) -> None:
    ran = await sandbox.run(calling(program))
    told = ran.told()
    assert (ran.ending, kinds(ran)) == ("unloaded", "FE")
    assert told is not None
    assert told.type in ((type_name,) if isinstance(type_name, str) else type_name)


async def test_an_exception_that_cannot_be_shown_is_told_nevertheless(sandbox: Pool) -> None:
    program = "class E(Exception):\n    def __str__(self): raise E\ndef f(x): raise E"
    told = (await sandbox.run(calling(program))).told()
    assert told is not None
    assert (told.type, told.message) == ("E", "(the exception cannot be shown)")


async def test_an_entry_point_may_be_a_class_or_nothing_to_call(sandbox: Pool) -> None:
    assert kinds(await sandbox.run(calling("class f:\n    def __init__(self, x): pass"))) == "BOE"
    assert kinds(await sandbox.run(calling("f = 3"))) == "BRE"


async def test_a_program_of_ten_megabytes_runs(sandbox: Pool) -> None:
    ran = await sandbox.run(calling("#" + "x" * 10_000_000 + "\ndef f(x): return x"))
    assert values(ran) == [1]


async def test_expressions_are_evaluated_in_the_programs_namespace(sandbox: Pool) -> None:
    job = evaluating("def f(x): return x + 1", "f(1)", "y = f(5)", "y", "assert f(1) == 2", "'a' * 3")
    assert values(await sandbox.run(job)) == [2, None, 6, None, "aaa"]


async def test_an_expression_that_raises_is_told(sandbox: Pool) -> None:
    job = evaluating("def f(x): return x", "assert f(1) == 2", "f(", "f(3)", go_on=True)
    ran = await sandbox.run(job)
    assert kinds(ran) == "BRRVE"


async def test_what_each_call_prints_follows_its_frame(sandbox: Pool) -> None:
    program = """
import sys
print("loaded")
def f(x):
    print("out", x)
    print("err", file=sys.stderr)
    1 / x
"""
    ran = await sandbox.run(calling(program, [1], [2], [0], capture=True))
    assert kinds(ran) == "BVPVPRPE"
    assert ran.printed() == ["out 1\nerr\n", "out 2\nerr\n", "out 0\nerr\n"]


async def test_only_the_beginning_of_what_is_printed_is_kept(sandbox: Pool) -> None:
    program = "def f(x):\n    for _ in range(1000): print('ä' * 1000)"
    ran = await sandbox.run(calling(program, capture=True, limits=Limits(printed=100)))
    (printed,) = ran.printed()
    assert printed.startswith("ä" * 50)
    assert len(printed) <= 51


async def test_a_closed_stdout_harms_no_later_call(sandbox: Pool) -> None:
    program = "import sys\ndef f(x):\n    print(x)\n    sys.stdout.close()\n    return x"
    assert values(await sandbox.run(calling(program, [1], [2]))) == [1, 2]


async def test_stdin_cannot_be_read(sandbox: Pool) -> None:
    told = (await sandbox.run(calling("def f(x): return input()"))).told()
    assert told is not None
    assert told.type == "OSError"


async def test_times_are_cpu_seconds_a_call(sandbox: Pool) -> None:
    program = "import time\ndef f(x):\n    time.sleep(0.2) if x else sum(range(3_000_000))\n    1 / x"
    ran = await sandbox.run(calling(program, [1], [0], timed=True))
    slept, summed = ran.times()
    assert kinds(ran) == "BVRTE"
    assert slept < 0.1 < 10 * summed


async def test_a_long_value_travels_as_its_digest(sandbox: Pool) -> None:
    job = calling("def f(x): return b'x' * 1000", digest_above=100)
    (frame,) = (await sandbox.run(job)).returned()
    payload = marshal.dumps(b"x" * 1000, 2)
    assert frame.kind == "D"
    assert frame.payload == hashlib.sha256(payload).digest() + struct.pack("<cI", b"V", len(payload))


async def test_a_generator_is_drained_only_if_asked(sandbox: Pool) -> None:
    program = "def f(x): return (i for i in range(3))"
    assert kinds(await sandbox.run(calling(program))) == "BOE"
    assert kinds(await sandbox.run(calling(program, drain=True))) == "BGE"


async def test_an_endless_generator_meets_the_calls_limit(sandbox: Pool) -> None:
    program = "def f(x):\n    while True: yield 0"
    job = calling(program, drain=True, limits=Limits(call_cpu=0.2))
    assert (await sandbox.run(job)).ending in ("timed_out", "finished")  # or out of memory before


async def test_sets_and_random_numbers_are_the_same_in_each_run(sandbox: Pool) -> None:
    program = (
        "import random\ndef f(x):\n    import numpy\n"
        "    return list({'a', 'b', 'c', 'd'}), random.random(), float(numpy.random.rand())"
    )
    runs = [values(await sandbox.run(calling(program))) for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]


async def test_the_working_folder_is_writable_and_empty_in_each_run(sandbox: Pool) -> None:
    program = """
import io, os, tempfile
def f(x):
    before = os.listdir()
    here = "."
    for level in range(300):
        here += "/" + "d" * 10
        os.mkdir(here)
    io.open("kept", "w").write("x")
    with tempfile.TemporaryFile() as file:
        return before, file.write(b"xx")
"""
    for _ in range(2):
        assert values(await sandbox.run(calling(program))) == [([], 2)]


async def test_the_standard_library_can_be_imported_late(sandbox: Pool) -> None:
    names = "ssl sqlite3 ctypes decimal bz2 lzma zoneinfo uuid asyncio multiprocessing xml.etree.ElementTree"
    program = f"def f(x):\n    for name in {names.split()!r}: __import__(name)\n    return x"
    ran = await sandbox.run(calling(program))
    assert (ran.told(), kinds(ran)) == (None, "BVE")


async def test_threads_and_event_loops_work(sandbox: Pool) -> None:
    program = """
import asyncio, concurrent.futures
async def later(x):
    await asyncio.sleep(0)
    return x
def f(x):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(str, range(3))), asyncio.run(later(x))
"""
    assert values(await sandbox.run(calling(program))) == [(["0", "1", "2"], 1)]


async def test_nothing_of_the_server_is_in_sight(sandbox: Pool) -> None:
    program = """
import sys, os
def f(x):
    ours = [name for name in sys.modules if "dualcode" in name]
    return ours, sys.argv, vars(sys.modules["__main__"]).get("server"), sorted(os.environ)
"""
    ((ours, argv, server, environment),) = values(await sandbox.run(calling(program)))
    assert (ours, argv, server) == ([], [""], None)
    assert set(environment) <= {
        "HOME",
        "LANG",
        "LC_CTYPE",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "PATH",
        "PYTHONHASHSEED",
        "TMPDIR",
    }


async def test_the_run_is_accounted(sandbox: Pool) -> None:
    ran = await sandbox.run(
        calling("def f(x):\n    held = bytearray(200 << 20)\n    return sum(range(3_000_000))")
    )
    assert 0 < ran.cpu < ran.wall + 1
    assert 200 << 20 < ran.peak < 400 << 20


SHADOWS = {
    "names of its own": "len = range = print = list = isinstance = str = type = exec = 3",
    "builtins": "import builtins\nfor name in {names!r}: setattr(builtins, name, 3)",
    "builtins, by functions": "import builtins\n"
    "for name in {names!r}: setattr(builtins, name, lambda *a, **k: 7)",
    "the dict of builtins": "for name in {names!r}: __builtins__[name] = 3",
    "builtins, in the call": "def g(x):\n    for name in {names!r}: __builtins__[name] = 3\n    return f(x)",
    "clocks": "import time\ntime.monotonic = time.process_time = time.perf_counter = None",
    "packing": "import struct, marshal\nstruct.pack = marshal.dumps = marshal.loads = struct.Struct = None",
    "the process": "import os, signal\nos.write = os._exit = signal.setitimer = signal.signal = None",
    "what shows exceptions": "import json, traceback, linecache\njson.dumps = traceback.walk_tb = None\n"
    "traceback.StackSummary = traceback.format_exception_only = linecache.getline = None",
    "the way modules are found": "import sys\nsys.meta_path.clear(); sys.path.clear(); sys.modules.clear()",
}
"""What a program may put in the place of what a harness uses."""


@pytest.mark.parametrize("raising", [False, True])
@pytest.mark.parametrize("what", SHADOWS)
async def test_a_program_may_replace_what_the_harness_uses(sandbox: Pool, what: str, raising: bool) -> None:
    kept = ("__build_class__", "__import__", "__name__", "setattr")
    names = [name for name in vars(builtins) if name not in kept]
    shadow = SHADOWS[what].format(names=names)
    body = "{}[x]" if raising else "return [x, {x: 1.5}, (x, 'ä')]"
    entry = "g" if "def g" in shadow else "f"
    program = f"def f(x):\n    {body}\n{shadow}\n"
    ran = await sandbox.run(Job(program, Arguments.of(entry, [[n] for n in range(20)]), timed=True))
    told = ran.told()
    if raising:
        assert told is not None
        assert (ran.ending, kinds(ran), told.type) == ("finished", "BRTE", "KeyError")
    else:
        assert (ran.ending, kinds(ran), told) == ("finished", "B" + 20 * "V" + "TE", None)


async def test_a_program_without_a_free_descriptor_gets_its_own_error(sandbox: Pool) -> None:
    program = """
import os
kept = []
def f(x):
    for _ in range(100): kept.append(os.pipe())
"""
    ran = await sandbox.run(calling(program, [1], [2], go_on=True))
    told = ran.told()
    assert told is not None
    assert (ran.ending, kinds(ran)) == ("finished", "BRRE")
    assert (told.type, told.message) == ("OSError", "[Errno 24] Too many open files")
    assert "in f\n    for _ in range(100)" in told.traceback


@pytest.mark.parametrize("message", ["ä\ud800\U0001f600", '"\\\n\0\x1f\x7f', "x" * 3000])
async def test_a_message_arrives_as_it_was(sandbox: Pool, message: str) -> None:
    told = (await sandbox.run(calling(f"def f(x): raise ValueError({message!r})"))).told()
    assert told is not None
    assert told.message == message[:2000].replace("\ud800", "?")  # half a character is no text


async def test_an_exceptions_text_may_be_of_a_class_of_its_own(sandbox: Pool) -> None:
    program = """
class Text(str):
    def __getitem__(self, at): return 7
    def translate(self, table): return 7
class E(Exception):
    def __str__(self): return Text("told")
def f(x): raise E
"""
    told = (await sandbox.run(calling(program))).told()
    assert told is not None
    assert (told.type, told.message) == ("E", "told")
