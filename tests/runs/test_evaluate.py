"""Whole runs on a scripted server and the real sandbox: pipelines, ledger, bench, audit."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from dualcode.analysis.drafts import Draft, keep_grade
from dualcode.analysis.runs import load_run
from dualcode.cli import printing
from dualcode.cli.eval import command as eval_command
from dualcode.cli.printing import audited
from dualcode.cli.reproduce import reproduce
from dualcode.errors import ClusterError, RunError, SandboxError
from dualcode.runs.audit import Audit
from dualcode.runs.evaluate import EvalOptions, Result, evaluate
from dualcode.runs.seal import broken, inspect, seal
from dualcode.runs.store import read_run
from dualcode.runs.summary import summarize
from dualcode.sandbox import tiers
from dualcode.sandbox.sandbox import Tier
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from tests.dialects import DIALECTS, DONE, piece
from tests.fake_server import Answer, FakeServer, serve

TEAM = """
[endpoints.both]
model = "m"
base_url = "{url}"
attempts = 1
concurrency = 1
answer_tokens = 2000

[roles]
coder = "both"
reviewer = "both"
"""
RIGHT = json.loads(load_suite("mini").hidden["MiniRich/0"].row)
PROGRAM = f"```python\n{RIGHT['prompt']}{RIGHT['canonical_solution']}\n```"
APPROVE = json.dumps({"verdict": "approve", "findings": []})

CHEAT = '''
import json
from dualcode.call import Message
from dualcode.suites.registry import load_suite
from dualcode.extraction import extract
from dualcode.pipelines import pipeline

@pipeline("cheat", roles=["coder"])
async def cheat(task, team):
    """Shows the hidden tests to the model. 1 call."""
    hidden = json.loads(load_suite("mini").hidden[task.id].row)["plus_input"]
    shown = f"{task.prompt}\\nIt will be tested on: {hidden}"
    messages = [Message(role="user", content=shown)]
    return await team.coder.ask("write", messages, read=lambda reply: extract(reply, task))
'''


async def run(
    server: FakeServer, folder: Path, pipeline: str, team_text: str = TEAM, **options: object
) -> list[Result]:
    team = folder / "team.toml"
    team.write_text(team_text.format(url=server.base_url))
    asked = EvalOptions.model_validate(
        {
            "pipeline": pipeline,
            "dataset": "mini",
            "tasks": ("MiniRich/0",),
            "team": team,
            "run_dir": folder / "runs",
            "quiet": True,
        }
        | options
    )
    return await evaluate(asked, Console(stderr=True))


async def test_two_pipelines_in_one_command_share_their_first_call(tmp_path: Path) -> None:
    with serve(Answer(content=PROGRAM), Answer(content=APPROVE)) as server:
        raw, reviewed = await run(server, tmp_path, "raw-coder,review-fix")
        assert len(server.bodies) == 2  # the draft once, the review once
    assert [each.summary.plus and each.summary.plus.passed for each in (raw, reviewed)] == [1, 1]
    assert (raw.summary.calls, raw.summary.replayed) == (1, 0)
    assert (reviewed.summary.calls, reviewed.summary.replayed) == (2, 1)


async def test_a_server_that_has_next_to_nothing_loses_no_task(tmp_path: Path) -> None:
    with serve(Answer(body=piece(PROGRAM) + DONE), Answer(body=piece(APPROVE) + DONE)) as server:
        server.refuse = DIALECTS["next to nothing"].refuse
        [done] = await run(server, tmp_path, "review-fix")
    write, review = read_run(done.folder).calls
    assert (done.summary.base.passed, review.verdict) == (1, "approve")
    assert {"system", "seed", "top_p", "stream_options"} <= set(write.attempts[-1].left_out)
    assert {"json_schema", "response_format"} <= set(review.attempts[-1].left_out)
    assert [use.usage.untold for use in done.summary.servers] == [2]


async def test_a_replayed_call_is_accounted_as_if_alone_and_as_not_spent(tmp_path: Path) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        first, again = [(await run(server, tmp_path, "raw-coder", fresh=fresh))[0] for fresh in (False, True)]
        assert len(server.bodies) == 1
    [paid], [kept] = first.summary.servers, again.summary.servers
    assert kept.usage == paid.usage
    assert (paid.spent.usage.completion_tokens, kept.spent.usage.completion_tokens) == (3, 0)


async def test_without_the_ledger_every_call_is_asked_anew(tmp_path: Path) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        for fresh in (False, True):
            await run(server, tmp_path, "raw-coder", no_ledger=True, fresh=fresh)
        assert len(server.bodies) == 2
    assert not (tmp_path / "runs" / "ledger").exists()


async def test_another_model_behind_the_name_gets_no_kept_reply(tmp_path: Path) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        await run(server, tmp_path, "raw-coder")
        server.models[0]["root"] = "org/other"
        await run(server, tmp_path, "raw-coder", fresh=True)
        assert len(server.bodies) == 2


async def test_a_visible_failure_reaches_the_coder_and_the_record(tmp_path: Path) -> None:
    name = RIGHT["entry_point"]
    wrong = f"```python\ndef {name}(*args):\n    return 'nothing like it'\n```"
    with serve(Answer(content=wrong), Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, "raw-retry")
        asked = server.bodies[1]["messages"][-1]["content"]
    shown, passed = read_run(done.folder).shown
    assert passed.texts == ()
    assert shown.texts[0] in asked
    assert shown.tests[0] in asked
    assert done.audit.clean
    assert done.audit.shown == 1
    assert done.summary.base.passed == 1


async def test_a_pipeline_that_shows_hidden_tests_breaks_the_runs_seal(tmp_path: Path) -> None:
    path = tmp_path / "cheat.py"
    path.write_text(CHEAT)
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, f"{path}:cheat")
    assert not done.audit.clean
    assert {leak.what for leak in done.audit.leaks} == {"arguments"}
    assert not json.loads((done.folder / "seal.json").read_text())["clean"]


@pytest.mark.parametrize(("pipeline", "code"), [("raw-coder", 0), ("cheat", 5)])
async def test_the_audit_command_tells_by_its_exit_code(tmp_path: Path, pipeline: str, code: int) -> None:
    (tmp_path / "cheat.py").write_text(CHEAT)
    name = f"{tmp_path}/cheat.py:cheat" if pipeline == "cheat" else pipeline
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, name)
    command = [sys.executable, "-m", "dualcode", "audit", str(done.folder)]
    told = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert told.returncode == code, told.stderr
    assert ("no hidden test was found" if code == 0 else "MiniRich/0, call 1 (write)") in told.stdout


async def test_a_record_changed_after_the_seal_is_named(tmp_path: Path) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, "raw-coder")
    assert broken(done.folder) == []
    with (done.folder / "verdicts.jsonl").open("a") as file:
        file.write(" \n")
    assert broken(done.folder) == ["verdicts.jsonl"]


async def test_a_run_is_sealed_again_from_its_records_alone(tmp_path: Path) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, "raw-coder")
    assert await seal(done.folder, load_suite("mini")) == done.audit
    assert done.audit.strings > 10


async def test_a_pipeline_that_asks_an_unbound_role_makes_tasks_errored(tmp_path: Path) -> None:
    path = tmp_path / "greedy.py"
    source = CHEAT.replace('"cheat"', '"greedy"').replace("team.coder", "team.reviewer")
    path.write_text(source)
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, f"{path}:greedy")
    assert done.summary.base.errored == 1
    assert "'reviewer' is unbound; bound: coder" in str(
        read_run(done.folder).verdicts["MiniRich/0"].base.reason
    )


@pytest.mark.parametrize(("edit", "runs"), [("# a comment\n", 1), ("x = 1\n", 2)])
async def test_a_pipeline_whose_code_was_edited_is_another_run(tmp_path: Path, edit: str, runs: int) -> None:
    path = tmp_path / "cheat.py"
    folders: set[Path] = set()
    with serve(Answer(content=PROGRAM)) as server:
        for more in ("", edit):
            path.write_text(CHEAT + more)
            [done] = await run(server, tmp_path, f"{path}:cheat")
            folders.add(done.folder)
    assert len(folders) == runs


async def test_a_finished_run_whose_records_were_changed_is_not_sealed_anew(tmp_path: Path) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, "raw-coder")
        verdicts, seal_file = done.folder / "verdicts.jsonl", done.folder / "seal.json"
        verdicts.write_text(verdicts.read_text().replace("passed", "failed"))
        sealed = seal_file.read_bytes()
        with pytest.raises(RunError, match=r"verdicts\.jsonl changed since the run was sealed"):
            await run(server, tmp_path, "raw-coder")
    with pytest.raises(RunError, match="changed since"):
        await seal(done.folder, load_suite("mini"))
    assert seal_file.read_bytes() == sealed
    assert broken(done.folder) == ["verdicts.jsonl"]


async def test_the_audit_command_never_seals_what_it_finds_broken(tmp_path: Path) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, "raw-coder")
    (done.folder / "servers.jsonl").write_text("")
    command = [sys.executable, "-m", "dualcode", "audit", str(done.folder)]
    for _ in range(2):
        told = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
        assert told.returncode == 3
        assert "servers.jsonl changed since the run was sealed" in told.stderr
        assert "no hidden test was found" in told.stdout


async def test_a_sealed_run_with_errored_tasks_is_resumed_and_sealed_again(tmp_path: Path) -> None:
    with serve(Answer(status=400)) as server:
        [first] = await run(server, tmp_path, "raw-coder")
    assert first.summary.base.errored == 1
    with serve(Answer(content=PROGRAM)) as server:
        server.models[0]["root"] = "org/m"
        [second] = await run(server, tmp_path, "raw-coder")
    assert second.folder == first.folder
    assert second.summary.base.passed == 1
    assert second.audit.clean
    assert broken(second.folder) == []


@pytest.mark.parametrize(
    "name", ["manifest.json", "pipeline.py", "drafts.jsonl", "shown.jsonl", "tasks.jsonl", "programs.jsonl"]
)
async def test_the_seal_covers_every_file_and_those_that_were_not_there(tmp_path: Path, name: str) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, "raw-coder")
    with (done.folder / name).open("a") as file:
        file.write("\n")
    assert broken(done.folder) == [name]


async def test_a_draft_that_is_graded_later_is_sealed_and_one_that_is_forged_is_not(tmp_path: Path) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, "raw-coder")
    verdict = read_run(done.folder).verdicts["MiniRich/0"]
    for text in ("a = 1", "a = 2"):
        keep_grade(load_run(done.folder), Draft("MiniRich/0", text), verdict)
    assert broken(done.folder) == []
    drafts = done.folder / "drafts.jsonl"
    drafts.write_text(drafts.read_text().replace("passed", "failed"))
    keep_grade(load_run(done.folder), Draft("MiniRich/0", "a = 3"), verdict)
    assert broken(done.folder) == ["drafts.jsonl"]
    drafts.unlink()  # what it held can be made again
    assert broken(done.folder) == []


Edit = Callable[[list[str]], list[str]]


async def edited(server: FakeServer, folder: Path, name: str, edit: Edit) -> Audit:
    """Run review-fix, edit a file of records, take the seal away, and audit what is left."""
    [done] = await run(server, folder, "review-fix")
    path = done.folder / name
    path.write_text("".join(edit(path.read_text().splitlines(keepends=True))))
    (done.folder / "seal.json").unlink()
    return await inspect(done.folder, load_suite("mini"))


EDITS: list[tuple[str, Edit, str]] = [
    ("calls.jsonl", lambda lines: lines[:0], "took 2 calls, and calls.jsonl holds of them: none"),
    ("calls.jsonl", lambda lines: lines[:-1], "took 2 calls, and calls.jsonl holds of them: 1"),
    ("calls.jsonl", lambda lines: lines[1:], "took 2 calls, and calls.jsonl holds of them: 2"),
    ("calls.jsonl", lambda lines: lines * 2, "call 1 of MiniRich/0 stands there 2 times"),
    ("samples.jsonl", lambda lines: lines * 2, "the sample of MiniRich/0 stands there 2 times"),
    ("samples.jsonl", lambda lines: lines[:0], "MiniRich/0 has a verdict and no sample"),
    ("verdicts.jsonl", lambda lines: lines * 2, "the verdict of MiniRich/0 stands there 2 times"),
    (
        "programs.jsonl",
        lambda lines: lines[:0],
        "call 2 of MiniRich/0 names a program that programs.jsonl lacks",
    ),
    (
        "programs.jsonl",
        lambda lines: [line.replace("return", "return 1 +") for line in lines],
        "call 1 of MiniRich/0 names a program that programs.jsonl lacks",
    ),
    (
        "tasks.jsonl",
        lambda lines: [line.replace("def ", "# Mind this.\\ndef ", 1) for line in lines],
        "MiniRich/0 has another prompt in tasks.jsonl than in the benchmark",
    ),
    ("tasks.jsonl", lambda lines: lines[:0], "MiniRich/0 has a sample, and tasks.jsonl does not say"),
    (
        "verdicts.jsonl",
        lambda lines: [*lines, lines[0].replace("Rich/0", "Rich/1")],
        "MiniRich/1 is none of the run's tasks",
    ),
]


@pytest.mark.parametrize(("name", "edit", "flaw"), EDITS)
async def test_records_that_do_not_answer_for_each_other_are_findings(
    tmp_path: Path, name: str, edit: Edit, flaw: str
) -> None:
    with serve(Answer(content=PROGRAM), Answer(content=APPROVE)) as server:
        found = await edited(server, tmp_path, name, edit)
    assert not found.clean
    assert any(flaw in each for each in found.flaws), found.flaws
    assert "THE RECORDS DO NOT ANSWER FOR EACH OTHER" in audited(found)


async def test_a_new_run_is_sealed_by_what_was_heard_as_a_reader_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(folder: Path, suite: Suite) -> None:
        pytest.fail(f"{folder} was read for {suite.name}")

    monkeypatch.setattr("dualcode.runs.seal._inspect", read)
    with serve(Answer(content=PROGRAM), Answer(content=APPROVE)) as server:
        [done] = await run(server, tmp_path, "review-fix")
    monkeypatch.undo()
    assert done.audit.calls == 2
    assert await inspect(done.folder, load_suite("mini")) == done.audit


async def test_a_run_without_a_count_of_its_calls_is_held_to_the_fewest(tmp_path: Path) -> None:
    def older(lines: list[str]) -> list[str]:
        return [line.replace(',"calls":2}', "}") for line in lines]

    with serve(Answer(content=PROGRAM), Answer(content=APPROVE)) as server:
        found = await edited(server, tmp_path, "samples.jsonl", older)
        assert found.clean
        [folder] = (tmp_path / "runs").glob("mini-*")
        (folder / "calls.jsonl").write_text("")
        found = await inspect(folder, load_suite("mini"))
    assert found.flaws == ("MiniRich/0 took 2 calls, and calls.jsonl holds of them: none",)


async def test_a_call_that_stands_there_twice_is_counted_once(tmp_path: Path) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, "raw-coder")
    calls = done.folder / "calls.jsonl"
    calls.write_text(calls.read_text() * 2)
    assert summarize(read_run(done.folder)).calls == 1


async def test_no_step_after_the_last_task_needs_a_sandbox_that_the_run_did_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a task that was never graded no reference is kept, and a cache that others may write is not used."""
    (tmp_path / "cache").mkdir(mode=0o777)
    (tmp_path / "cache").chmod(0o777)
    monkeypatch.setenv("DUALCODE_CACHE_DIR", str(tmp_path / "cache"))
    nothing = SandboxError("unshare: Operation not permitted")
    monkeypatch.setattr(tiers, "_probed", dict.fromkeys(tiers.TIERS, nothing))
    with serve(Answer(status=500), Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, "raw-coder", unsafe=True, tasks=("MiniRich/0", "MiniRich/1"))
    assert done.sandbox and done.sandbox.name == "unsafe"
    assert (done.summary.base.errored, done.summary.base.graded) == (1, 1)
    assert (done.folder / "seal.json").exists()
    with pytest.raises(SandboxError):  # what a run's folder says allows nothing here
        await seal(done.folder, load_suite("mini"))
    assert (await seal(done.folder, load_suite("mini"), unsafe=True)).clean, "audited anew, too"


async def test_a_machine_that_could_not_seal_is_refused_before_a_cluster_does_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = SandboxError("unshare: Operation not permitted")
    monkeypatch.setattr(tiers, "_probed", dict.fromkeys(tiers.TIERS, nothing))
    with serve() as server:
        with pytest.raises(SandboxError, match="no sandbox works on this machine"):
            await run(server, tmp_path, "raw-coder", ray="127.0.0.1:1")
        with pytest.raises(ClusterError):
            await run(server, tmp_path, "raw-coder", ray="127.0.0.1:1", unsafe=True)


async def test_a_result_says_first_what_its_sandbox_did_not_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, "raw-coder")
    records = read_run(done.folder)
    weak = Tier(name="landlock", holds=(), lacks=("names of files",))
    sessions = [each.model_copy(update={"sandbox": weak}) for each in records.manifest.sessions]
    manifest = records.manifest.model_copy(update={"sessions": sessions})
    summary = summarize(records.model_copy(update={"manifest": manifest}))
    capsys.readouterr()
    printing.result(summary, done.folder)
    assert capsys.readouterr().out.startswith("sandbox landlock does not hold: names of files\n")
    assert summary.to_json()["cautions"] == ["sandbox landlock does not hold: names of files"]


HANG = """
import asyncio
from dualcode.pipelines import pipeline

@pipeline("hang", roles=["coder"])
async def hang(task, team):
    await asyncio.Event().wait()
"""


@pytest.mark.parametrize(("limits", "option"), [("0.05", None), ("9999", 0.05)])
async def test_the_time_limit_of_a_task_is_the_teams_or_the_commands(
    tmp_path: Path, limits: str, option: float | None
) -> None:
    path = tmp_path / "hang.py"
    path.write_text(HANG)
    with serve(Answer(content=PROGRAM)) as server:
        team = TEAM + f"\n[limits]\ntask_seconds = {limits}\n"
        [done] = await run(server, tmp_path, str(path), task_seconds=option, team_text=team)
    assert done.summary.base.errored == 1
    verdict = read_run(done.folder).verdicts["MiniRich/0"]
    assert verdict.base.reason == "the pipeline took more than 0.05 s (--task-seconds)"


@pytest.mark.parametrize(
    ("arguments", "variable", "seconds"),
    [([], None, None), ([], "7", 7.0), (["--task-seconds", "5"], "7", 5.0)],
)
def test_the_commands_time_limit_comes_from_its_option_or_its_environment(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], variable: str | None, seconds: float | None
) -> None:
    if variable is not None:
        monkeypatch.setenv("DUALCODE_TASK_SECONDS", variable)
    for command, needed in ((eval_command, ["--pipeline", "raw-coder"]), (reproduce, [])):
        asked = command.make_context(command.name, [*needed, *arguments])
        assert asked.params["task_seconds"] == seconds


async def test_a_damaged_run_is_mended_with_a_warning_that_names_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        [done] = await run(server, tmp_path, "raw-coder")
        (done.folder / "seal.json").unlink()  # as where a kill came before it
        for name in ("calls.jsonl", "tasks.jsonl"):
            (done.folder / name).write_text('{"task_id":"MiniRich/0", "cut\n')
        [again] = await run(server, tmp_path, "raw-coder")
        assert len(server.bodies) == 1  # the ledger has the reply
    said = " ".join(capsys.readouterr().err.split())
    for name in ("calls.jsonl", "tasks.jsonl"):
        assert f"{name}, line 1 (of MiniRich/0) is damaged and left out" in said
    assert again.audit.clean
    assert again.folder == done.folder
    assert broken(again.folder) == []
    assert read_run(again.folder).whole
