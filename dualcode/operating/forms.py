"""A snapshot's forms: tables for a terminal, lines for a file, metrics for Prometheus.

vLLM's own metrics are scraped from vLLM. `serving/grafana/` has a scrape configuration and a dashboard.
"""

import time
from collections.abc import Callable, Iterable, Iterator

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dualcode.errors import ServingError
from dualcode.operating.cards import Card
from dualcode.operating.top import ServerNow, Snapshot
from dualcode.operating.work import RunNow
from dualcode.tables.cells import NOTHING, count, decimal, percent
from dualcode.tables.grid import listed, numbers, words
from dualcode.tables.table import Table

GIB = 2**30
NONE = "none in this folder (--run-dir)"


def tables(snapshot: Snapshot) -> Iterator[Table]:
    """Yield a table of servers, one of GPUs if there are any, and one of runs."""
    heads = (
        words("server"), words("model", drop=1), words("state"), numbers("tok/s"),
        numbers("in tok/s", drop=4), numbers("running"), numbers("waiting"), numbers("KV"),
        numbers("prefix", drop=3), numbers("pre-empted", drop=2),
    )  # fmt: skip
    rows = [_server(each) for each in snapshot.servers]
    notes = [] if rows else ["no server: dualcode serve start, or --team FILE"]
    yield listed("servers", f"servers at {_clock(snapshot)}", heads, rows, notes=notes)
    if snapshot.gpus:
        heads = (words("gpu"), words("name", drop=1), *map(numbers, ("busy", "memory", "power", "°C")))
        yield listed(
            "gpus", "GPUs", (*heads, words("clocks", drop=2)), [_gpu(each) for each in snapshot.gpus]
        )
    heads = (
        words("run"), numbers("done"), numbers("pass@1"), numbers("errored"), numbers("unread", drop=1),
        words("in flight", wraps=True),
    )  # fmt: skip
    runs = [_run(each) for each in snapshot.runs]
    yield listed("runs", "runs under work", heads, runs, notes=[] if runs else [NONE])


def _server(each: ServerNow) -> tuple[str, ...]:
    state = ", ".join(each.failures) or ("up" if each.up else "no answer")
    return (
        each.name, each.model, state, decimal(each.tokens_per_second, 0),
        decimal(each.prompt_tokens_per_second, 0), decimal(each.running, 0), decimal(each.waiting, 0),
        _share(each.kv_cache), _share(each.prefix_share), decimal(each.preemptions, 0),
    )  # fmt: skip


def _gpu(each: Card) -> tuple[str, ...]:
    memory = NOTHING
    if each.used_bytes is not None and each.total_bytes is not None:
        memory = f"{each.used_bytes / GIB:.1f}/{each.total_bytes / GIB:.1f} GiB"
    power = NOTHING if each.watts is None else f"{each.watts:.0f} W"
    clocks = ", ".join(each.throttled) or "free"
    return (
        str(each.index),
        each.name,
        _share(each.utilization),
        memory,
        power,
        decimal(each.celsius, 0),
        clocks,
    )


def _run(each: RunNow) -> tuple[str, ...]:
    rate = each.hardest.pass_at_1
    unread = count(each.reviews.get("unread", 0)) if each.reviews else NOTHING
    parts = [f"{number} after {step}" for step, number in each.in_flight.items()]
    parts += [f"{each.grading} graded now"] if each.grading else []
    asked = [f"{number} at {name}" for name, number in each.requests.items() if number]
    parts += [f"requests: {', '.join(asked)}"] if asked else []
    return (
        each.run, f"{each.done}/{each.tasks}", NOTHING if rate is None else percent(rate),
        count(each.base.errored), unread, ", ".join(parts) or NOTHING,
    )  # fmt: skip


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0%}"


def _clock(snapshot: Snapshot) -> str:
    return time.strftime("%H:%M:%SZ", time.gmtime(snapshot.at))


def lines(snapshot: Snapshot) -> Iterator[str]:
    """Yield a line for each server, GPU and run."""
    clock = _clock(snapshot)
    for each in snapshot.servers:
        name, _, state, rate, _, running, waiting, cache, prefix, preempted = _server(each)
        yield (
            f"{clock} server {name}: {state}, {rate} tok/s, {running} running, {waiting} waiting, "
            f"KV {cache}, prefix {prefix}, {preempted} pre-empted"
        )
    for card in snapshot.gpus:
        index, _, busy, memory, power, celsius, clocks = _gpu(card)
        yield f"{clock} gpu {index}: {busy} busy, {memory}, {power}, {celsius} °C, clocks {clocks}"
    for run in snapshot.runs:
        _, done, rate, errored, unread, steps = _run(run)
        yield (
            f"{clock} run {run.run}: {done} done, pass@1 {rate}, {errored} errored, {unread} unread, "
            f"in flight: {steps}"
        )
    if not (snapshot.servers or snapshot.gpus or snapshot.runs):
        yield f"{clock} no server, no GPU and no run under work"


_RUN = ("run", "pipeline", "suite")
_GPU = ("gpu", "uuid", "name")
_GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "dualcode_server_up": ("Whether the server answers.", ("server", "model", "address")),
    "dualcode_server_failure": (
        "1 for each failure of the catalogue that the server's metrics show.",
        ("server", "model", "address", "failure"),
    ),
    "dualcode_gpu_power_watts": ("Power that the GPU takes.", _GPU),
    "dualcode_gpu_power_limit_watts": ("Power that it may take.", _GPU),
    "dualcode_gpu_temperature_celsius": ("Temperature of the GPU.", _GPU),
    "dualcode_gpu_utilization_ratio": ("Share of time in which a kernel ran, 0 to 1.", _GPU),
    "dualcode_gpu_memory_used_bytes": ("Memory of the GPU in use, by anybody.", _GPU),
    "dualcode_gpu_memory_bytes": ("Memory of the GPU.", _GPU),
    "dualcode_gpu_throttled": ("1 while its clocks are lowered.", _GPU),
    "dualcode_run_tasks": ("Tasks of a run under work, by outcome; `left` are not done.", (*_RUN, "outcome")),
    "dualcode_run_pass_at_1": ("pass@1 so far, 0 to 1.", (*_RUN, "tests")),
    "dualcode_run_in_flight": (
        "Tasks under work, by the last step that ended, and `grading`.",
        (*_RUN, "after"),
    ),
    "dualcode_run_requests": ("The run's requests that its servers had not answered.", (*_RUN, "endpoint")),
}
_COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "dualcode_run_calls": ("Calls that ended, by step.", (*_RUN, "step")),
    "dualcode_run_failed_calls": ("Calls that got no reply.", _RUN),
    "dualcode_run_reviews": ("Reviews, by verdict: approve, revise, unread.", (*_RUN, "verdict")),
    "dualcode_run_tokens": ("Tokens of the run's calls, by kind: prompt, completion.", (*_RUN, "kind")),
}
"""Exposed with `_total` at the end, as Prometheus has it."""
NAMES = frozenset(_GAUGES) | {f"{name}_total" for name in _COUNTERS}
"""All that is exposed."""


def families(snapshot: Snapshot) -> Iterable[Metric]:
    """Return the metrics of a snapshot."""
    gauges = {name: GaugeMetricFamily(name, *told) for name, told in _with_lists(_GAUGES)}
    counters = {name: CounterMetricFamily(name, *told) for name, told in _with_lists(_COUNTERS)}
    for server in snapshot.servers:
        labels = [server.name, server.model, server.address]
        gauges["dualcode_server_up"].add_metric(labels, float(server.up))
        for each in server.failures:
            gauges["dualcode_server_failure"].add_metric([*labels, each], 1.0)
    for card in snapshot.gpus:
        labels = [str(card.index), card.uuid, card.name]
        told = {
            "power_watts": card.watts,
            "power_limit_watts": card.limit_watts,
            "temperature_celsius": card.celsius,
            "utilization_ratio": card.utilization,
            "memory_used_bytes": card.used_bytes,
            "memory_bytes": card.total_bytes,
            "throttled": float(bool(card.throttled)),
        }
        for name, value in told.items():
            if value is not None:
                gauges[f"dualcode_gpu_{name}"].add_metric(labels, value)
    for run in snapshot.runs:
        labels, hardest = [run.run, run.pipeline, run.suite], run.hardest
        outcomes = {"passed": hardest.passed, "failed": hardest.failed, "errored": hardest.errored}
        for outcome, number in (outcomes | {"left": run.tasks - run.done}).items():
            gauges["dualcode_run_tasks"].add_metric([*labels, outcome], number)
        for tests, counts in (("base", run.base), ("plus", run.plus)):
            if counts is not None and counts.pass_at_1 is not None:
                gauges["dualcode_run_pass_at_1"].add_metric([*labels, tests], counts.pass_at_1)
        for after, number in (run.in_flight | {"grading": run.grading}).items():
            gauges["dualcode_run_in_flight"].add_metric([*labels, after], number)
        for endpoint, number in run.requests.items():
            gauges["dualcode_run_requests"].add_metric([*labels, endpoint], number)
        counters["dualcode_run_failed_calls"].add_metric(labels, run.failed_calls)
        for name, by in (
            ("calls", run.calls),
            ("reviews", run.reviews),
            ("tokens", {"prompt": run.prompt_tokens, "completion": run.completion_tokens}),
        ):
            for each, number in by.items():
                counters[f"dualcode_run_{name}"].add_metric([*labels, each], number)
    return [*gauges.values(), *counters.values()]


def _with_lists(
    table: dict[str, tuple[str, tuple[str, ...]]],
) -> Iterator[tuple[str, tuple[str, None, list[str]]]]:
    for name, (told, labels) in table.items():
        yield name, (told, None, list(labels))


class _Latest(Collector):
    def __init__(self, latest: Callable[[], Snapshot | None]) -> None:
        self._latest = latest

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of the last snapshot."""
        snapshot = self._latest()
        return families(snapshot) if snapshot is not None else ()


def expose(latest: Callable[[], Snapshot | None], host: str, port: int) -> Callable[[], None]:
    """Answer GET /metrics at host and port with the latest snapshot; return what ends it.

    Raises ServingError for a port that is taken.
    """
    registry = prometheus_client.CollectorRegistry(auto_describe=False)
    registry.register(_Latest(latest))
    try:
        server, thread = prometheus_client.start_http_server(port, host, registry)
    except OSError as error:
        told = f"port {port} of {host} cannot be listened on: {error.strerror or error}"
        raise ServingError(told, hint=f"--prometheus {port + 1}") from None

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end


def text(snapshot: Snapshot) -> str:
    """Return a snapshot in Prometheus's text format."""
    registry = prometheus_client.CollectorRegistry(auto_describe=False)
    registry.register(_Latest(lambda: snapshot))
    return prometheus_client.generate_latest(registry).decode()
