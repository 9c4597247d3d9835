"""What is on any machine is in the jail: a user with a home, a search path, a locale, a load, locks, links."""

# ruff: noqa: E501 - a program stays on its line

import json
import subprocess
import sys
from typing import Any

import pytest

from dualcode.sandbox.job import Expressions, Job
from dualcode.sandbox.pool import Pool

FOUND: dict[str, tuple[str, object]] = {
    "a home": ("import pathlib\ndef f(): return pathlib.Path.home() == pathlib.Path('~').expanduser()", True),
    "a home that can be written": (
        "import pathlib\ndef f(): return (pathlib.Path.home() / 'x').write_text('x')",
        1,
    ),
    "the user's name": ("import getpass\ndef f(): return getpass.getuser()", "user"),
    "the user's entry": ("import os, pwd\ndef f(): return pwd.getpwuid(os.getuid()).pw_name", "user"),
    "no other user's entry": (
        "import pwd\ndef f():\n    try: return pwd.getpwnam('daemon')\n    except KeyError: return 'none'",
        "none",
    ),
    "a search path": ("import os\ndef f(): return '/usr/bin' in os.environ['PATH'].split(':')", True),
    "the user's locale": ("import locale\ndef f(): return locale.setlocale(locale.LC_ALL, '')", "C.UTF-8"),
    "a load": ("import os\ndef f(): return len(os.getloadavg())", 3),
    "a lock on a file": (
        "import fcntl, io\ndef f():\n    with io.open('x', 'w') as file:\n        fcntl.flock(file, fcntl.LOCK_EX)\n"
        "        fcntl.lockf(file, fcntl.LOCK_UN)\n    return 1",
        1,
    ),
    "no lock on what is no file": (
        "import fcntl\ndef f():\n    try: fcntl.flock(63, fcntl.LOCK_EX)\n    except OSError as error: return error.errno",
        9,
    ),
    "a link": (
        "import io, os\ndef f():\n    io.open('x', 'w').write('seen')\n    os.symlink('x', 'y')\n"
        "    return [os.readlink('y'), io.open('y').read()]",
        ["x", "seen"],
    ),
    "a signal to itself": (
        "import signal\nseen = []\ndef f():\n    signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))\n"
        "    signal.raise_signal(signal.SIGUSR1)\n    return len(seen)",
        1,
    ),
    "an interrupt of itself": (
        "import signal\ndef f():\n    try: signal.raise_signal(signal.SIGINT)\n    except KeyboardInterrupt: return 'caught'",
        "caught",
    ),
    "queues between processes": (
        "import multiprocessing\ndef f():\n    queue, simple = multiprocessing.Queue(), multiprocessing.SimpleQueue()\n"
        "    queue.put(1); simple.put(2)\n    return [queue.get(timeout=5), simple.get()]",
        [1, 2],
    ),
    "locks between processes": (
        "import multiprocessing\ndef f():\n    with multiprocessing.Lock(), multiprocessing.RLock():\n"
        "        event, bound = multiprocessing.Event(), multiprocessing.BoundedSemaphore(1)\n        event.set()\n"
        "        bound.acquire()\n        try: bound.release(); bound.release()\n        except ValueError: return event.is_set()",
        True,
    ),
}


async def value(sandbox: Pool, program: str) -> Any:
    ran = await sandbox.run(Job(program, Expressions(("__import__('json').dumps(f())",))))
    assert (ran.ending, ran.told()) == ("finished", None), ran
    return json.loads(ran.returned()[0].payload[5:])


@pytest.mark.parametrize("name", FOUND)
async def test_it_is_there(sandbox: Pool, name: str) -> None:
    program, wanted = FOUND[name]
    assert await value(sandbox, program) == wanted


async def test_the_host_s_name_is_not_there_in_namespaces(sandbox: Pool) -> None:
    named = await value(
        sandbox, "import platform, socket\ndef f(): return [socket.gethostname(), platform.node()]"
    )
    if sandbox.tier.name == "namespaces":
        assert named == ["sandbox", "sandbox"]
    else:
        assert any("name" in lack and "kernel" in lack for lack in sandbox.tier.lacks)


async def test_an_abort_is_told_as_one(sandbox: Pool) -> None:
    ran = await sandbox.run(Job("import os", Expressions(("os.abort()",))))
    assert ran.detail in (
        "signal SIGABRT",
        "signal SIGSEGV",
    )  # nothing but SIGKILL ends the first of a namespace


@pytest.mark.parametrize("tier", ["namespaces", "landlock"])
def test_a_host_in_the_background_passes_no_ignored_signals_on(tier: str) -> None:
    """`nohup … &` ignores SIGINT and SIGHUP, and whatever is started inherits that."""
    source, expected = FOUND["an interrupt of itself"]
    script = (
        "import asyncio, signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from dualcode.sandbox.job import Arguments, Job\n"
        "from dualcode.sandbox.pool import open_sandbox\n"
        "async def main():\n"
        f"    async with open_sandbox(1, tier={tier!r}) as sandbox:\n"
        f"        print((await sandbox.run(Job({source!r}, Arguments.of('f', [[]])))).returned()[0].payload)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert str(expected) in done.stdout
