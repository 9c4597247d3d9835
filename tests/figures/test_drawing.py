"""Figures as files: every situation can be drawn, or says why not; the same runs give the same bytes."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from click.testing import CliRunner
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text

from dualcode.analysis.analyse import Analysis
from dualcode.cli import figures as command
from dualcode.errors import InputError, UnknownNameError
from dualcode.figures.content import NothingToDrawError
from dualcode.figures.drawing import catalogue, draw
from dualcode.figures.drawn import Drawn
from dualcode.figures.sheet import id_lines
from dualcode.figures.style import DOUBLE, SINGLE, settings, spread, width_of, wrap
from dualcode.published.published import load_published
from tests.figures.synthetic import ALL, PAPERS, analysis

PUBLISHED = load_published()
WITHOUT_REVIEWS = {"gate", "figure-1", "figure-2-others", "figure-3", "figure-4", "figure-5", "reviewers"}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def gallery(paper: Analysis, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Drawn]:
    """Every figure of the paper's runs, drawn once."""
    drawn, missing = draw(paper, PUBLISHED, tmp_path_factory.mktemp("gallery"))
    assert missing == {}
    return {each.name: each for each in drawn}


def test_every_figure_is_drawn_in_three_forms_and_names_its_runs(gallery: dict[str, Drawn]) -> None:
    assert list(gallery) == list(catalogue())
    for each in gallery.values():
        assert each.png.read_bytes().startswith(b"\x89PNG")
        assert each.pdf.read_bytes().startswith(b"%PDF")
        root = ET.fromstring(each.svg.read_text())
        words = " ".join(text for node in root.iter(f"{SVG}text") for text in node.itertext())
        assert "SYNTHETIC" in words and "runs: synthetic-" in words
        assert root.findtext(f"{SVG}title") == each.title
        description = root.findtext(f"{SVG}desc") or ""
        assert each.caption in description
        assert each.runs and all(run in description for run in each.runs)


def test_the_same_analysis_gives_the_same_bytes(
    paper: Analysis, gallery: dict[str, Drawn], tmp_path: Path
) -> None:
    for again in draw(paper, PUBLISHED, tmp_path, ["figure-2", "changes"])[0]:
        for kind in ("svg", "png", "pdf"):
            assert getattr(again, kind).read_bytes() == getattr(gallery[again.name], kind).read_bytes()


def test_two_figures_can_stand_in_one_page(gallery: dict[str, Drawn]) -> None:
    drawn = [gallery[name] for name in ("figure-2", "figure-2-others", "figure-4")]
    ids = [
        {node.get("id") for node in ET.fromstring(each.svg.read_text()).iter() if node.get("id")}
        for each in drawn
    ]
    assert all(not one & other for n, one in enumerate(ids) for other in ids[n + 1 :])
    assert not any("<!DOCTYPE" in each.svg.read_text() or "<style" in each.svg.read_text() for each in drawn)


@pytest.mark.parametrize(
    ("pipelines", "datasets", "missing"),
    [
        (["raw-coder"], ["humaneval"], {*WITHOUT_REVIEWS, "changes"}),
        (["raw-coder", "raw-planner"], ["mbpp"], WITHOUT_REVIEWS),
        (["raw-coder", "review-fix"], ["humaneval", "mbpp"], {"figure-4", "figure-5", "gate"}),
        (["review-fix"], ["humaneval"], None),
    ],
)  # fmt: skip
def test_a_figure_with_nothing_to_draw_says_what_is_missing(
    pipelines: Sequence[str], datasets: Sequence[str], missing: set[str] | None, tmp_path: Path
) -> None:
    if missing is None:
        found = analysis(tmp_path, pipelines, datasets, count=5, baseline="review-fix")
        missing = {"gate", "figure-2-others", "figure-3", "figure-4", "figure-5", "changes"}
    else:
        found = analysis(tmp_path, pipelines, datasets, count=5)
    reasons: dict[str, str] = {}
    for name, figure in catalogue().items():
        try:
            figure.data(found, PUBLISHED)
        except NothingToDrawError as reason:
            reasons[name] = str(reason)
    assert set(reasons) == missing
    assert all("synthetic-" in reason for reason in reasons.values())


def test_no_run_at_all_is_a_reason_for_every_figure(paper: Analysis, tmp_path: Path) -> None:
    nothing = replace(paper, runs=(), gaps=())
    drawn, reasons = draw(nothing, PUBLISHED, tmp_path)
    assert drawn == [] and set(reasons) == set(catalogue())


def test_without_regressions_or_known_truths_the_reason_names_the_run(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder", "plan-code", "review-fix"], ["humaneval"], count=3, known=False)
    plan = found.run("humaneval", "plan-code")
    assert plan is not None
    kept = found.regressions[plan.id].model_copy(update={"regressions": ()})
    none = replace(found, regressions={**found.regressions, plan.id: kept})
    _, reasons = draw(none, PUBLISHED, tmp_path / "figures", ["figure-5", "reviewers"])
    assert plan.id in reasons["figure-5"] and "no regressions" in reasons["figure-5"]
    assert "known" in reasons["reviewers"]


def test_an_unknown_figure_is_refused_before_anything_is_drawn(paper: Analysis, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="figure-4"):
        draw(paper, PUBLISHED, tmp_path / "figures", ["figure-2", "figure-44"])
    assert not (tmp_path / "figures").exists()


def test_a_folder_that_cannot_be_written_is_named(paper: Analysis, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        draw(paper, PUBLISHED, tmp_path / "file", ["figure-5"])


def overlapping(canvas: Canvas) -> list[tuple[str, str]]:
    """Return the pairs of texts that overlap, and texts beyond the page (paired with `page`)."""
    renderer: Any = FigureCanvasAgg(canvas).get_renderer()
    shown: list[Any] = []
    draw_text = renderer.draw_text

    def note(*arguments: Any, mtext: Any = None, **options: Any) -> None:
        shown.extend([mtext] if mtext else [])  # of a text of several lines, each is drawn alone
        draw_text(*arguments, mtext=mtext, **options)

    renderer.draw_text = note
    canvas.draw(renderer)
    several: list[Any] = canvas.findobj(Text)
    shown += [each for each in several if "\n" in each.get_text()]
    # An annotation's own extent would hold its line, too.
    boxes: list[Any] = [(each.get_text(), Text.get_window_extent(each, renderer)) for each in shown]
    assert len(boxes) > 5
    page = canvas.bbox
    beyond = [
        (text, "page")
        for text, box in boxes
        if box.x0 < page.x0 - 1 or box.x1 > page.x1 + 1 or box.y0 < page.y0 - 1 or box.y1 > page.y1 + 1
    ]
    pairs = [
        (one, other)
        for n, (one, a) in enumerate(boxes)
        for other, b in boxes[n + 1 :]
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
    ]
    return beyond + pairs


@pytest.fixture(scope="module", params=["paper", "every pipeline", "nothing passes"])
def situation(
    request: pytest.FixtureRequest, paper: Analysis, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Analysis]:
    """One of three analyses, made once for all figures."""
    folder = tmp_path_factory.mktemp("situation")
    if request.param == "paper":
        return "paper", paper
    if request.param == "every pipeline":
        return request.param, analysis(folder, ALL, count=30, price={"gpu_hour": 1.0}, rich=True)
    return request.param, analysis(folder, PAPERS, count=30, solved=0.0, rich=True)


@pytest.mark.parametrize("name", catalogue())
def test_no_text_overlaps_another_or_leaves_the_page(name: str, situation: tuple[str, Analysis]) -> None:
    what, found = situation
    if name == "figure-5" and what == "nothing passes":
        pytest.skip("what was never solved cannot be lost")
    figure = catalogue()[name]
    rc = settings(name)
    with mpl.rc_context(rc):  # pyright: ignore
        sheet = figure.draw(figure.data(found, PUBLISHED))
        assert sheet.width in (SINGLE, DOUBLE)
        assert overlapping(sheet.figure) == []


def test_names_at_a_margin_keep_their_order_and_distance() -> None:
    assert spread([5, 5, 5], 1, 0, 10) == [4, 5, 6], "around their value, not above it"
    assert spread([9.5, 9.9], 1, 0, 10) == [9, 10]
    assert spread([0, 0, 10], 2, 0, 10) == [0, 2, 10]
    assert spread([1, 1, 1], 9, 0, 4) == [0, 2, 4]
    assert spread([], 1, 0, 1) == []


def test_lines_are_no_wider_than_they_may_be() -> None:
    text = "published numbers are over all 164 tasks while ours are over forty of them"
    lines = wrap(text, 1.5, 5)
    assert " ".join(lines) == text
    assert len(lines) > 1 and all(width_of(line, 5) <= 1.5 for line in lines)


def test_many_ids_are_shortened_and_say_how_many_are_left_out() -> None:
    assert id_lines(["humaneval-a-1", "humaneval-b-2"], 3.3) == ["runs: humaneval-{a-1, b-2}"]
    lines = id_lines([f"humaneval-pipeline-{number:08}" for number in range(40)], 3.3)
    assert len(lines) <= 3
    assert "more, all in the file's metadata" in " ".join(lines)


def test_the_command_draws_what_it_is_asked_for(paper: Analysis, tmp_path: Path) -> None:
    folder = str(paper.runs[0].folder.parent)
    done = CliRunner().invoke(
        command.figures, [folder, "-o", str(tmp_path), "--name", "figure-2", "--no-grade"]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "figure-2.svg").exists() and not (tmp_path / "figure-4.svg").exists()


def test_the_command_refuses_a_figure_that_has_nothing_to_draw(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder"], ["humaneval"], count=3)
    arguments = [str(found.runs[0].folder), "-o", str(tmp_path), "--name", "figure-4"]
    done = CliRunner().invoke(command.figures, arguments)
    assert isinstance(done.exception, InputError)
    assert found.runs[0].id in str(done.exception)


def test_the_command_knows_the_catalogs_names() -> None:
    assert list(catalogue()) == list(command.NAMES)
    done = CliRunner().invoke(command.figures, ["runs", "--name", "figure-9"])
    assert isinstance(done.exception, UnknownNameError)


def test_the_package_is_imported_without_matplotlib() -> None:
    code = "import sys, dualcode.figures, dualcode.cli.figures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
