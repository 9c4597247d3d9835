"""What `dualcode review` and `dualcode solve` do with what came of the work: forms, files and exit codes."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dualcode.bench.bench import Examination
from dualcode.bench.claims import Status
from dualcode.call import Usage
from dualcode.reviews import solving, work
from dualcode.reviews.mending import Mend
from dualcode.reviews.review import Found, Reviewed
from dualcode.reviews.solving import SolveOptions, Written
from dualcode.reviews.work import ReviewOptions
from dualcode.solution import Program
from tests.cli.typed import Run

PROGRAM = "def double(n):\n    return 2 * n"
STUB = 'def double(n):\n    """Return twice n."""\n'


def found(status: Status, line: int = 3) -> Found:
    return Found(
        path="money.py", line=line, where="line 3", actual="it rounds up", expected="it rounds down",
        call="share(10, 3)", outcome="returned 4", ought="3", status=status, why="it names no call",
    )  # fmt: skip


CONFIRMED, UNTRIED, REFUTED = found("confirmed"), found("untried", 5), found("refuted", 9)
MENDED = Mend(path="money.py", name="share", findings=(CONFIRMED,), outcome="written", diff="-a\n+b\n")
Reviews = Callable[..., list[ReviewOptions]]


@pytest.fixture
def reviews(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Reviews:
    """Let a review come to this; return what it was asked for."""
    (tmp_path / "money.py").write_text(PROGRAM)

    def come_to(*findings: Found, mends: tuple[Mend, ...] = (), **more: Any) -> list[ReviewOptions]:
        asked = list[ReviewOptions]()

        async def do_review(given: ReviewOptions, *, tell: Any, heard: Any) -> tuple[Reviewed, list[Mend]]:
            asked.append(given)
            tell("reviewing 1 piece")
            return Reviewed(findings=findings, pieces=1, **more), list(mends)

        monkeypatch.setattr(work, "do_review", do_review)
        return asked

    return come_to


@pytest.mark.parametrize(
    ("findings", "fail_on", "code"),
    [
        ((), "any", 0),
        ((REFUTED,), "any", 0),
        ((UNTRIED,), "confirmed", 0),
        ((UNTRIED,), "any", 5),
        ((CONFIRMED,), "confirmed", 5),
        ((CONFIRMED, UNTRIED), "any", 5),
        ((CONFIRMED, UNTRIED), "never", 0),
    ],
)
def test_the_code_is_5_for_what_fail_on_names_and_json_says_how_many(
    run: Run, reviews: Reviews, findings: tuple[Found, ...], fail_on: str, code: int
) -> None:
    reviews(*findings)
    ended, out, _ = run("review", "money.py", "--fail-on", fail_on, "--json")
    told = json.loads(out)
    assert (ended, told["fail_on"]) == (code, fail_on)
    wanted = {"confirmed", "untried"} if fail_on == "any" else {fail_on}
    assert told["failing"] == sum(each.status in wanted for each in findings)
    assert len(told["findings"]) == len(findings)


@pytest.mark.parametrize("trouble", [{"errored": ("a.py: timeout",)}, {"unread": ("a.py",)}])
def test_what_nobody_judged_is_code_4_unless_something_was_found(
    run: Run, reviews: Reviews, trouble: dict[str, Any]
) -> None:
    reviews(**trouble)
    assert run("review", "money.py")[0] == 4
    reviews(CONFIRMED, **trouble)
    assert run("review", "money.py")[0] == 5


def test_what_was_mended_fails_no_more(run: Run, reviews: Reviews) -> None:
    reviews(CONFIRMED, mends=(MENDED,))
    code, out, _ = run("review", "money.py", "--fix", "--test-cmd", "pytest -q")
    assert code == 0 and "money.py: share: mended" in out
    reviews(CONFIRMED, mends=(MENDED.model_copy(update={"outcome": "refused", "why": "they fail"}),))
    assert run("review", "money.py", "--fix", "--test-cmd", "pytest -q")[0] == 5


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "gitlab"])
def test_each_form_goes_to_stdout_or_whole_into_a_file(
    run: Run, reviews: Reviews, tmp_path: Path, form: str
) -> None:
    reviews(CONFIRMED)
    code, out, err = run("review", "money.py", "--format", form)
    assert code == 5 and out.strip()
    if form in ("json", "sarif", "gitlab"):
        json.loads(out)
    assert ("1 confirmed" in err) == (form not in ("text", "json")), "what a machine reads, people hear too"
    ended, nothing, told = run("review", "money.py", "--format", form, "-o", "out.txt")
    assert (ended, nothing) == (5, "") and "1 confirmed" in told
    assert (tmp_path / "out.txt").read_text() == out
    assert "1 confirmed" not in run("review", "money.py", "--format", "sarif", "-q")[2]


def test_what_is_typed_of_a_review_arrives(run: Run, reviews: Reviews, tmp_path: Path) -> None:
    asked = reviews()
    (tmp_path / "issue.md").write_text("It rounds.")
    run("review", "money.py", "b.py", "--spec", "issue.md", "--most-characters", "900", "--unsafe")
    run("review", "--diff", "HEAD~1", "--fix", "--test-cmd", "pytest -q", "--test-seconds", "7")
    files, diff = asked
    assert (files.files, files.spec) == ((Path("money.py"), Path("b.py")), Path("issue.md"))
    assert (files.most, files.unsafe, files.test_command, files.diff) == (900, True, None, None)
    assert (diff.diff, diff.test_command, diff.test_seconds, diff.files) == ("HEAD~1", "pytest -q", 7.0, ())


def test_stdin_is_read_as_bytes(run: Run, reviews: Reviews, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(b"x = '\xff'\n")

    asked = reviews()
    monkeypatch.setattr("sys.stdin", Stdin())
    assert run("review", "-")[0] == 0
    assert (asked[0].stdin, asked[0].files) == (b"x = '\xff'\n", ())


# dualcode solve

Solves = Callable[..., list[SolveOptions]]


@pytest.fixture
def solves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Solves:
    """Let the work come to such a program; return what it was asked for."""
    (tmp_path / "stub.py").write_text(STUB)

    def come_to(*, failure: str | None = None, compiles: bool = True) -> list[SolveOptions]:
        asked = list[SolveOptions]()

        async def do_solve(given: SolveOptions, tell: Callable[[str], None]) -> Written:
            asked.append(given)
            tell("review-fix-guarded writes double")
            return Written(
                program=Program(text=PROGRAM, compiles=compiles, defines_entry_point=True, how="block"),
                examination=Examination(tests=1, passed=() if failure else (0,), failure=failure),
                amended=False, calls=2, usage=Usage(prompt_tokens=3, completion_tokens=4), seconds=1.5,
            )  # fmt: skip

        monkeypatch.setattr(solving, "do_solve", do_solve)
        return asked

    return come_to


def test_stdout_has_the_program_alone_and_stderr_what_happens(run: Run, solves: Solves) -> None:
    solves()
    code, out, err = run("solve", "stub.py")
    assert (code, out) == (0, f"{PROGRAM}\n")
    assert err == "review-fix-guarded writes double\n"
    assert run("solve", "stub.py", "-q")[2] == ""


def test_a_program_is_written_to_a_file_instead_and_its_object_says_how_it_does(
    run: Run, solves: Solves, tmp_path: Path
) -> None:
    solves()
    code, out, err = run("solve", "stub.py", "--write", "made.py")
    assert (code, out) == (0, "") and err.endswith("written: made.py\n")
    assert (tmp_path / "made.py").read_text() == f"{PROGRAM}\n"
    _, out, _ = run("solve", "stub.py", "--write", "made.py", "--json")
    told = json.loads(out)
    assert (told["ok"], told["passed"], told["calls"]) == (True, 1, 2)
    assert told["program"]["text"] == PROGRAM and "how" not in told["program"]


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"failure": "double(2) is 5"}, "it does not pass every test that is there"),
        ({"compiles": False}, "it does not compile"),
    ],
)
def test_what_fails_a_test_or_does_not_compile_is_shown_and_ends_with_5(
    run: Run, solves: Solves, made: dict[str, Any], told: str
) -> None:
    solves(**made)
    code, out, err = run("solve", "stub.py")
    assert (code, out) == (5, f"{PROGRAM}\n")
    assert err.endswith(f"{told}\n")
    code, out, err = run("solve", "stub.py", "--json", "-q")
    assert (code, json.loads(out)["ok"], err) == (5, False, "")


def test_what_is_typed_of_a_solution_arrives(run: Run, solves: Solves, tmp_path: Path) -> None:
    asked = solves()
    (tmp_path / "tests.py").write_text("assert double(2) == 4\n")
    run("solve", "stub.py", "--tests", "tests.py", "--pipeline", "raw-coder", "--unsafe")
    assert (asked[0].pipeline, asked[0].unsafe, asked[0].task.entry_point) == ("raw-coder", True, "double")
    assert asked[0].tests is not None
