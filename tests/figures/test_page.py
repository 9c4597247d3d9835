"""The page around every figure: title, models, small print, ids and legend, and the style they are set in."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dualcode.analysis.analyse import Analysis
from dualcode.figures import content, roles, style
from dualcode.figures.content import Content, NothingToDrawError
from dualcode.figures.drawing import catalogue, draw
from dualcode.figures.sheet import MARGIN, Sheet, id_lines, save
from dualcode.figures.style import (
    DOUBLE,
    SINGLE,
    SMALL,
    TEXT,
    TITLE,
    settings,
    shorten,
    spread,
    width_of,
    wrap,
)
from tests.figures import artists
from tests.figures.synthetic import analysis

CLOSE = pytest.approx
PAGE = Content(
    title="A title", caption="What is seen.", runs=("humaneval-raw-coder-1a2b3c4d",),
    remarks=("One remark.", "Another remark."), headline="a demo's model", models="coder A, reviewer B",
)  # fmt: skip


def lines(sheet: Sheet) -> list[tuple[str, float, str]]:
    """Return the page's texts from its top: text, size, weight."""
    ordered = sorted(sheet.figure.texts, key=lambda each: -each.get_position()[1])
    return [(each.get_text(), each.get_size(), each.get_weight()) for each in ordered]


def test_a_page_has_its_title_first_and_then_note_models_remarks_and_runs() -> None:
    found = lines(Sheet(PAGE, width=SINGLE, body=1.0))
    assert found == [
        ("A title", TITLE, "bold"), ("a demo's model", SMALL + 0.5, "bold"),
        ("models: coder A, reviewer B", SMALL, "normal"), ("One remark.", SMALL, "normal"),
        ("Another remark.", SMALL, "normal"), ("runs: humaneval-raw-coder-1a2b3c4d", SMALL, "normal"),
    ]  # fmt: skip


def test_a_page_is_as_high_as_what_stands_on_it() -> None:
    short = Sheet(PAGE, width=SINGLE, body=1.0)
    longer = Sheet(replace(PAGE, remarks=("words " * 60,)), width=SINGLE, body=1.0)
    higher = Sheet(PAGE, width=SINGLE, body=2.0)
    assert higher.height - short.height == CLOSE(1.0)
    assert longer.height > short.height
    for sheet in (short, longer, higher):
        assert all(0 < each.get_position()[1] <= 1 for each in sheet.figure.texts)


def test_panels_are_placed_in_inches_from_the_body_s_top_left() -> None:
    sheet = Sheet(PAGE, width=SINGLE, body=1.0)
    box = sheet.axes(0.5, 0.25, 2.0, 0.5).get_position()
    assert (box.x0 * sheet.width, box.width * sheet.width) == CLOSE((0.5, 2.0))
    assert box.height * sheet.height == CLOSE(0.5)
    assert sheet.height * (1 - box.y1) == CLOSE(sheet.top + 0.25)


def test_a_legend_takes_a_row_for_so_many_entries_and_none_without_any() -> None:
    entries = [style.swatch(style.BLUE, f"entry {n}") for n in range(5)]
    none = Sheet(PAGE, width=SINGLE, body=1.0)
    heights = {
        columns: Sheet(PAGE, width=SINGLE, body=1.0, legend=entries, columns=columns).height
        for columns in (1, 2, 5)
    }
    assert not none.figure.legends
    assert none.height < heights[5] < heights[2] < heights[1]
    assert artists.legend(Sheet(PAGE, width=SINGLE, body=1.0, legend=entries)) == [
        f"entry {n}" for n in range(5)
    ]


@pytest.mark.parametrize("name", catalogue())
def test_every_figure_names_its_models_its_runs_and_what_must_be_known(name: str, paper: Analysis) -> None:
    data, sheet = artists.drawn(name, paper)
    text = artists.words(sheet)
    squeezed = " ".join(text.split())
    assert "models: coder synthetic-coder-14b, reviewer synthetic-reviewer-32b" in squeezed
    assert "SYNTHETIC – made-up outcomes, no model's" in squeezed
    assert "runs: synthetic-" in squeezed
    assert data.caption.endswith(".") and data.runs
    for remark in data.remarks:
        assert remark[:25] in squeezed
    assert sheet.width in (SINGLE, DOUBLE)


@pytest.mark.parametrize("name", [name for name in catalogue() if name != "servers"])
def test_a_figure_s_runs_are_among_the_analysis_s_and_named_once(name: str, paper: Analysis) -> None:
    data, _ = artists.drawn(name, paper)
    assert set(data.runs) <= {run.id for run in paper.runs}
    assert len(set(data.runs)) == len(data.runs)


# Files


def test_only_the_forms_that_are_asked_for_are_drawn(tmp_path: Path) -> None:
    rc: Any = settings("figure-2")
    with mpl.rc_context(rc):  # pyright: ignore[reportUnknownMemberType]
        found = save(Sheet(PAGE, width=SINGLE, body=0.5), PAGE, "figure-2", tmp_path, ("svg",))
    assert list(tmp_path.iterdir()) == [found.svg]


def test_a_saved_figure_has_its_caption_and_runs_in_every_file(tmp_path: Path) -> None:
    rc: Any = settings("figure-2")
    with mpl.rc_context(rc):  # pyright: ignore[reportUnknownMemberType]
        found = save(Sheet(PAGE, width=SINGLE, body=0.5), PAGE, "figure-2", tmp_path)
    about = "What is seen. Runs: humaneval-raw-coder-1a2b3c4d."
    root = ET.fromstring(found.svg.read_text())
    space = "{http://www.w3.org/2000/svg}"
    assert (root.findtext(f"{space}title"), root.findtext(f"{space}desc")) == ("A title", about)
    assert root.get("role") == "img"
    assert about.encode("latin-1") in found.png.read_bytes()
    assert b"/Title (A title)" in found.pdf.read_bytes()
    assert (found.name, found.title, found.caption, found.runs) == (
        "figure-2",
        "A title",
        PAGE.caption,
        PAGE.runs,
    )


def test_what_xml_would_take_for_marks_is_escaped_in_an_svg(tmp_path: Path) -> None:
    odd = replace(PAGE, title="a < b & c > d", caption="p < 0.05 & more")
    found = save(Sheet(odd, width=SINGLE, body=0.5), odd, "odd", tmp_path)
    root = ET.fromstring(found.svg.read_text())
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "a < b & c > d"


def test_a_picture_has_the_size_that_its_page_says(tmp_path: Path) -> None:
    sheet = Sheet(PAGE, width=SINGLE, body=0.5)
    found = save(sheet, PAGE, "figure", tmp_path)
    header = found.png.read_bytes()[16:24]
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")
    assert (width, height) == (int(SINGLE * 200), int(sheet.height * 200))


def test_drawing_tells_which_figure_is_at_hand(paper: Analysis, tmp_path: Path) -> None:
    told: list[str] = []
    draw(paper, artists.PUBLISHED, tmp_path, ["figure-5", "gate", "figure-5"], told.append)
    assert told == ["drawing figure-5 (1 of 2)", "drawing gate (2 of 2)"]


# Figure 1


@pytest.fixture(scope="module")
def one(paper: Analysis) -> tuple[roles.Interactions, Sheet]:
    return artists.drawn("figure-1", paper)


def test_each_diagram_has_its_value_and_the_published_one(
    one: tuple[roles.Interactions, Sheet],
) -> None:
    data, sheet = one
    for diagram, axes in zip(data.diagrams, artists.panels(sheet), strict=True):
        shown = artists.texts(axes)
        assert diagram.title in shown and diagram.own() in shown
        assert diagram.score is not None
        rate = diagram.score.rate
        assert diagram.own().endswith(f"{rate.passed}/{rate.total}")
        assert any(each.startswith(f"{diagram.published:.1f} %, published") for each in shown)
        assert len(artists.hollow(axes)) == 1 and len(artists.marks(axes, "s")) == 1


def test_the_diagrams_tell_who_does_what_in_the_paper_s_order(
    one: tuple[roles.Interactions, Sheet],
) -> None:
    plan, review = map(artists.texts, artists.panels(one[1]))
    assert plan.index("reviewer\nplans") < plan.index("coder\nimplements")
    assert review.index("coder\nwrites") < review.index("reviewer\nreviews") < review.index("coder\nfixes")
    assert "no findings: the draft stands" in review and "the same task" in plan


def test_the_seats_are_named_below_the_diagrams(one: tuple[roles.Interactions, Sheet]) -> None:
    text = artists.words(one[1])
    assert one[0].seats == (("coder", "synthetic-coder-14b"), ("reviewer", "synthetic-reviewer-32b"))
    assert all(f"{role}: {model}" in text for role, model in one[0].seats)


def test_a_pattern_that_did_not_run_has_a_pale_mark_and_no_value(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder", "review-fix"], ["humaneval"], count=6)
    _, sheet = artists.drawn("figure-1", found)
    plan, review = artists.panels(sheet)
    assert "not run by us" in artists.texts(plan)
    pale = [line.get_markerfacecolor() for line in plan.lines if line.get_marker() == "s"]
    dark = [line.get_markerfacecolor() for line in review.lines if line.get_marker() == "s"]
    assert pale == ["#bbbbbb"] and dark != pale


# What figures say of their runs


def test_numbers_are_spread_in_words() -> None:
    assert content.spread_of([164]) == content.spread_of([164, 164]) == "164"
    assert content.spread_of([378, 164]) == "164 and 378"
    assert content.spread_of([164, 160, 162]) == "160–164"


def test_many_runs_are_named_by_the_first_and_counted(paper: Analysis) -> None:
    first = paper.runs[0].id
    assert content.some_ids(paper.runs[:1]) == first
    assert content.some_ids(paper.runs).endswith(" and 13 more")
    assert content.some_ids(paper.runs).count("synthetic-") == 3


def test_errored_tasks_are_counted_by_run_and_cut_after_four(paper: Analysis, tmp_path: Path) -> None:
    assert content.errored_remarks(paper.runs[:2]) == []
    found = analysis(
        tmp_path, ["raw-coder", "review-fix", "plan-code"], count=6,
        errored=dict.fromkeys(("raw-coder", "review-fix", "plan-code"), (1, 2)),
    )  # fmt: skip
    (remark,) = content.errored_remarks(found.runs)
    assert remark.count(" 2") >= 4 and remark.endswith("and 2 more runs.")


def test_differences_beside_the_pipeline_are_told_two_and_the_rest_counted(paper: Analysis) -> None:
    run = paper.runs[3]
    made = paper.comparisons[run.id]["plus"]

    def remarks(*warnings: str) -> list[str]:
        changed = {**paper.comparisons, run.id: {"plus": made.model_copy(update={"warnings": warnings})}}
        return content.warning_remarks(replace(paper, comparisons=changed), [run])

    assert remarks() == []
    assert remarks("other seeds") == ["Not fully comparable with the baseline: other seeds."]
    (several,) = remarks("a", "b", "c", "d")
    assert several.endswith("a; b. And 2 more differences; `dualcode compare` lists them.")
    (long,) = remarks("word " * 60)
    assert long.endswith(" …") and len(long) < 220


def test_the_suite_of_the_paper_s_figures_is_humaneval_or_else_the_first(paper: Analysis) -> None:
    assert content.main_dataset(paper) == "humaneval"
    lean = replace(paper, runs=tuple(run for run in paper.runs if run.dataset == "mbpp"))
    assert content.main_dataset(lean) == "mbpp"
    assert content.main_dataset(paper, ["gated"]) == "humaneval"
    with pytest.raises(NothingToDrawError, match="no run of best-of-k among synthetic-"):
        content.main_dataset(paper, ["best-of-k"])
    with pytest.raises(NothingToDrawError, match="there is no run"):
        content.main_dataset(replace(paper, runs=()))


def test_published_percentages_are_of_the_run_s_own_pipeline_and_part(paper: Analysis) -> None:
    found = {
        (run.dataset, run.pipeline): content.published_percent(artists.PUBLISHED, run) for run in paper.runs
    }
    assert found["humaneval", "review-fix"] == 87.8
    assert found["mbpp", "raw-coder"] == 67.5
    assert found["mbpp", "plan-code"] is None


# The style


@pytest.mark.parametrize(
    "text", ["review-fix-guarded 90.2", "pass@1, %", "Δ −2.4 [−7.1, +7.1]", "", "W" * 30]
)
@pytest.mark.parametrize("bold", [False, True])
def test_a_text_is_as_wide_as_it_was_measured(text: str, bold: bool) -> None:
    rc: Any = settings("measured")
    with mpl.rc_context(rc):  # pyright: ignore[reportUnknownMemberType]
        sheet = Sheet(PAGE, width=DOUBLE, body=1.0)
        sheet.text(0.1, 0.1, text or " ", size=40, weight="bold" if bold else "normal")
        renderer: Any = FigureCanvasAgg(sheet.figure).get_renderer()
        real = sheet.figure.texts[-1].get_window_extent(renderer).width / sheet.figure.dpi
    assert width_of(text, 40, bold=bold) == CLOSE(real if text else 0.0, rel=0.04, abs=0.06)


def test_bold_is_wider() -> None:
    assert width_of("review-fix", bold=True) > width_of("review-fix")


@given(st.text("abc WM-", max_size=60), st.floats(0.3, 4.0))
def test_shortened_texts_fit_and_say_so(text: str, width: float) -> None:
    found = shorten(text, width)
    assert width_of(found) <= width
    assert found == text or found.endswith("…")
    assert text.startswith(found.removesuffix("…"))


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=8), min_size=1, max_size=30), st.floats(1.0, 4.0))
def test_wrapped_lines_hold_every_word_in_order(words: list[str], width: float) -> None:
    found = wrap(" ".join(words), width)
    assert " ".join(found).split() == words
    assert all(width_of(line) <= width or " " not in line for line in found)


@given(st.lists(st.floats(0, 100), max_size=12), st.floats(0.1, 20))
def test_spread_positions_ascend_keep_their_distance_and_stay_within(values: list[float], gap: float) -> None:
    wanted = sorted(values)
    found = spread(wanted, gap, 0, 100)
    least = min(gap, 100 / (len(wanted) - 1)) if len(wanted) > 1 else gap
    assert len(found) == len(wanted)
    assert all(-1e-6 <= each <= 100 + 1e-6 for each in found)
    assert all(after - before >= least - 1e-6 for before, after in pairwise(found))


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5))
def test_positions_that_are_apart_already_stay_where_they_are(steps: list[int]) -> None:
    wanted = [float(20 * at) for at in range(len(steps))]
    assert spread(wanted, 20, 0, 100) == wanted


def test_ids_of_several_suites_have_each_suite_s_name_once() -> None:
    ids = ["humaneval-a-1", "humaneval-b-2", "mbpp-a-3", "synthetic-mini-a-4", "odd"]
    assert id_lines(ids, DOUBLE - 2 * MARGIN) == [
        "runs: humaneval-{a-1, b-2}, mbpp-a-3, synthetic-mini-a-4, odd"
    ]


def test_the_palette_is_okabe_and_ito_s() -> None:
    known = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#000000"}
    assert {style.ORANGE, style.SKY, style.GREEN, style.YELLOW, style.BLUE, style.VERMILLION, style.PURPLE,
            style.BLACK} == known  # fmt: skip


def test_sizes_are_for_print() -> None:
    assert (SINGLE, DOUBLE) == (3.5, 7.16)
    assert min(TITLE, TEXT, style.LABEL, SMALL) >= 5.0
