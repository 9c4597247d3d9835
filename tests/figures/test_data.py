"""What figures show, before they are drawn."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.synthetic_runs import Story, write_run
from dualcode.analysis.analyse import Analysis, analyse
from dualcode.analysis.runs import load_run
from dualcode.figures import (
    bars,
    changes,
    configurations,
    confusion,
    efficiency,
    interactions,
    mitigations,
    richness,
    utilisation,
)
from dualcode.figures import regressions as breakdowns
from dualcode.figures.content import NothingToDrawError, selection_remarks, suite_name, suite_title
from dualcode.metrics import rate
from dualcode.published.published import Published, PublishedRegressions, PublishedScore, load_published
from tests.figures.synthetic import analysis

PUBLISHED = load_published()
NONE = Published(
    source="", url="", read="", scores=(), models=(), leaderboard=(), regressions=(), contradictions=()
)


def test_bars_carry_the_interval_and_the_published_number_of_their_own_suite(paper: Analysis) -> None:
    data = configurations.configurations(paper, PUBLISHED)
    (panel,) = data.panels
    plan = next(bar for bar in panel.bars if bar.pipeline == "plan-code")
    run = paper.run("humaneval", "plan-code")
    assert run is not None
    assert plan.score == paper.scores[run.id]["plus"]
    assert plan.published == 75.6
    assert panel.references == (("O1 Preview", 89.0), ("GPT-4o", 87.2))
    (lean,) = configurations.other_configurations(paper, PUBLISHED).panels
    assert next(bar.published for bar in lean.bars if bar.pipeline == "raw-coder") == 67.5


def test_published_numbers_come_from_the_value_given_and_nowhere_else(paper: Analysis) -> None:
    (panel,) = configurations.configurations(paper, NONE).panels
    assert all(bar.published is None for bar in panel.bars)
    assert panel.references == ()
    assert all(pair.rich.published is None for pair in richness.richness(paper, NONE).pairs)
    assert all(each.published is None for each in breakdowns.breakdown(paper, NONE).counts)


def test_a_bar_is_better_or_worse_only_if_the_corrected_p_says_so(paper: Analysis) -> None:
    run = paper.run("humaneval", "review-fix")
    assert run is not None
    kept = paper.comparisons[run.id]["plus"]

    def standing(p_value: float, delta: float) -> str:
        changed = kept.model_copy(update={"p_value": 0.001, "p_holm": p_value, "delta": delta})
        return bars.standing(replace(paper, comparisons={run.id: {"plus": changed}}), run)

    assert standing(0.04, 0.1) == "better"
    assert standing(0.04, -0.1) == "worse"
    assert standing(0.06, 0.1) == "unclear"
    assert bars.standing(replace(paper, comparisons={}), run) == "alone"


def test_a_part_of_a_suite_says_so_beside_published_numbers_over_the_whole(paper: Analysis) -> None:
    data = configurations.configurations(paper, PUBLISHED)
    assert "HumanEval+ (48 of 164 tasks)" in data.title
    assert any("over all 164 tasks; ours are over 48" in remark for remark in data.remarks)
    assert selection_remarks(paper.runs, published=False) == []


def test_errored_tasks_are_named_and_widen_what_is_drawn(paper: Analysis) -> None:
    data = configurations.configurations(paper, PUBLISHED)
    assert any("plan-code on HumanEval+ 2" in remark for remark in data.remarks)
    plan = next(bar for bar in data.panels[0].bars if bar.pipeline == "plan-code")
    assert plan.score.widened[0] < plan.score.rate.low


def test_the_note_stands_in_every_figure(paper: Analysis) -> None:
    noted = replace(paper, title="quick", note="a demo's model")
    assert configurations.configurations(noted, PUBLISHED).headline == "quick – a demo's model"
    assert configurations.configurations(replace(paper, title="", note=""), PUBLISHED).headline == ""


def test_diagrams_show_both_patterns_even_if_one_did_not_run(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder", "review-fix"], ["humaneval"], count=6)
    plan, review = interactions.interactions(found, PUBLISHED).diagrams
    assert plan.score is None and plan.published == 75.6
    assert review.score is not None and review.published == 87.8


def test_richness_has_the_papers_pipelines_first_and_no_ratio_where_none_can_be_claimed(
    paper: Analysis,
) -> None:
    first, second, *rest = richness.richness(paper, PUBLISHED).pairs
    assert (first.pipeline, second.pipeline) == ("review-fix", "enriched")
    assert "plan-code" not in [pair.pipeline for pair in rest]
    assert (first.rich.published, first.lean.published) == (9.8, 2.3)
    gap = paper.gaps[0].model_copy(update={"ratio": None, "ratio_low": None, "ratio_high": None})
    only = richness.richness(replace(paper, gaps=(gap.model_copy(update={"pipeline": "enriched"}),)), NONE)
    assert "no ratio to claim" in only.pairs[0].gap


def test_mitigations_stand_beside_unconditional_review_on_each_suite(paper: Analysis) -> None:
    data = mitigations.mitigations(paper, PUBLISHED)
    assert [[bar.pipeline for bar in panel.bars] for panel in data.panels] == [
        ["review-fix", "gated", "enriched"]
    ] * 2
    base = paper.run("humaneval", "raw-coder")
    assert base is not None and base.id in data.runs  # the dashed line is its number


def test_every_class_of_failure_has_a_row_and_published_classes_are_added_up(paper: Analysis) -> None:
    twice = PublishedRegressions(kind="wrong result", words="", count=2, place="")
    data = breakdowns.breakdown(paper, NONE.model_copy(update={"regressions": (twice, twice)}))
    assert [each.kind for each in data.counts] == list(breakdowns.CLASSES)
    assert {each.kind: each.published for each in data.counts}["wrong result"] == 4
    assert sum(each.count for each in data.counts) == data.total > 0


def test_reviews_without_a_known_truth_are_left_out_and_said_so(paper: Analysis) -> None:
    data = confusion.matrices(paper, PUBLISHED)
    assert len(data.matrices) == 10
    run = paper.run("humaneval", "gated")
    assert run is not None
    report = paper.reviewers[run.id]
    counts = report.overall.confusion.model_copy(
        update=dict.fromkeys(("true_positive", "false_positive", "false_negative", "true_negative"), 0)
    )
    blind = report.model_copy(update={"overall": report.overall.model_copy(update={"confusion": counts})})
    less = confusion.matrices(replace(paper, reviewers={**paper.reviewers, run.id: blind}), PUBLISHED)
    assert run.id not in less.runs
    assert any(run.id in remark for remark in less.remarks)


def test_each_task_is_gained_lost_both_neither_errored_or_absent(tmp_path: Path) -> None:
    def folder(pipeline: str, stories: dict[str, Story]) -> Path:
        return write_run(tmp_path, pipeline, stories)

    right, wrong, errored = Story(plus=True), Story(plus=False), Story(plus=None)
    base = {"a": right, "b": wrong, "c": wrong, "d": right, "e": right, "f": errored}
    other = {"a": right, "b": wrong, "c": right, "d": wrong, "e": errored, "f": right, "g": right}
    runs = [load_run(folder("raw-coder", base)), load_run(folder("review-fix", other))]
    found = changes.states(*runs, tasks=list("abcdefg"))
    assert found == ("both", "neither", "gained", "lost", "errored", "errored", "absent")


def test_a_strip_has_every_task_of_every_run_once() -> None:
    pieces = changes.pieces(378)
    assert [len(piece) for piece in pieces] == [189, 189]
    assert [task for piece in pieces for task in piece] == list(range(378))
    assert [len(piece) for piece in changes.pieces(164)] == [164]


def test_the_pareto_front_is_what_nothing_beats(paper: Analysis) -> None:
    score = paper.scores[paper.runs[0].id]["plus"]

    def scored(passed: int) -> object:
        return score.model_copy(update={"rate": rate(passed, 10)})

    points = efficiency.front(
        ["cheap", "same price, worse", "dear and good", "dear and equal", "twin"],
        [1, 1, 3, 3, 1],
        [scored(5), scored(4), scored(9), scored(5), scored(5)],  # type: ignore[list-item]
    )
    assert [point.front for point in points] == [True, False, True, False, True]


def test_money_is_known_only_if_every_server_has_a_price_in_one_currency(paper: Analysis) -> None:
    costs = next(iter(paper.costs.values()))
    amount = efficiency.money(costs)
    assert amount is not None and amount[1] == "$"
    first, *others = costs.alone
    for update in ({"money": None, "currency": None}, {"currency": "€"}):
        mixed = costs.model_copy(update={"alone": (first.model_copy(update=update), *others)})
        assert others and efficiency.money(mixed) is None


def test_requests_in_flight_are_the_mean_over_each_part_of_the_time() -> None:
    assert utilisation.in_flight([(0, 2), (1, 2), (3.5, 4)], 4, bins=4) == (1, 2, 0, 0.5)
    assert utilisation.in_flight([], 4, bins=2) == (0, 0)
    assert utilisation.in_flight([(0, 1)], 0, bins=2) == (0, 0)


def test_time_between_sessions_is_left_out() -> None:
    sessions = [(100.0, 110.0), (500.0, 520.0)]
    assert [utilisation.elapsed(at, sessions) for at in (90, 105, 300, 510, 600)] == [0, 5, 10, 20, 30]


def test_replayed_requests_are_not_in_flight(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path, "raw-coder", {"a": Story(plus=True)}, replayed=True))
    found = utilisation.timeline(run)
    assert (found.requests, found.replayed) == (0, 1)
    assert all(level == 0 for lane in found.lanes for level in lane.levels)
    with pytest.raises(NothingToDrawError, match=run.id):
        utilisation.utilisation(analyse([run]), PUBLISHED)


def test_the_servers_own_metrics_are_averaged_and_gaps_stay_gaps() -> None:
    assert utilisation.means([(0.1, 2), (0.2, 4), (3.9, 7), (4, 1)], 4, bins=4) == (3, None, None, 4)


def test_a_suite_is_published_under_the_name_of_the_part_that_decides(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path, "raw-coder", {"a": Story(plus=True)}))
    base = load_run(
        write_run(tmp_path, "raw-coder", {"a": Story(plus=True)}, dataset="humaneval-base", has_plus=False)
    )
    assert (suite_name(run), suite_name(run, "base"), suite_name(base)) == (
        "HumanEval+",
        "HumanEval",
        "HumanEval",
    )
    assert suite_title(run) == "HumanEval+ (1 of 164 tasks)"


def test_captions_tell_the_values_to_those_who_do_not_see_the_picture(paper: Analysis) -> None:
    score = PublishedScore(suite="HumanEval+", pipeline="review-fix", percent=12.3, place="")
    data = configurations.configurations(paper, NONE.model_copy(update={"scores": (score,)}))
    bar = next(each for each in data.panels[0].bars if each.pipeline == "review-fix")
    assert f"review-fix {100 * bar.score.rate.value:.1f} %" in data.caption
    assert "(published 12.3 %)" in data.caption
