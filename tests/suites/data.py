"""Data and helpers that the tests of this folder share."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data"
HUMANEVAL_PLUS = SHARED / "HumanEvalPlus.jsonl.gz"
MBPP_PLUS = SHARED / "MbppPlus.jsonl.gz"

needs_data = pytest.mark.skipif(
    not (HUMANEVAL_PLUS.exists() and MBPP_PLUS.exists()),
    reason=f"HumanEval+ and MBPP+ are not at {SHARED}",
)


def problem(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a row of a HumanEval+ file; a change to None drops the key."""
    row = {
        "task_id": f"HumanEval/{number}",
        "prompt": "def triple(n):\n",
        "entry_point": "triple",
        "canonical_solution": "    return 3 * n\n",
        "base_input": [[1], [2]],
        "plus_input": [[0], [-1], [10]],
        "atol": 0,
        "contract": "",
    }
    return {key: value for key, value in (row | changes).items() if value is not None}


def write_rows(path: Path, *rows: Mapping[str, Any] | str) -> Path:
    """Write rows, or lines that are none, to a .jsonl file and return its path."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path
