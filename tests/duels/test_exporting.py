"""duobench's files: its columns, its arithmetic, and nothing that is not known as a number."""

import csv
import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from dualcode.duels.exporting import condition, dollars, export, results, tables
from dualcode.duels.findings import find
from dualcode.errors import InputError
from tests.duels import made

DUOBENCH = {
    "planner", "implementer", "dimensions", "dimensions_std", "quality", "quality_std", "cost_usd",
    "cost_std", "cost_efficiency", "trials", "impl_statuses", "cost_source", "duration_s", "duration_std",
    "plan_duration_s", "impl_duration_s",
}  # fmt: skip
FOUND = made.found()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("export") / "duobench"
    export(FOUND, target)
    return target


def test_all_files_are_there_with_duobenchs_keys(folder: Path) -> None:
    assert {each.name for each in folder.iterdir()} == {
        "results.json", "leaderboard.csv", "cost-vs-quality.csv", "dimensions.csv", "self-bias.csv",
        "cost-breakdown.csv",
    }  # fmt: skip
    loaded: dict[str, Any] = json.loads((folder / "results.json").read_text())
    assert {"conditions", "self_bias", "judges"} <= set(loaded)
    for each in loaded["conditions"].values():
        assert set(each) >= DUOBENCH
        assert set(each["dimensions"]) == set(made.DIMENSIONS)


def test_csv_columns_are_duobenchs(folder: Path) -> None:
    assert list(rows(folder / "cost-vs-quality.csv")[0]) == [
        "condition_id", "cost_usd", "quality", "cost_efficiency",
    ]  # fmt: skip
    assert list(rows(folder / "cost-breakdown.csv")[0])[:4] == [
        "condition_id", "plan_cost", "total_cost", "impl_cost",
    ]  # fmt: skip
    assert list(rows(folder / "self-bias.csv")[0])[:4] == ["judge", "own", "other", "delta"]
    assert len(rows(folder / "dimensions.csv")) == 19 * 4
    assert len(rows(folder / "leaderboard.csv")) == 19


def test_efficiency_is_quality_over_cost(folder: Path) -> None:
    for row in rows(folder / "cost-vs-quality.csv"):
        if row["cost_usd"]:
            assert float(row["cost_efficiency"]) == pytest.approx(
                float(row["quality"]) / float(row["cost_usd"])
            )


def test_parts_add_up_to_the_whole_where_it_is_known(folder: Path) -> None:
    found = {row["condition_id"]: row for row in rows(folder / "cost-breakdown.csv")}
    assert found["drawn:kimi+opus"]["total_cost"] == found["drawn:kimi+opus"]["impl_cost"] == ""
    for row in found.values():
        if row["total_cost"]:
            parts = [float(row[key]) for key in ("plan_cost", "impl_cost", "review_cost")]
            assert sum(parts) == pytest.approx(float(row["total_cost"]))


def test_own_less_other_is_the_delta(folder: Path) -> None:
    for row in rows(folder / "self-bias.csv"):
        assert float(row["own"]) - float(row["other"]) == pytest.approx(float(row["delta"]))


def test_self_bias_is_each_judges_mean_by_condition() -> None:
    bias = results(FOUND)["self_bias"]
    given = [
        fmean(each.scores.values())
        for each in FOUND.records.judgements
        if (each.judge, each.condition, each.rendering) == ("opus", "kimi->opus", "plain") and each.scores
    ]
    assert bias["opus"]["kimi->opus"] == pytest.approx(fmean(given))


def test_statuses_are_those_of_the_cells_errored_ones_included() -> None:
    own = condition(FOUND, FOUND.board.standing("kimi->kimi"))
    assert sorted(own["impl_statuses"]) == ["complete"] * 5 + ["errored"]
    assert (own["trials"], own["errored"]) == (5, 1)


def test_costs_in_another_currency_are_not_dollars() -> None:
    assert dollars({"€": 1.0}) is None
    assert dollars({"$": 1.0, "€": 1.0}) is None
    assert dollars({"USD": 2.0}) == 2.0
    assert dollars(None) is None
    solo = made.condition("solo", "kimi", "kimi")
    euro = (made.phase("implement", "implement", "kimi", money={"€": 3.0}),)
    found = find(made.records([solo], [made.cell(solo, "a", phases=euro)], issues=("a",)))
    own = condition(found, found.board.standing("kimi->kimi"))
    assert (own["cost_usd"], own["cost_efficiency"], own["cost"]) == (None, None, {"€": 3.0})
    assert tables(found)["cost-breakdown"][0]["plan_cost"] is None


def test_a_second_export_changes_nothing(folder: Path) -> None:
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    export(find(made.whole()), folder)
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        export(FOUND, tmp_path / "file" / "duobench")
