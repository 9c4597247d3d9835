"""A task's folder: what is read of it, and what is refused, with file and place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcode.errors import SuiteError, UnknownNameError
from dualcode.issues.task import IssueTask, find_task, read_task, shipped_folders, test_root
from tests.issues import shop

test_root.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]

REVISION = "0" * 40


def test_a_task_is_read_whole(tmp_path: Path) -> None:
    task = shop.make_task(tmp_path / "shop-1", Path("repository"), REVISION)
    assert task.name == "shop-1"
    assert task.limits.test_seconds == 60
    assert task.test_roots() == ("tests",)
    assert [name for name, _ in task.hidden_files()] == ["tests/test_issue.py"]
    assert (task.in_scope("shop/price.py"), task.in_scope("setup.cfg")) == (True, False)


def test_what_harbor_writes_beside_ours_is_taken_as_it_is(tmp_path: Path) -> None:
    task = shop.make_task(
        tmp_path / "task",
        Path("repository"),
        REVISION,
        ("[agent]", "[environment]\ndocker_image = 'x'\n[verifier]\nuser = 'y'\n[agent]"),
        ('difficulty = "easy"', 'difficulty = "easy"\n[metadata.theirs]\nkey = 1'),
    )
    shop.write(
        task.folder, {"tests/test.sh": "exit 0", "environment/Dockerfile": "FROM x", "solution/solve.sh": ""}
    )
    assert [name for name, _ in read_task(task.folder).hidden_files()] == ["tests/test_issue.py"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("limits = {{ test_seconds = 60 }}", "limit = 1", r"limit: unknown key; expected one of: source, python"),
        ("limits = {{ test_seconds = 60 }}", "limits = { seconds = 1 }", r"limits.seconds: unknown key; expected"),
        ("limits = {{ test_seconds = 60 }}", "limits = { test_seconds = -1 }", r"limits.test_seconds: found -1"),
        ("limits = {{ test_seconds = 60 }}", 'pins = ["pytest>=7"]', r"'pytest>=7' is no NAME==VERSION"),
        ("limits = {{ test_seconds = 60 }}", 'python = "three"', r"'three' is no version of Python"),
        ("limits = {{ test_seconds = 60 }}", 'pythonpath = ["../x"]', r"'../x' leads out of the tree"),
        ('revision = "{revision}"', "", r"give either sdist, version and sha256, or path and revision"),
        ('revision = "{revision}"', f'revision = "{REVISION}"\nsha256 = "x"', r"found 'x'"),
        ("tests/test_issue.py::test_all_count", "tests/test_issue.py", r"is no id such as tests/test_it.py::test_it"),
        ("tests/test_issue.py::test_all_count", "../x.py::test", r"'../x.py::test' is no id"),
        ("tests/test_issue.py::test_all_count", "tests/test_price.py::test_nothing", r"in fail_to_pass and in pass_to_pass"),
        ("tests/test_issue.py::test_all_count", "tests/gone.py::test", r"tests/gone.py, which is not there"),
        ('["tests/test_issue.py::test_all_count"]', "[]", r"fail_to_pass is empty"),
        ("[task]", "[task", r"not TOML: .*line 2"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_and_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    new = new.format(revision=REVISION) if "{revision}" in new else new
    old = old.format(revision=REVISION, path="repository") if "{revision}" in old else old
    text = shop.TASK.format(path="repository", revision=REVISION)
    old = old.replace("{{", "{").replace("}}", "}")
    assert old in text
    folder = tmp_path / "task"
    shop.write(folder, {"task.toml": text.replace(old, new), "instruction.md": "text"})
    shop.write(folder, {"tests/tests/test_issue.py": shop.HIDDEN})
    with pytest.raises(SuiteError, match=told) as error:
        read_task(folder)
    assert "task.toml" in error.value.message
    assert error.value.hint


def test_a_folder_whose_environment_is_a_dockerfile_is_refused_by_name(tmp_path: Path) -> None:
    shop.write(tmp_path / "theirs", {"task.toml": "[task]\nname = 'x'\n", "environment/Dockerfile": "FROM x"})
    with pytest.raises(SuiteError, match="its environment is a Dockerfile, which dualcode does not run"):
        read_task(tmp_path / "theirs")


def test_a_folder_that_is_no_task_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    with pytest.raises(SuiteError, match=r"has no task.toml; it holds README.md"):
        read_task(tmp_path)


def test_ids_can_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    task = shop.make_task(tmp_path / "task", Path("repository"), REVISION)
    path = task.folder / "task.toml"
    shown = 'pass_to_pass = ["tests/test_price.py::test_nothing", "tests/test_price.py::test_first_is_free"]'
    assert shown in path.read_text()
    bad = 'known_bad = ["tests/test_price.py::test_bad[ a]"]'
    path.write_text(path.read_text().replace(shown, f'pass_to_pass = "ids.txt"\n{bad}'))
    shop.write(
        task.folder,
        {"ids.txt": "# a comment\n\ntests/test_price.py::test_nothing\ntests/test_price.py::test_bad[ a]\n"},
    )
    assert read_task(task.folder).pass_to_pass == ("tests/test_price.py::test_nothing",)


def test_the_shipped_tasks_can_be_read_and_are_of_three_kinds() -> None:
    tasks = {folder.name: read_task(folder) for folder in shipped_folders()}
    assert {"flask-4041", "jinja-1427", "sqlparse-742"} <= set(tasks)
    for each in tasks.values():
        assert each.solution.exists()
        assert each.settings.source.sha256
        assert each.settings.paths_in_scope
        assert not any(part in each.instruction for part in each.fail_to_pass)


def test_a_name_that_does_not_exist_lists_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="nearest: flask-4041"):
        find_task("flask-4042")
    with pytest.raises(SuiteError, match="is no folder"):
        find_task("no/where")


@pytest.mark.parametrize(
    ("file", "root"),
    [
        ("tests/unit/test_a.py", "tests"),
        ("pkg/tests/test_a.py", "pkg/tests"),
        ("pkg/test_a.py", "pkg/test_a.py"),
        ("test_a.py", "test_a.py"),
    ],
)
def test_graded_tests_lie_in_the_outermost_folder_of_tests(file: str, root: str) -> None:
    assert test_root(file) == root


def test_the_instruction_is_all_that_is_for_models(tmp_path: Path) -> None:
    task: IssueTask = shop.make_task(tmp_path / "shop-1", Path("repository"), REVISION)
    assert task.instruction == "# The first price is not counted\n\nIt should be.\n"


@pytest.mark.parametrize(
    ("outside", "points"), [(0, 10), (1, 9), (3, 7), (9, 1), (10, 1), (200, 1)]
)  # fmt: skip
def test_each_file_out_of_scope_costs_a_point(tmp_path: Path, outside: int, points: int) -> None:
    task = shop.make_task(tmp_path / "shop-1", Path("repository"), REVISION)
    changed = ["shop/a.py", *(f"unrelated/{n}.py" for n in range(outside))]
    assert task.scope_score(changed) == task.scope_score([*changed, *changed]) == points


def test_scope_has_no_score_without_a_change_or_an_opinion(tmp_path: Path) -> None:
    task = shop.make_task(tmp_path / "shop-1", Path("repository"), REVISION)
    assert task.scope_score([]) is None
    free = task.settings.model_copy(update={"paths_in_scope": ()})
    assert task.model_copy(update={"settings": free}).scope_score(["a"]) is None


HARBOR = """\
version = "1.0"

[metadata]
author_name = "Somebody"
author_email = "somebody@example.com"
difficulty = "easy"
category = "programming"
tags = ["trivial", "größe"]

[verifier]
timeout_sec = 120.0

[agent]
timeout_sec = 120.0

[environment]
build_timeout_sec = 600.0
cpus = 1
memory = "2G"
storage = "10G"
"""
OURS = """
[metadata.dualcode]
fail_to_pass = ["tests/test_issue.py::test_all_count"]

[metadata.dualcode.source]
path = "repository"
revision = "main"
"""


def written(folder: Path, toml: str | bytes, instruction: str | bytes = "# Wrong\n") -> Path:
    """Write a task's folder, byte by byte, and return it."""
    shop.write(folder, {"tests/tests/test_issue.py": shop.HIDDEN})
    for name, text in (("task.toml", toml), ("instruction.md", instruction)):
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def test_a_task_of_harbor_s_form_needs_our_table_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"has no table \[metadata.dualcode\]"):
        read_task(written(tmp_path / "theirs", HARBOR))
    task = read_task(written(tmp_path / "ours", HARBOR + OURS))
    assert task.limits.command_seconds == 120
    assert (task.pass_to_pass, task.settings.pins, task.in_scope("any.py")) == ((), (), True)
    assert task.settings.source.named == "repository at main"


@pytest.mark.parametrize("metadata", ["metadata = 1", "[metadata]\ndualcode = []", "[[metadata]]\nx = 1"])
def test_a_table_of_another_kind_is_none(tmp_path: Path, metadata: str) -> None:
    with pytest.raises(SuiteError, match="has no table"):
        read_task(written(tmp_path / "task", metadata))


def test_a_file_may_come_from_any_editor(tmp_path: Path) -> None:
    """A mark of the order of bytes, and another machine's ends of lines, are nothing that a model reads."""
    windows = (HARBOR + OURS).replace("\n", "\r\n")
    folder = written(
        tmp_path / "task", b"\xef\xbb\xbf" + windows.encode(), b"\xef\xbb\xbf# Wr\xc3\xb6ng\r\nyes\r\n"
    )
    assert read_task(folder).instruction == "# Wröng\nyes\n"


@pytest.mark.parametrize(
    ("toml", "instruction", "told"),
    [
        (HARBOR + OURS, "", "instruction.md is empty"),
        (HARBOR + OURS, " \n\t\n", "instruction.md is empty"),
        (HARBOR + OURS, b"gr\xf6\xdfe", "instruction.md is no UTF-8 text: byte 2"),
        ((HARBOR + OURS).encode("utf-16"), "x", "task.toml is no UTF-8 text: byte 0"),
        (HARBOR + OURS + OURS, "x", "task.toml: not TOML"),
        (b"x = 1\0", "x", "task.toml: not TOML"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_file(
    tmp_path: Path, toml: str | bytes, instruction: str | bytes, told: str
) -> None:
    with pytest.raises(SuiteError, match=told):
        read_task(written(tmp_path / "task", toml, instruction))


def test_a_missing_instruction_and_a_folder_of_no_name_are_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "task", HARBOR + OURS)
    (folder / "instruction.md").unlink()
    with pytest.raises(SuiteError, match="instruction.md cannot be read: No such file"):
        read_task(folder)
    with pytest.raises(SuiteError, match="'größe' cannot be a task's name"):
        read_task(written(tmp_path / "größe", HARBOR + OURS))


PARTS = st.lists(st.sampled_from(["tests", "test", "src", "pkg", "a b", "ü"]), max_size=4)


@given(PARTS, st.sampled_from(["test_a.py", "tests", "a b.py"]))
def test_a_root_of_tests_is_a_part_of_its_file_s_path_and_the_outermost(parts: list[str], name: str) -> None:
    file = "/".join([*parts, name])
    root = test_root(file)
    assert file == root or file.startswith(f"{root}/")
    inner = root.split("/")[:-1]
    assert not {"tests", "test", "testing"} & set(inner)
    assert root == file or root.split("/")[-1] in ("tests", "test", "testing")
    assert test_root(root) == root
