"""A run for people: the result in a terminal, and the transcript of a task."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from dualcode.call import Attempt, Call
from dualcode.errors import UnknownNameError
from dualcode.metrics import Counts
from dualcode.runs.audit import Audit
from dualcode.runs.progress import duration
from dualcode.runs.store import RunRecords
from dualcode.runs.summary import ServerUse, Summary
from dualcode.verdict import Outcome, Verdict

PLAIN_WIDTH = 120
"""Columns where the output is no terminal."""


def console(*, stderr: bool = False) -> Console:
    """Return a console that does not fold tables at 80 columns where the output goes into a file."""
    made = Console(stderr=stderr)
    return made if made.is_terminal else Console(stderr=stderr, width=PLAIN_WIDTH)


def result(summary: Summary, folder: Path) -> RenderableType:
    """Return the result of a run: what its sandbox lacked, rates with intervals, cost, and where it lies."""
    parts: list[RenderableType] = [Text(line, "yellow") for line in summary.cautions]
    if notice := summary.data.notice(summary.dataset):
        parts.append(Text(notice, style="bold yellow"))
    if summary.reviews.warning:
        parts.append(Text(summary.reviews.warning, "bold yellow"))
    parts.append(_scores(summary))
    if summary.reviews.total:
        parts.append(_reviews(summary))
    parts += [_servers(summary), _foot(summary, folder)]
    return Group(*parts)


def _scores(summary: Summary) -> Table:
    table = Table(
        title=f"{summary.pipeline} on {summary.title}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in ("tests", "pass@1", "95 % interval", "passed", "failed", "errored"):
        table.add_column(name, justify="left" if name == "tests" else "right")
    for name, counts in (("base", summary.base), ("base + plus", summary.plus)):
        if counts is not None:
            table.add_row(name, *_counts(counts))
    return table


def _counts(counts: Counts) -> list[str]:
    rate = counts.rate
    shown = ["–", "–"] if rate is None else [f"{rate.value:.1%}", f"{rate.low:.1%} – {rate.high:.1%}"]
    return [*shown, str(counts.passed), str(counts.failed), str(counts.errored)]


def _reviews(summary: Summary) -> Text:
    reviews = summary.reviews
    words = [
        f"{reviews.total} reviews",
        f"{reviews.approved} approved",
        f"{reviews.revised} found bugs",
        *([f"{reviews.unread} unread"] if reviews.unread else []),
        f"{reviews.fixes} fixes",
    ]
    if reviews.off_schema:
        words.append(f"{reviews.off_schema} off the schema ({reviews.repaired} repaired)")
    return Text(" · ".join(words))


def _servers(summary: Summary) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = ["server", "model", "calls", "tokens in", "out", "tok/s", "busy", "cost"]
    thoughts = any(server.usage.reasoning_tokens for server in summary.servers)
    if thoughts:
        columns.insert(5, "thought")
    for name in columns:
        table.add_column(name, justify="left" if name in ("server", "model") else "right", no_wrap=True)
    for server in summary.servers:
        table.add_row(*_server(server, thoughts))
    return table


def _server(server: ServerUse, thoughts: bool) -> list[str]:
    usage, rate, share = server.usage, server.tokens_per_second, server.busy_share
    price = "–" if server.cost is None else f"{server.currency}{server.cost:.4f}"
    return [
        server.endpoint,
        server.model,
        str(server.calls),
        f"{usage.prompt_tokens:,}",
        f"{usage.completion_tokens:,}",
        *([f"{usage.reasoning_tokens:,}"] if thoughts else []),
        "–" if rate is None else f"{rate:.0f}",
        "–" if share is None else f"{share:.0%}",
        price,
    ]


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
    money = ", ".join(f"{currency}{amount:.4f}" for currency, amount in summary.spent.items())
    return (
        f"{summary.replayed} calls from the ledger, counted above as if made here; really spent: "
        f"{sum(usage.prompt_tokens for usage in usages):,} tokens in, "
        f"{sum(usage.completion_tokens for usage in usages):,} out" + (f", {money}" if money else "")
    )


def comparison(summaries: Sequence[Summary]) -> Table:
    """Return several runs of one suite, a line each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=summaries[0].title, title_justify="left")
    for name in (
        "pipeline",
        "base",
        "base + plus",
        "95 % interval",
        "calls a task",
        "from the ledger",
        "tokens",
    ):
        table.add_column(name, justify="left" if name == "pipeline" else "right")
    for each in summaries:
        judged = each.plus or each.base
        share, interval, *_ = _counts(judged)
        tokens = sum(server.usage.prompt_tokens + server.usage.completion_tokens for server in each.servers)
        calls = f"{each.calls / each.tasks:.2f}" if each.tasks else "–"
        kept = f"{each.replayed / each.calls:.0%}" if each.calls else "–"
        plus = share if each.plus else "–"
        table.add_row(each.pipeline, _counts(each.base)[0], plus, interval, calls, kept, f"{tokens:,}")
    return table


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
    table = Table(
        title=records.manifest.id,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in ("task", "base", "plus", "steps", "tokens", "s", "why not"):
        table.add_column(
            name, justify="right" if name in ("tokens", "s") else "left", no_wrap=name != "why not"
        )
    for task_id in records.manifest.configuration.tasks:
        calls = [call for call in records.calls if call.task_id == task_id]
        table.add_row(task_id, *_task_cells(records.verdicts.get(task_id), calls))
    return table


def _task_cells(verdict: Verdict | None, calls: Sequence[Call]) -> list[str | Text]:
    steps = " → ".join(_step(call) for call in calls)
    tokens = sum(call.usage.completion_tokens for call in calls)
    seconds = sum(call.reply.seconds for call in calls if call.reply)
    if verdict is None:
        return ["–", "–", steps, str(tokens), f"{seconds:.1f}", "not done"]
    why = _brief(verdict.base.reason or (verdict.plus.reason if verdict.plus else None) or "")
    return [_status(verdict.base), _status(verdict.plus), steps, str(tokens), f"{seconds:.1f}", why]


def _brief(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _step(call: Call) -> str:
    if call.verdict is not None:
        return f"{call.step} ({call.verdict})"
    return call.step if call.reply else f"{call.step} (failed)"


def _status(outcome: Outcome | None) -> Text:
    if outcome is None:
        return Text("–")
    return Text(outcome.status, {"passed": "green", "failed": "red", "errored": "yellow"}[outcome.status])


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
    words = [f"{usage.prompt_tokens} + {usage.completion_tokens} tokens", f"{call.reply.seconds:.1f} s"]
    words += [call.reply.finish_reason, *call.notes, *(["from the ledger"] if call.from_ledger else [])]
    return " · ".join(words)


def _attempt(attempt: Attempt) -> Text:
    return Text(f"\n(attempt: {attempt.kind}, {attempt.outcome}, {attempt.seconds:.1f} s)", "yellow")


def _verdict(verdict: Verdict | None) -> RenderableType:
    if verdict is None:
        return Text("no verdict yet")
    lines: list[Text] = []
    for name, outcome in (("base", verdict.base), ("plus", verdict.plus)):
        if outcome is not None:
            line = Text.assemble(f"{name}: ", _status(outcome))
            line.append(f", {outcome.reason}" if outcome.reason else "")
            line.append(f", on {outcome.failing_input}" if outcome.failing_input else "")
            lines.append(line)
    return Group(*lines)
