"""`dualcode score`, as it is called: its options, its files, and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dualcode.cli.main import main
from dualcode.errors import SandboxError
from dualcode.grading import explain, scoring
from dualcode.sandbox.job import Job, Ran
from dualcode.sandbox.pool import Pool
from tests.suites.data import problem, write_rows

TASK = "HumanEval/0"
RIGHT = "def triple(n):\n    return 3 * n\n"
WRONG = "def triple(n):\n    print('mine')\n    return n\n"

Score = Callable[..., tuple[int, str, str]]


@pytest.fixture
def score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Score:
    """Return what runs `dualcode score` on these samples of `triple`: exit code, stdout, stderr."""
    monkeypatch.setenv("DUALCODE_CACHE_DIR", str(tmp_path / "cache"))
    data = write_rows(tmp_path / "data.jsonl", problem(), problem(1))

    def run(rows: list[tuple[str, str]], *options: str | Path) -> tuple[int, str, str]:
        lines = [{"task_id": task_id, "solution": solution} for task_id, solution in rows]
        path = write_rows(tmp_path / "s.jsonl", *lines)
        command = ["score", path, "--dataset", "humaneval", "--data", data, *options]
        monkeypatch.setattr("sys.argv", ["dualcode", *map(str, command)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def break_under(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let the sandbox break whenever it is given this program."""
    real = Pool.run

    async def run(pool: Pool, job: Job) -> Ran:
        if job.program == program:
            raise SandboxError("the fork server died")
        return await real(pool, job)

    monkeypatch.setattr(Pool, "run", run)


def test_a_sandbox_that_breaks_midway_is_errored_not_failed_and_ends_with_4(
    score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_under(monkeypatch, WRONG)
    code, out, err = score([(TASK, RIGHT), ("HumanEval/1", WRONG)], "--json")
    assert code == 4
    assert json.loads(out)["base"] == {"passed": 1, "failed": 0, "errored": 1, "pass@1": 1.0}
    assert "errored: HumanEval/1: SandboxError: the fork server died" in err


def test_without_a_sandbox_it_ends_with_3_and_names_the_way_out(
    score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise SandboxError("no sandbox works on this machine", hint="--unsafe runs programs without one")

    monkeypatch.setattr(scoring, "open_sandbox", refuse)
    code, _, err = score([(TASK, RIGHT)])
    assert code == 3
    assert "no sandbox works on this machine" in err
    assert "--unsafe" in err


def test_unsafe_and_workers_reach_the_sandbox(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, bool]] = []
    real = scoring.open_sandbox

    def note(workers: int, *, unsafe: bool) -> object:
        asked.append((workers, unsafe))
        return real(workers)

    monkeypatch.setattr(scoring, "open_sandbox", note)
    score([(TASK, RIGHT)], "--unsafe", "--workers", "3")
    assert asked == [(3, True)]


def test_the_result_file_is_evalplus_s(score: Score, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    code, _, _ = score([(TASK, RIGHT), (TASK, WRONG)], "--output", path)
    entries = json.loads(path.read_text())["eval"][TASK]
    assert code == 0
    assert [(each["base_status"], each["base_fail_tests"]) for each in entries] == [
        ("pass", []),
        ("fail", [[1]]),
    ]


def test_a_bad_place_for_the_result_file_is_refused_before_grading(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("graded")

    monkeypatch.setattr(scoring, "open_sandbox", refuse)
    code, _, err = score([(TASK, RIGHT)], "--output", tmp_path / "s.jsonl")
    assert code == 2
    assert "holds the samples" in err


def test_explain_shows_one_task_and_grades_no_other(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    break_under(monkeypatch, RIGHT + "# other\n")
    code, out, _ = score([(TASK, WRONG), ("HumanEval/1", RIGHT + "# other\n")], "--explain", TASK)
    assert code == 0
    assert "base: failed on test 1 of 2: wrong output" in out
    assert "printed:   mine" in out
    assert max(map(len, out.splitlines())) <= explain.COLUMNS


def test_explain_as_json_has_the_same_facts(score: Score) -> None:
    _, out, _ = score([(TASK, WRONG)], "--explain", TASK, "--json")
    base = json.loads(out)["samples"][0]["parts"][0]
    assert (base["input"], base["expected"], base["got"], base["printed"]) == ("1", "3", "1", "mine\n")


def test_explain_of_an_unknown_task_is_refused(score: Score) -> None:
    code, _, err = score([(TASK, RIGHT)], "--explain", "HumanEval/7")
    assert code == 2
    assert "no task is named 'HumanEval/7'" in err


@pytest.mark.parametrize(
    "solution",
    ["x = '\0'", "\ud800", "class triple:\n    pass\n", "def other(): pass\n", RIGHT + "#" * 4_000_000],
    ids=["NUL", "surrogate", "class", "missing", "4 MB"],
)
def test_odd_programs_get_a_verdict(score: Score, tmp_path: Path, solution: str) -> None:
    code, out, _ = score([(TASK, solution)], "--json", "--output", tmp_path / "r.json")
    base = json.loads(out)["base"]
    assert code == 0
    assert (base["passed"], base["failed"]) == ((1, 0) if solution.startswith(RIGHT) else (0, 1))


def test_a_value_longer_than_a_digest_may_still_be_close_enough(score: Score, tmp_path: Path) -> None:
    row = problem(canonical_solution="    return [n / 3] * 20000\n")
    other = write_rows(tmp_path / "long.jsonl", row)
    close = "def triple(n):\n    return [n / 3 + 1e-12] * 20000\n"
    far = "def triple(n):\n    return [n / 3] * 19999 + [7.5]\n"
    _, out, _ = score([(TASK, close), (TASK, far)], "--data", other, "--json")
    assert json.loads(out)["base"] | {"pass@1": 0} == {"passed": 1, "failed": 1, "errored": 0, "pass@1": 0}


def test_a_score_with_other_data_says_so_at_its_top_and_in_its_object(score: Score) -> None:
    _, out, _ = score([(TASK, RIGHT)])
    assert out.strip().startswith("not EvalPlus's own data: ")
    _, out, _ = score([(TASK, RIGHT)], "--json")
    assert json.loads(out)["data"]["official"] is False
    assert json.loads(out)["data"]["version"] == "unrecognised"
