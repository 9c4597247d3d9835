"""Pipelines from files, from the drop-in folder, from packages; and the page that tells how to write one."""

import re
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from dualcode.bench.scripted import ScriptedBench
from dualcode.call import Call
from dualcode.errors import PipelineError, TeamError, UnknownNameError
from dualcode.models.scripted import ScriptedChat
from dualcode.pipelines import builtins
from dualcode.pipelines import find as dropins
from dualcode.sampling import PAPER
from dualcode.task import Task
from dualcode.team import Seat, Team

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-pipeline.md"
TASK = Task(id="T/1", prompt='def one():\n    """Return 1."""\n', entry_point="one")
DRAFT = "```python\ndef one():\n    return 2\n```"
RIGHT = "```python\ndef one():\n    return 1\n```"
HEAD = """
from dualcode.pipelines import pipeline
from dualcode.steps import write
"""


def file_with(folder: Path, body: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + body)
    return path


def defining(name: str, roles: str = '["coder"]', body: str = "return await write(team.coder, task)") -> str:
    function = name.replace("-", "_")
    head = f'@pipeline("{name}", roles={roles})\nasync def {function}(task, team):\n'
    return f'{head}    """Mine."""\n    {body}\n'


def coder_only() -> Team:
    return Team({"coder": Seat("coder", ScriptedChat([RIGHT] * 3), PAPER, 2000)})


async def test_a_file_named_by_path_is_found_and_runs(tmp_path: Path) -> None:
    path = file_with(tmp_path, defining("mine"))
    program = await dropins.find_pipeline(f"{path}:mine")(TASK, coder_only())
    assert "return 1" in program.text


def test_a_file_with_one_pipeline_needs_no_name(tmp_path: Path) -> None:
    assert dropins.find_pipeline(str(file_with(tmp_path, defining("mine")))).name == "mine"


def test_of_several_pipelines_in_a_file_one_must_be_named(tmp_path: Path) -> None:
    path = file_with(tmp_path, defining("one-way") + defining("other-way"))
    with pytest.raises(UnknownNameError, match="one-way, other-way"):
        dropins.find_pipeline(str(path))
    with pytest.raises(UnknownNameError, match="nearest: other-way"):
        dropins.find_pipeline(f"{path}:another-way")


def test_imported_pipelines_are_not_the_files_own(tmp_path: Path) -> None:
    path = file_with(tmp_path, "from dualcode.pipelines.raw_coder import raw_coder\n")
    with pytest.raises(PipelineError, match="defines no pipeline"):
        dropins.find_pipeline(str(path))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("x = 1 / 0\n", r"ZeroDivisionError: division by zero \(line 4\)"),
        ("def broken(:\n", r"SyntaxError: .*line 4"),
        ("import no_such_module\n", r"ModuleNotFoundError: No module named 'no_such_module' \(line 4\)"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_with_the_line(tmp_path: Path, body: str, said: str) -> None:
    path = file_with(tmp_path, body)
    with pytest.raises(PipelineError, match=f"mine.py cannot be loaded: {said}"):
        dropins.find_pipeline(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="gone.py does not exist"):
        dropins.find_pipeline(f"{tmp_path}/gone.py:x")


def test_a_file_in_the_folder_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file_with(tmp_path / "pipelines", defining("dropped"), "dropped.py")
    monkeypatch.chdir(tmp_path)
    assert dropins.find_pipeline("dropped").name == "dropped"
    assert "dropped" in dropins.pipelines()


def test_an_edited_file_is_loaded_anew(tmp_path: Path) -> None:
    path = file_with(tmp_path, defining("before"))
    assert dropins.find_pipeline(str(path)).name == "before"
    file_with(tmp_path, defining("after"))
    assert dropins.find_pipeline(str(path)).name == "after"


def test_a_taken_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file_with(tmp_path / "pipelines", defining("review-fix"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PipelineError, match=r"mine\.py defines the pipeline 'review-fix'"):
        dropins.pipelines()


def install(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Make an entry point known without installing a package."""
    points = EntryPoints([EntryPoint(name="theirs", value=value, group=dropins.GROUP)])

    def entry_points(group: str) -> EntryPoints:
        return points.select(group=group)

    monkeypatch.setattr(dropins, "entry_points", entry_points)


def test_a_packages_entry_point_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file_with(tmp_path, defining("theirs"), "their_package.py")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    install(monkeypatch, "their_package:theirs")
    assert dropins.find_pipeline("theirs").name == "theirs"


@pytest.mark.parametrize(
    ("value", "said"), [("no_such:x", "cannot be loaded"), ("json:dumps", "is no pipeline")]
)
def test_a_broken_entry_point_is_named(monkeypatch: pytest.MonkeyPatch, value: str, said: str) -> None:
    install(monkeypatch, value)
    with pytest.raises(PipelineError, match=f"{value}.*{said}"):
        dropins.pipelines()


def test_a_list_of_names_gives_each_once() -> None:
    found = dropins.find_pipelines("review-fix, raw-coder,review-fix")
    assert [each.name for each in found] == ["review-fix", "raw-coder"]


def test_all_stands_for_every_built_in_one() -> None:
    assert [each.name for each in dropins.find_pipelines("all")] == list(builtins())


def test_an_empty_list_names_no_pipeline() -> None:
    with pytest.raises(PipelineError, match="names no pipeline"):
        dropins.find_pipelines(" , ")


async def test_a_pipeline_that_returns_nothing_says_so(tmp_path: Path) -> None:
    path = file_with(tmp_path, defining("mine", body="return None"))
    with pytest.raises(TypeError, match="mine returned NoneType, not a Program"):
        await dropins.find_pipeline(str(path))(TASK, coder_only())


async def test_a_pipeline_that_asks_an_unbound_role_lists_the_bound_ones(tmp_path: Path) -> None:
    path = file_with(tmp_path, defining("mine", body="return await write(team.reviewer, task)"))
    with pytest.raises(TeamError, match="'reviewer' is unbound; bound: coder"):
        await dropins.find_pipeline(str(path))(TASK, coder_only())


@pytest.mark.parametrize(("drafts", "steps"), [([RIGHT], ["coder"]), ([DRAFT], ["coder", "reviewer"])])
async def test_the_pages_pipeline_works(tmp_path: Path, drafts: list[str], steps: list[str]) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    path = tmp_path / "stand_in.py"
    path.write_text(code[0])
    calls: list[Call] = []
    team = Team(
        {
            "coder": Seat("coder", ScriptedChat(drafts), PAPER, 2000),
            "reviewer": Seat("reviewer", ScriptedChat([RIGHT]), PAPER, 2000),
        },
        bench=ScriptedBench({"return 2": "one()\nexpected 1, got 2"}),
    )
    program = await dropins.find_pipeline(f"{path}:stand-in")(TASK, team.for_task("T/1", calls.append))
    assert "return 1" in program.text
    assert [call.role for call in calls] == steps


def test_the_worked_example_is_listed() -> None:
    assert dropins.find_pipeline("third-opinion").paper == "example"
