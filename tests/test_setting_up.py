"""The first test that needs vLLM or the browser waits for them, however their installation ends."""

import fcntl
import threading
from pathlib import Path

import pytest

from tests.setting_up import VARIABLE, wait_until_set_up


def test_what_is_on_its_way_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "lock"))
    waiting = threading.Thread(target=wait_until_set_up.__wrapped__)
    with (tmp_path / "lock").open("w") as installing:
        fcntl.flock(installing, fcntl.LOCK_EX)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
    waiting.join()  # the lock went with its holder


def test_nothing_is_waited_for_where_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    wait_until_set_up.__wrapped__()


def test_of_an_installation_that_has_ended_only_the_file_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "lock"))
    (tmp_path / "lock").touch()
    wait_until_set_up.__wrapped__()
