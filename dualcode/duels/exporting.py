"""A duel in duobench's columns, with ours beside them: results.json and five CSV files.

What is not known is null, or an empty cell; a cost that is not in dollars is not in `cost_usd`.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dualcode.duels.amounts import single
from dualcode.duels.findings import Findings
from dualcode.duels.judges import judges
from dualcode.duels.standing import Standing
from dualcode.errors import InputError
from dualcode.published.duels import load_published_duels

TAKEN = ("steps", "calls", "failed_edits", "prompt_tokens", "completion_tokens", "cached_share")
"""Of what a cell took on average, by `Effort`'s names."""
DOLLARS = ("$", "USD", "US$")
Rows = Sequence[Mapping[str, Any]]


def export(found: Findings, folder: Path) -> list[Path]:
    """Write the files and return their paths. Raises InputError if the folder cannot be written."""
    texts = {"results.json": json.dumps(results(found), indent=2, ensure_ascii=False, allow_nan=False) + "\n"}
    texts |= {f"{name}.csv": as_csv(rows) for name, rows in tables(found).items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error}", hint="-o FOLDER") from error
    return [folder / name for name in texts]


def results(found: Findings) -> dict[str, Any]:
    """Return duobench's object, with ours: comparisons, effects, what the judges are worth."""
    duel = found.records.duel
    return {
        "name": duel.name,
        "note": duel.note,
        "issues": list(duel.issues),
        "trials": duel.trials,
        "ranked": found.board.ranked,
        "conditions": {row.id: condition(found, row) for row in found.standings},
        "self_bias": {each.name: each.by_condition for each in judges(found)},
        "judges": list(duel.judges),
        "contests": [each.model_dump(mode="json") for each in found.contests],
        "effects": [each.model_dump(mode="json") for each in found.effects],
        "panel": found.panel.model_dump(mode="json") if found.panel else None,
        "published": load_published_duels().model_dump(mode="json"),
    }


def condition(found: Findings, row: Standing) -> dict[str, Any]:
    """Return a condition's object: duobench's keys first, then ours."""
    cost, effort, solved = row.cost, row.effort, row.solved
    return {
        "planner": row.condition.planner,
        "implementer": row.condition.implementer,
        "dimensions": {name: each.mean for name, each in row.dimensions.items()},
        "dimensions_std": {name: each.std for name, each in row.dimensions.items()},
        "quality": row.quality.mean if row.quality else None,
        "quality_std": row.quality.std if row.quality else None,
        "cost_usd": dollars(cost.total if cost else None),
        "cost_std": cost.std if cost and dollars(cost.total) is not None else None,
        "cost_efficiency": row.efficiency if cost and dollars(cost.total) is not None else None,
        "trials": row.cells,
        "impl_statuses": [each.status for each in found.cells(row.id)],
        "cost_source": "+".join(sorted(cost.sources)) if cost else None,
        "duration_s": effort.seconds if effort else None,
        "duration_std": effort.seconds_std if effort else None,
        "plan_duration_s": effort.plan_seconds if effort else None,
        "impl_duration_s": effort.implement_seconds if effort else None,
        "rank": row.rank,
        "arm": row.condition.arm,
        "reviewer": row.condition.roles.get("reviewer"),
        "solved": solved.passed if solved else None,
        "graded": row.cells,
        "errored": row.errored,
        "undone": row.undone,
        "solved_rate": solved.value if solved else None,
        "solved_low": solved.low if solved else None,
        "solved_high": solved.high if solved else None,
        "pass_k": row.pass_k,
        "k": row.k,
        "flips": row.flips,
        "cost": cost.total if cost else None,
        "plan_cost": cost.plan if cost else None,
        "impl_cost": cost.implement if cost else None,
        "review_cost": cost.review if cost else None,
        "cost_per_solved": cost.per_solved if cost else None,
        "cost_unknown": cost.unknown if cost else None,
        "efficiency_solved": row.efficiency_solved,
        **{name: getattr(effort, name) if effort else None for name in TAKEN},
        "out_of_scope": row.out_of_scope,
        "scope": row.scope.mean if row.scope else None,
        "dropped": row.dropped,
        "tampered": row.tampered,
    }


def dollars(amount: Mapping[str, float] | None) -> float | None:
    """Return an amount in dollars; None where it is not known, or in another currency."""
    price = single(amount)
    return price[0] if price and price[1] in DOLLARS else None


def tables(found: Findings) -> dict[str, Rows]:
    """Return the rows of the CSV files, by name."""
    own = {row.id: condition(found, row) for row in found.standings}
    costs = {row.id: row.cost for row in found.standings}
    return {
        "leaderboard": [{"condition_id": id_, **_flat(each)} for id_, each in own.items()],
        "cost-vs-quality": [
            {"condition_id": id_, **{key: each[key] for key in ("cost_usd", "quality", "cost_efficiency")}}
            for id_, each in own.items()
        ],
        "dimensions": [
            {"condition_id": row.id, "dimension": name, "score": each.mean, "std": each.std}
            for row in found.standings
            for name, each in row.dimensions.items()
        ],
        "self-bias": [
            {"judge": each.name, "own": each.own, "other": each.other, "delta": each.preference.delta.value,
             "low": each.preference.delta.low, "high": each.preference.delta.high,
             "beyond_peers": each.preference.excess.value}
            for each in judges(found)
        ],
        "cost-breakdown": [
            {"condition_id": id_, "plan_cost": _part(cost and cost.plan, cost and cost.total),
             "total_cost": dollars(cost.total if cost else None),
             "impl_cost": _part(cost and cost.implement, cost and cost.total),
             "review_cost": _part(cost and cost.review, cost and cost.total)}
            for id_, cost in costs.items()
        ],
    }  # fmt: skip


def _part(amount: Mapping[str, float] | None, whole: Mapping[str, float] | None) -> float | None:
    """Return a part in dollars: none of a known whole in dollars is 0, of an unknown one unknown."""
    return 0.0 if amount == {} and dollars(whole) is not None else dollars(amount)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with objects spread over columns, and lists as words."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if key in ("dimensions", "dimensions_std"):
            flat |= {f"{name}{key.removeprefix('dimensions')}": each for name, each in value.items()}
        elif isinstance(value, dict):
            flat[key] = " + ".join(f"{currency}{amount!r}" for currency, amount in value.items())  # pyright: ignore[reportUnknownVariableType]
        elif isinstance(value, list):
            flat[key] = " ".join(value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            flat[key] = value
    return flat


def as_csv(rows: Rows) -> str:
    """Return rows with the columns of all of them; what is None is an empty cell."""
    file = io.StringIO()
    heads = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(file, heads, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
