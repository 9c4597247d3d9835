"""A duel as one HTML file: where its conditions stand, and each cell's plan, change and transcript.

Texts of a cell stand once in its `texts`; everywhere else is their index.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dualcode import __version__
from dualcode.agents.records import Step
from dualcode.duels import catalogue
from dualcode.duels.findings import Findings
from dualcode.duels.notes import models_of, named
from dualcode.duels.records import Cell, Judgement, Key, Phase
from dualcode.duels.standing import Standing
from dualcode.duels.tables import amount, within
from dualcode.errors import RunError
from dualcode.figures.drawn import Drawn
from dualcode.issues.verdict import IssueVerdict
from dualcode.report.file import as_json, fill, image, write_page
from dualcode.report.pack import Packed, pack
from dualcode.report.text import cleaned
from dualcode.report.transcript import Texts
from dualcode.tables.cells import NOTHING

Data = dict[str, Any]
MOST_BYTES = 20_000_000
"""Of the file: beyond it, observations, then replies are cut in their middle; plans and changes never are."""
_SCRIPTS = ("dom.js", "code.js", "transcript.js", "duel.js")
SIGNS = {True: "p", False: "f", None: "e"}
WORDS = {True: "solved", False: "not solved", None: "errored"}


def write_duel(found: Findings, figures: Sequence[Drawn], target: Path) -> Path:
    """Write the report, and return its path. Raises RunError if no cell is done, or it cannot be written."""
    records = found.records
    if not records.cells:
        raise RunError(
            f"no cell of {records.duel.name} is done", hint="dualcode duel run CONFIG, which goes on with it"
        )
    places = {each.key: at for at, each in enumerate(records.cells)}
    made, absent = catalogue.build(found)
    by_name = {table.name: table for table in made}
    values: Data = {
        "title": f"Duel {records.duel.name}",
        "duel": records.duel,
        "lead": lead(found),
        "models": models_of(records.duel),
        "made": time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(records.duel.created)),
        "workflows": list(dict.fromkeys(each.workflow for each in records.duel.conditions)),
        "glances": [_glance(row) for row in found.standings],
        "leaderboard": by_name.get("leaderboard"),
        "tables": [table for table in made if table.name in catalogue.OURS and table.name != "leaderboard"],
        "published": [table for table in made if table.name in catalogue.PUBLISHED],
        "absent": absent,
        "figures": [(figure, image(figure)) for figure in figures],
        "rows": [_row(found, row, places) for row in found.standings],
        "version": __version__,
        "index": as_json(index(found)),
    }
    data = [cell_data(found, each) for each in records.cells]
    bare = len(_page(values, Packed([], 0)).encode())
    packed = pack(data, MOST_BYTES - bare - 60 * len(data))
    write_page(target, _page(values, packed))
    return target


def _page(values: Data, packed: Packed) -> str:
    return fill("duel.html.j2", ("report.css", "duel.css"), _SCRIPTS, packed=packed, **values)


def lead(found: Findings) -> list[str]:
    """Return the result in sentences: who solved most, what it cost, and how much of that can be claimed."""
    best = [row for row in found.standings if row.solved]
    said: list[str] = []
    if best and not any(row.solved and row.solved.passed for row in best):
        said.append("No condition solved an issue.")
    elif best and (top := best[0]).solved:
        alike = [row for row in best if row.solved and row.solved.value == top.solved.value]
        said.append(f"{named(alike)} solved most: {top.solved.passed} of {top.solved.total}.")
    known = [row for row in best if row.cost and row.cost.per_solved and found.board.currency]
    if known:
        cheap = min(known, key=lambda row: (row.cost.per_solved or {})[found.board.currency or ""])  # pyright: ignore
        price = amount(cheap.cost.per_solved if cheap.cost else None)
        said.append(f"Cheapest for a solved issue: {cheap.id}, {price}.")
    sure = sum(each.significant for each in found.contests)
    if found.contests:
        said.append(
            f"Of {len(found.contests)} differences between conditions and their controls "
            f"{sure or 'none'} can be claimed (p Holm < 0.05)."
        )
    if not found.board.ranked:
        said.append("One cell a condition: nothing is ranked.")
    return said


def _glance(row: Standing) -> Data:
    return {
        "name": row.id,
        "rate": row.solved,
        "errored": row.errored,
        "quality": within(row.quality),
        "cost": amount(row.cost.total) if row.cost else NOTHING,
        "per_solved": amount(row.cost.per_solved)
        if row.cost and row.solved and row.solved.passed
        else NOTHING,
    }


def _row(found: Findings, row: Standing, places: dict[Key, int]) -> Data:
    signs = {
        each.key: {
            "sign": SIGNS[each.solved],
            "said": f"{each.condition} on {each.issue}, trial {each.trial}: {WORDS[each.solved]}",
        }
        for each in found.cells(row.id)
    }
    return {
        "name": row.id,
        "issues": [
            [
                {"trial": trial, "at": places.get(key := (row.id, issue, trial)), **signs.get(key, {})}
                for trial in range(1, found.records.duel.trials + 1)
            ]
            for issue in found.records.duel.issues
        ],
    }


def index(found: Findings) -> Data:
    """Return what the page's scripts know of every cell before it is unpacked."""
    duel = found.records.duel
    order = {row.id: at for at, row in enumerate(found.standings)}
    issues = {name: at for at, name in enumerate(duel.issues)}
    return {
        "datasets": [],
        "trials": duel.trials,
        "conditions": [row.id for row in found.standings],
        "issues": list(duel.issues),
        "cells": [
            {
                "condition": order[each.condition],
                "issue": issues[each.issue],
                "trial": each.trial,
                "sign": SIGNS[each.solved],
                "status": each.status,
            }
            for each in found.records.cells
        ],
    }


def cell_data(found: Findings, cell: Cell) -> Data:
    """Return what became of a cell, with `texts` and their `kinds`."""
    texts = Texts()
    judged = [each for each in found.records.judgements if each.calibration is None and each.key == cell.key]
    data: Data = {
        "sign": SIGNS[cell.solved],
        "reason": cell.reason,
        "plan": texts.add(cell.plan, "program") if cell.plan else None,
        "diff": texts.add(cell.diff, "program") if cell.diff else None,
        "left_out": [[each.path, each.why] for each in cell.left_out],
        "verdict": _verdict(cell.verdict, texts) if cell.verdict else None,
        "judgements": [_judgement(each, texts) for each in judged],
        "phases": [_phase(each) for each in cell.phases],
        "steps": [_step(each, texts) for each in found.records.steps.get(cell.key, ())],
    }
    return cleaned(data) | {"texts": texts.all, "kinds": texts.kinds}


def _verdict(verdict: IssueVerdict, texts: Texts) -> Data:
    shown = verdict.model_dump(include={"solved", "reason", "failing", "broken", "tampered", "out_of_scope"})
    return {
        **shown,
        "dropped": [[each.path, each.why] for each in verdict.dropped],
        "output": texts.add(verdict.output, "reply") if verdict.output else None,
    }


def _judgement(each: Judgement, texts: Texts) -> Data:
    scores = each.scores and [
        [name.replace("_", " "), score, texts.add(each.reasons.get(name), "reply")]
        for name, score in each.scores.items()
    ]
    return {**each.model_dump(include={"judge", "model", "rendering", "why_missing"}), "scores": scores}


def _phase(phase: Phase) -> Data:
    usage = phase.usage
    free = phase.money is None and not phase.calls
    return {
        **phase.model_dump(include={"name", "model", "status", "calls", "seconds", "shared"}),
        "endings": [run.ending for run in phase.runs],
        "tokens": [usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens],
        "money": amount({} if free else phase.money),
        "source": NOTHING if free else phase.source,
    }


def _step(step: Step, texts: Texts) -> Data:
    return {
        **step.model_dump(include={"node", "number", "ending", "exit_code", "failed_edit", "seconds"}),
        "said": texts.add(step.said, "reply"),
        "command": texts.add(step.command, "reply"),
        "observation": texts.add(step.observation, "message") if step.observation else None,
    }
