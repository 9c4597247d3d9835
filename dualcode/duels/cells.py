"""A cell as data that the report's scripts draw: plan, change, verdict, judgements, phases and steps.

Texts stand once in `texts`; everywhere else is their index.
"""

from typing import Any

from dualcode.agents.records import Step
from dualcode.duels.findings import Findings
from dualcode.duels.records import Cell, Judgement, Phase
from dualcode.duels.tables import amount
from dualcode.issues.verdict import Dropped, IssueVerdict
from dualcode.report.template import cleaned
from dualcode.report.transcript import Texts

Data = dict[str, Any]


def cell_data(found: Findings, cell: Cell) -> Data:
    """Return what became of a cell, with `texts` and their `kinds`."""
    texts = Texts()
    judged = [each for each in found.records.judgements if _is_of(each, cell)]
    data: Data = {
        "sign": {True: "p", False: "f", None: "e"}[cell.solved],
        "reason": cell.reason,
        "plan": texts.add(cell.plan, "program") if cell.plan else None,
        "diff": texts.add(cell.diff, "program") if cell.diff else None,
        "left_out": _dropped(cell.left_out),
        "verdict": _verdict(cell.verdict, texts) if cell.verdict else None,
        "judgements": [_judgement(each, texts) for each in judged],
        "phases": [_phase(each) for each in cell.phases],
        "steps": [_step(each, texts) for each in found.records.steps.get(cell.key, ())],
    }
    return cleaned(data) | {"texts": texts.all, "kinds": texts.kinds}


def _is_of(each: Judgement, cell: Cell) -> bool:
    return each.calibration is None and (each.condition, each.issue, each.trial) == cell.key


def _dropped(found: tuple[Dropped, ...]) -> list[list[str]]:
    return [[each.path, each.why] for each in found]


def _verdict(verdict: IssueVerdict, texts: Texts) -> Data:
    return {
        "solved": verdict.solved,
        "reason": verdict.reason,
        "failing": list(verdict.failing),
        "broken": list(verdict.broken),
        "tampered": verdict.tampered,
        "dropped": _dropped(verdict.dropped),
        "out_of_scope": list(verdict.out_of_scope),
        "output": texts.add(verdict.output, "reply") if verdict.output else None,
    }


def _judgement(each: Judgement, texts: Texts) -> Data:
    return {
        "judge": each.judge,
        "model": each.model,
        "rendering": each.rendering,
        "why_missing": each.why_missing,
        "scores": None
        if each.scores is None
        else [
            [name.replace("_", " "), score, texts.add(each.reasons.get(name), "reply")]
            for name, score in each.scores.items()
        ],
    }


def _phase(phase: Phase) -> Data:
    usage = phase.usage
    free = phase.money is None and not phase.calls
    return {
        "name": phase.name,
        "model": phase.model,
        "status": phase.status,
        "endings": [run.ending for run in phase.runs],
        "calls": phase.calls,
        "tokens": [usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens],
        "seconds": phase.seconds,
        "money": amount({} if free else phase.money),
        "source": "–" if free else phase.source,
        "shared": phase.shared,
    }


def _step(step: Step, texts: Texts) -> Data:
    return {
        "node": step.node,
        "number": step.number,
        "said": texts.add(step.said, "reply"),
        "command": texts.add(step.command, "reply"),
        "observation": texts.add(step.observation, "message") if step.observation else None,
        "ending": step.ending,
        "exit_code": step.exit_code,
        "failed_edit": step.failed_edit,
        "seconds": step.seconds,
    }
