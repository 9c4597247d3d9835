"""What analyses count of a run: it is gone through once, task by task, and none of its texts is held."""

import hashlib
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dualcode.call import Attempt, Call
from dualcode.runs.stored import Records, TaskRecords, each_task
from dualcode.runs.summary import Summary, Sums
from dualcode.solution import checksum
from dualcode.verdict import Part


class Reviewed(NamedTuple):
    """The first review of a task that got a reply.

    Later reviews of a task judge a later program, or (`adversarial`) the other draft.
    """

    verdict: str | None
    """`approve`, `revise`; None where the reply could not be read."""
    about: str | None
    """What the call names the program by that it read; None where it does not say."""
    draft: str | None
    """The checksum of that program's text; "" where the reply that was to hold it held none, None where it is
    not on record."""


ASKED = 16
"""Bytes of a hash."""


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What a run made of a task."""

    calls: int
    has_verdict: bool
    passed: frozenset[Part] | None
    """The run's parts that its program passed; None without a verdict, or with an errored one."""
    opening: bytes | None
    """Hashes of the first request and of its answer, one behind the other; the second is empty where that
    held no text. None where the first call got no reply."""
    review: Reviewed | None
    solution: str | None
    """The checksum of the program that was handed in."""


class Requests:
    """When every HTTP request of a run was made: those of superseded calls, and replays, too."""

    def __init__(self) -> None:
        self.endpoints: dict[str, int] = {}
        """Names, and the numbers that stand for them in `endpoint`."""
        self.endpoint = array("q")
        self.started, self.seconds = array("d"), array("d")
        self.from_ledger = array("b")
        self.same = array("q")
        """A number that two requests share only if they are one: a kill may leave a call in both files."""

    def add(self, call: Call) -> None:
        """Add those of a call."""
        number = self.endpoints.setdefault(call.endpoint, len(self.endpoints))
        for each in call.attempts:
            self.endpoint.append(number)
            self.started.append(each.started)
            self.seconds.append(each.seconds)
            self.from_ledger.append(each.from_ledger)
            self.same.append(_identity(number, each))


def _identity(endpoint: int, each: Attempt) -> int:
    use = each.usage
    tokens = use.prompt_tokens, use.completion_tokens, use.reasoning_tokens, use.cached_tokens, use.untold
    rest = each.finish_reason, tokens, use.cost, each.waited, each.content, each.from_ledger, each.left_out
    return hash((endpoint, each.kind, each.started, each.seconds, each.outcome, rest))


@dataclass(frozen=True)
class Facts:
    """What is known of a run once it was gone through."""

    tasks: Mapping[str, TaskFacts]
    """Of the selection, in its order, and of any others that have records."""
    summary: Summary
    requests: Requests
    any_shown: bool
    """Whether the bench showed anything."""
    any_superseded: bool
    """Whether a call was made in vain."""
    any_replayed: bool
    """Whether a request that counts came from the ledger."""


def facts_of(records: Records, parts: Sequence[Part]) -> Facts:
    """Go through a run, which was graded on `parts`."""
    sums, requests, known = Sums(records.manifest), Requests(), dict[str, TaskFacts]()
    shown = superseded = replayed = False
    outcomes: dict[frozenset[Part], frozenset[Part]] = {}
    for each in each_task(records):
        task = each.once()
        sums.add(task)
        for call in (*task.calls, *task.superseded):
            requests.add(call)
        shown, superseded = shown or bool(task.shown), superseded or bool(task.superseded)
        replayed = replayed or any(a.from_ledger for call in task.calls for a in call.attempts)
        facts = _facts(task, parts)
        if facts.passed is not None:  # few are different
            passed = outcomes.setdefault(facts.passed, facts.passed)
            object.__setattr__(facts, "passed", passed)
        known[task.task_id] = facts
    selection = records.manifest.configuration.tasks
    order = dict.fromkeys(selection) | dict.fromkeys(known)
    nothing = TaskFacts(0, False, None, None, None, None)
    return Facts(
        tasks={task: known.get(task, nothing) for task in order},
        summary=sums.summary(records.damage, records.manifest),
        requests=requests,
        any_shown=shown,
        any_superseded=superseded,
        any_replayed=replayed,
    )


def _facts(task: TaskRecords, parts: Sequence[Part]) -> TaskFacts:
    calls = sorted(task.calls, key=lambda call: call.number)
    verdict = task.verdicts[0] if task.verdicts else None
    review = next((call for call in calls if call.step == "review" and call.reply is not None), None)
    graded = verdict is not None and not verdict.errored
    reviewed = review and _reviewed(task, review)
    solution = checksum(task.samples[0].solution) if task.samples else None
    if reviewed is not None and solution == reviewed.draft:
        solution = reviewed.draft  # one text in memory
    return TaskFacts(
        calls=len(calls),
        has_verdict=verdict is not None,
        passed=frozenset(part for part in parts if verdict.passed(part)) if verdict and graded else None,
        opening=_opening(calls[0]) if calls else None,
        review=reviewed,
        solution=solution,
    )


def _reviewed(task: TaskRecords, review: Call) -> Reviewed:
    texts = {each.checksum: each.text for each in task.programs}
    about = review.about[0] if review.about else None
    text = next((texts[each] for each in review.about if each in texts), None)
    draft = None if text is None else checksum(text) if text else ""
    return Reviewed(review.verdict and sys.intern(review.verdict), about, about if draft == about else draft)


def _opening(call: Call) -> bytes | None:
    if call.reply is None:
        return None
    content = call.reply.content
    asked = _short(f"{call.model} {call.request.model_dump_json()}")
    return asked + (b"" if content is None else _short(content))


def _short(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=ASKED).digest()
