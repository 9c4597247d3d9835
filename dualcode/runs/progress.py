"""The live display of a run: pass@1 so far, tokens per second of each server, time left."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from dualcode.call import Call
from dualcode.metrics import duration
from dualcode.models.chat import ChatModel, Meter
from dualcode.runs.runner import Observer, Silent
from dualcode.verdict import Verdict

RATE_WINDOW = 5.0
"""Seconds over which tokens per second are averaged."""
PLAIN_EVERY = 15.0
"""Seconds between lines where the output is no terminal; the first ones come sooner."""
PLAIN_FIRST = 2.0
PACE_WINDOW = 60.0
"""Seconds of which the pace is told, at least; else the later half of the time."""


class Pace:
    """Tasks a second of late: a slow beginning, while references run and servers warm up, is forgotten."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self._points: deque[tuple[float, int]] = deque([(0.0, 0)])

    def seconds(self, left: int, done: int) -> float | None:
        """Return how long so many tasks take, now that so many are done; None before it can be known."""
        now = time.monotonic() - self.started
        self._points.append((now, done))
        while len(self._points) > 2 and self._points[1][0] <= now - max(PACE_WINDOW, now / 2):
            self._points.popleft()
        then, before = self._points[0]
        if done == before:  # nothing was done of late
            then, before = 0.0, 0
        return left * (now - then) / (done - before) if done > before else None


class Tally:
    """What has happened so far; an Observer, which tells another of the same."""

    def __init__(self, has_plus: bool, listener: Observer | None = None) -> None:
        self.has_plus = has_plus
        self._listener = listener or Silent()
        self.total = 0
        self.resumed = 0
        self.passed = {"base": 0, "plus": 0}
        self.graded = 0
        self.errored = 0
        self.calls = 0
        self.last = ""
        self.pace = Pace()

    def on_start(self, total: int, verdicts: Sequence[Verdict]) -> None:
        """Count what earlier sessions did."""
        self.total, self.resumed = total, len(verdicts)
        for verdict in verdicts:
            self._count(verdict)
        self._listener.on_start(total, verdicts)

    def on_call(self, call: Call) -> None:
        """Count a call and remember what it was."""
        self.calls += 1
        outcome = call.verdict or ("failed" if call.reply is None else "")
        self.last = f"{call.task_id}: {call.role} {call.step} {outcome}".rstrip()
        self._listener.on_call(call)

    def on_verdict(self, verdict: Verdict) -> None:
        """Count a verdict."""
        self._count(verdict)
        self._listener.on_verdict(verdict)

    def _count(self, verdict: Verdict) -> None:
        if verdict.errored:
            self.errored += 1
            return
        self.graded += 1
        self.passed["base"] += verdict.base.status == "passed"
        self.passed["plus"] += verdict.passed_plus

    @property
    def done(self) -> int:
        """Tasks that this run will not touch again."""
        return self.graded + self.errored

    def rates(self) -> str:
        """Return pass@1 so far, in words."""
        if not self.graded:
            return "pass@1 –"
        passed = self.passed if self.has_plus else {"base": self.passed["base"]}
        parts = (
            f"{kind} {count / self.graded:.1%} ({count}/{self.graded})" for kind, count in passed.items()
        )
        return f"pass@1 {'  '.join(parts)}"

    @property
    def fresh(self) -> int:
        """Tasks that this session did."""
        return self.done - self.resumed

    def seconds_left(self) -> float | None:
        """Return the time left at the pace of this session; None before the first task is done."""
        return self.pace.seconds(self.total - self.done, self.fresh)


class Whole:
    """How far several runs are; it knows the tallies of those at work."""

    def __init__(self, runs: int, tasks: int) -> None:
        self.runs = runs
        self.tasks = tasks
        """Of all runs together."""
        self.pace = Pace()
        self.ended = 0
        """Runs that are done."""
        self._done = self._fresh = 0  # tasks of those runs
        self._now: list[Tally] = []

    def begin(self, tally: Tally) -> None:
        """Note that a run is at work."""
        self._now.append(tally)

    def end(self, tasks: int, tally: Tally | None = None) -> None:
        """Note that a run has ended that has so many tasks; without a tally it was complete already."""
        self.ended += 1
        self._done += tasks
        if tally is not None:
            self._now.remove(tally)
            self._fresh += tally.fresh

    @property
    def done(self) -> int:
        """Tasks that are done, those of earlier sessions too."""
        return self._done + sum(tally.done for tally in self._now)

    def seconds_left(self) -> float | None:
        """Return the time left at the pace of this session; None before anything was done."""
        fresh = self._fresh + sum(tally.fresh for tally in self._now)
        return self.pace.seconds(self.tasks - self.done, fresh)

    def line(self) -> str:
        """Return the state in words."""
        left = self.seconds_left()
        about = f", about {duration(left)} left" if left is not None else ""
        return f"{self.ended} of {self.runs} runs done, {self.done}/{self.tasks} tasks in all{about}"


class Rate:
    """Tokens per second of one server over the last few seconds."""

    def __init__(self, name: str, meter: Meter) -> None:
        self.name = name
        self._meter = meter
        self._points: deque[tuple[float, int]] = deque()

    def text(self) -> str:
        """Take a reading and return it in words."""
        now = time.monotonic()
        self._points.append((now, self._meter.tokens))
        while self._points[0][0] < now - RATE_WINDOW:
            self._points.popleft()
        then, before = self._points[0]
        span = now - then
        rate = (self._meter.tokens - before) / span if span > 0.5 else 0.0
        trouble = f", WAITING: {self._meter.trouble}" if self._meter.trouble else ""
        return f"{self.name} {rate:4.0f} tok/s, {self._meter.in_flight} in flight{trouble}"


class Display:
    """Draws the tallies of the runs at work: a live display on a terminal, else a plain line now and then.

    `tallies` go by the pipelines' names. Silent if `quiet`.
    """

    def __init__(
        self,
        title: str,
        tallies: Mapping[str, Tally],
        chats: Sequence[ChatModel],
        *,
        quiet: bool,
        console: Console,
        whole: Whole | None = None,
    ) -> None:
        self._tallies = tallies
        self._whole = whole if whole is not None and whole.runs > 1 else None
        self._title = title
        self._rates = [Rate(chat.name, chat.meter) for chat in chats]
        self._quiet = quiet
        self._console = console

    async def watch(self) -> None:
        """Draw until cancelled."""
        if self._quiet:
            return
        if self._console.is_terminal:
            await self._draw_live()
        begun = shown = time.monotonic()
        while True:
            await asyncio.sleep(0.5)
            line = self.line()  # a reading twice a second: rates are over the last few
            now = time.monotonic()
            # Soon at first, then less and less: a log of hours is read, too.
            if now - shown >= min(PLAIN_EVERY, max(PLAIN_FIRST, (now - begun) / 10)):
                shown = now
                self._console.print(line, highlight=False, soft_wrap=True)

    def line(self) -> str:
        """Return the state in one line."""
        rates = [rate.text() for rate in self._rates]
        errored = sum(tally.errored for tally in self._tallies.values())
        if len(self._tallies) == 1:
            [(name, tally)] = self._tallies.items()
            left = tally.seconds_left()
            parts = [f"{name} on {self._title}: {tally.done}/{tally.total}", tally.rates(), *rates]
        else:
            left, under_way = None, self._under_way().items()
            told = ", ".join(f"{name} {tally.done}/{tally.total}" for name, tally in under_way)
            parts = [f"{self._title}: {told}", *rates]
        if errored:
            parts.append(f"{errored} errored")
        if left is not None:
            parts.append(f"about {duration(left)} left")
        if self._whole is not None:
            parts.append(self._whole.line())
        return " · ".join(parts)

    def _under_way(self) -> Mapping[str, Tally]:
        """Return the runs that have begun and are not done; else the first."""
        begun = {
            name: tally
            for name, tally in self._tallies.items()
            if tally.calls and tally.done < (tally.total or tally.done + 1)
        }
        return begun or dict(list(self._tallies.items())[:1])

    async def _draw_live(self) -> None:
        bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            expand=True,
        )
        alone = len(self._tallies) == 1
        rows = {
            name: bar.add_task(f"{name} on {self._title}" if alone else name, total=None, left="")
            for name in self._tallies
        }
        whole = self._whole and bar.add_task(f"all {self._whole.runs} runs", total=self._whole.tasks, left="")
        with Live(console=self._console, refresh_per_second=4, transient=True) as live:
            while True:
                under_way = self._under_way()
                for name, tally in self._tallies.items():
                    left = _left(tally) if alone else tally.rates()
                    bar.update(
                        rows[name],
                        completed=tally.done,
                        total=tally.total or None,
                        left=left,
                        visible=alone or name in under_way,
                    )
                if self._whole is not None and whole is not None:
                    bar.update(whole, completed=self._whole.done, left=_left(self._whole))
                errored = sum(tally.errored for tally in self._tallies.values())
                calls = sum(tally.calls for tally in self._tallies.values())
                last = next((tally.last for tally in under_way.values() if tally.last), "")
                told = f"  {next(iter(under_way.values())).rates()}" if alone else f"  {self._title}"
                details = Text.assemble(
                    (f"{told}{f'  {errored} errored' if errored else ''}\n", "green"),
                    (f"  {'   '.join(rate.text() for rate in self._rates)}\n", "cyan"),
                    (f"  {calls} calls, last {last}" if last else "  …", "dim"),
                )
                live.update(Group(bar, details))
                await asyncio.sleep(0.25)


def _left(what: Tally | Whole) -> str:
    seconds = what.seconds_left()
    return f"{duration(seconds)} left" if seconds else ""
