"""`dualcode reviewer`: `judge` where no command is named, what is told of unknown drafts, and the bench."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dualcode.analysis.trial import TrialReview
from dualcode.call import Usage
from dualcode.cli import reviewer as module
from dualcode.reviews import trial
from dualcode.reviews.trial import Trial, TrialOptions
from tests.cli.typed import Run, finished
from tests.made import SOURCES, Story, write_run


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """A run of which every draft is known: one wrong and caught, one right and approved."""
    write_run(
        tmp_path / "runs", "raw-coder", {"HumanEval/0": Story(plus=False), "HumanEval/1": Story(plus=True)}
    )
    stories = {
        "HumanEval/0": Story(plus=True, draft=SOURCES["wrong"], review="revise"),
        "HumanEval/1": Story(plus=True, review="approve"),
    }
    return write_run(tmp_path / "runs", "review-fix", stories)


def test_without_a_command_it_judges_and_with_one_it_does_the_same(run: Run, judged: Path) -> None:
    code, alone, _ = run("reviewer", "runs", "--no-grade")
    assert code == 0 and "review-fix on HumanEval+" in alone
    assert run("reviewer", "judge", "runs", "--no-grade")[1] == alone
    assert run("reviewer", "--no-grade", "runs")[1] == alone
    assert "Commands:" in run("reviewer", "--help")[1]


def test_a_run_that_reviews_nothing_is_left_out_and_tells_what_it_knows_of_the_drafts(
    run: Run, judged: Path
) -> None:
    _, out, _ = run("reviewer", "runs", "--no-grade", "--json")
    (only,) = map(json.loads, out.splitlines())
    assert only["pipeline"] == "review-fix"
    seen = only["overall"]["confusion"]
    assert (seen["true_positive"], seen["true_negative"], seen["unknown"]) == (1, 1, 0)
    assert "drafts not graded" not in run("reviewer", "runs", "--no-grade")[1]


def test_drafts_that_nobody_graded_are_said_to_be_in_no_rate(run: Run, tmp_path: Path) -> None:
    _, reviewed = finished(tmp_path / "runs")
    _, out, _ = run("reviewer", reviewed, "--no-grade")
    text = " ".join(out.split())
    assert "1 of 1 tasks reviewed; right and wrong as hidden base and plus tests say" in text
    assert "drafts not graded: 1; they are unknown, and in no rate" in text
    assert "The rates are biased" in text


def test_unread_reviews_are_told_with_their_share(run: Run, tmp_path: Path) -> None:
    story = Story(plus=True, review="approve")
    made = write_run(tmp_path / "runs", "review-fix", {"HumanEval/0": story})
    calls = made / "calls.jsonl"
    lines = [json.loads(line) for line in calls.read_text().splitlines()]
    for each in lines:
        if each["step"] == "review":
            each["value"] = None
    calls.write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    _, out, _ = run("reviewer", made, "--no-grade")
    assert "1 of 1 reviews (100%) are unread" in " ".join(out.split())
    assert "unread reviews, whose replies held no verdict: 1" in " ".join(out.split())


def trial_review(number: int, *, right: bool, verdict: Any) -> TrialReview:
    return TrialReview(
        task_id=f"MiniRich/{number}", case=str(number), right=right, change="", form="verdict",
        form_checksum="0", thinking=False, model="e (m)", verdict=verdict, seconds=1.0, usage=Usage(),
        money=None, currency=None,
    )  # fmt: skip


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[TrialOptions]]:
    """Let a trial come to two reviews, of so many wanted; return what it was asked for."""

    def come_to(wanted: int = 2, **more: Any) -> list[TrialOptions]:
        asked = list[TrialOptions]()

        async def try_reviewers(given: TrialOptions, tell: Callable[[str], None]) -> Trial:
            asked.append(given)
            tell("1 of 2 reviews")
            tell("2 of 2 reviews")
            reviews = (
                trial_review(0, right=True, verdict="approve"),
                trial_review(1, right=False, verdict="revise"),
            )
            told = {"suite": "mini", "title": "mini", "folder": Path("runs/reviewer-mini"), "missing": ()}
            return Trial(right=1, wrong=1, wanted=wanted, reviews=reviews, **told | more)  # type: ignore[arg-type]

        monkeypatch.setattr(trial, "try_reviewers", try_reviewers)
        return asked

    return come_to


def test_a_bench_shows_a_row_for_each_way_of_reviewing_and_where_every_review_lies(
    run: Run, bench: Callable[..., list[TrialOptions]]
) -> None:
    bench(missing=("MiniRich/3 has 1 wrong program",))
    code, out, err = run("reviewer", "bench", "--suite", "mini")
    text = " ".join(out.split())
    assert code == 0
    assert "mini: reviews of 1 right and 1 wrong programs" in text
    assert "every review: runs/reviewer-mini" in text
    assert "1 tasks have fewer programs: MiniRich/3 has 1 wrong program" in text
    assert err == "1 of 2 reviews\n", "progress at most every two seconds"
    told = json.loads(run("reviewer", "bench", "--suite", "mini", "--json", "-q")[1])
    assert (told["reviews"], [each["form"] for each in told["rows"]]) == (2, ["verdict"])


def test_reviews_that_are_missing_are_code_4_and_the_same_command_does_them(
    run: Run, bench: Callable[..., list[TrialOptions]]
) -> None:
    bench(wanted=5)
    code, out, err = run("reviewer", "bench", "--suite", "mini", "--json", "-q")
    assert (code, json.loads(out)["wanted"]) == (4, 5)
    assert err == "errored: 3 of 5 reviews; the same command does them again\n"


def test_what_is_typed_of_a_bench_arrives_and_lists_are_split(
    run: Run, bench: Callable[..., list[TrialOptions]]
) -> None:
    asked = bench()
    run("reviewer", "bench", "--suite", "mini")
    more = (
        "--tasks",
        "a, b,",
        "--roles",
        "coder,reviewer",
        "--form",
        "values",
        "--form",
        "verdict",
        "--seed",
        "4",
    )
    run("reviewer", "bench", "--suite", "mini", *more, "--thinking", "off", "--no-ledger", "--mutants", "3")
    plain, told = asked
    assert (plain.forms, plain.tasks, plain.roles) == (("verdict", "findings", "values"), (), ("reviewer",))
    assert (told.tasks, told.roles, told.forms) == (("a", "b"), ("coder", "reviewer"), ("values", "verdict"))
    assert (told.thinking, told.no_ledger, told.mutants, told.seed) == ("off", True, 3, 4)


def test_the_pipelines_that_are_named_where_nothing_was_reviewed_are_those_that_review() -> None:
    from dualcode.pipelines.find import pipelines

    built_in = {name: each for name, each in pipelines().items() if each.source.parent.name == "pipelines"}
    assert set(module.REVIEWING) <= set(built_in)
    assert all("reviewer" in built_in[name].roles or name == "self-review" for name in module.REVIEWING)
