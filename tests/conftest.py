"""Fixtures for all tests, and which of them run side by side."""

import pytest

from tests.servers import servers

__all__ = ["servers"]

_IN_BROWSERS = ("tests/report/test_browser.py", "tests/export/test_view.py")
_LONG = (
    "tests/analysis/failures/test_agreement.py",
    "tests/benchmarks/",
    "tests/contracts/test_sandbox.py",
    "tests/export/test_inspect.py",
    "tests/figures/test_drawing.py",
    "tests/grading/test_grader.py",
    "tests/runs/test_kill.py",
    "tests/sandbox/test_memory.py",
    "tests/sandbox/test_scratch.py",
    "tests/serving/test_flags.py",
    "tests/study/test_reproduce.py",
)
"""Files that take more than some ten seconds."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests together in one process, and all that talk to the real pair: it is started once.

    Those come first, since they take longest.
    """
    for item in items:
        on_servers = item.get_closest_marker("servers") is not None
        name = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("servers" if on_servers else name))
        if name.startswith(_IN_BROWSERS):
            item.add_marker(pytest.mark.browser)
        if name.startswith(_LONG):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("servers") is None)
