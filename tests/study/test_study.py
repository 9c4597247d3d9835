"""Studies are read from TOML, and every mistake in one is named."""

from pathlib import Path

import pytest

from dualcode.errors import ConfigError, UnknownNameError
from dualcode.pipelines.find import find_pipelines
from dualcode.study.study import Study, SuiteChoice, load_study, studies
from dualcode.suites.registry import find_entry

PAPER = ["raw-coder", "raw-planner", "plan-code", "review-fix", "review-fix-retry", "adversarial"]

GOOD = """
title = "t"
pipelines = ["raw-coder", "review-fix"]
[[suites]]
dataset = "mini-rich"
limit = 3
"""


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_the_shipped_studies_name_what_exists() -> None:
    assert set(studies()) >= {"paper", "quick", "full"}
    for name in studies():
        study = load_study(name)
        names = [each.name for each in find_pipelines(study.asked)]
        assert study.baseline in names
        for choice in study.suites:
            assert find_entry(choice.preferred)


@pytest.mark.parametrize("name", ["paper", "quick"])
def test_paper_and_quick_hold_every_configuration_of_tables_2_and_3(name: str) -> None:
    assert set(load_study(name).pipelines) == {*PAPER, "enriched", "gated"}


def test_the_papers_study_takes_both_suites_whole() -> None:
    assert [(each.preferred, each.limit) for each in load_study("paper").suites] == [
        ("humaneval", None),
        ("mbpp", None),
    ]


def test_a_dataset_without_data_gives_way_to_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choice = SuiteChoice(dataset=("humaneval", "humaneval-base"))
    monkeypatch.setenv("HUMANEVAL_OVERRIDE_PATH", str(tmp_path / "gone.jsonl"))
    assert choice.entry().name == "humaneval-base"
    (tmp_path / "here.jsonl").touch()
    monkeypatch.setenv("HUMANEVAL_OVERRIDE_PATH", str(tmp_path / "here.jsonl"))
    assert choice.entry().name == "humaneval"


def test_the_only_dataset_stays_even_without_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MBPP_OVERRIDE_PATH", str(tmp_path / "gone.jsonl"))
    assert SuiteChoice(dataset="mbpp").entry().name == "mbpp"


def test_a_limit_never_makes_a_suite_larger(tmp_path: Path) -> None:
    study = load_study(write(tmp_path / "s.toml", GOOD))
    assert [study.limited(n).suites[0].limit for n in (2, 9, None)] == [2, 3, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("pipelines", "pipelins"), "pipelins: unknown key"),
        (GOOD.replace("limit = 3", "limit = 0"), "found 0"),
        (GOOD + "frame = 1", "frame: unknown key"),
        (GOOD.split("[[")[0], "suites: missing"),
        ('baseline = "swapped"' + GOOD, "baseline 'swapped' is none of the pipelines raw-coder, review-fix"),
        ("title = ", "cannot be read as TOML"),
    ],
)
def test_a_mistake_names_the_file_and_the_key(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path / "s.toml", text)
    with pytest.raises(ConfigError) as error:
        load_study(path)
    assert path in str(error.value)
    assert said in str(error.value)


def test_an_unknown_study_lists_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="'quik'; nearest: quick"):
        load_study("quik")


def test_a_study_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no study file nowhere/s.toml"):
        load_study("nowhere/s.toml")


def test_all_stands_for_every_pipeline() -> None:
    assert Study(title="t", pipelines="all", suites=(SuiteChoice(dataset="mini"),)).asked == "all"
