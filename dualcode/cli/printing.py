"""A run for people: the result in a terminal, what an audit found, and the transcript of a task."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.text import Text

from dualcode.analysis.failures.source import printable
from dualcode.call import Call
from dualcode.cli.options import spelled
from dualcode.cli.terminal import show
from dualcode.errors import UnknownNameError
from dualcode.metrics import Counts
from dualcode.record import Record
from dualcode.runs.audit import Audit
from dualcode.runs.store import RunRecords, Sample
from dualcode.runs.summary import Summary
from dualcode.tables.cells import NOTHING, count, decimal, duration, interval, money, percent
from dualcode.tables.forms import COLOURS
from dualcode.tables.grid import listed, numbers, words
from dualcode.tables.table import Table
from dualcode.verdict import Verdict

if TYPE_CHECKING:
    from dualcode.runs.evaluate import Result


def result(summary: Summary, folder: Path) -> None:
    """Print the result of a run: what its sandbox lacked, rates with intervals, cost, and where it lies."""
    for line in summary.cautions:
        show(line, style="yellow")
    for warning in (summary.data.notice(summary.dataset), summary.reviews.warning):
        if warning:
            show(warning, style="bold yellow")
    heads = (words("tests"), *map(numbers, ("pass@1", "95 % interval", "passed", "failed", "errored")))
    sides = (("base", summary.base), ("base + plus", summary.plus))
    rows = [
        (name, *_rate(counts), str(counts.passed), str(counts.failed), str(counts.errored))
        for name, counts in sides
        if counts is not None
    ]
    show(listed("scores", f"{summary.pipeline} on {summary.title}", heads, rows))
    reviews = summary.reviews
    if reviews.total:
        told = [f"{reviews.total} reviews", f"{reviews.approved} approved", f"{reviews.revised} found bugs"]
        told += [f"{reviews.unread} unread"] if reviews.unread else []
        told.append(f"{reviews.fixes} fixes")
        if reviews.off_schema:
            told.append(f"{reviews.off_schema} off the schema ({reviews.repaired} repaired)")
        show(" · ".join(told))
    show(_servers(summary))
    show(_foot(summary, folder))


def results(done: "Sequence[Result]") -> None:
    """Print several runs of one suite: their comparison, then in lines what has to be known of each."""
    summaries = [each.summary for each in done]
    show(comparison(summaries))
    notices = [each.data.notice(each.dataset) for each in summaries]
    for line in dict.fromkeys(filter(None, notices)):
        show(line, style="bold yellow")
    for line in dict.fromkeys(line for each in summaries for line in each.cautions):
        show(line, style="yellow")
    for each in done:
        known = each.summary
        if known.reviews.warning:
            show(f"{known.pipeline}: {known.reviews.warning}", style="bold yellow")
        if not known.complete:
            show(f"{known.pipeline}: {_unfinished(known)}", style="red")
        if not each.audit.clean:
            show(f"{known.pipeline}: {audited(each.audit)}", style="bold red")
    clean = sum(each.audit.clean for each in done)
    show(f"no hidden test was found in what the models of {clean} of {len(done)} runs were sent")
    for each in done:
        show(f"{each.summary.pipeline:<20} {each.folder}")
    show(f"see  {spelled()} show RUN, or the same command with --details", style="dim")


def _rate(counts: Counts) -> tuple[str, str]:
    rate = counts.rate
    return (NOTHING, NOTHING) if rate is None else (percent(rate.value), interval(rate.low, rate.high))


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
        usages = [server.spent.usage for server in summary.servers]
        paid = f", {money(summary.spent)}" if summary.spent else ""
        text.append(
            f"{summary.replayed} calls from the ledger, counted above as if made here; really spent: "
            f"{sum(usage.prompt_tokens for usage in usages):,} tokens in, "
            f"{sum(usage.completion_tokens for usage in usages):,} out{paid}\n"
        )
    if not summary.complete:
        text.append(f"{_unfinished(summary)}\n", "red")
    return text + Text.assemble(("run ", "dim"), f"{folder}\n", ("see ", "dim"), f"{spelled()} show {folder}")


def _unfinished(summary: Summary) -> str:
    missing = summary.tasks - summary.base.passed - summary.base.failed
    return f"{missing} of {summary.tasks} tasks have no verdict; the same command does them again"


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
    lines += [f"  {note}" for note, there in notes.items() if there]
    lines += [f"  not seen by this: {each}" for each in audit.unseen] if every else []
    return "\n".join(lines)


_WITHOUT_CALL = {
    "visible": "what the bench ran",
    "observed": "what the bench ran",
    "solution": "the solution, in lines that no model wrote",
}


def task_list(records: RunRecords) -> Table:
    """Return a run's tasks, a line each: the verdict, the steps, the tokens."""
    heads = (
        words("task"), words("base"), words("plus"), words("steps", wraps=True, drop=2),
        numbers("tokens", drop=1), numbers("s", drop=3), words("why not", wraps=True),
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for each in tasks(records):
        why = each["why"] or ("not done" if each["base"] is None else "")
        steps = " → ".join(f"{name} ({verdict})" if verdict else name for name, verdict in each["steps"])
        rows.append(
            (
                each["task_id"], each["base"] or NOTHING, each["plus"] or NOTHING, steps,
                count(each["completion_tokens"]), decimal(each["seconds"]),
                why if len(why) <= 40 else f"{why[:39]}…",
            )
        )  # fmt: skip
    return listed("tasks", records.manifest.id, heads, rows)


def tasks(records: RunRecords) -> Iterator[dict[str, Any]]:
    """Yield a run's tasks as values: outcome of each part, steps with what they came to, tokens, seconds."""
    made: dict[str, list[Call]] = {}
    for call in records.calls:
        made.setdefault(call.task_id, []).append(call)
    for task_id in records.manifest.configuration.tasks:
        calls = made.get(task_id, [])
        verdict = records.verdicts.get(task_id)
        plus = verdict.plus if verdict else None
        yield {
            "task_id": task_id,
            "base": verdict.base.status if verdict else None,
            "plus": plus.status if plus else None,
            "why": (verdict.base.reason or (plus.reason if plus else None)) if verdict else None,
            "steps": [(call.step, call.verdict or ("" if call.reply else "failed")) for call in calls],
            "completion_tokens": sum(call.usage.completion_tokens for call in calls),
            "seconds": sum(call.reply.seconds for call in calls if call.reply),
        }


class Transcript(Record):
    """All that is on record of a task."""

    run: str
    task_id: str
    calls: tuple[Call, ...]
    """In their order."""
    sample: Sample | None
    verdict: Verdict | None


def transcript(records: RunRecords, task_id: str, folder: Path) -> Transcript:
    """Return a task's transcript. Raises UnknownNameError for one that the run in `folder` has not."""
    known = records.manifest.configuration.tasks
    if task_id not in known:
        raise UnknownNameError("task", task_id, known, hint=f"dualcode show {folder}")
    calls = [call for call in records.calls if call.task_id == task_id]
    return Transcript(
        run=records.manifest.id,
        task_id=task_id,
        calls=tuple(sorted(calls, key=lambda call: call.number)),
        sample=records.samples.get(task_id),
        verdict=records.verdicts.get(task_id),
    )


def print_transcript(
    console: Console, records: RunRecords, task_id: str, folder: Path, *, prompts: bool
) -> None:
    """Print every call of a task, its program and its verdict; with `prompts`, the messages too.

    Nothing of a model's text moves the terminal's cursor. Raises UnknownNameError as `transcript` does.
    """
    found = transcript(records, task_id, folder)
    for call in found.calls:
        console.print(_call(call, prompts))
    sample, verdict = found.sample, found.verdict
    if sample is not None:
        body = Syntax(printable(sample.solution), "python", word_wrap=True)
        console.print(Panel(body, title=f"program ({sample.extraction})", title_align="left"))
    if verdict is None:
        console.print("no verdict yet")
        return
    for name, outcome in (("base", verdict.base), ("plus", verdict.plus)):
        if outcome is not None:
            line = Text.assemble(f"{name}: ", (outcome.status, COLOURS[outcome.status]))
            line.append(f", {printable(outcome.reason)}" if outcome.reason else "")
            line.append(f", on {printable(outcome.failing_input)}" if outcome.failing_input else "")
            console.print(line)


def _call(call: Call, prompts: bool) -> Panel:
    parts: list[RenderableType] = []
    if prompts:
        parts += [Text(f"[{each.role}] {printable(each.content)}\n", "dim") for each in call.request.messages]
    if call.reply and call.reply.reasoning:
        parts.append(Text(f"(thought) {printable(call.reply.reasoning)}\n", "dim italic"))
    said = call.error or "" if call.reply is None else call.reply.content or "(no content)"
    parts.append(Text(printable(said)))
    parts += [
        Text(f"\n(attempt: {each.kind}, {each.outcome}, {each.seconds:.1f} s)", "yellow")
        for each in call.attempts
        if each.outcome != "ok" or each.kind != "chat"
    ]
    told = ["failed"]
    if call.reply is not None:
        tokens = f"{call.usage.prompt_tokens} + {call.usage.completion_tokens} tokens"
        told = [tokens, f"{call.reply.seconds:.1f} s", call.reply.finish_reason, *call.notes]
        told += ["from the ledger"] if call.from_ledger else []
    title = f"{call.number} {call.role} {call.step} · {call.model}"
    return Panel(
        Group(*parts), title=title, title_align="left", subtitle=" · ".join(told), subtitle_align="right"
    )
