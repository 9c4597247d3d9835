"""A task's transcript: what every pipeline did on it, as data that the page's scripts draw.

Programs, replies and messages stand once in `texts`, whoever used them; everywhere else is their index. Where
a finding belongs is looked for: the lines of a program that a reviewer's free text names.
"""

import difflib
import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run
from dualcode.call import Call
from dualcode.report.tasks import Row
from dualcode.report.text import cleaned, printable
from dualcode.verdict import Outcome

Kind = Literal["program", "reply", "message", "reasoning"]
"""What a text is, what is missed most first: what must be shortened is shortened from the end."""
_KINDS: tuple[Kind, ...] = ("program", "reply", "message", "reasoning")
Data = dict[str, Any]

MOST_LINES = 3
"""A place that matches more lines than this names none of them."""
LEAST_CODE = 3
"""Characters without blanks that a fragment of code needs to be looked for."""
LEAST_SHARE = 0.6
"""The share of a place's words that a line must hold to be taken for the line that was meant."""

_LINE = re.compile(
    r"\b(?:lines?|ll?\.)\s*#?\s*(\d{1,5})(?:\s*(?:-|–|—|to|and|,|through)\s*#?\s*(\d{1,5}))?", re.I
)
_BARE = re.compile(r"\s*[L#]?(\d{1,5})\s*[:.]?\s*")
_QUOTED = re.compile(r"`+([^`]+)`+")
_WORD = re.compile(r"[A-Za-z_]\w*|\d+")
_CALLABLE = re.compile(r"\b([A-Za-z_]\w*)\s*(?:\(\s*\))?")


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
    own = [run for run in analysis.runs if run.dataset == row.dataset]
    runs = [run for run in own if row.outcome[places[run.pipeline]] != "."]
    found: Data = {
        "prompt": texts.add(runs[0].records.tasks[row.id].prompt.strip("\n"), "program"),
        "runs": [_run(analysis, run, row.id, texts) | {"pipeline": places[run.pipeline]} for run in runs],
    }
    return cleaned(found) | {"texts": texts.all, "kinds": texts.kinds}


def _run(analysis: Analysis, run: Run, task: str, texts: Texts) -> Data:
    sample = run.records.samples.get(task)
    solution = (sample.solution.strip("\n") or None) if sample else None
    verdict = run.records.verdicts.get(task)
    found: Data = {
        "id": run.id,
        "calls": [_exchange(run, call, texts) for call in run.calls.get(task, ())],
        "final": texts.add(solution, "program"),
        "how": sample.extraction if sample else None,
        "verdict": verdict and {"base": _outcome(verdict.base), "plus": _outcome(verdict.plus)},
        "shown": [
            {"kind": each.kind, "tests": [*each.tests], "texts": [*each.texts]}
            for each in run.records.shown_of(task)
            if each.texts
        ],
    }
    lost = analysis.regressions.get(run.id)
    own = next((each for each in lost.regressions if each.task_id == task), None) if lost else None
    return found | ({"signs": [[sign.kind, sign.evidence] for sign in own.signs]} if own else {})


def _exchange(run: Run, call: Call, texts: Texts) -> Data:
    """Return a call with the program that it wrote and the one that it started from."""
    about = [text.strip("\n") for text in run.records.about(call)]
    program = (run.records.program(call.task_id, call.program) or "").strip("\n") or None
    found = _call(call, texts) | {"program": texts.add(program, "program")}
    if call.step == "review":
        reviewed = about[0] if about else ""
        findings = [
            {key: str(each.get(key, "")) for key in ("where", "actual", "expected")}
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
        "step": call.step,
        "role": call.role,
        "model": call.model,
        "thinking": call.request.thinking,
        "tokens": [usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens, usage.cached_tokens],
        "seconds": round(reply.seconds, 2) if reply else None,
        "finish": reply.finish_reason if reply else None,
        "ledger": call.from_ledger,
        "notes": [*call.notes],
        "error": call.error or None,
        "reply": texts.add(reply.content, "reply") if reply else None,
        "reasoning": texts.add(reply.reasoning, "reasoning") if reply else None,
        "messages": [[each.role, texts.add(each.content, "message")] for each in call.request.messages],
        "attempts": [
            {"kind": each.kind, "outcome": each.outcome, "seconds": round(each.seconds, 2)}
            for each in call.attempts
            if each.kind != "chat" or each.outcome != "ok"
        ],
    }


def _outcome(outcome: Outcome | None) -> Data | None:
    return outcome and {
        "status": outcome.status,
        "cause": outcome.cause,
        "reason": outcome.reason or "",
        "input": outcome.failing_input or "",
        "at": outcome.at,
    }


def locate(where: str, program: str) -> tuple[int, ...]:
    """Return the numbers, from 1, of the lines that `where` names in the program; () where none can be told.

    Tried in this order: line numbers; code, quoted by backticks or the whole text, blanks aside; the name of
    something that is defined; and the one line that shares most words with it.
    """
    lines = program.split("\n")
    tries = (find(where, lines) for find in (_numbered, _quoting, _defining, _resembling))
    return next((found for found in tries if found), ())


def _numbered(where: str, lines: Sequence[str]) -> tuple[int, ...]:
    found: list[int] = []
    matches = [match.groups() for match in _LINE.finditer(where)]
    if bare := _BARE.fullmatch(where):
        matches.append((bare.group(1), None))
    for first, last in matches:
        start, end = int(first), int(last or first)
        found += range(start, end + 1) if start <= end < start + MOST_LINES else [start, end]
    inside = dict.fromkeys(number for number in found if 1 <= number <= len(lines))
    return tuple(inside)[: 2 * MOST_LINES]


def _quoting(where: str, lines: Sequence[str]) -> tuple[int, ...]:
    """Find what may be code: quoted parts, the whole, what follows a colon; of several lines the first."""
    bare = [_squeezed(line) for line in lines]
    quoted = [match.group(1) for match in _QUOTED.finditer(where)]
    for text in [*quoted, where, *([where.split(":", 1)[1]] if ":" in where else [])]:
        fragment = next((line for line in text.split("\n") if line.strip()), "")
        code = _squeezed(fragment)
        if len(code) < LEAST_CODE:
            continue
        exact = [number for number, line in enumerate(bare, 1) if line == code]
        found = exact or [number for number, line in enumerate(bare, 1) if code in line]
        if 1 <= len(found) <= MOST_LINES and not _is_name(fragment):
            return tuple(found)
    return ()


def _defining(where: str, lines: Sequence[str]) -> tuple[int, ...]:
    """Find a name: where it is defined or assigned first, else where it first stands, if it stands there."""
    names = [match.group(1) for match in _CALLABLE.finditer(where)] if _is_name(where) else []
    names += [quoted.group(1) for quoted in _QUOTED.finditer(where) if _is_name(quoted.group(1))]
    names += re.findall(r"\b(?:def|class|function|method|variable)\s+`?([A-Za-z_]\w*)", where)
    for name in (each.strip().removesuffix("()") for each in names):
        plain = re.escape(name)
        for pattern in (
            rf"^\s*(?:async\s+)?(?:def|class)\s+{plain}\b",
            rf"^\s*{plain}\s*[:=+*/-]",
            rf"\b{plain}\b",
        ):
            found = [number for number, line in enumerate(lines, 1) if re.search(pattern, line)]
            if found:
                return (found[0],)
    return ()


def _resembling(where: str, lines: Sequence[str]) -> tuple[int, ...]:
    wanted = set(_WORD.findall(where))
    if len(wanted) < 2:
        return ()
    shares = [len(wanted & set(_WORD.findall(line))) / len(wanted) for line in lines]
    best = max(shares)
    alone = shares.count(best) == 1 and best * len(wanted) >= 2
    return (shares.index(best) + 1,) if best >= LEAST_SHARE and alone else ()


def _is_name(text: str) -> bool:
    return text.strip().strip("`").removesuffix("()").isidentifier()


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)
