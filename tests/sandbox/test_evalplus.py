"""A program meets in the sandbox what it meets under EvalPlus: the same names, the same depth of stack."""

import json
import marshal
import subprocess
import sys
from typing import Any

from dualcode.sandbox import harness
from dualcode.sandbox.job import Arguments, Job
from dualcode.sandbox.pool import Pool

RECURSION = """
import os
def g(n):
    try:
        return g(n + 1)
    except RecursionError:
        return n
LOADED = g(0)
def f(x):
    os.write(1, b"%d %d" % (LOADED, g(0)))
    return LOADED, g(0)
"""

UNDER_EVALPLUS = """
import sys
from multiprocessing import Array, Value
from evalplus.eval import unsafe_execute

def execute():
    stat, details, progress = Value("i", 0), Array("b", [False]), Value("i", 0)
    unsafe_execute("humaneval", "f", {program!r}, [[1]], [None], [60.0], 0, False, stat, details, progress)

def descend(levels):
    descend(levels - 1) if levels else execute()

descend({levels})
"""


def under_evalplus(source: str) -> str:
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    return done.stdout


async def values(sandbox: Pool, program: str) -> Any:
    ran = await sandbox.run(Job(program, Arguments.of("f", [[1]])))
    return marshal.loads(ran.returned()[0].payload)


async def test_recursion_reaches_as_deep_as_under_evalplus(sandbox: Pool) -> None:
    # Below `unsafe_execute` lie: the module, `descend` once more than its levels, and `execute`.
    levels = harness.DEPTH - 3
    loaded, called = map(int, under_evalplus(UNDER_EVALPLUS.format(program=RECURSION, levels=levels)).split())
    assert await values(sandbox, RECURSION) == (loaded, called)


async def test_the_names_that_evalplus_guards_are_gone(sandbox: Pool) -> None:
    source = """
import builtins, os, shutil, subprocess, sys
from evalplus.eval.utils import reliability_guard
dumps, out = __import__("json").dumps, sys.stdout
owners = (builtins, os, shutil, subprocess)
before = [(owner, name) for owner in owners for name, value in vars(owner).items() if value is not None]
modules = dict(sys.modules)
reliability_guard()
gone = [(owner.__name__, name) for owner, name in before if vars(owner)[name] is None]
blocked = [("sys.modules", name) for name, module in sys.modules.items() if module is None]
out.write(dumps(gone + blocked))
"""
    guarded = json.loads(under_evalplus(source))
    program = f"""
import builtins, os, shutil, subprocess, sys
def f(x):
    found = []
    for owner, name in {guarded!r}:
        there = sys.modules if owner == "sys.modules" else vars(sys.modules[owner])
        if there.get(name) is not None:
            found.append((owner, name))
    return found
"""
    assert len(guarded) > 30
    assert await values(sandbox, program) == []


async def test_modules_that_are_loaded_late_find_the_guarded_names(sandbox: Pool) -> None:
    program = """
import tempfile
def f(x):
    with tempfile.NamedTemporaryFile("w+") as file:
        return file.write("x")
"""
    assert await values(sandbox, program) == 1
