"""What is wrong on a command line: named with its value and what to type next, and nothing is written."""

# ruff: noqa: E501 - a row a line

from collections.abc import Iterator
from pathlib import Path

import pytest

from dualcode.cli import main
from dualcode.cli.main import COMMANDS
from tests.cli.typed import Run, finished

STUB = 'def double(n):\n    """Return twice n.\n\n    >>> double(2)\n    4\n    """\n'
ISSUE = "workflow run --issue flask-4041"

USAGE = {
    "audit": "Missing argument 'RUN'",
    "clean everything": "'everything' is not one of 'grading', 'models', 'issues', 'state'",
    "clean --yes --json": "--json says where things lie, and clears nothing: leave out --yes",
    "compare": "Missing argument 'RUN...'",
    "compare runs --part hard": "'hard' is not one of 'base', 'plus'",
    "costs": "Missing argument 'RUN…'",
    "datasets mini": "unexpected extra argument (mini)",
    "doctor --base-url http://127.0.0.1:9/v1": "--base-url and --model go together",
    "duel run": "Missing argument 'CONFIG.toml'",
    "duel run duel.toml --concurrency 0": "0 is not in the range x>=1",
    "duel export nowhere --format csv": "'csv' is not 'duobench'",
    "duel tables nowhere --format html": "'html' is not one of 'terminal', 'md', 'csv', 'tex', 'json'",
    "eval": "Missing option '--pipeline'",
    "eval --pipeline raw-coder --limit 0": "0 is not in the range x>=1",
    "eval --pipeline raw-coder --concurrency many": "'many' is not a valid integer range",
    "eval --pipeline raw-coder --task-seconds 0": "0.0 is not in the range x>0",
    "eval --pipeline raw-coder --wait-for-server -1": "-1.0 is not in the range x>=0",
    "eval --pipeline raw-coder --model m": "--base-url and --model go together",
    "export": "Missing argument 'RUN…'",
    "export RUN --format csv": "'csv' is not one of 'inspect', 'evalplus', 'evalplus-folder'",
    "export RUN --data stub.py": "--data is for --format evalplus",
    "export RUN -o stub.py": "Directory 'stub.py' is a file",
    "extract": "Missing argument 'RESPONSES'",
    "extract replies.jsonl --dataset mini": "Missing option '-o' / '--output'",
    "failures": "Missing argument 'RUN'",
    "failures RUN --part hard": "'hard' is not one of 'base', 'plus'",
    "figures": "Missing argument 'RUN…'",
    "gateway --port 70000": "70000 is not in the range 0<=x<=65535",
    "gateway --no-records --keep-calls": "give either --no-records or --keep-calls",
    "gateway --max-bytes 5": "5 is not in the range x>=1024",
    "gateway --at-once 0": "0 is not in the range x>=1",
    "gateway --queue -1": "-1 is not in the range x>=0",
    "gateway --model m": "--base-url and --model go together",
    "issues check": "Missing argument 'TASK|FOLDER...'",
    "issues new ours --issue stub.py": "Missing option '--path'",
    "issues new ours --path empty": "Missing option '--issue'",
    "issues import rows.jsonl": "Missing argument 'FOLDER'",
    "issues prove flask-4041": "No such command 'prove'",
    "ledger prune": "give either --all, or --older-than, --model or --damaged",
    "ledger prune --all --damaged": "give either --all, or --older-than, --model or --damaged",
    "ledger prune --older-than soon": "'soon' is no age; write 30d, 12h or 2w",
    "panel check": "Missing option '--judge'",
    "panel check --judge reviewer --most-characters 5": "5 is not in the range x>=500",
    "pipelines raw-coder": "unexpected extra argument (raw-coder)",
    "quantize none": "Missing option '-o' / '--output'",
    "quantize none -o made --with gptq": "'gptq' is not one of 'llm-compressor', 'autoawq', 'builtin'",
    "quantize none -o made --group 1": "1 is not in the range x>=8",
    "quantize none -o made --samples 0": "0 is not in the range x>=1",
    "records prune": "give either --all, or --older-than",
    "records prune --all --older-than 3d": "give either --all, or --older-than",
    "records prune --older-than 0d": "'0d' is no age",
    "records --since 7d prune --all": "--since and --json are not for prune",
    "records --json prune --all": "--since and --json are not for prune",
    "report": "give either RUN…, or --records",
    "report runs --records": "give either RUN…, or --records",
    "report --records --baseline raw-coder": "are of runs: leave them out with --records",
    "report --records --no-grade": "are of runs: leave them out with --records",
    "reproduce --study quick --limit 0": "0 is not in the range x>=1",
    "reproduce --study quick --base-url http://127.0.0.1:9/v1": "--base-url and --model go together",
    "review": "give FILES, or --diff REV, or - for stdin",
    "review stub.py --diff HEAD": "give FILES, or --diff REV, or - for stdin",
    "review - stub.py": "give FILES, or --diff REV, or - for stdin",
    "review stub.py --fix": "--fix needs --test-cmd",
    "review stub.py --test-cmd true": "--test-cmd tries fixes: give --fix, too",
    "review - --fix --test-cmd true": "--fix writes files, and stdin is none",
    "review stub.py --format html": "'html' is not one of 'text', 'json', 'sarif', 'github', 'gitlab'",
    "review stub.py --json --format sarif": "give either --json, or --format sarif",
    "review stub.py --fail-on all": "'all' is not one of 'confirmed', 'any', 'never'",
    "review stub.py --most-characters 5": "5 is not in the range x>=500",
    "review stub.py --test-seconds 0": "0.0 is not in the range x>0",
    "reviewer": "Missing argument 'RUN...'",
    "reviewer judge RUN --data none.jsonl": "File 'none.jsonl' does not exist",
    "reviewer RUN --no-grade --data stub.py": "--data is for grading: leave out --no-grade",
    "reviewer bench": "Missing option '--suite'",
    "reviewer bench --suite mini --mutants 0": "0 is not in the range x>=1",
    "reviewer bench --suite mini --thinking maybe": "'maybe' is not one of 'both', 'on', 'off'",
    "sandbox now": "unexpected extra argument (now)",
    "score": "Missing argument 'SAMPLES'",
    "score samples.jsonl": "Missing option '--dataset'",
    "score samples.jsonl --dataset mini --workers 0": "0 is not in the range x>=1",
    "score samples.jsonl --dataset mini --explain MiniRich/0 -o out.json": "leave out --output",
    "serve begin": "No such command 'begin'",
    "serve stop now": "unexpected extra argument (now)",
    "serve plan --profile a10g": "--profile and --display are of a card: give --gpu, too",
    "serve plan --display": "--profile and --display are of a card: give --gpu, too",
    "show": "Missing argument 'RUN'",
    "show RUN --prompts": "--prompts is of one task: give RUN and TASK",
    "solve stub.py --model m": "--base-url and --model go together",
    "spec": "Missing argument 'FILE...'",
    "suite new": "Missing argument 'NAME'",
    "suite check": "Missing argument 'NAME|PATH'",
    "tables": "Missing argument 'RUN…'",
    "tables runs --format html": "'html' is not one of 'md', 'csv', 'tex', 'json'",
    "tables runs -o stub.py": "Directory 'stub.py' is a file",
    "top --once --prometheus 9310": "--prometheus shows nothing; give it without --once and --json",
    "top --json --prometheus 9310": "--prometheus shows nothing; give it without --once and --json",
    "top --interval 0.1": "0.1 is not in the range x>=0.2",
    "top --prometheus 0": "0 is not in the range 1<=x<=65535",
    "workflow run": "give --issue TASK; `issues list` has some",
    "workflow check": "Missing argument 'NAME|FILE...'",
    "workflow run plan-implement --resume nowhere": "--resume goes on with what is on record",
    "workflow run --resume nowhere --dry-run": "--resume goes on with what is on record",
    "workflow run --resume nowhere --steps 3": "--resume goes on with what is on record",
    f"{ISSUE} --input novalue": "--input 'novalue': write KEY=VALUE",
    f"{ISSUE} --input =value": "--input '=value': write KEY=VALUE",
    f"{ISSUE} --approve gate": "--approve 'gate': write KEY=VALUE",
    f"{ISSUE} --steps 0": "0 is not in the range x>=1",
    f"{ISSUE} --seconds 0.5": "0.5 is not in the range x>=1",
    f"{ISSUE} --dry-run --role coder=x": "--role binds to an endpoint of a team: give --team, too",
}
"""Lines that no command takes: what is said of each, beside its usage and how to see its help."""

NO_RUN = "is no run: it has no manifest.json", "the folder that `dualcode eval` named"
NO_DUEL = "nowhere is no duel: it has no manifest.json", "the folder that `duel run` names"
NO_TEAM = "no team: --team was not given", "scripts/serve.sh start"
NO_SUCH_TEAM = "no team file 'none.toml'", "copy serving/cpu/team.toml and edit it"
NO_TASK = "no task is named 'MiniRich/99'; nearest: MiniRich/9", "one of the 24 tasks of --dataset mini"
NO_SUITE = "no dataset is named 'none'; known: humaneval", "dualcode datasets, or the path of a file"
NO_PIPELINE = "no pipeline is named 'rview-fix'; nearest: review-fix", "dualcode pipelines"
NO_DATA = "none.jsonl (from --data) does not exist", "--data FILE with EvalPlus's .jsonl"
NO_PROFILE = "no serving profile is named 'none'", "dualcode serve start --profile FOLDER"
NO_ISSUE = "no issue task is named 'flask-1'; nearest: flask-4041", "dualcode issues list, or a task's folder"
NO_TOML = "bad.toml: cannot be read as TOML: Invalid value (at line 1, column 5)"
NO_LEDGER = "there is no ledger in nowhere/ledger", "--run-dir FOLDER, where the runs lie"

REFUSED = {
    "audit nowhere": (3, *NO_RUN),
    "audit RUN": (2, "(synthetic, SHA-256 000000000000…) is not on this machine", "--data, $HUMANEVAL_OVERRIDE"),
    "audit RUN --data none.jsonl": (2, *NO_DATA),
    "compare nowhere": (3, *NO_RUN),
    "compare empty": (3, *NO_RUN),
    "compare runs --baseline nobody": (2, "'nobody' is neither a pipeline nor a run", "one of raw-coder, review-"),
    "costs nowhere runs": (3, *NO_RUN),
    "costs empty": (3, *NO_RUN),
    "datasets --check humanevil": (2, "no dataset is named 'humanevil'; nearest: humaneval", "dualcode datasets"),
    "duel none.toml": (2, "no duel's file 'none.toml'", "docs/duels.md has the table of keys"),
    "duel bad.toml": (2, NO_TOML, "docs/duels.md has the table of keys"),
    "duel forecast none.toml": (2, "no duel's file 'none.toml'", "docs/duels.md"),
    "duel show nowhere": (3, *NO_DUEL),
    "duel show nowhere --cell a/b/1": (3, *NO_DUEL),
    "duel report nowhere": (3, *NO_DUEL),
    "duel tables nowhere": (3, *NO_DUEL),
    "duel figures nowhere --name vlaue": (2, "'vlaue'; nearest: value", "dualcode duel figures --help"),
    "duel export nowhere": (3, *NO_DUEL),
    "eval --pipeline rview-fix": (2, *NO_PIPELINE),
    "eval --pipeline mine.py": (2, "mine.py defines no pipeline", "@pipeline(name, roles=[…])"),
    "eval --pipeline ,": (2, "',' names no pipeline", "dualcode pipelines"),
    "eval --pipeline raw-coder --dataset none": (2, *NO_SUITE),
    "eval --pipeline raw-coder --data none.jsonl": (2, *NO_DATA),
    "eval --pipeline raw-coder --tasks MiniRich/99 --limit 3": (2, *NO_TASK),
    "eval --pipeline raw-coder --team none.toml": (2, *NO_SUCH_TEAM),
    "eval --pipeline raw-coder --team bad.toml": (2, NO_TOML, "copy serving/cpu/team.toml"),
    "eval --pipeline raw-coder": (2, *NO_TEAM),
    "export nowhere": (3, *NO_RUN),
    "export RUN --format evalplus --data none.jsonl": (2, *NO_DATA),
    "extract none.jsonl --dataset mini -o out.jsonl": (2, "none.jsonl does not exist", "ls -l ."),
    "extract replies.jsonl --dataset none -o out.jsonl": (2, *NO_SUITE),
    "extract replies.jsonl --dataset mini -o empty": (2, "empty cannot be written: it is no regular file", "-o"),
    "extract replies.jsonl --dataset mini -o out.jsonl --key reply": (
        2, "replies.jsonl, line 1: 'reply' missing; keys found: 'task_id', 'response'", "with --key"),
    "extract bad.toml --dataset mini -o out.jsonl": (2, "bad.toml, line 1: not JSON", "one JSON object a line"),
    "failures nowhere": (3, *NO_RUN),
    "failures RUN --baseline nowhere": (3, *NO_RUN),
    "failures RUN --explain HumanEval/9": (2, "'HumanEval/9'; nearest: HumanEval/0", "dualcode show "),
    "failures RAW": (3, "is itself a run of raw-coder", "another run, or --baseline RUN"),
    "figures nowhere": (3, *NO_RUN),
    "figures runs --name figure-9": (2, "no figure is named 'figure-9'; nearest: ", "dualcode figures --help"),
    "gateway --port 0 --pipelines rview-fix": (2, *NO_PIPELINE),
    "issues show flask-1": (2, *NO_ISSUE),
    "issues check flask-1": (2, *NO_ISSUE),
    "issues check ./none": (2, "./none is no folder", "dualcode issues list, or the path of a task's folder"),
    "issues import none.jsonl ours": (2, "none.jsonl is not there", "a file of rows, or the folder"),
    "issues import replies.jsonl ours --repository a/b=none": (
        2, "--repository 'a/b=none': none is no folder", "--repository NAME=PATH"),
    "issues new ours --path empty --issue none.md": (2, "none.md cannot be read as text", "--issue FILE, or -"),
    "issues new ours --path empty --issue stub.py": (2, "empty is no git repository", "the path of one"),
    "ledger stats --run-dir nowhere": (2, *NO_LEDGER),
    "ledger prune --all --run-dir nowhere": (2, *NO_LEDGER),
    "panel check --judge reviewer": (2, *NO_TEAM),
    "panel rubrics none": (2, "no rubric is named 'none'; known: duobench, seven", "dualcode panel rubrics"),
    "pipelines --check raw-coder,rview-fix": (2, *NO_PIPELINE),
    "records --since soon": (2, "'soon' is no day", "7d, or 2026-11-28"),
    "report nowhere": (3, *NO_RUN),
    "report runs -o empty": (3, "empty is a folder", "-o empty/report.html"),
    "report --records -o r.html": (3, "there are no records to draw", "dualcode records"),
    "reproduce --study nonesuch": (2, "no study is named 'nonesuch'; known: full, paper, quick", "--study FILE.toml"),
    "reproduce --study none.toml": (2, "there is no study file none.toml", "--study quick, or see eval/"),
    "reproduce --study bad.toml": (2, NO_TOML, "see eval/quick.toml"),
    "reproduce --study quick --data mini": (2, "--data 'mini' is not DATASET=FILE", "--data humaneval=FILE"),
    "reproduce --study quick --data none=x.jsonl": (2, *NO_SUITE),
    "reproduce --study quick --profile a10g": (2, "--profile and --gpu are for --forecast", "scripts/reproduce.sh"),
    "reproduce --study quick --gpu a10g": (2, "--profile and --gpu are for --forecast", "scripts/reproduce.sh"),
    "reproduce --study quick --forecast --profile none": (2, *NO_PROFILE),
    "reproduce --study quick --forecast --gpu none": (2, "no GPU is named 'none'; known: a100-80gb", "[gpus.none]"),
    "review none.py": (2, "none.py cannot be read: No such file or directory", "dualcode review FILE"),
    "review empty": (2, "empty is a folder", "/*.py; or --diff REV"),
    "review stub.py --spec none.md": (2, "none.md cannot be read: No such file or directory", "--spec FILE"),
    "review --diff HEAD": (2, "lies in no git repository", "dualcode review FILE; or `dualcode review -` on a diff"),
    "review stub.py": (2, *NO_TEAM),
    "reviewer nowhere --no-grade": (3, *NO_RUN),
    "reviewer RAW --no-grade": (2, "no draft was reviewed in synthetic-humaneval-raw-coder", "a run of review-fix,"),
    "reviewer bench --suite none": (2, *NO_SUITE),
    "reviewer bench --suite mini --form verdicts": (2, "'verdicts'; nearest: verdict", "--form verdict; or a folder"),
    "reviewer bench --suite mini --tasks MiniRich/99": (2, *NO_TASK),
    "score none.jsonl --dataset mini": (2, "none.jsonl does not exist", "ls -l ."),
    "score samples.jsonl --dataset none": (2, *NO_SUITE),
    "score samples.jsonl --dataset mini -o samples.jsonl": (2, "samples.jsonl holds the samples", "--output FILE"),
    "score samples.jsonl --dataset mini -o empty": (2, "empty cannot be written: it is no regular file", "-o"),
    "score samples.jsonl --dataset mini --explain MiniRich/5": (
        2, "the file has no sample for MiniRich/5", "--explain a task that has one"),
    "score samples.jsonl --dataset mini --explain MiniRich/99": (2, *NO_TASK),
    "score bad.toml --dataset mini": (2, "bad.toml, line 1: not JSON", '{"task_id": "HumanEval/0", "solution"'),
    "score empty --dataset mini": (2, "empty holds no samples of mini", '{"task_id": "HumanEval/0"'),
    "serve start --profile none": (2, *NO_PROFILE),
    "serve start --only planner": (2, "has no server 'planner'; it has: coder, reviewer", "--only coder"),
    "serve logs planner": (3, "there is no log of a server 'planner'", "dualcode serve status"),
    "serve plan --gpu rtx-409": (2, "no GPU is named 'rtx-409'; nearest: rtx-4090", "[gpus.rtx-409]"),
    "serve plan --gpu a10g --profile none": (2, *NO_PROFILE),
    "serve build --profile none": (2, *NO_PROFILE),
    "show nowhere": (3, *NO_RUN),
    "show RUN HumanEval/9": (2, "no task is named 'HumanEval/9'; nearest: HumanEval/0", "dualcode show runs/synthetic-"),
    "solve none.md": (2, "none.md cannot be read: No such file or directory", "ls -l .; or - for stdin"),
    "solve empty": (2, "empty is a folder", "one of its files: ls empty"),
    "solve stub.py --entry-point triple": (2, "stub.py does not mention 'triple'", "--entry-point double"),
    "solve replies.jsonl": (2, "replies.jsonl names no function", "dualcode solve replies.jsonl --entry-point NAME"),
    "solve stub.py --tests none.py": (2, "none.py cannot be read", "ls -l ."),
    "solve stub.py --write empty": (2, "empty is a folder", "--write empty/program.py"),
    "solve stub.py --pipeline rview-fix": (2, *NO_PIPELINE),
    "solve stub.py": (2, *NO_TEAM),
    "spec none.md": (2, "none.md cannot be read", "ls -l ."),
    "suite new empty": (2, "empty is there already", "another NAME, or dualcode suite check empty"),
    "suite check none": (2, *NO_SUITE),
    "suite check empty": (2, "empty holds no task: neither a folder with spec.md", "dualcode suite new NAME"),
    "suite check mini --data none.jsonl": (2, *NO_DATA),
    "tables nowhere": (3, *NO_RUN),
    "tables runs --name table-9": (2, "no table is named 'table-9'; nearest: table-4", "dualcode tables --help"),
    "tables runs --name table-3": (2, "nothing to show: table-3: no pipeline ran on a rich and", "with other runs"),
    "top --once --team none.toml": (2, *NO_SUCH_TEAM),
    "workflow show none": (2, "no workflow is named 'none'; known: implement", "dualcode workflow list, or a file's"),
    "workflow show none.yaml": (2, "none.yaml is no file", "a workflow's file, or a name: dualcode workflow list"),
    "workflow check plan-implement --team none.toml": (2, *NO_SUCH_TEAM),
    "workflow run --issue flask-1": (2, *NO_ISSUE),
    f"{ISSUE} nonesuch": (2, "no workflow is named 'nonesuch'; known: implement", "dualcode workflow list"),
    "workflow run --resume nowhere": (3, "nowhere holds no run of a workflow", "dualcode workflow run --help"),
    f"{ISSUE} --approve gate=yes": (2, "no approval node is named 'gate'; known: none", "dualcode workflow show"),
    f"{ISSUE} --dry-run --team none.toml": (2, *NO_SUCH_TEAM),
    ISSUE: (2, *NO_TEAM),
}  # fmt: skip
"""Lines that are taken, and what they name is not there or no good: exit code, what is said, what to try."""


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return what lies in a folder, but not what Python keeps of a file that it imported."""
    there = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return {str(path): path.read_bytes() if path.is_file() else None for path in there}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs and odd files, which all of these lines leave as it is."""
    folder = tmp_path_factory.mktemp("scene")
    finished(folder / "runs")
    (folder / "empty").mkdir()
    for name, text in (
        ("bad.toml", "a = = 1\n"),
        ("stub.py", STUB),
        ("mine.py", "x = 1\n"),
        ("replies.jsonl", '{"task_id": "MiniRich/0", "response": "x"}\n'),
        ("samples.jsonl", '{"task_id": "MiniRich/0", "solution": "x = 1"}\n'),
    ):
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def said(run: Run, scene: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a line in the scene as `dualcode`; it may write nothing, there or in its state."""
    monkeypatch.chdir(scene)
    for name in ("HUMANEVAL_OVERRIDE_PATH", "MBPP_OVERRIDE_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(main, "spelled", lambda: "dualcode")
    [raw], [reviewed] = (Path().glob(f"runs/*-{name}-*") for name in ("raw-coder", "review-fix"))
    before = contents(scene)

    def call(line: str) -> tuple[int, str, str]:
        words = [{"RAW": str(raw), "RUN": str(reviewed)}.get(word, word) for word in line.split()]
        code, out, err = run(*words)
        return code, out, " ".join(err.split())

    yield call
    assert contents(scene) == before


@pytest.mark.parametrize("line", USAGE)
def test_a_line_that_no_command_takes_shows_its_usage_and_where_its_help_is(said: Run, line: str) -> None:
    code, out, err = said(line)
    assert (code, out) == (2, "")
    assert err.startswith(f"Usage: dualcode {line.split()[0]}"), err
    assert "--help' for help. Error: " in err
    assert USAGE[line] in err


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_not_there_or_no_good_is_named_with_what_to_type_next(said: Run, line: str) -> None:
    wanted, told, way = REFUSED[line]
    code, out, err = said(line)
    assert (code, out) == (wanted, "")
    assert err.count("error: ") == 1 and "Traceback" not in err
    error, try_, hint = err[err.index("error: ") :].partition(" try: ")
    assert told in error
    assert try_ and way in hint


def test_every_command_has_such_lines() -> None:
    named = {line.split()[0] for line in (*USAGE, *REFUSED)}
    assert named == set(COMMANDS)


def test_of_several_workflows_what_is_wrong_with_one_hides_no_other(said: Run) -> None:
    code, out, err = said("workflow check none.yaml nonesuch plan-implement")
    assert (code, err) == (2, "")
    first, second, third = out.splitlines()
    assert first == "none.yaml is no file"
    assert second.startswith("no workflow is named 'nonesuch'; known: implement")
    assert third.endswith("plan-implement.yaml: ok, 5 nodes, planner, implementer")


def test_rows_that_make_no_task_are_refused_one_by_one(said: Run) -> None:
    code, out, err = said("issues import replies.jsonl ours")
    assert (code, out) == (2, "")
    assert "refused row 1: its row has no repo, base_commit, problem_statement" in err
