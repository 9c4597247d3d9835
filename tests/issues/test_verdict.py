"""What a run of the tests means: each case by hand, and by what must hold of any; no jail runs here."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.errors import RunError, SandboxError
from dualcode.issues import checking
from dualcode.issues.bases import Base, open_base
from dualcode.issues.checking import prove_issue
from dualcode.issues.grading import (
    Bench,
    Canaries,
    Case,
    TestRun,
    _read,  # pyright: ignore[reportPrivateUsage]
    lay_tests,
)
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.room import Ended, Ending
from dualcode.issues.packages import Environment, Interpreter
from dualcode.issues.screen import Screened
from dualcode.issues.task import IssueTask, Settings, Source
from dualcode.issues.verdict import Phases
from dualcode.issues.worktrees import Dropped, Worktree, worktree
from tests.issues import shop

FAILING, PASSING = ("t/a.py::one", "t/a.py::two"), ("t/b.py::old",)
IDS = (*FAILING, *PASSING)
STATUSES = ("passed", "failed", "error", "skipped")
GOOD = Ended(ending="finished", exit_code=1, output="1 failed", seconds=1.0)
NOBODY = cast("CommandJail", None)
TASK = IssueTask(
    name="t",
    folder=Path("t"),
    instruction="text\n",
    settings=Settings(
        source=Source(path=Path("r"), revision="HEAD"), fail_to_pass=FAILING, paths_in_scope=("src/*",)
    ),
    pass_to_pass=PASSING,
)


class Told(Bench):
    """A bench of which it is known what the base itself does, and what a run comes to."""

    of_base = ""
    runs: tuple[TestRun, ...] = ()

    async def trouble(self) -> str:
        return self.of_base


def run_of(cases: Mapping[str, str] | None, ended: Ended = GOOD, **changes: bool) -> TestRun:
    """Return a run with these outcomes."""
    known = None if cases is None else {name: Case(status, "") for name, status in cases.items()}  # pyright: ignore
    return TestRun(ended, known, **{"quiet": True, "forged": False, **changes})


def bench() -> Told:
    python = Interpreter(Path("python"), Path("/"), (3, 11))
    return Told(TASK, Base(Path("base"), ""), Environment(python, Path("packages")), NOBODY)


SCREENED = Screened((Dropped(path="conftest.py", why="test machinery"),), ("src/a.py", "other.py"))


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from([*IDS, "t/a.py::more"]), st.sampled_from(STATUSES)),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["finished", "timed out", "too much memory", "too much disk"]),
    st.sampled_from(["", "the base's own tests timed out"]),
)
async def test_solved_is_that_every_test_passed_in_a_run_that_can_be_believed(
    cases: dict[str, str], quiet: bool, forged: bool, ending: Ending, of_base: str
) -> None:
    judging = bench()
    judging.of_base = of_base
    run = run_of(cases, replace_ending(ending), quiet=quiet, forged=forged)
    verdict = await judging._judge(run, SCREENED, Phases(tests=2.0))  # pyright: ignore[reportPrivateUsage]
    whole = all(cases.get(each) == "passed" for each in IDS)
    believed = quiet and ending == "finished"
    assert (verdict.solved is True) == (whole and believed and not forged)
    assert (verdict.solved is None) == (not forged and not believed and bool(of_base))
    assert verdict.tampered == forged
    assert verdict.failing == tuple(each for each in FAILING if cases.get(each) != "passed")
    assert verdict.broken == tuple(each for each in PASSING if cases.get(each) != "passed")
    assert verdict.reason
    assert (verdict.out_of_scope, verdict.scope) == (("other.py",), 9)
    assert verdict.phases.tests == 2.0


def replace_ending(ending: Ending) -> Ended:
    return GOOD.model_copy(update={"ending": ending, "exit_code": 1 if ending == "finished" else None})


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (run_of(dict.fromkeys(IDS, "passed")), "solved"),
        (run_of(dict.fromkeys(IDS, "passed"), forged=True), "a test that must fail was reported to pass"),
        (run_of(None), "the tests did not run"),
        (run_of({}, quiet=False), "the tests did not run"),
        (run_of(None, replace_ending("timed out")), "the tests timed out"),
        (run_of({PASSING[0]: "passed"}), f"2 of 2 tests of the issue fail, such as {FAILING[0]}"),
        (
            run_of({**dict.fromkeys(IDS, "passed"), PASSING[0]: "skipped"}),
            f"1 tests that passed before fail, such as {PASSING[0]}",
        ),
        (
            run_of({FAILING[0]: "passed"}),
            f"1 of 2 tests of the issue fail; 1 tests that passed before fail, such as {FAILING[1]}",
        ),
    ],
)
async def test_the_reason_says_what_went_wrong_first(run: TestRun, reason: str) -> None:
    verdict = await bench()._judge(run, SCREENED, Phases())  # pyright: ignore[reportPrivateUsage]
    assert verdict.reason == reason


CANARIES = Canaries(frozenset({"t/a.py::good"}), {"t/a.py::bad": "word"})


def reported(folder: Path, cases: Mapping[str, tuple[str, str]], *, exit_code: int = 1) -> TestRun:
    """Return what is read of a report with these cases: a tag, and what pytest says."""
    lines = [
        f'<testcase><properties><property name="nodeid" value="{name}"/></properties>'
        + (f'<{tag} message="{text}"/>' if tag else "")
        + "</testcase>"
        for name, (tag, text) in cases.items()
    ]
    (folder / "report.xml").write_text(f"<testsuites>{''.join(lines)}</testsuites>")
    ended = GOOD.model_copy(update={"exit_code": exit_code})
    return _read(ended, folder / "report.xml", CANARIES)


HONEST = {"t/a.py::good": ("", ""), "t/a.py::bad": ("failure", "assert not 'word', 'word'")}


@pytest.mark.parametrize(
    ("changes", "exit_code", "quiet", "forged"),
    [
        ({}, 1, True, False),
        ({"t/a.py::bad": ("", "")}, 1, False, True),
        ({}, 0, True, True),
        ({"t/a.py::bad": ("failure", "another reason")}, 1, False, False),
        ({"t/a.py::bad": ("error", "word")}, 1, False, False),
        ({"t/a.py::bad": ("skipped", "word")}, 1, False, False),
        ({"t/a.py::good": ("failure", "")}, 1, False, False),
        ({"t/a.py::good": ("skipped", "")}, 1, False, False),
    ],
)
def test_a_canary_that_is_not_reported_as_what_it_is_is_heard(
    tmp_path: Path, changes: dict[str, tuple[str, str]], exit_code: int, quiet: bool, forged: bool
) -> None:
    run = reported(tmp_path, {**HONEST, "t/a.py::one": ("", ""), **changes}, exit_code=exit_code)
    assert (run.quiet, run.forged) == (quiet, forged)
    assert run.cases is not None
    assert set(run.cases) == {"t/a.py::one"}


def test_canaries_may_be_missing_where_their_file_could_not_be_imported_and_nowhere_else(
    tmp_path: Path,
) -> None:
    path = tmp_path / "report.xml"
    path.write_text(
        '<testsuites><testcase classname="" name="t.a"><error message="collection failure">no module'
        "</error></testcase></testsuites>"
    )
    assert _read(GOOD, path, CANARIES).quiet
    path.write_text(path.read_text().replace('"t.a"', '"t.b"'))
    assert not _read(GOOD, path, CANARIES).quiet
    path.unlink()
    assert _read(GOOD, path, CANARIES) == TestRun(GOOD, None, quiet=False, forged=False)


def test_hidden_tests_are_laid_over_whatever_stands_in_their_way(task: IssueTask, tmp_path: Path) -> None:
    """Links, a file in a folder's place, a folder in a file's: none is followed, none stays."""
    out = tmp_path / "out"
    out.mkdir()
    shop.write(task.folder, {"tests/deep/er/test_b.py": "b = 1\n", "tests/größe mit blank.txt": "ü\n"})
    shop.write(task.folder, {"tests/test.sh": "exit 0\n", "tests/__pycache__/x.pyc": "no"})
    with worktree(open_base(task), "trial") as tree:
        (tree.path / "deep").write_text("a file in the folder's place")
        shop.write(tree.path, {"größe mit blank.txt/inner": "a folder in the file's place"})
        (tree.path / "tests/test_price.py").unlink()
        (tree.path / "tests/conftest.py").unlink()
        (tree.path / "tests").rmdir()
        (tree.path / "tests").symlink_to(out)
        canaries = lay_tests(tree, task)
        assert (tree.path / "deep/er/test_b.py").read_text() == "b = 1\n"
        assert (tree.path / "größe mit blank.txt").read_text("utf-8") == "ü\n"
        laid = (tree.path / "tests/test_issue.py").read_text()
        assert not (tree.path / "test.sh").exists()
        assert not (tree.path / "__pycache__").exists()
    assert list(out.iterdir()) == []
    assert laid.startswith(shop.HIDDEN)
    (good,), ((bad, word),) = canaries.passes, canaries.fails.items()
    for each in (good, bad):
        assert f"def {each.rpartition('::')[2]}():" in laid
    assert f"assert not {word!r}, {word!r}" in laid


async def test_trouble_of_ours_is_tried_once_more_and_then_no_verdict(
    task: IssueTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = Interpreter(Path("python"), Path("/"), (3, 11))
    environment = Environment(python, task.folder)
    judging = Told(task, open_base(task), environment, NOBODY)
    for error in (SandboxError("no jail"), RunError("no tree"), OSError("no disk")):

        async def breaks(_: Bench, tree: Worktree, error: Exception = error) -> TestRun:
            raise error

        monkeypatch.setattr(Bench, "run", breaks)
        verdict = await judging.grade("")
        assert (verdict.solved, verdict.attempts) == (None, 2)
        assert str(error) in verdict.reason


WRONG = (
    "--- a/shop/price.py\n+++ b/shop/price.py\n@@ -1,2 +1,2 @@\n def total(prices):\n"
    "-    return sum(prices[1:])\n+    return 0\n"
)


@pytest.fixture
def outcomes(task: IssueTask, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return what the hidden test does by the last line of the tree's file; to be changed by a test."""
    told = {"prices[1:]": "failed", "sum(prices)": "passed", "return 0": "failed"}

    async def runs(_: Bench, tree: Worktree) -> TestRun:
        text = (tree.path / "shop/price.py").read_text()
        status = next(each for ending, each in told.items() if text.rstrip().endswith((ending, f"{ending})")))
        return run_of({**dict.fromkeys(task.pass_to_pass, "passed"), task.fail_to_pass[0]: status})

    async def nothing(*_: object) -> list[str]:
        return []

    def made(_: IssueTask) -> Environment:
        return Environment(Interpreter(Path("python"), Path("/"), (3, 11)), task.folder)

    monkeypatch.setattr(Bench, "run", runs)
    monkeypatch.setattr(checking, "TIMES", 1)
    monkeypatch.setattr(checking, "_readable", nothing)
    monkeypatch.setattr("dualcode.issues.packages.environment", made)
    return told


SOLUTION = WRONG.replace("return 0", "return sum(prices)")


@pytest.mark.parametrize(
    ("solution", "wrong", "faults"),
    [
        (SOLUTION, WRONG, []),
        (SOLUTION, None, []),
        (None, None, []),
        (None, WRONG, []),
        (
            SOLUTION,
            SOLUTION,
            ["wrong.patch: every hidden test passes with it, so it is not known to be wrong"],
        ),
        (SOLUTION, WRONG.replace("[1:]", ""), ["wrong.patch: the patch does not apply"]),
        (SOLUTION, "", []),
        (WRONG, None, ["test_all_count does not pass with the solution"]),
        (SOLUTION.replace("[1:]", ""), WRONG, ["solution.patch: the patch does not apply"]),
        ("", WRONG, ["test_all_count does not pass with the solution"]),
    ],
)
async def test_a_task_s_own_fixes_are_proved_to_be_what_they_are(
    task: IssueTask, outcomes: dict[str, str], solution: str | None, wrong: str | None, faults: list[str]
) -> None:
    for path, text in ((task.solution, solution), (task.wrong, wrong)):
        if text is not None:
            shop.write(path.parent, {path.name: text})
    proof = await prove_issue(task, NOBODY)
    assert proof.has_solution is (solution is not None)
    assert len(proof.faults) == len(faults)
    assert all(told in found for told, found in zip(faults, proof.faults, strict=True))


async def test_a_base_that_has_no_fault_is_told_so(task: IssueTask, outcomes: dict[str, str]) -> None:
    outcomes["prices[1:]"] = "passed"
    assert (await prove_issue(task, NOBODY)).faults == (f"{task.fail_to_pass[0]} passes with the base",)


async def test_a_test_that_once_fails_and_once_passes_is_found(
    task: IssueTask, outcomes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steady = Bench.run
    flaky = iter(("failed", "passed"))

    async def runs(judging: Bench, tree: Worktree) -> TestRun:
        run = await steady(judging, tree)
        assert run.cases is not None
        return replace(run, cases={**run.cases, task.fail_to_pass[0]: Case(next(flaky), "")})  # pyright: ignore

    monkeypatch.setattr(Bench, "run", runs)
    monkeypatch.setattr(checking, "TIMES", 2)
    assert (await prove_issue(task, NOBODY)).faults == (f"{task.fail_to_pass[0]} passes with the base",)


@pytest.mark.parametrize(
    ("solution", "files"),
    [
        (SOLUTION, ["price.py"]),
        (SOLUTION.replace("shop/price.py", "shop/with blank.py\t"), ["with blank.py"]),
        (SOLUTION.replace("a/shop/price.py", '"a/gr\\303\\266\\303\\237e.py"').replace(
            "b/shop/price.py", '"b/gr\\303\\266\\303\\237e.py"'), ["größe.py"]),
        ("diff --git a/shop/a.py b/shop/b.py\nsimilarity index 100%\nrename from shop/a.py\n"
         "rename to shop/b.py\n", ["b.py"]),
        ("", []),
        ("no diff at all\n", []),
    ],
)  # fmt: skip
def test_the_files_of_a_fix_are_found_as_git_writes_their_names(
    task: IssueTask, solution: str, files: list[str]
) -> None:
    base = open_base(task)
    assert checking._of_fix(solution, base)[0] == files  # pyright: ignore[reportPrivateUsage]


def test_only_lines_of_a_fix_that_the_base_has_not_tell_a_copy(task: IssueTask) -> None:
    old = shop.FILES["shop/price.py"].splitlines()[1].strip()
    new = "return sum(each for each in prices)"
    added = (
        "",
        "    x = 1",
        f"    {old}",
        f"    {new}",
        "    ########################",
        "++still a line of it",
    )
    diff = "--- a/shop/price.py\n+++ b/shop/price.py\n@@ -1,2 +1,8 @@\n def total(prices):\n"
    diff += f"     {old}\n" + "".join(f"+{each}\n" for each in added)
    assert checking._of_fix(diff, open_base(task)) == (["price.py"], [new])  # pyright: ignore[reportPrivateUsage]
