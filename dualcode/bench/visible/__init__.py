"""The tests that a prompt itself shows: found without running anything, run in the sandbox.

    prompt ── text (passages) ──> finding (doctests, assertions), notations (examples) ──> VisibleTests
    VisibleTests + program ── running (sandbox) ──> checking, evaluation (outside) ──> VisibleResult

Neither needs hidden tests, and neither can see any: a Task has none.
"""

from dualcode.bench.visible.finding import visible_tests
from dualcode.bench.visible.running import VisibleResult, run_visible
from dualcode.bench.visible.tests import LeftOut, VisibleTest, VisibleTests

__all__ = ["LeftOut", "VisibleResult", "VisibleTest", "VisibleTests", "run_visible", "visible_tests"]
