"""Rows and exercises as people have them: odd names and characters, patches and lists of any form."""

import json
from pathlib import Path
from typing import Any

import pytest

from dualcode.errors import SuiteError
from dualcode.issues.importing import Wanted, import_tasks
from dualcode.issues.task import read_task
from tests.issues import shop
from tests.issues.test_writing import TEST_PATCH, make_exercise, row

NEW_FILE = """\
diff --git a/{name} b/{name}
new file mode {mode}
--- /dev/null
+++ b/{name}
@@ -0,0 +1 @@
+{line}
"""


@pytest.fixture
def faulty(repository: Path) -> str:
    return shop.git(repository, "rev-parse", "HEAD~1").strip()


def imported(
    folder: Path, text: str, repository: Path, **more: Any
) -> tuple[list[Path], list[tuple[str, str]]]:
    """Import a file of rows as it is written."""
    source = folder / "rows.jsonl"
    source.write_bytes(text.encode())
    return import_tasks(source, folder / "made", Wanted({"": repository}, **more))


def test_a_line_of_rows_ends_where_json_says_and_nowhere_else(
    tmp_path: Path, repository: Path, faulty: str
) -> None:
    """U+2028, U+0085 and a form feed are ends of lines to Python's splitlines, and text to JSON."""
    told = "first\u2028second\u0085third\x0cfourth"
    line = json.dumps(row(faulty, problem_statement=told), ensure_ascii=False)
    written, refused = imported(tmp_path, f"\r\n{line}\r\n\r\n", repository)
    assert refused == []
    assert read_task(written[0]).instruction == f"{told}\n"


def test_a_name_that_comes_twice_is_refused_the_second_time(
    tmp_path: Path, repository: Path, faulty: str
) -> None:
    rows = [row(faulty), row(faulty, problem_statement="another"), row(faulty, instance_id="team  shop 1")]
    rows.append(row(faulty, instance_id="team-shop-1"))
    written, refused = imported(tmp_path, "\n".join(map(json.dumps, rows)), repository)
    assert [each.name for each in written] == ["team__shop-1", "team-shop-1"]
    assert [name for name, _ in refused] == ["team__shop-1", "team-shop-1"]
    assert all("is there already" in why for _, why in refused)
    assert read_task(written[0]).instruction == "The first price is not counted.\n"


@pytest.mark.parametrize("name", ["../up", "ü/é", " ", "...", "a" * 190, "-x", "_x"])
def test_any_name_of_a_row_is_a_folder_inside_the_target(
    tmp_path: Path, repository: Path, faulty: str, name: str
) -> None:
    written, refused = imported(tmp_path, json.dumps(row(faulty, instance_id=name)), repository)
    assert refused == []
    assert written[0].parent == tmp_path / "made"
    assert read_task(written[0]).fail_to_pass


def test_only_those_of_a_pattern_are_written_and_nothing_else_is_looked_at(
    tmp_path: Path, repository: Path, faulty: str
) -> None:
    rows = [row(faulty, instance_id="a__b-1"), row("0" * 40, instance_id="c__d-2")]
    written, refused = imported(tmp_path, "\n".join(map(json.dumps, rows)), repository, only="a__*")
    assert ([each.name for each in written], refused) == (["a__b-1"], [])
    with pytest.raises(SuiteError, match=r"named like 'x\*'"):
        imported(tmp_path, json.dumps(rows[0]), repository, only="x*")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"FAIL_TO_PASS": "[]"}, "FAIL_TO_PASS: it names no test"),
        ({"FAIL_TO_PASS": []}, "its row has no FAIL_TO_PASS"),
        ({"FAIL_TO_PASS": {"a": 1}}, "FAIL_TO_PASS is no list of test ids"),
        ({"PASS_TO_PASS": "{}"}, "PASS_TO_PASS is no list of test ids"),
        ({"problem_statement": ""}, "its row has no problem_statement"),
        ({"test_patch": None}, "its row has no test_patch"),
        (
            {"test_patch": "diff --git a/x b/x\nBinary files a/x and b/x differ\n"},
            "test_patch does not apply",
        ),
        (
            {"test_patch": NEW_FILE.format(name="../up.py", mode="100644", line="x")},
            "test_patch does not apply",
        ),
    ],
)
def test_a_row_that_makes_no_task_is_refused_and_leaves_no_folder(
    tmp_path: Path, repository: Path, faulty: str, changes: dict[str, Any], told: str
) -> None:
    written, refused = imported(tmp_path, json.dumps(row(faulty, **changes)), repository)
    assert written == []
    assert told in refused[0][1]
    assert not (tmp_path / "made").exists()


def test_lists_may_be_missing_or_name_a_test_twice(tmp_path: Path, repository: Path, faulty: str) -> None:
    ids = ["tests/test_price.py::test_all_count"] * 2
    changes = {"FAIL_TO_PASS": json.dumps(ids), "PASS_TO_PASS": None, "patch": None}
    written, _ = imported(tmp_path, json.dumps(row(faulty, **changes)), repository)
    task = read_task(written[0])
    assert (task.fail_to_pass, task.pass_to_pass) == (tuple(ids[:1]), ())
    assert not task.solution.exists()


def test_a_test_patch_may_have_any_name_and_need_not_end(
    tmp_path: Path, repository: Path, faulty: str
) -> None:
    more = "".join(
        NEW_FILE.format(name=name, mode="100644", line="größe = 1")
        for name in ("tests/with blank.py", "tests/ümlaut.py", "tests/a'b.py")
    )
    changes = {"test_patch": (TEST_PATCH + more).removesuffix("\n")}
    written, refused = imported(tmp_path, json.dumps(row(faulty, **changes)), repository)
    assert refused == []
    hidden = dict(read_task(written[0]).hidden_files())
    assert set(hidden) == {
        "tests/test_price.py", "tests/with blank.py", "tests/ümlaut.py", "tests/a'b.py",
    }  # fmt: skip
    assert hidden["tests/ümlaut.py"].read_text("utf-8") == "größe = 1\n"


def test_a_test_that_the_patch_does_not_change_comes_from_the_tree(
    tmp_path: Path, repository: Path, faulty: str
) -> None:
    changes = {"test_patch": NEW_FILE.format(name="tests/data.txt", mode="100644", line="data")}
    ids = ["tests/test_price.py::test_nothing"]
    one = json.dumps(row(faulty, FAIL_TO_PASS=ids, PASS_TO_PASS=[], **changes))
    written, refused = imported(tmp_path, one, repository)
    assert refused == []
    hidden = dict(read_task(written[0]).hidden_files())
    assert hidden["tests/test_price.py"].read_text() == shop.FILES["tests/test_price.py"]
    gone = json.dumps(row(faulty, FAIL_TO_PASS=["tests/gone.py::test_x"], instance_id="gone", **changes))
    _, refused = imported(tmp_path, gone, repository)
    assert "tests/gone.py" in refused[0][1]


def test_a_submodule_among_the_tests_is_refused_by_name(
    tmp_path: Path, repository: Path, faulty: str
) -> None:
    patch = (
        "diff --git a/tests/sub b/tests/sub\nnew file mode 160000\nindex 0000000..1111111\n"
        f"--- /dev/null\n+++ b/tests/sub\n@@ -0,0 +1 @@\n+Subproject commit {'1' * 40}\n"
    )
    _, refused = imported(tmp_path, json.dumps(row(faulty, test_patch=TEST_PATCH + patch)), repository)
    assert "of a test in test_patch" in refused[0][1]


def test_the_user_s_repository_is_only_read(tmp_path: Path, repository: Path, faulty: str) -> None:
    def state() -> dict[str, bytes]:
        return {str(each): each.read_bytes() for each in repository.rglob("*") if each.is_file()}

    before = state()
    assert imported(tmp_path, json.dumps(row(faulty)), repository)[0]
    assert state() == before


def exercise(folder: Path, texts: dict[str, str] | None = None, files: dict[str, Any] | None = None) -> Path:
    """Write a polyglot folder of one exercise, changed."""
    made = folder / "polyglot" / "python" / "exercises" / "practice" / "two-fer"
    make_exercise(made)
    shop.write(made, texts or {})
    if files is not None:
        (made / ".meta/config.json").write_text(json.dumps({"files": files}))
    return folder / "polyglot"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"solution": [], "test": ["two_fer_test.py"]}, "names no file to be completed"),
        ({"solution": ["two_fer.py"], "test": []}, "names no test"),
        ({"solution": ["two_fer.py"], "test": ["two_fer.py"]}, "names no test"),
        ({"solution": ["two_fer.py", "notes.txt"], "test": ["two_fer_test.py"]}, "notes.txt is no Python"),
        ({"solution": ["gone.py"], "test": ["two_fer_test.py"]}, "is no exercise of the polyglot's form"),
        ({"test": ["two_fer_test.py"]}, "is no exercise of the polyglot's form"),
        ({"solution": 1, "test": 2}, "is no exercise of the polyglot's form"),
    ],
)
def test_an_exercise_that_makes_no_task_is_refused_and_leaves_no_folder(
    tmp_path: Path, files: dict[str, Any], told: str
) -> None:
    source = exercise(tmp_path, {"notes.txt": "no code"}, files)
    written, refused = import_tasks(source, tmp_path / "made", Wanted({}))
    assert written == []
    assert told in refused[0][1]
    assert not (tmp_path / "made").exists()


def test_a_folder_of_the_user_s_that_has_the_name_is_left_as_it_is(tmp_path: Path) -> None:
    shop.write(tmp_path / "made" / "two-fer", {"mine.txt": "mine"})
    written, refused = import_tasks(exercise(tmp_path), tmp_path / "made", Wanted({}))
    assert written == []
    assert "is there already" in refused[0][1]
    assert [each.name for each in (tmp_path / "made" / "two-fer").iterdir()] == ["mine.txt"]


def test_tests_of_every_form_are_found_by_their_text(tmp_path: Path) -> None:
    text = (
        "def test_plain():\n    pass\n\n\nasync def test_waits():\n    pass\n\n\nclass First:\n"
        "    def test_one(self):\n        pass\n\n    async def test_two(self):\n        pass\n\n\n"
        "class Second:\n    def helper(self):\n        pass\n\n    def test_one(self):\n        pass\n"
    )
    source = exercise(tmp_path, {"two_fer_test.py": text})
    written, _ = import_tasks(source, tmp_path / "made", Wanted({}))
    names = ("test_plain", "test_waits", "First::test_one", "First::test_two", "Second::test_one")
    assert read_task(written[0]).fail_to_pass == tuple(f"two_fer_test.py::{each}" for each in names)


def test_an_exercise_may_be_named_itself_or_by_any_folder_around_it(tmp_path: Path) -> None:
    source = exercise(tmp_path)
    track = source / "python"
    for number, each in enumerate((source, track, track / "exercises/practice/two-fer")):
        written, refused = import_tasks(each, tmp_path / f"made{number}", Wanted({}))
        assert ([made.name for made in written], refused) == (["two-fer"], [])


def test_the_solution_of_an_exercise_is_a_patch_of_its_own_tree(tmp_path: Path) -> None:
    """A stub without an end, and an answer with another: git says so, and applies it."""
    stub = "def two_fer(name):\n    pass"
    source = exercise(tmp_path, {"two_fer.py": stub, ".meta/example.py": "größe = 'ü'\n"})
    written, _ = import_tasks(source, tmp_path / "made", Wanted({}))
    tree = tmp_path / "tree"
    shop.git(tmp_path, "clone", "-q", "-b", "base", str(written[0] / "repository.git"), str(tree))
    assert (tree / "two_fer.py").read_text() == stub
    shop.git(tree, "apply", str(read_task(written[0]).solution))
    assert (tree / "two_fer.py").read_text("utf-8") == "größe = 'ü'\n"
