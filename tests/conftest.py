"""Fixtures for all tests, and which of them run side by side."""

import os
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # pyright: ignore[reportMissingTypeStubs]

from tests.servers import servers
from tests.surroundings import settle

__all__ = ["servers"]

settle()


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> None:  # pyright: ignore[reportUnusedFunction]
    """Look for running servers where none of the tester's are."""
    os.environ["DUALCODE_STATE_DIR"] = str(tmp_path_factory.mktemp("state"))


_IN_BROWSERS = ("tests/report/test_browser.py", "tests/export/test_view.py")
_LONG = (
    "tests/contracts/test_sandbox.py",
    "tests/runs/test_kill.py",
    "tests/sandbox/test_waiting.py",
    "tests/sandbox/test_limits.py",
    "tests/figures/test_drawing.py",
    "tests/suites/test_own.py",
    "tests/study/test_reproduce.py",
    "tests/grading/test_grader.py",
    "tests/sandbox/test_scratch.py",
    "tests/sandbox/test_memory.py",
    "tests/benchmarks/",
    "tests/export/test_inspect.py",
    "tests/analysis/failures/test_agreement.py",
    "tests/sandbox/test_pool.py",
    "tests/serving/test_pair.py",
    "tests/runs/test_evaluate.py",
    "tests/extraction/test_extraction.py",
    "tests/analysis/test_statistics.py",
    "tests/grading/test_oracles.py",
    "tests/models/test_ledger.py",
    "tests/export/test_evalplus.py",
    "tests/models/test_dialects.py",
    "tests/models/test_probe.py",
    "tests/runs/test_influence.py",
    "tests/steps/test_review.py",
    "tests/agents/",
    "tests/issues/",
    "tests/duels/",
    "tests/gateway/test_clients.py",
)
"""Files that take more than some ten seconds."""


_ON_SERVERS = (
    "tests/contracts/test_chat_model.py",
    "tests/gateway/test_real.py",
    "tests/runs/test_monitor.py",
    "tests/serving/test_flags.py",
    "tests/serving/test_hardware.py",
    "tests/serving/test_real.py",
    "tests/test_real_pair.py",
)
"""Files that talk to the real pair."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long, or a browser; begin with what takes longest, so that no worker ends with it."""

    def place(item: pytest.Item) -> int:
        found = (n for n, name in enumerate((*_ON_SERVERS, *_LONG)) if item.nodeid.startswith(name))
        return next(found, len(_ON_SERVERS) + len(_LONG))

    for item in items:
        if item.nodeid.startswith(_IN_BROWSERS):
            item.add_marker(pytest.mark.browser)
        if item.nodeid.startswith(_LONG):
            item.add_marker(pytest.mark.slow)
    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Keep a file's tests together in one process, and all that talk to the real pair: it is started once."""
    return FilesAndServers(config, log)


class FilesAndServers(LoadFileScheduling):
    """Gives out whole files in the order of collection, and those on servers as if they were one."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # a file's length is not its number of tests

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.partition("::")[0]
        return "servers" if name in _ON_SERVERS else name
