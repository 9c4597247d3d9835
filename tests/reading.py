"""Side by side, a process reads the files of tests that it runs, when it runs them, and no others.

pytest-xdist lets every process collect everything: a third of a minute of CPU time each, for the same names.
Here it collects a stand-in for each file, whose run collects and runs the file's tests.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

_LEAVES_OUT = re.compile(r"(not \w+( and not \w+)*)?")
"""Marks that a stand-in has where all tests of its file have them, as tests/conftest.py says."""


def reads_later(config: pytest.Config) -> bool:
    """Whether files can be read when they are run: nothing chooses tests by what stands in the files."""
    chosen = any(config.getoption(name, None) for name in ("keyword", "deselect", "lf", "failedfirst"))
    named = any("::" in argument for argument in config.args)
    return not chosen and not named and bool(_LEAVES_OUT.fullmatch(str(config.getoption("markexpr"))))


class _Whole(pytest.Item):
    """Stands for all tests of a file."""

    def runtest(self) -> None:
        raise NotImplementedError


class _File(pytest.Module):
    is_read = False

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        if self.is_read:
            return super().collect()
        whole = _Whole.from_parent(self, name="whole")  # pyright: ignore[reportUnknownMemberType]
        whole.add_marker(pytest.mark.timeout(0))  # each test has its own
        return [whole]

    def read(self) -> list[pytest.Item]:
        """Return what is to be run of the file. Its own faults are reported."""
        self.is_read = True
        items = list(self.session.genitems(self))
        self.config.hook.pytest_collection_modifyitems(session=self.session, config=self.config, items=items)
        return items


class Reading:
    """A plugin of the processes that run tests."""

    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.Module:
        """Take a file for one that is read later."""
        return _File.from_parent(parent, path=module_path)  # pyright: ignore[reportUnknownMemberType]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a file in the place of its stand-in."""
        if not isinstance(item, _Whole):
            return None
        assert isinstance(item.parent, _File)
        session, tests = item.session, item.parent.read()
        place = session.items.index(item)
        for test, following in _with_next(tests, nextitem):
            session.items[place] = test  # xdist asks for it there
            item.config.hook.pytest_runtest_protocol(item=test, nextitem=following)
            if session.shouldfail or session.shouldstop:
                break
        session.items[place] = item
        return True


def _with_next(
    tests: list[pytest.Item], last: pytest.Item | None
) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    return zip(tests, [*tests[1:], last], strict=True) if tests else iter(())
