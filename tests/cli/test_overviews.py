"""Commands over many runs: the overview first, in few lines, and every run's own tables on request."""

import hashlib
from pathlib import Path

import pytest

from dualcode.runs.audit import Audit
from dualcode.runs.seal import Seal
from tests.cli.typed import Run
from tests.made import SOURCES, Story, write_run

PIPELINES = ("raw-coder", "review-fix", "enriched", "self-review", "gated", "swapped")
PRICE = {"input_per_million": 1e6, "output_per_million": 0.0, "currency": "$"}


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for name in PIPELINES:
        reviewed = None if name == "raw-coder" else "approve"
        stories = {f"HumanEval/{n}": Story(plus=n % 2 == 0, review=reviewed) for n in range(4)}
        write_run(tmp_path / "runs", name, stories, price=PRICE)
    return tmp_path / "runs"


def test_the_costs_of_many_runs_are_one_line_each(run: Run, many: Path) -> None:
    code, out, err = run("costs", many)
    assert code == 0, err
    rows = [line for line in out.splitlines() if line.split()[:1] and line.split()[0] in PIPELINES]
    assert [row.split()[0] for row in rows] == sorted(PIPELINES, key=out.index)
    assert all("2/4" in row for row in rows)
    assert len(out.splitlines()) < 5 + 2 * len(PIPELINES)
    assert "as if alone\n" not in out and "--details" in out


def test_the_costs_of_each_run_are_there_on_request(run: Run, many: Path) -> None:
    _, short, _ = run("costs", many)
    _, long, _ = run("costs", many, "--details")
    assert long.startswith(short.rstrip("\n").splitlines()[0])
    assert long.count("really spent ") == len(PIPELINES)


def test_one_run_s_costs_need_no_overview(run: Run, many: Path) -> None:
    one = next(each for each in many.iterdir() if "raw-coder" in each.name)
    _, out, _ = run("costs", one)
    assert "what a task took" not in out and "a solved task" in out


def test_many_reviewers_are_one_line_each(run: Run, many: Path) -> None:
    code, out, err = run("reviewer", many, "--no-grade")
    assert code == 0, err
    rows = {
        line.split()[0]: line
        for line in out.splitlines()
        if line.split()[:1] and line.split()[0] in PIPELINES
    }
    assert set(rows) == set(PIPELINES) - {"raw-coder"}
    assert all(
        "0/2" in row and "2/2" in row for row in rows.values()
    )  # of 2 wrong none found, 2 right approved
    assert "draft wrong" not in out and "--details" in out
    assert run("reviewer", many, "--no-grade", "--details")[1].count("draft wrong") == len(rows)


def test_unknown_drafts_are_a_column_and_a_warning_in_the_overview(run: Run, tmp_path: Path) -> None:
    for name in ("review-fix", "enriched"):
        story = Story(plus=True, draft=SOURCES["wrong"], review="revise")
        write_run(tmp_path / "runs", name, {"HumanEval/0": story})
    _, out, _ = run("reviewer", tmp_path / "runs", "--no-grade")
    assert "unknown" in out and "The rates are biased" in out


@pytest.mark.parametrize("command", [["costs"], ["reviewer", "--no-grade"], ["compare"]])
def test_a_page_over_many_runs_has_no_wall(run: Run, many: Path, command: list[str]) -> None:
    _, out, _ = run(*command, many)
    assert len(out.splitlines()) < 40


@pytest.mark.parametrize("command", ["show", "costs", "reviewer", "export", "compare", "failures"])
def test_no_command_is_silent_on_a_run_that_was_edited_after_its_seal(
    run: Run, many: Path, command: str
) -> None:
    baseline, folder = sorted(many.glob("*raw-coder*"))[0], sorted(many.glob("*review-fix*"))[0]
    sums = {"verdicts.jsonl": hashlib.sha256((folder / "verdicts.jsonl").read_bytes()).hexdigest()}
    audit = Audit(tasks=4, calls=4, strings=0, short=0, shown=0, leaks=())
    (folder / "seal.json").write_text(Seal(clean=True, audit=audit, files=sums).model_dump_json())
    more: list[str | Path] = ["--no-grade"] if command == "reviewer" else []
    more = [baseline] if command == "compare" else more
    assert "changed since" not in "".join(run(command, folder, *more)[1:])
    text = (folder / "verdicts.jsonl").read_text()
    (folder / "verdicts.jsonl").write_text(text.replace('"failed"', '"passed"', 1))
    said = " ".join("".join(run(command, folder, *more)[1:]).split())
    assert "verdicts.jsonl changed since the run was sealed" in said
