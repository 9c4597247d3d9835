"""What `compare`, `reviewer` and `failures` show, and the page of published numbers, by own arithmetic."""

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from benchmarks.published_page import page
from dualcode.analysis.analyse import Analysis
from dualcode.analysis.comparisons import Comparisons, compare_runs
from dualcode.analysis.failures.taxonomy import CLASSES, Regressions
from dualcode.analysis.reviewer import Confusion, Fixes
from dualcode.errors import UnknownNameError
from dualcode.tables import comparisons
from dualcode.tables.catalogue import TABLES, build, tables
from dualcode.tables.comparisons import gaps_table, suite_table
from dualcode.tables.regressions import classes, lost_tasks
from dualcode.tables.reviewers import fixes, matrix, rates
from dualcode.tables.table import Table
from tests.tables.runs import PAPER
from tests.tables.test_our_tables import regressed

FOUND = Confusion(true_positive=6, false_positive=2, false_negative=3, true_negative=29, unknown=0)
FIXED = Fixes(helped=4, broke=1, right_stayed=1, wrong_stayed=2, unchanged=2, unknown=0)


@pytest.fixture(scope="module")
def compared(study: Analysis) -> Comparisons:
    return compare_runs(study.runs)


def named(table: Table) -> list[Mapping[str, str]]:
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def points(text: str) -> float:
    return float(text.split(" ")[0].replace("−", "-"))


def test_the_baseline_stands_first_and_is_compared_with_nothing(compared: Comparisons) -> None:
    for suite in compared.suites:
        first, *others = named(suite_table(suite, 14))
        assert (first["pipeline"], first["Δ (pp)"]) == ("raw-coder", "baseline")
        assert {first[name] for name in ("gained/lost", "p", "p Holm", "needed")} == {"–"}
        assert [row["pipeline"] for row in others] == [run.pipeline for run in suite.others]


def test_a_difference_is_what_was_gained_less_what_was_lost_over_the_pairs(compared: Comparisons) -> None:
    for suite in compared.suites:
        for row, made in zip(named(suite_table(suite, 14))[1:], suite.comparisons, strict=True):
            gained, lost = map(int, row["gained/lost"].split("/"))
            assert made.tasks == made.both + made.neither + gained + lost
            assert points(row["Δ (pp)"]) == pytest.approx(100 * (gained - lost) / made.tasks, abs=0.051)
            low, high = map(points, re.findall(r"[+−]?\d+\.\d", row["Δ (pp)"])[1:])
            assert low <= points(row["Δ (pp)"]) <= high
            assert (row["needed"] == "–") == (gained == lost)


def test_pairs_are_told_in_the_title_where_they_are_equally_many_else_in_a_column(
    compared: Comparisons,
) -> None:
    for suite in compared.suites:
        table, sizes = suite_table(suite, 14), {each.tasks for each in suite.comparisons}
        assert (f"{min(sizes)} tasks in pairs" in table.title) == (len(sizes) == 1)
        shown = [row["tasks"] for row in named(table)[1:] if "tasks" in row]
        assert shown == ([str(each.tasks) for each in suite.comparisons] if len(sizes) > 1 else [])


def test_one_comparison_is_corrected_for_nothing(compared: Comparisons) -> None:
    suite = compared.suites[0]
    alone = replace(suite, runs=(suite.baseline, suite.others[0]), comparisons=suite.comparisons[:1])
    names = [column.name for column in suite_table(alone, 1).columns]
    assert "p" in names and "p Holm" not in names
    only = replace(compared, suites=(alone,), gaps=())
    assert not any("corrected" in said for said in comparisons.reading(only))
    family = sum(len(each.comparisons) for each in compared.suites)
    assert any(f"corrected for {family} comparisons" in said for said in comparisons.reading(compared))


def test_two_runs_of_one_pipeline_are_told_apart_by_their_ids(compared: Comparisons) -> None:
    suite = compared.suites[0]
    table = suite_table(replace(suite, runs=(*suite.runs, suite.others[0])), 14)
    (told,) = [column for column in table.columns if column.name == "run"]
    assert told.drop == 0
    (spared,) = [column for column in suite_table(suite, 14).columns if column.name == "run"]
    assert spared.drop > 0


def test_a_gap_is_one_difference_less_the_other(compared: Comparisons) -> None:
    table = gaps_table(compared)
    assert len(table.rows) == len(compared.gaps) > 0
    for row, gap in zip(named(table), compared.gaps, strict=True):
        first, second = points(row["first Δ (pp)"]), points(row["second Δ (pp)"])
        assert points(row["difference (pp)"]) == pytest.approx(first - second, abs=0.16)
        assert row["suites"] == "humaneval − mbpp"
        assert (row["ratio"] == "none") == (gap.ratio is None)
    assert bool(table.notes) == any(gap.ratio is None for gap in compared.gaps)


def test_the_matrix_adds_up_and_each_rate_is_of_its_cells() -> None:
    *shown, together = [[int(cell) for cell in row[1:]] for row in matrix(FOUND).rows]
    assert together == [sum(column) for column in zip(*shown, strict=True)] == [9, 31, 40]
    assert all(wrong + right == both for wrong, right, both in (*shown, together))
    made = {row["rate"]: (row["value"], row["of"]) for row in named(rates(FOUND))}
    assert made == {
        "precision": ("75.0 %", "6/8"), "base rate": ("22.5 %", "9/40"), "recall": ("66.7 %", "6/9"),
        "specificity": ("93.5 %", "29/31"), "accuracy": ("87.5 %", "35/40"),
    }  # fmt: skip


def test_a_rate_of_nothing_is_no_rate() -> None:
    none = Confusion(true_positive=0, false_positive=0, false_negative=0, true_negative=0, unknown=4)
    assert {(row["value"], row["95 % interval"], row["of"]) for row in named(rates(none))} == {
        ("–", "–", "0")
    }
    silent = none.model_copy(update={"true_negative": 5})
    shown = {row["rate"]: row["of"] for row in named(rates(silent))}
    assert (shown["precision"], shown["recall"], shown["specificity"]) == ("0", "0", "5/5")


def test_fixes_add_up_to_those_that_were_asked_for() -> None:
    table = fixes(FIXED)
    assert sum(int(row["fixes"]) for row in named(table)) == FIXED.total == 8
    assert table.notes == ("net +3 tasks; the final program is the draft's text in 2 of 8",)
    unknown = fixes(FIXED.model_copy(update={"unknown": 5, "broke": 6}))
    assert named(unknown)[-1]["fixes"] == "5"
    assert unknown.notes == ("net -2 tasks; the final program is the draft's text in 2 of 13",)
    none = fixes(Fixes(helped=0, broke=0, right_stayed=0, wrong_stayed=0, unchanged=0, unknown=0))
    assert (none.rows, none.notes) == ((), ("no fix was asked for",))


def test_every_class_has_its_row_and_a_task_its_first_sign_as_evidence() -> None:
    lost = regressed("wrong result", "time-out", "wrong result")
    signs = (*lost[0].signs, *lost[1].signs, lost[1].signs[0].model_copy(update={"kind": "over-engineering"}))
    both = lost[0].model_copy(update={"signs": signs})
    found = Regressions(run="r", baseline="b", part="plus", regressions=(both, *lost[1:]))
    table = classes(found)
    assert [row["class"] for row in named(table)] == list(CLASSES)
    assert sum(int(row["primary"]) for row in named(table)) == 3
    assert {row["class"]: row["any"] for row in named(table) if row["any"] != "0"} == {
        "wrong result": "2", "time-out": "2", "over-engineering": "1",
    }  # fmt: skip
    assert [tone == "dim" for tone in table.tones] == [row["any"] == "0" for row in named(table)]
    assert [row["also"] for row in named(lost_tasks(found))] == ["time-out, over-engineering", "", ""]


def test_evidence_with_control_characters_does_not_reach_a_terminal() -> None:
    (lost,) = regressed("wrong result")
    sign = lost.signs[0].model_copy(update={"evidence": "said \x1b[31mred\x07"})
    found = Regressions(
        run="r", baseline="b", part="plus", regressions=(lost.model_copy(update={"signs": (sign,)}),)
    )
    shown = named(lost_tasks(found))[0]["evidence"]
    assert "said" in shown and "\x1b" not in shown and "\x07" not in shown


def test_tables_come_in_the_order_asked_for_and_each_once(study: Analysis) -> None:
    made = tables(study, PAPER, ["costs", "table-2", "costs"])
    assert [table.name for table in made] == ["costs", "table-2"]
    shown, absent = build(study, PAPER)
    assert [name for name in TABLES if name not in absent] == [table.name for table in shown]
    with pytest.raises(UnknownNameError, match="tabel-2"):
        build(study, PAPER, ["table-2", "tabel-2"])


def test_the_page_has_every_published_number_and_contradiction() -> None:
    text = page(PAPER)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for score in PAPER.scores:
        assert any(f"{score.percent:.1f} %" in row and score.pipeline in row for row in rows), score
    for number in PAPER.numbers:
        assert any(f"{number.value:g}" in row and number.name in row for row in rows), number
    for each in PAPER.contradictions:
        assert f"**{each.name}** ({', '.join(each.places)}). {each.says}" in text
    assert text.count("\n## ") == 7
