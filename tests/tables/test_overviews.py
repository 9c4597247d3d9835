"""The overviews of many runs, and the words that titles and notes are made of."""

from dataclasses import replace
from pathlib import Path

import pytest

from dualcode.analysis.analyse import Analysis, analyse
from dualcode.tables import selection
from dualcode.tables.costs import overview, run_costs
from dualcode.tables.forms import fit
from dualcode.tables.grid import Field
from dualcode.tables.lines import Line, caveats, compared, line, recomputed, statistics
from dualcode.tables.reviewers import BIASED
from dualcode.tables.reviewers import overview as reviewed
from dualcode.tables.table import Table
from tests.made import SOURCES, Story
from tests.tables.runs import PAPER, outcomes, run, simple


def cells(table: Table, at: int) -> dict[str, str]:
    return dict(zip((column.name for column in table.columns), table.rows[at], strict=True))


def test_the_costs_overview_divides_each_run_s_totals_by_its_tasks(study: Analysis) -> None:
    found = [(each, "HumanEval+") for each in study.costs.values()]
    table = overview(found)
    assert table.title == f"{len(found)} runs: what a task took"
    for at, (each, title) in enumerate(found):
        row = cells(table, at)
        assert (row["pipeline"], row["suite"]) == (each.pipeline, title)
        assert row["solved"] == f"{each.solved}/{each.tasks}"
        out = sum(server.completion_tokens for server in each.alone)
        assert float(row["out/task"]) == pytest.approx(out / each.tasks, abs=0.51)
        assert row["spent: out"] == f"{sum(server.completion_tokens for server in each.spent):,}"
        paid = sum(server.money or 0.0 for server in each.alone)
        assert float(row["money/task"].strip("$")) == pytest.approx(paid / each.tasks, rel=1e-3)
        assert float(row["money/solved"].strip("$")) == pytest.approx(paid / each.solved, rel=1e-3)


def test_the_costs_overview_agrees_with_each_run_s_own_table(study: Analysis) -> None:
    for at, each in enumerate(study.costs.values()):
        own = run_costs(each, "HumanEval+")
        task = next(row for row in own.rows if row[0].strip() == "a task")
        row = cells(overview([(each, "x") for each in study.costs.values()]), at)
        assert float(row["out/task"]) == pytest.approx(float(task[2].replace(",", "")), abs=0.51)
        assert row["money/task"] == task[[column.name for column in own.columns].index("money")]


def test_a_run_that_solved_nothing_has_no_price_of_a_solved_task(tmp_path: Path) -> None:
    price = {"input_per_million": 1e6, "output_per_million": 0.0, "currency": "$"}
    made = run(tmp_path, "raw-coder", "humaneval", outcomes("humaneval", 0, 4), price=price)
    row = cells(overview([(analyse([made]).costs[made.id], "HumanEval+")]), 0)
    assert (row["solved"], row["money/solved"]) == ("0/4", "–")
    assert row["money/task"].startswith("$")


def test_rows_of_an_overview_are_told_apart_at_80_columns_too(study: Analysis) -> None:
    costs, judged = list(study.costs.values()), [run for run in study.runs if run.id in study.reviewers]
    again = {"run": f"{costs[0].run}-2"}
    twice = overview([(costs[0], "HumanEval+"), (costs[0].model_copy(update=again), "HumanEval+")])
    assert len({tuple(row[at] for at in fit(twice, 80)) for row in twice.rows}) == 2
    suites = overview([(costs[0], "HumanEval+"), (costs[0], "MBPP+")])
    assert len({tuple(row[at] for at in fit(suites, 80)) for row in suites.rows}) == 2
    reviews = reviewed([(run, study.reviewers[run.id]) for run in judged])
    shown = {tuple(row[at] for at in list(fit(reviews, 80))[:2]) for row in reviews.rows}
    assert len(shown) == len({(run.pipeline, run.title) for run in judged})


@pytest.mark.parametrize("own", ["2801abbf", "2801abbf-2", "2801abbf-13"])
def test_a_run_s_own_name_is_its_fingerprint_and_its_number(own: str) -> None:
    assert selection.own_name(f"humaneval-raw-coder-{own}") == own
    assert selection.own_name("notes") == "notes"


def test_the_reviewers_overview_counts_what_was_found_and_what_fixes_did(study: Analysis) -> None:
    judged = [(each, study.reviewers[each.id]) for each in study.runs if each.id in study.reviewers]
    table = reviewed(judged)
    for at, (_, report) in enumerate(judged):
        row, seen = cells(table, at), report.overall.confusion
        assert row["wrong found"] == f"{seen.true_positive}/{seen.true_positive + seen.false_negative}"
        assert row["right approved"] == f"{seen.true_negative}/{seen.true_negative + seen.false_positive}"
        assert (row["helped"], row["broke"]) == (
            str(report.overall.fixes.helped),
            str(report.overall.fixes.broke),
        )
    assert not {"unread", "unknown"} & {column.name for column in table.columns}
    assert BIASED not in table.notes


def test_unknown_drafts_add_a_column_and_say_that_rates_are_biased(tmp_path: Path) -> None:
    story = Story(True, draft=SOURCES["wrong"], review="revise")
    made = run(tmp_path, "review-fix", "humaneval", {"HumanEval/0": story})
    report = analyse([made], baseline="review-fix").reviewers[made.id]
    table = reviewed([(made, report)])
    assert cells(table, 0)["unknown"] == "1" and cells(table, 0)["wrong found"] == "–"
    assert BIASED in table.notes


@pytest.mark.parametrize(
    ("root", "name"),
    [
        ("/models/awq/qwen", "qwen"),
        ("~/qwen", "qwen"),
        ("./qwen", "qwen"),
        ("Qwen/Qwen3-32B", "Qwen/Qwen3-32B"),
        (None, None),
    ],
)
def test_a_checkpoint_is_named_by_its_folder_or_its_hub_name(root: str | None, name: str | None) -> None:
    assert selection.checkpoint_name(root) == name


def test_titles_say_how_much_of_a_suite_runs_cover(tmp_path: Path) -> None:
    few, more = (
        run(tmp_path / str(count), "raw-coder", "humaneval", outcomes("humaneval", 1, count))
        for count in (4, 9)
    )
    assert selection.suite_title([few]) == "HumanEval+ (4 of 164 tasks)"
    assert selection.suite_title([few, more]) == "HumanEval+ (4 or 9 of 164 tasks)"
    assert not selection.is_whole(few)
    ours = line(analyse([few]), PAPER, "humaneval", "raw-coder").ours()
    assert ours is not None and ours["selection"] == {"tasks": 4, "of": 164}
    assert (
        selection.part_title(few, "base") == "HumanEval" and selection.part_title(few, "plus") == "HumanEval+"
    )


def test_models_are_named_by_role_once(study: Analysis) -> None:
    assert selection.models(study.runs) == "coder synthetic-coder-14b, reviewer synthetic-reviewer-32b"
    assert selection.model_of(study.runs[0], "judge") is None
    assert selection.roles_of(study.runs) == ["coder", "reviewer"]


def test_a_pipeline_that_did_not_run_is_an_empty_line_with_what_is_published(tmp_path: Path) -> None:
    found = simple(tmp_path, {("humaneval", "raw-coder"): 3})
    own = line(found, PAPER, "humaneval", "review-fix")
    assert own.ours() is None and own.comparison is None
    texts = [own.score("plus"), own.interval("plus"), own.errored(), own.delta(), own.delta_interval()]
    columns: list[Field[Line] | None] = compared(lambda each: each, [own], several=True)
    texts += [text(own) for _, text in filter(None, columns)]
    assert set(texts) == {"–"}
    assert (own.printed("plus"), own.printed_delta("plus")) == ("87.8 %", "+9.8")
    assert [each["percent"] for each in own.cited()] == [PAPER.score("HumanEval", "review-fix").percent, 87.8]  # type: ignore[union-attr]


def test_notes_say_what_was_corrected_only_where_something_was(study: Analysis, tmp_path: Path) -> None:
    assert f"corrected for all {study.family} comparisons" in statistics(study)
    alone = simple(tmp_path, {("humaneval", "raw-coder"): 3, ("humaneval", "review-fix"): 5})
    assert "p Holm" not in statistics(alone)
    assert recomputed("raw-coder") == [] and "against plan-code too" in recomputed("plan-code")[0]


def test_errored_tasks_and_unpaired_ones_are_noted(study: Analysis) -> None:
    lines = [line(study, PAPER, "humaneval", name) for name in study.pipelines]
    notes = caveats(lines)
    assert notes[0].startswith("errored: tasks without a verdict")
    plan = study.run("humaneval", "plan-code")
    assert plan is not None
    assert f"{plan.id}: 2 tasks that only one of the two runs graded are not in Δ." in notes
    assert caveats([each for each in lines if each.pipeline == "raw-coder"]) == []


def test_of_many_notes_of_one_kind_the_first_stand_and_the_rest_are_counted(study: Analysis) -> None:
    own = line(study, PAPER, "humaneval", "plan-code")
    assert own.comparison is not None
    texts = [f"run {number} differs" for number in range(9)]
    warned = [
        replace(own, comparisons={own.part: own.comparison.model_copy(update={"warnings": (text,)})})
        for text in [*texts, texts[0]]
    ]
    notes = caveats(warned)
    assert notes[-4:-1] == texts[:3]
    assert notes[-1].startswith("6 more notes like these")
    assert caveats(warned[:4])[-4:] == texts[:4]
