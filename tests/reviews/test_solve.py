"""`dualcode solve`: a specification in, a program out."""

import io
import json
from pathlib import Path

import pytest

from dualcode.errors import InputError
from dualcode.journal import Journal
from dualcode.reviews.specification import read_tests, with_tests
from dualcode.task import Task
from tests.cli.typed import Run
from tests.fake_server import Answer, FakeServer
from tests.reviews.scripted import APPROVE, speak

STUB = 'def double(n):\n    """Return twice n.\n\n    >>> double(2)\n    4\n    """\n'
RIGHT, WRONG = "def double(n):\n    return 2 * n", "def double(n):\n    return n + 2"
OWN = """from solution import double


def test_of_three():
    assert double(3) == 6


assert double(0) == 0
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.py"
    path.write_text(STUB)
    return path


def test_a_pipe_takes_the_specification_and_gets_the_program_alone(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(STUB.encode())))
    speak(server, APPROVE, RIGHT)
    code, out, err = run("solve", "-", "--team", "team.toml")
    assert code == 0
    assert out == f"{RIGHT}\n"
    assert "write: coder" in err
    assert "review: reviewer" in err and "approve" in err
    assert "visible tests: 1 of 1 pass" in err


def test_a_program_that_fails_a_test_of_the_user_ends_with_5_and_says_which(
    run: Run, server: FakeServer, spec: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    speak(server, APPROVE, WRONG)
    code, out, err = run("solve", spec, "--tests", tmp_path / "own.py", "--team", "team.toml")
    assert code == 5
    assert out == f"{WRONG}\n"  # it passes the prompt's own
    assert "visible tests: 1 of 3 pass" in err
    assert "test_of_three()" in err
    asked = server.bodies[0]["messages"][-1]["content"]
    assert "# It must pass these tests:" in asked
    assert "assert double(3) == 6" in asked


def test_tests_of_the_user_correct_a_program_in_a_pipeline_that_retries(
    run: Run, server: FakeServer, spec: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    server.answers = [Answer(content=f"```python\n{each}\n```") for each in (WRONG, RIGHT)]
    line = ("--tests", tmp_path / "own.py", "--pipeline", "raw-retry", "--write", tmp_path / "out.py")
    code, out, err = run("solve", spec, *line, "--team", "team.toml", "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["passed"], found["examination"]["tests"]) == (0, True, 3, 3)
    assert (tmp_path / "out.py").read_text() == f"{RIGHT}\n"
    assert "written: " in err
    assert "of the user's tests" in server.bodies[1]["messages"][-1]["content"]


def test_what_was_solved_is_on_record(run: Run, server: FakeServer, spec: Path) -> None:
    speak(server, APPROVE, RIGHT)
    run("solve", spec, "--team", "team.toml", "--quiet")
    [entry], _ = Journal().read()
    assert (entry.source, entry.pipeline, entry.amended, entry.calls) == (
        "solve", "review-fix-guarded", False, 2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def test_a(fixture): pass", "needs pytest"),
        ("x = 1", "holds no test"),
        ("assert (", "is no Python"),
    ],
)
def test_tests_that_cannot_be_run_are_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_tests(text, "own.py", "f")


def test_behind_prose_tests_are_a_block_and_behind_a_stub_no_code() -> None:
    """As code they would be taken for helpers that the program needs."""
    tests = read_tests(OWN, "own.py", "double")
    stub = with_tests(Task(id="s", prompt=STUB, entry_point="double"), tests)
    prose = with_tests(Task(id="s", prompt="Write double(n).", entry_point="double"), tests)
    compile(stub.prompt, "stub", "exec")
    assert "def test_of_three" not in {line for line in stub.prompt.splitlines() if line[:1] != "#"}
    assert "```python\nfrom solution" in prose.prompt
    assert "solution" not in tests.around


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["gone.md"], "cannot be read"),
        (["prose.md"], "names no function"),
        (["spec.py", "--pipeline", "review-fixx"], "nearest: review-fix"),
        (["spec.py", "--tests", "gone.py"], "cannot be read"),
        (["spec.py", "--write", "."], "is a folder"),
    ],
)
def test_bad_input_is_named(run: Run, spec: Path, tmp_path: Path, line: list[str], said: str) -> None:
    (tmp_path / "prose.md").write_text("Make it good.")
    code, out, err = run("solve", *line)
    assert (code, out) == (2, "")
    assert said in err
