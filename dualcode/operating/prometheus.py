"""The same for Prometheus: what `top` shows of GPUs and runs, and whether servers answer, as metrics.

vLLM's own metrics are scraped from vLLM. `serving/grafana/` has a scrape configuration and a dashboard.
"""

from collections.abc import Callable, Iterable, Iterator

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dualcode.errors import ServingError
from dualcode.operating.top import Snapshot

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
