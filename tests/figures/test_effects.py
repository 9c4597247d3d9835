"""Figures 3 and 5, the gate, the reviewers and the strips: what is drawn is what was counted."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.patches import PathPatch

from dualcode.analysis.analyse import Analysis
from dualcode.figures import changes, richness, roles
from dualcode.figures.sheet import Sheet
from dualcode.figures.style import BLUE, VERMILLION
from dualcode.metrics import rate
from tests.figures import artists
from tests.figures.synthetic import analysis

CLOSE = pytest.approx


# Figure 3


@pytest.fixture(scope="module")
def three(paper: Analysis) -> tuple[richness.Richness, Any]:
    data, sheet = artists.drawn("figure-3", paper)
    (axes,) = artists.panels(sheet)
    return data, axes


def effects(data: richness.Richness) -> list[richness.Effect]:
    return [each for pair in data.pairs for each in (pair.rich, pair.lean)]


def test_each_effect_is_a_bar_with_its_own_interval(three: tuple[richness.Richness, Any]) -> None:
    data, axes = three
    found, drawn = effects(data), artists.bars(axes)
    assert [length for _, length, _ in drawn] == CLOSE([100 * each.delta for each in found])
    whiskers = artists.segments(axes)
    ends = [(low, high) for (low, _), (high, _) in whiskers]
    assert artists.near(ends, [(100 * each.low, 100 * each.high) for each in found])


def test_rich_stands_above_lean_in_each_pair_and_only_lean_is_hatched(
    three: tuple[richness.Richness, Any],
) -> None:
    hatches = [patch.get_hatch() or "" for _, _, patch in artists.bars(three[1])]
    assert hatches == ["", "/////"] * len(three[0].pairs)


def test_everything_of_figure_3_lies_within_its_axis(three: tuple[richness.Richness, Any]) -> None:
    data, axes = three
    low, high = axes.get_xlim()
    for each in effects(data):
        values = [100 * each.low, 100 * each.high, 100 * each.delta, each.published or 0.0, 0.0]
        assert low < min(values) and max(values) < high
    assert (low, high) == richness.limits(data.pairs)


def test_published_differences_are_hollow_and_in_points(three: tuple[richness.Richness, Any]) -> None:
    data, axes = three
    printed = [each.published for each in effects(data) if each.published is not None]
    assert [x for x, _ in artists.hollow(axes)] == CLOSE(printed)
    assert {f"{each:+.1f}" for each in printed} <= set(artists.texts(axes))


def test_each_difference_and_each_gap_is_written_out(three: tuple[richness.Richness, Any]) -> None:
    data, axes = three
    shown = artists.texts(axes)
    assert all(each.text() in shown for each in effects(data))
    assert all(pair.gap in shown and pair.pipeline in shown for pair in data.pairs)


def test_an_axis_without_any_effect_still_holds_zero() -> None:
    nothing = richness.Effect("s", 0.0, 0.0, 0.0, 10, None)
    low, high = richness.limits([richness.Pair("p", nothing, nothing, "")])
    assert low == -1.0 and high == 1.0


# Figure 5


@pytest.fixture(scope="module")
def five(paper: Analysis) -> tuple[changes.Breakdown, Any]:
    data, sheet = artists.drawn("figure-5", paper)
    (axes,) = artists.panels(sheet)
    return data, axes


def test_each_class_is_a_bar_as_long_as_its_count(five: tuple[changes.Breakdown, Any]) -> None:
    data, axes = five
    assert [length for _, length, _ in artists.bars(axes)] == [each.count for each in data.counts]
    assert artists.ticks(axes) == list(changes.CLASSES)


def test_counts_have_no_whiskers(five: tuple[changes.Breakdown, Any]) -> None:
    assert artists.segments(five[1]) == []


def test_counts_are_those_of_the_analysis(paper: Analysis, five: tuple[changes.Breakdown, Any]) -> None:
    run = paper.run("humaneval", "plan-code")
    base = paper.run("humaneval", "raw-coder")
    assert run is not None and base is not None
    lost = [
        task for task, passed in base.passed("plus").items() if passed and not run.passed("plus").get(task)
    ]
    assert five[0].total == len(lost) == sum(each.count for each in five[0].counts)
    primary = Counter(each.primary for each in paper.regressions[run.id].regressions)
    assert {each.kind: each.count for each in five[0].counts if each.count} == primary


def test_published_counts_are_hollow_and_add_up_to_the_paper_s_fifteen(
    five: tuple[changes.Breakdown, Any],
) -> None:
    data, axes = five
    printed = [(each.published, at) for at, each in enumerate(data.counts) if each.published is not None]
    assert artists.hollow(axes) == printed
    assert sum(count for count, _ in printed) == data.published_total == 15


def test_a_task_lost_is_told_in_the_singular(tmp_path: Path, paper: Analysis) -> None:
    run = paper.run("humaneval", "plan-code")
    assert run is not None
    found = paper.regressions[run.id]
    one = found.model_copy(update={"regressions": found.regressions[:1]})
    data = changes.breakdown(replace(paper, regressions={run.id: one}), artists.PUBLISHED)
    assert "Figure 5: 1 task that raw-coder solved" in data.title


# The gate


@pytest.fixture(scope="module")
def gates(paper: Analysis) -> tuple[richness.Gate, Sheet]:
    return artists.drawn("gate", paper)


def test_the_curve_s_ends_are_all_and_nothing_reviewed(
    paper: Analysis, gates: tuple[richness.Gate, Sheet]
) -> None:
    for dataset, axes in zip(("humaneval", "mbpp"), artists.panels(gates[1]), strict=True):
        raw, review = paper.run(dataset, "raw-coder"), paper.run(dataset, "review-fix")
        assert raw is not None and review is not None
        ((values, edges),) = artists.stairs(axes)
        assert values[0] == CLOSE(100 * sum(review.passed("plus").values()) / 48)
        assert values[-1] == CLOSE(100 * sum(raw.passed("plus").values()) / 48)
        assert edges[0] == 0.0 and edges[-1] == 1.0 and edges == sorted(edges)


def test_each_step_of_the_curve_follows_from_the_two_runs(
    paper: Analysis, gates: tuple[richness.Gate, Sheet]
) -> None:
    axes = artists.panels(gates[1])[0]
    raw, review = paper.run("humaneval", "raw-coder"), paper.run("humaneval", "review-fix")
    assert raw is not None and review is not None
    ((values, edges),) = artists.stairs(axes)
    for value, low, high in zip(values, edges, edges[1:], strict=False):
        threshold = (low + high) / 2
        passed = sum(
            (review if paper.richness[task] >= threshold else raw).passed("plus")[task] for task in raw.tasks
        )
        assert value == CLOSE(100 * passed / 48)


def test_our_threshold_is_a_dashed_line_with_how_many_it_reviews(
    paper: Analysis, gates: tuple[richness.Gate, Sheet]
) -> None:
    for panel, axes in zip(gates[0].panels, artists.panels(gates[1]), strict=True):
        (at,) = [line.get_xdata()[0] for line in axes.lines if line.get_color() == VERMILLION]
        assert at == panel.threshold == 0.4
        assert f"{panel.ours.reviewed} of 48 reviewed" in artists.texts(axes)
        assert all(text.get_position()[1] >= 1 for text in axes.texts), "above the axes, where no curve is"


def test_published_numbers_stand_at_the_ends_and_the_gated_one_as_a_line(
    gates: tuple[richness.Gate, Sheet],
) -> None:
    for panel, axes in zip(gates[0].panels, artists.panels(gates[1]), strict=True):
        printed = dict(panel.published)
        assert artists.hollow(axes) == [(0.0, printed["review-fix"]), (1.0, printed["raw-coder"])]
        (dotted,) = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"]
        assert dotted == printed["gated"]
        low, high = axes.get_ylim()
        assert all(low < value < high for value in printed.values())


# The reviewers


def test_each_cell_has_its_count_and_a_shade_of_its_share_of_the_row(paper: Analysis) -> None:
    data, sheet = artists.drawn("reviewers", paper)
    for matrix, axes in zip(data.matrices, artists.panels(sheet), strict=True):
        seen = matrix.confusion
        counts = [seen.true_positive, seen.false_negative, seen.false_positive, seen.true_negative]
        assert artists.texts(axes) == [str(count) for count in counts]
        assert sum(counts) + seen.unknown == paper.reviewers[_run_of(paper, matrix)].overall.tasks
        shades = [each.get_facecolor()[0][2] for each in axes.collections]
        for at in (0, 2):
            darker, lighter = sorted((at, at + 1), key=lambda n: -counts[n])
            assert shades[darker] <= shades[lighter]


def _run_of(found: Analysis, matrix: roles.Matrix) -> str:
    return next(
        run.id
        for run in found.runs
        if run.pipeline == matrix.pipeline
        and matrix.suite.startswith("HumanEval") == (run.dataset == "humaneval")
    )


def test_precision_recall_and_fixes_are_written_below_each_matrix(paper: Analysis) -> None:
    data, sheet = artists.drawn("reviewers", paper)
    text = artists.words(sheet)
    for matrix in data.matrices:
        seen = matrix.confusion
        sent, wrong = seen.true_positive + seen.false_positive, seen.true_positive + seen.false_negative
        for name, total in (("P", sent), ("R", wrong)):
            known = rate(seen.true_positive, total)
            low, high = 100 * known.low, 100 * known.high
            share = f"{100 * known.value:.0f} [{low:.0f}, {high:.0f}], {seen.true_positive}/{total}"
            assert f"{name} {share}" in text
        assert f"fixes: {matrix.fixes.helped} helped, {matrix.fixes.broke} broke" in text


def test_a_reviewer_that_sent_nothing_back_has_no_precision(paper: Analysis) -> None:
    run = paper.run("humaneval", "gated")
    assert run is not None
    report = paper.reviewers[run.id]
    update = {"true_positive": 0, "false_positive": 0}
    counts = report.overall.confusion.model_copy(update=update)
    meek = report.model_copy(update={"overall": report.overall.model_copy(update={"confusion": counts})})
    _, sheet = artists.drawn("reviewers", replace(paper, reviewers={run.id: meek}))
    assert "P – (none)" in artists.words(sheet)


def test_up_to_two_reviewers_take_one_column(paper: Analysis) -> None:
    ids = [run.id for run in paper.runs if run.id in paper.reviewers]
    widths = {
        count: artists.drawn(
            "reviewers", replace(paper, reviewers={id_: paper.reviewers[id_] for id_ in ids[:count]})
        )[1].width
        for count in (1, 2, 3)
    }
    assert widths == {1: 3.5, 2: 3.5, 3: 7.16}


# The strips


@pytest.fixture(scope="module")
def strips(paper: Analysis) -> tuple[changes.Changes, Sheet]:
    return artists.drawn("changes", paper)


def test_every_cell_is_coloured_as_its_task_came_out(strips: tuple[changes.Changes, Sheet]) -> None:
    from matplotlib.colors import to_hex

    data, sheet = strips
    for strip, axes in zip(data.strips, artists.panels(sheet), strict=True):
        states: Counter[changes.State] = Counter(state for row in strip.rows for state in row.states)
        for state, (color, high, low) in changes.LOOKS.items():
            shapes = [
                each for each in axes.patches if isinstance(each, PathPatch)
                and to_hex(each.get_facecolor()) == color.lower() and _height(each) == CLOSE(low - high)
            ]  # fmt: skip
            assert sum(_cells(each) for each in shapes) == CLOSE(states[state])


def _corners(patch: PathPatch) -> list[Any]:
    vertices: Any = patch.get_path().vertices
    return list(vertices)


def _height(patch: PathPatch) -> float:
    corners = _corners(patch)
    return abs(float(corners[2][1] - corners[1][1]))


def _cells(patch: PathPatch) -> float:
    corners = _corners(patch)
    return sum(float(corners[at + 1][0] - corners[at][0]) for at in range(0, len(corners), 5))


def test_gained_lies_in_the_upper_half_of_its_row_and_lost_in_the_lower() -> None:
    (_, gained_from, gained_to), (_, lost_from, lost_to) = changes.LOOKS["gained"], changes.LOOKS["lost"]
    assert gained_from < gained_to <= lost_from < lost_to
    assert changes.LOOKS["gained"][0] == BLUE and changes.LOOKS["lost"][0] == VERMILLION


def test_the_totals_at_the_right_are_the_comparisons_own(
    paper: Analysis, strips: tuple[changes.Changes, Sheet]
) -> None:
    for strip, axes, dataset in zip(strips[0].strips, artists.panels(strips[1]), paper.datasets, strict=True):
        shown = [text.strip() for text in artists.texts(axes)]
        assert shown == [row.words for row in strip.rows]
        for row in strip.rows[1:]:
            run = paper.run(dataset, row.pipeline)
            assert run is not None
            made = paper.comparisons[run.id]["plus"]
            assert row.words.startswith(f"+{len(made.gained)} −{len(made.lost)}")
            assert row.count("errored") == len(made.unpaired)


def test_a_long_suite_is_broken_into_strips_with_its_totals_at_the_end(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder", "review-fix"], ["mbpp"])
    _, sheet = artists.drawn("changes", found)
    first, second = artists.panels(sheet)
    assert artists.texts(first) == [] and len(artists.texts(second)) == 2
    assert first.get_xlim() == (0, 189) and second.get_xlim() == (189, 378)
    assert artists.words(sheet).count("MBPP+, continued") == 1


@pytest.mark.parametrize("tasks", [1, 2, 199, 200, 201, 400, 401, 1000])
def test_pieces_are_nearly_equal_and_none_is_too_long(tasks: int) -> None:
    sizes = [len(piece) for piece in changes.pieces(tasks)]
    assert sum(sizes) == tasks and max(sizes) <= changes.MOST_COLUMNS
    assert max(sizes) - min(sizes) < len(sizes) or len(sizes) == 1
