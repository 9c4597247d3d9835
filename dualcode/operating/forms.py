"""A snapshot for people: tables for a terminal, lines for a file."""

import time
from collections.abc import Iterator

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
    return (
        each.run, f"{each.done}/{each.tasks}", NOTHING if rate is None else percent(rate),
        count(each.base.errored), unread, _steps(each),
    )  # fmt: skip


def _steps(each: RunNow) -> str:
    parts = [f"{number} after {step}" for step, number in each.in_flight.items()]
    parts += [f"{each.grading} graded now"] if each.grading else []
    asked = [f"{number} at {name}" for name, number in each.requests.items() if number]
    parts += [f"requests: {', '.join(asked)}"] if asked else []
    return ", ".join(parts) or NOTHING


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0%}"


def _clock(snapshot: Snapshot) -> str:
    return time.strftime("%H:%M:%SZ", time.gmtime(snapshot.at))


def lines(snapshot: Snapshot) -> Iterator[str]:
    """Yield a line for each server, GPU and run."""
    clock = _clock(snapshot)
    for each in snapshot.servers:
        state = ", ".join(each.failures) or ("up" if each.up else "no answer")
        yield (
            f"{clock} server {each.name}: {state}, {decimal(each.tokens_per_second, 0)} tok/s, "
            f"{decimal(each.running, 0)} running, {decimal(each.waiting, 0)} waiting, "
            f"KV {_share(each.kv_cache)}, prefix {_share(each.prefix_share)}, "
            f"{decimal(each.preemptions, 0)} pre-empted"
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
