"""docs/panel.md says what is so: its example runs, its rubric loads, its output is printed."""

import re
from pathlib import Path
from typing import Any

from dualcode.panel.measures import OBEYED, TRUSTED
from dualcode.panel.panel import Score
from dualcode.panel.renderings import Bounds
from dualcode.panel.rubric import find_rubric, load_rubric
from tests.cli.test_panel import TRY, fair, server, speak
from tests.cli.typed import Run
from tests.fake_server import FakeServer
from tests.pages import ROOT, blocks, run_block
from tests.panel import judges

__all__ = ["server"]
PAGE = ROOT / "docs" / "panel.md"


async def test_the_example_in_python_runs(capsys: Any) -> None:
    from dualcode.issues.task import find_task

    ((line, source),) = blocks(PAGE, "python")
    seat, _ = judges.seat(judges.constant)
    kept: list[Score] = []
    names = {
        "task": find_task("flask-4041"),
        "exhibits": [judges.exhibit()],
        "judges": {"j": seat},
        "kept": kept,
    }
    await run_block(PAGE, line, source, names)
    assert "0 of 1 issues" in capsys.readouterr().out and len(kept) == 8


def test_the_rubric_on_the_page_can_be_read(tmp_path: Path) -> None:
    ((_, source),) = blocks(PAGE, "toml")
    path = tmp_path / "readability.toml"
    path.write_text(source)
    assert load_rubric(path).dimensions[0].key == "readability"


def test_the_output_on_the_page_is_what_is_printed(run: Run, server: FakeServer) -> None:
    speak(server, fair)
    code, out, _ = run(*TRY, "e", "-q")
    assert code == 0 and f"```\n{out}```\n" in PAGE.read_text()


def test_every_dimension_has_its_row() -> None:
    text = PAGE.read_text().lower()
    for name in ("duobench", "seven"):
        for each in find_rubric(name).dimensions:
            title = each.named.lower().replace("plan-implementation", "plan")
            assert re.search(rf"^\| {re.escape(title)} \|", text, re.MULTILINE), title


def test_the_numbers_of_the_page_are_the_codes() -> None:
    text, bounds = PAGE.read_text(), Bounds()
    assert bounds.plan == bounds.instruction
    for number in (bounds.diff, bounds.plan, bounds.tests):
        assert f"{number:,}" in text
    assert f"at least {TRUSTED:.0%}".replace("%", " %") in text and f"less than {OBEYED:g} point" in text
