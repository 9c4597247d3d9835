"""A team's own suites: the page's examples from the first check to the last table, and what is refused."""

import asyncio
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from dualcode.cli import main as cli
from dualcode.errors import ConfigError, DualcodeError, SuiteError
from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.grader import SandboxGrader
from dualcode.runs.store import read_run
from dualcode.sandbox import open_sandbox
from dualcode.study.reproduce import ReproduceOptions, perform, prepare
from dualcode.study.study import Study, SuiteChoice
from dualcode.suites import registry
from dualcode.suites.registry import find_entry, load_suite
from dualcode.suites.suite import Suite, Terms
from dualcode.verdict import Verdict
from tests.fake_server import Answer, FakeServer, serve

PAGE = (Path(__file__).parents[2] / "docs" / "own-tasks.md").read_text()
FILES = {
    name: text
    for name, _, text in re.findall(r"^`([\w./-]+)`\n\n(`{3,})\w+\n(.*?)^\2$", PAGE, re.MULTILINE | re.DOTALL)
}
"""The files that the page shows."""
SUITES = ("prices", "geometry.jsonl", "texts.jsonl")
Run = Callable[..., tuple[int, str, str]]
Changes = Mapping[str, str | None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the page's files in it, and a cache of its own."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("DUALCODE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run one command line; return exit code, stdout, stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dualcode", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as leave:
            code = int(leave.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return run


def write_task(
    suite: Path, name: str = "double", changes: Changes = MappingProxyType({}), **more: str
) -> Path:
    """Write a task's folder; a file that is changed to None is left out."""
    files: dict[str, str | None] = {
        "spec": "---\nentry_point: double\n---\nReturn twice the number.\n",
        "tests": "assert double(2) == 4\n",
        "reference": "def double(n):\n    return 2 * n\n",
        **changes,
        **more,
    }
    (suite / name).mkdir(parents=True, exist_ok=True)
    for key, ending in (("spec", ".md"), ("tests", ".py"), ("reference", ".py")):
        if (text := files[key]) is not None:
            (suite / name / f"{key}{ending}").write_text(text)
    return suite


async def grade(suite: Suite, *programs: str) -> list[Verdict]:
    """Grade programs for the suite's first task, in the real sandbox."""
    async with open_sandbox(1) as sandbox, SandboxGrader(suite, sandbox) as grader:
        return [await grader.grade(suite.tasks[0].id, program) for program in programs]


# The page


def test_the_page_shows_every_form() -> None:
    assert {name.split("/")[0] for name in FILES} == {*SUITES}


@pytest.mark.parametrize("suite", SUITES)
def test_check_proves_each_example_of_the_page(folder: Path, run: Run, suite: str) -> None:
    code, out, _ = run("suite", "check", suite, "--json")
    found = json.loads(out)
    assert code == 0, out
    assert all(task["has_reference"] and not task["faults"] for task in found["tasks"])
    assert all(task["richness"]["components"] for task in found["tasks"])


def scripted(suite: Suite) -> Callable[[dict[str, Any]], Answer]:
    """Return a model that writes a wrong draft, finds it wrong, and fixes it with the reference."""

    def answer(body: dict[str, Any]) -> Answer:
        asked = "".join(message["content"] for message in body["messages"])
        task = next(task for task in suite.tasks if task.entry_point in asked)
        if "response_format" in body or "structured_outputs" in body:
            finding = {"where": task.entry_point, "actual": "nothing", "expected": "something"}
            return Answer(content=json.dumps({"verdict": "revise", "findings": [finding]}))
        wrong = f"def {task.entry_point}(*given):\n    return None\n"
        text = suite.hidden[task.id].reference() if "reviewer" in asked else wrong
        return Answer(content=f"```python\n{text}```")

    return answer


def write_team(folder: Path, server: FakeServer) -> Path:
    path = folder / "team.toml"
    path.write_text(
        f'[endpoints.e]\nbase_url = "{server.base_url}"\nmodel = "m"\nattempts = 1\n'
        '[roles]\ncoder = "e"\nreviewer = "e"\n'
    )
    return path


@pytest.mark.parametrize("suite", SUITES)
def test_everything_downstream_works_on_each_example(folder: Path, run: Run, suite: str) -> None:
    loaded = load_suite(suite)
    with serve() as server:
        server.respond = scripted(loaded)
        team = write_team(folder, server)
        code, out, err = run(
            "eval", "--pipeline", "raw-coder,review-fix", "--dataset", suite, "--team", team, "-q", "--json"
        )
    assert code == 0, err
    raw, fixed = map(json.loads, out.splitlines())
    assert [raw["base"]["passed"], fixed["base"]["passed"]] == [0, len(loaded.tasks)]
    runs = [Path(raw["folder"]), Path(fixed["folder"])]
    manifest = read_run(runs[0]).manifest
    assert (manifest.title, manifest.size) == (loaded.title, len(loaded.tasks))

    for each in runs:
        assert run("audit", each)[0] == 0
    code, out, err = run("compare", *runs, "--json")
    assert code == 0, err
    assert run("export", *runs, "-o", folder / "inspect")[0] == 0
    code, out, err = run("export", *runs, "--format", "evalplus", "-o", folder / "evalplus")
    assert code == (0 if loaded.has_plus else 2), err
    assert loaded.has_plus or "none of EvalPlus's tests" in err
    code, out, err = run("tables", *runs, "--format", "json")
    assert code == 0, err
    assert loaded.title in out
    code, _, err = run("figures", *runs, "-o", folder / "figures", "--name", "figure-2")
    assert code == 0, err
    assert (folder / "figures" / "figure-2.svg").exists()
    code, _, err = run("report", *runs, "-o", folder / "report.html")
    assert code == 0, err
    page = (folder / "report.html").read_text()
    assert loaded.title in page
    assert loaded.tasks[0].id in page
    code, out, err = run("score", runs[1] / "samples.jsonl", "--dataset", suite, "--json")
    assert (code, json.loads(out)["base"]["passed"]) == (0, len(loaded.tasks)), err


def test_a_study_takes_suites_by_their_path(folder: Path) -> None:
    study = Study(title="t", pipelines=("raw-coder",), suites=(SuiteChoice(dataset="prices"),))
    with serve() as server:
        server.respond = scripted(load_suite("prices"))
        options = ReproduceOptions(team=write_team(folder, server), run_dir=folder / "runs", quiet=True)
        console = Console(stderr=True)
        prepared = asyncio.run(prepare(study, options, console))
        [result] = asyncio.run(perform(prepared, console))
    assert [suite.title for suite in prepared.suites] == ["Prices"]
    assert (result.summary.dataset, result.summary.complete) == ("prices", True)


def test_runs_find_their_suite_again_from_another_folder_and_notice_a_change(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as server:
        server.respond = scripted(load_suite("prices"))
        team = write_team(folder, server)
        _, out, _ = run(
            "eval", "--pipeline", "raw-coder", "--dataset", "prices", "--team", team, "-q", "--json"
        )
    made = folder / json.loads(out)["folder"]
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert run("audit", made)[0] == 0
    (folder / "prices" / "discount" / "tests.py").write_text("assert discount(1, 0) == 1\n")
    code, _, err = run("audit", made)
    assert code == 2
    assert "has changed at" in err


# Writing a first suite


def test_new_writes_a_suite_that_check_proves(folder: Path, run: Run) -> None:
    assert run("suite", "new", "ours")[0] == 0
    code, out, _ = run("suite", "check", "ours")
    assert code == 0
    assert "1 tasks, 1 proved, 0 to be mended" in out


@pytest.mark.parametrize(("name", "message"), [("prices", "is there already"), ("mini", "another suite")])
def test_new_refuses_a_name_that_is_taken(folder: Path, run: Run, name: str, message: str) -> None:
    code, _, err = run("suite", "new", name)
    assert code == 2
    assert message in err


# What tests written by hand can say


CALLS = {
    "is": ("assert double(None) is None", "return n if n is None else 2 * n", "return 2 * (n or 0)"),
    "in": ("assert double(2) in (4, 5)", "return 2 * n", "return 6"),
    "isclose": ("import math\nassert math.isclose(double(0.1), 0.2)", "return 2 * n + 1e-12", "return n"),
    "eps": ("assert abs(double(2) - 4) < 0.1", "return 2 * n + 0.05", "return 2 * n + 0.5"),
    "raises": (
        "with raises(ValueError, match='neg'):\n    double(-1)\nassert double(1) == 2",
        "if n < 0: raise ValueError('negative')\n    return 2 * n",
        "if n < 0: raise KeyError('negative')\n    return 2 * n",
    ),
    "check": (
        "def check(candidate):\n    for n in range(3):\n        assert candidate(n) == 2 * n",
        "return n + n",
        "return n * n",
    ),
}


@pytest.mark.parametrize("case", CALLS)
async def test_hidden_tests_pass_a_right_program_and_fail_a_wrong_one(folder: Path, case: str) -> None:
    tests, right, wrong = CALLS[case]
    programs = [f"def double(n):\n    {body}\n" for body in (right, wrong)]
    suite = load_suite(str(write_task(folder / "ours", tests=tests, reference=programs[0])))
    passed, failed = await grade(suite, *programs)
    assert passed.base.status == "passed", passed.base.reason
    assert failed.base.status == "failed"


EXCEPTIONS = {
    "the reference's own": (
        "with raises(Negative, match='below'):\n    double(-1)",
        "class Negative(Exception): pass\n",
        "Negative('below zero')",
    ),
    "derived from it": (
        "with raises(Negative):\n    double(-1)",
        "class Negative(ValueError): pass\nclass Below(Negative): pass\n",
        "Below(n)",
    ),
    "made and shown in its own way": (
        "with raises(Negative, match='^-1 is below 0$'):\n    double(-1)",
        "class Negative(Exception):\n    def __new__(cls, n, least): return super().__new__(cls)\n"
        "    def __init__(self, n, least): self.n, self.least = n, least\n"
        "    def __str__(self): return f'{self.n} is below {self.least}'\n",
        "Negative(n, 0)",
    ),
    "caught by a handler": (
        "try:\n    double(-1)\nexcept Negative as e:\n    assert str(e) == 'no'\nelse:\n    assert False",
        "class Negative(LookupError): pass\n",
        "Negative('no')",
    ),
    "of a module that the tests import": (
        "import json\nwith raises(json.JSONDecodeError):\n    double(-1)",
        "import json\n",
        "json.JSONDecodeError('no', '', 0)",
    ),
    "shown in quotes": ("with raises(KeyError, match=\"^'x'$\"):\n    double(-1)", "", "KeyError('x')"),
}


@pytest.mark.parametrize("case", EXCEPTIONS)
async def test_tests_take_exceptions_by_the_names_that_they_know(folder: Path, case: str) -> None:
    tests, head, error = EXCEPTIONS[case]
    body = "def double(n):\n    if n < 0: raise {}\n    return 2 * n\n"
    programs = [head + body.format(each) for each in (error, "TypeError('below')")]
    tests = f"{tests}\nassert double(1) == 2\n"
    suite = load_suite(str(write_task(folder / "ours", tests=tests, reference=programs[0])))
    right, other = await grade(suite, *programs)
    assert right.base.status == "passed", right.base.reason
    assert (other.base.cause, other.base.at) == ("raised", 0)


async def test_without_a_reference_tests_define_the_exceptions_that_they_want(folder: Path) -> None:
    tests = (
        "class Negative(ValueError): pass\nwith raises(Negative):\n    double(-1)\nassert double(1) == 2\n"
    )
    suite = load_suite(str(write_task(folder / "ours", changes={"reference": None}, tests=tests)))
    body = "class {}(ValueError): pass\ndef double(n):\n    if n < 0: raise {}(n)\n    return 2 * n\n"
    right, other = await grade(suite, body.format("Negative", "Negative"), body.format("Small", "Small"))
    assert right.base.status == "passed", right.base.reason
    assert other.base.cause == "raised"


async def test_helpers_of_the_reference_test_the_program_and_not_the_reference(folder: Path) -> None:
    reference = "def double(n):\n    return 2 * n\ndef twice(n):\n    return double(double(n))\n"
    tests = "assert twice(3) == 12\nassert double(3) == 6\n"
    suite = load_suite(str(write_task(folder / "ours", tests=tests, reference=reference)))
    right, wrong = await grade(suite, "def double(n):\n    return n + n\n", "def double(n):\n    return 6\n")
    assert (right.base.status, wrong.base.reason) == ("passed", "wrong output: assert twice(3) == 12")


async def test_an_exception_of_a_class_of_its_own_counts_as_its_base(folder: Path) -> None:
    tests = "with raises(ValueError):\n    double(-1)\nassert double(1) == 2"
    body = "def double(n):\n    if n < 0: raise Negative(n)\n    return 2 * n\n"
    programs = [f"class Negative({base}): pass\n{body}" for base in ("ValueError", "Exception")]
    suite = load_suite(str(write_task(folder / "ours", tests=tests, reference=programs[0])))
    passed, failed = await grade(suite, *programs)
    assert passed.base.status == "passed"
    assert (failed.base.cause, failed.base.at) == ("raised", 0)


async def test_an_exception_counts_as_a_class_that_its_own_class_is_derived_from(folder: Path) -> None:
    tests = "with raises(ValueError):\n    double(-1)\nassert double(1) == 2"
    body = "def double(n):\n    if n < 0: raise Below(n)\n    return 2 * n\n"
    programs = [
        f"class Negative({base}): pass\nclass Below(Negative): pass\n{body}"
        for base in ("ValueError", "KeyError")
    ]
    suite = load_suite(str(write_task(folder / "ours", tests=tests, reference=programs[0])))
    passed, failed = await grade(suite, *programs)
    assert passed.base.status == "passed", passed.base.reason
    assert failed.base.cause == "raised"


async def test_an_exception_counts_as_a_library_s_class_that_its_own_is_derived_from(folder: Path) -> None:
    tests = "import json\nwith raises(json.JSONDecodeError):\n    double(-1)\nassert double(1) == 2"
    body = "def double(n):\n    if n < 0: raise Bad({})\n    return 2 * n\n"
    library = "import json\nclass Bad(json.JSONDecodeError): pass\n" + body.format("'x', 'y', 0")
    programs = [library, "class Worse(ValueError): pass\n" + body.replace("Bad", "Worse").format("n")]
    suite = load_suite(str(write_task(folder / "ours", tests=tests, reference=programs[0])))
    passed, failed = await grade(suite, *programs)
    assert (passed.base.status, failed.base.cause) == ("passed", "raised"), passed.base.reason


async def test_a_class_that_only_has_a_built_in_exceptions_name_is_another(folder: Path) -> None:
    tests = "with raises(ValueError):\n    double(-1)\nassert double(1) == 2"
    body = "def double(n):\n    if n < 0: raise ValueError(n)\n    return 2 * n\n"
    suite = load_suite(str(write_task(folder / "ours", tests=tests, reference=body)))
    passed, failed = await grade(suite, body, f"class ValueError(Exception): pass\n{body}")
    assert (passed.base.status, failed.base.cause) == ("passed", "raised")


SWALLOWED = {
    "a map": "for got, want in zip(map(double, [1, 2]), [2, 4]):\n    assert got == want",
    "a list": "assert list(map(double, [])) == list(map(double, [1, 2]))[2:]",
    "next": "assert next(map(double, [1]), None) in (2, None)",
    "a handler": "try:\n    assert double(1) == 2\nexcept StopIteration:\n    pass",
}


@pytest.mark.parametrize("case", SWALLOWED)
@pytest.mark.parametrize("base", ["StopIteration", "GeneratorExit"])
async def test_an_exception_that_ends_a_loop_does_not_end_the_tests(
    folder: Path, case: str, base: str
) -> None:
    suite = load_suite(str(write_task(folder / "ours", tests=SWALLOWED[case] + "\n")))
    wrong = f"class Done({base}): pass\ndef double(n):\n    raise {{}}\n"
    programs = ["def double(n):\n    return n + n\n", wrong.format(base), wrong.format("Done")]
    right, *others = await grade(suite, *programs)
    assert right.base.status == "passed", right.base.reason
    assert [other.base.cause for other in others] == ["raised", "raised"]


@pytest.mark.parametrize("kind", ["StopIteration", "StopAsyncIteration", "GeneratorExit"])
async def test_tests_may_want_an_exception_that_ends_loops(folder: Path, kind: str) -> None:
    tests = f"with raises((KeyError, {kind}), match='none'):\n    double(-1)\nassert double(1) == 2\n"
    body = "def double(n):\n    if n < 0: raise {}('none')\n    return 2 * n\n"
    suite = load_suite(str(write_task(folder / "ours", tests=tests, reference=body.format(kind))))
    right, other = await grade(suite, body.format(kind), body.format("RuntimeError"))
    assert right.base.status == "passed", right.base.reason
    assert (other.base.cause, other.base.at) == ("raised", 0)


def test_a_reference_that_ends_loops_is_told_how_tests_can_want_that(folder: Path, run: Run) -> None:
    tests = "try:\n    double(-1)\nexcept StopIteration:\n    pass\nassert double(1) == 2\n"
    reference = "def double(n):\n    if n < 0: raise StopIteration\n    return 2 * n\n"
    write_task(folder / "ours", tests=tests, reference=reference)
    code, out, err = run("suite", "check", "ours", "--json")
    told = "double raised StopIteration, which tests see as such in `with raises(StopIteration)` alone"
    assert (code, told in out) == (2, True), err


async def test_a_bare_except_does_not_take_a_value_that_cannot_be_read_for_an_exception(folder: Path) -> None:
    tests = "try:\n    double(-1)\nexcept:\n    pass\nelse:\n    assert False\n"
    body = "from decimal import Decimal\ndef double(n):\n    {}\n"
    programs = [body.format(each) for each in ("raise ValueError", "return Decimal('1e1000000')")]
    suite = load_suite(str(write_task(folder / "ours", tests=tests, reference=programs[0])))
    right, unread = await grade(suite, *programs)
    assert right.base.status == "passed", right.base.reason
    assert unread.base.reason and "cannot be compared" in unread.base.reason


async def test_masked_elements_pass_no_test(folder: Path) -> None:
    suite = load_suite(str(write_task(folder / "ours", tests="assert abs(double(0.1) - 0.2) < 1e-9\n")))
    masked = "import numpy\ndef double(n):\n    return numpy.ma.array([0.0], mask=[True])\n"
    (verdict,) = await grade(suite, masked)
    assert verdict.base.reason == "its output cannot be compared: a masked element, which is no value"


ROWS = """\
def double(n):
    if n < 0:
        raise ValueError("negative")
    return list(range(2 * n))
"""


@pytest.mark.parametrize("reference", [ROWS, None])
async def test_long_outputs_after_an_exception_are_what_tests_look_at(
    folder: Path, reference: str | None
) -> None:
    tests = "with raises(ValueError):\n    double(-1)\nassert len(double(50000)) == 100000\n"
    write_task(folder / "ours", tests=tests, changes={"reference": reference})
    programs = [
        ROWS.replace("list(range(2 * n))", "list(range(2 * n))[::-1]"),
        ROWS.replace("list(range(2 * n))", "list(range(2 * n))[1:]"),
        ROWS.replace("ValueError", "TypeError"),
    ]
    right, short, other = await grade(load_suite("ours"), *programs)
    assert right.base.status == "passed", right.base.reason
    assert (short.base.cause, short.base.at) == ("wrong_output", 1)
    assert (other.base.cause, other.base.at) == ("raised", 0)


async def test_without_a_reference_literal_tests_are_run_and_audited(folder: Path) -> None:
    tests = "assert double(2) == 4\n\ndef test_more():\n    x = double(3)\n    assert x == 6\n"
    suite = load_suite(str(write_task(folder / "ours", changes={"reference": None}, tests=tests)))
    right, wrong, dead = await grade(
        suite,
        "def double(n):\n    return 2 * n\n",
        "def double(n):\n    return 4\n",
        "import os\ndef double(n):\n    os._exit(0)\n",
    )
    assert right.base.status == "passed"
    assert (wrong.base.cause, wrong.base.reason) == ("wrong_output", "wrong output: assert x == 6")
    assert dead.base.cause == "died"


async def test_a_program_that_would_pass_anything_inside_its_own_process_fails(folder: Path) -> None:
    suite = load_suite(str(write_task(folder / "ours")))
    cheats = [
        "class Yes(int):\n    def __eq__(self, other): return True\n"
        "    __hash__ = None\ndef double(n):\n    return Yes(0)\n",
        "import builtins\nbuiltins.AssertionError = None\ndef double(n):\n    return 0\n",
        "def check(candidate): pass\nraises = None\ndef double(n):\n    return 0\n",
    ]
    assert [verdict.base.status for verdict in await grade(suite, *cheats)] == ["failed"] * 3


# What a suite demands


async def test_imports_that_the_suite_does_not_allow_fail_with_a_cause_that_says_so(folder: Path) -> None:
    write_task(folder / "ours")
    (folder / "ours" / "suite.toml").write_text('imports = ["math"]\n')
    body = "def double(n):\n    return 2 * n\n"
    headed = [f"{head}\n{body}" for head in ("import math", "from os.path import join", "__import__('os')")]
    allowed, other, hidden = await grade(load_suite("ours"), *headed)
    assert allowed.base.status == "passed"
    assert other.base.cause == hidden.base.cause == "forbidden_import"
    assert other.base.reason == "line 1 imports os; the suite allows math"


async def test_imports_that_are_too_large_to_read_are_not_allowed(folder: Path) -> None:
    write_task(folder / "ours")
    (folder / "ours" / "suite.toml").write_text('imports = ["math"]\n')
    body = "def double(n):\n    return 2 * n\n    import math"
    dotted, deep = await grade(load_suite("ours"), body + ".a" * 50_000, body + "\n    " + "-" * 5000 + "n")
    assert dotted.base.reason == "line 1 imports what is too large to read; the suite allows math"
    assert deep.base.reason == "line 1 imports what is nested too deep to read; the suite allows math"


async def test_time_limits_of_the_suite_hold(folder: Path) -> None:
    write_task(folder / "ours")
    burn = "import time\ndef double(n):\n    while time.process_time() < 1.6: pass\n    return 2 * n\n"
    (folder / "ours" / "suite.toml").write_text("call_seconds = 0.3\n")
    [short] = await grade(load_suite("ours"), burn)
    (folder / "ours" / "suite.toml").write_text("call_seconds = 30\ntotal_seconds = 40\n")
    [long] = await grade(load_suite("ours"), burn)
    assert (short.base.cause, long.base.status) == ("time_out", "passed")


def test_a_suite_for_another_python_is_refused(folder: Path) -> None:
    write_task(folder / "ours")
    (folder / "ours" / "suite.toml").write_text('python = "<3.11"\n')
    with pytest.raises(SuiteError, match=r"is for Python <3\.11, and this is 3\."):
        load_suite("ours")


@pytest.mark.parametrize(
    ("demand", "version", "accepted"),
    [
        ("3.12", (3, 12, 4), True),
        ("3.12", (3, 1, 0), False),
        (">=3.11, <3.14", (3, 13, 9), True),
        (">=3.11,<3.14", (3, 14, 0), False),
        ("==3.12.1", (3, 12, 2), False),
        (">3.11", (3, 11, 9), False),
        (None, (3, 11, 0), True),
    ],
)
def test_a_demand_for_python_counts_the_places_that_it_names(
    demand: str | None, version: tuple[int, ...], accepted: bool
) -> None:
    assert Terms(python=demand).accepts_python(version) is accepted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = 'a'\ncolour = 1\n", r"suite\.toml, line 2: .*colour"),
        ('title = "\\u001b[2J"', r"suite\.toml, line 1: .*title"),
        ("\ncall_seconds = 0\n", r"suite\.toml, line 2: .*call_seconds"),
        ("python = 'new'\n", r"suite\.toml, line 1: .*'new' is no version"),
        ("title = \n", r"suite\.toml: not TOML.*line 1"),
    ],
)
def test_a_bad_suite_toml_is_named_with_its_line(folder: Path, text: str, message: str) -> None:
    write_task(folder / "ours")
    (folder / "ours" / "suite.toml").write_text(text)
    with pytest.raises(SuiteError, match=message):
        load_suite("ours")


# Bad input

SPEC = "---\nentry_point: {}\n---\nDo it.\n"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tests": None}, r"double has no tests\.py; it holds reference\.py, spec\.md"),
        ({"spec": None}, r"double has no spec\.md"),
        ({"tests": "x = 1\n"}, r"tests\.py, line 1: there are no tests"),
        ({"tests": "assert 1 == 1\n"}, r"tests\.py, line 1: there are no tests"),
        ({"tests": "assert double(2) ==\n"}, r"tests\.py, line 1: does not compile"),
        ({"tests": "\nimport pytest\nassert double(2) == 4\n"}, r"tests\.py, line 2: pytest is not there"),
        (
            {"tests": "from reference import double\nassert double(2) == 4\n"},
            r"line 1: double is there without",
        ),
        ({"tests": "assert double(n=2) == 4\n"}, r"line 1: double is called with n=…"),
        ({"tests": "def test_a(tmp):\n    assert double(2) == 4\n"}, r"line 1: test_a takes tmp"),
        (
            {"tests": "class TestA:\n    def test(self):\n        assert double(2) == 4\n"},
            r"in a class \(TestA\)",
        ),
        ({"spec": "Do it.\n"}, r"spec\.md, line 1: there is no front matter"),
        ({"spec": "---\nentrypoint: double\n---\nx\n"}, r"spec\.md, line 2: 'entrypoint: double' is no key"),
        ({"spec": "---\n\n---\nx\n"}, r"spec\.md, line 1: the front matter names no entry_point"),
        ({"spec": SPEC.format("Stack.push")}, r"spec\.md, line 2: .*'Stack\.push' is a method"),
        ({"spec": SPEC.format("double")[:-7] + "\n"}, r"spec\.md, line 3: there is no text"),
        ({"reference": "\nclass double:\n    pass\n"}, r"reference\.py, line 2: .*'double' is a class"),
        ({"reference": "class A:\n    def double(s): pass\n"}, r"reference\.py, line 2: .*is a method of A"),
        ({"reference": "async def double(n): pass\n"}, r"reference\.py, line 1: .*is a coroutine"),
        ({"reference": "def triple(n): pass\n"}, r"reference\.py, line 1: .*'double' is not defined"),
        (
            {
                "reference": None,
                "tests": "assert double(2) == 4\nfor n in (1, 2):\n    assert double(n) == 2 * n\n",
            },
            r"tests\.py, line 3: without a reference this test cannot be run",
        ),
        (
            {"reference": None, "tests": "assert double(double(2)) == 8\n"},
            r"tests\.py, line 1: without a reference .*no literal",
        ),
        (
            {"reference": None, "tests": "assert double(2) == 4\nwith raises(Negative):\n    double(-1)\n"},
            r"tests\.py, line 2: without a reference .*Negative is defined nowhere",
        ),
    ],
)
def test_a_bad_task_is_named_with_file_and_line(
    folder: Path, changes: dict[str, str | None], message: str
) -> None:
    with pytest.raises(SuiteError, match=message) as caught:
        load_suite(str(write_task(folder / "ours", changes=changes)))
    assert caught.value.hint


def row(**changes: Any) -> dict[str, Any]:
    fields = {
        "task_id": "a/1",
        "prompt": "def double(n):\n",
        "entry_point": "double",
        "canonical_solution": "    return 2 * n\n",
        "test": "def check(candidate):\n    assert candidate(2) == 4\n",
    }
    return {key: value for key, value in (fields | changes).items() if value is not None}


INPUTS = {"test": None, "base_input": [[1]], "plus_input": [], "atol": 0}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [row(), row(task_id="a/2", **INPUTS)],
            r"line 2: a/2 is a row of another form than the one on line 1",
        ),
        ([row(), row()], r"line 2: task_id 'a/1' is there already, on line 1"),
        ([row(test=None)], r"line 1: a/1 has no tests; it has task_id"),
        ([row(test="x = 1")], r"line 1: a/1: test defines no check\(candidate\)"),
        ([row(**INPUTS | {"base_input": []})], r"line 1: a/1: base_input is empty"),
        ([row(**INPUTS | {"base_input": [3]})], r"line 1: a/1: base_input\[0\] is no list"),
        ([row(**INPUTS | {"atol": math.inf})], r"line 1: a/1: atol is inf"),
        ([row(**INPUTS | {"atol": math.nan})], r"line 1: a/1: atol is nan"),
        ([row(**INPUTS | {"atol": -1})], r"line 1: a/1: atol is -1"),
        ([row(entry_point="A.double")], r"line 1: a/1: the entry point 'A\.double' is a method"),
        ([row(prompt="class double:\n", canonical_solution="    x = 1\n")], r"line 1: a/1: .*is a class"),
        ([row(prompt="def double(n:\n")], r"line 1: a/1: prompt and canonical_solution together: does not"),
        ([row(task_id="a,b")], r"line 1: task_id 'a,b' holds a comma"),
        ([row(task_id="HumanEval/3")], r"line 1: task_id 'HumanEval/3' is one of HumanEval\+"),
    ],
)
def test_a_bad_row_is_named_with_file_and_line(
    folder: Path, rows: list[dict[str, Any]], message: str
) -> None:
    (folder / "bad.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    with pytest.raises(SuiteError, match=rf"bad\.jsonl, {message}") as caught:
        load_suite("bad.jsonl")
    assert caught.value.hint


def test_a_folder_of_two_forms_is_refused(folder: Path) -> None:
    write_task(folder / "ours")
    (folder / "ours" / "tasks.jsonl").write_text(json.dumps(row()) + "\n")
    with pytest.raises(SuiteError, match=r"mixes forms: tasks\.jsonl has rows"):
        load_suite("ours")


def test_rows_in_a_folder_have_its_demands(folder: Path) -> None:
    (folder / "ours").mkdir()
    (folder / "ours" / "tasks.jsonl").write_text(json.dumps(row()) + "\n")
    before = load_suite("ours")
    (folder / "ours" / "suite.toml").write_text('title = "Ours"\nimports = []\n')
    after = load_suite("ours")
    assert (after.title, after.terms.imports) == ("Ours", ())
    assert before.data.sha256 != after.data.sha256


def test_a_part_of_rows_that_lie_elsewhere_is_a_suite_of_the_same_data(folder: Path) -> None:
    for name in ("whole", "hard"):
        (folder / name).mkdir()
    rows = [row(task_id=name) for name in ("easy/1", "hard/1", "hard/2")]
    (folder / "whole" / "tasks.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    (folder / "hard" / "suite.toml").write_text('tasks = "../whole/tasks.jsonl"\nonly = "hard/*"\n')
    whole, hard = load_suite("whole"), load_suite("hard")
    assert [task.id for task in hard.tasks] == ["hard/1", "hard/2"]
    assert hard.data.sha256 == whole.data.sha256
    (folder / "hard" / "suite.toml").write_text('tasks = "../whole/tasks.jsonl"\ncall_seconds = 9\n')
    demanding = load_suite("hard")
    assert (len(demanding.tasks), demanding.terms.call_seconds) == (3, 9)
    assert demanding.data.sha256 != whole.data.sha256  # other programs pass


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('tasks = "gone.jsonl"\n', r"gone\.jsonl \(from --dataset\) does not exist"),
        ('only = "none/*"\n', r"tasks\.jsonl \(from --dataset\) holds no tasks"),
        ("tasks = 3\n", r"suite\.toml, line 1: .*tasks"),
    ],
)
def test_a_part_that_is_none_is_refused(folder: Path, settings: str, message: str) -> None:
    (folder / "ours").mkdir()
    (folder / "ours" / "tasks.jsonl").write_text(json.dumps(row()) + "\n")
    (folder / "ours" / "suite.toml").write_text(settings)
    with pytest.raises(SuiteError, match=message) as caught:
        load_suite("ours")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("prices/discount", "is one task, not a suite"),
        ("empty", "holds no task"),
        ("none.jsonl", r"none\.jsonl does not exist"),
        ("mini.jsonl", "its name 'mini' is that of another suite"),
        ("a b", "cannot be a suite's name"),
    ],
)
def test_a_path_that_is_no_suite_is_refused(folder: Path, path: str, message: str) -> None:
    for name in ("empty", "a b"):
        (folder / name).mkdir()
    (folder / "mini.jsonl").write_text(json.dumps(row()) + "\n")
    with pytest.raises(DualcodeError, match=message) as caught:
        load_suite(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("tests", "fault"),
    [
        ("assert double(2) == 5\n", r"tests\.py: the reference fails .*line 1: assert double\(2\) == 5"),
        ("print('x' * 10**7)\nassert double(2) == 4\n", None),
        ("assert double(2) == 4\nwhile True: pass\n", r"tests\.py: the reference fails its own check"),
        ("def helper():\n    assert double(2) == 4\n", r"the tests never call double"),
        (
            "assert double('') == Odd.ONE\n",
            "double returned a Odd, and tests see data, no objects",
        ),
        ("x = [1]\ndouble(x)\nassert x == [1, 1]\n", "the tests do not hold on what the reference returned"),
    ],
)
def test_check_tells_what_is_wrong_with_the_tests(
    folder: Path, run: Run, tests: str, fault: str | None
) -> None:
    reference = (
        "import enum\nclass Odd(enum.Enum):\n    ONE = 1\n"
        "def double(n):\n    if isinstance(n, list): n *= 2\n    return 2 * n if n else Odd.ONE\n"
    )
    write_task(folder / "ours", tests=tests, reference=reference)
    code, out, _ = run("suite", "check", "ours")
    assert code == (2 if fault else 0), out
    assert fault is None or re.search(fault, out), out


def test_check_finds_hidden_tests_in_prompts_and_examples_that_are_not_true(folder: Path, run: Run) -> None:
    shown = SPEC.format("double") + "\n>>> double( 2 )\n4\n>>> double(5)\n11\n"
    write_task(folder / "ours", "all", spec=shown)
    write_task(folder / "ours", "text", spec=SPEC.format("double") + "Mind double(2) above all.\n")
    code, out, _ = run("suite", "check", "ours")
    assert code == 2
    assert "the prompt shows every hidden test as an example" in out
    assert "the prompt shows a hidden test: double(2)" in out
    assert "a test in the prompt and the reference disagree" in out
    assert "Got: 10" in out


async def test_a_reference_that_fails_its_own_tests_leaves_a_task_without_verdict(folder: Path) -> None:
    suite = load_suite(str(write_task(folder / "ours", tests="assert double(2) == 5\n")))
    [verdict] = await grade(suite, "def double(n):\n    return 5\n")
    assert verdict.errored
    assert "tests.py" in (verdict.base.reason or "")
    assert "line 1: assert double(2) == 5" in (verdict.base.reason or "")


# Packages


class Installed:
    """Entry points as a package brings them."""

    def __init__(self, **values: object) -> None:
        self.values = values

    def __call__(self, *, group: str) -> Iterator[Any]:
        assert group == registry.GROUP
        for name, value in self.values.items():
            yield SimpleNamespace(name=name, value="package:suite", dist=None, load=lambda v=value: v)


def test_a_package_adds_a_suite_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr(registry.importlib.metadata, "entry_points", Installed(shop=folder / "prices"))
    suite = load_suite("Shop")
    assert (suite.name, suite.title, suite.address) == ("shop", "Prices", "shop")
    assert [task.id for task in suite.tasks] == ["shop/discount"]
    code, out, _ = run("datasets")
    assert code == 0
    assert "shop" in out


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({"mini": "x"}, "the suite 'mini' of an entry point has a name that is taken"),
        ({"shop": 3}, "the suite 'shop' of an entry point cannot be found: TypeError"),
    ],
)
def test_a_package_s_suite_that_shadows_another_or_is_none_is_named_and_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, run: Run, points: dict[str, object], message: str
) -> None:
    installed = Installed(**points, prices=folder / "prices")
    monkeypatch.setattr(registry.importlib.metadata, "entry_points", installed)
    code, out, err = run("datasets")
    assert (code, "prices" in out, f"left out: {message}" in err) == (0, True, True)
    assert find_entry("prices").name == "prices"
    code, _, err = run("datasets", "--check", "price")
    assert code == 2 and "no dataset is named 'price'" in err
    assert f"left out: {message}" in err


def test_a_package_s_broken_suite_is_refused_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    points = Installed(shop=3, mini="x")
    monkeypatch.setattr(registry.importlib.metadata, "entry_points", points)
    with pytest.raises(ConfigError, match="the suite 'shop' of an entry point cannot be found: TypeError"):
        find_entry("Shop")
    assert find_entry("mini").name == "mini"


# Order and caches


def test_a_team_s_own_data_is_no_benchmark_s_and_nothing_is_said_of_that(folder: Path) -> None:
    suite = load_suite(str(write_task(folder / "ours")))
    assert not suite.data.official
    assert suite.data.notice(suite.name) is None
    assert suite.data.notice("mini")  # the same data where shipped data is expected


@pytest.mark.parametrize("name", ["ours/double/tests.py", "ours/suite.toml", "ours/double", "ours"])
def test_files_of_a_suite_that_others_may_write_are_warned_of(folder: Path, name: str) -> None:
    write_task(folder / "ours")
    (folder / "ours" / "suite.toml").write_text("")
    told: list[str] = []
    load_suite("ours", tell=told.append)
    assert told == []
    (folder / name).chmod(0o777)
    load_suite("ours", tell=told.append)
    [warning] = told
    assert f"who else may write {folder / 'ours'} decides what passes" in warning
    assert f"{folder / name} may be written by everyone" in warning


def test_tasks_stand_in_the_order_of_their_numbers(folder: Path) -> None:
    for name in ("10-ten", "9-nine", "a"):
        write_task(folder / "ours", name)
    assert [task.id for task in load_suite("ours").tasks] == ["ours/9-nine", "ours/10-ten", "ours/a"]


def test_ids_that_differ_in_one_sign_have_a_file_each(folder: Path) -> None:
    cache = CalibrationCache("s", "0" * 64, "m", root=folder)
    names = {cache._path(task) for task in ("a-b", "a_b", "a/b")}  # pyright: ignore[reportPrivateUsage]
    assert len(names) == 3
