"""`dualcode export` as a user types it."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dualcode.cli.export import export
from dualcode.errors import ConfigError, RunError
from tests.export.runs import make_run


def call(*arguments: str | Path) -> str:
    """Call the command, and return what it printed; errors of ours are raised."""
    done = CliRunner().invoke(
        export, [str(argument) for argument in arguments], catch_exceptions=False, standalone_mode=False
    )
    return done.output


def test_a_folder_of_runs_becomes_logs_beside_them(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai", reason="the extra `inspect` is not installed")
    runs = [make_run(tmp_path, pipeline=name) for name in ("raw-coder", "review-fix")]
    told = call(tmp_path)
    for run in runs:
        assert f"{tmp_path / 'inspect' / run.id}.eval (written)" in told
    assert told.count(f"inspect view --log-dir {tmp_path / 'inspect'}") == 1
    assert "(unchanged)" in call(tmp_path)


def test_the_folder_can_be_chosen(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai", reason="the extra `inspect` is not installed")
    run = make_run(tmp_path / "runs")
    call(run.folder, "-o", tmp_path / "logs")
    assert [path.name for path in (tmp_path / "logs").iterdir()] == [f"{run.id}.eval"]


def test_without_the_extra_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "inspect_ai"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "dualcode.export.inspect", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_Absent(), *sys.meta_path])
    with pytest.raises(ConfigError, match="inspect-ai") as caught:
        call(run.folder)
    assert caught.value.hint == "pip install 'dualcode[inspect]'"


class _Absent:
    """Finds that inspect-ai is not installed."""

    def find_spec(self, name: str, *_: object) -> None:
        if name.split(".")[0] == "inspect_ai":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no run"):
        call(tmp_path / "nothing")


def test_the_command_needs_no_inspect_to_be_imported() -> None:
    import subprocess

    source = (
        "import sys, dualcode.cli.export;"
        "print([n for n in sys.modules if n.split('.')[0] in ('inspect_ai', 'pydantic', 'numpy')])"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
