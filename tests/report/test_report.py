"""The report as a file: what it holds, what it leaves out, how large it gets. Its runs are synthetic."""

import base64
import json
import re
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dualcode.analysis.analyse import Analysis, analyse
from dualcode.analysis.runs import load_run
from dualcode.errors import RunError
from dualcode.report.pack import LEVELS, pack, shortened
from dualcode.report.page import write_report
from dualcode.report.tasks import rows
from dualcode.report.text import printable
from dualcode.report.transcript import transcript
from dualcode.runs.audit import Audit
from dualcode.runs.seal import Seal
from tests.made import Story, write_run
from tests.report.made import DRAFT, FIXED, HOSTILE, analysis_of, figure, four_tasks, report_of


def packed(page: str, place: int = 0) -> dict[str, Any]:
    found = re.search(rf'<script type="text/plain" id="t{place}">([A-Za-z0-9+/=]*)</script>', page)
    assert found
    return json.loads(zlib.decompress(base64.b64decode(found[1])))


def test_the_task_list_says_what_became_of_each_task(tmp_path: Path) -> None:
    found = rows(analysis_of(tmp_path, four_tasks())).shown
    assert [(row.outcome, row.change) for row in found] == [
        ("pp", ".."),
        ("pf", ".l"),
        ("pe", ".."),
        ("fp", ".g"),
    ]
    assert [row.base for row in found] == ["pp", "pf", "pe", "pp"]
    assert found[1].classes == {"review-fix": "wrong result"}


def test_of_too_many_tasks_what_was_gained_or_lost_is_shown_first_and_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = analysis_of(tmp_path, four_tasks())
    names = [[row.id[-1] for row in rows(analysis, most).shown] for most in (1, 2, 3, 4)]
    assert names == [["1"], ["1", "3"], ["1", "2", "3"], ["0", "1", "2", "3"]]
    whole = page_of(tmp_path, analysis)
    assert "are left out here" not in whole
    monkeypatch.setattr("dualcode.report.page.rows", partial(rows, most=2))
    cut = page_of(tmp_path, analysis)
    assert "2 of 4 tasks are listed and shown in full" in cut
    assert "The other 2 are left out here" in cut
    above = [page.partition('<section id="tasks"')[0] for page in (cut, whole)]
    assert above[0] == above[1], "numbers are over all tasks"


def test_a_review_is_judged_by_the_verdict_on_the_same_text(tmp_path: Path) -> None:
    stories = four_tasks()
    stories["review-fix"]["HumanEval/3"] = Story(plus=False, base=True, program=DRAFT, review="approve")
    found = rows(analysis_of(tmp_path, stories)).shown
    assert [row.review[1] for row in found] == ["k", "r", ".", "a"]


def unread(folder: Path) -> Path:
    """Make every review of a run one whose reply held no verdict."""
    (run,) = folder.glob("*review-fix*")
    calls = [json.loads(line) for line in (run / "calls.jsonl").read_text().splitlines()]
    told = [call | ({"value": None} if call["step"] == "review" else {}) for call in calls]
    (run / "calls.jsonl").write_text("".join(f"{json.dumps(call)}\n" for call in told))
    return run


def test_an_unread_review_is_a_letter_and_a_count_of_its_own_and_no_approval(tmp_path: Path) -> None:
    analysis_of(tmp_path, four_tasks())
    runs = [load_run(next(tmp_path.glob("*raw-coder*"))), load_run(unread(tmp_path))]
    analysis = analyse(runs, title="Synthetic runs", note="No model ran.")
    assert [row.review[1] for row in rows(analysis).shown] == ["n", "n", ".", "n"]
    page = write_report(analysis, [], [], tmp_path / "report.html").read_text()
    assert "3 unread: no verdict in the reply, so no approval." in page
    assert "warning: 3 of 3 reviews (100%) are unread" in page


def test_a_task_that_a_run_did_not_select_is_told_from_one_not_done(tmp_path: Path) -> None:
    stories = four_tasks()
    del stories["review-fix"]["HumanEval/0"]
    found = {row.id: row.outcome for row in rows(analysis_of(tmp_path, stories)).shown}
    assert found["HumanEval/0"] == "p."


def test_a_text_that_several_pipelines_share_stands_once(tmp_path: Path) -> None:
    analysis = analysis_of(tmp_path, four_tasks())
    data = transcript(analysis, rows(analysis).shown[3])
    assert data["texts"].count(DRAFT.strip()) == 1
    drafts = [run["calls"][0]["program"] for run in data["runs"]]
    assert drafts[0] == drafts[1]


def test_the_fix_is_kept_as_edits_between_two_texts(tmp_path: Path) -> None:
    analysis = analysis_of(tmp_path, four_tasks())
    data = transcript(analysis, rows(analysis).shown[3])
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


def page_of(folder: Path, analysis: Analysis) -> str:
    """Return the page of an analysis without its markup's blanks."""
    return re.sub(r"\s+", " ", write_report(analysis, [], [], folder / "report.html").read_text())


def box(page: str) -> str:
    """Return the boxes above the cards; fails where there is none."""
    found = re.findall(r"<aside class=\"differences.*?</aside>", page)
    assert found
    assert page.index(found[-1]) < page.index('class="card glance"')
    return " ".join(found)


def folded(boxes: str) -> str:
    return " ".join(re.findall(r"<details>.*?</details>", boxes))


def analysis_with(folder: Path, *, pipeline: str = "review-fix", **settings: Any) -> Analysis:
    """Return four synthetic tasks of a baseline, and of a second run with other settings."""
    stories = four_tasks()
    first = write_run(folder, "raw-coder", stories["raw-coder"])
    second = write_run(folder, pipeline, settings.pop("stories", stories["review-fix"]), **settings)
    return analyse([load_run(first), load_run(second)])


def test_runs_of_different_data_are_told_above_the_results(tmp_path: Path) -> None:
    boxes = box(page_of(tmp_path, analysis_with(tmp_path, data="1" * 64)))
    assert "not comparable: different data of humaneval" in boxes
    assert "sha256 111111111111" in boxes
    assert "not comparable" not in folded(boxes)
    assert "whose tests may differ" in boxes


def test_runs_of_different_selections_are_told_above_the_results(tmp_path: Path) -> None:
    stories = four_tasks()["review-fix"]
    del stories["HumanEval/0"]
    page = page_of(tmp_path, analysis_with(tmp_path, stories=stories))
    assert "different selections of humaneval: 4 of 164 tasks from HumanEval/0 on" in box(page)
    assert "whose tests may differ" not in box(page)
    assert "<h2>HumanEval+ (3 or 4 of 164 tasks)</h2>" in page


def test_a_box_stands_for_the_suite_that_it_is_of(tmp_path: Path) -> None:
    ids = {"humaneval": "HumanEval", "mbpp": "Mbpp"}
    folders = [
        write_run(
            tmp_path,
            pipeline,
            {task.replace("HumanEval", ids[dataset]): story for task, story in stories.items()},
            dataset=dataset,
            data=("1" if (dataset, pipeline) == ("mbpp", "review-fix") else "0") * 64,
        )
        for dataset in ids
        for pipeline, stories in four_tasks().items()
    ]
    boxes = box(page_of(tmp_path, analyse([load_run(folder) for folder in folders])))
    assert boxes.count("<aside") == 1
    assert "MBPP+ (4 of 378 tasks): not the same tasks and tests" in boxes


def total_rows(page: str) -> list[str]:
    """Return the cost table's totals, as text."""
    costs = page[page.index('<section id="costs"') :]
    found = re.findall(r'<tr class="total.*?</tr>', costs[: costs.index("</section>")])
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in found]


def test_costs_have_totals_by_suite_and_over_all_suites(tmp_path: Path) -> None:
    stories = four_tasks()["raw-coder"]
    folders = [
        write_run(tmp_path, pipeline, stories, dataset=dataset, replayed=pipeline == "raw-retry")
        for dataset in ("humaneval", "mbpp")
        for pipeline in ("raw-coder", "raw-retry")
    ]
    analysis = analyse([load_run(folder) for folder in folders])
    found = total_rows(page_of(tmp_path, analysis))
    begins = ["all runs as if alone", "really spent"] * 2 + ["all suites as if alone", "really spent"]
    assert all(row.startswith(begin) for row, begin in zip(found, begins, strict=True))
    spent = sum(cost.total("spent").completion_tokens for cost in analysis.costs.values())
    alone = sum(cost.total("alone").completion_tokens for cost in analysis.costs.values())
    assert alone == 2 * spent
    assert f" {alone:,.0f} " in found[-2]
    assert f" {spent:,.0f} " in found[-1]


def test_records_that_changed_after_the_seal_are_told_above_the_results(tmp_path: Path) -> None:
    analysis = analysis_with(tmp_path)
    folder = analysis.runs[1].folder
    audit = Audit(tasks=4, calls=0, strings=0, short=0, shown=0, leaks=())
    seal = Seal(clean=True, audit=audit, files={"calls.jsonl": "0" * 64})
    (folder / "seal.json").write_text(seal.model_dump_json())
    read_anew = analyse([load_run(run.folder) for run in analysis.runs])
    boxes = box(page_of(tmp_path, read_anew))
    assert "HumanEval+ (4 of 164 tasks): records that were changed" in boxes
    assert "calls.jsonl changed since the run was sealed" in boxes
    assert "sealed" not in folded(boxes)


def test_runs_that_are_alike_have_no_box_above_them(tmp_path: Path) -> None:
    assert '<aside class="differences' not in page_of(tmp_path, analysis_with(tmp_path))


def test_what_breaks_no_comparison_is_folded_away(tmp_path: Path) -> None:
    boxes = box(page_of(tmp_path, analysis_with(tmp_path, words="Sure. ")))
    assert "breaking" not in boxes
    assert "difference beyond the pipelines (drafts)" in folded(boxes)
    assert "began with the same request" in folded(boxes)


def test_a_card_is_headed_by_what_its_runs_cover(tmp_path: Path) -> None:
    assert "<h2>HumanEval+ (4 of 164 tasks)</h2>" in page_of(tmp_path, analysis_with(tmp_path))


def test_a_difference_over_fewer_tasks_than_the_run_says_over_how_many(tmp_path: Path) -> None:
    page = page_of(tmp_path, analysis_with(tmp_path))
    assert '<small class="warn"> over 3</small>' in page
    alike = {**four_tasks()["review-fix"], "HumanEval/2": Story(plus=True, program=FIXED)}
    assert '<small class="warn"> over' not in page_of(tmp_path, analysis_with(tmp_path / "b", stories=alike))


def test_no_thought_tokens_are_a_zero(tmp_path: Path) -> None:
    costs = page_of(tmp_path, analysis_with(tmp_path)).split('<section id="costs"')[1]
    row = re.findall(r"<td[^>]*>([^<]*)</td>", costs)
    assert row[2] == "coder"
    assert row[5] == "0"


def test_p_values_stand_as_in_the_tables(tmp_path: Path) -> None:
    count = 14
    before = {f"HumanEval/{number}": Story(plus=False) for number in range(count)}
    after = {task: Story(plus=True) for task in before}
    page = page_of(tmp_path, analysis_of(tmp_path / "runs", {"raw-coder": before, "review-fix": after}))
    assert page.count(">&lt; 0.001<") >= 2
    assert page_of(tmp_path, analysis_with(tmp_path / "b")).count(">1.00<") >= 2
