"""`dualcode issues` as it is typed: listed, shown, proved, contained, imported, written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dualcode.errors import SandboxError
from dualcode.issues import checking, importing, writing
from dualcode.issues.checking import IssueProof
from dualcode.issues.jail import tiers
from tests.cli.typed import Run

SHIPPED = ["flask-4041", "jinja-1427", "sqlparse-742"]
PROVED = IssueProof(
    task="flask-4041", fail_to_pass=5, pass_to_pass=468, has_solution=True, faults=(),
    seconds={"base": 1.25, "run": 2.5},
)  # fmt: skip
FAULTY = PROVED.model_copy(update={"faults": ("the base passes test_a", "no test is left")})


def test_tasks_are_listed_with_where_they_are_from_and_their_title(run: Run) -> None:
    code, out, err = run("issues", "list")
    assert (code, err) == (0, "")
    heads = [line.split() for line in out.splitlines() if not line.startswith("  ")]
    assert [head[0] for head in heads] == SHIPPED
    assert heads[0][1:] == ["Flask", "2.0.0"]
    assert "  Raise error when blueprint name contains a dot" in out
    assert max(map(len, out.splitlines())) <= 80
    told = json.loads(run("issues", "list", "--json")[1])["issues"]
    assert [each["name"] for each in told] == SHIPPED
    assert (told[0]["fail_to_pass"], told[0]["pass_to_pass"]) == (5, 468)
    assert "instruction" not in told[0]


def test_one_is_shown_with_its_limits_and_the_issue_as_models_read_it(run: Run) -> None:
    code, out, _ = run("issues", "show", "flask-4041")
    assert code == 0
    table, _, text = out.partition("\n\n")
    rows = {line[:14].strip(): line[14:] for line in table.splitlines()}
    assert rows["tests"] == "5 fail to pass, 468 pass to pass"
    assert rows["scope"] == "src/flask/*, docs/*, tests/*, CHANGES.rst"
    assert rows["a command"].startswith("120 s, ") and Path(rows["folder"]).is_dir()
    told = json.loads(run("issues", "show", "flask-4041", "--json")[1])
    assert told["instruction"] == text
    assert text.startswith(f"# {told['title']}\n")


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Let tasks be proved to this, in their order; return what the jail and each proof were asked for."""

    def come_to(*found: IssueProof) -> list[Any]:
        asked, left = list[Any](), list(found)

        async def open_jail(**options: Any) -> str:
            asked.append(options)
            return "jail"

        async def prove_issue(task: Any, jail: str, *, near: Any, tell: Callable[[str], None]) -> IssueProof:
            asked.append((task.name, jail, near))
            tell("making its base")
            return left.pop(0)

        monkeypatch.setattr(tiers, "open_jail", open_jail)
        monkeypatch.setattr(checking, "prove_issue", prove_issue)
        return asked

    return come_to


def test_a_proved_task_is_a_line_with_its_seconds_and_progress_stays_on_stderr(
    run: Run, proofs: Callable[..., list[Any]]
) -> None:
    asked = proofs(PROVED)
    code, out, err = run("issues", "check", "flask-4041", "--archives", "here", "--unsafe")
    assert (code, err) == (0, "flask-4041: making its base\n")
    assert out.splitlines() == [
        "flask-4041  proved  5 fail to pass, 468 pass to pass; 3.8 s", "  base 1.25 s, run 2.50 s",
    ]  # fmt: skip
    assert asked == [{"unsafe": True}, ("flask-4041", "jail", (Path("here"),))]


def test_what_has_to_be_mended_is_code_2_whatever_else_is_proved(
    run: Run, proofs: Callable[..., list[Any]]
) -> None:
    proofs(FAULTY, PROVED.model_copy(update={"has_solution": False}))
    code, out, err = run("issues", "check", "flask-4041", "jinja-1427", "-q")
    assert (code, err) == (2, "")
    assert "flask-4041  faulty" in out and "  mend: the base passes test_a\n  mend: no test is left" in out
    assert "ok, without a solution" in out
    proofs(FAULTY, PROVED)
    code, out, _ = run("issues", "check", "flask-4041", "jinja-1427", "--json")
    told = json.loads(out)["issues"]
    assert (code, [len(each["faults"]) for each in told]) == (2, [2, 0])


@pytest.mark.parametrize("works", [("bubblewrap",), ()])
def test_each_jail_is_said_to_work_or_why_not(
    run: Run, monkeypatch: pytest.MonkeyPatch, works: tuple[str, ...]
) -> None:
    async def probe(name: str) -> SandboxError | None:
        return None if name == first and works else SandboxError(f"{name} is refused")

    first = next(iter(tiers.TIERS))
    monkeypatch.setattr(tiers, "probe", probe)
    code, out, _ = run("issues", "jail")
    lines = out.splitlines()
    assert code == (0 if works else 3)
    assert lines[0] == (f"{first:<12}works (chosen)" if works else f"{first:<12}no: {first} is refused")
    assert ("holds" in lines) == bool(works)
    told = json.loads(run("issues", "jail", "--json")[1])
    assert (told["chosen"], told["tiers"][0]["works"]) == ((first, True) if works else (None, False))
    assert bool(told["holds"]) == bool(works)


@pytest.mark.parametrize(
    ("written", "refused", "code"),
    [((Path("ours/a"),), (), 0), ((Path("ours/a"),), (("b", "it needs an image"),), 0),
     ((), (("b", "it needs an image"),), 2), ((), (), 0)],
)  # fmt: skip
def test_an_import_names_what_it_refused_and_fails_where_it_wrote_nothing_for_that(
    run: Run, monkeypatch: pytest.MonkeyPatch, written: tuple[Path, ...], refused: Any, code: int
) -> None:
    asked = list[Any]()

    def import_tasks(source: Path, target: Path, wanted: Any) -> Any:
        asked.append((source, target, wanted))
        return written, refused

    monkeypatch.setattr(importing, "import_tasks", import_tasks)
    monkeypatch.setattr("dualcode.cli.issues.spelled", lambda: "dualcode")
    more = ("--pin", "pytest==7.4.4", "--pythonpath", "src", "--only", "a*", "--python", ">=3.9")
    ended, out, err = run("issues", "import", "rows.jsonl", "ours", *more)
    assert (ended, out) == (code, "".join(f"{each}\n" for each in written))
    assert ("refused  b: it needs an image" in err) == bool(refused)
    assert ("to prove them: dualcode issues check ours/*" in err) == bool(written)
    [(source, target, wanted)] = asked
    assert (source, target) == (Path("rows.jsonl"), Path("ours"))
    assert wanted.only == "a*"
    assert wanted.needs == writing.Needs(python=">=3.9", pins=("pytest==7.4.4",), pythonpath=("src",))


def test_a_task_is_written_from_a_file_or_from_stdin(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = list[Any]()

    def write_task(*given: Any, **more: Any) -> list[Path]:
        asked.append((given, more))
        return [Path("ours/task.toml"), Path("ours/instruction.md")]

    class Stdin:
        def read(self) -> str:
            return "typed"

    monkeypatch.setattr(writing, "write_task", write_task)
    (tmp_path / "issue.md").write_text("It fails.\n")
    code, out, err = run("issues", "new", "ours", "--path", "shop", "--issue", "issue.md", "--fix", "v2")
    assert (code, out) == (0, "ours/task.toml\nours/instruction.md\n")
    assert "complete tests/ and fail_to_pass, then: " in err
    monkeypatch.setattr("sys.stdin", Stdin())
    run("issues", "new", "ours", "--path", "shop", "--issue", "-", "--revision", "v1", "--pin", "a==1")
    (first, told), (second, more) = asked
    assert first == (Path("ours"), Path("shop"), "HEAD", "It fails.\n") and told["fix"] == "v2"
    assert second[2:] == ("v1", "typed") and more["needs"] == writing.Needs(pins=("a==1",))
