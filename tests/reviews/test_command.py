"""`dualcode review` as a user types it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dualcode.journal import Journal
from tests.cli.typed import Run
from tests.fake_server import Answer, FakeServer
from tests.reviews.scripted import APPROVE, MONEY, finding, revise, speak


@pytest.fixture
def money(tmp_path: Path) -> Path:
    path = tmp_path / "money.py"
    path.write_text(MONEY)
    return path


def git(folder: Path, *command: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *command], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, money: Path) -> Path:
    """A repository in which line 10 was changed to the bug after the first commit."""
    money.write_text(MONEY.replace(" + 1", ""))
    (tmp_path / ".gitignore").write_text("state\ncache\nteam.toml\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    money.write_text(MONEY)
    return tmp_path


def reviewed(run: Run, *line: str | Path) -> tuple[int, dict[str, Any]]:
    code, out, err = run("review", *line, "--team", "team.toml", "--json")
    assert out, err
    return code, json.loads(out)


def test_a_finding_that_the_program_bears_out_is_confirmed_and_ends_with_5(
    run: Run, server: FakeServer, money: Path
) -> None:
    speak(server, revise(finding()))
    code, out, err = run("review", money, "--team", "team.toml")
    assert code == 5
    assert "money.py:10: confirmed" in out
    assert "tried: share(10, 3) returned 4" in out
    assert "1 confirmed, 0 untried, 0 refuted" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "reviewing 1 piece; programs are tried in" in err


def test_a_finding_that_misreads_the_code_is_counted_and_not_reported(
    run: Run, server: FakeServer, money: Path
) -> None:
    speak(server, revise(finding(line=15, call="double(2)", does="returns 5", ought="returns 4")))
    code, out, _ = run("review", money, "--team", "team.toml")
    assert code == 0
    assert "double(2)" not in out
    assert "0 confirmed, 0 untried, 1 refuted" in out


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (finding(call="", does="", ought=""), "it names no call"),
        (finding(call="open('x')"), "not a call of what the file defines, on literals"),
        (finding(does="returns too much"), "its values cannot be compared"),
    ],
)
@pytest.mark.parametrize(("fail_on", "left"), [("confirmed", 0), ("any", 5), ("never", 0)])
def test_what_cannot_be_tried_is_said_to_be_untried(
    run: Run, server: FakeServer, money: Path, said: dict[str, Any], why: str, fail_on: str, left: int
) -> None:
    speak(server, revise(said))
    code, found = reviewed(run, money, "--fail-on", fail_on)
    assert code == left
    [each] = found["findings"]
    assert (each["status"], each["why"]) == ("untried", why)


def test_other_languages_are_reviewed_and_nothing_of_them_is_run(
    run: Run, server: FakeServer, tmp_path: Path
) -> None:
    (tmp_path / "a.js").write_text("function f(n) { return n }\n")
    speak(server, revise(finding(line=1, call="f(1)")))
    _, found = reviewed(run, tmp_path / "a.js")
    assert found["findings"][0]["why"] == "the language is not Python"


def test_what_needs_the_project_is_tried_by_the_part_that_does_not(
    run: Run, server: FakeServer, tmp_path: Path
) -> None:
    """Most files of a project import others of it, and the sandbox has none of them."""
    (tmp_path / "a.py").write_text(
        "import math\nfrom .other import helper\nBASE = 2\n\n\n"
        "def f(n):\n    return math.floor(n) + BASE\n\n\ndef g(n):\n    return helper(n)\n"
    )
    calls = [
        finding(line=7, call="f(1.5)", does="returns 3", ought="returns 1"),
        finding(line=11, call="g(1)", does="raises NameError", ought="returns 1"),
    ]
    speak(server, revise(*calls))
    _, found = reviewed(run, tmp_path / "a.py")
    assert [each["status"] for each in found["findings"]] == ["confirmed", "untried"]
    assert found["findings"][1]["why"] == "the file cannot be run alone"


def test_of_a_diff_only_what_it_shows_is_reported(run: Run, server: FakeServer, repository: Path) -> None:
    long = "\n".join(f"X{number} = {number}" for number in range(40))
    (repository / "money.py").write_text(f"{MONEY}{long}\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "second")
    (repository / "money.py").write_text(f"{MONEY}{long}\n".replace("Return twice n", "Return n times two"))
    elsewhere = finding(line=10)
    here = finding(line=15, where="2 * n", call="double(2)", does="returns 4", ought="returns 5")
    speak(server, revise(elsewhere, here))
    code, found = reviewed(run, "--diff", "HEAD")
    assert [each["line"] for each in found["findings"]] == [15]
    assert (code, found["outside"]) == (5, 1)
    asked = server.bodies[-1]["messages"][-1]["content"]
    assert '14+     """Return n times two."""' in asked
    assert "Report only bugs in the marked lines." in asked


def test_a_diff_on_stdin_may_be_applied_already_or_not_yet(
    run: Run, server: FakeServer, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak(server, revise(finding()))
    diff = subprocess.run(["git", "diff"], cwd=repository, check=True, capture_output=True).stdout
    for text in (MONEY, MONEY.replace(" + 1", "")):
        (repository / "money.py").write_text(text)
        type_in(monkeypatch, diff)
        code, found = reviewed(run, "-")
        assert (code, found["findings"][0]["line"]) == (5, 10)
    (repository / "money.py").write_text("x = 1\n")
    type_in(monkeypatch, diff)
    code, _, err = run("review", "-", "--team", "team.toml")
    assert code == 2
    assert "does not apply" in err


def type_in(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_an_empty_diff_asks_no_model(run: Run, server: FakeServer, repository: Path) -> None:
    git(repository, "commit", "-qam", "second")
    code, out, _ = run("review", "--diff", "HEAD", "--team", "team.toml")
    assert code == 0
    assert "nothing to review" in out
    assert server.requests == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--diff", "HEAD"], "lies in no git repository"),
        (["gone.py"], "cannot be read"),
        (["."], "is a folder"),
        (["binary.py"], "a binary file"),
        (["latin.txt"], "not readable as utf-8"),
        (["cookie.py"], "not readable as"),
        (["ok.py", "--spec", "binary.py"], "no specification: a binary file"),
        (["ok.py", "--fix"], "--fix needs --test-cmd"),
        (["ok.py", "--diff", "HEAD"], "give FILES, or --diff REV"),
        ([], "give FILES, or --diff REV"),
    ],
)
def test_bad_input_is_named_before_any_server_is_asked(
    run: Run, tmp_path: Path, line: list[str], said: str
) -> None:
    (tmp_path / "binary.py").write_bytes(b"x\0y")
    (tmp_path / "latin.txt").write_bytes("größer".encode("latin-1"))
    (tmp_path / "cookie.py").write_bytes(b"# coding: no-such-thing\n")
    (tmp_path / "ok.py").write_text("x = 1\n")
    code, out, err = run("review", *line)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("diff", "said"),
    [
        (b"--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n x\n", "cannot be parsed"),
        (b"diff --git a/../../etc/passwd b/../../etc/passwd\n--- a/../../etc/passwd\n"
         b"+++ b/../../etc/passwd\n@@ -1 +1 @@\n-a\n+b\n", "outside"),
        (b"--- a/gone.py\n+++ b/gone.py\n@@ -1 +1 @@\n-a\n+b\n", "is not in"),
        (b"", "stdin holds nothing"),
        (b"x\0y", "a binary file"),
    ],
)  # fmt: skip
def test_a_diff_that_is_none_is_refused(
    run: Run, tmp_path: Path, diff: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, diff)
    code, _, err = run("review", "-")
    assert code == 2
    assert said in err


def test_an_unknown_revision_and_one_that_looks_like_an_option_are_refused(
    run: Run, repository: Path
) -> None:
    for revision in ("no-such-branch", "--output=taken"):
        code, _, err = run("review", f"--diff={revision}")
        assert code == 2
        assert "is no revision" in err
    assert not (repository / "taken").exists()


def test_nothing_that_a_repository_configures_is_run(run: Run, server: FakeServer, repository: Path) -> None:
    trap = repository / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {repository}/sprung\ncat\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "diff.t.textconv", "diff.t.command", "filter.t.clean",
                "filter.t.smudge", "core.pager"):  # fmt: skip
        git(repository, "config", key, str(trap))
    (repository / ".git" / "info" / "attributes").write_text("*.py diff=t filter=t\n")
    speak(server, APPROVE)
    code, found = reviewed(run, "--diff", "HEAD")
    assert (code, found["pieces"]) == (0, 1)
    assert not (repository / "sprung").exists()


def test_what_was_reviewed_before_is_answered_by_the_ledger(
    run: Run, server: FakeServer, money: Path
) -> None:
    speak(server, revise(finding()))
    first = reviewed(run, money)
    asked = len(server.bodies)
    again = reviewed(run, money)
    assert len(server.bodies) == asked
    assert again[1]["findings"] == first[1]["findings"]


def test_a_review_leaves_a_record_without_the_code(run: Run, server: FakeServer, money: Path) -> None:
    speak(server, revise(finding()))
    reviewed(run, money)
    journal = Journal()
    [entry], damage = journal.read()
    assert (entry.source, entry.findings.confirmed, entry.calls, damage) == ("review", 1, 1, [])
    assert "share" not in next(journal.folder.glob("*.jsonl")).read_text()


def test_a_server_that_fails_leaves_a_piece_errored_and_the_others_reviewed(
    run: Run, server: FakeServer, money: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.py").write_text("def f():\n    return 1\n")

    def respond(body: dict[str, Any]) -> Answer:
        asked = body["messages"][-1]["content"]
        broken = "other.py" in asked
        return Answer(status=400, error={"message": "no"}) if broken else Answer(content=revise(finding()))

    server.respond = respond
    code, found = reviewed(run, money, tmp_path / "other.py", "--fail-on", "never")
    assert code == 4
    assert found["errored"][0].startswith("other.py:1-2")
    assert found["counts"]["confirmed"] == 1


def test_a_reply_that_is_no_review_is_unread_and_no_approval(
    run: Run, server: FakeServer, money: Path
) -> None:
    speak(server, "looks good")
    code, found = reviewed(run, money)
    assert code == 4
    assert found["unread"] == ["money.py:1-15"]


def test_a_report_goes_into_a_file_while_stdout_stays_empty(
    run: Run, server: FakeServer, money: Path, tmp_path: Path
) -> None:
    speak(server, revise(finding()))
    code, out, err = run(
        "review", money, "--team", "team.toml", "--format", "sarif", "-o", tmp_path / "r.sarif"
    )
    assert (code, out) == (5, "")
    assert "1 confirmed" in err
    assert json.loads((tmp_path / "r.sarif").read_text())["version"] == "2.1.0"
