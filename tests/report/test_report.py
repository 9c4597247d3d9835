"""The report as a file: what it holds, what it leaves out, how large it gets. Its runs are synthetic."""

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from benchmarks.synthetic_runs import Story
from dualcode.analysis.analyse import Analysis
from dualcode.errors import RunError
from dualcode.report import write_report
from dualcode.report.pack import LEVELS, pack, shortened
from dualcode.report.tasks import rows
from dualcode.report.text import printable
from dualcode.report.transcript import transcript
from tests.report.made import DRAFT, FIXED, HOSTILE, analysis_of, figure, four_tasks, report_of


def packed(page: str, place: int = 0) -> dict[str, Any]:
    found = re.search(rf'<script type="text/plain" id="t{place}">([A-Za-z0-9+/=]*)</script>', page)
    assert found
    return json.loads(zlib.decompress(base64.b64decode(found[1])))


def test_the_task_list_says_what_became_of_each_task(tmp_path: Path) -> None:
    found = rows(analysis_of(tmp_path, four_tasks()), {})
    assert [(row.outcome, row.change) for row in found] == [
        ("pp", ".."),
        ("pf", ".l"),
        ("pe", ".."),
        ("fp", ".g"),
    ]
    assert [row.base for row in found] == ["pp", "pf", "pe", "pp"]
    assert found[1].classes == {"review-fix": "wrong result"}


def test_a_review_is_judged_by_the_verdict_on_the_same_text(tmp_path: Path) -> None:
    stories = four_tasks()
    stories["review-fix"]["HumanEval/3"] = Story(plus=False, base=True, program=DRAFT, review="approve")
    found = rows(analysis_of(tmp_path, stories), {})
    assert [row.review[1] for row in found] == ["k", "r", ".", "a"]


def test_a_task_that_a_run_did_not_select_is_told_from_one_not_done(tmp_path: Path) -> None:
    stories = four_tasks()
    del stories["review-fix"]["HumanEval/0"]
    found = {row.id: row.outcome for row in rows(analysis_of(tmp_path, stories), {})}
    assert found["HumanEval/0"] == "p."


def test_a_text_that_several_pipelines_share_stands_once(tmp_path: Path) -> None:
    analysis = analysis_of(tmp_path, four_tasks())
    data = transcript(analysis, rows(analysis, {})[3], None)
    assert data["texts"].count(DRAFT.strip()) == 1
    drafts = [run["calls"][0]["program"] for run in data["runs"]]
    assert drafts[0] == drafts[1]


def test_the_fix_is_kept_as_edits_between_two_texts(tmp_path: Path) -> None:
    analysis = analysis_of(tmp_path, four_tasks())
    data = transcript(analysis, rows(analysis, {})[3], None)
    fix = data["runs"][1]["calls"][2]
    assert data["texts"][fix["before"]] == DRAFT.strip()
    assert data["texts"][fix["program"]] == FIXED.strip()
    assert fix["changes"] == [["e", 0, 4, 0, 4], ["r", 4, 5, 4, 5]]


def test_the_page_names_nothing_outside_itself(tmp_path: Path) -> None:
    page = report_of(tmp_path, four_tasks()).read_text()
    assert re.findall(r"""(?:src|href|url\()\s*=?\s*["']?(?!data:|#)[a-z]+:""", page) == []
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_no_model_can_end_the_script_that_holds_it(tmp_path: Path) -> None:
    story = Story(plus=False, program=HOSTILE, review="revise", findings=[], reason=HOSTILE)
    page = report_of(tmp_path, {"raw-coder": {f"Evil/{HOSTILE}": story}}, title=HOSTILE).read_text()
    assert page.count("<img src=x") == 0
    assert page.count("</script>") == page.count("<script")
    assert not re.search("[\x00-\x08\x0b-\x1f\u2028\u202e]", page)


def test_what_cannot_be_seen_is_made_visible() -> None:
    assert printable("a\r\nb\tc") == "a\nb\tc"
    assert printable("\0\x1b\x7f\r") == "␀␛␡␍"
    assert printable("x\u202ey\u2028\ufeff\ud800") == "x⟨U+202E⟩y⟨U+2028⟩⟨U+FEFF⟩\ufffd"
    assert printable("naïve 数 🙂") == "naïve 数 🙂"


def test_a_transcript_that_fits_is_whole(tmp_path: Path) -> None:
    stories = {"raw-coder": {"HumanEval/0": Story(plus=True, review="approve", reasoning="thought " * 2000)}}
    page = report_of(tmp_path, stories).read_text()
    assert any(text == "thought " * 2000 for text in packed(page)["texts"])


def test_what_is_too_large_loses_reasoning_first_and_programs_never() -> None:
    data = {
        "texts": ["p" * 9000, "r" * 9000, "m" * 9000, "t" * 9000],
        "kinds": ["program", "reply", "message", "reasoning"],
    }
    for level in LEVELS:
        cut = [len(text) < 9000 for text in shortened(data, level)["texts"]]
        assert cut == sorted(cut)
        assert not cut[0]
    assert "characters left out" in shortened(data, LEVELS[1])["texts"][3]


def test_packing_takes_the_least_cut_that_fits() -> None:
    noise = base64.b85encode(bytes(range(256)) * 200).decode()
    data = {"texts": [f"{place}{noise[place:]}" for place in range(20)], "kinds": ["reasoning"] * 20}
    whole = pack([data], 10**9)
    assert whole.level == 0
    assert pack([data], len(whole.texts[0]) - 1).level == 1
    assert pack([data], 1).level == len(LEVELS) - 1


def test_nothing_to_report_on_is_an_error(tmp_path: Path) -> None:
    nothing = Analysis(
        title="", note="", baseline="raw-coder", runs=(), scores={}, comparisons={}, gaps=(), reviewers={},
        regressions={}, costs={},
    )  # fmt: skip
    with pytest.raises(RunError, match="no run to report on"):
        write_report(nothing, [], [], tmp_path / "report.html")


def test_a_figure_that_is_gone_is_named(tmp_path: Path) -> None:
    drawn = figure(tmp_path)
    drawn.svg.unlink()
    with pytest.raises(RunError, match="figure-2 cannot be read"):
        write_report(analysis_of(tmp_path / "runs", four_tasks()), [], [drawn], tmp_path / "report.html")


def test_a_report_that_cannot_be_written_names_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file/report\.html"):
        write_report(analysis_of(tmp_path / "runs", four_tasks()), [], [], tmp_path / "file" / "report.html")


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    analysis = analysis_of(tmp_path / "runs", four_tasks())
    first, second = (write_report(analysis, [], [], tmp_path / f"{name}.html") for name in "ab")
    assert first.read_bytes() == second.read_bytes()
