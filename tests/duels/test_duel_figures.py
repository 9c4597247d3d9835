"""What a duel's figures show, read back from their data and from what is drawn."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dualcode.duels.figures.catalogue import FIGURES, draw_duel
from dualcode.duels.figures.content import LOOKS
from dualcode.duels.figures.opinions import dimensions, preference
from dualcode.duels.figures.outcomes import LINES, Point, costs, iso_lines, solved, value, worth
from dualcode.duels.findings import Findings, find
from dualcode.duels.notes import NO_RANK
from dualcode.errors import UnknownNameError
from dualcode.figures.content import NothingToDrawError
from dualcode.figures.sheet import Sheet
from dualcode.figures.style import settings
from tests.duels.made import MODELS, cell, found, matrix, phase, records, whole
from tests.figures.artists import bars, legend, marks, panels, segments, texts, ticks, words

FOUND = found()


def drawn(name: str, found: Findings = FOUND) -> tuple[Any, Sheet]:
    rc: Any = settings(name)
    with mpl.rc_context(rc):  # pyright: ignore[reportUnknownMemberType]
        data, draw = FIGURES[name]
        content = data(found)
        return content, draw(content)


def point(cost: float, value: float) -> Point:
    return Point("x", "pair", cost, value, value, value)


@given(st.lists(st.tuples(st.floats(1e-4, 1e4), st.floats(1e-2, 100)), min_size=1, max_size=12))
def test_iso_lines_are_few_round_and_among_the_points(pairs: list[tuple[float, float]]) -> None:
    points = [point(*pair) for pair in pairs]
    lines = iso_lines(points)
    ratios = [each.value / each.cost for each in points]
    assert 1 <= len(lines) <= LINES
    assert list(lines) == sorted(set(lines))
    assert all(f"{line:e}"[0] in "125" for line in lines)
    if len(lines) > 1:
        assert min(ratios) * 0.999 <= min(lines)
    assert max(lines) <= max(ratios) * 1.001


def test_iso_lines_of_duobenchs_points_lie_where_its_own_do() -> None:
    published = [(0.25, 7.5), (0.41, 8.5), (0.43, 8.5), (0.49, 8.38), (0.65, 8.25), (0.89, 8.5)]
    assert iso_lines([point(*pair) for pair in published]) == (10.0, 20.0)


def test_lines_are_named_in_numbers_that_people_read() -> None:
    assert [worth(each, "$") for each in (0.05, 20.0, 20_000.0)] == ["0.05/$", "20/$", "20,000/$"]


def test_what_is_free_or_worth_nothing_has_no_line() -> None:
    assert iso_lines([point(0.0, 8.0), point(1.0, 0.0)]) == ()


def test_cost_against_quality_shows_every_priced_condition_where_it_stands() -> None:
    data, sheet = drawn("value")
    quality, rates = data.panels
    assert (quality.label, rates.label) == ("quality (judges)", "solved, %")
    by_name = {each.name: each for each in quality.points}
    assert "drawn:kimi+opus" not in by_name and len(by_name) == 18
    assert "drawn:kimi+opus" in " ".join(data.remarks)
    standing = FOUND.board.standing("opus->kimi")
    assert standing.quality and by_name["opus->kimi"].value == standing.quality.mean
    assert by_name["opus->kimi"].cost == pytest.approx(0.26)
    for axes, panel in zip(panels(sheet), data.panels, strict=True):
        shown = {each for arm in LOOKS for each in marks(axes, LOOKS[arm][1])}
        assert shown == {(each.cost, each.value) for each in panel.points}
        assert {each.name for each in panel.points} <= set(texts(axes))
    assert len(segments(panels(sheet)[1])) == sum(each.high > each.low for each in rates.points)


def test_every_iso_line_that_crosses_the_panel_is_named() -> None:
    data, sheet = drawn("value")
    for axes, panel in zip(panels(sheet), data.panels, strict=True):
        dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert len(dashed) == len(panel.lines)
        for line, each in zip(dashed, panel.lines, strict=True):
            (x0, x1), (y0, y1) = line.get_xdata(), line.get_ydata()
            assert (x0, y0, y1) == (0, 0, pytest.approx(each * x1))
            if each * panel.top > panel.reach[0]:
                assert worth(each, "$") in texts(axes)


def test_an_unjudged_duel_shows_solved_against_cost_alone() -> None:
    data, sheet = drawn("value", find(whole(matrix(), judged=False)))
    assert [panel.label for panel in data.panels] == ["solved, %"]
    assert data.title == "Cost against issues solved"
    assert len(panels(sheet)) == 1


def test_solved_rates_are_drawn_with_their_whiskers_and_rings() -> None:
    data, sheet = drawn("solved")
    (axes,) = panels(sheet)
    assert ticks(axes) == [row.id for row in FOUND.standings]
    assert texts(axes) == [f"{rate.passed}/{rate.total}" for _, rate in data.bars]
    whiskers = segments(axes)
    for y, ((_, rate), whisker) in enumerate(zip(data.bars, whiskers, strict=True)):
        assert whisker == (
            (pytest.approx(100 * rate.low), y), (pytest.approx(100 * rate.high), y)
        )  # fmt: skip
    rings = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert [ring.get_xdata()[0] for ring in rings] == [100 * (row.pass_k or 0) for row, _ in data.bars]


def test_costs_are_stacked_in_their_parts_and_unknown_is_a_word() -> None:
    data, sheet = drawn("costs")
    (axes,) = panels(sheet)
    for y, bar in enumerate(data.bars):
        lengths = [length for place, length, _ in bars(axes) if place == pytest.approx(y)]
        wanted: dict[str, float] = bar.parts or {}
        assert lengths == pytest.approx(list(wanted.values()))
        if bar.name == "opus->kimi":
            assert bar.parts == pytest.approx({"plan": 0.16, "implement": 0.1})
        if bar.name == "drawn:kimi+opus":
            assert bar.parts is None and texts(axes)[y] == "unknown"
    assert legend(sheet) == ["plan: all before the first change", "implement", "review"]


def test_dimensions_stand_at_their_means() -> None:
    data, sheet = drawn("dimensions")
    assert len(panels(sheet)) == len(data.names) == 4
    for axes, name in zip(panels(sheet), data.names, strict=True):
        shown = sorted(y for arm in LOOKS for _, y in marks(axes, LOOKS[arm][1]))
        assert shown == list(range(len(data.rows)))
        means = {(row.dimensions[name].mean, float(at)) for at, row in enumerate(data.rows)}
        assert {(x, y) for arm in LOOKS for x, y in marks(axes, LOOKS[arm][1])} == means
        low, high = axes.get_xlim()
        assert all(low <= x <= high for x, _ in means)


def test_judges_stand_at_what_they_give_their_own() -> None:
    data, sheet = drawn("judges")
    (axes,) = panels(sheet)
    assert [row.name for row in data.rows] == ["opus", "gpt"]
    assert [x for x, _ in marks(axes, "o")] == [row.preference.delta.value for row in data.rows]
    for row in data.rows:
        assert row.preference.delta.value == pytest.approx(row.own - row.other)
        assert f"own {row.own:.2f}" in texts(axes)
    low, high = axes.get_xlim()
    assert low == -high


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_whose_numbers_it_shows(name: str) -> None:
    data, sheet = drawn(name)
    assert "Synthetic" in words(sheet)
    assert "Errored cells (no verdict, in no number): 1" in words(sheet)
    assert "ours" in data.caption or name == "judges"
    assert all(each in words(sheet) for each in MODELS)


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_of_a_panel_is_cut_off(name: str) -> None:
    _, sheet = drawn(name)
    canvas = FigureCanvasAgg(sheet.figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    page = sheet.figure.bbox
    for axes in panels(sheet):
        low, high = axes.get_xlim()
        seen = [each for each in axes.get_xticklabels() if low <= each.get_position()[0] <= high]
        for each in [*axes.texts, *axes.get_yticklabels(), *seen]:
            if each.get_text():
                box = each.get_window_extent(renderer)
                assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1, each.get_text()


def test_one_cell_a_condition_is_said_to_be_no_ranking() -> None:
    _, sheet = drawn("solved", find(whole(matrix(), ("flask-4041",), 1)))
    assert NO_RANK.split(".")[0] in words(sheet)


def test_what_cannot_be_drawn_says_why() -> None:
    unjudged = find(whole(matrix(), judged=False))
    for each in (dimensions, preference):
        with pytest.raises(NothingToDrawError):
            each(unjudged)
    solo = matrix(("kimi",))
    unknown = (phase("implement", "implement", "kimi", money=None, source="unknown"),)
    free = find(records(solo, [cell(solo[0], "a", phases=unknown)], issues=("a",)))
    for each in (value, costs):
        with pytest.raises(NothingToDrawError, match="not known|is known"):
            each(free)
    with pytest.raises(NothingToDrawError, match="graded"):
        solved(find(records(solo, [])))


def test_files_are_written_and_the_same_twice(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        made, missing = draw_duel(FOUND, tmp_path / folder, ["costs"], forms=("svg",))
        assert [each.name for each in made] == ["costs"] and missing == {}
    assert (tmp_path / "a/costs.svg").read_bytes() == (tmp_path / "b/costs.svg").read_bytes()
    with pytest.raises(UnknownNameError, match="cost"):
        draw_duel(FOUND, tmp_path, ["cost"])
