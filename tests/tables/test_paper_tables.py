"""Tables 1 to 4, of synthetic runs: ours beside the published, never mixed."""

import json
from pathlib import Path

import pytest

from dualcode.analysis.analyse import analyse
from dualcode.analysis.runs import load_run
from dualcode.errors import UnknownNameError
from dualcode.runs.manifest import Session
from dualcode.serving.hardware import Checkpoint, Gpu, ServedHardware
from dualcode.tables.catalogue import build, tables
from dualcode.tables.models import Seated
from dualcode.tables.selection import checkpoint_name
from tests.made import Story, write_run
from tests.tables.runs import PAPER, cell, only, outcomes, run, simple, value, whole

PAIR = {("humaneval", "raw-coder"): 3, ("humaneval", "review-fix"): 5}
BOTH = {**PAIR, ("mbpp", "raw-coder"): 4, ("mbpp", "review-fix"): 5}


def test_published_numbers_stand_in_columns_of_their_own_and_ours_in_none_of_those(tmp_path: Path) -> None:
    # None of these counts has a percentage that is published too.
    printed = {f"{each.percent:.1f} %" for each in PAPER.scores}
    for table in tables(whole(tmp_path, {**{key: count + 7 for key, count in BOTH.items()}}), PAPER):
        for cells in table.rows:
            for column, text in zip(table.columns, cells, strict=True):
                assert column.published or not any(text.startswith(each) for each in printed)
                assert not (column.published and "/" in text), "counts are ours"


def test_title_says_the_selection_and_a_note_that_it_is_not_comparable(tmp_path: Path) -> None:
    table = only(tables(simple(tmp_path, PAIR), PAPER, ["table-2"]))
    assert table.title == "Table 2: pass@1 on HumanEval and HumanEval+ (10 of 164 tasks)"
    assert any("over all 164 tasks is not comparable" in note for note in table.notes)


def test_whole_suite_is_named_alone_and_needs_no_such_note(tmp_path: Path) -> None:
    table = only(tables(whole(tmp_path, PAIR), PAPER, ["table-2"]))
    assert table.title == "Table 2: pass@1 on HumanEval and HumanEval+"
    assert not any("not comparable" in note for note in table.notes)


def test_note_names_both_sides_models(tmp_path: Path) -> None:
    table = only(tables(simple(tmp_path, PAIR), PAPER, ["table-2"]))
    (note,) = [each for each in table.notes if "synthetic-coder-14b" in each]
    assert "Qwen2.5-Coder-14B-Instruct (AWQ 4-bit)" in note


def test_row_has_ours_with_counts_interval_and_p_and_the_papers_beside(tmp_path: Path) -> None:
    table = only(tables(simple(tmp_path, PAIR), PAPER, ["table-2"]))
    assert cell(table, "review-fix", "HumanEval+") == "50.0 % (5/10)"
    assert cell(table, "review-fix", "HumanEval+, 95 %") == "[23.7, 76.3]"
    assert cell(table, "review-fix", "Δ (pp)") == "+20.0"
    assert cell(table, "review-fix", "p") == "0.500"
    assert cell(table, "review-fix", "HumanEval+ (paper)") == "87.8 %"
    assert cell(table, "review-fix", "Δ (paper)") == "+9.8"
    assert cell(table, "raw-coder", "Δ (pp)") == "–"


def test_pipelines_that_either_side_lacks_are_empty_there(tmp_path: Path) -> None:
    table = only(tables(simple(tmp_path, {**PAIR, ("humaneval", "best-of-k"): 4}), PAPER, ["table-2"]))
    assert cell(table, "best-of-k", "HumanEval+ (paper)") == "–"
    assert cell(table, "adversarial", "HumanEval+") == "–"
    assert cell(table, "adversarial", "HumanEval+ (paper)") == "86.6 %"
    assert "Not run here: raw-planner, plan-code, review-fix-retry, adversarial." in table.notes


def test_errored_tasks_leave_the_rate_and_widen_an_interval_beside_it(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, "raw-coder", "humaneval", outcomes("humaneval", 3, 10)),
        run(tmp_path, "review-fix", "humaneval", outcomes("humaneval", 5, 10, errored=2)),
    ]
    table = only(tables(analyse(runs), PAPER, ["table-2"]))
    assert cell(table, "review-fix", "HumanEval+") == "62.5 % (5/8)"
    assert cell(table, "review-fix", "errored") == "2: [23.7, 89.2]"
    assert cell(table, "raw-coder", "errored") == "0"
    assert any(note.startswith("errored:") for note in table.notes)
    assert any("2 tasks that only one of the two runs graded" in note for note in table.notes)


def test_nothing_errored_takes_no_column(tmp_path: Path) -> None:
    table = only(tables(simple(tmp_path, PAIR), PAPER, ["table-2"]))
    assert "errored" not in [column.name for column in table.columns]


def test_values_are_unrounded_with_runs_and_places(tmp_path: Path) -> None:
    analysis = simple(tmp_path, {("humaneval", "raw-coder"): 1, ("humaneval", "review-fix"): 2}, total=3)
    table = only(tables(analysis, PAPER, ["table-2"]))
    row = value(table, "review-fix")
    assert row["ours"]["scores"]["plus"]["rate"]["value"] == 2 / 3
    assert row["ours"]["run"] in table.runs
    assert row["ours"]["selection"] == {"tasks": 3, "of": 164}
    assert [(each["percent"], each["place"]) for each in row["published"]] == [
        (89.6, "Table 2"),
        (87.8, "Table 2"),
    ]


def test_rates_of_different_selections_say_so_in_the_title(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, "raw-coder", "humaneval", outcomes("humaneval", 3, 10)),
        run(tmp_path, "review-fix", "humaneval", outcomes("humaneval", 3, 8)),
    ]
    table = only(tables(analyse(runs), PAPER, ["table-2"]))
    assert table.title.endswith("HumanEval+ (8 or 10 of 164 tasks)")


def test_table_3_sets_gains_on_both_suites_and_their_gap_beside_the_papers(tmp_path: Path) -> None:
    table = only(tables(simple(tmp_path, BOTH), PAPER, ["table-3"]))
    assert [cells[0] for cells in table.rows] == ["raw-coder", "review-fix"]
    assert cell(table, "review-fix", "HumanEval+, Δ (pp)") == "+20.0"
    assert cell(table, "review-fix", "MBPP+, Δ (pp)") == "+10.0"
    assert cell(table, "review-fix", "gap (pp)") == "+10.0"
    assert cell(table, "review-fix", "ratio") == "–", "so few tasks allow no ratio"
    assert cell(table, "review-fix", "MBPP+, Δ (paper)") == "+2.3"
    assert "rich: HumanEval+ (10 of 164 tasks), lean: MBPP+ (10 of 378 tasks)" in table.title


def test_table_3_of_suites_that_the_paper_lacks_has_nothing_of_the_paper(tmp_path: Path) -> None:
    stories = {"mini-rich": "MiniRich/{}", "mini-lean": "MiniLean/{}"}
    runs = [
        run(tmp_path, name, dataset, {ids.format(n): Story(n < passed) for n in range(12)})
        for dataset, ids in stories.items()
        for name, passed in (("raw-coder", 3), ("review-fix", 6))
    ]
    richness = {ids.format(n): float("Rich" in ids) for ids in stories.values() for n in range(12)}
    table = only(tables(analyse(runs, richness=richness), PAPER, ["table-3"]))
    assert not any(column.published for column in table.columns)
    assert not any("paper" in note for note in table.notes)
    assert table.title.endswith("rich: mini, rich, lean: mini, lean")


def test_table_4_has_ours_only_of_whole_suites(tmp_path: Path) -> None:
    table = only(tables(whole(tmp_path, PAIR), PAPER, ["table-4"]))
    assert cell(table, "review-fix", "HumanEval+ (ours)") == "3.0 % (5/164)"
    assert cell(table, "review-fix", "HumanEval+ (published)") == "–"
    assert cell(table, "GPT-4o", "HumanEval+ (published)") == "87.2 %"
    assert cell(table, "GPT-4o", "HumanEval+ (ours)") == "–"
    assert cell(table, "the paper's review-fix-retry", "HumanEval+ (published)") == "90.2 %"
    assert cell(table, "review-fix", "Note").startswith("1.0 calls a task")


def test_table_4_says_why_a_part_of_a_suite_is_not_in_it(tmp_path: Path) -> None:
    table = only(tables(simple(tmp_path, PAIR), PAPER, ["table-4"]))
    assert table.runs == ()
    assert not any("ours" in column.name for column in table.columns)
    assert any("2 runs of ours over HumanEval+ (10 of 164 tasks)" in note for note in table.notes)


def test_tables_with_nothing_to_show_are_left_out_with_a_reason(tmp_path: Path) -> None:
    analysis = simple(tmp_path, {("mini", "raw-coder"): 2})
    assert build(analysis, PAPER)[1].keys() == {"table-2", "table-3", "table-4", "reviewers", "regressions"}
    assert [table.name for table in tables(analysis, PAPER)] == ["table-1", "pipelines", "costs"]
    assert build(analysis, PAPER, ["table-2"])[1] == {"table-2": "no run is over HumanEval or HumanEval+"}


def test_unknown_table_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="nearest: table-"):
        tables(simple(tmp_path, PAIR), PAPER, ["table-5"])


def test_table_1_leaves_open_what_no_run_recorded(tmp_path: Path) -> None:
    table = only(tables(simple(tmp_path, PAIR), PAPER, ["table-1"]))
    assert cell(table, "coder", "Model") == "synthetic-coder-14b"
    assert cell(table, "coder", "Memory") == "–"
    assert cell(table, "coder", "VRAM (paper)") == "~8GB"
    assert any("was not recorded" in note for note in table.notes)


def hardware(**changes: object) -> ServedHardware:
    read = ServedHardware(
        model="m",
        root="/home/somebody/models/m",
        checkpoint=Checkpoint(
            architecture="Qwen2ForCausalLM",
            dtype="bfloat16",
            quantization="awq",
            bits=4,
            parameters=14_770_000_000,
            weights_bytes=9_978_000_000,
        ),
        gpus=(Gpu(uuid="GPU-1", name="NVIDIA A10G", memory_bytes=24 << 30, used_bytes=20 << 30, driver="1"),),
        cpu="x86",
        cores=4,
        resident_bytes=3 << 30,
    )
    return read.model_copy(update=changes)


def seated(read: ServedHardware) -> Seated:
    return Seated("coder", "m", "0.32.0", read, PAPER.models[0], ("synthetic-run",))


def test_table_1_shows_what_checkpoint_and_gpu_told() -> None:
    row = seated(hardware())
    assert (row.parameters(), row.quantization(), row.weights()) == ("14.8 B", "AWQ 4-bit", "9.29 GiB")
    assert (row.device(), row.memory()) == ("NVIDIA A10G", "20.0 GiB")


def test_table_1_of_a_server_on_cpu_shows_cores_and_main_memory() -> None:
    row = seated(hardware(gpus=()))
    assert (row.device(), row.memory()) == ("x86, 4 cores", "3.00 GiB")


def test_table_1_guesses_no_memory_that_the_driver_did_not_tell() -> None:
    untold = Gpu(uuid="GPU-1", name="NVIDIA A10G", memory_bytes=24 << 30, used_bytes=None, driver="1")
    assert seated(hardware(gpus=(untold,))).memory() == "–"
    assert seated(hardware(gpus=None)).device() == seated(hardware(gpus=None)).memory() == "–"


def test_local_folders_stand_in_no_table() -> None:
    assert "somebody" not in str(seated(hardware()).values())
    assert checkpoint_name("/home/somebody/models/smollm2-awq") == "smollm2-awq"
    assert checkpoint_name("Qwen/Qwen3-32B-AWQ") == "Qwen/Qwen3-32B-AWQ"


def test_table_1_takes_the_latest_reading_of_the_runs_sessions(tmp_path: Path) -> None:
    if "hardware" not in Session.model_fields:
        pytest.skip("sessions do not keep hardware yet")
    folder = write_run(tmp_path, "raw-coder", outcomes("humaneval", 3, 10))
    manifest = json.loads((folder / "manifest.json").read_text())
    (session,) = manifest["sessions"]
    older = hardware(resident_bytes=1 << 30, gpus=())
    sessions = [
        session | {"hardware": {"coder": each.model_dump(mode="json")}} for each in (older, hardware())
    ]
    (folder / "manifest.json").write_text(json.dumps(manifest | {"sessions": [*sessions, session]}))
    table = only(tables(analyse([load_run(folder)]), PAPER, ["table-1"]))
    assert cell(table, "coder", "Memory") == "20.0 GiB"
    assert cell(table, "coder", "Params") == "14.8 B"


def test_a_published_difference_stands_beside_ours_only_against_the_same_baseline(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, name, "humaneval", outcomes("humaneval", passed, 10))
        for name, passed in (("raw-coder", 3), ("plan-code", 4), ("review-fix", 5), ("best-of-k", 6))
    ]
    table = only(tables(analyse(runs, baseline="plan-code"), PAPER, ["table-2"]))
    assert cell(table, "review-fix", "Δ (paper)") == "+12.2"
    assert cell(table, "plan-code", "Δ (paper)") == cell(table, "best-of-k", "Δ (paper)") == "–"
    assert any("from the printed percentages" in note for note in table.notes)
    unknown = only(tables(analyse(runs, baseline="best-of-k"), PAPER, ["table-2"]))
    assert {row[-1] for row in unknown.rows} == {"–"}


def test_p_is_shown_with_what_may_be_claimed_where_there_are_several(tmp_path: Path) -> None:
    one = only(tables(simple(tmp_path / "a", PAIR), PAPER, ["table-2"]))
    assert "p Holm" not in [column.name for column in one.columns]
    more = {**PAIR, ("humaneval", "enriched"): 9}
    several = only(tables(simple(tmp_path / "b", more), PAPER, ["table-2"]))
    assert cell(several, "enriched", "p") == "0.0312"
    assert cell(several, "enriched", "p Holm") == "0.0625"
    assert any("corrected for all 2 comparisons" in note for note in several.notes)


def test_no_ratio_is_in_a_table_or_its_values_where_none_can_be_claimed(tmp_path: Path) -> None:
    table = only(tables(simple(tmp_path, BOTH), PAPER, ["table-3"]))
    assert value(table, "review-fix")["ours"]["gap"]["ratio"] is None
