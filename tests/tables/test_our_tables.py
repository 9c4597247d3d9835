"""The tables that the paper lacks, of synthetic runs."""

from dataclasses import replace
from pathlib import Path

from dualcode.analysis.analyse import analyse
from dualcode.analysis.failures import Regression, Regressions, Sign
from dualcode.analysis.reviewer import Confusion, Fixes, Judged
from dualcode.tables.catalogue import tables
from dualcode.tables.reviewers import matrix, quartiles
from tests.made import Story
from tests.tables.runs import PAPER, cell, only, outcomes, run, simple, value


def test_pipelines_have_pass_at_1_beside_its_price(tmp_path: Path) -> None:
    price = {"input_per_million": 1e6, "output_per_million": 0.0, "currency": "$"}
    runs = [
        run(tmp_path, "raw-coder", "humaneval", outcomes("humaneval", 3, 10), price=price),
        run(tmp_path, "raw-coder", "mbpp", outcomes("mbpp", 4, 10), price=price),
    ]
    table = only(tables(analyse(runs), PAPER, ["pipelines"]))
    first = dict(zip([column.name for column in table.columns], table.rows[0], strict=True))
    assert first["Suite"] == "HumanEval+ (10 of 164 tasks)"
    assert first["pass@1, plus"] == "30.0 % (3/10)"
    assert first["calls/task"] == "1.00"
    costs = value(table.model_copy(update={"values": table.values[:1]}), "raw-coder")["per_task"]
    assert first["money/task"] == f"${costs['prompt_tokens']:.4g}"
    assert float(first["money/solved"].strip("$")) > float(first["money/task"].strip("$"))


def test_pipelines_without_a_price_have_no_money(tmp_path: Path) -> None:
    table = only(tables(simple(tmp_path, {("humaneval", "raw-coder"): 3}), PAPER, ["pipelines"]))
    assert not any("money" in column.name for column in table.columns)
    assert "No endpoint has a price." in table.notes


def test_reviewers_have_precision_and_recall_with_their_counts(tmp_path: Path) -> None:
    reviews = {
        "HumanEval/0": Story(True, review="approve"),
        "HumanEval/1": Story(True, review="revise"),
        "HumanEval/2": Story(False, review="revise"),
        "HumanEval/3": Story(False, review="approve"),
    }
    reviewed = run(tmp_path, "review-fix", "humaneval", reviews)
    truth = {name: bool(story.plus) for name, story in reviews.items()}
    analysis = analyse([reviewed], baseline="review-fix", truth={reviewed.id: truth})
    table = only(tables(analysis, PAPER, ["reviewers"]))
    shown = dict(zip([column.name for column in table.columns], table.rows[0], strict=True))
    assert (shown["precision"], shown["recall"]) == ("50.0 % (1/2)", "50.0 % (1/2)")
    assert [shown[name] for name in ("wrong, found", "wrong, approved", "right, rejected")] == ["1", "1", "1"]


def test_unread_reviews_are_a_column_of_their_own_and_warned_of(tmp_path: Path) -> None:
    reviews = {f"HumanEval/{n}": Story(True, review="approve") for n in range(3)}
    reviewed = run(tmp_path, "review-fix", "humaneval", reviews)
    analysis = analyse([reviewed], baseline="review-fix", truth={reviewed.id: dict.fromkeys(reviews, True)})
    report = analysis.reviewers[reviewed.id]
    counts = report.overall.confusion.model_copy(update={"true_negative": 1, "off_schema": 2, "unknown": 2})
    unread = report.model_copy(update={"overall": report.overall.model_copy(update={"confusion": counts})})
    table = only(tables(replace(analysis, reviewers={reviewed.id: unread}), PAPER, ["reviewers"]))
    shown = dict(zip([column.name for column in table.columns], table.rows[0], strict=True))
    assert [shown[name] for name in ("unread", "unknown", "right, approved")] == ["2", "0", "1"]
    assert any("2 of 3 reviews (67%) are unread" in note for note in table.notes)


def test_unread_reviews_stand_apart_from_unknown_drafts_in_matrix_and_quartiles() -> None:
    counts = Confusion(
        true_positive=1, false_positive=2, false_negative=3, true_negative=4, unknown=7, off_schema=5
    )
    assert matrix(counts).rows[-2:] == (("unread", "", "", "5"), ("unknown draft", "", "", "2"))
    assert len(matrix(counts.model_copy(update={"unknown": 0, "off_schema": 0})).rows) == 3
    fixes = Fixes(helped=1, broke=0, right_stayed=2, wrong_stayed=0, unchanged=0, unknown=0)
    judged = Judged(label="Q1", tasks=17, confusion=counts, fixes=fixes)
    table = quartiles([judged])
    assert [column.name for column in table.columns][-2:] == ["unread", "unknown"]
    assert table.rows[0][-2:] == ("5", "2")


def regressed(*kinds: str) -> tuple[Regression, ...]:
    return tuple(
        Regression.model_validate(
            {
                "task_id": f"HumanEval/{n}",
                "primary": kind,
                "signs": (Sign.model_validate({"kind": kind, "evidence": "-"}),),
            }
        )
        for n, kind in enumerate(kinds)
    )


def test_regressions_stand_by_class_beside_figure_5(tmp_path: Path) -> None:
    analysis = simple(tmp_path, {("humaneval", "raw-coder"): 3, ("humaneval", "plan-code"): 1})
    planned = analysis.runs[1].id
    lost = Regressions(
        run=planned,
        baseline=analysis.runs[0].id,
        part="plus",
        regressions=regressed("missing import", "missing import", "time-out"),
    )
    table = only(tables(replace(analysis, regressions={planned: lost}), PAPER, ["regressions"]))
    assert cell(table, "missing import", "plan-code, HumanEval+") == "2"
    assert cell(table, "missing import", "plan-code (paper)") == "7"
    assert cell(table, "time-out", "plan-code (paper)") == "–"
    assert (cell(table, "all", "plan-code, HumanEval+"), cell(table, "all", "plan-code (paper)")) == (
        "3",
        "15",
    )
    assert table.values[0]["ours"][0]["tasks"] == ["HumanEval/0", "HumanEval/1"]
    assert table.values[0]["published"][0]["place"] == "section 4.4, Figure 5"


def test_costs_have_each_server_alone_and_as_spent(tmp_path: Path) -> None:
    replayed = run(tmp_path, "raw-coder", "humaneval", outcomes("humaneval", 3, 10), replayed=True)
    table = only(tables(analyse([replayed]), PAPER, ["costs"]))
    coder = dict(zip([column.name for column in table.columns], table.rows[0], strict=True))
    assert coder["Server"] == "coder"
    assert int(coder["alone: tokens in"]) > 0
    assert coder["spent: tokens in"] == "0"


def test_note_of_the_analysis_stands_in_every_table(tmp_path: Path) -> None:
    runs = [run(tmp_path, "raw-coder", "humaneval", outcomes("humaneval", 3, 10))]
    made = tables(analyse(runs, note="The model is a demonstration's."), PAPER)
    assert len(made) >= 4
    assert all("The model is a demonstration's." in table.notes for table in made)
