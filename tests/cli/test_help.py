"""The help: whole summaries at 80 columns, and completion in the shell."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dualcode.cli.main import COMMANDS, cli, command

ROOT = Path(__file__).parents[2]
GROUPS = [name for name in COMMANDS if isinstance(command(name), click.Group)]


def helped(called: click.Command, width: int = 80) -> str:
    context = click.Context(called, info_name="dualcode", terminal_width=width)
    return called.get_help(context)


def first_sentence(called: click.Command) -> str:
    text = " ".join((called.help or "").split("\n\n")[0].replace("\b", "").split())
    return text.partition(". ")[0].rstrip(".").rstrip(":")


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_of_every_command_is_whole(width: int) -> None:
    shown = " ".join(helped(cli, width).split())
    for name in COMMANDS:
        assert f"{name} {first_sentence(command(name))}" in shown
    assert "..." not in shown.partition("Servers:")[2]


@pytest.mark.parametrize("name", GROUPS)
def test_the_summaries_within_a_group_are_whole(name: str) -> None:
    group = command(name)
    assert isinstance(group, click.Group)
    shown = " ".join(helped(group).partition("Commands:")[2].split())
    for each in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), each)
        assert found is not None and f"{each} {first_sentence(found)}" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_of_a_help_is_wider_than_80_columns_but_examples(name: str) -> None:
    text = helped(command(name))
    prose = [line for line in text.splitlines() if "dualcode " not in line and "--help" not in line]
    assert all(len(line) <= 80 for line in prose), max(prose, key=len)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    for parameter in command(name).params:
        assert not isinstance(parameter, click.Option) or parameter.help


def completed(*words: str) -> list[str]:
    line = {"COMP_WORDS": " ".join(["dualcode", *words]), "COMP_CWORD": str(len(words))}
    script = "from dualcode.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, **line, "_DUALCODE_COMPLETE": "bash_complete"},
    )  # fmt: skip
    return [each.partition(",")[2] for each in done.stdout.splitlines()]


def test_the_shell_completes_commands_options_and_choices() -> None:
    assert completed("re") == ["review", "records", "reproduce", "reviewer", "report"]
    assert completed("eval", "--dr") == ["--dry-run"]
    assert completed("serve", "sta") == ["start", "status"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_readme_s_line_for_completion_gives_a_script(shell: str) -> None:
    if shell == "bash" and not Path("/bin/bash").exists():
        pytest.skip("click asks bash for its version")
    script = "from dualcode.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "_DUALCODE_COMPLETE": f"{shell}_source"},
    )  # fmt: skip
    assert "_DUALCODE_COMPLETE" in done.stdout
    assert "_DUALCODE_COMPLETE=bash_source dualcode" in (ROOT / "README.md").read_text()
