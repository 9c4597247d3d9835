"""Scores of samples files: every row is checked first, and every number says what it is over."""

import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dualcode.errors import InputError
from dualcode.eval import samples as samples_module
from dualcode.eval.metrics import Counts
from dualcode.eval.samples import read_samples
from dualcode.eval.score import score, score_file, score_samples
from dualcode.eval.suites import Suite, load_suite
from dualcode.verdict import Outcome, Status, Verdict
from tests.eval.data import write_rows

RIGHT = "def double(number):\n    return number * 2\n"
WRONG = "def double(number):\n    return 0\n"


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite("mini")


def sample(task_id: str = "MiniRich/0", solution: str = RIGHT) -> dict[str, Any]:
    return {"task_id": task_id, "solution": solution}


def verdict(task_id: str, status: Status) -> Verdict:
    return Verdict(task_id=task_id, base=Outcome(status=status), plus=Outcome(status=status))


# What a file's rows mean


def test_a_completion_follows_its_prompt(tmp_path: Path, suite: Suite) -> None:
    row = {"task_id": "MiniLean/0", "completion": "    return number * 2\n"}
    (read,) = read_samples(write_rows(tmp_path / "s.jsonl", row), suite)
    assert read.program == suite.task("MiniLean/0").prompt + "    return number * 2\n"


def test_a_solution_wins_over_a_completion_as_in_evalplus(tmp_path: Path, suite: Suite) -> None:
    row = sample() | {"completion": "    return 0\n", "_identifier": "further keys are ignored"}
    (read,) = read_samples(write_rows(tmp_path / "s.jsonl", row), suite)
    assert read.program == RIGHT


def test_gzip_and_blank_lines_are_read(tmp_path: Path, suite: Suite) -> None:
    packed = tmp_path / "s.jsonl.gz"
    packed.write_bytes(gzip.compress(f"\n{json.dumps(sample())}\n\n".encode()))
    assert len(read_samples(packed, suite)) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([sample(), "{not json"], "line 2: not JSON"),
        (["[1]"], r"line 1: not a JSON object: \[1\]"),
        ([{"solution": RIGHT}], "line 1: task_id is missing"),
        ([sample(), {"task_id": "MiniRich/1"}], "line 2 .* neither solution nor completion; it has task_id"),
        ([sample() | {"solution": [RIGHT]}], r"line 1 .* solution is no string: \['def"),
        ([sample("MiniRich/99")], "line 1: no task is named 'MiniRich/99'; nearest: MiniRich/9"),
        ([sample("HumanEval/0")], "line 1: 'HumanEval/0' is no task of mini but of HumanEval"),
        ([""], "holds no samples"),
    ],
)
def test_a_bad_row_is_named(
    tmp_path: Path, suite: Suite, rows: Sequence[dict[str, Any] | str], message: str
) -> None:
    path = write_rows(tmp_path / "s.jsonl", *rows)
    with pytest.raises(InputError, match=message.replace("line 2 ", "line 2.").replace("line 1 ", "line 1.")):
        read_samples(path, suite)


def test_a_solution_of_ten_megabytes_is_refused(tmp_path: Path, suite: Suite) -> None:
    path = write_rows(tmp_path / "s.jsonl", sample(solution="x = 1\n" * 1_700_000))
    with pytest.raises(
        InputError, match=r"line 1 \(MiniRich/0\): the solution is 10,200,000 characters long"
    ):
        read_samples(path, suite)


def test_a_missing_file_a_folder_and_a_cut_gzip_are_refused(tmp_path: Path, suite: Suite) -> None:
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(json.dumps(sample()).encode())[:-10])
    for path, message in (
        (tmp_path / "gone.jsonl", "does not exist"),
        (tmp_path, "cannot be read"),
        (cut, "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            read_samples(path, suite)


async def test_nothing_is_graded_if_the_last_row_is_bad(tmp_path: Path, suite: Suite) -> None:
    path = write_rows(tmp_path / "s.jsonl", sample(), "{")
    with pytest.raises(InputError):
        await score_file(path, suite, progress=lambda _: pytest.fail("graded"))


# What the numbers are over


async def test_a_file_is_scored(tmp_path: Path, suite: Suite) -> None:
    path = write_rows(
        tmp_path / "s.jsonl", sample(), sample("MiniLean/0", WRONG), sample("MiniRich/1", "x = '\0'")
    )
    seen: list[Verdict] = []
    done = await score_file(path, suite, workers=2, progress=seen.append)
    assert done.to_json() | {"seconds": 0} == {
        "dataset": "mini",
        "tasks": 3,
        "base": {"passed": 1, "failed": 2, "errored": 0, "pass@1": 1 / 3},
        "plus": {"passed": 1, "failed": 2, "errored": 0, "pass@1": 1 / 3},
        "seconds": 0,
    }
    assert len(seen) == 3
    assert [verdict.task_id for verdict in done.verdicts] == ["MiniRich/0", "MiniLean/0", "MiniRich/1"]
    assert str(done.verdicts[2].base.reason).startswith("does not compile")


async def test_without_plus_tests_plus_is_null(tmp_path: Path) -> None:
    suite = load_suite("humaneval-base").select(tasks=["HumanEval/53"])
    row = {"task_id": "HumanEval/53", "completion": "    return x + y"}
    done = await score_file(write_rows(tmp_path / "s.jsonl", row), suite)
    assert done.to_json()["plus"] is None
    assert done.base.pass_at_1 == 1


def test_with_several_samples_pass_at_1_is_the_mean_over_tasks(suite: Suite) -> None:
    verdicts = [verdict("MiniRich/0", "passed")] * 3 + [verdict("MiniRich/0", "failed")]
    verdicts += [verdict("MiniRich/1", "failed"), verdict("MiniRich/2", "errored")]
    done = score(verdicts, suite, 1.0)
    assert done.tasks == 3
    assert done.base.samples == Counts(passed=3, failed=2, errored=1)
    assert done.base.pass_at_1 == (3 / 4 + 0) / 2


def test_errored_samples_are_in_no_rate(suite: Suite) -> None:
    done = score([verdict("MiniRich/0", "passed"), verdict("MiniRich/1", "errored")], suite, 1.0)
    assert (done.base.pass_at_1, done.base.errored) == (1.0, 1)


def test_tasks_without_a_sample_are_said_aloud(tmp_path: Path, suite: Suite) -> None:
    said = io.StringIO()
    path = write_rows(tmp_path / "s.jsonl", sample())
    done = score_samples(path, suite, Console(file=said, width=200), workers=1)
    assert done.missing[0] == "MiniLean/0"
    assert "warning: 23 of 24 tasks have no sample (MiniLean/0, MiniRich/1, " in said.getvalue()
    assert "pass@1 is over the other 1" in said.getvalue()


def test_the_table_has_an_interval_only_for_one_sample_a_task(suite: Suite) -> None:
    def shown(verdicts: Sequence[Verdict]) -> str:
        out = Console(file=io.StringIO(), width=120, record=True)
        out.print(score(verdicts, suite, 2.0).table())
        return out.export_text()

    assert "mini: 1 tasks in 2.0 s" in shown([verdict("MiniRich/0", "passed")])
    assert "20.7% – 100.0%" in shown([verdict("MiniRich/0", "passed")])
    several = shown([verdict("MiniRich/0", "passed")] * 2)
    assert "1 tasks, 2 samples" in several
    assert "20.7%" not in several


def test_the_limit_of_a_solution_is_beyond_any_reply() -> None:
    assert samples_module.LARGEST_SOLUTION > 1_000_000
