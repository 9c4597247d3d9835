"""A duel's HTML file: what stands in it without a browser, and the commands that make files of a folder."""

import base64
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dualcode.cli.duel import command
from dualcode.cli.duel_report import FIGURES as FIGURE_NAMES
from dualcode.cli.duel_report import TABLES
from dualcode.duels import catalogue
from dualcode.duels.figures.catalogue import FIGURES
from dualcode.duels.findings import find
from dualcode.duels.page import cell_data, index, lead, write_duel
from dualcode.duels.records import DuelRecords
from dualcode.duels.store import DuelStore
from dualcode.errors import InputError, RunError, UnknownNameError
from tests.duels.made import cell, condition, found, matrix, phase, records, verdict, whole

SOLO = condition("solo", "kimi", "kimi")
EVIL = '</script><img src=x onerror="alert(1)">\x1b[31m\u202e'
Run = Callable[..., Result]


def packed(page: str) -> list[dict[str, Any]]:
    """Return the cells that a page holds, unpacked as a browser does."""
    texts = re.findall(r'<script type="text/plain" id="t\d+">([^<]*)</script>', page)
    return [json.loads(zlib.decompress(base64.b64decode(text))) for text in texts]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_duel(found(), [], tmp_path_factory.mktemp("page") / "report.html").read_text()


def test_every_cell_is_in_the_page_with_all_that_became_of_it(page: str) -> None:
    cells = packed(page)
    assert len(cells) == len(found().records.cells)
    for data, each in zip(cells, found().records.cells, strict=True):
        texts = data["texts"]
        assert texts[data["diff"]] == each.diff
        assert (data["plan"] is None) == (each.plan is None)
        assert len(data["steps"]) == 3
        assert (data["verdict"] is None) == (each.verdict is None)
        assert len(data["judgements"]) == (4 if each.verdict else 0)
        assert len(data["phases"]) == len(each.phases)


def test_the_index_says_of_each_cell_where_it_belongs() -> None:
    known = index(found())
    for place, each in zip(known["cells"], found().records.cells, strict=True):
        assert known["conditions"][place["condition"]] == each.condition
        assert known["issues"][place["issue"]] == each.issue
        assert place["sign"] == {True: "p", False: "f", None: "e"}[each.solved]


def test_without_scripts_the_page_still_has_results_tables_and_notes(page: str) -> None:
    for each in found().standings:
        assert page.count(each.id.replace(">", "&gt;")) >= 3
    for table in catalogue.build(found())[0]:
        assert f'id="of-{table.name}"' in page
    assert "Synthetic: no number here is of a model." in page
    assert "unknown" in page


def test_the_page_asks_for_nothing(page: str) -> None:
    outside = re.findall(r"""(?:src|href)=["'](?!#|data:)([^"']*)""", page)
    assert outside == []
    assert "default-src 'none'" in page


def test_published_numbers_stand_in_a_part_of_their_own(page: str) -> None:
    ours, published = page.split('<section id="published"')
    assert 'id="of-duobench"' in published and 'id="of-archon"' in published
    assert 'class="tag"' in published and 'class="tag"' not in ours


def test_what_models_wrote_is_never_markup(tmp_path: Path) -> None:
    own = cell(SOLO, "a", plan=EVIL, diff=EVIL, reason=EVIL, files=(EVIL,),
               verdict=verdict("a", False, reason=EVIL, failing=(EVIL,), broken=(EVIL,), out_of_scope=(EVIL,),
                               output=EVIL))  # fmt: skip
    hostile = find(replace(records([SOLO], [own], issues=("a",)), steps={}))
    page = write_duel(hostile, [], tmp_path / "report.html").read_text()
    assert "<img" not in page
    assert page.count("</script>") == 4  # theme, index, one cell, script
    (data,) = packed(page)
    written = json.dumps(data, ensure_ascii=False)
    assert "\\u001b" not in written and "\u202e" not in written  # shown as pictures
    assert data["texts"][data["plan"]].startswith("</script><img src=x")


def test_a_lone_surrogate_does_not_break_the_page(tmp_path: Path) -> None:
    own = cell(SOLO, "a", plan="\ud800", diff="+\udcff")
    found = find(records([SOLO], [own], issues=("a",)))
    assert packed(write_duel(found, [], tmp_path / "report.html").read_text())


def test_an_unknown_price_is_a_word_and_a_command_has_none() -> None:
    parts = (
        phase("implement", "implement", "x", money=None, source="unknown"),
        phase("validate", "check", "", 0, money=None, calls=0),
    )
    own = cell(SOLO, "a", phases=parts)
    data = cell_data(find(records([SOLO], [own], issues=("a",))), own)
    assert [each["money"] for each in data["phases"]] == ["unknown", "–"]
    assert [each["source"] for each in data["phases"]] == ["unknown", "–"]


def test_the_lead_claims_no_more_than_the_contests() -> None:
    said = " ".join(lead(found()))
    assert "solved most: 6 of 6" in said
    assert "37 differences between conditions and their controls none can be claimed" in said
    assert "Cheapest for a solved issue: opus->kimi, $0.39" in said


def test_the_lead_calls_nobody_best_where_nobody_solved_anything() -> None:
    lost = cell(SOLO, "a", solved=False)
    said = lead(find(records([SOLO], [lost], issues=("a",))))
    assert said[0] == "No condition solved an issue."
    assert "most" not in " ".join(said)


def test_the_lead_of_one_cell_a_condition_says_that_nothing_is_ranked() -> None:
    assert "nothing is ranked" in " ".join(lead(find(whole(matrix(), ("flask-4041",), 1))))


def test_a_duel_without_a_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no cell of synthetic is done"):
        write_duel(find(records([SOLO], [])), [], tmp_path / "report.html")


def write(folder: Path, of: DuelRecords) -> Path:
    """Write records as a duel's folder."""
    made = DuelStore.open(folder, of.duel, lambda _old, _new: ())
    for each in of.cells:
        made.place(each.key).folder.mkdir(parents=True)
        made.keep(each)
        for step in of.steps.get(each.key, ()):
            made.place(each.key).add("steps.jsonl", step)
    for judgement in of.judgements:
        made.add_judgement(judgement)
    made.close()
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose path has blanks and quotes."""
    small = whole(matrix(("kimi", "opus")), ("flask-4041", "jinja-1427"))
    return write(tmp_path_factory.mktemp("duels") / "an \"odd\" 'name'", small)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "100")
    return lambda *words: CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)


def test_tables_from_a_folder_in_every_form(run: Run, folder: Path, tmp_path: Path) -> None:
    shown = run("tables", folder)
    assert shown.exit_code == 0
    assert "opus->kimi" in shown.output and "duobench's table, as published" in shown.output
    markdown = run("tables", folder, "--name", "leaderboard", "--format", "md").output
    assert markdown.startswith("### synthetic: conditions by issues solved")
    assert json.loads(run("tables", folder, "--name", "work", "--format", "json").output)[0]["name"] == "work"
    written = run("tables", folder, "--name", "costs", "-o", tmp_path / "tables").output.splitlines()
    assert [Path(each).suffix for each in written] == [".md", ".csv", ".tex", ".json"]


def test_tables_without_anything_to_show_say_why(run: Run, tmp_path: Path) -> None:
    alone = write(tmp_path / "alone", records([SOLO], [cell(SOLO, "a")], issues=("a",)))
    with pytest.raises(InputError, match="nothing to show: judges: nothing was judged"):
        run("tables", alone, "--name", "judges")
    assert run("tables", alone, "--format", "terminal", "-o", tmp_path / "x").exit_code == 2
    with pytest.raises(UnknownNameError, match="jugdes"):
        run("tables", alone, "--name", "jugdes")


def test_export_from_a_folder(run: Run, folder: Path, tmp_path: Path) -> None:
    written = run("export", folder, "-o", tmp_path / "out").output.split()
    assert len(written) == 6 and all(Path(each).exists() for each in written)
    assert len(json.loads((tmp_path / "out/results.json").read_text())["conditions"]) == 4


def test_a_report_from_a_folder_has_its_figures_and_transcripts(run: Run, folder: Path) -> None:
    assert run("report", folder).exit_code == 0
    page = (folder / "report.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 5
    assert all(len(data["steps"]) >= 3 for data in packed(page))


def test_figures_from_a_folder(run: Run, folder: Path, tmp_path: Path) -> None:
    assert run("figures", folder, "-o", tmp_path, "--name", "costs").exit_code == 0
    assert {each.name for each in tmp_path.iterdir()} == {"costs.svg", "costs.png", "costs.pdf"}
    with pytest.raises(UnknownNameError, match="cots"):
        run("figures", folder, "-o", tmp_path, "--name", "cots")


def test_a_folder_that_is_no_duel_and_a_target_that_is_a_folder_are_refused(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    for name in ("report", "tables", "figures", "export"):
        with pytest.raises(RunError, match="no duel"):
            run(name, tmp_path / "nothing")
    with pytest.raises(RunError, match="is a folder"):
        run("report", folder, "-o", tmp_path)


def test_the_commands_know_the_names_of_the_catalogues() -> None:
    assert TABLES == catalogue.NAMES
    assert tuple(FIGURES) == FIGURE_NAMES
