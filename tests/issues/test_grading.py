"""Grading: a right fix solves, a wrong one does not, and no way round the tests is one."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dualcode.issues.grading import Bench
from dualcode.issues.packages import Environment
from dualcode.issues.verdict import IssueVerdict
from dualcode.issues.worktrees import Worktree, worktree
from tests.issues import shop

Change = Callable[[Worktree], None]


def writes(*files: dict[str, str]) -> Change:
    """Return a change that writes files."""

    def change(tree: Worktree) -> None:
        for each in files:
            shop.write(tree.path, each)

    return change


async def graded(bench: Bench, change: Change) -> IssueVerdict:
    """Grade what a change of the base's tree comes to."""
    with worktree(bench.base, "trial") as tree:
        change(tree)
        made = tree.commit()
    return await bench.grade(made.diff)


async def test_a_right_fix_is_solved(bench: Bench) -> None:
    verdict = await graded(bench, writes(shop.RIGHT))
    assert (verdict.solved, verdict.reason, verdict.dropped) == (True, "solved", ())
    assert verdict.counted == ("shop/price.py",)
    assert verdict.failing == verdict.broken == ()


async def test_a_wrong_fix_is_not_and_names_the_tests(bench: Bench) -> None:
    verdict = await graded(bench, writes(shop.WRONG, {"notes.txt": "out of scope"}))
    assert verdict.solved is False
    assert verdict.failing == ("tests/test_issue.py::test_all_count",)
    assert verdict.broken == ("tests/test_price.py::test_nothing", "tests/test_price.py::test_first_is_free")
    assert (verdict.out_of_scope, verdict.scope) == (("notes.txt",), 9)


async def test_an_untouched_tree_is_not_solved(bench: Bench) -> None:
    verdict = await bench.grade("")
    assert (verdict.solved, verdict.broken) == (False, ())


FORGERIES: dict[str, tuple[dict[str, str], str]] = {
    "a root conftest.py": (
        {
            "conftest.py": "import pytest\n@pytest.hookimpl(hookwrapper=True)\n"
            "def pytest_runtest_makereport():\n"
            "    outcome = yield\n    outcome.get_result().outcome = 'passed'\n"
        },
        "conftest.py",
    ),
    "the tests' own conftest.py": (
        {"tests/conftest.py": "import shop\nshop.total = sum\n"},
        "tests/conftest.py",
    ),
    "pytest.ini": ({"pytest.ini": "[pytest]\naddopts = -k nothing\n"}, "pytest.ini"),
    "a module in the place of pytest": ({"pytest.py": "raise SystemExit(0)\n"}, "pytest.py"),
    "sitecustomize": ({"sitecustomize.py": "import os\nos._exit(0)\n"}, "sitecustomize.py"),
    "a module in the place of json": ({"json/__init__.py": "raise SystemExit(0)\n"}, "json/__init__.py"),
    "the hidden test itself": (
        {"tests/test_issue.py": "def test_all_count():\n    pass\n"},
        "tests/test_issue.py",
    ),
}


async def test_what_decides_how_tests_run_is_dropped_and_said_so(bench: Bench) -> None:
    """All at once: each alone makes the hidden test pass, or ends the run, without the screen."""
    verdict = await graded(bench, writes(*(files for files, _ in FORGERIES.values())))
    assert verdict.solved is False
    assert verdict.failing == ("tests/test_issue.py::test_all_count",)
    assert verdict.broken == ()
    assert {each.path for each in verdict.dropped} == {path for _, path in FORGERIES.values()}


@pytest.mark.parametrize(
    "what", ["a root conftest.py", "the tests' own conftest.py", "the hidden test itself"]
)
def test_a_forgery_does_its_harm_to_plain_pytest(tmp_path: Path, what: str, environment: Environment) -> None:
    """The control: with the forgery in the tree, and nothing dropped, pytest says that all is well."""
    shop.write(tmp_path, shop.FILES)
    shop.write(tmp_path, {"tests/test_issue.py": shop.HIDDEN})
    shop.write(tmp_path, FORGERIES[what][0])
    command = [str(environment.interpreter.path), "-S", "-m", "pytest", "-q", "tests/test_issue.py"]
    paths = f"{environment.packages}:{tmp_path}"
    ran = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": paths}, capture_output=True, check=False)
    assert ran.returncode == 0


async def test_a_package_that_patches_pytest_from_within_is_caught(bench: Bench) -> None:
    patch = (
        "import _pytest.reports\n_real = _pytest.reports.TestReport.from_item_and_call\n"
        "def _all_well(item, call):\n    report = _real(item, call)\n    report.outcome = 'passed'\n"
        "    report.longrepr = None\n    return report\n"
        "_pytest.reports.TestReport.from_item_and_call = staticmethod(_all_well)\n"
    )
    verdict = await graded(bench, writes({"shop/__init__.py": patch + shop.FILES["shop/__init__.py"]}))
    assert (verdict.solved, verdict.tampered) == (False, True)
    assert "must fail" in verdict.reason


async def test_a_package_that_ends_the_run_has_not_solved_it(bench: Bench) -> None:
    verdict = await graded(bench, writes({"shop/__init__.py": "import os\nos._exit(0)\n"}))
    assert (verdict.solved, verdict.reason) == (False, "the tests did not run")


async def test_a_package_that_cannot_be_imported_fails_its_tests(bench: Bench) -> None:
    verdict = await graded(bench, writes({"shop/price.py": "def total(:\n"}))
    assert (verdict.solved, len(verdict.failing), len(verdict.broken)) == (False, 1, 2)


async def test_deleted_tests_come_back(bench: Bench) -> None:
    def change(tree: Worktree) -> None:
        shutil.rmtree(tree.path / "tests")
        shop.write(tree.path, shop.RIGHT)

    verdict = await graded(bench, change)
    assert verdict.solved is True
    assert {each.path for each in verdict.dropped} == {"tests/test_price.py", "tests/conftest.py"}


async def test_a_folder_of_tests_that_became_a_link_comes_back(bench: Bench) -> None:
    def change(tree: Worktree) -> None:
        (tree.path / "tests").rename(tree.path / "elsewhere")
        (tree.path / "tests").symlink_to("elsewhere")
        shop.write(tree.path, shop.RIGHT)

    verdict = await graded(bench, change)
    assert verdict.solved is True
    assert "tests" in {each.path for each in verdict.dropped}


async def test_a_diff_with_a_link_out_of_the_tree_writes_nothing_there(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    diff = (
        "diff --git a/tests b/tests\nnew file mode 120000\n--- /dev/null\n+++ b/tests\n"
        f"@@ -0,0 +1 @@\n+{out}\n"
        "\\ No newline at end of file\n"
    )
    verdict = await bench.grade(diff)
    assert verdict.solved is False
    assert list(out.iterdir()) == []


async def test_a_patch_that_does_not_apply_is_not_solved_and_says_why(bench: Bench) -> None:
    verdict = await bench.grade("--- a/shop/price.py\n+++ b/shop/price.py\n@@ -1 +1 @@\n-not there\n+x\n")
    assert verdict.solved is False
    assert verdict.reason.startswith("the patch does not apply")


class Sure(Bench):
    """Knows that the base's own tests run, however busy the machine is."""

    async def trouble(self) -> str:
        return ""


def limited(bench: Bench, kind: type[Bench], seconds: float) -> Bench:
    """Return a bench that gives the tests another time."""
    limits = bench.task.limits.model_copy(update={"test_seconds": seconds})
    settings = bench.task.settings.model_copy(update={"limits": limits})
    task = bench.task.model_copy(update={"settings": settings})
    return kind(task, bench.base, bench.environment, bench.jail)


async def test_tests_that_hang_are_ended(bench: Bench) -> None:
    sleeping = writes({"shop/price.py": "import time\ntime.sleep(3600)\n"})
    verdict = await graded(limited(bench, Sure, 1.0), sleeping)
    assert (verdict.solved, verdict.reason) == (False, "the tests timed out")


async def test_time_that_the_base_needs_too_is_no_fault_of_the_fix(bench: Bench) -> None:
    verdict = await graded(limited(bench, Bench, 0.01), writes(shop.RIGHT))
    assert (verdict.solved, verdict.reason) == (None, "the base's own tests timed out")


async def test_trouble_of_ours_is_tried_again_and_is_never_the_fix_s(bench: Bench, tmp_path: Path) -> None:
    broken = Environment(bench.environment.interpreter, tmp_path / "empty" / "packages")
    broken.packages.mkdir(parents=True)
    shutil.copytree(bench.environment.packages.parent / "bin", broken.packages.parent / "bin", symlinks=True)
    verdict = await graded(Bench(bench.task, bench.base, broken, bench.jail), writes(shop.RIGHT))
    assert (verdict.solved, verdict.attempts) == (None, 2)
    assert "No module named 'pytest'" in verdict.reason


async def test_an_id_that_does_not_exist_is_a_failure(bench: Bench) -> None:
    task = bench.task.model_copy(update={"pass_to_pass": ("tests/test_price.py::test_gone",)})
    verdict = await graded(Bench(task, bench.base, bench.environment, bench.jail), writes(shop.RIGHT))
    assert (verdict.solved, verdict.broken) == (False, ("tests/test_price.py::test_gone",))
