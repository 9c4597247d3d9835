"""A run for people: the result in a terminal, and the transcript of a task."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.text import Text

from dualcode.call import Attempt, Call
from dualcode.cli.terminal import show
from dualcode.errors import UnknownNameError
from dualcode.metrics import Counts
from dualcode.runs.audit import Audit
from dualcode.runs.store import RunRecords
from dualcode.runs.summary import Summary
from dualcode.tables.cells import NOTHING, count, decimal, duration, interval, money, percent
from dualcode.tables.forms import COLOURS
from dualcode.tables.grid import listed, numbers, words
from dualcode.tables.table import Table
from dualcode.verdict import Verdict


def result(summary: Summary, folder: Path) -> None:
    """Print the result of a run: what its sandbox lacked, rates with intervals, cost, and where it lies."""
    for line in summary.cautions:
        show(line, style="yellow")
    for warning in (summary.data.notice(summary.dataset), summary.reviews.warning):
        if warning:
            show(warning, style="bold yellow")
    show(_scores(summary))
    if summary.reviews.total:
        show(_reviews(summary))
    show(_servers(summary))
    show(_foot(summary, folder))


def _scores(summary: Summary) -> Table:
    heads = (words("tests"), *map(numbers, ("pass@1", "95 % interval", "passed", "failed", "errored")))
    sides = (("base", summary.base), ("base + plus", summary.plus))
    rows = [
        (name, *_rate(counts), str(counts.passed), str(counts.failed), str(counts.errored))
        for name, counts in sides
        if counts is not None
    ]
    return listed("scores", f"{summary.pipeline} on {summary.title}", heads, rows)


def _rate(counts: Counts) -> tuple[str, str]:
    rate = counts.rate
    return (NOTHING, NOTHING) if rate is None else (percent(rate.value), interval(rate.low, rate.high))


def _reviews(summary: Summary) -> Text:
    reviews = summary.reviews
    told = [
        f"{reviews.total} reviews",
        f"{reviews.approved} approved",
        f"{reviews.revised} found bugs",
        *([f"{reviews.unread} unread"] if reviews.unread else []),
        f"{reviews.fixes} fixes",
    ]
    if reviews.off_schema:
        told.append(f"{reviews.off_schema} off the schema ({reviews.repaired} repaired)")
    return Text(" · ".join(told))


def _servers(summary: Summary) -> Table:
    thoughts = any(server.usage.reasoning_tokens for server in summary.servers)
    heads = (
        words("server"), words("model", drop=4), numbers("calls"), numbers("tokens in"), numbers("out"),
        *([numbers("thought")] if thoughts else []), numbers("tok/s", drop=2), numbers("busy", drop=3),
        numbers("cost"),
    )  # fmt: skip
    rows = [
        (
            server.endpoint, server.model, count(server.calls), count(server.usage.prompt_tokens),
            count(server.usage.completion_tokens),
            *([count(server.usage.reasoning_tokens)] if thoughts else []),
            decimal(server.tokens_per_second, 0),
            NOTHING if server.busy_share is None else percent(server.busy_share),
            NOTHING if server.cost is None else money({server.currency or "": server.cost}),
        )
        for server in summary.servers
    ]  # fmt: skip
    return listed("servers", "", heads, rows)


def _foot(summary: Summary, folder: Path) -> Text:
    lines = [f"{summary.calls} calls in {duration(summary.seconds)}"]
    odd = (
        (summary.failed_calls, "failed"),
        (summary.null_contents, "without content"),
        (summary.cut, "ended by their token limit or for repeating themselves"),
        (summary.retries, "requests sent again"),
    )
    lines += [f"{number} {what}" for number, what in odd if number]
    text = Text(" · ".join(lines) + "\n")
    if summary.replayed:
        text.append(f"{_spending(summary)}\n")
    if not summary.complete:
        missing = summary.tasks - summary.base.passed - summary.base.failed
        text.append(
            f"{missing} of {summary.tasks} tasks have no verdict; the same command does them again\n", "red"
        )
    text.append("run ", "dim")
    text.append(f"{folder}\n")
    text.append("see ", "dim")
    text.append(f"dualcode show {folder}")
    return text


def _spending(summary: Summary) -> str:
    usages = [server.spent.usage for server in summary.servers]
    paid = money(summary.spent) if summary.spent else ""
    return (
        f"{summary.replayed} calls from the ledger, counted above as if made here; really spent: "
        f"{sum(usage.prompt_tokens for usage in usages):,} tokens in, "
        f"{sum(usage.completion_tokens for usage in usages):,} out" + (f", {paid}" if paid else "")
    )


def comparison(summaries: Sequence[Summary]) -> Table:
    """Return several runs of one suite, a line each."""
    heads = (
        words("pipeline"), numbers("base"), numbers("base + plus", short="+ plus"),
        numbers("95 % interval", short="95 %"),
        numbers("calls a task", drop=3), numbers("from the ledger", drop=2), numbers("tokens", drop=1),
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for each in summaries:
        share, bounds = _rate(each.plus or each.base)
        tokens = sum(server.usage.prompt_tokens + server.usage.completion_tokens for server in each.servers)
        calls = decimal(each.calls / each.tasks, 2) if each.tasks else NOTHING
        kept = percent(each.replayed / each.calls) if each.calls else NOTHING
        plus = share if each.plus else NOTHING
        rows.append((each.pipeline, _rate(each.base)[0], plus, bounds, calls, kept, count(tokens)))
    return listed("comparison", summaries[0].title, heads, rows)


def audited(audit: Audit, *, every: bool = False) -> str:
    """Return what an audit found, what it rests on and what it cannot see; `every` finding, or the first."""
    based = (
        f"{audit.strings:,} hidden strings looked for in {audit.requests or audit.calls:,} requests"
        f" and {audit.programs:,} programs"
    )
    lines = [f"no hidden test was found in what the models were sent ({based})"]
    if audit.leaks:
        lines = [f"HIDDEN TESTS LEFT THE GRADER: {len(audit.leaks)} findings ({based})"]
    for leak in audit.leaks if every else audit.leaks[:1]:
        where = f"call {leak.call} ({leak.step})" if leak.call else _WITHOUT_CALL.get(leak.step, leak.step)
        place = f", {leak.place}" if leak.call and leak.place else ""
        lines.append(
            f"  {leak.task_id}, {where}{place}: {leak.what} {leak.string:.100} in …{leak.excerpt:.400}…"
        )
    if audit.flaws:
        lines.append(f"THE RECORDS DO NOT ANSWER FOR EACH OTHER: {len(audit.flaws)} findings")
        lines += [f"  {flaw}" for flaw in (audit.flaws if every else audit.flaws[:1])]
    lines += [f"  {note}" for note in _notes(audit, every)]
    return "\n".join(lines)


_WITHOUT_CALL = {
    "visible": "what the bench ran",
    "observed": "what the bench ran",
    "solution": "the solution, in lines that no model wrote",
}


def _notes(audit: Audit, every: bool) -> list[str]:
    """Return what was seen and proves nothing, and what cannot be seen."""
    notes = {
        f"no model wrote {len(audit.unasked)} of the solutions: {', '.join(audit.unasked[:5])}"
        f"{', …' if len(audit.unasked) > 5 else ''}": audit.unasked,
        f"{audit.unexplained:,} requests hold {audit.unexplained_words:,} words of no known source (prompt,"
        " templates, the pipeline's constants, replies, the bench): read them": audit.unexplained,
        f"{audit.unknown_tests:,} calls that the bench ran came from neither prompt nor model": (
            audit.unknown_tests
        ),
        f"{audit.by_chance:,} short strings stand in constant text that went to other tasks too: taken for"
        " chance": audit.by_chance,
        f"{audit.short:,} hidden strings are too short to tell": every and audit.short,
    }
    unseen = [f"not seen by this: {each}" for each in audit.unseen] if every else []
    return [*(note for note, there in notes.items() if there), *unseen]


def task_list(records: RunRecords) -> Table:
    """Return a run's tasks, a line each: the verdict, the steps, the tokens."""
    heads = (
        words("task"), words("base"), words("plus"), words("steps", wraps=True, drop=2),
        numbers("tokens", drop=1), numbers("s", drop=3), words("why not", wraps=True),
    )  # fmt: skip
    calls: dict[str, list[Call]] = {}
    for call in records.calls:
        calls.setdefault(call.task_id, []).append(call)
    rows = [
        (task_id, *_task_cells(records.verdicts.get(task_id), calls.get(task_id, ())))
        for task_id in records.manifest.configuration.tasks
    ]
    return listed("tasks", records.manifest.id, heads, rows)


def _task_cells(verdict: Verdict | None, calls: Sequence[Call]) -> list[str]:
    steps = " → ".join(_step(call) for call in calls)
    tokens = sum(call.usage.completion_tokens for call in calls)
    seconds = sum(call.reply.seconds for call in calls if call.reply)
    took = [steps, count(tokens), decimal(seconds)]
    if verdict is None:
        return [NOTHING, NOTHING, *took, "not done"]
    why = verdict.base.reason or (verdict.plus.reason if verdict.plus else None) or ""
    plus = verdict.plus.status if verdict.plus else NOTHING
    return [verdict.base.status, plus, *took, why if len(why) <= 40 else f"{why[:39]}…"]


def _step(call: Call) -> str:
    if call.verdict is not None:
        return f"{call.step} ({call.verdict})"
    return call.step if call.reply else f"{call.step} (failed)"


def print_transcript(console: Console, records: RunRecords, task_id: str, *, prompts: bool) -> None:
    """Print every call of a task, its program and its verdict; with `prompts`, the messages too.

    Raises UnknownNameError for a task that the run does not have.
    """
    known = records.manifest.configuration.tasks
    if task_id not in known:
        raise UnknownNameError("task", task_id, known, hint=f"dualcode show {records.manifest.id}")
    for call in sorted((c for c in records.calls if c.task_id == task_id), key=lambda call: call.number):
        console.print(_call(call, prompts))
    sample = records.samples.get(task_id)
    if sample is not None:
        title = f"program ({sample.extraction})"
        console.print(
            Panel(Syntax(sample.solution, "python", word_wrap=True), title=title, title_align="left")
        )
    console.print(_verdict(records.verdicts.get(task_id)))


def _call(call: Call, prompts: bool) -> Panel:
    parts: list[RenderableType] = []
    if prompts:
        parts += [Text(f"[{each.role}] {each.content}\n", "dim") for each in call.request.messages]
    if call.reply and call.reply.reasoning:
        parts.append(Text(f"(thought) {call.reply.reasoning}\n", "dim italic"))
    parts.append(Text(call.error or "" if call.reply is None else call.reply.content or "(no content)"))
    parts += [
        _attempt(attempt) for attempt in call.attempts if attempt.outcome != "ok" or attempt.kind != "chat"
    ]
    title = f"{call.number} {call.role} {call.step} · {call.model}"
    return Panel(Group(*parts), title=title, title_align="left", subtitle=_took(call), subtitle_align="right")


def _took(call: Call) -> str:
    if call.reply is None:
        return "failed"
    usage = call.usage
    told = [f"{usage.prompt_tokens} + {usage.completion_tokens} tokens", f"{call.reply.seconds:.1f} s"]
    told += [call.reply.finish_reason, *call.notes, *(["from the ledger"] if call.from_ledger else [])]
    return " · ".join(told)


def _attempt(attempt: Attempt) -> Text:
    return Text(f"\n(attempt: {attempt.kind}, {attempt.outcome}, {attempt.seconds:.1f} s)", "yellow")


def _verdict(verdict: Verdict | None) -> RenderableType:
    if verdict is None:
        return Text("no verdict yet")
    lines: list[Text] = []
    for name, outcome in (("base", verdict.base), ("plus", verdict.plus)):
        if outcome is not None:
            line = Text.assemble(f"{name}: ", (outcome.status, COLOURS[outcome.status]))
            line.append(f", {outcome.reason}" if outcome.reason else "")
            line.append(f", on {outcome.failing_input}" if outcome.failing_input else "")
            lines.append(line)
    return Group(*lines)
