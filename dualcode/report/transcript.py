"""A task's transcript: what every pipeline did on it, as data that the page's scripts draw.

Programs, replies and messages stand once in `texts`, whoever used them; everywhere else is their index.
"""

import difflib
import json
from collections.abc import Sequence
from typing import Any, Literal

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run
from dualcode.call import Call
from dualcode.report.findings import locate
from dualcode.report.tasks import Row
from dualcode.report.text import printable
from dualcode.verdict import Outcome

Kind = Literal["program", "reply", "message", "reasoning"]
"""What a text is, what is missed most first: what must be shortened is shortened from the end."""
_KINDS: tuple[Kind, ...] = ("program", "reply", "message", "reasoning")
Data = dict[str, Any]


class Texts:
    """Texts, each once, with the most important use of each."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self.kinds: list[Kind] = []

    def add(self, text: str | None, kind: Kind) -> int | None:
        """Return the index of a text; None for none."""
        if text is None:
            return None
        shown = printable(text)
        place = self._places.setdefault(shown, len(self._places))
        if place == len(self.kinds):
            self.kinds.append(kind)
        if _KINDS.index(kind) < _KINDS.index(self.kinds[place]):
            self.kinds[place] = kind
        return place

    @property
    def all(self) -> list[str]:
        """The texts in the order of their indices."""
        return list(self._places)


def transcript(analysis: Analysis, row: Row) -> Data:
    """Return what every pipeline did on a task: `texts` and their `kinds`, the `prompt`, the `runs`."""
    texts = Texts()
    places = {name: place for place, name in enumerate(analysis.pipelines)}
    runs = [run for run in analysis.runs if run.dataset == row.dataset and row.id in run.tasks]
    return {
        "prompt": texts.add(runs[0].records.tasks[row.id].prompt.strip("\n"), "program"),
        "runs": [_run(analysis, run, row.id, texts) | {"pipeline": places[run.pipeline]} for run in runs],
        "texts": texts.all,
        "kinds": texts.kinds,
    }


def _run(analysis: Analysis, run: Run, task: str, texts: Texts) -> Data:
    sample = run.records.samples.get(task)
    solution = (sample.solution.strip("\n") or None) if sample else None
    verdict = run.records.verdicts.get(task)
    found: Data = {
        "id": printable(run.id),
        "calls": [_exchange(run, call, texts) for call in run.calls[task]],
        "final": texts.add(solution, "program"),
        "how": sample.extraction if sample else None,
        "verdict": verdict and {"base": _outcome(verdict.base), "plus": _outcome(verdict.plus)},
        "shown": [
            {"kind": each.kind, "tests": _all(each.tests), "texts": _all(each.texts)}
            for each in run.records.shown
            if each.task_id == task and each.texts
        ],
    }
    lost = analysis.regressions.get(run.id)
    own = next((each for each in lost.regressions if each.task_id == task), None) if lost else None
    return found | ({"signs": [[sign.kind, printable(sign.evidence)] for sign in own.signs]} if own else {})


def _exchange(run: Run, call: Call, texts: Texts) -> Data:
    """Return a call with the program that it wrote and the one that it started from."""
    about = [text.strip("\n") for text in run.records.about(call)]
    program = (run.records.program(call.task_id, call.program) or "").strip("\n") or None
    found = _call(call, texts) | {"program": texts.add(program, "program")}
    if call.step == "review":
        reviewed = about[0] if about else ""
        findings = [
            {key: printable(str(each.get(key, ""))) for key in ("where", "actual", "expected")}
            | {"lines": locate(str(each.get("where", "")), printable(reviewed))}
            for each in call.findings
        ]
        read = texts.add(reviewed or None, "program")
        return found | {"review": {"verdict": call.verdict, "program": read, "findings": findings}}
    if program is not None and len(about) == 1:
        before = texts.add(about[0], "program")
        return found | {"before": before, "changes": changes(printable(about[0]), printable(program))}
    if call.value is not None and program is None:
        found["value"] = texts.add(json.dumps(call.value.data, indent=2, ensure_ascii=False), "reply")
    return found


def changes(before: str, after: str) -> list[list[int | str]]:
    """Return the line edits from one program to the other as difflib's opcodes, the equal ones included."""
    matcher = difflib.SequenceMatcher(None, before.split("\n"), after.split("\n"), autojunk=False)
    return [[tag[0], *place] for tag, *place in matcher.get_opcodes()]


def _call(call: Call, texts: Texts) -> Data:
    usage, reply = call.usage, call.reply
    return {
        "number": call.number,
        "step": printable(call.step),
        "role": printable(call.role),
        "model": printable(call.model),
        "thinking": call.request.thinking,
        "tokens": [usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens, usage.cached_tokens],
        "seconds": round(reply.seconds, 2) if reply else None,
        "finish": printable(reply.finish_reason) if reply else None,
        "ledger": call.from_ledger,
        "notes": _all(call.notes),
        "error": printable(call.error) if call.error else None,
        "reply": texts.add(reply.content, "reply") if reply else None,
        "reasoning": texts.add(reply.reasoning, "reasoning") if reply else None,
        "messages": [[each.role, texts.add(each.content, "message")] for each in call.request.messages],
        "attempts": [
            {"kind": each.kind, "outcome": printable(each.outcome), "seconds": round(each.seconds, 2)}
            for each in call.attempts
            if each.kind != "chat" or each.outcome != "ok"
        ],
    }


def _outcome(outcome: Outcome | None) -> Data | None:
    return outcome and {
        "status": outcome.status,
        "cause": outcome.cause,
        "reason": printable(outcome.reason or ""),
        "input": printable(outcome.failing_input or ""),
        "at": outcome.at,
    }


def _all(texts: Sequence[str]) -> list[str]:
    return [printable(text) for text in texts]
