"""A snapshot's forms: tables for a terminal, lines for a file, metrics for Prometheus.

vLLM's own metrics are scraped from vLLM. `serving/grafana/` has a scrape configuration and a dashboard.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dualcode.errors import ServingError
from dualcode.operating.top import ServerNow, Snapshot
from dualcode.operating.work import RunNow
from dualcode.serving.gpus import Card
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


_SERVER = ("server", "model", "address")
_GPU = ("gpu", "uuid", "name")
_RUN = ("run", "pipeline", "suite")
_GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "server_up": ("Whether the server answers.", _SERVER),
    "server_failure": (
        "1 for each failure of the catalogue that the server's metrics show.", (*_SERVER, "failure"),
    ),
    "gpu_power_watts": ("Power that the GPU takes.", _GPU),
    "gpu_power_limit_watts": ("Power that it may take.", _GPU),
    "gpu_temperature_celsius": ("Temperature of the GPU.", _GPU),
    "gpu_utilization_ratio": ("Share of time in which a kernel ran, 0 to 1.", _GPU),
    "gpu_memory_used_bytes": ("Memory of the GPU in use, by anybody.", _GPU),
    "gpu_memory_bytes": ("Memory of the GPU.", _GPU),
    "gpu_throttled": ("1 while its clocks are lowered.", _GPU),
    "run_tasks": ("Tasks of a run under work, by outcome; `left` are not done.", (*_RUN, "outcome")),
    "run_pass_at_1": ("pass@1 so far, 0 to 1.", (*_RUN, "tests")),
    "run_in_flight": ("Tasks under work, by the last step that ended, and `grading`.", (*_RUN, "after")),
    "run_requests": ("The run's requests that its servers had not answered.", (*_RUN, "endpoint")),
}  # fmt: skip
_COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "run_calls": ("Calls that ended, by step.", (*_RUN, "step")),
    "run_failed_calls": ("Calls that got no reply.", _RUN),
    "run_reviews": ("Reviews, by verdict: approve, revise, unread.", (*_RUN, "verdict")),
    "run_tokens": ("Tokens of the run's calls, by kind: prompt, completion.", (*_RUN, "kind")),
}
"""Metric without `dualcode_` -> its help and labels. Counters are exposed with `_total` at the end."""
NAMES = frozenset({f"dualcode_{name}" for name in _GAUGES} | {f"dualcode_{name}_total" for name in _COUNTERS})
"""All that is exposed."""
_Sample = tuple[str, tuple[str, ...], float | None]
"""A metric, its labels and its value; None is not exposed."""


def families(snapshot: Snapshot) -> Iterable[Metric]:
    """Return the metrics of a snapshot."""
    found: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
    for kind, table in ((GaugeMetricFamily, _GAUGES), (CounterMetricFamily, _COUNTERS)):
        for name, (told, labels) in table.items():
            found[name] = kind(f"dualcode_{name}", told, labels=labels)
    servers, gpus = map(_server_samples, snapshot.servers), map(_gpu_samples, snapshot.gpus)
    for name, labels, value in chain(*servers, *gpus, *map(_run_samples, snapshot.runs)):
        if value is not None:
            found[name].add_metric(labels, value)
    return found.values()


def _server_samples(server: ServerNow) -> Iterator[_Sample]:
    labels = (server.name, server.model, server.address)
    yield "server_up", labels, server.up
    for each in server.failures:
        yield "server_failure", (*labels, each), 1


def _gpu_samples(card: Card) -> Iterator[_Sample]:
    labels = (str(card.index), card.uuid, card.name)
    yield "gpu_power_watts", labels, card.watts
    yield "gpu_power_limit_watts", labels, card.limit_watts
    yield "gpu_temperature_celsius", labels, card.celsius
    yield "gpu_utilization_ratio", labels, card.utilization
    yield "gpu_memory_used_bytes", labels, card.used_bytes
    yield "gpu_memory_bytes", labels, card.total_bytes
    yield "gpu_throttled", labels, bool(card.throttled)


def _run_samples(run: RunNow) -> Iterator[_Sample]:
    labels, hardest = (run.run, run.pipeline, run.suite), run.hardest
    counted: dict[str, Mapping[str, float | None]] = {
        "run_tasks": hardest.model_dump() | {"left": run.tasks - run.done},
        "run_pass_at_1": {"base": run.base.pass_at_1, "plus": run.plus and run.plus.pass_at_1},
        "run_in_flight": run.in_flight | {"grading": run.grading},
        "run_requests": run.requests,
        "run_calls": run.calls,
        "run_reviews": run.reviews,
        "run_tokens": {"prompt": run.prompt_tokens, "completion": run.completion_tokens},
    }
    yield "run_failed_calls", labels, run.failed_calls
    for name, by in counted.items():
        for what, value in by.items():
            yield name, (*labels, what), value


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
