"""One cause, one exit code, one sentence: what the machine refuses, and the help's table of exit codes."""

import errno
import io
import os
import re
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dualcode.cli import main as cli
from dualcode.cli.main import EXIT_REFUSED, refusal
from dualcode.errors import InputError, RunError, SandboxError
from tests.cli.typed import Run, finished, undrawn
from tests.fake_server import Answer, FakeServer, serve
from tests.made import Story, write_run

CAUSES = {
    errno.ENOSPC: "the disk is full: ", errno.EDQUOT: "the disk is full: ", errno.EROFS: "this user may not",
    errno.EACCES: "this user may not", errno.EMFILE: "too few files may be open at a time (",
    errno.ENFILE: "too few files may be open at a time (",
}  # fmt: skip
WRITERS = {
    "tables": ["tables", "runs", "-o", "out"],
    "figures": ["figures", "runs", "--no-grade", "--name", "figure-2", "-o", "out"],
    "report": ["report", "runs", "--no-grade", "-o", "out/report.html"],
    "export": ["export", "runs", "-o", "out"],
    "suite": ["suite", "new", "out"],
    "extract": ["extract", "replies.jsonl", "--dataset", "mini", "-o", "out.jsonl"],
    "eval": ["eval", "--pipeline", "raw-coder", "--limit", "1", "--team", "team.toml", "--run-dir", "out"],
    "reproduce": ["reproduce", "--study", "quick", "--team", "team.toml", "-o", "out"],
}
"""The commands that write, and what makes each do it at once."""


@pytest.mark.parametrize(
    ("command", "number"),
    [(command, errno.ENOSPC) for command in WRITERS] + [("tables", number) for number in CAUSES],
)
def test_a_refused_write_is_one_sentence_and_one_code_in_every_command(
    run: Run, team: Callable[[FakeServer], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    command: str, number: int,
) -> None:  # fmt: skip
    finished(tmp_path / "runs")
    if command == "report":
        monkeypatch.setattr("dualcode.figures.drawing.draw", undrawn)
    (tmp_path / "replies.jsonl").write_text('{"task_id": "MiniRich/0", "response": "x"}\n')

    def refused(act: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(path: Any, *arguments: Any, **options: Any) -> Any:
            mode = str(arguments[0] if arguments else options.get("mode", "r"))
            reads = act is io.open and mode.startswith("r")
            whole = os.path.abspath(path) if isinstance(path, str | Path) else ""  # noqa: PTH100 - no look
            if not reads and re.match(rf"{re.escape(str(tmp_path))}/\.?out", whole):
                raise OSError(number, os.strerror(number), str(path))
            return act(path, *arguments, **options)

        return guarded

    with serve(Answer(content="x")) as server:
        team(server)
        for module, name in ((os, "mkdir"), (os, "open"), (io, "open")):
            monkeypatch.setattr(module, name, refused(getattr(module, name)))
        code, _, err = run(*WRITERS[command])
        monkeypatch.undo()
    assert (code, err.count("error: ")) == (EXIT_REFUSED, 1), err
    told = err[err.index("error: ") :]
    assert told.startswith(f"error: {CAUSES[number]}")
    assert "try: " in told and "Traceback" not in err


@pytest.mark.parametrize("record", ["add_verdict", "add_call", "add_sample", "add_tasks"])
def test_a_full_disk_while_a_run_writes_ends_with_the_same_sentence(
    run: Run, team: Callable[[FakeServer], Path], monkeypatch: pytest.MonkeyPatch, record: str
) -> None:
    from dualcode.runs.session import RunStore

    def full(self: RunStore, *_: object) -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RunError(f"cannot write {self.folder}/verdicts.jsonl: {error}") from error

    monkeypatch.setattr(RunStore, record, full)
    with serve(Answer(content="```python\ndef double(n):\n    return n\n```")) as server:
        code, _, err = run("eval", "--pipeline", "raw-coder", "--limit", "2", "--team", team(server))
    assert code == EXIT_REFUSED
    assert "error: the disk is full: cannot write " in err and "Traceback" not in err


@pytest.mark.parametrize("command", ["extract", "score"])
def test_a_place_that_is_looked_at_before_the_work_is_refused_in_the_same_words(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "replies.jsonl").write_text('{"task_id": "MiniRich/0", "solution": "x = 1"}\n')

    def readable(_: object, mode: int) -> bool:
        return mode != os.W_OK

    monkeypatch.setattr(os, "access", readable)
    code, _, err = run(command, "replies.jsonl", "--dataset", "mini", "-o", "out.jsonl")
    assert (code, err.startswith("error: this user may not read or write there: ")) == (EXIT_REFUSED, True), (
        err
    )


def test_stdout_on_a_full_disk_is_told_on_stderr(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dualcode", "pipelines"], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    assert done.returncode == EXIT_REFUSED
    assert done.stderr.startswith("error: the disk is full: ") and done.stderr.count("\n") == 2


def test_few_descriptors_are_told_as_such(tmp_path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    script = (
        "import resource, sys, dualcode.cli.main as cli, dualcode.cli.pipelines\n"
        "import dualcode.pipelines.find\n"
        "held = [open('/dev/null') for _ in range(8)]\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, (3, {hard}))\n"
        "sys.argv = ['dualcode', 'spec', 'stub.py']\n"
        "cli.main()\n"
    )
    (tmp_path / "stub.py").write_text("def f():\n    '''Return 1.'''\n")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == EXIT_REFUSED, done.stderr
    assert done.stderr.startswith("error: too few files may be open at a time (3)\n  try: ulimit -n 4096")


@pytest.mark.parametrize("home", ["/dev/null", ""])
def test_an_unusable_home_is_told_as_such(run: Run, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    from dualcode.serving import pair

    def start(*_: object, **__: object) -> None:
        Path("/dev/null/.local/state/dualcode").mkdir(parents=True)

    monkeypatch.setenv("HOME", home)
    monkeypatch.setattr(pair, "start", start)
    code, _, err = run("serve", "start", "--profile", "cpu")
    assert code == EXIT_REFUSED
    assert "this is no folder to write in: " in err
    assert f"HOME is {home or 'not set'}" in err


def test_no_home_at_all_is_told_as_such() -> None:
    told = refusal(RuntimeError("Could not determine home directory."))
    assert told is not None and told.startswith("there is no home to write in: HOME is ")


def test_the_ledger_s_database_tells_the_same_causes(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "small.db")
    database.execute("PRAGMA max_page_count = 2")
    database.execute("CREATE TABLE t (x)")
    with pytest.raises(sqlite3.OperationalError) as failed:
        for _ in range(100):
            database.execute("INSERT INTO t VALUES (zeroblob(4000))")
    database.close()
    told = refusal(failed.value)
    assert told is not None and told.startswith("the disk is full: ")
    with pytest.raises(sqlite3.OperationalError) as shut:
        sqlite3.connect(tmp_path / "no" / "such.db")
    told = refusal(shut.value)
    assert told is not None and told.startswith("this user may not read or write there: ")


def caused(error: Exception, cause: BaseException | None, *, hidden: bool = False) -> Exception:
    try:
        try:
            if cause is not None:
                raise cause
        except BaseException as inner:
            raise error from (None if hidden else inner)
        raise error
    except Exception as made:
        return made


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "error",
    [FULL, caused(InputError("cannot write to out"), FULL), caused(RunError("stopped"), FULL, hidden=True),
     ExceptionGroup("several", [ValueError("x"), caused(RunError("a run"), FULL)]),
     caused(ValueError("at the end"), caused(RunError("before"), FULL))],
)  # fmt: skip
def test_the_cause_counts_however_deep_it_lies(error: Exception) -> None:
    told = refusal(error)
    assert told is not None and told.startswith("the disk is full: ")


@pytest.mark.parametrize(
    "error",
    [
        InputError("no such file"),
        caused(InputError("no such file"), FileNotFoundError(errno.ENOENT, "No such file", "x")),
        caused(RunError("no run"), NotADirectoryError(errno.ENOTDIR, "Not a directory", "x"), hidden=True),
        caused(SandboxError("no namespaces"), PermissionError(errno.EPERM, "unshare: not permitted")),
        caused(SandboxError("no cgroup"), PermissionError(errno.EACCES, "denied", "/sys/fs/cgroup")),
        PermissionError(errno.EACCES, "a port below 1024"),
        ValueError("a fault"), RuntimeError("another fault"),
    ],
)  # fmt: skip
def test_what_the_machine_did_not_refuse_keeps_its_own_code_and_words(error: Exception) -> None:
    assert refusal(error) is None


def test_a_fault_of_dualcode_s_own_is_not_dressed_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("dualcode.pipelines.find.pipelines", broken)
    with pytest.raises(ZeroDivisionError):
        run("pipelines")


def test_an_error_in_a_group_is_printed_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def grouped(*_: object) -> None:
        raise ExceptionGroup("tasks", [ExceptionGroup("more", [RunError("the run stopped", hint="again")])])

    monkeypatch.setattr("dualcode.pipelines.find.pipelines", grouped)
    code, _, err = run("pipelines")
    assert (code, err) == (3, "error: the run stopped\n  try: again\n")


def test_hints_say_what_works_where_dualcode_is_on_no_path(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, spelled in (
        ("/nowhere", "-m dualcode pipelines"),
        (str(Path(sys.executable).parent), "dualcode pipelines"),
    ):
        monkeypatch.setenv("PATH", path)
        _, _, err = run("eval", "--pipeline", "none")
        on_path = path != "/nowhere" and (Path(path) / "dualcode").exists()
        assert err.rstrip().endswith(f"try: {spelled}" if on_path else "-m dualcode pipelines")


# The help's table of exit codes, each one as it comes about.


def no_server(run: Run, folder: Path) -> int:
    return run("eval", "--pipeline", "raw-coder", "--base-url", "http://127.0.0.1:9/v1", "--model", "m")[0]


def no_run(run: Run, folder: Path) -> int:
    return run("show", "nowhere")[0]


def half_a_run(run: Run, folder: Path) -> int:
    half = write_run(folder / "half", "raw-coder", {"a": Story(plus=True)}, tasks=["a", "b"])
    (half / "verdicts.jsonl").write_text("")
    return run("costs", half)[0]


def leak(run: Run, folder: Path) -> int:
    from dualcode.suites.registry import load_suite

    suite = load_suite("mini").select(1)
    task = suite.tasks[0]
    hidden = suite.hidden[task.id].reference()
    made = write_run(folder / "leak", "raw-coder", {task.id: Story(plus=True)}, dataset="mini",
                     prompts={task.id: f"{task.prompt}\n{hidden}"}, data=suite.data.sha256)  # fmt: skip
    return run("audit", made)[0]


def errored(run: Run, folder: Path) -> int:
    with serve(Answer(status=503)) as server:
        team = ["--base-url", server.base_url, "--model", "m"]
        return run("eval", "--pipeline", "raw-coder", "--limit", "1", *team)[0]


def listed(run: Run, error: BaseException) -> int:
    def fail(*_: object) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dualcode.pipelines.find.pipelines", fail)
        return run("pipelines")[0]


def interrupted(run: Run, folder: Path) -> int:
    return listed(run, KeyboardInterrupt())


def refused(run: Run, folder: Path) -> int:
    return listed(run, FULL)


def fault(run: Run, folder: Path) -> int:
    script = "import dualcode.cli.main as m; m.command = None; import sys; sys.argv = ['d', 'show']; m.main()"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode


def spent(run: Run, folder: Path) -> int:
    """As a duel ends at its limit of money, which tests/duels/test_command.py has whole."""
    told = "from dualcode.errors import MoneyError as E; raise E('spent', hint='more')"
    script = f"import dualcode.cli.main as m; m.command = lambda *_: exec({told!r}); m.main()"
    words = [sys.executable, "-c", script, "show"]
    return subprocess.run(words, capture_output=True, check=False).returncode


def typed(*words: str) -> Callable[[Run, Path], int]:
    def scenario(run: Run, folder: Path) -> int:
        return run(*words)[0]

    return scenario


SCENARIOS: dict[int, tuple[Callable[[Run, Path], int], ...]] = {
    0: (typed("pipelines"),),
    1: (fault,),
    2: (
        typed("eval", "--pipelin", "x"),
        typed("eval", "--pipeline", "none"),
        typed("score", "nothing.jsonl", "--dataset", "mini"),
        typed("eval", "--pipeline", "raw-coder"),
    ),
    3: (no_server, no_run, half_a_run, typed("serve", "status")),
    4: (errored,),
    5: (leak,),
    EXIT_REFUSED: (refused,),
    7: (spent,),
    130: (interrupted,),
}


@pytest.mark.parametrize("code", SCENARIOS)
def test_each_code_of_the_help_comes_about_as_it_says(run: Run, tmp_path: Path, code: int) -> None:
    for scenario in SCENARIOS[code]:
        assert scenario(run, tmp_path) == code


def test_the_help_lists_these_codes_and_no_other() -> None:
    listed = re.findall(r"^ {2}(\d+) +\w", cli.EXIT_CODES, re.M)
    assert [int(code) for code in listed] == list(SCENARIOS)
