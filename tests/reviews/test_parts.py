"""The parts of daily work: a user's tests on the bench, a project's copy, forms of reviews, the desk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dualcode.bench.bench import Examination, SandboxBench, ScriptedBench
from dualcode.config import Endpoint, TeamConfig
from dualcode.errors import InputError, TeamError, UnreachableError
from dualcode.reviews import project
from dualcode.reviews.desk import desk
from dualcode.reviews.prompt_sets import BUILT_IN, Form, find_form
from dualcode.reviews.sources import decoded
from dualcode.reviews.specification import OwnTestsBench, read_tests
from dualcode.reviews.trial import ways
from dualcode.sandbox import open_sandbox
from dualcode.solution import Program
from dualcode.steps.schema import Schema
from dualcode.task import Task
from tests.fake_server import Answer, serve

TASK = Task(id="T", prompt='def f(n):\n    """Return n.\n\n    >>> f(1)\n    1\n    """\n', entry_point="f")


def program(text: str) -> Program:
    return Program(text=text, compiles=True, defines_entry_point=True, how="block")


async def examined(text: str, tests: str) -> tuple[Examination, list[Examination]]:
    told: list[Examination] = []
    async with open_sandbox(1) as sandbox:
        bench = OwnTestsBench(SandboxBench(sandbox), TASK, read_tests(tests, "t.py", "f"), told.append)
        await bench.examine(TASK, program(text))
        return await bench.examine(TASK, program(text)), told


async def test_a_user_s_tests_count_behind_the_prompt_s_and_are_run_once_a_program() -> None:
    tests = (
        "import math\nBASE = 2\n\ndef test_a():\n    assert f(BASE) == math.floor(2.5)\n\nassert f(3) == 3\n"
    )
    found, told = await examined("def f(n):\n    return n\n", tests)
    assert (found.tests, found.passed, found.ok, len(told)) == (3, (0, 1, 2), True, 1)


async def test_a_failing_test_is_told_by_its_call_and_one_that_hangs_spoils_no_other() -> None:
    tests = "def test_a():\n    import os\n    os._exit(1)\n\nassert f(3) == 4\n\nassert f(3) == 3\n"
    found, _ = await examined("def f(n):\n    return n\n", tests)
    assert found.passed == (0, 3)
    assert found.failure is not None
    assert "1 of 3 of the user's tests" in found.failure
    assert "test_a()\n\nIt ended its process." in found.failure


async def test_tests_that_cannot_be_loaded_fail_and_say_why() -> None:
    found, _ = await examined("def f(n):\n    return n\n", "import no_such\n\nassert f(3) == 3\n")
    assert found.failure is not None and "ModuleNotFoundError" in found.failure


async def test_without_tests_of_the_user_the_bench_is_the_plain_one() -> None:
    plain = ScriptedBench({"bad": "no"})
    bench = OwnTestsBench(plain, TASK, None, lambda _: None)
    assert (await bench.examine(TASK, program("bad"))).failure == "no"
    assert await bench.observe(TASK, program("x"), ["f(1)"]) == await plain.observe(
        TASK, program("x"), ["f(1)"]
    )


def copied(root: Path) -> list[str]:
    target = root.parent / "copy"
    project._copy(root, target)  # pyright: ignore[reportPrivateUsage]
    return sorted(str(each.relative_to(target)) for each in target.rglob("*") if not each.is_dir())


def fill(root: Path) -> None:
    for name in ("a.py", "src/b.py", "__pycache__/a.pyc", "node_modules/x.js", ".venv/bin/python"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")


def test_a_copy_has_a_project_s_files_and_links_to_its_environment(tmp_path: Path) -> None:
    root = tmp_path / "project"
    fill(root)
    assert [each for each in copied(root) if each.endswith(".py")] == ["a.py", "src/b.py"]
    assert not (tmp_path / "copy" / "__pycache__").exists()
    assert (tmp_path / "copy" / ".venv").resolve() == root / ".venv"
    assert (tmp_path / "copy" / ".venv").is_symlink()


def test_a_copy_of_a_repository_has_what_git_would_take(tmp_path: Path) -> None:
    root = tmp_path / "project"
    fill(root)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True, capture_output=True)
    (root / ".gitignore").write_text("secret.env\n.venv\nnode_modules\n__pycache__\n")
    (root / "secret.env").write_text("KEY=1")
    assert copied(root) == [".gitignore", "a.py", "src/b.py"]


def test_a_project_that_is_too_large_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "MOST_BYTES", 1)
    root = tmp_path / "project"
    fill(root)
    with pytest.raises(InputError, match="too large to copy"):
        copied(root)


@pytest.mark.usefixtures("confined")
async def test_tests_import_the_copy_whatever_is_installed(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "src" / "pack").mkdir(parents=True)
    (root / "src" / "pack" / "__init__.py").write_text("")
    command = f"{sys.executable} -c 'import pack; print(pack.__file__)'"
    tested = await project.run_tests(root, command, 20, {})
    assert (tested.outcome, "dualcode-review-" in tested.output) == ("passed", True)


@pytest.mark.usefixtures("confined")
async def test_of_a_long_output_the_end_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "MOST_OUTPUT", 20)
    (tmp_path / "a.py").write_text("")
    tested = await project.run_tests(tmp_path, "seq 1 1000; exit 3", 20, {})
    assert (tested.code, tested.output) == (3, "96\n997\n998\n999\n1000\n"[-20:])


def required(found: Schema) -> set[str]:
    return set(str(found).split("'")) & {"verdict", "findings", "where", "call", "does", "ought", "line"}


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("verdict", {"verdict"}),
        ("findings", {"verdict", "findings", "where"}),
        ("values", {"verdict", "findings", "where", "call", "does", "ought"}),
    ],
)
def test_a_form_asks_for_what_its_schema_holds_and_reads_it(name: str, asked: set[str]) -> None:
    form = find_form(name)
    assert required(form.schema) == asked
    prompt = form.messages(TASK, program("def f(n): ..."))[1].content
    assert "def f(n): ..." in prompt and "Return n." in prompt
    assert all(f'"{key}"' in prompt for key in asked)
    assert all(f"`{key}`" in form.repair or f'"{key}"' in form.repair for key in asked)
    read = form.read(
        '{"verdict": "approve", "findings": []}' if name != "verdict" else '{"verdict": "approve"}'
    )
    assert read is not None and read.verdict == "approve"
    assert form.read("prose") is None


def test_the_more_a_form_asks_for_the_more_tokens_it_allows() -> None:
    forms = [find_form(name) for name in BUILT_IN]
    assert [each.tokens for each in forms] == sorted(each.tokens for each in forms)
    assert len({each.checksum for each in forms}) == 3


def test_a_team_s_own_system_message_is_used_and_what_it_leaves_out_is_the_house_s(tmp_path: Path) -> None:
    (tmp_path / "review.md").write_text("{{ program.text }}")
    (tmp_path / "reviewer.md").write_text("Be kind.")
    form: Form = find_form(str(tmp_path))
    assert form.messages(TASK, program("x"))[0].content == "Be kind."
    assert "`verdict`" in form.repair


def config(url: str, *, thinking: str = "none") -> TeamConfig:
    endpoint = Endpoint.model_validate({"model": "m", "base_url": url, "thinking": thinking, "attempts": 1})
    return TeamConfig(endpoints={"e": endpoint}, roles={"reviewer": "e"})


@pytest.mark.parametrize(
    ("can", "asked", "expected"),
    [
        ("switch", "both", [False, True]), ("switch", "on", [True]), ("switch", "off", [False]),
        ("none", "both", [False]), ("none", "on", [False]), ("off", "both", [False]),
    ],
)  # fmt: skip
def test_ways_of_thinking_that_a_model_has_not_are_passed_over(
    can: str, asked: str, expected: list[bool]
) -> None:
    assert ways(config("http://x/v1", thinking=can), "reviewer", asked) == expected  # type: ignore[arg-type]


async def test_a_desk_asks_its_servers_who_they_are_and_keeps_no_ledger_where_that_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(tmp_path))
    with serve(Answer()) as server:
        monkeypatch.setenv("DUALCODE_RECORDS", "off")
        async with desk(config(server.base_url), ["reviewer"]) as place:
            assert place.served["e"].model == "m"
        assert not (tmp_path / "ledger").exists()
        monkeypatch.setenv("DUALCODE_RECORDS", "on")
        async with desk(config(server.base_url), ["reviewer"]) as place:
            assert place.prices == {"e": None}
        assert (tmp_path / "ledger").exists()


async def test_a_desk_without_its_server_or_role_is_not_opened() -> None:
    with pytest.raises(UnreachableError, match="found no server"):
        async with desk(config("http://127.0.0.1:1/v1"), ["reviewer"]):
            pass
    with pytest.raises(TeamError, match="needs the role 'coder'"):
        async with desk(config("http://127.0.0.1:1/v1"), ["coder"]):
            pass


@pytest.mark.parametrize(
    ("data", "python", "expected"),
    [
        (b"x = 1\r\n", True, "x = 1\n"),
        (b"\xef\xbb\xbfx", False, "x"),
        ("x = 'ü'".encode("utf-16"), False, "x = 'ü'"),
        (b"# coding: latin-1\nx = '\xfc'\n", True, "# coding: latin-1\nx = 'ü'\n"),
        (b"# coding: latin-1\nx = '\xfc'\n", False, ("not readable as utf-8",)),
        (b"a\0b", True, ("a binary file",)),
        (b"x" * (4 << 20) + b"x", False, ("larger than 4 MiB",)),
    ],
    ids=range(7),
)
def test_bytes_are_text_in_their_own_encoding_or_it_is_said_why_not(
    data: bytes, python: bool, expected: str | tuple[str]
) -> None:
    assert decoded(data, python=python) == expected


def test_a_command_that_cannot_be_confined_is_not_run(tmp_path: Path) -> None:
    """The folder that it may write in is not there: no rule can be made, and nothing runs."""
    line = [sys.executable, "-m", "dualcode.reviews.enclosed", "5", str(tmp_path / "gone"), "echo ran"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=os.environ)
    assert (done.returncode, done.stdout) == (125, "")
    assert "cannot confine a test command" in done.stderr
