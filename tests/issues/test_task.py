"""A task's folder: what is read of it, and what is refused, with file and place."""

from pathlib import Path

import pytest

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
