"""Figures 2 and 4: each bar, whisker, mark and text is the run's own value or the published one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dualcode.analysis.analyse import Analysis
from dualcode.figures import bars as module
from dualcode.figures.bars import LOOKS, Bar, Bars, Panel, legend
from dualcode.figures.sheet import Sheet
from dualcode.tables.cells import plain_percent
from tests.figures import artists
from tests.figures.synthetic import ALL, analysis

CLOSE = pytest.approx


@pytest.fixture(scope="module")
def two(paper: Analysis) -> tuple[Bars, Sheet]:
    return artists.drawn("figure-2", paper)


@pytest.fixture(scope="module")
def four(paper: Analysis) -> tuple[Bars, Sheet]:
    return artists.drawn("figure-4", paper)


def pairs(figure: tuple[Any, Sheet]) -> list[tuple[Panel, Any]]:
    """Return each panel's data with its axes."""
    data, sheet = figure
    return list(zip(data.panels, artists.panels(sheet), strict=True))


@pytest.mark.parametrize("name", ["two", "four"])
def test_each_bar_is_as_long_as_its_run_s_pass_at_1(name: str, request: pytest.FixtureRequest) -> None:
    for panel, axes in pairs(request.getfixturevalue(name)):
        lengths = [length for _, length, _ in artists.bars(axes)]
        assert lengths == CLOSE([100 * bar.score.rate.value for bar in panel.bars])
        assert artists.ticks(axes) == [bar.pipeline for bar in panel.bars]


@pytest.mark.parametrize("name", ["two", "four"])
def test_each_bar_has_one_whisker_over_its_interval(name: str, request: pytest.FixtureRequest) -> None:
    for panel, axes in pairs(request.getfixturevalue(name)):
        whiskers = artists.segments(axes, lambda each: not artists.is_dotted(each))
        assert len(whiskers) == len(panel.bars)
        for at, (bar, ((low, y), (high, _))) in enumerate(zip(panel.bars, whiskers, strict=True)):
            assert (low, high, y) == CLOSE((100 * bar.score.rate.low, 100 * bar.score.rate.high, at))


def test_errored_tasks_add_a_dotted_line_from_all_failed_to_all_passed(
    two: tuple[Bars, Sheet],
) -> None:
    ((panel, axes),) = pairs(two)
    (at, bar), *others = [(n, bar) for n, bar in enumerate(panel.bars) if bar.score.errored]
    assert not others and bar.pipeline == "plan-code"
    (((low, y), (high, _)),) = artists.segments(axes, artists.is_dotted)
    assert (low, high, y) == CLOSE((100 * bar.score.widened[0], 100 * bar.score.widened[1], at))
    assert "2 err." in artists.texts(axes)
    assert "if all errored tasks failed, or passed" in artists.legend(two[1])


@pytest.mark.parametrize("name", ["two", "four"])
def test_hollow_marks_are_the_published_numbers_and_stand_in_their_own_rows(
    name: str, request: pytest.FixtureRequest
) -> None:
    for panel, axes in pairs(request.getfixturevalue(name)):
        printed = [(bar.published, at) for at, bar in enumerate(panel.bars) if bar.published is not None]
        assert artists.near(artists.hollow(axes), printed)


def test_values_are_written_beside_the_bars_ours_upright_and_the_published_in_italics(
    two: tuple[Bars, Sheet],
) -> None:
    ((panel, axes),) = pairs(two)
    upright = [each.get_text() for each in axes.texts if each.get_style() == "normal"]
    italic = [each.get_text() for each in axes.texts if each.get_style() == "italic"]
    assert all(plain_percent(bar.score.rate.value) in upright for bar in panel.bars)
    assert all(f"{bar.published:.1f}" in italic for bar in panel.bars if bar.published is not None)
    assert "ours" in upright and "publ." in italic


def test_dashed_is_our_baseline_and_dotted_are_published_models(two: tuple[Bars, Sheet]) -> None:
    ((panel, axes),) = pairs(two)
    dashed = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    dotted = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]
    base = next(bar for bar in panel.bars if bar.pipeline == "raw-coder")
    assert dashed == CLOSE([100 * base.score.rate.value])
    assert dotted == [89.0, 87.2]
    assert {"O1 Preview 89.0", "GPT-4o 87.2"} <= set(artists.texts(axes))


def test_figure_4_has_no_published_models_and_both_suites_side_by_side(
    four: tuple[Bars, Sheet],
) -> None:
    first, second = artists.panels(four[1])
    assert not [line for axes in (first, second) for line in axes.lines if line.get_linestyle() == ":"]
    assert first.get_position().y0 == second.get_position().y0
    assert first.get_position().x1 < second.get_position().x0
    assert "HumanEval+" in artists.words(four[1]) and "MBPP+" in artists.words(four[1])


def test_a_bar_s_colour_and_hatch_say_how_it_stands(two: tuple[Bars, Sheet]) -> None:
    from matplotlib.colors import to_hex

    ((panel, axes),) = pairs(two)
    for bar, (_, _, patch) in zip(panel.bars, artists.bars(axes), strict=True):
        color, hatch, _ = LOOKS[bar.standing]
        assert (to_hex(patch.get_facecolor()), patch.get_hatch() or "") == (color.lower(), hatch)


def test_looks_differ_without_colour_too() -> None:
    hatches = [hatch for _, hatch, _ in LOOKS.values()]
    plain = [name for name, (_, hatch, _) in LOOKS.items() if not hatch]
    assert len(set(hatches)) == len(hatches) - 1
    assert plain == ["baseline", "better"], "which lie at both ends of what a grey scale tells apart"


def bar(standing: module.Standing, score: Any, published: float | None = None) -> Bar:
    return Bar("p", score, standing, published)


def entries(
    *bars: Bar, baseline: float | None = None, references: tuple[tuple[str, float], ...] = ()
) -> list[str]:
    panel = Panel("suite", bars, baseline, "raw-coder", references)
    return [str(each.get_label()) for each in legend([panel])]


def test_the_legend_has_what_is_shown_and_no_more(paper: Analysis) -> None:
    score = paper.scores[paper.runs[0].id]["plus"]
    assert entries(bar("better", score)) == ["ours (48 tasks): above raw-coder, p < 0.05 (Holm)"]
    assert entries(bar("baseline", score), baseline=0.5) == ["ours (48 tasks): raw-coder", "raw-coder, ours"]
    everything = entries(
        *(bar(kind, score, 50.0) for kind in LOOKS), baseline=0.5, references=(("GPT-4o", 87.2),)
    )
    assert len(everything) == len(LOOKS) + 3
    assert "published, arXiv 2603.03406" in everything and "published, EvalPlus leaderboard" in everything


def test_without_published_numbers_there_is_no_column_for_them(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder", "best-of-k", "raw-retry"], ["humaneval"], count=6)
    _, sheet = artists.drawn("figure-2", replace(found, runs=found.runs[1:]))
    (axes,) = artists.panels(sheet)
    assert "publ." not in artists.texts(axes) and artists.hollow(axes) == []
    assert "publ." in artists.texts(artists.panels(artists.drawn("figure-2", found)[1])[0])


def test_without_a_run_of_the_baseline_no_line_is_drawn_and_bars_stand_alone(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder", "review-fix"], ["humaneval", "mbpp"], count=6)
    less = replace(
        found,
        runs=tuple(run for run in found.runs if (run.dataset, run.pipeline) != ("humaneval", "raw-coder")),
        comparisons={},
    )
    data, sheet = artists.drawn("figure-2", less)
    (axes,) = artists.panels(sheet)
    assert data.panels[0].baseline is None
    assert [each.standing for each in data.panels[0].bars] == ["alone"]
    assert not [line for line in axes.lines if line.get_linestyle() == "--"]
    assert artists.legend(sheet)[0] == "ours (6 tasks): no baseline run"


def test_one_suite_stands_in_the_title_and_several_above_their_panels(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder", "review-fix"], ["humaneval", "mbpp"], count=6)
    data, sheet = artists.drawn("figure-2-others", found)
    assert [panel.title for panel in data.panels] == ["MBPP+ (6 of 378 tasks)"]
    bold = [each.get_text() for each in sheet.figure.texts if each.get_weight() == "bold"]
    assert data.title.startswith("Figure 2, other suites: pipeline configurations on MBPP+")
    assert bold.count("MBPP+ (6 of 378 tasks)") == 1, "the end of the title, and not above the panel"


def test_every_pipeline_has_a_bar_within_its_panel(tmp_path: Path) -> None:
    found = analysis(tmp_path, ALL, ["humaneval"], count=8)
    _, sheet = artists.drawn("figure-2", found)
    (axes,) = artists.panels(sheet)
    low, high = axes.get_ylim()
    assert artists.ticks(axes) == list(ALL)
    assert all(high < y < low for y, _, _ in artists.bars(axes))


def test_pass_at_1_is_drawn_on_the_whole_scale(two: tuple[Bars, Sheet]) -> None:
    ((_, axes),) = pairs(two)
    assert axes.get_xlim() == (0, 100)
    assert axes.get_xlabel() == "pass@1, % (whiskers: 95 % Wilson)"
