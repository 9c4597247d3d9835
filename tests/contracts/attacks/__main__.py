"""Run every attack on every tier of this machine and print the outcomes as a Markdown table.

    python -m tests.contracts.attacks

Exit code 1 if an attack achieved anything.
"""

import sys
import tempfile
from pathlib import Path

from dualcode.errors import SandboxError
from dualcode.extraction.source import compiles
from tests.contracts.attacks import ATTACKS, TIERS, escaping, exhausting, forging, growing
from tests.contracts.attacks.field import Field, Outcomes, forged

Column = dict[str, str]


def main() -> int:
    columns: dict[str, Column] = {}
    for tier in TIERS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                field = Field(tier, Path(folder))
            except SandboxError as error:
                print(f"this machine refuses the tier {tier}: {error.message}", file=sys.stderr)
                continue
            with field:
                columns[tier] = _column(field)
    _print(columns)
    return int(any(cell.startswith("**") for column in columns.values() for cell in column.values()))


def _column(field: Field) -> Column:
    column = {attack.name: _cell(field.attack(attack)) for attack in ATTACKS}
    calls = [attack for name in escaping.FORBIDDEN_CALLS if (attack := escaping.forbidden_call(name))]
    through = [attack.name for attack in calls if field.attack(attack).harm]
    column[f"{len(calls)} system calls that no program needs"] = _all("denied", through)
    odd = [name for name in exhausting.RETURNED if field.attack(exhausting.returning(name)).harm]
    column[f"{len(exhausting.RETURNED)} odd or endless values returned"] = _all("data or ended", odd)
    for name in (*forging.FORGERIES, *forging.ON_TESTS):
        column[f"verdict: {name}"] = _all("failed", _passed(field, name))
    grown = [name for name, text in growing.GROWING.items() if compiles(text())]
    column[f"{len(growing.GROWING)} texts that grow when they are compiled"] = _all("not compiled", grown)
    column["after all of it"] = _all("as before", field.trespasses())
    return column


def _passed(field: Field, name: str) -> list[str]:
    rows = [row for each, row in forging.cases() if each == name]
    return [
        f"{row['entry_point']} {side}"
        for row in rows
        for side in forged(field.grade(row["task_id"], forging.program(name, row["entry_point"])))
    ]


def _cell(outcomes: Outcomes) -> str:
    return _all(outcomes.end, list(outcomes.harm))


def _all(well: str, harm: list[str]) -> str:
    text = f"**{'; '.join(harm)}**" if harm else well
    return text.replace("|", "\\|").replace("\n", " ")[:300]


def _print(columns: dict[str, Column]) -> None:
    print("| attack | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in next(iter(columns.values()), Column()):
        print(f"| {name} | " + " | ".join(column[name] for column in columns.values()) + " |")


if __name__ == "__main__":
    sys.exit(main())
