"""Pieces of code reviewed, and what the reviewer says of them tried before it is believed."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence

from dualcode import prompts
from dualcode.bench.bench import UNLOADED, Bench, Observation
from dualcode.bench.claims import Status, is_call, judge
from dualcode.call import Call, Usage
from dualcode.errors import EndpointError
from dualcode.journal import Findings
from dualcode.record import Record
from dualcode.reviews.slices import needs_project, root_name, slice_for
from dualcode.reviews.sources import Cut, Piece, Source, lines_of
from dualcode.solution import Program
from dualcode.steps import valued
from dualcode.steps.claims import defined
from dualcode.steps.conversation import system, user
from dualcode.steps.review import MOST_FINDINGS
from dualcode.task import Task
from dualcode.team import Seat
from dualcode.together import together


class Found(Record):
    """A finding in its place, with what trying it showed."""

    path: str
    line: int
    """From 1."""
    where: str
    actual: str
    expected: str
    call: str = ""
    """The failing input, as a call; empty where the reviewer named none."""
    does: str = ""
    ought: str = ""
    outcome: str = ""
    """What that call did; empty if it was not run."""
    status: Status
    why: str = ""
    """Why it is untried."""


class Reviewed(Record):
    """What came of a review."""

    findings: tuple[Found, ...] = ()
    """By file and line."""
    pieces: int
    outside: int = 0
    """Findings on lines that the diff does not show; they are not reported."""
    left_out: tuple[str, ...] = ()
    """What nobody reviewed, and why."""
    unread: tuple[str, ...] = ()
    """Pieces whose review held no verdict, even after its repair: nobody judged them."""
    errored: tuple[str, ...] = ()
    """Pieces whose review failed, and why."""
    calls: int = 0
    usage: Usage = Usage()
    seconds: float = 0.0
    tried_seconds: float = 0.0
    """Of these, what running the findings' calls took, added up."""

    @property
    def counts(self) -> Findings:
        """How many findings are confirmed, refuted and untried."""
        return Findings(**Counter(each.status for each in self.findings))


Heard = Callable[[Piece, Sequence[Found] | str], None]
"""Hears of each piece when it is done: its findings, or why there is no verdict."""


async def review(
    cut: Cut,
    spec: str,
    seat: Callable[[str, Callable[[Call], None]], Seat],
    bench: Bench,
    *,
    at_once: int = 4,
    heard: Heard = lambda _piece, _found: None,
    record: Callable[[Call], None] = lambda _: None,
) -> Reviewed:
    """Review every piece against `spec`, or against what it says of itself where that is empty.

    `seat` gives the reviewer's seat for a piece, by its place. A piece whose server failed is errored, and
    the others go on. Raises SandboxError if the sandbox broke.
    """
    started, turns = time.monotonic(), asyncio.Semaphore(at_once)
    calls: list[Call] = []

    def keep(call: Call) -> None:
        calls.append(call)
        record(call)

    async def one(piece: Piece) -> tuple[Sequence[Found] | str, bool, float]:
        async with turns:
            try:
                said = await _ask(seat(piece.place, keep), piece, spec)
            except EndpointError as error:
                heard(piece, error.message)
                return f"{piece.place}: {error.message}", True, 0.0
            if said is None:
                heard(piece, "its review could not be read")
                return piece.place, False, 0.0
            trying = time.monotonic()
            found = await together(*(_try(bench, piece, each) for each in said.findings))
            heard(piece, found)
            return found, False, time.monotonic() - trying

    done = await together(*map(one, cut.pieces))
    found = [each for said, _, _ in done if not isinstance(said, str) for each in said]
    changed = {piece.source.path: piece.source.changed for piece in cut.pieces}
    shown = [each for each in found if (lines := changed[each.path]) is None or each.line in lines]
    return Reviewed(
        findings=tuple(sorted(shown, key=lambda each: (each.path, each.line))),
        pieces=len(cut.pieces),
        outside=len(found) - len(shown),
        left_out=cut.left_out,
        unread=tuple(said for said, errored, _ in done if isinstance(said, str) and not errored),
        errored=tuple(said for said, errored, _ in done if isinstance(said, str) and errored),
        calls=len(calls),
        usage=sum((call.usage for call in calls), Usage()),
        seconds=time.monotonic() - started,
        tried_seconds=sum(seconds for _, _, seconds in done),
    )


async def _ask(seat: Seat, piece: Piece, spec: str) -> valued.Review | None:
    source = piece.source
    asked = user(
        "review_code",
        spec=spec,
        path=source.path,
        shown=piece.shown,
        left_out=piece.left_out,
        changed=source.changed is not None,
        python=source.is_python,
        most_findings=MOST_FINDINGS,
    )
    return await seat.ask(
        "review",
        [system("code_reviewer"), asked],
        read=valued.read_review,
        schema=valued.review_schema(lines=True),
        repair=prompts.render("repair_values", lines=True),
        thinking=True,
        answer_tokens=valued.REVIEW_TOKENS,
    )


async def _try(bench: Bench, piece: Piece, finding: valued.ValuedFinding) -> Found:
    """Run what a finding says, in its file or in what of that can be run alone."""
    status, outcome, why = "untried", "", ""
    if not piece.source.is_python:
        why = "the language is not Python"
    elif not finding.call or not finding.does:
        why = "it names no call"
    elif not is_call(finding.call, defined(piece.source.text)):
        why = "not a call of what the file defines, on literals"
    else:
        seen = await run_call(bench, piece.source, finding.call)
        outcome = seen.outcome
        if outcome.startswith(UNLOADED) and needs_project(piece.source.text):
            why = "the file cannot be run alone"
        else:
            status = judge(finding.does, finding.ought, outcome)
            unloaded = outcome.startswith(UNLOADED)
            why = "the file does not load" if unloaded else "its values cannot be compared"
        why = why if status == "untried" else ""
    return Found(
        path=piece.source.path,
        line=_line(piece, finding),
        outcome=outcome,
        status=status,  # pyright: ignore[reportArgumentType]
        why=why,
        **finding.model_dump(exclude={"line"}),
    )


async def run_call(bench: Bench, source: Source, call: str) -> Observation:
    """Run a call in a file's program; where that needs its project, in what of it the call needs."""
    seen = Observation(call=call, outcome="")
    for text in (source.text, slice_for(source.text, root_name(call))):
        if text is None:
            break
        program = as_program(text)
        task = Task(id=source.path, prompt="", entry_point=root_name(call))
        [seen] = await bench.observe(task, program, [call])
        if not (seen.outcome.startswith(UNLOADED) and needs_project(source.text)):
            break
    return seen


def as_program(text: str) -> Program:
    """Return a file's text as what a bench runs."""
    return Program(text=text, compiles=True, defines_entry_point=True, how="file")


def _line(piece: Piece, finding: valued.ValuedFinding) -> int:
    """Return the line of a finding: where its expression stands, nearest to the number that it names."""
    words = finding.where.strip().strip("`").strip()
    lines = lines_of(piece.source.text)
    within = range(piece.first, piece.last + 1)
    places = [at for at in within if words and words in lines[at - 1]]
    if places and finding.line not in places:
        return min(places, key=lambda at: abs(at - finding.line))
    return finding.line if finding.line in within else piece.first
