"""The calibration's files, under the user's cache folder: what the reference gave, and how long it took.

    grading/SUITE-KEY/TASK.reference     outputs of one task's reference; the same on every machine
    grading/SUITE-KEY/times-MACHINE      CPU seconds, a line a set of tests; appended to

The key stands for all that may change a stream: the data's checksum, Python, numpy, EvalPlus, and the text of
the code that makes and reads streams. It is in the folder's name and again in every file, so that what was
made with other data or another version is never used. A reference is written whole or not at all, and carries
a checksum; so does each line of times. What is damaged is computed again, with a warning. Nothing in these
files is executed: they hold JSON, and bytes that go to the sandbox.

But whoever may write them decides what passes, and a checksum is no seal. So folders and files are made for
their user alone, and a folder that others may write is not used (`trust.py`): all is computed anew.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import re
import shlex
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any, cast

from dualcode import resources, sandbox
from dualcode.grading.reference import Reference, Tests, Times
from dualcode.sandbox.job import Arguments
from dualcode.suites import calls, evalplus, own, trust
from dualcode.suites.suite import Suite
from dualcode.verdict import Part

_FORMAT = 1
_SALT = "dualcode calibration"

_log = logging.getLogger(__name__)


class CalibrationCache:
    """The files of one suite's data on this machine."""

    def __init__(self, suite: str, key: str, machine: str, *, root: Path | None = None) -> None:
        self.folder = (root or resources.cache_folder() / "grading") / f"{suite}-{key[:16]}"
        self._key = key
        self._times = self.folder / f"times-{machine}"
        self._silent = False
        with contextlib.suppress(OSError):  # said when something is to be kept
            trust.make_private(self.folder)
        self._refused = trust.doubt(self.folder)
        if doubt := self._refused:
            # What others may have written there has to go: modes alone do not tell.
            mend = "DUALCODE_CACHE_DIR=FOLDER, with a folder of your own"
            if doubt.remedy:
                remove = f"rm -r {shlex.quote(str(self.folder.parent))}"
                above = doubt.path not in (self.folder, self.folder.parent)
                mend = f"{doubt.remedy} && {remove}" if above else remove
            _log.warning(
                "%s is not used, for %s %s: who writes there decides what passes. "
                "References are run anew each time, until: %s",
                self.folder, doubt.path, doubt.why, mend,
            )  # fmt: skip

    @classmethod
    def of(cls, suite: Suite) -> "CalibrationCache":
        """Return the cache for a suite's data with this code, on this machine."""
        return cls(suite.name, content_key(suite.data.sha256), machine_key())

    def reference(self, task_id: str) -> Reference | None:
        """Return a task's reference; None if it is not there, damaged, or of something else."""
        path = self._path(task_id)
        if self._refused or not _is_ours(path):
            return None
        try:
            return _parse(path.read_bytes(), self._key, task_id)
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("%s cannot be read, and is made anew: %s", path, error)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            _log.warning("%s is damaged and made anew: %s", path, error)
        return None

    def keep_reference(self, reference: Reference) -> None:
        """Write a task's reference, unless the folder cannot be written: then say so once."""
        path = self._path(reference.task_id)
        if self._refused:
            return
        try:
            trust.make_private(self.folder)
            _replace(path, _render(reference, self._key))
        except OSError as error:
            self._complain(path, error)

    def times(self) -> dict[str, dict[Part, Times]]:
        """Return the times of all tasks that were timed on this machine, by task and part."""
        if self._refused or not _is_ours(self._times):
            return {}
        try:
            lines = self._times.read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            _log.warning("%s cannot be read: %s", self._times, error)
            return {}
        known: dict[str, dict[Part, Times]] = {}
        bad = 0
        for line in filter(None, lines):
            try:
                if int(line[:8], 16) != zlib.crc32(line[9:]):
                    raise ValueError
                key, task_id, part, total, other, slow = json.loads(line[9:])
            except ValueError:
                bad += 1
                continue
            if key == self._key[:16]:
                known.setdefault(task_id, {})[part] = Times(total, dict(slow), other)
        if bad:
            _log.warning("%s: %d damaged lines are measured anew", self._times, bad)
        return known

    def keep_times(self, task_id: str, part: Part, times: Times) -> None:
        """Append what one set of tests took."""
        numbers = [times.total, times.other, sorted(times.slow.items())]
        text = json.dumps([self._key[:16], task_id, part, *numbers]).encode()
        line = b"\n%08x %s\n" % (zlib.crc32(text), text)  # a torn line before it is ended, not continued
        if self._refused:
            return
        try:
            trust.make_private(self.folder)
            descriptor = os.open(self._times, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "ab", buffering=0) as file:
                file.write(line)
        except OSError as error:
            self._complain(self._times, error)

    def _path(self, task_id: str) -> Path:
        # A team's ids may differ in nothing but the characters that no file's name takes.
        checksum = hashlib.sha256(task_id.encode()).hexdigest()[:8]
        return self.folder / f"{re.sub(r'[^A-Za-z0-9]', '_', task_id)[:100]}-{checksum}.reference"

    def _complain(self, path: Path, error: OSError) -> None:
        if not self._silent:
            _log.warning("%s cannot be written, so it is made anew each time: %s", path, error)
        self._silent = True


def _is_ours(path: Path) -> bool:
    """Whether nobody else may write a file; one that others may is removed, to be made anew."""
    found = trust.doubt(path, above=False)
    if found is None:
        return True
    _log.warning("%s %s, so it is made anew", found.path, found.why)
    with contextlib.suppress(OSError):
        path.unlink()
    return False


def content_key(data: str) -> str:
    """Return the hex SHA-256 over all that may change what a reference returns; `data` is its checksum."""
    packages = [f"{name} {importlib.metadata.version(name)}" for name in ("evalplus", "numpy")]
    made_of = [_FORMAT, data, sys.version, platform.machine(), packages, _code()]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


def machine_key() -> str:
    """Return a name for this machine's speed: model and number of its cores, and which machine it is.

    The machine's id is secret by convention (machine-id(5)), so only its hash with a salt is shown.
    """
    head = machine = ""
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
        head = file.read(8192)
    with contextlib.suppress(OSError):
        machine = Path("/etc/machine-id").read_text().strip()
    model = re.search(r"model name\s*:\s*(.*)", head)
    parts = [model[1] if model else platform.processor(), str(os.cpu_count()), machine or platform.node()]
    return hashlib.sha256("\n".join([_SALT, *parts]).encode()).hexdigest()[:16]


@functools.cache
def _code() -> str:
    """Return a hash of the code that makes streams, reads them, and reads the benchmarks' rows."""
    here = Path(__file__).parent
    jail = Path(sandbox.__file__).parent
    files = [jail / name for name in ("harness.py", "surroundings.py", "encoder.py", "job.py")]
    own_files = ("calibration.py", "oracles.py", "oracle_jail.py", "check_jail.py", "problem.py")
    files += [here / name for name in own_files]
    files += [Path(module.__file__ or "") for module in (evalplus, own, calls)]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _render(reference: Reference, key: str) -> bytes:
    """Return a file: a checksum of what follows, a line of JSON, then each part's inputs and stream."""
    parts = [
        {
            "part": part,
            "count": tests.inputs.count,
            "inputs": len(tests.inputs.encoded),
            "expected": len(tests.expected),
            "has_nan": tests.has_nan,
            "long": sorted(tests.long.items()),
            "peak": tests.peak,
        }
        for part, tests in reference.tests.items()
    ]
    head = {
        "key": key,
        "task_id": reference.task_id,
        "form": reference.form,
        "entry_point": reference.entry_point,
        "atol": reference.atol,
        "parts": parts,
    }
    blobs = [blob for tests in reference.tests.values() for blob in (tests.inputs.encoded, tests.expected)]
    body = b"".join([json.dumps(head).encode(), b"\n", *blobs])
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _parse(content: bytes, key: str, task_id: str) -> Reference:
    """Return the reference in a file; a ValueError if the file is not whole or not this task's."""
    start, body_at = 64 + 1, content.find(b"\n", 64 + 1) + 1
    view = memoryview(content)
    if hashlib.sha256(view[start:]).hexdigest().encode() != content[:64]:
        raise ValueError("its checksum does not fit")
    head: dict[str, Any] = json.loads(content[start:body_at])
    if (head["key"], head["task_id"]) != (key, task_id):
        raise ValueError("it was made with other data or another version")
    tests: dict[Part, Tests] = {}
    for part in cast("list[dict[str, Any]]", head["parts"]):
        middle = body_at + part["inputs"]
        end = middle + part["expected"]
        tests[part["part"]] = Tests(
            inputs=Arguments(head["entry_point"], content[body_at:middle], part["count"]),
            expected=content[middle:end],
            has_nan=part["has_nan"],
            long=dict(part["long"]),
            peak=part["peak"],
        )
        body_at = end
    return Reference(task_id, head["form"], head["entry_point"], head["atol"], tests)


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it, now or after a kill, finds all of it or none."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
