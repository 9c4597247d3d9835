"""A copy of a project, and its own test command run on it, confined (`enclosed.py`)."""

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import dualcode
from dualcode.errors import InputError
from dualcode.record import Record
from dualcode.reviews import git
from dualcode.reviews.enclosed import REFUSED, TIMED_OUT
from dualcode.together import together

MOST_BYTES = 512 << 20
"""Of a project that is copied."""
MOST_OUTPUT = 64 << 10
"""Bytes of a test command's output that are kept, from its end."""
LINKED = (".venv", "venv", "env", "node_modules", ".tox")
"""Folders that git ignores and tests need: the copy has links to them, and nothing can be written there."""
SKIPPED = (".git", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", *LINKED)
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|COOKIE|AUTH", re.IGNORECASE)


class Tested(Record):
    """What came of a test command."""

    outcome: Literal["passed", "failed", "timed_out"]
    code: int
    output: str
    """The end of what it printed."""


async def run_tests(root: Path, command: str, seconds: float, changed: Mapping[str, bytes]) -> Tested:
    """Run a project's test command on a fresh copy of it, with these files, by path, in place of its own.

    Each run has a copy that nothing else ran in, so that no run can lay a trap for the next. Raises
    InputError where the project is too large to copy, or this machine cannot confine a command.
    """
    with tempfile.TemporaryDirectory(prefix="dualcode-review-", ignore_cleanup_errors=True) as held:
        base = Path(held)
        project = base / "project"
        await asyncio.to_thread(_copy, root, project)
        for name, data in changed.items():
            (project / name).unlink(missing_ok=True)  # a link would lead to the project itself
            (project / name).write_bytes(data)
        (base / "home").mkdir()
        return await _run(base, project, command, seconds)


async def _run(base: Path, project: Path, command: str, seconds: float) -> Tested:
    places = [str(each) for each in (project, project / "src") if each.is_dir()]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dualcode.reviews.enclosed", str(seconds), str(base),
        # Python imports the copy where the project itself is installed for editing.
        f"cd {shlex.quote(str(project))} && "
        f'export PYTHONPATH={shlex.quote(":".join(places))}"${{PYTHONPATH:+:$PYTHONPATH}}"; {command}',
        cwd="/", env=_environment(base), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    output = bytearray()

    async def read() -> None:
        assert process.stdout is not None
        while chunk := await process.stdout.read(1 << 14):
            output.extend(chunk)
            del output[:-MOST_OUTPUT]

    try:
        # The command's own time limit is kept within; this one is for a process that nothing ends.
        async with asyncio.timeout(seconds + 20):
            await together(read(), process.wait())
        code = process.returncode or 0
    except TimeoutError:
        code = TIMED_OUT
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    text = output.decode("utf-8", "replace")
    if code == REFUSED and text.startswith("this machine cannot confine"):
        raise InputError(text.strip(), hint="dualcode review without --fix; or a kernel with Landlock")
    outcome = "timed_out" if code == TIMED_OUT else "failed" if code else "passed"
    return Tested(outcome=outcome, code=code, output=text)


def _environment(base: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    package = str(Path(dualcode.__file__).parents[1])
    home, path = str(base / "home"), kept.get("PYTHONPATH", "")
    return {
        **kept,
        "HOME": home,
        "TMPDIR": home,
        "XDG_CACHE_HOME": home,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{package}:{path}".rstrip(":"),
    }


def _copy(root: Path, target: Path) -> None:
    """Copy a project: what git knows or would take; without git, the folder. InputError if too large."""
    target.mkdir()
    if git.root_of(root) == root:
        names = git.tracked(root)
    else:
        names = list[str]()
        for folder, inner, files in os.walk(root):
            inner[:] = sorted(each for each in inner if each not in SKIPPED)
            names += [os.path.relpath(os.path.join(folder, file), root) for file in files]  # noqa: PTH118
    size = 0
    for name in names:
        source, place = root / name, target / name
        if source.is_symlink() or source.is_file():
            size += source.lstat().st_size
            if size > MOST_BYTES:
                raise InputError(
                    f"{root} is larger than {MOST_BYTES >> 20} MiB: too large to copy for its tests",
                    hint="dualcode review without --fix; or start it in a smaller project",
                )
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place, follow_symlinks=False)
    for name in LINKED:
        if (root / name).is_dir() and not (target / name).exists():
            (target / name).symlink_to((root / name).resolve())
