"""docs/issues.md: its example is a task, its code runs on a shipped one, its table has each attack."""

import tomllib
from pathlib import Path

import pytest

from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.packages import Environment
from dualcode.issues.task import IssueTask, Settings, find_task, read_task
from tests.issues import shop
from tests.issues.attacks import ATTACKS, BOMB
from tests.pages import ROOT, blocks, run_block

PAGE = ROOT / "docs" / "issues.md"
ARCHIVES = Path(__file__).parent / "data"


def test_the_page_s_task_can_be_read(tmp_path: Path) -> None:
    ((_, text),) = blocks(PAGE, "toml")
    hidden = {"tests/tests/test_price.py": "def test_all_count(): ...\n"}
    shop.write(tmp_path / "shop-7", {"task.toml": text, "instruction.md": "# It does not count", **hidden})
    task = read_task(tmp_path / "shop-7")
    assert len(task.pass_to_pass) == 2
    assert task.in_scope("CHANGES.md")


def test_the_page_names_every_key_of_the_table() -> None:
    ((_, text),) = blocks(PAGE, "toml")
    shown = tomllib.loads(text)["metadata"]["dualcode"]
    assert set(shown) == set(Settings.model_fields)
    for key in Settings.model_fields:
        assert f"`{key}`" in PAGE.read_text()


async def test_the_page_s_code_solves_a_shipped_task_without_a_network(
    jail: CommandJail,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def made(_: IssueTask) -> Environment:
        return environment

    monkeypatch.setattr("dualcode.issues.packages.environment", made)
    ((line, source),) = blocks(PAGE, "python")
    await run_block(PAGE, line, source, {"archives": [ARCHIVES]})
    assert capsys.readouterr().out == "True solved\n"


def test_the_archive_of_the_tests_is_the_task_s(tmp_path: Path) -> None:
    from dualcode.issues.packages import archive

    source = find_task("sqlparse-742").settings.source
    assert archive(source, [ARCHIVES]).parent == ARCHIVES


def test_the_table_of_attacks_has_each_and_none_did_harm() -> None:
    rows = [
        line.split(" | ")[0].removeprefix("| ")
        for line in PAGE.read_text().splitlines()
        if "no harm (" in line
    ]
    assert rows == [each.name for each in (*ATTACKS, BOMB)]
    assert "DID HARM" not in PAGE.read_text()
