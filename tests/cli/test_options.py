"""What commands share: a team from options, the names of commands, how errors end, what is shown."""

import io
import sys
from pathlib import Path

import click
import pytest
from rich.console import Console
from rich.panel import Panel

from dualcode.analysis.statistics import Comparison
from dualcode.cli import compare, main, options, terminal
from dualcode.cli.eval import command as eval_command
from dualcode.cli.reproduce import reproduce
from dualcode.config import TeamConfig
from dualcode.errors import DualcodeError, RunError, TeamError
from tests.cli.typed import Run

URL = "http://127.0.0.1:8001/v1"


def test_without_an_option_no_team_is_chosen_and_a_file_is_taken_as_it_is() -> None:
    assert options.team_of(None, None, None) is None
    assert options.team_of(Path("team.toml"), None, None) == Path("team.toml")


def test_one_endpoint_holds_every_role_of_the_paper() -> None:
    team = options.team_of(None, URL, "m")
    assert isinstance(team, TeamConfig)
    assert team.endpoint_of("coder") == team.endpoint_of("reviewer")
    assert (team.endpoint_of("coder").base_url, team.endpoint_of("coder").model) == (URL, "m")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ((Path("t"), URL, "m"), "either --team, or"),
        ((Path("t"), None, "m"), "either --team, or"),
        ((None, URL, None), "go together"),
        ((None, None, "m"), "go together"),
    ],
)
def test_half_a_team_is_a_usage_error(
    given: tuple[Path | None, str | None, str | None], complaint: str
) -> None:
    with pytest.raises(click.UsageError, match=complaint):
        options.team_of(*given)


def test_both_commands_that_run_pipelines_take_the_same_options_of_running() -> None:
    shared = {"quiet", "fresh", "task_seconds", "concurrency", "run_dir", "model", "base_url", "team"}
    one, other = (
        {each.name: each.to_info_dict() for each in command.params if each.name in shared}
        for command in (eval_command, reproduce)
    )
    assert one == other
    assert one.keys() == shared


def test_every_command_stands_in_the_file_of_its_name_and_no_file_is_forgotten() -> None:
    assert {main.command(name).name for name in main.COMMANDS} == set(main.COMMANDS)
    folder = Path(main.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if "@click.command" in path.read_text()}
    files -= {"duel_report"}  # half of `duel`
    groups = {path.stem for path in folder.glob("*.py") if "@click.group" in path.read_text()} - {"main"}
    assert files | groups == set(main.COMMANDS)


def test_a_command_that_there_is_not_is_no_import() -> None:
    group = main.cli
    assert isinstance(group, main.LazyGroup)
    assert group.get_command(click.Context(group), "options") is None
    assert group.list_commands(click.Context(group)) == list(main.COMMANDS)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "interrupted; the same command, without --fresh, resumes a run\n"),
        (click.Abort(), 130, "interrupted; the same command, without --fresh, resumes a run\n"),
        (RunError("the run stopped", hint="again"), 3, "error: the run stopped\n  try: again\n"),
        (TeamError("no such role"), 2, "error: no such role\n"),
        (DualcodeError("something"), 1, "error: something\n"),
        (click.exceptions.Exit(5), 5, ""),
    ],
)
def test_an_error_ends_with_its_code_and_its_words_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, told: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("dualcode.pipelines.find.pipelines", fail)
    ended, out, err = run("pipelines")
    assert (ended, out, err.lstrip("\n")) == (code, "", told)


def test_a_hint_spells_dualcode_as_it_is_called_here_and_leaves_other_words(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = (
        "the dualcode that made it; ls /opt/dualcode runs; my-dualcode eval; dualcode 1.0; dualcode shown"
    )

    def fail(*_: object) -> None:
        raise RunError("x", hint=f"dualcode show R; {others}")

    monkeypatch.setattr("dualcode.pipelines.find.pipelines", fail)
    monkeypatch.setattr(main, "spelled", lambda: "HERE")
    assert run("pipelines")[2].endswith(f"try: HERE show R; {others}\n")


def test_the_command_line_is_spelled_by_the_shortest_way_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str | None] = ["/usr/bin/dualcode", None, None]

    def which(_: str) -> str | None:
        return found.pop(0)

    monkeypatch.setattr(options.shutil, "which", which)
    assert options.spelled() == "dualcode"
    python = tmp_path / ".venv" / "bin" / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.chdir(tmp_path)
    assert options.spelled() == ".venv/bin/python -m dualcode"
    monkeypatch.chdir("/")
    assert options.spelled() == f"{python.relative_to('/')} -m dualcode"


@pytest.mark.parametrize("given", ["humaneval", "humaneval=", "="])
def test_data_that_names_no_file_is_refused_with_an_example(run: Run, given: str) -> None:
    code, _, err = run("reproduce", "--study", "quick", "--data", given, "--forecast")
    assert code == 2
    assert "try: " in err


def compared(gained: int, lost: int, unpaired: int) -> Comparison:
    names = [[f"{kind}{number}" for number in range(count)] for kind, count in
             (("g", gained), ("l", lost), ("u", unpaired))]  # fmt: skip
    return Comparison.model_construct(
        run="run-1", gained=tuple(names[0]), lost=tuple(names[1]), unpaired=tuple(names[2])
    )


@pytest.mark.parametrize(
    ("counts", "every", "told"),
    [
        ((0, 0, 0), False, ""),
        ((2, 0, 1), False, "run-1: gained 2: g0, g1; not in both 1: u0"),
        ((8, 1, 0), False, "run-1: gained 8: g0, g1, g2, g3, g4, g5 and 2 more; lost 1: l0"),
        ((8, 0, 0), True, "run-1: gained 8: g0, g1, g2, g3, g4, g5, g6, g7"),
    ],
)
def test_of_many_changed_tasks_the_first_are_named_and_the_others_counted(
    capsys: pytest.CaptureFixture[str], counts: tuple[int, int, int], every: bool, told: str
) -> None:
    compare._tell_changes(compared(*counts), every)  # pyright: ignore[reportPrivateUsage]
    assert " ".join(capsys.readouterr().out.split()) == told


def drawn(panel: Panel) -> str:
    screen = Console(file=io.StringIO(), width=120, record=True)
    screen.print(panel)
    return screen.export_text()


def test_an_endless_program_is_cut_and_says_by_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "MOST_SHOWN", 60)
    line = "x = 1\n"
    assert "more)" not in drawn(terminal.code(line * 10, "as long as may be"))
    text = drawn(terminal.code(line * 2000, "long"))
    assert "(11,940 more)" in text
    assert text.count("x = 1") == 10
    assert "(empty)" in drawn(terminal.code(" \n", "none"))


def test_marks_in_a_text_or_title_are_words_and_no_colours() -> None:
    for panel in (terminal.boxed("a [red]b[/red]", "t"), terminal.code("a = 1", "a [red]b[/red]")):
        assert "[red]b[/red]" in drawn(panel)


@pytest.mark.parametrize("width", [80, 120, 30])
def test_columns_are_folded_on_a_terminal_and_a_line_each_in_a_pipe(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("a-name", "a place", "words of a text " * 12), ("b", "", "")]
    options.print_columns(rows)
    assert capsys.readouterr().out.count("\n") == 2
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    options.print_columns(rows)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= max(width, 34 + 20)
    assert all(line.startswith(" " * 34) for line in lines[1:-1])
    assert " ".join(" ".join(lines).split()) == "a-name a place " + "words of a text " * 12 + "b"


@pytest.mark.parametrize(
    ("line", "near"), [(["shwo"], "show"), (["serve", "strat"], "start"), (["ledger", "prone"], "prune")]
)
def test_a_misspelt_command_is_told_with_the_nearest(run: Run, line: list[str], near: str) -> None:
    code, _, err = run(*line)
    assert code == 2
    assert "Nearest: " in err and near in err
