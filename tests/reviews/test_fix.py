"""`dualcode review --fix`: what the coder mends is written only where the project's tests pass, on a copy."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from dualcode.reviews.mending import Mend
from dualcode.reviews.project import run_tests
from tests.cli.typed import Run
from tests.fake_server import Answer, FakeServer, serve
from tests.reviews.scripted import MONEY, finding, revise, speak

pytestmark = pytest.mark.usefixtures("confined")

RIGHT = "import math\ndef share(total, people):\n    return math.floor(total / people)"
TESTS = "from money import double, share\nassert double(2) == 4\nassert share(9, 3) in (3, 4)\n"
COMMAND = f"{sys.executable} tests.py"


@pytest.fixture
def server(team: Callable[[FakeServer], Path]) -> Iterator[FakeServer]:
    with serve(Answer()) as found:
        team(found)
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "money.py").write_bytes(MONEY.replace("\n", "\r\n").encode())
    (tmp_path / "tests.py").write_text(TESTS)
    return tmp_path


def fix(run: Run, command: str = COMMAND, *more: str) -> tuple[int, Mend, dict[str, Any]]:
    line = ("money.py", "--fix", "--test-cmd", command, "--team", "team.toml", "--json", *more)
    code, out, err = run("review", *line)
    assert out, err
    found = json.loads(out)
    return code, Mend.model_validate(found["mends"][0]), found


def test_a_mend_that_the_tests_pass_is_written_with_the_file_s_line_ends_and_is_no_failure(
    run: Run, server: FakeServer, project: Path
) -> None:
    speak(server, revise(finding()), RIGHT)
    code, mend, _ = fix(run)
    assert (code, mend.outcome) == (0, "written")
    text = (project / "money.py").read_bytes()
    assert text.startswith(b'"""Money."""\r\nimport math\r\n')
    assert b"    return math.floor(total / people)\r\n" in text
    assert b"double" in text and b"\n" not in text.replace(b"\r\n", b"")
    assert "-    return total // people + 1" in mend.diff
    assert b"Return each one's part of the total" in text  # the coder left the docstring out


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def share(total, people):\n    raise ValueError", "the tests fail (exit code 1) with it"),
        ("def share(total, people):\n    return total // people + 1 + 0", "`share(10, 3)` still returned 4"),
        ("def share(total):\n    return total", "it changes the parameters of `share`"),
        ("def other(total):\n    return total", "holds no `share` that compiles"),
    ],
)
def test_a_mend_that_mends_nothing_or_breaks_something_is_refused(
    run: Run, server: FakeServer, project: Path, code: str, why: str
) -> None:
    before = (project / "money.py").read_bytes()
    speak(server, revise(finding()), code)
    left, mend, _ = fix(run)
    assert (left, mend.outcome) == (5, "refused")
    assert why in mend.why
    assert (project / "money.py").read_bytes() == before


def test_tests_that_fail_already_guard_nothing(run: Run, server: FakeServer, project: Path) -> None:
    (project / "tests.py").write_text("raise SystemExit('broken before')")
    speak(server, revise(finding()), RIGHT)
    _, mend, _ = fix(run)
    assert "without any change" in mend.why
    assert "broken before" in mend.output
    assert len(server.bodies) == 1  # the coder was not even asked


async def test_a_test_command_writes_nowhere_but_in_its_copy_and_has_no_network(tmp_path: Path) -> None:
    root, outside = tmp_path / "project", tmp_path / "outside"
    root.mkdir()
    (root / "a.py").write_text("x = 1\n")
    tested = await run_tests(root, f"echo 2 > a.py && cat a.py && echo x > {outside}", 20, {})
    assert (tested.outcome, outside.exists()) == ("failed", False)
    assert tested.output.startswith("2\n")
    assert (root / "a.py").read_text() == "x = 1\n"
    connect = "python3 -c \"import socket; socket.create_connection(('127.0.0.1', 22), 2)\""
    refused = await run_tests(root, connect.replace("python3", sys.executable), 20, {})
    assert refused.outcome == "failed"
    assert "ConnectionRefused" not in refused.output or "Errno 111" not in refused.output


async def test_a_test_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    mark = f"{time.time_ns() % 10**6 + 4 * 10**6}"
    tested = await run_tests(tmp_path, f"(setsid sleep {mark} &); sleep {mark}", 0.5, {})
    assert tested.outcome == "timed_out"
    assert not any(
        mark in line for each in psutil.process_iter(["cmdline"]) for line in each.info["cmdline"] or ()
    )


async def test_a_link_in_the_project_does_not_lead_a_change_out_of_the_copy(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "real.py").write_text("kept\n")
    (root / "a.py").symlink_to(tmp_path / "real.py")
    tested = await run_tests(root, "cat a.py", 20, {"a.py": b"changed\n"})
    assert tested.output == "changed\n"
    assert (tmp_path / "real.py").read_text() == "kept\n"


async def test_secrets_of_the_environment_are_not_handed_to_the_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "hunter22")
    (tmp_path / "a.py").write_text("")
    assert "hunter22" not in (await run_tests(tmp_path, "env", 20, {})).output
