"""The reviewer judged, on synthetic runs with numbers counted by hand, and on any run by its sums."""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.analysis.drafts import KEPT
from dualcode.analysis.reviewer import (
    Confusion,
    Fixes,
    ReviewerReport,
    quartiles,
    review_report,
)
from dualcode.analysis.runs import Run, load_run
from dualcode.cli.reviewer import REVIEWING, reviewer
from dualcode.errors import InputError
from dualcode.metrics import rate
from dualcode.suites.registry import load_suite
from tests.made import SOURCES, Story, held, write_run
from tests.suites.data import problem, write_rows

THIRD = "def solve(n):\n    return n + n + n\n"
Case = tuple[str | None, bool | None, bool | None]
"""The reviewer's word (None: off the schema), the truth of the draft, and that of the final program."""


def story(said: str | None, after: bool | None) -> Story:
    """A revised draft is another text than the program."""
    if said == "revise":
        return Story(after, review="revise", draft=THIRD)
    return Story(after, review="approve")


def run_of(folder: Path, cases: Sequence[Case], pipeline: str = "review-fix") -> tuple[Run, dict[str, bool]]:
    """A run of these cases, on tasks T/0, T/1, …, and the truth of its drafts."""
    stories = {f"T/{number}": story(said, after) for number, (said, _, after) in enumerate(cases)}
    run = load_run(write_run(folder, pipeline, stories))
    silent = {f"T/{number}" for number, case in enumerate(cases) if case[0] is None}
    calls = tuple(
        call.model_copy(update={"value": None, "notes": ("off-schema",)})
        if call.step == "review" and call.task_id in silent
        else call
        for call in run.records.calls
    )
    truth = {f"T/{number}": case[1] for number, case in enumerate(cases)}
    known = {task: right for task, right in truth.items() if right is not None}
    return Run(run.folder, held(run).model_copy(update={"calls": calls})), known


def report_of(
    folder: Path, cases: Sequence[Case], richness: Mapping[str, float] | None = None
) -> ReviewerReport:
    run, truth = run_of(folder, cases)
    found = review_report(run, truth, richness or {})
    assert found is not None
    return found


EXAMPLE: tuple[Case, ...] = (
    *[("revise", False, True)] * 5,  # 5 helped
    *[("revise", False, False)] * 3,
    ("revise", False, None),  # the fix was not graded
    *[("revise", True, False)] * 2,  # 2 broken
    ("revise", True, True),
    *[("approve", False, False)] * 4,
    *[("approve", True, True)] * 7,
    ("revise", None, True),  # the draft was not graded
    ("approve", None, None),
    (None, False, False),  # no verdict
    (None, True, True),
)
"""27 reviews; of known drafts 12 were objected to, 9 rightly, and 11 approved, 7 rightly."""


def test_verdicts_are_set_against_truth_as_counted_by_hand(tmp_path: Path) -> None:
    found = report_of(tmp_path, EXAMPLE).overall
    assert found.tasks == 27
    assert found.confusion == Confusion(
        true_positive=9, false_positive=3, false_negative=4, true_negative=7, unknown=4, off_schema=2
    )
    assert found.fixes == Fixes(
        helped=5, broke=2, right_stayed=1, wrong_stayed=3, unchanged=0, unknown=2
    )  # of 13 that were asked for
    assert (found.fixes.did_nothing, found.fixes.net, found.fixes.total) == (4, 3, 13)


def test_rates_have_their_denominators_and_wilson_intervals(tmp_path: Path) -> None:
    found = report_of(tmp_path, EXAMPLE).overall.confusion
    assert found.precision == rate(9, 12)
    assert found.recall == rate(9, 13)
    assert found.specificity == rate(7, 10)
    assert found.accuracy == rate(16, 23)
    assert found.base_rate == rate(13, 23)


def test_a_rate_of_nothing_is_none(tmp_path: Path) -> None:
    found = report_of(tmp_path, [("approve", True, True)]).overall.confusion
    assert (found.precision, found.recall, found.specificity) == (None, None, rate(1, 1))


def test_a_reply_without_a_verdict_is_no_approval(tmp_path: Path) -> None:
    found = report_of(tmp_path, [(None, True, True), (None, False, False)]).overall
    assert (found.confusion.true_negative, found.confusion.false_negative) == (0, 0)
    assert (found.confusion.unknown, found.confusion.off_schema) == (2, 2)
    assert found.fixes.total == 0


def test_a_fix_that_returns_the_draft_is_unchanged(tmp_path: Path) -> None:
    stories = {
        "T/0": Story(False, draft=SOURCES["wrong"], review="revise", program=f"\n{SOURCES['wrong']}\n"),
        "T/1": Story(False, draft=THIRD, review="revise"),
        "T/2": Story(False, review="approve"),
        "T/3": Story(None, draft=SOURCES["wrong"], review="revise"),
    }
    run = load_run(write_run(tmp_path, "review-fix", stories))
    found = review_report(run, dict.fromkeys(stories, False), {})
    assert found is not None
    assert (found.overall.fixes.wrong_stayed, found.overall.fixes.unchanged) == (2, 1)


def test_the_final_program_is_judged_on_the_hardest_part(tmp_path: Path) -> None:
    stories = {"T/0": Story(False, base=True, draft=THIRD, review="revise")}
    found = review_report(load_run(write_run(tmp_path, "review-fix", stories)), {"T/0": True}, {})
    assert found is not None
    assert found.overall.fixes.broke == 1


def test_a_run_without_reviews_has_no_report(tmp_path: Path) -> None:
    assert review_report(load_run(write_run(tmp_path, "raw-coder", {"T/0": Story(True)})), {}, {}) is None


def test_quartiles_hold_their_own_cases_leanest_first(tmp_path: Path) -> None:
    helped, spared, broke = ("revise", False, True), ("approve", True, True), ("revise", True, False)
    cases = [helped, spared, helped, spared, broke, broke, broke, broke]
    found = report_of(tmp_path, cases, {f"T/{number}": number / 10 for number in range(8)}).quartiles
    assert [each.label for each in found] == [
        "Q1 (0.00–0.10)", "Q2 (0.20–0.30)", "Q3 (0.40–0.50)", "Q4 (0.60–0.70)",
    ]  # fmt: skip
    assert [each.fixes.helped for each in found] == [1, 1, 0, 0]
    assert [each.fixes.broke for each in found] == [0, 0, 2, 2]
    assert [each.confusion.true_negative for each in found] == [1, 1, 0, 0]


def test_seven_tasks_have_no_quartiles_and_eight_have() -> None:
    assert quartiles({str(number): number / 10 for number in range(7)}) == {}
    assert len(quartiles({str(number): number / 10 for number in range(8)})) == 4


def test_equally_rich_tasks_are_never_parted() -> None:
    assert quartiles(dict.fromkeys("abcdefghij", 0.5)) == {}
    found = quartiles({**dict.fromkeys("abcdef", 0.2), "g": 0.4, "h": 0.6})
    assert found == {"Q1 (0.20–0.20)": list("abcdef"), "Q4 (0.40–0.60)": ["g", "h"]}


def test_tasks_of_unknown_richness_are_in_no_quartile(tmp_path: Path) -> None:
    richness = {f"T/{number}": number / 10 for number in range(8)}
    found = report_of(tmp_path, [("approve", True, True)] * 9, richness)
    assert (found.overall.tasks, sum(each.tasks for each in found.quartiles)) == (9, 8)


SHARES = st.one_of(st.floats(0, 1), st.sampled_from([0.1, 0.2, 0.3]))


@given(st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), SHARES, max_size=60))
def test_quartiles_partition_the_tasks_in_order_and_keep_ties_together(richness: dict[str, float]) -> None:
    found = list(quartiles(richness).values())
    if len(richness) < 8 or len(set(richness.values())) == 1:
        assert found == []
        return
    assert sorted(task for tasks in found for task in tasks) == sorted(richness)
    tops = [max(richness[task] for task in tasks) for tasks in found]
    lows = [min(richness[task] for task in tasks) for tasks in found]
    assert all(top < low for top, low in zip(tops, lows[1:], strict=False))
    if len(set(richness.values())) == len(richness):
        assert max(map(len, found)) - min(map(len, found)) <= 1


TRUTHS = st.sampled_from([True, False, None])
CASES: st.SearchStrategy[list[Case]] = st.lists(
    st.tuples(st.sampled_from(["approve", "revise", None]), TRUTHS, TRUTHS), min_size=1, max_size=24
)


@settings(max_examples=60, deadline=None)
@given(CASES, st.lists(SHARES, min_size=24, max_size=24))
def test_every_review_is_counted_once_overall_and_in_the_quartiles(
    cases: list[Case], shares: list[float]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        richness = {f"T/{number}": share for number, share in enumerate(shares[: len(cases)])}
        found = report_of(Path(folder), cases, richness)
    for each in (found.overall, *found.quartiles):
        assert each.confusion.judged + each.confusion.unknown == each.tasks
    assert found.overall.tasks == len(cases)
    assert found.overall.confusion.off_schema == sum(case[0] is None for case in cases)
    assert found.overall.fixes.total == sum(case[0] == "revise" for case in cases)
    if found.quartiles:
        _assert_sums(found)
    _assert_brute_force(found, cases)


def _assert_sums(found: ReviewerReport) -> None:
    """Every count of the whole is the sum of the quartiles' own."""
    for part in ("confusion", "fixes"):
        whole: dict[str, int] = getattr(found.overall, part).model_dump()
        for name, count in whole.items():
            assert sum(getattr(getattr(each, part), name) for each in found.quartiles) == count


def _assert_brute_force(found: ReviewerReport, cases: Sequence[Case]) -> None:
    """Count once more, another way."""
    names = ["true_positive", "false_positive", "false_negative", "true_negative", "unknown"]
    confusion: dict[str, int] = dict.fromkeys(names, 0)
    kinds = ["helped", "broke", "right_stayed", "wrong_stayed", "unknown"]
    fixes: dict[str, int] = dict.fromkeys(kinds, 0)
    for said, before, after in cases:
        if said is None or before is None:
            confusion["unknown"] += 1
        else:
            right = (said == "revise") is not before
            confusion[f"{'true' if right else 'false'}_{'positive' if said == 'revise' else 'negative'}"] += 1
        if said == "revise":
            kind = "unknown" if before is None or after is None else _became(before, after)
            fixes[kind] += 1
    assert found.overall.confusion.model_dump(exclude={"off_schema"}) == confusion
    assert found.overall.fixes.model_dump(exclude={"unchanged"}) == fixes


def _became(before: bool, after: bool) -> str:
    if before == after:
        return "right_stayed" if before else "wrong_stayed"
    return "helped" if after else "broke"


# The command


def told(*arguments: Any) -> Result:
    return CliRunner().invoke(reviewer, [str(each) for each in arguments], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data of 10 tasks, a baseline and a reviewed run on it: 2 of 10 drafts right, 3 revised."""
    rows = [
        problem(n, prompt=f"def solve(n):\n    '''{'word ' * n}'''\n", entry_point="solve") for n in range(10)
    ]
    data = load_suite("humaneval", data=write_rows(tmp_path / "data.jsonl", *rows)).data
    monkeypatch.setenv("HUMANEVAL_OVERRIDE_PATH", str(data.path))
    raw = {f"HumanEval/{number}": Story(number < 2) for number in range(10)}
    fixed = {
        task: Story(True, draft=SOURCES["right" if each.plus else "wrong"], review="revise", program=THIRD)
        if task in ("HumanEval/0", "HumanEval/5", "HumanEval/6")
        else Story(each.plus, review="approve")
        for task, each in raw.items()
    }
    prompts = {f"HumanEval/{n}": row["prompt"] for n, row in enumerate(rows)}
    write_run(tmp_path / "runs", "raw-coder", raw, data=data.sha256, prompts=prompts)
    write_run(tmp_path / "runs", "review-fix", fixed, data=data.sha256, prompts=prompts)
    return tmp_path / "runs"


def test_the_command_shows_matrix_rates_fixes_and_quartiles(folder: Path) -> None:
    shown = told(folder, "--no-grade").stdout
    assert re.search(r"revise: it has a bug +2 +1 +3\s", shown)
    assert re.search(r"approve +6 +1 +7\s", shown)
    assert re.search(r"precision +66\.7 % +\[20\.8, 93\.9\] +2/3", shown)
    assert re.search(r"helped +2 ", shown)
    assert "net +2 tasks" in shown
    assert re.search(r"Q1 \(0\.\d\d–0\.\d\d\) ", shown)
    assert "not graded:" not in shown


def test_the_command_says_that_unknown_drafts_bias_the_rates(folder: Path) -> None:
    shown = " ".join(told(next(folder.glob("*review-fix*")), "--no-grade").stdout.split())
    assert "drafts not graded: 3;" in shown
    assert "The rates are biased" in shown
    assert not list(folder.glob(f"*/{KEPT}"))


def test_the_command_prints_an_object_a_run(folder: Path) -> None:
    line = json.loads(told(folder, "--no-grade", "--json").stdout)
    assert line["pipeline"] == "review-fix"
    assert line["overall"]["confusion"]["precision"] == rate(2, 3).model_dump()
    assert line["overall"]["fixes"]["helped"] == 2
    assert sum(each["tasks"] for each in line["quartiles"]) == 10


def test_suites_that_share_a_file_have_quartiles_of_their_own(tmp_path: Path) -> None:
    for name in ("mini-rich", "mini-lean"):
        suite = load_suite(name)
        stories = {task.id: Story(True, review="approve") for task in suite.tasks}
        prompts = {task.id: task.prompt for task in suite.tasks}
        write_run(tmp_path, "review-fix", stories, dataset=name, data=suite.data.sha256, prompts=prompts)
    lines = told(tmp_path, "--no-grade", "--json").stdout.splitlines()
    assert [sum(each["tasks"] for each in json.loads(line)["quartiles"]) for line in lines] == [12, 12]


def test_quartiles_need_no_data_but_the_runs_own_tasks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANEVAL_OVERRIDE_PATH", str(folder / "absent.jsonl"))
    result = told(folder, "--no-grade", "--json")
    assert sum(each["tasks"] for each in json.loads(result.stdout)["quartiles"]) == 10
    assert result.stderr == ""


def test_runs_without_reviews_are_refused_by_name_with_the_pipelines_that_have_some(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        told(next(folder.glob("*raw-coder*")))
    assert "raw-coder" in caught.value.message
    assert all(name in str(caught.value.hint) for name in REVIEWING)
