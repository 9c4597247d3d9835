"""Files of lines, each a record: appended whole, replaced whole, and read beyond what is damaged."""

import contextlib
import json
import os
import re
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TypeVar

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
    """Return a file's records; a torn last line is passed over, any other that is none goes to `damage`.

    Raises RunError for a file that cannot be read at all, or in which no line is such a record.
    """
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error}", hint="another RUN") from error
    found, foreign = list[R](), ""
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            found.append(kind.model_validate_json(line))
        except ValidationError as error:
            why, tasks = error.errors()[0]["msg"], list[str]()
            for quoted in _TASK.findall(line):
                with contextlib.suppress(ValueError):
                    tasks.append(json.loads(quoted))
            damage.append(Damage(file=path.name, line=number, why=why, tasks=frozenset(tasks)))
            foreign = foreign or (why if error.errors()[0]["type"] != "json_invalid" else "")
    if foreign and not found:
        hint = "the version of dualcode that made the run, or make it anew"
        raise RunError(f"{path} is of another version: {foreign}", hint=hint)
    return found


def text_of(records: Iterable[Record]) -> str:
    """Return records as lines."""
    return "".join(f"{each.to_line()}\n" for each in records)


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
    content = path.read_bytes() if path.exists() else b""
    if content and not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)


def replace(path: Path, text: str) -> None:
    """Write a file so that a kill leaves either the old or the new one. Raises OSError."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
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
