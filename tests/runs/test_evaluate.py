"""Whole runs on a scripted server and the real sandbox: pipelines, ledger, bench, audit."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from dualcode.runs.evaluate import EvalOptions, Result, evaluate
from dualcode.runs.seal import broken, seal
from dualcode.runs.store import read_run
from dualcode.suites.suite import load_suite
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
from dualcode.suites.suite import load_suite
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


async def run(server: FakeServer, folder: Path, pipeline: str, **options: object) -> list[Result]:
    team = folder / "team.toml"
    team.write_text(TEAM.format(url=server.base_url))
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
    [shown] = read_run(done.folder).shown
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
    assert ("no hidden test reached a model" if code == 0 else "MiniRich/0, call 1 (write)") in told.stdout


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
