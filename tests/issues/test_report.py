"""The report of a test run is read as something that nobody vouches for."""

import os
from pathlib import Path

import pytest

from dualcode.issues.grading import MOST_BYTES, Case, read_report
from dualcode.issues.verdict import IssueVerdict
from dualcode.issues.worktrees import Dropped

WHOLE = """<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite>
<testcase classname="tests.test_a" name="test_good"><properties><property name="nodeid" value="tests/test_a.py::test_good"/></properties></testcase>
<testcase classname="tests.test_a" name="test_bad[x]"><properties><property name="nodeid" value="tests/test_a.py::test_bad[x]"/></properties>
  <failure message="assert 1 == 2">where it failed</failure></testcase>
<testcase classname="tests.test_a" name="test_left"><properties><property name="nodeid" value="tests/test_a.py::test_left"/></properties>
  <skipped type="pytest.skip" message="no network"/></testcase>
<testcase classname="tests.test_a" name="test_x"><properties><property name="nodeid" value="tests/test_a.py::test_x"/></properties>
  <skipped type="pytest.xfail" message=""/></testcase>
<testcase classname="tests.test_a" name="test_torn"><properties><property name="nodeid" value="tests/test_a.py::test_torn"/></properties></testcase>
<testcase classname="tests.test_a" name="test_torn"><properties><property name="nodeid" value="tests/test_a.py::test_torn"/></properties>
  <error message="failed on teardown">why</error></testcase>
<testcase classname="" name="tests.test_b"><error message="collection failure">no module</error></testcase>
</testsuite></testsuites>"""  # noqa: E501 - as pytest writes it


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "report.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_every_outcome_is_read_by_its_id(tmp_path: Path) -> None:
    cases = read_report(written(tmp_path, WHOLE))
    assert cases is not None
    assert {name: case.status for name, case in cases.items()} == {
        "tests/test_a.py::test_good": "passed",
        "tests/test_a.py::test_bad[x]": "failed",
        "tests/test_a.py::test_left": "skipped",
        "tests/test_a.py::test_x": "passed",
        "tests/test_a.py::test_torn": "error",
        "tests.test_b": "error",
    }
    assert cases["tests/test_a.py::test_bad[x]"] == Case("failed", "assert 1 == 2\nwhere it failed")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no xml",
        WHOLE[:200],
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuites>&a;</testsuites>',
        f"<!--{'x' * 9000}--><!DOCTYPE x [<!ENTITY a 'b'>]><testsuites/>",
        WHOLE.replace("utf-8", "utf-16").encode("utf-16"),
        '<?xml version="1.0" encoding="no-such"?><testsuites/>',
    ],
)
def test_what_pytest_would_not_write_is_no_report(tmp_path: Path, content: str | bytes) -> None:
    assert read_report(written(tmp_path, content)) is None


def test_no_link_is_followed_and_no_pipe_waited_for(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(written(tmp_path, WHOLE))
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "missing"):
        assert read_report(tmp_path / name) is None
    holder = os.open(tmp_path / "pipe", os.O_RDWR)  # somebody who could still write to it
    assert read_report(tmp_path / "pipe") is None
    os.close(holder)


def test_a_folder_in_the_report_s_place_is_none_and_keeps_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "report.xml").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        assert read_report(tmp_path / "report.xml") is None
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_report_without_end_is_not_read_whole(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE)
    os.truncate(path, MOST_BYTES + 10)
    assert read_report(path) is None


def test_a_verdict_survives_being_written() -> None:
    dropped = (Dropped(path="conftest.py", why="test machinery"),)
    verdict = IssueVerdict(task="t", solved=False, reason="why", dropped=dropped, counted=("a.py",))
    assert IssueVerdict.model_validate_json(verdict.to_line()) == verdict
