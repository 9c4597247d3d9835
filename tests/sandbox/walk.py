"""A job that walks its whole readable memory for what jobs before it had, after jobs of every kind, and for
its own input while it is loaded.

    python -m tests.sandbox.walk --tier namespaces --runs 10000

Exit code 1 if anything was found. The walk asks the kernel which pages are mapped (a mapping at a fixed place
is refused where another lies) and which can be read (`writev` stops at the first that cannot). So it needs
neither /proc nor the interpreter's knowledge of its objects, and leaves nothing out that can be read.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import marshal
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dualcode.grading.oracles import compare_job, comparison
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.job import MIB, Arguments, Expressions, Job, Limits
from dualcode.sandbox.sandbox import Sandbox

WALK = '''
import ctypes, errno, os
PAGE, END, POPULATE_READ = 4096, (1 << 47) - 4096, 22
NONE, NORMAL, PRIVATE, ANONYMOUS, NORESERVE, NOREPLACE = 0, 0, 2, 0x20, 0x4000, 0x100000
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = libc.memmem.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.memmem.argtypes = [ctypes.c_void_p, ctypes.c_size_t] * 2
libc.writev.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]

def is_free(start, end):
    at = libc.mmap(start, end - start, NONE, PRIVATE | ANONYMOUS | NORESERVE | NOREPLACE, -1, 0)
    if at is None or at == 2**64 - 1:
        return ctypes.get_errno() != errno.EEXIST  # free, but more than may be mapped
    libc.munmap(at, end - start)
    return at == start

def mapped():
    """Yield the ranges of pages that are mapped."""
    waiting = [(1 << 16, END)]
    while waiting:
        start, end = waiting.pop()
        if libc.madvise(start, end - start, NORMAL) == 0:
            yield start, end
        elif not is_free(start, end):
            middle = (start + end) // 2 & -PAGE
            waiting += [(middle, end), (start, middle)]

IOVECS = 1024
iovecs = (ctypes.c_ulong * (2 * IOVECS))(*[1] * (2 * IOVECS))
receiving, sending = os.pipe()

def readable(start, end):
    """Yield the parts of a mapped range that can be read."""
    if libc.madvise(start, end - start, POPULATE_READ) == 0:  # all of it; else, or unknown here, page by page
        yield start, end
        return
    begun, at, count = None, start, 1
    while at < end:
        count = min(IOVECS, 2 * count, (end - at) // PAGE)
        iovecs[0 : 2 * count : 2] = range(at, at + count * PAGE, PAGE)
        sent = max(0, libc.writev(sending, iovecs, count))
        if sent:
            os.read(receiving, sent)
            begun = at if begun is None else begun
        at += sent * PAGE
        if sent < count:
            if begun is not None:
                yield begun, at
            begun, at, count = None, at + PAGE, 1
    if begun is not None:
        yield begun, end

def joined(parts):
    """Join ranges that touch: what lies across the border of two would be found in neither."""
    whole = []
    for start, end in parts:
        if whole and whole[-1][1] == start:
            whole[-1][1] = end
        else:
            whole.append([start, end])
    return whole

def places(start, end, needle):
    while start < end and (at := libc.memmem(start, end - start, needle, len(needle))):
        yield at
        start = at + 1

def walk(*masked):
    """Look for each needle, which is not in this program's memory but for the place that is made here."""
    needles = []
    for each in masked:
        needle = (ctypes.c_ubyte * len(each))()
        for at, byte in enumerate(each):
            needle[at] = byte ^ 0xA5
        needles.append(needle)
    ranges = joined(part for whole in list(mapped()) for part in readable(*whole))
    found = [[at for part in ranges for at in places(*part, needle)] for needle in needles]
    own = [ctypes.addressof(needle) for needle in needles]
    elsewhere = [len([at for at in each if at != mine]) for each, mine in zip(found, own)]
    seen = all(mine in each for each, mine in zip(found, own))
    return [seen, elsewhere, len(ranges), sum(end - start for start, end in ranges)]
'''

EARLY = (
    WALK
    + """
early = walk(*MASKED)
def f(x): return [early, walk(*MASKED)]
"""
)
"""A program that looks for its input while it is loaded, and again when it is called with it."""

READS_CALLS_EARLY = """
import os
pread, kept = os.pread, []
def read_all(descriptor, count, at):
    kept.append(pread(descriptor, 1 << 20, at))
    return kept[0][:count]
os.pread = read_all
"""
"""What makes a server's children read their calls together with their programs: for controls."""

_MANY_FILES = """
    for number in range(100):
        os.mkdir(f"{x}-{n}-{number}")
        io.open(f"{x}-{n}-{number}/{x}", "w").write(x * 99)
    until = time.monotonic() + 0.2 * (n == 2)
    while time.monotonic() < until: pass
"""
"""The last call takes so long that files are counted meanwhile."""

_LIMITS = Limits(call_cpu=0.05, total_cpu=2.0, wall=20.0, output=4 * MIB)
_WALK_LIMITS = Limits(call_cpu=60.0, total_cpu=60.0)


@dataclass(frozen=True)
class Walked:
    """What a walk saw."""

    found: int
    """Places of needles beside the walk's own."""
    ranges: int
    size: int
    """Bytes of the ranges, which is all that could be read."""


class Walk:
    """Jobs of every kind that hold a marker, and a job that looks for it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.marker = f"marker-{secrets.token_hex(12)}"
        long = marshal.dumps(self.marker * 4000, 2)
        self._needles = [self.marker.encode()[:-1], hashlib.sha256(long).digest()]
        self.kinds: dict[str, Callable[[], Awaitable[Any]]] = {
            "reference": lambda: self._run("return [x, {x: 1.5}, x * 4000][n % 3]", timed=True),
            "long": lambda: self._run("return x * 4000"),
            "raised": lambda: self._run("raise ValueError(x)"),
            "unloaded": lambda: sandbox.run(Job(f"raise KeyError({self.marker!r})", Expressions(()))),
            "timed out": lambda: self._run("kept.append(x * n)\n    while n: pass", limits=_LIMITS),
            "oracle": self._compare,
            "visible": self._visible,
            "whole": lambda: self._run("return [x * 4000] * 40", digest_above=None),
            "cancelled": self._cancelled,
            "flooded": lambda: self._run("while True: os.write(3, x.encode() * 999)", limits=_LIMITS),
            "died": lambda: self._run("os.write(3, x.encode() * 99)\n    os._exit(3)"),
            "crashed": lambda: self._run("os.write(3, x.encode() * 99)\n    ctypes.string_at(0)"),
            "files": lambda: self._run(_MANY_FILES),
            "environment": lambda: self._run("os.environ[x] = x; os.putenv(x, x); sys.argv[:] = [x]"),
        }

    async def look(self) -> Walked:
        """Walk once."""
        masked = [[byte ^ 0xA5 for byte in needle] for needle in self._needles]
        ran = await self.sandbox.run(Job(WALK, Arguments.of("walk", [masked]), _WALK_LIMITS))
        assert ran.ending == "finished" and not ran.told(), f"{ran.ending} {ran.detail} {ran.told()}"
        seen, elsewhere, ranges, size = marshal.loads(ran.returned()[0].payload)
        assert seen, "the walk did not find what it looks for where it is"
        return Walked(sum(elsewhere), ranges, size)

    async def look_early(self) -> tuple[int, int]:
        """Return where a program found its input: while it was loaded, and in the call."""
        program = EARLY.replace("MASKED", repr([[byte ^ 0xA5 for byte in self._needles[0]]]))
        ran = await self.sandbox.run(Job(program, Arguments.of("f", [[self.marker]]), _WALK_LIMITS))
        assert ran.ending == "finished" and not ran.told(), f"{ran.ending} {ran.detail} {ran.told()}"
        early, late = marshal.loads(ran.returned()[0].payload)
        assert early[0], "the walk did not find what it looks for where it is"
        return sum(early[1]), sum(late[1])

    async def _run(self, body: str, **options: Any) -> bytes:
        program = f"import ctypes, io, os, sys, time\nkept = []\ndef f(x, n):\n    {body}\n"
        inputs = Arguments.of("f", [[self.marker, n] for n in range(3)])
        return (await self.sandbox.run(Job(program, inputs, **options))).stream

    async def _compare(self) -> None:
        inputs = Arguments.of("f", [[self.marker, n] for n in range(3)])
        expected, other = await self._run("return [x, n]"), await self._run("return [x, float(n)]")
        how = comparison("humaneval", "f")
        job = compare_job(comparison=how, atol=0.0, inputs=inputs, candidate=other, expected=expected)
        assert (await self.sandbox.run(job)).ending == "finished"

    async def _visible(self) -> None:
        tests = tuple(f"assert f({self.marker!r}) == {text!r}" for text in (self.marker, "other"))
        job = Job("def f(x): print(x); return x", Expressions(tests), go_on=True, capture=True)
        assert (await self.sandbox.run(job)).ending == "finished"

    async def _cancelled(self) -> None:
        running = asyncio.ensure_future(self._run("os.write(3, x.encode() * 99)\n    while True: pass"))
        await asyncio.sleep(0.03)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _main(tier: str, runs: int) -> int:
    found, sizes, ranges = dict[str, int](), list[int](), list[int]()
    began = time.monotonic()
    async with open_sandbox(1, tier=tier) as sandbox:
        walk = Walk(sandbox)
        for number in range(runs):
            name = list(walk.kinds)[number % len(walk.kinds)]
            await walk.kinds[name]()
            walked = await walk.look()
            early, late = await walk.look_early()
            assert late, "the walk did not find its input where it is"
            found[name] = found.get(name, 0) + walked.found + early
            sizes.append(walked.size)
            ranges.append(walked.ranges)
            if number % 500 == 499:
                print(f"{number + 1} walks, {time.monotonic() - began:.0f} s: {found}", file=sys.stderr)
    report = {
        "tier": tier,
        "walks": runs,
        "found": found,
        "least_bytes": min(sizes),
        "most_bytes": max(sizes),
        "ranges": [min(ranges), max(ranges)],
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(report))
    return int(any(found.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tier", default="namespaces")
    parser.add_argument("--runs", type=int, default=140)
    options = parser.parse_args()
    sys.exit(asyncio.run(_main(options.tier, options.runs)))
