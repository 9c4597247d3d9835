"""What figures show, before they are drawn."""

from dataclasses import replace
from pathlib import Path

import pytest

from dualcode.analysis.analyse import Analysis, analyse
from dualcode.analysis.runs import load_run
from dualcode.figures import bars, changes, costs, richness, roles
from dualcode.figures.content import NothingToDrawError, selection_remarks, suite_name
from dualcode.figures.drawing import catalogue
from dualcode.metrics import rate
from dualcode.published.published import Published, PublishedRegressions, PublishedScore, load_published
from dualcode.tables.selection import suite_title
from tests.figures.synthetic import analysis
from tests.made import Story, write_run

PUBLISHED = load_published()
NONE = Published(
    source="", url="", read="", scores=(), models=(), leaderboard=(), regressions=(), contradictions=()
)


def test_bars_carry_the_interval_and_the_published_number_of_their_own_suite(paper: Analysis) -> None:
    data = bars.configurations(paper, PUBLISHED)
    (panel,) = data.panels
    plan = next(bar for bar in panel.bars if bar.pipeline == "plan-code")
    run = paper.run("humaneval", "plan-code")
    assert run is not None
    assert plan.score == paper.scores[run.id]["plus"]
    assert plan.published == 75.6
    assert panel.references == (("O1 Preview", 89.0), ("GPT-4o", 87.2))
    (lean,) = bars.other_configurations(paper, PUBLISHED).panels
    assert next(bar.published for bar in lean.bars if bar.pipeline == "raw-coder") == 67.5


def test_published_numbers_come_from_the_value_given_and_nowhere_else(paper: Analysis) -> None:
    (panel,) = bars.configurations(paper, NONE).panels
    assert all(bar.published is None for bar in panel.bars)
    assert panel.references == ()
    assert all(pair.rich.published is None for pair in richness.richness(paper, NONE).pairs)
    assert all(each.published is None for each in changes.breakdown(paper, NONE).counts)


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
    data = bars.configurations(paper, PUBLISHED)
    assert "HumanEval+ (48 of 164 tasks)" in data.title
    assert any("over all 164 tasks; ours are over 48" in remark for remark in data.remarks)
    assert selection_remarks(paper.runs, published=False) == []


def test_errored_tasks_are_named_and_widen_what_is_drawn(paper: Analysis) -> None:
    data = bars.configurations(paper, PUBLISHED)
    assert any("plan-code on HumanEval+ 2" in remark for remark in data.remarks)
    plan = next(bar for bar in data.panels[0].bars if bar.pipeline == "plan-code")
    assert plan.score.widened[0] < plan.score.rate.low


def test_the_note_stands_in_every_figure(paper: Analysis) -> None:
    noted = replace(paper, title="quick", note="a demo's model")
    assert bars.configurations(noted, PUBLISHED).headline == "quick – a demo's model"
    assert bars.configurations(replace(paper, title="", note=""), PUBLISHED).headline == ""


def test_diagrams_show_both_patterns_even_if_one_did_not_run(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder", "review-fix"], ["humaneval"], count=6)
    plan, review = roles.interactions(found, PUBLISHED).diagrams
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
    data = bars.mitigations(paper, PUBLISHED)
    assert [[bar.pipeline for bar in panel.bars] for panel in data.panels] == [
        ["review-fix", "gated", "enriched"]
    ] * 2
    base = paper.run("humaneval", "raw-coder")
    assert base is not None and base.id in data.runs  # the dashed line is its number


def test_every_class_of_failure_has_a_row_and_published_classes_are_added_up(paper: Analysis) -> None:
    twice = PublishedRegressions(kind="wrong result", words="", count=2, place="")
    data = changes.breakdown(paper, NONE.model_copy(update={"regressions": (twice, twice)}))
    assert [each.kind for each in data.counts] == list(changes.CLASSES)
    assert {each.kind: each.published for each in data.counts}["wrong result"] == 4
    assert sum(each.count for each in data.counts) == data.total > 0


def test_reviews_without_a_known_truth_are_left_out_and_said_so(paper: Analysis) -> None:
    data = roles.matrices(paper, PUBLISHED)
    assert len(data.matrices) == 10
    run = paper.run("humaneval", "gated")
    assert run is not None
    report = paper.reviewers[run.id]
    counts = report.overall.confusion.model_copy(
        update=dict.fromkeys(("true_positive", "false_positive", "false_negative", "true_negative"), 0)
    )
    blind = report.model_copy(update={"overall": report.overall.model_copy(update={"confusion": counts})})
    less = roles.matrices(replace(paper, reviewers={**paper.reviewers, run.id: blind}), PUBLISHED)
    assert run.id not in less.runs
    assert any(run.id in remark for remark in less.remarks)


def test_unread_reviews_are_counted_apart_and_a_share_of_them_is_warned_of(paper: Analysis) -> None:
    run = paper.run("humaneval", "review-fix")
    assert run is not None
    report = paper.reviewers[run.id]
    update = {"off_schema": report.overall.tasks // 10, "unknown": report.overall.tasks // 10}
    counts = report.overall.confusion.model_copy(update=update)
    unread = report.model_copy(update={"overall": report.overall.model_copy(update={"confusion": counts})})
    data = roles.matrices(replace(paper, reviewers={**paper.reviewers, run.id: unread}), PUBLISHED)
    assert f"{counts.off_schema} unread, 0 unknown" in data.caption
    assert any(remark.startswith(f"warning: {counts.off_schema} of") for remark in data.remarks)


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

    points = costs.front(
        ["cheap", "same price, worse", "dear and good", "dear and equal", "twin"],
        [1, 1, 3, 3, 1],
        [scored(5), scored(4), scored(9), scored(5), scored(5)],  # type: ignore[list-item]
    )
    assert [point.front for point in points] == [True, False, True, False, True]


def test_money_is_known_only_if_every_server_has_a_price_in_one_currency(paper: Analysis) -> None:
    taken = next(iter(paper.costs.values()))
    amount = costs.money(taken)
    assert amount is not None and amount[1] == "$"
    first, *others = taken.alone
    for update in ({"money": None, "currency": None}, {"currency": "€"}):
        mixed = taken.model_copy(update={"alone": (first.model_copy(update=update), *others)})
        assert others and costs.money(mixed) is None


def test_requests_in_flight_are_the_mean_over_each_part_of_the_time() -> None:
    assert costs.in_flight([(0, 2), (1, 2), (3.5, 4)], 4, bins=4) == (1, 2, 0, 0.5)
    assert costs.in_flight([], 4, bins=2) == (0, 0)
    assert costs.in_flight([(0, 1)], 0, bins=2) == (0, 0)


def test_time_between_sessions_is_left_out() -> None:
    sessions = [(100.0, 110.0), (500.0, 520.0)]
    assert [costs.elapsed(at, sessions) for at in (90, 105, 300, 510, 600)] == [0, 5, 10, 20, 30]


def test_replayed_requests_are_not_in_flight(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path, "raw-coder", {"a": Story(plus=True)}, replayed=True))
    found = costs.timeline(run)
    assert (found.requests, found.replayed) == (0, 1)
    assert all(level == 0 for lane in found.lanes for level in lane.levels)
    with pytest.raises(NothingToDrawError, match=run.id):
        costs.utilisation(analyse([run]), PUBLISHED)


def test_the_servers_own_metrics_are_averaged_and_gaps_stay_gaps() -> None:
    assert costs.means([(0.1, 2), (0.2, 4), (3.9, 7), (4, 1)], 4, bins=4) == (3, None, None, 4)


def test_a_suite_is_published_under_the_name_of_the_part_that_decides(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path, "raw-coder", {"a": Story(plus=True)}))
    base = load_run(
        write_run(tmp_path, "raw-coder", {"a": Story(plus=True)}, dataset="humaneval-base", has_plus=False)
    )
    assert (suite_name(run), suite_name(base)) == ("HumanEval+", "HumanEval")
    assert suite_title([run]) == "HumanEval+ (1 of 164 tasks)"
    assert suite_title([base]) == "HumanEval (1 of 164 tasks)"


def test_captions_tell_the_values_to_those_who_do_not_see_the_picture(paper: Analysis) -> None:
    score = PublishedScore(suite="HumanEval+", pipeline="review-fix", percent=12.3, place="")
    data = bars.configurations(paper, NONE.model_copy(update={"scores": (score,)}))
    bar = next(each for each in data.panels[0].bars if each.pipeline == "review-fix")
    assert f"review-fix {100 * bar.score.rate.value:.1f} %" in data.caption
    assert "(published 12.3 %)" in data.caption


def test_the_gate_shows_our_threshold_the_ends_and_the_published_pair(paper: Analysis) -> None:
    data = richness.gate(paper, PUBLISHED)
    rich, lean = data.panels
    assert dict(rich.published) == {"raw-coder": 78.0, "review-fix": 87.8, "gated": 84.1}
    assert dict(lean.published)["gated"] == 69.0
    assert rich.threshold == 0.4
    review, raw = paper.run("humaneval", "review-fix"), paper.run("humaneval", "raw-coder")
    assert review is not None and raw is not None
    assert rich.curve.steps[0].passed == paper.scores[review.id]["plus"].rate.passed
    assert rich.curve.steps[-1].passed == paper.scores[raw.id]["plus"].rate.passed
    assert f"at our threshold 0.4 {100 * rich.ours.passed / 48:.1f} %" in rich.words()
    assert rich.words() in data.caption


def test_what_the_paper_s_gate_must_have_done_follows_from_its_totals() -> None:
    (said,) = richness.papers_gate(PUBLISHED)
    assert "HumanEval+: a net gain of 10 let through and of 6 kept out" in said
    assert "MBPP+: a net gain of 6 let through and of 3 kept out" in said
    assert richness.papers_gate(NONE) == []


def test_the_gate_takes_both_runs_and_the_richness_of_their_tasks(paper: Analysis) -> None:
    for lacking in (replace(paper, richness={}), replace(paper, runs=paper.runs[:1])):
        with pytest.raises(NothingToDrawError, match="no suite has runs of raw-coder and review-fix"):
            richness.gate(lacking, PUBLISHED)


def test_published_differences_are_against_our_baseline_or_left_out(tmp_path: Path) -> None:
    names = ["raw-coder", "plan-code", "review-fix"]
    found = analysis(tmp_path, names, count=12, baseline="plan-code")
    (pair,) = [each for each in richness.richness(found, PUBLISHED).pairs if each.pipeline == "review-fix"]
    assert pair.rich.published == round(87.8 - 75.6, 1)
    assert pair.lean.published is None, "the paper has no plan-code on MBPP+"


def test_the_paper_s_figures_have_their_number_and_every_figure_its_models(paper: Analysis) -> None:
    for name, figure in catalogue().items():
        data = figure.data(paper, PUBLISHED)
        assert data.models == "coder synthetic-coder-14b, reviewer synthetic-reviewer-32b"
        if name.startswith("figure-"):
            assert data.title.startswith(f"Figure {name.removeprefix('figure-')[0]}")


def test_captions_say_what_p_was_corrected_for(paper: Analysis) -> None:
    assert paper.family == 14
    for data in (bars.configurations(paper, PUBLISHED), bars.mitigations(paper, PUBLISHED)):
        assert "p corrected for all 14 comparisons of these runs (Holm)" in data.caption
    alone = replace(paper, comparisons={})
    assert "one comparison" in bars.configurations(alone, PUBLISHED).caption


def test_a_gap_s_text_has_the_corrected_p_and_a_ratio_only_where_there_is_one(paper: Analysis) -> None:
    gap = paper.gaps[0]
    none = gap.model_copy(update={"ratio": None, "p_holm": 0.04, "family": 7})
    some = gap.model_copy(
        update={"ratio": 4.0, "ratio_low": 2.0, "ratio_high": 9.0, "p_holm": 1e-5, "family": 1}
    )
    assert richness.gap_text(none).endswith("p Holm = 0.04; no ratio to claim")
    assert richness.gap_text(some).endswith("p < 0.001; ratio 4.0 [2.0, 9.0]")


def test_a_timeline_tells_time_load_and_requests() -> None:
    lane = costs.Lane("coder", (), 0.5, ())
    one = costs.Timeline("raw-coder", "humaneval", 92, 1, 0, (lane,))
    assert one.words() == "1 min 32 s; busy: coder 50%; 1 request"
    assert one.said() == "raw-coder on humaneval: 1 min 32 s, coder busy 50%"
    assert (
        replace(one, requests=0, replayed=4).words() == "1 min 32 s: all 4 requests replayed from the ledger"
    )


def test_a_matrix_and_a_diagram_say_their_counts(paper: Analysis) -> None:
    for matrix in roles.matrices(paper, PUBLISHED).matrices:
        assert f"{matrix.confusion.unknown} unknown" in matrix.words()
    plan, review = roles.interactions(paper, PUBLISHED).diagrams
    assert review.words().endswith("; published 87.8 %.") and "ours" in plan.own()
    assert replace(plan, score=None, published=None).words() == "(a) Plan-then-code: not run by us."


def test_a_panel_of_efficiency_is_as_high_as_its_names_need(paper: Analysis) -> None:
    for row in costs.efficiency(paper, PUBLISHED).panels:
        for panel in row:
            assert costs.NAME_ROW * len(panel.points) < panel.room <= costs.HIGHEST
            assert all(f"{point.pipeline} {point.x:.3g} for" in panel.words() for point in panel.points)
