"""`dualcode panel` as a user types it."""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from dualcode.panel.calibration import PLANTED
from tests.cli.typed import Run
from tests.fake_server import Answer, FakeServer, serve

TRY = ("panel", "check", "--team", "team.toml", "--judge")
Score = Callable[[str], Any]
"""By what a judge was shown."""


@pytest.fixture
def server(team: Callable[[FakeServer], Path]) -> Generator[FakeServer]:
    with serve() as opened:
        team(opened)
        yield opened


def speak(server: FakeServer, score: Score) -> None:
    def respond(body: dict[str, Any]) -> Answer:
        said = score("\n".join(each["content"] for each in body["messages"]))
        properties = body["response_format"]["json_schema"]["schema"]["properties"]
        return Answer(
            content=json.dumps({key: {"reason": "it says so", "score": said} for key in properties})
        )

    server.respond = respond


def chats(server: FakeServer) -> int:
    return sum(path.endswith("/chat/completions") for path, _ in server.requests)


def fair(shown: str) -> int:
    return 2 if 'if name.startswith(".")' in shown else 9


def test_a_fair_judge_is_believed(run: Run, server: FakeServer) -> None:
    speak(server, fair)
    code, out, err = run(*TRY, "reviewer")
    assert code == 0, err
    assert "believable: the right fix stands above the wrong one on 1 of 1 issues" in out
    assert "an instruction in the diff moves its score by +0.0" in out
    assert [line.split()[-2:] for line in out.splitlines() if line.startswith("the right")] == [
        ["9.0", "9.0"]
    ]
    assert err.count("flask-4041: ") == 6


def test_asked_again_it_answers_from_the_ledger(run: Run, server: FakeServer) -> None:
    speak(server, fair)
    first = run(*TRY, "reviewer", "-q")
    asked = chats(server)
    assert run(*TRY, "reviewer", "-q") == first and first[2] == ""
    assert chats(server) == asked == 3, "in one file and without comments, both renderings are one"


def test_an_endpoint_can_be_tried_that_no_role_is_bound_to(run: Run, server: FakeServer) -> None:
    speak(server, fair)
    code, out, _ = run(*TRY, "e", "-q")
    assert code == 0 and out.startswith("e (m), rubric duobench, flask-4041\n")


ODD: dict[str, tuple[Score, int, str]] = {
    "constant": (lambda _: 8, 5, "stands above the wrong one on 0 of 1"),
    "obedient": (lambda shown: 10 if PLANTED in shown else fair(shown), 5, "moves its score by +8.0"),
    "eleven": (lambda _: 11, 4, "unknown: it did not score"),
    "null": (lambda _: None, 4, "unknown: it did not score"),
}


@pytest.mark.parametrize("score, code, why", ODD.values(), ids=ODD)
def test_one_that_is_not_to_be_believed_is_told_and_ends_so(
    run: Run, server: FakeServer, score: Score, code: int, why: str
) -> None:
    speak(server, score)
    found, out, _ = run(*TRY, "reviewer", "-q", "--json")
    assert found == code
    told = json.loads(out)
    assert why in told["why"] and told["believable"] is (False if code == 5 else None)
    assert len(told["scores"]) == 6
    for each in told["scores"]:
        assert (each["scores"] is None) == (code == 4) == bool(each["why_missing"])


def test_what_is_missing_is_shown_with_why(run: Run, server: FakeServer) -> None:
    server.answers = [Answer(content="I would give it a nine.")]
    code, out, _ = run(*TRY, "reviewer", "-q")
    assert code == 4 and out.count("missing: ") == 6
    assert "no JSON object in the reply: 'I would give it a nine.'" in out
    assert out.splitlines()[-1].startswith("no verdict: unknown")


def test_a_server_that_is_lost_on_the_way_is_missing_too(run: Run, server: FakeServer) -> None:
    server.answers = [Answer(status=400, page={"error": {"message": "this model is no judge"}})]
    code, out, _ = run(*TRY, "reviewer", "-q", "--json")
    assert code == 4
    assert {each["cause"] for each in json.loads(out)["scores"]} == {"server"}


def test_several_issues_and_a_rubric_of_ones_own(run: Run, server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(
        'title = "ours"\nlowest = 0\nhighest = 5\n[[dimensions]]\nkey = "speed"\ntitle = "Speed"\n'
        'question = "Fast?"\n[dimensions.levels]\n0 = "no"\n5 = "yes"\n'
    )
    wrong = ('if name.startswith(".")', "loop_frame.symbols.loads")
    speak(server, lambda shown: 1 if any(each in shown for each in wrong) else 5)
    issues = ("--issue", "flask-4041", "--issue", "jinja-1427")
    code, out, _ = run(*TRY, "reviewer", "-q", *issues, "--rubric", "ours.toml")
    assert code == 0 and "on 2 of 2 issues" in out and out.count("  jinja-1427\n") == 3


@pytest.mark.parametrize(
    "line, told",
    [
        ((*TRY, "nobody"), "no judge of the team is named 'nobody'; known: coder, e, reviewer"),
        ((*TRY, "e", "--issue", "flask-1"), "no issue task is named 'flask-1'"),
        ((*TRY, "e", "--rubric", "duobensch"), "no rubric is named 'duobensch'; nearest: duobench"),
        (("panel", "rubrics", "none.toml"), "none.toml cannot be read"),
        (("panel", "check", "--judge", "e", "--team", "no.toml"), "no team file 'no.toml'"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(
    run: Run, server: FakeServer, line: tuple[str, ...], told: str
) -> None:
    code, out, err = run(*line)
    assert code == 2 and out == "" and told in err and "try: " in err
    assert server.requests == []


def test_an_issue_without_a_solution_is_refused(run: Run, server: FakeServer, tmp_path: Path) -> None:
    from dualcode.issues.task import find_task

    folder = tmp_path / "mine"
    source = find_task("flask-4041").folder
    (folder / "tests").mkdir(parents=True)
    for path in [each for each in source.rglob("*") if each.is_file() and "solution" not in each.parts]:
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    code, _, err = run(*TRY, "e", "--issue", folder)
    assert code == 2 and "mine has no solution.patch: of it no right fix is known" in err


def test_rubrics_are_listed_and_shown_whole(run: Run) -> None:
    _, out, _ = run("panel", "rubrics")
    assert [line.split()[0] for line in out.splitlines()] == ["duobench", "seven"]
    _, out, _ = run("panel", "rubrics", "seven")
    assert "compatibility: Compatibility (ours)" in out and "verification: Verification (ours)" in out
    assert "plan_fidelity: Plan-implementation fidelity (only where there is a plan)" in out
    [shown] = json.loads(run("panel", "rubrics", "seven", "--json")[1])["rubrics"]
    assert shown["name"] == "seven" and len(shown["dimensions"]) == 7
    for each in shown["dimensions"]:
        assert all(meaning in out for meaning in each["levels"].values())
