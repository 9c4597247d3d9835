"""Records: the collector is away while many are made, and back afterwards, whatever happens."""

import gc
from collections.abc import Generator

import pytest

from dualcode.record import unswept


@pytest.fixture(autouse=True)
def _as_it_was() -> Generator[None]:
    yield
    gc.enable()


def test_the_collector_is_away_inside_and_back_outside() -> None:
    with unswept():
        assert not gc.isenabled()
        with unswept():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_collector_is_back_after_a_failure() -> None:
    with pytest.raises(RuntimeError), unswept():
        raise RuntimeError
    assert gc.isenabled()


def test_a_collector_that_its_owner_sent_away_stays_away() -> None:
    gc.disable()
    with unswept():
        pass
    assert not gc.isenabled()
