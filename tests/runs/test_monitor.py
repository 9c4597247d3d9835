"""Readings of servers while a run works: what is kept of them, and that they never disturb the run."""

import asyncio
import sys
import threading
import types
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dualcode.errors import RunError
from dualcode.models.chat import Meter
from dualcode.models.scripted import ScriptedChat
from dualcode.runs.evaluate import EvalOptions, Result, evaluate
from dualcode.runs.monitor import GpuMeter, GpuReading, Reading, Source, monitored, shown, sources
from dualcode.runs.seal import broken
from dualcode.runs.session import RunStore
from dualcode.runs.store import read_run, read_servers
from dualcode.serving import gauges
from dualcode.serving.hardware import Gpu, ServedHardware
from dualcode.serving.running import RunningPair
from tests.fake_server import Answer, serve
from tests.servers import hurried

PAGE = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m {odd}"} 2.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 7.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:prompt_tokens_total{engine="0",model_name="m"} 1.50428e+05
vllm:prompt_tokens_created{engine="0",model_name="m"} 1.7e+09
vllm:generation_tokens_total{engine="0",model_name="m"} 54384.0
process_cpu_seconds_total 20.35
"""
FIELDS = {"running": 2, "waiting": 1, "kv_cache": 0.25, "prompt_tokens": 150428, "generation_tokens": 54384}
OK, MISSING, BROKEN = (200, PAGE), (404, "no such page"), (500, "shutting down")


class MetricsServer:
    """Answers /metrics in order from `answers`, the last one again and again; counts."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.root = ""

    def next(self) -> tuple[int, str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def metrics(*answers: tuple[int, str]) -> Generator[MetricsServer]:
    told = MetricsServer(*answers)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            status, page = told.next() if self.path == "/metrics" else MISSING
            self.send_response(status)
            self.end_headers()
            self.wfile.write(page.encode())

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.root = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class Notes(list[Reading]):
    """Keeps readings, and lets wait for them."""

    def __init__(self) -> None:
        super().__init__()
        self._came = asyncio.Event()

    def add(self, reading: Reading) -> None:
        self.append(reading)
        self._came.set()

    async def have(self, count: int) -> None:
        while len(self) < count:
            self._came.clear()
            await self._came.wait()


def source(root: str, *, in_flight: int = 0, gpus: tuple[str, ...] = ()) -> Source:
    return Source(root=root, endpoints=("coder",), meters=(Meter(in_flight=in_flight),), gpus=gpus)


def parse(page: str) -> dict[str, Any]:
    found = gauges.parse(page, 0.0)
    assert found is not None
    return shown(found)


def test_the_metrics_of_vllm_are_found_on_its_page_and_no_others() -> None:
    assert parse(PAGE) == FIELDS


def test_engines_add_up_and_the_fullest_cache_counts() -> None:
    second = PAGE.replace('engine="0"', 'engine="1"').replace("0.25", "0.75")
    found = parse(PAGE + second)
    assert (found["running"], found["prompt_tokens"], found["kv_cache"]) == (4, 300856, 0.75)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "many", "0x1", "0,25", "-", "1e999"])
def test_what_is_no_number_is_left_out(value: str) -> None:
    page = PAGE.replace("0.25", value)
    assert parse(page) == {name: number for name, number in FIELDS.items() if name != "kv_cache"}


@pytest.mark.parametrize(
    "odd", ["", "vllm:", "vllm:num_requests_running", "vllm:num_requests_running{ 3", "\0\0", "}{ # ="]
)
def test_an_odd_line_costs_that_line_alone(odd: str) -> None:
    assert parse(f"{odd}\n{PAGE}{odd}") == FIELDS


def test_lines_may_hold_their_time_and_end_as_on_windows() -> None:
    timed = "".join(f"{line} 1732800000000\r\n" for line in PAGE.splitlines())
    assert parse(timed) == FIELDS


async def test_a_server_that_has_vllms_former_names_is_read_by_them() -> None:
    """Up to 0.9 the cache's share had another name, and 0.10 tells it under both."""
    former = PAGE.replace("kv_cache_usage_perc", "gpu_cache_usage_perc").replace("0.25", "0.5")
    for page, share in ((former, 0.5), (former + PAGE, 0.25)):
        notes = Notes()
        with metrics((200, page)) as server:
            async with monitored([source(server.root)], notes.add, interval=0.001):
                await notes.have(1)
        assert notes[0].kv_cache == share


async def test_a_working_run_is_read_again_and_again_and_once_at_its_end() -> None:
    notes = Notes()
    with metrics(OK) as server:
        async with monitored([source(server.root, in_flight=3)], notes.add, interval=0.001):
            await notes.have(3)
        assert len(notes) >= 4
    for each in notes:
        assert each.model_dump(include={*FIELDS}) == FIELDS
        assert (each.endpoints, each.in_flight, each.absent) == (("coder",), 3, None)
    assert sorted(each.at for each in notes) == [each.at for each in notes]


@pytest.mark.parametrize(
    ("answer", "why"), [(MISSING, "HTTP 404"), ((200, "<html>welcome</html>"), "no metrics of vLLM")]
)
async def test_a_server_without_metrics_is_noted_once_and_asked_once(
    answer: tuple[int, str], why: str
) -> None:
    notes = Notes()
    with metrics(answer) as server:
        async with monitored([source(server.root)], notes.add, interval=0.001):
            await notes.have(1)
            for _ in range(20):
                await asyncio.sleep(0.001)
        assert server.asked == 1
    [note] = notes
    assert (note.absent, note.running) == (why, None)


async def test_a_fault_of_the_server_passes_and_leaves_no_reading() -> None:
    notes = Notes()
    with metrics(BROKEN, BROKEN, OK) as server:
        async with monitored([source(server.root)], notes.add, interval=0.001):
            await notes.have(1)
        assert server.asked >= 3
    assert {each.running for each in notes} == {2}


async def test_a_lost_server_leaves_the_run_alone() -> None:
    notes = Notes()
    with metrics(OK) as server:
        root = server.root
    async with monitored([source(root), source("no address at all")], notes.add, interval=0.001):
        await asyncio.sleep(0.02)
    assert notes == []


async def test_a_reading_that_cannot_be_written_does_not_end_the_readings() -> None:
    notes, refused = Notes(), list[Reading]()

    def refuse_two(reading: Reading) -> None:
        if len(refused) < 2:
            refused.append(reading)
            raise RunError("no space left")
        notes.add(reading)

    with metrics(OK) as server:
        async with monitored([source(server.root)], refuse_two, interval=0.001):
            await notes.have(2)
    assert len(refused) == 2


async def test_an_odd_page_does_not_end_the_readings() -> None:
    notes = Notes()
    odd = (200, PAGE.replace("2.0", "many").replace("0.25", "half"))
    with metrics(odd, OK) as server:
        async with monitored([source(server.root)], notes.add, interval=0.001):
            await notes.have(2)
    assert (notes[0].running, notes[0].waiting, notes[0].kv_cache) == (None, 1, None)
    assert notes[1].running == 2


async def test_what_the_run_raises_passes_through_without_a_last_reading() -> None:
    notes = Notes()
    with metrics(OK) as server, pytest.raises(RunError, match="lost"):
        async with monitored([source(server.root)], notes.add, interval=60):
            await notes.have(1)
            raise RunError("the server was lost")
    assert len(notes) == 1


@pytest.mark.parametrize(("in_flight", "shared"), [(2, True), (3, False), (4, False)])
def test_more_requests_than_the_runs_own_mean_that_others_are_there(in_flight: int, shared: bool) -> None:
    reading = Reading(at=0.0, endpoints=("coder",), in_flight=in_flight, running=2, waiting=1)
    assert reading.shared is shared


def test_two_endpoints_on_one_server_are_one_source() -> None:
    chats = [ScriptedChat([], name=name) for name in ("coder", "reviewer", "other")]
    urls = {"coder": "http://a/v1", "reviewer": "http://a/v1/", "other": "http://b/v1"}
    gpu = Gpu(uuid="GPU-1", name="NVIDIA A10G", memory_bytes=24, used_bytes=None, driver="1")
    found = sources(chats, urls, {"coder": ServedHardware(model="m", root=None, gpus=(gpu,))})
    assert [(each.root, each.endpoints, each.gpus) for each in found] == [
        ("http://a", ("coder", "reviewer"), ("GPU-1",)),
        ("http://b", ("other",), ()),
    ]
    chats[0].meter.in_flight, chats[1].meter.in_flight = 2, 3
    assert found[0].in_flight == 5


class NvmlError(Exception):
    pass


def nvml(*, energy: bool = True, driver: bool = True) -> types.SimpleNamespace:
    """What `pynvml` is to us: functions of a handle, and one kind of error."""

    def init() -> None:
        if not driver:
            raise NvmlError("no driver")

    def handle(uuid: str) -> str:
        if uuid != "GPU-1":
            raise NvmlError("not found")
        return "handle"

    def joules(handle: str) -> int:
        if not energy:
            raise NvmlError("not supported")
        return 5_000_250

    def always(answer: object) -> Callable[[str], object]:
        return lambda _: answer

    return types.SimpleNamespace(
        NVMLError=NvmlError,
        NVMLError_LibraryNotFound=NvmlError,
        nvmlInit=init,
        nvmlDeviceGetHandleByUUID=handle,
        nvmlDeviceGetUtilizationRates=always(types.SimpleNamespace(gpu=87, memory=40)),
        nvmlDeviceGetMemoryInfo=always(types.SimpleNamespace(used=20 * 2**30)),
        nvmlDeviceGetPowerUsage=always(151_500),
        nvmlDeviceGetTotalEnergyConsumption=joules,
    )


def use(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module)


READ = GpuReading(uuid="GPU-1", utilization=0.87, used_bytes=20 * 2**30, watts=151.5, joules=5000.25)


def without(question: str) -> types.SimpleNamespace:
    """An older `pynvml`, which does not know a question."""
    module = nvml()
    delattr(module, question)
    return module


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (nvml(), (READ,)),
        (without("nvmlDeviceGetPowerUsage"), (READ.model_copy(update={"watts": None}),)),
        (nvml(energy=False), (READ.model_copy(update={"joules": None}),)),
        (nvml(driver=False), ()),
        (None, ()),
    ],
)
def test_gpus_are_read_in_watts_joules_and_bytes_as_far_as_they_tell(
    module: object, told: Sequence[GpuReading], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    assert GpuMeter().read(["GPU-1", "GPU-lost"]) == tuple(told)


async def test_the_gpus_of_a_server_without_metrics_are_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    use(nvml(), monkeypatch)
    notes = Notes()
    with metrics(MISSING) as server:
        async with monitored([source(server.root, gpus=("GPU-1",))], notes.add, interval=0.001):
            await notes.have(3)
        assert server.asked == 1
    assert [each.absent for each in notes[:3]] == ["HTTP 404", None, None]
    assert all(each.gpus == (READ,) for each in notes)


TEAM = """
[endpoints.both]
model = "m"
base_url = "{url}"
attempts = 1
answer_tokens = 2000

[roles]
coder = "both"
reviewer = "both"
"""


async def run(folder: Path, **options: Any) -> Result:
    asked = {"pipeline": "raw-coder", "dataset": "mini", "run_dir": folder / "runs", "quiet": True} | options
    [done] = await evaluate(EvalOptions.model_validate(asked), Console(stderr=True))
    return done


@pytest.fixture
async def finished(tmp_path: Path) -> Path:
    """A run on a server without metrics."""
    with serve(Answer(content="```python\npass\n```")) as server:
        team = tmp_path / "team.toml"
        team.write_text(TEAM.format(url=server.base_url))
        return (await run(tmp_path, team=team, tasks=("MiniRich/0",))).folder


async def test_a_run_keeps_and_seals_what_it_saw_of_its_servers(finished: Path) -> None:
    [reading] = read_servers(finished)
    assert (reading.endpoints, reading.absent) == (("both",), "HTTP 404")
    assert broken(finished) == []
    (finished / "servers.jsonl").write_text("")
    assert broken(finished) == ["servers.jsonl"]


async def test_a_reading_torn_by_a_kill_is_dropped_when_the_run_is_resumed(finished: Path) -> None:
    whole = read_servers(finished)
    with (finished / "servers.jsonl").open("a") as file:
        file.write('{"at": 17')
    store = RunStore.open(finished, read_run(finished).manifest)
    store.add_reading(whole[0])
    store.close()
    assert read_servers(finished) == (*whole, whole[0])


@pytest.mark.servers
async def test_the_real_pair_is_read_while_it_works(
    servers: RunningPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(servers["coder"].log.parents[1]))
    done = await run(tmp_path, pipeline="review-fix", limit=4, team=hurried(servers, tmp_path))
    readings = read_servers(done.folder)
    for use in done.summary.servers:
        own = [each for each in readings if each.endpoints == (use.endpoint,)]
        tokens = [each.generation_tokens or 0 for each in own]
        assert 0 < tokens[-1] - tokens[0] <= use.spent.usage.completion_tokens  # the first was not at once
        assert any(each.running for each in own)
        assert sum(each.shared for each in own) < len(own) / 2  # nobody else is there
        assert not any(each.absent or each.gpus for each in own)
