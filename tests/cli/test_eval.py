"""`dualcode eval` beside a run: one endpoint by its address, dry runs, several results."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.typed import Run
from tests.fake_server import Answer, FakeServer, serve

DOUBLE = "```python\ndef double(number):\n    return number * 2\n```"
APPROVE = '{"verdict": "approve", "findings": []}'


def endpoint(server: FakeServer) -> list[str]:
    return ["--base-url", server.base_url, "--model", "m"]


def either(body: dict[str, object]) -> Answer:
    return Answer(content=APPROVE if "response_format" in body else DOUBLE)


def test_one_endpoint_takes_every_role_without_a_team_s_file(run: Run) -> None:
    with serve() as server:
        server.respond = either
        code, out, err = run("eval", "--pipeline", "review-fix", "--limit", "1", *endpoint(server), "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["plus"]["passed"], found["reviews"]["approved"]) == (1, 1)
    assert [each["model"] for each in found["servers"]] == ["m"]


def test_the_same_endpoint_given_twice_is_the_same_run(run: Run) -> None:
    with serve(Answer(content=DOUBLE)) as server:
        arguments = ["eval", "--pipeline", "raw-coder", "--limit", "1", *endpoint(server), "--json"]
        first, second = (json.loads(run(*arguments)[1]) for _ in range(2))
    assert first["folder"] == second["folder"]
    assert (first["resumed"], second["resumed"]) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--base-url", "http://127.0.0.1:9/v1"], "--base-url and --model go together"),
        (["--model", "m"], "--base-url and --model go together"),
        (["--model", "m", "--base-url", "http://x/v1", "--team", "t.toml"], "either --team, or --base-url"),
    ],
)
@pytest.mark.parametrize("command", [["eval", "--pipeline", "raw-coder"], ["reproduce", "--study", "quick"]])
def test_half_an_endpoint_or_one_beside_a_team_is_a_usage_error(
    run: Run, command: list[str], arguments: list[str], complaint: str
) -> None:
    code, _, err = run(*command, *arguments)
    assert code == 2
    assert complaint in " ".join(err.split())


def test_a_model_that_the_server_lacks_is_named_with_those_that_it_has(run: Run) -> None:
    with serve() as server:
        code, _, err = run("eval", "--pipeline", "raw-coder", "--base-url", server.base_url, "--model", "n")
    assert code == 2
    assert "expected 'n'" in err and "serves: m" in err


def test_a_missing_server_ends_with_3_and_its_address(run: Run) -> None:
    code, _, err = run(
        "eval", "--pipeline", "raw-coder", "--base-url", "http://127.0.0.1:9/v1", "--model", "m"
    )
    assert code == 3
    assert "found no server at http://127.0.0.1:9/v1" in err


def test_a_dry_run_says_what_would_run_and_asks_no_model(run: Run, tmp_path: Path) -> None:
    with serve() as server:
        code, out, err = run(
            "eval", "--pipeline", "raw-coder,review-fix", "--limit", "3", *endpoint(server), "--dry-run"
        )
        assert code == 0, err
        assert server.bodies == []
    assert "would run: runs/mini-raw-coder-" in out and "would run: runs/mini-review-fix-" in out
    assert out.count("(new)") == 2
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_counts_what_is_left_of_a_run(run: Run) -> None:
    with serve(Answer(content=DOUBLE)) as server:
        arguments = ["eval", "--pipeline", "raw-coder", "--limit", "2", *endpoint(server)]
        folder = json.loads(run(*arguments, "--json")[1])["folder"]
        _, out, _ = run(*arguments, "--dry-run", "--json")
        (planned,) = json.loads(out)["runs"]
        assert (planned["folder"], planned["done"], planned["tasks"]) == (folder, 2, 2)
        _, out, _ = run(*arguments, "--dry-run", "--fresh", "--json")
        assert json.loads(out)["runs"][0]["done"] == 0


def test_a_dry_run_s_forecast_has_the_calls_of_every_task(run: Run) -> None:
    with serve() as server:
        _, out, _ = run(
            "eval", "--pipeline", "review-fix", "--limit", "4", "--no-ledger", *endpoint(server), "--dry-run",
            "--json",
        )  # fmt: skip
    (row,) = json.loads(out)["forecast"]["rows"]
    calls = [share["calls"] for share in row["shares"]]
    assert [sum(each[side] for each in calls) for side in ("least", "most")] == [8, 12]  # 2 to 3 a task


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--pipeline", "none"], 2), (["--pipeline", "raw-coder", "--tasks", "MiniRich/99"], 2),
     (["--pipeline", "raw-coder", "--dataset", "none"], 2), (["--pipeline", "raw-coder"], 2),
     (["--pipeline", "raw-coder", "--limit", "0"], 2)],
)  # fmt: skip
def test_a_dry_run_refuses_what_a_run_refuses(run: Run, arguments: list[str], code: int) -> None:
    assert run("eval", *arguments, "--dry-run")[0] == run("eval", *arguments)[0] == code


def test_of_several_pipelines_the_comparison_is_printed_and_the_rest_on_request(
    run: Run, team: Callable[[FakeServer], Path]
) -> None:
    with serve() as server:
        server.respond = either
        arguments = ["eval", "--pipeline", "raw-coder,review-fix", "--limit", "2", "--team", team(server)]
        code, short, err = run(*arguments)
        assert code == 0, err
        _, long, _ = run(*arguments, "--details")
    assert short.index("raw-coder") < short.index("review-fix")
    assert "runs/mini-raw-coder-" in short and "runs/mini-review-fix-" in short
    assert "what the models of 2 of 2 runs were sent" in short
    assert "server  " not in short and "--details" in short
    assert long.startswith(short.splitlines()[0]) and long.count("server  ") == 2
    assert len(short.splitlines()) < len(long.splitlines()) / 2


def test_what_must_be_known_of_one_of_several_runs_is_not_hidden(
    run: Run, team: Callable[[FakeServer], Path]
) -> None:
    def answer(body: dict[str, object]) -> Answer:
        return Answer(content="no verdict at all") if "response_format" in body else Answer(status=503)

    with serve() as server:
        server.respond = answer
        code, out, _ = run(
            "eval", "--pipeline", "raw-coder,review-fix", "--limit", "2", "--team", team(server)
        )
    assert code == 4
    assert "raw-coder: 2 of 2 tasks have no verdict" in out
    assert "review-fix: 2 of 2 tasks have no verdict" in out


def test_unread_reviews_are_warned_of_among_several_runs(
    run: Run, team: Callable[[FakeServer], Path]
) -> None:
    def answer(body: dict[str, object]) -> Answer:
        return Answer(content="no verdict at all" if "response_format" in body else DOUBLE)

    with serve() as server:
        server.respond = answer
        _, out, _ = run("eval", "--pipeline", "raw-coder,review-fix", "--limit", "1", "--team", team(server))
    assert "review-fix: warning: 1 of 1 reviews (100%) are unread" in " ".join(out.split())


def test_a_finished_run_says_so_and_how_to_run_it_anew(run: Run, team: Callable[[FakeServer], Path]) -> None:
    with serve(Answer(content=DOUBLE)) as server:
        arguments = ["eval", "--pipeline", "raw-coder", "--limit", "1", "--team", team(server)]
        assert "--fresh" not in run(*arguments)[2]
        assert "this run was complete already; --fresh runs it anew" in run(*arguments)[2]
