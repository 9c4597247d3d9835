"""Files of lines, each a record: appended whole, replaced whole, and read beyond what is damaged."""

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import IO, TypeVar

from pydantic import ValidationError

from dualcode.errors import RunError
from dualcode.record import Record

R = TypeVar("R", bound=Record)
_TASK = re.compile(rb'"task_id":("(?:[^"\\]|\\.)*")')


class Damage(Record):
    """A line that cannot be read."""

    file: str
    line: int
    """From 1."""
    why: str
    tasks: frozenset[str] = frozenset()
    """Whose it was, as far as it says; several where a line that was cut off went on in the next."""

    def __str__(self) -> str:
        """Say what is lost, for people."""
        whose = f" (of {', '.join(sorted(self.tasks))})" if self.tasks else ""
        return f"{self.file}, line {self.line}{whose} is damaged and left out: {self.why}"


def read_lines(path: Path, kind: type[R], damage: list[Damage]) -> list[R]:
    """Return a file's records, as `each_line` yields them."""
    return [record for _, record in each_line(path, kind, damage)]


def each_line(path: Path, kind: type[R], damage: list[Damage]) -> Iterator[tuple[bytes, R]]:
    """Yield a file's lines, each with its record; of a file of any length no more is held than a line.

    A torn last line is passed over, any other that is no record goes to `damage`. Raises RunError for a file
    that cannot be read at all, or, at its end, for one in which no line is such a record.
    """
    found, foreign = 0, ""
    for number, line in enumerate(raw_lines(path), start=1):
        try:
            record = kind.model_validate_json(line)
        except ValidationError as error:
            damage.append(damaged(path, number, line, error))
            foreign = foreign or (damage[-1].why if error.errors()[0]["type"] != "json_invalid" else "")
            continue
        found += 1
        yield line, record
    if foreign and not found:
        raise of_another_version(path, foreign)


def raw_lines(path: Path) -> Iterator[bytes]:
    """Yield a file's lines with their ends, without a torn last one. Raises RunError if it cannot be read."""
    try:
        if not path.exists():
            return
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error}", hint="another RUN") from error


def damaged(path: Path, number: int, line: bytes, error: ValidationError) -> Damage:
    """Return what is to be said of a line that is no record."""
    tasks = list[str]()
    for quoted in _TASK.findall(line):
        with contextlib.suppress(ValueError):
            tasks.append(json.loads(quoted))
    why = error.errors()[0]["msg"]
    return Damage(file=path.name, line=number, why=why, tasks=frozenset(tasks))


def of_another_version(path: Path, why: str) -> RunError:
    """Return the error for a file in which no line is such a record."""
    hint = "the version of dualcode that made the run, or make it anew"
    return RunError(f"{path} is of another version: {why}", hint=hint)


def append_whole(path: Path, content: str | bytes) -> None:
    """Append so that all of it is there, or nothing: what a full disk took a part of is taken back.

    Raises OSError. A kill between two writes leaves a torn line.
    """
    rest = memoryview(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except BaseException:
            file.truncate(before)
            raise


def drop_torn_line(path: Path) -> None:
    """Cut off a last line without an end. Raises OSError."""
    if not path.exists():
        return
    with path.open("rb") as file:
        end = size = file.seek(0, os.SEEK_END)
        whole = 0  # bytes up to the end of the last whole line
        while end and not whole:
            start = max(0, end - 65536)
            file.seek(start)
            whole = start + file.read(end - start).rfind(b"\n") + 1
            if whole == start:  # none in this block
                whole, end = 0, start
    if whole != size:
        os.truncate(path, whole)


def replace(path: Path, content: str | Iterable[bytes]) -> None:
    """Write a file so that a kill leaves either the old or the new one. Raises OSError."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.writelines([content.encode("utf-8", "surrogatepass")] if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


@contextlib.contextmanager
def writing(path: Path) -> Generator[None]:
    """Raise RunError where a file cannot be written."""
    try:
        yield
    except OSError as error:
        hint = "free the disk, then the same command to resume"
        raise RunError(f"cannot write {path}: {error}", hint=hint) from error


def own(folder: Path, *, choose: str, beside: str) -> IO[str]:
    """Own a folder of records, made if need be, until what is returned is closed or its process ends.

    Raises RunError, with the option that chooses another folder, where it cannot be written or another
    process owns it; `beside` is what `--fresh` begins then.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a+")
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error}", hint=choose) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise RunError(
            f"another process is working on {folder}: {owner}",
            hint=f"wait for it, or --fresh for {beside} beside it",
        ) from None
    with contextlib.suppress(OSError):  # for people alone
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
    return lock
