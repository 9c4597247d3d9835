"""Rubrics are data: the two that ship, a team's own, and what is refused with file and key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dualcode.errors import InputError, UnknownNameError
from dualcode.panel.rubric import FOLDER, find_rubric, load_rubric, names

ONE = """\
title = "ours"
lowest = 0
highest = 5
[[dimensions]]
key = "speed"
title = "Speed"
question = "Is it fast?"
[dimensions.levels]
0 = "no"
5 = "yes"
"""


def written(folder: Path, text: str, name: str = "own.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_two_that_ship_have_the_sources_dimensions_and_ours_are_marked() -> None:
    four, seven = find_rubric("duobench"), find_rubric("seven")
    assert [each.key for each in four.dimensions] == [
        "task_completion", "correctness", "code_quality", "verification",
    ]  # fmt: skip
    assert [each.named for each in seven.dimensions if each.ours] == [
        "Compatibility (ours)",
        "Verification (ours)",
    ]
    assert len(seven.dimensions) == 7 and not any(each.ours for each in four.dimensions)
    for rubric in (four, seven):
        assert (rubric.lowest, rubric.highest) == (1, 10) and rubric.source
        assert all(len(each.levels) >= 4 for each in rubric.dimensions)


def test_a_teams_own_is_found_by_path_and_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rubrics").mkdir()
    path = written(tmp_path / "rubrics", ONE, "duobench.toml")
    assert find_rubric(str(path)).title == "ours"
    assert find_rubric("duobench").title != "ours"
    monkeypatch.chdir(tmp_path)
    assert find_rubric("duobench").title == "ours" == load_rubric(path).title
    assert set(names()) >= {"duobench", "seven"}


def test_the_schema_holds_the_rubrics_own_scale(tmp_path: Path) -> None:
    rubric = load_rubric(written(tmp_path, ONE))
    score = rubric.reply_schema(rubric.dimensions)["properties"]["speed"]["properties"]["score"]
    assert score == {"type": "integer", "minimum": 0, "maximum": 5}


def test_another_wording_is_another_rubric_and_another_place_is_not(tmp_path: Path) -> None:
    one = load_rubric(written(tmp_path, ONE))
    other = load_rubric(written(tmp_path, ONE.replace("Is it fast?", "Is it quick?"), "b.toml"))
    moved = load_rubric(written(tmp_path, ONE, "c.toml"))
    assert one.checksum == moved.checksum != other.checksum


Change = Callable[[str], str]
BAD: dict[str, tuple[Change, str]] = {
    "unknown key": (lambda text: "weight = 2\n" + text, "weight: unknown key; expected one of: title"),
    "unknown key of a dimension": (
        lambda text: text.replace("question", "weight = 2\nquestion"),
        r"dimensions\.0\.weight: unknown key",
    ),
    "a name": (lambda text: 'name = "x"\n' + text, "name: unknown key"),
    "no dimension": (lambda text: text.partition("[[")[0], "dimensions: missing"),
    "no question": (lambda text: text.replace('question = "Is it fast?"\n', ""), "0.question: missing"),
    "an empty level": (lambda text: text.replace('"yes"', '""'), r"dimensions\.0\.levels\.5"),
    "no anchor at the top": (lambda text: text.replace("5 = ", "4 = "), "level 5 is not told"),
    "a level outside": (lambda text: text + '7 = "more"\n', "7 lies outside 0 to 5"),
    "a word for a level": (lambda text: text + 'good = "x"\n', r"dimensions\.0\.levels"),
    "the same key twice": (lambda text: text + text.partition("highest = 5\n")[2], "another 'speed'"),
    "a key with a blank": (lambda text: text.replace('"speed"', '"a b"'), r"dimensions\.0\.key: found 'a b'"),
    "upside down": (lambda text: text.replace("lowest = 0", "lowest = 6"), "lowest and highest are 6 and 5"),
    "half a number": (lambda text: text.replace("highest = 5", "highest = 5.5"), "highest: found 5.5"),
    "no TOML": (lambda text: text + "[[", "is not TOML"),
    "empty": (lambda _: "", "title: missing"),
}  # fmt: skip


@pytest.mark.parametrize("change, told", BAD.values(), ids=BAD)
def test_a_bad_rubric_is_refused_with_file_and_key(tmp_path: Path, change: Change, told: str) -> None:
    path = written(tmp_path, change(ONE))
    with pytest.raises(InputError, match=told) as refused:
        load_rubric(path)
    assert str(path) in refused.value.message and refused.value.hint


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml cannot be read: No such file"):
        find_rubric(str(tmp_path / "none.toml"))
    path = tmp_path / "b.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not TOML"):
        load_rubric(path)
    with pytest.raises(UnknownNameError, match="nearest: duobench"):
        find_rubric("duobensch")
    with pytest.raises(UnknownNameError):
        find_rubric("../panel/rubrics/duobench")


def test_every_rubric_that_ships_is_a_file_of_the_package() -> None:
    shipped: set[Any] = {path.stem for path in FOLDER.glob("*.toml")}
    assert shipped == {"duobench", "seven"}
