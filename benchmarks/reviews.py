"""What does `dualcode review` confirm and refute on mutants of HumanEval? One JSON line.

    python benchmarks/reviews.py --data HumanEvalPlus.jsonl [--mutants 2] [--limit N]
    python benchmarks/reviews.py --data HumanEvalPlus.jsonl --team TEAM.toml --limit 20

Without --team two scripted reviewers read every mutant. One is perfect: it names an input on which the mutant
is wrong, what the mutant gives and what it ought to. The other is blind: it says of the same input that the
mutant gives something else, as a reviewer does who misreads the code. With --team the team's reviewer reads
them, and the solutions that they are mutants of.
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from dualcode import machine
from dualcode.bench.bench import UNLOADED, SandboxBench
from dualcode.call import Call, Request
from dualcode.grading.grader import SandboxGrader
from dualcode.models.scripted import ScriptedChat
from dualcode.reviews.cases import Case, make_cases
from dualcode.reviews.desk import desk
from dualcode.reviews.review import Reviewed, review
from dualcode.reviews.sources import Source, cut
from dualcode.sampling import PAPER
from dualcode.sandbox import open_sandbox
from dualcode.serving.running import find_team
from dualcode.solution import Program
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.team import Seat
from dualcode.together import all_or_nothing

MOST_CALL = 160
"""Characters of a call: what the schema of a review allows."""
MOST_INPUTS = 200


class Shown:
    """A mutant with an input that shows that it is wrong."""

    def __init__(self, case: Case, call: str, actual: str, expected: str) -> None:
        self.case, self.call, self.actual, self.expected = case, call, actual, expected


async def failing_inputs(suite: Suite, cases: Sequence[Case], bench: SandboxBench) -> list[Shown]:
    """Return the mutants for which one of the suite's inputs, short enough for a review, shows the fault."""
    rights = {case.task_id: case.program for case in cases if case.right}

    async def one(case: Case) -> Shown | None:
        task, row = suite.task(case.task_id), json.loads(suite.hidden[case.task_id].row)
        inputs = [*row["base_input"], *row["plus_input"]]
        calls = [f"{task.entry_point}({', '.join(map(repr, each))})" for each in inputs]
        for call in [each for each in calls if len(each) <= MOST_CALL][:MOST_INPUTS]:
            programs = (rights[case.task_id], case.program)
            seen = [await bench.observe(task, _program(each), [call]) for each in programs]
            expected, actual = (outcome[0].outcome for outcome in seen)
            if expected != actual and expected.startswith("returned "):
                return Shown(case, call, actual, expected)
        return None

    found = await all_or_nothing(one(case) for case in cases if not case.right)
    return [each for each in found if each is not None]


def _program(text: str) -> Program:
    return Program(text=text, compiles=True, defines_entry_point=True, how="suite")


def said(outcome: str) -> str:
    """Return an outcome in the words of a claim."""
    if outcome.startswith("raised "):
        return f"raises {outcome.removeprefix('raised ').partition(':')[0]}"
    if outcome.startswith("returned "):
        return f"returns {outcome.removeprefix('returned ')}"
    if outcome.startswith(UNLOADED):
        return f"raises {outcome.partition('(')[2].partition(':')[0]}"
    return "does not end"


def scripted(shown: Sequence[Shown], *, blind: bool) -> ScriptedChat:
    """Return a reviewer that knows every mutant's fault, or misreads every mutant."""
    known = {each.case.program.strip(): each for each in shown}

    def answer(request: Request) -> str:
        text = request.messages[-1].content
        numbered = text.partition("behind its number:\n```\n")[2].partition("\n```")[0]
        program = re.sub(r"^ *\d+[ +] ", "", numbered, flags=re.MULTILINE)
        each = next(found for key, found in known.items() if _same(key, program))
        actual = said(each.expected) if blind else said(each.actual)
        finding = {"line": 1, "where": "def", "actual": "a wrong result", "expected": "the right one"}
        finding |= {"call": each.call, "does": actual, "ought": "returns 'what nobody expects'"}
        if not blind:
            finding["ought"] = said(each.expected)
        return json.dumps({"verdict": "revise", "findings": [finding]})

    return ScriptedChat(answer, name="scripted")


def _same(one: str, other: str) -> bool:
    return "".join(one.split()) == "".join(other.split())


async def judged(
    programs: Mapping[str, tuple[str, str]],
    seat: Seat,
    bench: SandboxBench,
    at_once: int,
    calls: list[Call],
) -> list[Reviewed]:
    """Review each program against its own specification; note each call in `calls`."""
    turns, tell = asyncio.Semaphore(at_once), _throttled()

    async def one(name: str, text: str, spec: str) -> Reviewed:
        async with turns:
            made = cut([Source(path=f"{name}.py", text=text)])
            found = await review(
                made, spec, lambda _place, keep: replace(seat, record=keep), bench, record=calls.append
            )
        tell(f"{len(calls)} of {len(programs)} reviews")
        return found

    return await all_or_nothing(one(name, *both) for name, both in programs.items())


def summed(reviews: Sequence[Reviewed], calls: Sequence[Call], seconds: float) -> dict[str, Any]:
    """Return what the reviews came to; `rare` has examples of every status that few findings have."""
    found = [each for review in reviews for each in review.findings]
    few = Counter(each.status for each in found)
    rare = [each for each in found if few[each.status] < len(found) / 10][:12]
    counts = Counter(found.status for each in reviews for found in each.findings)
    why = Counter(found.why for each in reviews for found in each.findings if found.why)
    return {
        "programs": len(reviews),
        "rejected": sum(bool(each.findings) for each in reviews),
        "confirmed": counts["confirmed"],
        "refuted": counts["refuted"],
        "untried": counts["untried"],
        "why_untried": dict(why),
        "rare": [[each.status, each.call, each.does, each.ought, each.outcome] for each in rare],
        "unread": sum(len(each.unread) for each in reviews),
        "errored": sum(len(each.errored) for each in reviews),
        "seconds": round(seconds, 1),
        "seconds_a_review": round(statistics.median(map(_seconds, calls)), 2),
        "tokens_a_review": round(sum(call.usage.completion_tokens for call in calls) / len(calls)),
        "replayed": sum(call.from_ledger for call in calls),
        "seconds_of_trying_a_program": round(sum(each.tried_seconds for each in reviews) / len(reviews), 3),
    }


def _seconds(call: Call) -> float:
    return sum(each.seconds for each in call.attempts)


async def measure(asked: argparse.Namespace) -> dict[str, Any]:
    suite = load_suite("humaneval", data=asked.data).select(asked.limit)
    result: dict[str, Any] = {"benchmark": "reviews", "suite": suite.title}
    async with AsyncExitStack() as opened:
        sandbox = await opened.enter_async_context(open_sandbox(machine.cores()))
        grader = await opened.enter_async_context(SandboxGrader(suite, sandbox, workers=sandbox.workers))
        folder = asked.keep or Path(opened.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        cases, missing = await make_cases(
            suite, grader, folder / "cases.jsonl", mutants=asked.mutants, seed=0, tell=_throttled()
        )
        bench = SandboxBench(sandbox)
        result |= {"mutants": sum(not case.right for case in cases), "tasks_with_fewer": len(missing)}

        async def timed(
            programs: Mapping[str, tuple[str, str]], seat: Seat, at_once: int = 4
        ) -> dict[str, Any]:
            started, calls = time.monotonic(), list[Call]()
            reviews = await judged(programs, seat, bench, at_once, calls)
            return summed(reviews, calls, time.monotonic() - started)

        def named(chosen: Sequence[Case]) -> dict[str, tuple[str, str]]:
            return {
                f"{number}": (each.program, suite.task(each.task_id).prompt)
                for number, each in enumerate(chosen)
            }

        if asked.team is None:
            shown = await failing_inputs(suite, cases, bench)
            for name, blind in (("perfect", False), ("blind", True)):
                seat = Seat("reviewer", scripted(shown, blind=blind), PAPER, 4000)
                result[name] = await timed(named([each.case for each in shown]), seat)
        else:
            config = find_team(asked.team)
            ledger = folder / "ledger" if asked.keep else None
            place = await opened.enter_async_context(
                desk(config, ["reviewer"], ledger=ledger, own_ledger=False)
            )
            at_once = config.endpoint_of("reviewer").concurrency
            result["model"] = config.endpoint_of("reviewer").model
            for name, right in (("mutants_read", False), ("solutions_read", True)):
                chosen = named([case for case in cases if case.right is right])
                result[name] = await timed(chosen, place.team["reviewer"], at_once)
    return result


def _throttled() -> Callable[[str], None]:
    last = [0.0]

    def tell(text: str) -> None:
        if time.monotonic() - last[0] > 5:
            last[0] = time.monotonic()
            print(text, file=sys.stderr)

    return tell


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="HumanEvalPlus.jsonl or .jsonl.gz")
    parser.add_argument("--mutants", type=int, default=2)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--team", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder that keeps verdicts and replies")
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))
