"""What goes wrong costs time and nothing else: no task is lost, none is done twice, none counts as failed."""

import asyncio
import errno
import itertools
import re
import time
from pathlib import Path

import pytest

from dualcode import clock
from dualcode.config import Endpoint, TeamConfig
from dualcode.errors import RunError
from dualcode.models.breaker import Breaker
from dualcode.models.endpoints import check_endpoints
from dualcode.models.openai import OpenAIChat
from dualcode.models.probe import ask_endpoints
from dualcode.pipelines.find import find_pipeline
from dualcode.runs import lines, recovery
from dualcode.runs import session as session_room
from dualcode.runs.manifest import configure, manifest
from dualcode.runs.runner import Runner, work
from dualcode.runs.session import open_run
from dualcode.runs.store import RunRecords, read_run
from dualcode.runs.summary import summarize
from dualcode.sampling import PAPER
from dualcode.suites.registry import load_suite
from dualcode.team import Seat, Team
from tests.fake_server import Answer, FakeServer, serve
from tests.runs.test_pool import Judge
from tests.scripted_runs import flaws

SUITE = load_suite("mini").select(4)
RAW = find_pipeline("raw-coder")
PROGRAM = "```python\ndef f():\n    return 1\n```"


async def run(
    root: Path, server: FakeServer, *, patience: float = 600.0, silence: float = 180.0
) -> RunRecords:
    """Run, or resume, four tasks of raw-coder on the server, behind a breaker, and read the run."""
    endpoint = Endpoint(model="m", base_url=server.base_url, attempts=50, silence_seconds=silence)
    config = TeamConfig(endpoints={"e": endpoint}, roles={"coder": "e"})
    served = await ask_endpoints(config, ["coder"], await check_endpoints(config, ["coder"]))
    chat = OpenAIChat("e", config.endpoints["e"], backoff=0.0)
    chat.breaker = Breaker("e", config, served["e"], chat.meter, patience=patience, pause=0.005)
    store = open_run(root, manifest("run", configure(RAW, SUITE, config, served), SUITE, config), fresh=False)
    try:
        store.begin_session(4, {})
        team = Team({"coder": Seat("coder", chat, PAPER, 100)})
        await work([Runner(RAW, SUITE, team, Judge(), store, task_seconds=600)])
        store.end_session()
    finally:
        store.close()
        await chat.close()
    return read_run(store.folder)


def require_whole(records: RunRecords) -> None:
    """Nothing lost, nothing doubled, nothing scored as the model's failure."""
    assert records.whole
    assert flaws(records) == []
    assert sorted(call.task_id for call in records.calls) == sorted(task.id for task in SUITE.tasks)
    summary = summarize(records)
    assert (summary.base.passed, summary.base.failed, summary.base.errored) == (4, 0, 0)


PASSING = {
    "a reset in mid-stream": (Answer(drop=True, reasoning="x"), "lost|early"),
    "a stream that ends before its end": (Answer(drop_at_end=True), "lost|early"),
    "500": (Answer(status=500), "500"),
    "503 without Retry-After": (Answer(status=503), "503"),
    "429 with Retry-After": (Answer(status=429, headers={"retry-after": "0"}), "429"),
    "a stalled stream": (Answer(hang=1.0, reasoning="x"), "silent"),
    "cut JSON": (Answer(body='data: {"choices": [{"delta": {"content": "a"\n\n'), "broken event"),
    "a page instead of a reply": (Answer(body="<html>try again</html>", kind="text/html"), "no completion"),
}  # fmt: skip


@pytest.mark.parametrize("fault", PASSING)
async def test_a_fault_that_passes_costs_one_attempt(tmp_path: Path, fault: str) -> None:
    answer, said = PASSING[fault]
    with serve(answer, Answer(content=PROGRAM)) as server:
        records = await run(tmp_path, server, silence=0.3 if said == "silent" else 180.0)
    require_whole(records)
    outcomes = [each.outcome for call in records.calls for each in call.attempts if each.outcome != "ok"]
    assert all(re.search(said, each) for each in outcomes)
    assert len(outcomes) == 1 or said == "silent"  # which a busy machine may be once more


async def test_a_server_that_is_away_for_a_while_costs_no_task(tmp_path: Path) -> None:
    looks = itertools.count()
    with serve() as server:
        server.gets["/health"] = lambda: (503 if next(looks) < 4 else 200, {})
        lost = itertools.count()
        server.respond = lambda _: Answer(drop=True) if next(lost) < 3 else Answer(content=PROGRAM)
        require_whole(await run(tmp_path, server))
    assert next(looks) > 4


async def test_a_server_that_stays_away_stops_the_run_which_is_resumed_later(tmp_path: Path) -> None:
    with serve(Answer(content=PROGRAM), Answer(drop=True)) as server:
        server.gets["/health"] = lambda: (503, {})
        with pytest.raises(RunError, match=r"waited for 0\.01 s.*\n.*the same command resumes"):
            await run(tmp_path, server, patience=0.01)
        before = read_run(tmp_path / "run")
        assert not any(verdict.base.status == "failed" for verdict in before.verdicts.values())
        server.gets.clear()
        server.answers = [Answer(content=PROGRAM)]
        require_whole(await run(tmp_path, server))


async def test_another_model_that_came_back_stops_the_run_before_it_is_asked(tmp_path: Path) -> None:
    looks = itertools.count()

    def health() -> tuple[int, dict[str, str]]:
        if next(looks) > 2:
            server.models = [{"id": "m", "root": "org/other", "max_model_len": 32768}]
            return 200, {}
        return 503, {}

    with serve(Answer(drop=True)) as server:
        server.gets["/health"] = health
        with pytest.raises(RunError, match="another server came back.*org/other.*\n.*began with"):
            await run(tmp_path, server)
        sent = len(server.bodies)
        assert sent <= len(SUITE.tasks)  # what was in flight when it was lost
        records = read_run(tmp_path / "run")
        assert records.samples == {}
        server.models[0]["root"] = "org/m"
        server.gets.clear()
        server.answers = [Answer(content=PROGRAM)]
        require_whole(await run(tmp_path, server))


async def test_a_disk_that_is_full_at_any_write_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(Answer(content=PROGRAM)) as server:
        for count in range(0, 24, 3):
            left = iter(range(count))

            def full(path: Path, content: str | bytes) -> None:
                if next(left, None) is None:  # noqa: B023 - called within its round
                    raise OSError(errno.ENOSPC, "No space left on device")
                lines.append_whole(path, content)

            root = tmp_path / str(count)
            with monkeypatch.context() as patch:
                patch.setattr(session_room, "append_whole", full)
                patch.setattr(recovery, "append_whole", full)
                try:
                    await run(root, server)
                except RunError as error:
                    assert "No space left" in error.message
            require_whole(await run(root, server))


async def test_a_clock_that_jumps_changes_no_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = itertools.cycle([0.0, -86400.0, 86400.0])
    real = time.time
    began = clock.now()
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    with serve(Answer(status=500), Answer(content=PROGRAM)) as server:
        records = await run(tmp_path, server)
    require_whole(records)
    lasted = clock.now() - began
    [mine] = records.manifest.sessions
    assert mine.ended is not None and 0 <= mine.ended - mine.started <= lasted
    for call in records.calls:
        for each in call.attempts:
            assert began <= each.started <= began + lasted
            assert 0 <= each.seconds <= lasted
    assert 0 <= summarize(records).servers[0].busy_seconds <= lasted


async def test_two_commands_in_one_folder_the_second_is_refused_and_the_first_not_disturbed(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()
    with serve() as server:

        def answer(_: object) -> Answer:
            while not gate.is_set():
                time.sleep(0.002)
            return Answer(content=PROGRAM)

        server.respond = answer
        first = asyncio.create_task(run(tmp_path, server))
        while not server.bodies:  # noqa: ASYNC110 - the server is a thread
            await asyncio.sleep(0.002)
        with pytest.raises(RunError, match="another process is working on"):
            await run(tmp_path, server)
        gate.set()
        require_whole(await first)
