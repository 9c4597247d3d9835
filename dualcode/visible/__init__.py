"""The tests that a prompt itself shows: found without running anything, run in the sandbox.

    prompt ── text (passages) ──> doctests, notations (examples) ──> interactive, finding ──> VisibleTests
    VisibleTests + program ── running (sandbox) ──> judgement ──> VisibleResult ── feedback ──> a model

Neither needs hidden tests, and neither can see any: a Task has none.
"""

from dualcode.visible.finding import visible_tests
from dualcode.visible.running import VisibleResult, run_visible
from dualcode.visible.tests import LeftOut, VisibleTest, VisibleTests

__all__ = ["LeftOut", "VisibleResult", "VisibleTest", "VisibleTests", "run_visible", "visible_tests"]
