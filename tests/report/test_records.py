"""The page of daily work: every day has its bars, and what is written in it is text."""

import re
from pathlib import Path

import pytest

from dualcode.call import Usage
from dualcode.errors import RunError
from dualcode.journal import Entry, Findings, Journal, by_day
from dualcode.report.records import write_records
from tests.cli.conftest import run
from tests.cli.typed import Run

__all__ = ["run"]


def entry(day: int, *, amended: bool | None = True, money: dict[str, float] | None = None) -> Entry:
    return Entry(
        at=1_795_700_000 + 86_400 * day,
        source="review",
        pipeline="review-fix",
        amended=amended,
        findings=Findings(confirmed=2, refuted=1),
        calls=3,
        usage=Usage(prompt_tokens=100, completion_tokens=50),
        seconds=2.0,
        money=money,
    )


def test_each_day_has_its_bars_and_its_row(tmp_path: Path) -> None:
    days = by_day([entry(0, money={"$": 0.5}), entry(0, amended=False), entry(1, amended=None)])
    page = write_records(days, tmp_path / "new" / "page.html").read_text()
    assert "50.0 % (1/2) of the drafts that were reviewed were amended." in page
    for day in days:
        assert (
            f"<title>{day.day}: 2 confirmed</title>" in page
            or f"<title>{day.day}: 4 confirmed</title>" in page
        )
        assert re.search(rf"<td class=\"left\">{day.day}</td>", page)
    assert "Money, $" in page
    assert "2 pieces of work are not in it" in page


def test_a_page_that_cannot_be_written_is_named_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(RunError, match=r"page\.html"):
        write_records(by_day([entry(0)]), tmp_path / "page.html")
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


def test_a_bar_is_as_high_as_its_share_of_the_highest_day(tmp_path: Path) -> None:
    page = write_records(by_day([entry(0), entry(0), entry(1)]), tmp_path / "page.html").read_text()
    heights = re.findall(r'height="([\d.]+)"[^>]*><title>[^<]* amended', page)
    assert [float(each) for each in heights] == [130.0, 65.0]


def test_nothing_in_the_page_runs_or_is_fetched(tmp_path: Path) -> None:
    page = write_records(by_day([entry(0)]), tmp_path / "page.html", title="<script>x</script>").read_text()
    assert "<script" not in page
    assert "default-src &#39;none&#39;" in page


def test_without_records_there_is_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no records"):
        write_records([], tmp_path / "page.html")


def test_the_command_draws_either_runs_or_records(run: Run, tmp_path: Path) -> None:
    assert run("report")[0] == run("report", "runs", "--records")[0] == 2
    assert run("report", "--records")[0] == 3
    Journal(tmp_path / "state" / "records").add(entry(0))
    code, out, _ = run("report", "--records", "-o", "daily.html", "--title", "Ours")
    assert (code, out.startswith("daily.html")) == (0, True)
    assert "<h1>Ours</h1>" in Path("daily.html").read_text()
