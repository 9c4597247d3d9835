"""A forecast for servers that do not run: computed, and marked as that."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dualcode.cli.reproduce import reproduce
from dualcode.errors import InputError, UnknownNameError
from dualcode.serving.facts import load_facts
from dualcode.serving.plan import plan
from dualcode.serving.profiles import load
from dualcode.study.offline import TASK_BYTES, offline

STUDY = 'title = "t"\npipelines = ["review-fix"]\nbaseline = "review-fix"\n[[suites]]\ndataset = "mini"\n'


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def called(folder: Path, *words: str) -> str:
    file = folder / "study.toml"
    file.write_text(STUDY)
    line = ["--study", str(file), "--run-dir", str(folder / "runs"), "--forecast", *words]
    done = CliRunner().invoke(reproduce, line, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def told(folder: Path, *words: str) -> dict[str, Any]:
    return json.loads(called(folder, "--json", *words))


def test_without_servers_a_forecast_is_computed_and_says_that_nothing_was_measured(tmp_path: Path) -> None:
    text = " ".join(called(tmp_path).split())
    for words in ("NOT MEASURED", "profile a10g on a10g", "27.3 GiB of weights", "tokens/s", "money: $"):
        assert words in text
    assert not (tmp_path / "runs").exists()


def test_the_rates_are_those_of_the_memory_plan(tmp_path: Path) -> None:
    facts = load_facts()
    plans = {each.server: each for each in plan(load("a10g"), facts.gpu("l4"), facts)}
    found = told(tmp_path, "--gpu", "l4")["computed"]
    assert found["gpu"] == "l4"
    assert found["rates"] == {name: each.tokens_per_second_full for name, each in plans.items()}


def test_time_follows_from_tokens_and_rates(tmp_path: Path) -> None:
    found = told(tmp_path)
    rates = found["computed"]["rates"]
    [row] = found["rows"]
    for share in row["shares"]:
        seconds = share["completion_tokens"]["most"] / rates[share["endpoint"]]
        assert share["seconds"]["most"] == pytest.approx(seconds, rel=0.001)


def test_a_faster_card_takes_less_and_the_disk_is_the_same(tmp_path: Path) -> None:
    slow, fast = told(tmp_path, "--gpu", "l4"), told(tmp_path, "--gpu", "a10g")
    most = [each["rows"][0]["shares"][1]["seconds"]["most"] for each in (slow, fast)]
    assert most[0] > 1.5 * most[1]
    rooms = [each["computed"]["disk_bytes"] for each in (slow, fast)]
    assert rooms[0] == rooms[1]
    assert rooms[0]["least"] == 24 * TASK_BYTES


def test_the_demos_profile_has_measured_rates_and_nothing_to_download() -> None:
    _, known, _, basis = offline("cpu", None)
    assert (basis.gpu, basis.download_gib) == (None, 0)
    assert known.rate("coder") == pytest.approx(45.8)
    assert all("measured" in each for each in basis.sources)


def test_a_profile_and_a_gpu_are_for_forecasts_only_and_have_to_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are for --forecast"):
        CliRunner().invoke(reproduce, ["--gpu", "l4"], catch_exceptions=False)
    with pytest.raises(UnknownNameError, match="no GPU is named 'a100'"):
        called(tmp_path, "--gpu", "a100")
    with pytest.raises(UnknownNameError, match="serving profile"):
        called(tmp_path, "--profile", "a11g")
