"""What is printed for people fits 80 columns; what was left out, or not drawn, is said or refused."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import click
import pytest

from dualcode.cli import terminal
from dualcode.errors import InputError
from dualcode.figures.drawn import Drawn
from dualcode.serving import pair
from dualcode.tables.grid import listed, words
from tests.cli.test_serve import DEAD, HEALTHY, giving
from tests.cli.typed import Run, finished

TABLES: dict[str, list[str]] = {
    "show": ["show", "RUN"],
    "transcript": ["show", "RUN", "HumanEval/0", "--prompts"],
    "failures": ["failures", "RUN"],
    "explained": ["failures", "RUN", "--explain", "HumanEval/0"],
    "costs": ["costs", "RUN"],
    "reviewer": ["reviewer", "RUN", "--no-grade"],
    "status": ["serve", "status"],
    "plan": ["serve", "plan", "--gpu", "a10g", "--profile", "a10g"],
    "top": ["top", "--once"],
    "forecast": ["reproduce", "--study", "mini.toml", "--forecast", "--profile", "a10g"],
}
STUDY = 'title = "m"\npipelines = ["raw-coder"]\n[[suites]]\ndataset = "mini"\nlimit = 2\n'


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", TABLES)
def test_what_is_drawn_is_no_wider_than_its_terminal(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, columns: int
) -> None:
    _, reviewed = finished(tmp_path / "runs")
    (tmp_path / "mini.toml").write_text(STUDY)
    monkeypatch.setattr(pair, "status", giving([HEALTHY, DEAD]))
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    code, out, err = run(*(str(reviewed) if word == "RUN" else word for word in TABLES[name]))
    assert code in (0, 3), err
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out)
    drawn = [line for line in plain.splitlines() if "dualcode " not in line]  # a command is not broken
    assert len(drawn) > 2
    assert max(map(len, drawn)) <= columns, max(drawn, key=len)


DRAWN = Drawn(
    name="figure-2", title="Figure 2: pass@1", caption="", runs=(), svg=Path("out/figure-2.svg"),
    png=Path("out/figure-2.png"), pdf=Path("out/figure-2.pdf"),
)  # fmt: skip


def test_figures_are_named_with_their_forms_and_those_without_anything_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal.print_drawn([DRAWN], {"gate": "no run has a gate"}, (), hint="HINT")
    assert capsys.readouterr().out.splitlines() == [
        "out/figure-2.svg, .png, .pdf  Figure 2: pass@1", "gate: nothing to draw: no run has a gate",
    ]  # fmt: skip


def test_a_figure_that_was_asked_for_and_has_nothing_to_draw_is_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(InputError, match="gate has nothing to draw: no run has a gate") as refused:
        terminal.print_drawn([DRAWN], {"gate": "no run has a gate"}, ("gate", "figure-2"), hint="HINT")
    assert refused.value.hint == "HINT"
    assert "Figure 2" in capsys.readouterr().out, "what was drawn is told all the same"


def test_tables_that_are_left_out_are_said_on_stderr_and_none_at_all_is_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = listed("t", "", (words("a"),), [("x",)])
    terminal.print_tables([table], {"table-3": "one suite"}, "csv", None, usual="md", hint="HINT")
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "x" and err == "left out: table-3: one suite\n"
    absent = {"table-3": "one suite", "table-4": "no run"}
    with pytest.raises(InputError, match="nothing to show: table-3: one suite; table-4: no run") as refused:
        terminal.print_tables([], absent, None, None, usual="md", hint="HINT")
    assert refused.value.hint == "HINT" and capsys.readouterr().err == ""


def test_tables_are_printed_in_one_form_and_written_in_all_unless_one_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = listed("t", "", (words("a"),), [("x",)])

    def told(form: str | None, output: Path | None) -> list[str]:
        terminal.print_tables([table], {}, form, output, usual="md", hint="HINT")
        return capsys.readouterr().out.splitlines()

    assert "| x   |" in told(None, None) and "x" in told("csv", None)
    assert sorted(Path(each).suffix for each in told(None, tmp_path)) == [".csv", ".json", ".md", ".tex"]
    assert [Path(each).name for each in told("csv", tmp_path / "one")] == ["t.csv"]
    with pytest.raises(click.UsageError, match="leave out --output"):
        told("terminal", tmp_path)


@pytest.mark.parametrize("there", [True, False])
def test_a_report_has_figures_where_they_can_be_drawn_and_says_so_where_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: bool
) -> None:
    def find(_: str) -> object | None:
        return object() if there else None

    monkeypatch.setattr(importlib.util, "find_spec", find)
    assert list(terminal.drawn_if_possible(lambda: [DRAWN])) == ([DRAWN] if there else [])
    err = capsys.readouterr().err
    assert ("matplotlib is not installed\n  try: pip install 'dualcode[figures]'" in err) != there


def test_a_file_that_was_written_is_told_with_its_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(b"x" * 1_260_000)
    terminal.print_written(path)
    assert capsys.readouterr().out == f"{path}  1.3 MB\n"


@pytest.mark.parametrize(("command", "wanted"), [("figures", "figure-2"), ("duel figures", "value")])
def test_a_name_is_looked_up_before_anything_is_read(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, wanted: str
) -> None:
    def read(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was read")

    monkeypatch.setattr("dualcode.analysis.gather.gather", read)
    monkeypatch.setattr("dualcode.duels.store.read_duel", read)
    code, _, err = run(*command.split(), "runs", "--name", wanted, "--name", f"{wanted}x")
    assert code == 2 and f"no figure is named '{wanted}x'; nearest: " in err


def test_help_on_a_narrow_terminal_keeps_every_option(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = run("eval", "--help")
    assert max(map(len, (line for line in out.splitlines() if "dualcode" not in line))) <= 60
    assert all(option in out for option in ("--pipeline", "--wait-for-server", "--unsafe", "--ray"))
