"""Files of lines: appended whole or not at all, and read beyond what is damaged."""

import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dualcode.errors import RunError
from dualcode.record import Record
from dualcode.runs.lines import (
    Damage,
    append_whole,
    drop_torn_line,
    read_lines,
    replace,
    writing,
)


class Note(Record):
    task_id: str
    text: str = ""


@contextmanager
def files_end_at(size: int) -> Generator[None]:
    """Let no file of this process grow beyond a size: a write across it is short, the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_line_that_a_full_disk_took_a_part_of_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    append_whole(path, "first\n")
    with files_end_at(8), pytest.raises(OSError):
        append_whole(path, "second\n")
    assert path.read_text() == "first\n"
    append_whole(path, "third\n")
    assert path.read_text() == "first\nthird\n"


def test_a_write_that_the_system_cut_short_goes_on_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sizes = tmp_path / "notes.jsonl", list[int]()

    class Stingy:
        """A file that takes three bytes at a time."""

        def __init__(self) -> None:
            self._file = open(path, "ab", buffering=0)  # noqa: PTH123, SIM115 - Path.open is replaced

        def __enter__(self) -> "Stingy":
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def seek(self, to: int, whence: int) -> int:
            return self._file.seek(to, whence)

        def write(self, data: memoryview) -> int:
            sizes.append(self._file.write(data[:3]))
            return sizes[-1]

    def stingy(*_: object, **__: object) -> Stingy:
        return Stingy()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", stingy)
        append_whole(path, b"12345678")
    assert path.read_bytes() == b"12345678"
    assert sizes == [3, 3, 2]


def test_half_a_surrogate_pair_can_be_appended_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    replace(path, "\ud800")
    append_whole(path, "\ud800")
    assert path.read_bytes() == b"\xed\xa0\x80" * 2


def test_what_cannot_be_written_says_what_to_free(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot write .*notes.*\n  try: free the disk"):  # noqa: SIM117
        with writing(tmp_path / "notes.jsonl"):
            append_whole(tmp_path / "no folder" / "notes.jsonl", "x")


GOOD = [Note(task_id="A/0", text="one"), Note(task_id="B/0", text="two"), Note(task_id="C/0")]
TEXT = "".join(f"{each.to_line()}\n" for each in GOOD).encode()


@pytest.mark.parametrize(
    ("broken", "tasks"),
    [
        (b"nonsense", set[str]()),
        (b"", set[str]()),
        (b"\0" * 40, set[str]()),
        (b'{"task_id":"X/0","text":"caf\xe9"}', {"X/0"}),
        (b'{"task_id":"X/0","te{"task_id":"Y/0","text":"y"}', {"X/0", "Y/0"}),
        (b'{"task_id":"X/\\"0","text":"', {'X/"0'}),
        (b'{"task_id":"X/0","text":"a \\"task_id\\":\\"Z\\""', {"X/0"}),
        (b'{"task_id":"X/0","what":"is this"}', {"X/0"}),
    ],
)
@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_damaged_line_is_named_with_its_tasks_and_the_others_are_read(
    tmp_path: Path, broken: bytes, tasks: set[str], at: int
) -> None:
    lines = TEXT.splitlines(keepends=True)
    path = tmp_path / "notes.jsonl"
    path.write_bytes(b"".join([*lines[:at], broken + b"\n", *lines[at:]]))
    damage = list[Damage]()
    assert read_lines(path, Note, damage) == GOOD
    [found] = damage
    assert (found.file, found.line, found.tasks) == ("notes.jsonl", at + 1, tasks)
    assert str(found).startswith(f"notes.jsonl, line {at + 1}")
    assert "is damaged and left out" in str(found)


def test_a_torn_last_line_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_bytes(TEXT + b'{"task_id":"D')
    damage = list[Damage]()
    assert read_lines(path, Note, damage) == GOOD
    assert damage == []
    drop_torn_line(path)
    assert path.read_bytes() == TEXT


@pytest.mark.parametrize("content", [b"", b"no end of a line"])
def test_a_file_without_a_whole_line_is_cut_to_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_bytes(content)
    drop_torn_line(path)
    assert path.read_bytes() == b""
    drop_torn_line(tmp_path / "gone.jsonl")


def test_a_file_of_another_version_is_refused_and_not_taken_for_damage(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"id":"A/0"}\n{"id":"B/0"}\n')
    with pytest.raises(RunError, match=r"notes\.jsonl is of another version: .*\n  try: the version"):
        read_lines(path, Note, [])


def test_a_file_that_is_not_there_has_no_lines_and_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "gone.jsonl", Note, []) == []
    with pytest.raises(RunError, match="cannot be read"):
        read_lines(tmp_path, Note, [])
