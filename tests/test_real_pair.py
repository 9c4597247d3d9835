"""The whole path on the real CPU pair: vLLM, a real small model, EvalPlus's own checks."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dualcode.call import IN_THOUGHTS, Message, Request
from dualcode.config import load_team
from dualcode.models.endpoints import check_endpoints
from dualcode.models.openai import OpenAIChat
from dualcode.models.probe import ask_endpoints
from dualcode.pipelines import builtins
from dualcode.runs.evaluate import EvalOptions, Result, evaluate
from dualcode.runs.store import read_run
from dualcode.sampling import PAPER
from dualcode.serving.gauges import client_for, fetch
from dualcode.serving.running import RunningPair
from dualcode.steps.review import read_review, review_schema
from tests.operating.pages import RECORDED
from tests.pages import ROOT, blocks, run_block
from tests.servers import hurried, in_four_bits

pytestmark = pytest.mark.servers
QUESTION = (Message(role="user", content="Is 7 a prime number? Say why."),)


@pytest.fixture
def use(servers: RunningPair, monkeypatch: pytest.MonkeyPatch) -> RunningPair:
    """Make the pair what `scripts/serve.sh` started."""
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(servers["coder"].log.parents[1]))
    return servers


def reviewer(pair: RunningPair) -> OpenAIChat:
    endpoint = load_team(pair.team_file).resolved(pair.base_urls()).endpoints["reviewer"]
    return OpenAIChat("reviewer", endpoint.model_copy(update={"thinking": "switch"}))


def thinking(budget: int, answer_tokens: int) -> Request:
    return Request(
        messages=QUESTION,
        sampling=PAPER.thinking,
        thinking=True,
        thinking_budget=budget,
        answer_tokens=answer_tokens,
        repetition=IN_THOUGHTS,
    )


async def run(folder: Path, limit: int, dataset: str = "mini", team: Path | None = None) -> Result:
    options = EvalOptions(
        pipeline="raw-coder", dataset=dataset, limit=limit, team=team, run_dir=folder, quiet=True
    )
    [result] = await evaluate(options, Console(stderr=True))
    return result


@pytest.fixture(scope="module")
def undisturbed(servers: RunningPair, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The raw coder on eight tasks of mini, at full length."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUALCODE_STATE_DIR", str(servers["coder"].log.parents[1]))
        return asyncio.run(run(tmp_path_factory.mktemp("undisturbed"), 8))


async def test_the_team_of_the_profile_is_what_the_servers_serve(servers: RunningPair) -> None:
    config = load_team(servers.team_file).resolved(servers.base_urls())
    served = await check_endpoints(config, ["coder", "reviewer"])
    assert served["coder"].max_model_len == 4096
    assert served["coder"].version
    assert ("awq" if in_four_bits() else "bf16") in (served["coder"].root or "")


async def test_the_pair_can_do_all_that_is_asked_a_thought_its_budget_and_a_schema_together(
    servers: RunningPair, use: RunningPair
) -> None:
    config = load_team(servers.team_file).resolved(servers.base_urls())
    thinker = config.endpoints["reviewer"].model_copy(update={"thinking": "switch", "thinking_budget": 64})
    config = config.model_copy(update={"endpoints": config.endpoints | {"reviewer": thinker}})
    served = await ask_endpoints(config, ["reviewer"], await check_endpoints(config, ["reviewer"]), anew=True)
    can = served["reviewer"].can
    assert can is not None
    assert (can.structured, can.refused, can.ignored, can.usage) == ("json_schema", (), (), True)
    assert (can.thoughts, can.budget_kept, can.unasked_thoughts) == ("apart", True, False)


async def test_what_is_read_and_drawn_of_vllms_metrics_is_there(servers: RunningPair) -> None:
    root = servers["coder"].root_url
    async with client_for(root) as client:
        page = await fetch(client, root) or ""
    recorded = {line.split()[0] for line in RECORDED.read_text().splitlines()[1:]}
    assert recorded <= set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))
    assert re.search(r'vllm:cache_config_info\{.*block_size="128"', page)


@pytest.mark.timeout(600)
async def test_every_pipeline_runs_a_rich_and_a_lean_task(use: RunningPair, tmp_path: Path) -> None:
    options = EvalOptions(
        pipeline="all",
        dataset="mini",
        tasks=("MiniRich/0", "MiniLean/2"),
        team=hurried(use, tmp_path),
        run_dir=tmp_path / "runs",
        quiet=True,
    )
    results = await evaluate(options, Console(stderr=True))
    assert [each.summary.pipeline for each in results] == list(builtins())
    for each in results:
        least, most = builtins()[each.summary.pipeline].calls or (0, 0)
        counts = Counter(call.task_id for call in read_run(each.folder).calls)
        assert each.summary.complete
        assert each.summary.base.graded == len(counts) == 2
        assert all(least <= count <= most for count in counts.values()), (each.summary.pipeline, counts)
        assert each.audit.clean
    raw, reviewed = (each for each in results if each.summary.pipeline in ("raw-coder", "review-fix"))
    assert raw.summary.replayed == 0
    assert reviewed.summary.replayed >= 2  # every draft was paid for by raw-coder


def test_a_trivial_task_is_solved(undisturbed: Result) -> None:
    """The weak model must pass something, or a demo of failures alone would hide a broken path."""
    assert undisturbed.summary.base.passed >= 1


async def test_the_librarys_page_asks_the_running_servers(use: RunningPair) -> None:
    page, names = ROOT / "docs" / "library.md", dict[str, Any]()
    [(line, source)] = blocks(page, "python servers")
    await run_block(page, line, source, names)
    assert [call.model for call in names["solved"].calls] == ["smollm2-coder"]
    assert names["graded"].base.errored == 0


async def test_humaneval_of_the_package_is_graded(use: RunningPair, tmp_path: Path) -> None:
    result = await run(tmp_path, 3, "humaneval-base", hurried(use, tmp_path))
    assert result.summary.base.graded == 3
    assert result.summary.plus is None


async def test_greedy_decoding_on_cpu_repeats_itself(
    use: RunningPair, undisturbed: Result, tmp_path: Path
) -> None:
    again = read_run((await run(tmp_path, 2)).folder).samples
    assert again == {task: read_run(undisturbed.folder).samples[task] for task in again}


async def test_a_review_is_held_to_its_schema(servers: RunningPair) -> None:
    chat = reviewer(servers)
    request = Request(
        messages=QUESTION, sampling=PAPER.plain, answer_tokens=1024, json_schema=review_schema()
    )
    reply = await chat.complete(request)
    await chat.close()
    assert read_review(reply.content) is not None


async def test_a_thought_is_kept_apart_and_budgeted(servers: RunningPair) -> None:
    chat = reviewer(servers)
    reply = await chat.complete(thinking(12, 32))
    await chat.close()
    assert reply.reasoning
    assert reply.content
    assert 0 < reply.usage.reasoning_tokens <= 16


class _OutOfTokens(Request):
    """A request whose tokens end before its thinking budget closes the thought."""

    @property
    def max_tokens(self) -> int:
        return 8


async def test_a_thought_that_used_up_its_tokens_is_closed_by_force(servers: RunningPair) -> None:
    chat = reviewer(servers)
    reply = await chat.complete(_OutOfTokens.model_validate(thinking(2000, 24).model_dump()))
    await chat.close()
    assert [attempt.kind for attempt in reply.attempts[:2]] == ["chat", "close"]
    assert reply.attempts[0].finish_reason == "length"
    assert reply.content
    assert reply.reasoning


async def test_a_killed_run_resumes_and_equals_an_undisturbed_one(
    use: RunningPair, undisturbed: Result, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "dualcode.eval", "--pipeline", "raw-coder", "--limit", "6", "--quiet"]
    command += ["--concurrency", "2", "--run-dir", str(tmp_path / "killed")]
    folder = await asyncio.to_thread(_killed_midway, command, tmp_path / "killed")
    assert 0 < len(read_run(folder).samples) < 6
    printed = await asyncio.to_thread(subprocess.check_output, command, text=True)
    assert "raw-coder on mini" in printed
    resumed, whole = read_run(folder), read_run(undisturbed.folder)
    assert len(resumed.samples) == len(resumed.calls) == 6
    assert resumed.samples == {task: whole.samples[task] for task in resumed.samples}
    assert resumed.verdicts == {task: whole.verdicts[task] for task in resumed.verdicts}


def _killed_midway(command: list[str], root: Path) -> Path:
    """Start a run, kill -9 it once it has two samples, and return its folder."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    while not any(path.read_bytes().count(b"\n") >= 2 for path in root.glob("*/samples.jsonl")):
        assert process.poll() is None, "the run ended before it was killed"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (manifest,) = root.glob("*/manifest.json")
    return manifest.parent
