"""Run a script as a user without rights, whoever runs the tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = 65534
_REFUSED = 77

_BECOME = f"""
import ctypes, os, runpy, sys
libc = ctypes.CDLL(None, use_errno=True)
user, script, shut, *kept = sys.argv[1:]

def bind(source, target, kind=None, flags=4096 | 16384, options=None):
    if libc.mount(source.encode(), target.encode(), kind, ctypes.c_ulong(flags), options):
        print(os.strerror(ctypes.get_errno()))
        os._exit({_REFUSED})

if os.geteuid() == 0:
    if libc.unshare(0x00020000):  # CLONE_NEWNS
        os._exit({_REFUSED})
    bind("none", "/", None, 16384 | 1 << 18)
    held = {{path: os.open(path, os.O_PATH) for path in kept}}
    for folder in filter(None, shut.split(":")):  # only root may pass through these
        bind("none", folder, b"tmpfs", 0, b"mode=755")
    for path, descriptor in held.items():
        os.makedirs(path, exist_ok=True)
        bind(f"/proc/self/fd/{{descriptor}}", path)
        os.close(descriptor)
    os.setgroups([])
    os.setresgid(int(user), int(user), int(user))
    os.setresuid(int(user), int(user), int(user))
    libc.prctl(4, 1, 0, 0, 0)
os.environ["HOME"] = os.environ["TMPDIR"]
os.execv(sys.executable, [sys.executable, "-c", script])
"""


def start_ordinary(script: str, folder: Path) -> "subprocess.Popen[str]":
    """Start a Python script as an ordinary user; `folder` is for its temporary files.

    Where the tests run as root, the interpreter and this checkout may lie in folders that nobody else enters:
    the script gets a view of its own, in which these are open.
    """
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    checkout = Path(__file__).parents[2]
    kept = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, checkout, folder)}
    shut = sorted({gate for path in kept if (gate := _shut_gate(Path(path))) is not None})
    command = [sys.executable, "-c", _BECOME, str(NOBODY), script, ":".join(shut), *sorted(kept)]
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(checkout)}
    return subprocess.Popen(
        command, env=environment, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _shut_gate(path: Path) -> str | None:
    """Return the outermost folder around a path that others may not enter; the path may lie in /tmp."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 1:
            return str(folder)
    return None


def run_ordinary(script: str, folder: Path) -> str:
    """Return what a script said as an ordinary user; the test is skipped where there can be none."""
    with start_ordinary(script, folder) as process:
        said, fault = process.communicate(timeout=120)
    if process.returncode == _REFUSED:
        pytest.skip(f"no user can be given up here: {said}")
    assert process.returncode == 0, fault
    return said
