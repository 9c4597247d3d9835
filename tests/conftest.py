"""Fixtures for all tests, and which of them run side by side."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # pyright: ignore[reportMissingTypeStubs]

from tests.servers import servers
from tests.setting_up import wait_until_set_up
from tests.surroundings import settle

__all__ = ["servers"]

settle()


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> None:  # pyright: ignore[reportUnusedFunction]
    """Look for running servers where none of the tester's are."""
    os.environ["DUALCODE_STATE_DIR"] = str(tmp_path_factory.mktemp("state"))


_IN_BROWSERS = (
    "tests/report/test_browser.py",
    "tests/export/test_view.py",
    "tests/duels/test_duel_browser.py",
)
_FIRST = (
    "tests/runs/test_kill.py",
    "tests/runs/test_ray.py",
    "tests/sandbox/test_waiting.py",
    "tests/sandbox/test_limits.py",
)
"""Long files that go right behind those on servers."""
_LONG = (
    *_FIRST,
    "tests/contracts/test_sandbox.py",
    "tests/sandbox/test_traces.py",
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
    "tests/duels/",
    "tests/workflows/",
    "tests/issues/",
    "tests/duels/",
    "tests/gateway/test_clients.py",
    "tests/gateway/test_description.py",
    "tests/figures/test_page.py",
    "tests/analysis/test_compare.py",
    "tests/runs/test_watchdog.py",
)
"""Files that take more than some ten seconds."""


_ON_SERVERS = (
    "tests/serving/test_flags.py",
    "tests/contracts/test_chat_model.py",
    "tests/gateway/test_real.py",
    "tests/reviews/test_real.py",
    "tests/runs/test_monitor.py",
    "tests/serving/test_hardware.py",
    "tests/serving/test_real.py",
    "tests/test_real_pair.py",
    "tests/serving/test_quantize_real.py",
)
"""Files that talk to the real pair, and one that takes a checkpoint that was built when it was started.

The first imports vLLM in one process: the pair's six would compile it side by side where it is new."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave unread what `-m 'not slow and not browser'` leaves out: its imports take long in each process."""
    wanted = str(config.getoption("markexpr"))
    name = collection_path.relative_to(config.rootpath).as_posix() if collection_path.is_file() else ""
    left_out = {"not slow": _LONG, "not browser": _IN_BROWSERS}
    return True if any(said in wanted and name.startswith(left_out[said]) for said in left_out) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long, or a browser; begin with what takes longest, so that no worker ends with it."""

    order = (*_ON_SERVERS, *_FIRST, *_LONG)

    def place(item: pytest.Item) -> int:
        return next((n for n, name in enumerate(order) if item.nodeid.startswith(name)), len(order))

    for item in items:
        if item.nodeid.startswith(_IN_BROWSERS):
            item.add_marker(pytest.mark.browser)
        if item.nodeid.startswith(_LONG):
            item.add_marker(pytest.mark.slow)
    items.sort(key=place)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for what a test needs before its time begins to run."""
    if any(item.get_closest_marker(name) for name in ("servers", "browser")):
        wait_until_set_up()
    return (yield)


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
