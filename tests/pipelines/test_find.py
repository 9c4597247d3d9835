"""Pipelines from files, from the drop-in folder, from packages; and the page that tells how to write one."""

import os
import re
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from click.testing import CliRunner

from dualcode.bench.bench import ScriptedBench
from dualcode.call import Call
from dualcode.cli.pipelines import pipelines
from dualcode.errors import PipelineError, TeamError, UnknownNameError
from dualcode.models.scripted import ScriptedChat
from dualcode.pipelines import builtins, find
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
    program = await find.find_pipeline(f"{path}:mine")(TASK, coder_only())
    assert "return 1" in program.text


def test_a_file_with_one_pipeline_needs_no_name(tmp_path: Path) -> None:
    assert find.find_pipeline(str(file_with(tmp_path, defining("mine")))).name == "mine"


def test_of_several_pipelines_in_a_file_one_must_be_named(tmp_path: Path) -> None:
    path = file_with(tmp_path, defining("one-way") + defining("other-way"))
    with pytest.raises(UnknownNameError, match="one-way, other-way"):
        find.find_pipeline(str(path))
    with pytest.raises(UnknownNameError, match="nearest: other-way"):
        find.find_pipeline(f"{path}:another-way")


def test_imported_pipelines_are_not_the_files_own(tmp_path: Path) -> None:
    path = file_with(tmp_path, "from dualcode.pipelines.raw_coder import raw_coder\n")
    with pytest.raises(PipelineError, match="defines no pipeline"):
        find.find_pipeline(str(path))


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
        find.find_pipeline(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="gone.py does not exist"):
        find.find_pipeline(f"{tmp_path}/gone.py:x")


def test_a_file_in_the_folder_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file_with(tmp_path / "pipelines", defining("dropped"), "dropped.py")
    monkeypatch.chdir(tmp_path)
    assert find.find_pipeline("dropped").name == "dropped"
    assert "dropped" in find.pipelines()


def test_an_edited_file_is_loaded_anew(tmp_path: Path) -> None:
    path = file_with(tmp_path, defining("before"))
    assert find.find_pipeline(str(path)).name == "before"
    file_with(tmp_path, defining("after"))
    assert find.find_pipeline(str(path)).name == "after"


def listed() -> tuple[list[str], list[str]]:
    """The names of all pipelines, and what is said of those that are left out."""
    told = list[PipelineError]()
    return list(find.pipelines(told.append)), [str(each) for each in told]


def test_a_taken_name_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file_with(tmp_path / "pipelines", defining("review-fix") + defining("mine"))
    monkeypatch.chdir(tmp_path)
    names, [said] = listed()
    assert "mine.py defines the pipeline 'review-fix', which is there already" in said
    assert "mine" in names
    assert find.find_pipeline("review-fix") is builtins()["review-fix"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `pipelines/` with two files that say so when they are executed, and one that is broken."""
    found = tmp_path / "pipelines"
    for name in ("one", "two"):
        ran = f"import pathlib\npathlib.Path({str(tmp_path)!r}, 'ran-{name}').touch()\n"
        file_with(found, ran + defining(name), f"{name}.py")
    file_with(found, "raise SystemExit('not for you')\n" + defining("three"), "three.py")
    file_with(found, "def broken(:\n", "four.py")
    file_with(found, "name = 'f' + 'ive'\n" + defining("x").replace('"x"', "name"), "five.py")
    monkeypatch.chdir(tmp_path)
    return found


def ran(folder: Path) -> set[str]:
    return {path.name for path in folder.parent.glob("ran-*")}


def test_a_misspelt_name_executes_no_file_and_names_the_nearest(folder: Path) -> None:
    with pytest.raises(UnknownNameError, match="no pipeline is named 'threee'; nearest: three") as refused:
        find.find_pipeline("threee")
    assert ran(folder) == set()
    assert "FILE.py:NAME" in str(refused.value)
    assert all(f"{folder / name}.py" in str(refused.value) for name in ("four", "five"))


def test_a_built_in_name_executes_no_file(folder: Path) -> None:
    assert find.find_pipeline("raw-coder").name == "raw-coder"
    assert [each.name for each in find.find_pipelines("all")] == list(builtins())
    assert ran(folder) == set()


def test_a_name_executes_its_own_file_alone(folder: Path) -> None:
    assert find.find_pipeline("one").name == "one"
    assert ran(folder) == {"ran-one"}


def test_a_computed_name_is_found_by_its_file(folder: Path) -> None:
    with pytest.raises(UnknownNameError):
        find.find_pipeline("five")
    assert find.find_pipeline(f"{folder}/five.py:five").name == "five"


def test_a_file_that_is_broken_is_named_where_its_own_pipeline_is_asked_for(folder: Path) -> None:
    with pytest.raises(
        PipelineError, match=r"three\.py cannot be loaded: SystemExit: not for you \(line 4\)"
    ):
        find.find_pipeline("three")


def test_the_list_leaves_out_and_names_what_is_broken(folder: Path) -> None:
    names, said = listed()
    assert {"one", "two", "five", "raw-coder"} <= set(names)
    assert "three" not in names
    assert sorted(each.partition(" cannot")[0] for each in said) == [
        f"{folder}/four.py", f"{folder}/three.py",
    ]  # fmt: skip


def test_what_is_no_file_is_passed_over_and_holds_nothing_up(folder: Path) -> None:
    """Reading a pipe waits for whoever writes into it."""
    os.mkfifo(folder / "six.py")
    (folder / "seven.py").mkdir()
    (folder / "eight.py").symlink_to(folder / "gone.py")
    with pytest.raises(UnknownNameError) as refused:
        find.find_pipeline("six")
    assert "eight.py" in str(refused.value) and "seven.py" not in str(refused.value)
    assert any("eight.py does not exist" in each for each in listed()[1])


def test_the_command_lists_the_rest_and_ends_well(folder: Path) -> None:
    done = CliRunner().invoke(pipelines, catch_exceptions=False)
    assert done.exit_code == 0
    assert "review-fix" in done.stdout
    assert "left out" not in done.stdout
    assert f"left out: {folder}/four.py cannot be loaded: SyntaxError" in done.stderr


def test_a_name_that_two_files_give_is_neithers(folder: Path) -> None:
    file_with(folder, defining("one"), "again.py")
    with pytest.raises(PipelineError, match=r"'one' stands in .*again\.py and in .*one\.py\n.*again\.py:one"):
        find.find_pipeline("one")
    assert ran(folder) == set()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('@pipeline("a", roles=[])\nasync def f(): ...', ["a"]),
        ('@pipelines.pipeline(name="a", roles=[])\nasync def f(): ...', ["a"]),
        ('if True:\n    @pipeline("a")\n    async def f(): ...', ["a"]),
        ('@pipeline("a")\nasync def f(): ...\n@pipeline("b")\nasync def g(): ...', ["a", "b"]),
        ('@cache\n@pipeline("a")\nasync def f(): ...', ["a"]),
        ('@other("a")\nasync def f(): ...\nx = """@pipeline("b")"""', []),
        ("@pipeline(NAME)\nasync def f(): ...", []),
        ("\0", []),
        ("(" * 100_000, []),
    ],
)
def test_names_are_read_from_the_text_of_the_decorator(tmp_path: Path, text: str, names: list[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    assert find.written_names(path) == names


def test_a_file_of_the_current_folder_wins_over_the_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_with(tmp_path / "pipelines", defining("mine"), "third_opinion.py")
    monkeypatch.chdir(tmp_path)
    assert find.find_pipeline("mine").source.parent == tmp_path / "pipelines"
    with pytest.raises(UnknownNameError):
        find.find_pipeline("third-opinion")


def install(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Make an entry point known without installing a package."""
    points = EntryPoints([EntryPoint(name="theirs", value=value, group=find.GROUP)])

    def entry_points(group: str) -> EntryPoints:
        return points.select(group=group)

    monkeypatch.setattr(find, "entry_points", entry_points)


def test_a_packages_entry_point_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file_with(tmp_path, defining("theirs"), "their_package.py")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    install(monkeypatch, "their_package:theirs")
    assert find.find_pipeline("theirs").name == "theirs"


@pytest.mark.parametrize(
    ("value", "said"), [("no_such:x", "cannot be loaded"), ("json:dumps", "is no pipeline")]
)
def test_a_broken_entry_point_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    install(monkeypatch, value)
    names, [told] = listed()
    assert value in told
    assert said in told
    assert "raw-coder" in names
    with pytest.raises(UnknownNameError):
        find.find_pipeline("theirs")


def test_a_list_of_names_gives_each_once() -> None:
    found = find.find_pipelines("review-fix, raw-coder,review-fix")
    assert [each.name for each in found] == ["review-fix", "raw-coder"]


def test_all_stands_for_every_built_in_one() -> None:
    assert [each.name for each in find.find_pipelines("all")] == list(builtins())


def test_an_empty_list_names_no_pipeline() -> None:
    with pytest.raises(PipelineError, match="names no pipeline"):
        find.find_pipelines(" , ")


async def test_a_pipeline_that_returns_nothing_says_so(tmp_path: Path) -> None:
    path = file_with(tmp_path, defining("mine", body="return None"))
    with pytest.raises(TypeError, match="mine returned NoneType, not a Program"):
        await find.find_pipeline(str(path))(TASK, coder_only())


async def test_a_pipeline_that_asks_an_unbound_role_lists_the_bound_ones(tmp_path: Path) -> None:
    path = file_with(tmp_path, defining("mine", body="return await write(team.reviewer, task)"))
    with pytest.raises(TeamError, match="'reviewer' is unbound; bound: coder"):
        await find.find_pipeline(str(path))(TASK, coder_only())


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
    program = await find.find_pipeline(f"{path}:stand-in")(TASK, team.for_task("T/1", calls.append))
    assert "return 1" in program.text
    assert [call.role for call in calls] == steps


def test_the_worked_example_is_listed() -> None:
    assert find.find_pipeline("third-opinion").paper == "example"
