"""Tasks that others have, and a team's own, become folders; what cannot be run here is refused by name."""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dualcode.cli.main import cli
from dualcode.errors import ConfigError, SuiteError
from dualcode.issues.checking import prove_issue
from dualcode.issues.importing import Wanted, import_tasks
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.packages import Environment
from dualcode.issues.task import IssueTask, read_task
from dualcode.issues.writing import quoted, write_task
from tests.issues import shop

TEST_PATCH = """\
diff --git a/tests/test_price.py b/tests/test_price.py
--- a/tests/test_price.py
+++ b/tests/test_price.py
@@ -4,5 +4,9 @@
 def test_nothing():
     assert total([]) == 0
 
 
+def test_all_count():
+    assert total([1, 2, 3]) == 6
+
+
 def test_first_is_free(half):
"""  # noqa: W293 - context of a diff


@pytest.fixture
def faulty(repository: Path) -> str:
    return shop.git(repository, "rev-parse", "HEAD~1").strip()


@pytest.fixture
def ready(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every task an environment that is there, and prove once: only time is saved by it."""

    def made(_: IssueTask) -> Environment:
        return environment

    monkeypatch.setattr("dualcode.issues.packages.environment", made)
    monkeypatch.setattr("dualcode.issues.checking.TIMES", 1)


def row(faulty: str, **changes: Any) -> dict[str, Any]:
    whole = {
        "instance_id": "team__shop-1",
        "repo": "team/shop",
        "base_commit": faulty,
        "patch": "--- a/shop/price.py\n+++ b/shop/price.py\n@@ -1,2 +1,2 @@\n def total(prices):\n"
        "-    return sum(prices[1:])\n+    return sum(prices)\n",
        "test_patch": TEST_PATCH,
        "problem_statement": "The first price is not counted.",
        "FAIL_TO_PASS": '["tests/test_price.py::test_all_count"]',
        "PASS_TO_PASS": ["tests/test_price.py::test_nothing"],
    }
    return {**whole, **changes}


def imported(
    tmp_path: Path, rows: list[dict[str, Any]], repository: Path
) -> tuple[list[Path], list[tuple[str, str]]]:
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return import_tasks(source, tmp_path / "made", Wanted.of([f"team/shop={repository}"]))


def test_a_row_of_swe_bench_becomes_a_task_with_either_form_of_lists(
    tmp_path: Path, repository: Path, faulty: str
) -> None:
    written, refused = imported(tmp_path, [row(faulty)], repository)
    assert refused == []
    task = read_task(written[0])
    assert (task.name, task.fail_to_pass) == ("team__shop-1", ("tests/test_price.py::test_all_count",))
    assert task.pass_to_pass == ("tests/test_price.py::test_nothing",)
    hidden = dict(task.hidden_files())["tests/test_price.py"].read_text()
    assert "test_all_count" in hidden
    assert "test_first_is_free" in hidden
    assert "return sum(prices)" in task.solution.read_text()
    assert task.settings.source.revision == faulty


def test_a_list_of_rows_in_one_file_is_read_too(tmp_path: Path, repository: Path, faulty: str) -> None:
    source = tmp_path / "rows.json"
    source.write_text(json.dumps([row(faulty)]))
    written, _ = import_tasks(source, tmp_path / "made", Wanted.of([str(repository)]))
    assert [each.name for each in written] == ["team__shop-1"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "SWE-smith": (
        {"base_commit": None, "image_name": "x"},
        r"SWE-smith needs its Docker image \(image_name\)",
    ),
    "R2E-Gym": ({"base_commit": None, "docker_image": "x"}, r"R2E-Gym needs its Docker image"),
    "Commit0": ({"base_commit": None, "reference_commit": "x"}, r"Commit0 needs its Docker image"),
    "no base": ({"base_commit": ""}, r"its row has no base_commit"),
    "not pytest": ({"FAIL_TO_PASS": ["test_x (app.Tests)"]}, r"'test_x \(app.Tests\)' is no id of pytest's"),
    "not a list": ({"FAIL_TO_PASS": "test_x"}, r"neither a list nor JSON of one: 'test_x'"),
    "another repository": ({"repo": "a/b"}, r"its repository a/b is not here"),
    "missing revision": ({"base_commit": "f" * 40}, r"has no revision 'f{40}'"),
    "no such hunk": (
        {"test_patch": TEST_PATCH.replace("def test_nothing", "def gone")},
        r"test_patch does not apply",
    ),
}


def test_rows_that_cannot_be_run_here_are_refused_by_name_and_the_rest_is_written(
    tmp_path: Path, repository: Path, faulty: str
) -> None:
    rows = [row(faulty, instance_id=name, **changes) for name, (changes, _) in REFUSED.items()]
    written, refused = imported(tmp_path, [*rows, row(faulty)], repository)
    assert [each.name for each in written] == ["team__shop-1"]
    whys = dict(refused)
    for name, (_, told) in REFUSED.items():
        with pytest.raises(SuiteError, match=told):
            raise SuiteError(whys[name])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}\nno json\n", "line 2: no JSON"),
        ("[1]", "row 1 is no JSON object"),
        ("[", "is no JSON"),
        ("", "no row"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "rows.jsonl").write_text(text)
    with pytest.raises(SuiteError, match=told):
        import_tasks(tmp_path / "rows.jsonl", tmp_path / "made", Wanted({}))


def make_exercise(folder: Path) -> None:
    files = {"solution": ["two_fer.py"], "test": ["two_fer_test.py"], "example": [".meta/example.py"]}
    tests = (
        "import unittest\nfrom two_fer import two_fer\n\n\nclass TwoFerTest(unittest.TestCase):\n"
        "    def test_no_name(self):\n        self.assertEqual(two_fer(), 'One for you, one for me.')\n"
    )
    shop.write(
        folder,
        {
            ".meta/config.json": json.dumps({"files": files}),
            ".meta/example.py": "def two_fer(name='you'):\n    return f'One for {name}, one for me.'\n",
            ".docs/instructions.md": "# Instructions\n\nSay who gets one.\n",
            ".docs/instructions.append.md": "Without a name it is you.\n",
            "two_fer.py": "def two_fer(name):\n    pass\n",
            "two_fer_test.py": tests,
        },
    )


async def test_an_exercise_of_the_polyglot_becomes_a_task_that_is_proved(
    tmp_path: Path, jail: CommandJail, ready: None
) -> None:
    make_exercise(tmp_path / "polyglot/python/exercises/practice/two-fer")
    written, refused = import_tasks(tmp_path / "polyglot", tmp_path / "made", Wanted({}))
    assert (refused, [each.name for each in written]) == ([], ["two-fer"])
    task = read_task(written[0])
    assert "Without a name it is you." in task.instruction
    assert task.fail_to_pass == ("two_fer_test.py::TwoFerTest::test_no_name",)
    proof = await prove_issue(task, jail)
    assert proof.faults == ()
    assert proof.has_solution


def test_a_folder_without_exercises_and_one_of_harbor_s_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SuiteError, match="holds no exercise"):
        import_tasks(tmp_path / "empty", tmp_path / "made", Wanted({}))
    shop.write(tmp_path / "harbor", {"task.toml": "", "environment/Dockerfile": ""})
    with pytest.raises(SuiteError, match="whose environment is a Dockerfile"):
        import_tasks(tmp_path / "harbor", tmp_path / "made", Wanted({}))
    with pytest.raises(SuiteError, match="gone is not there"):
        import_tasks(tmp_path / "gone", tmp_path / "made", Wanted({}))
    with pytest.raises(ConfigError, match="is no folder"):
        Wanted.of(["a/b=/no/where"])


async def test_a_new_task_with_a_fix_is_proved_as_it_was_written(
    tmp_path: Path, repository: Path, jail: CommandJail, ready: None
) -> None:
    shop.write(repository, {"tests/test_all.py": shop.HIDDEN})
    shop.git(repository, "add", "-A")
    shop.git(repository, "commit", "-qm", "a test")
    write_task(tmp_path / "ours", repository, "HEAD~2", "# It does not count", fix="HEAD")
    task = read_task(tmp_path / "ours")
    assert task.fail_to_pass == ("tests/test_all.py::test_all_count",)
    assert "tests/test_all.py" not in task.solution.read_text()
    assert (await prove_issue(task, jail)).faults == ()


def test_a_new_task_without_a_fix_has_a_test_to_be_written(tmp_path: Path, repository: Path) -> None:
    before = shop.git(repository, "status", "--porcelain")
    files = write_task(tmp_path / "ours", repository, "HEAD~1", "# Wrong")
    assert [each.name for each in files] == ["task.toml", "instruction.md", "test_issue.py"]
    assert not Path(str(read_task(tmp_path / "ours").settings.source.path)).is_absolute()
    assert shop.git(repository, "status", "--porcelain") == before
    with pytest.raises(SuiteError, match="is there already"):
        write_task(tmp_path / "ours", repository, "HEAD", "# Wrong")
    with pytest.raises(SuiteError, match="text is empty"):
        write_task(tmp_path / "other", repository, "HEAD", " ")
    with pytest.raises(SuiteError, match="HEAD changes no test file"):
        write_task(tmp_path / "other", repository, "HEAD~1", "# Wrong", fix="HEAD")


@pytest.mark.parametrize("text", ['a"b\\c\n\t', "\x7f", "ü 'x'", ""])
def test_any_text_is_the_same_after_toml(text: str) -> None:
    assert tomllib.loads(f"x = {quoted([text])}")["x"] == [text]


async def test_a_faulty_task_is_told_what_to_mend(
    task: IssueTask, jail: CommandJail, environment: Environment, ready: None
) -> None:
    leak = environment.packages / "shop"
    shop.write(
        leak,
        {"__init__.py": "", "price.py": "def total(prices):\n    return sum(prices) + 0 * len(prices)\n"},
    )
    shop.write(task.folder, {"solution/solution.patch": ""})
    patch = "--- a/shop/price.py\n+++ b/shop/price.py\n@@ -1,2 +1,2 @@\n def total(prices):\n"
    patch += "-    return sum(prices[1:])\n+    return sum(prices) + 0 * len(prices)\n"
    shop.write(task.folder, {"solution/solution.patch": patch})
    changed = task.model_copy(
        update={
            "settings": task.settings.model_copy(
                update={"fail_to_pass": (*task.fail_to_pass, "tests/test_issue.py::test_gone")}
            )
        }
    )
    try:
        proof = await prove_issue(changed, jail)
    finally:
        shutil.rmtree(leak)
    told = "\n".join(proof.faults)
    assert "tests/test_issue.py::test_gone does not pass with the solution" in told
    assert "/shop, a package of the tree's name" in told
    assert "price.py, which holds the fix" in told


def test_the_command_line_lists_shows_and_refuses(tmp_path: Path) -> None:
    runner = CliRunner()
    listed = json.loads(runner.invoke(cli, ["issues", "list", "--json"]).output)
    assert {"flask-4041", "jinja-1427", "sqlparse-742"} <= {each["name"] for each in listed["issues"]}
    assert "flask-4041" in runner.invoke(cli, ["issues", "list"]).output
    shown = runner.invoke(cli, ["issues", "show", "flask-4041"]).output
    assert "Flask 2.0.0" in shown
    assert "# Raise error when blueprint name contains a dot" in shown
    assert (
        json.loads(runner.invoke(cli, ["issues", "show", "flask-4041", "--json"]).output)["fail_to_pass"] == 5
    )
    refused = runner.invoke(cli, ["issues", "check", str(tmp_path)])
    assert isinstance(refused.exception, SuiteError)


def test_the_command_line_imports_and_writes(tmp_path: Path, repository: Path, faulty: str) -> None:
    runner = CliRunner()
    (tmp_path / "rows.jsonl").write_text(json.dumps(row(faulty)))
    (tmp_path / "issue.md").write_text("# Wrong")
    made = runner.invoke(
        cli,
        [
            "issues",
            "import",
            str(tmp_path / "rows.jsonl"),
            str(tmp_path / "a"),
            "--repository",
            str(repository),
        ],
    )
    assert made.exit_code == 0, made.output
    assert "team__shop-1" in made.output
    told = runner.invoke(cli, ["issues", "import", str(tmp_path / "rows.jsonl"), str(tmp_path / "b")])
    assert (told.exit_code, "its repository team/shop is not here" in told.output) == (2, True)
    command = [
        "issues",
        "new",
        str(tmp_path / "c"),
        "--path",
        str(repository),
        "--issue",
        str(tmp_path / "issue.md"),
    ]
    assert runner.invoke(cli, command).exit_code == 0
    assert (
        read_task(tmp_path / "c").settings.source.revision
        == shop.git(repository, "rev-parse", "HEAD").strip()
    )


def test_the_command_line_proves_and_tells(task: IssueTask, jail: CommandJail, ready: None) -> None:
    ran = CliRunner().invoke(cli, ["issues", "check", str(task.folder), "--json", "-q"])
    assert ran.exit_code == 0, ran.output
    proof = json.loads(ran.output)["issues"][0]
    assert (proof["task"], proof["faults"], proof["has_solution"]) == ("shop-1", [], False)
