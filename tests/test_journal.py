"""The journal of daily work: what is kept, what never is, and what a day comes to."""

import json
import stat
import string
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.call import Attempt, Call, Message, Reply, Request, Usage, Value
from dualcode.config import Price
from dualcode.errors import InputError
from dualcode.journal import Entry, Findings, Journal, by_day, entry_of, scrubbed, scrubbed_text, since
from dualcode.sampling import PAPER
from dualcode.steps.review import Finding, Review
from tests.cli.conftest import run
from tests.cli.typed import Run

__all__ = ["run"]

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()
BY_TOKEN = Price(input_per_million=1.0, output_per_million=2.0)
FOUND = Review(verdict="revise", findings=(Finding(where="x", actual="y", expected="z"),))


def call(step: str = "write", *, said: str = "x = 1", value: Review | None = None, untold: int = 0) -> Call:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=500_000, untold=untold)
    attempt = Attempt(kind="chat", started=NOON, seconds=36.0, outcome="ok", usage=usage)
    request = Request(messages=(Message(role="user", content=said),), sampling=PAPER.plain, answer_tokens=9)
    reply = Reply(
        content="fine", finish_reason="stop", usage=usage, started=NOON, seconds=36.0, attempts=(attempt,)
    )
    return Call(
        task_id="t", number=1, step=step, role="coder", endpoint="e", model="m", request=request,
        reply=reply, value=None if value is None else Value.of(value),
    )  # fmt: skip


def entry(*calls: Call, at: float = NOON, amended: bool | None = None, keep: bool = False) -> Entry:
    return entry_of(
        calls, source="gateway", pipeline="review-fix", at=at, seconds=40.0, prices={"e": BY_TOKEN},
        amended=amended, keep_calls=keep,
    )  # fmt: skip


def test_an_entry_sums_what_its_calls_took() -> None:
    made = entry(call(), call("review", value=FOUND), amended=True)
    assert made.money == {"$": 4.0}
    assert (made.usage.prompt_tokens, made.calls) == (2_000_000, 2)
    assert made.findings == Findings(untried=1)
    assert made.exchanges == ()


def test_money_is_unknown_where_one_price_or_one_count_of_tokens_is() -> None:
    def money(price: Price | None, *calls: Call) -> object:
        prices = {"e": price}
        return entry_of(calls, source="solve", pipeline="p", at=0, seconds=0, prices=prices).money

    assert money(None, call()) is None
    assert money(BY_TOKEN, call(), call(untold=1)) is None
    assert money(Price(gpu_hour=10.0), call(untold=1)) == {"$": pytest.approx(0.1)}


def test_a_review_that_could_not_be_read_is_neither_a_finding_nor_an_approval() -> None:
    made = entry(call("review"), amended=False)
    assert (made.unread, made.findings) == (1, Findings())


def test_entries_come_back_as_they_were_added_and_only_the_user_can_read_them(tmp_path: Path) -> None:
    journal, made = Journal(tmp_path / "records"), entry(call(), keep=True)
    journal.add(made)
    journal.add(made)
    assert journal.read() == ([made, made], [])
    assert journal.days() == [date(2026, 11, 27)]
    [file] = journal.folder.iterdir()
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(journal.folder.stat().st_mode)) == (0o600, 0o700)


@pytest.mark.parametrize("off", ["off", "0", "No", " false "])
def test_one_switch_keeps_nothing(off: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUALCODE_RECORDS", off)
    Journal(tmp_path / "records").add(entry(call()))
    assert not (tmp_path / "records").exists()


def test_work_goes_on_where_nothing_can_be_written_and_that_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("a file")
    told: list[str] = []
    journal = Journal(tmp_path / "records", tell=told.append)
    journal.add(entry(call()))
    journal.add(entry(call()))
    assert len(told) == 1
    assert "no record is kept" in told[0]


def test_a_damaged_line_costs_itself_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add(entry(call()))
    with (tmp_path / "2026-11-27.jsonl").open("a") as file:
        file.write('{"at": 1, "sour\n')
    journal.add(entry(call()))
    found, damage = journal.read()
    assert len(found) == 2
    assert [each.line for each in damage] == [2]


def test_a_day_of_another_version_is_left_out_and_the_others_are_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add(entry(call()))
    (tmp_path / "2025-01-01.jsonl").write_text('{"of": "another version"}\n')
    found, damage = journal.read()
    assert (len(found), [each.file for each in damage]) == (1, ["2025-01-01.jsonl"])


SECRET = "tSecretValue0123456789abcd"


@pytest.mark.parametrize(
    "text",
    [
        f"sk-proj-{SECRET}", f"sk-ant-{SECRET}", f"hf_{SECRET}", f"gsk_{SECRET}", f"ghp_{SECRET}",
        f"github_pat_{SECRET}", f"glpat-{SECRET}", f"xoxb-{SECRET}", f"eyJhbGciOiJI.{SECRET}.{SECRET}",
        f"Authorization: Bearer {SECRET}", f'"authorization": "Basic {SECRET}"', f"Cookie: session={SECRET}",
        f'api_key = "{SECRET}"', f"password: '{SECRET}'", f'{{"client_secret": "{SECRET}"}}',
        f"export AWS_SECRET_ACCESS_KEY={SECRET}", f"postgres://user:{SECRET}@host/db",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}", f"From: Ann <{SECRET}@example.org>",
        f"Signed-off-by: Ann <{SECRET}@example.org>", f"> Reply-To: {SECRET}@example.org",
    ],
)  # fmt: skip
def test_a_secret_is_taken_out_and_what_stands_around_it_stays(text: str) -> None:
    found = scrubbed_text(f"before\n{text}\nafter")
    assert SECRET not in found
    assert "[secret]" in found
    assert found.startswith("before\n")
    assert found.endswith("after") or "BEGIN OPENSSH" in text  # a key without an end goes to the end


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens = 512", "def token(text: str) -> str:", "key = lambda row: row[1]", "skip_header = True",
        "from dualcode import Task", "return secrets.token_hex(8)", "https://example.org/a:b@c",
        "to: the reader", "password = getpass()", "assert f(sk) == 'sk-1'", "x: bearer",
    ],
)  # fmt: skip
def test_ordinary_code_stays_as_it_is(text: str) -> None:
    assert scrubbed_text(text) == text


def test_secrets_in_what_was_said_and_those_that_the_process_holds_reach_no_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path, secrets=["an-own-key-of-no-form", ""])
    said = f'token = "{SECRET}"\n# an-own-key-of-no-form'
    journal.add(entry(call(said=said), keep=True))
    [file] = tmp_path.iterdir()
    assert SECRET not in file.read_text()
    assert "no-form" not in file.read_text()
    [kept] = journal.read()[0]
    assert kept.exchanges[0].request.messages[0].content == 'token = "[secret]"\n# [secret]'


def test_patterns_take_time_in_proportion_to_the_text() -> None:
    for text in ("-----BEGIN PRIVATE KEY-----" * 5_000, "a://b:" * 20_000, "from: " * 20_000, "A" * 200_000):
        began = time.process_time()
        scrubbed_text(text)
        assert time.process_time() - began < 20  # minutes, were it quadratic


def test_days_are_summed_by_themselves() -> None:
    later = NOON + 86400
    priced = entry(call(), call("review", value=FOUND), amended=True)
    unpriced = priced.model_copy(update={"money": None, "outcome": "left", "amended": False})
    days = by_day([entry(call(), at=later), priced, unpriced])
    assert [day.day for day in days] == ["2026-11-27", "2026-11-28"]
    first, second = days
    assert (first.pieces, first.drafts, first.amended, first.left, first.unpriced) == (2, 2, 1, 1, 1)
    assert first.findings == Findings(untried=2)
    assert first.money == {"$": 4.0}
    assert (second.drafts, second.money) == (0, {"$": 2.0})


def test_pruning_deletes_whole_days_and_nothing_of_others(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for at in (NOON, time.time()):
        journal.add(entry(call(), at=at))
    (tmp_path / "notes-of-mine.jsonl").write_text("mine")
    assert journal.prune(older_than=40 * 365 * 86400) == []
    assert journal.prune(older_than=3600) == [date(2026, 11, 27)] or time.time() < NOON + 2 * 86400
    assert len(journal.prune()) >= 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes-of-mine.jsonl"]


def test_a_day_is_a_date_or_an_age() -> None:
    assert since("2026-11-28") == date(2026, 11, 28)
    assert (datetime.now(UTC).date() - since("7d")).days in (7, 8)  # midnight may fall in between
    with pytest.raises(InputError, match="'yesterday' is no day"):
        since("yesterday")


def test_the_command_shows_prunes_and_says_what_is_missing(run: Run, tmp_path: Path) -> None:
    assert "there are no records" in run("records")[1]
    journal = Journal(tmp_path / "state" / "records")
    journal.add(entry(call(), call("review", value=FOUND), amended=True))
    (journal.folder / "2026-11-26.jsonl").write_text("{}\n" + journal.read()[0][0].to_line() + "\n")
    code, out, err = run("records")
    assert code == 0
    assert "2026-11-27" in out and "100.0 % (" in out
    assert "line 1 is damaged" in err
    assert json.loads(run("records", "--json", "--since", "2026-11-27")[1])["days"][0]["amended"] == 1
    assert run("records", "prune")[0] == 2
    assert run("records", "--since", "x")[0] == 2
    assert run("records", "prune", "--all")[1].startswith("deleted 2 days")
    assert "there are no records" in run("records")[1]


@given(
    st.text(alphabet=string.ascii_letters + string.digits, min_size=8, max_size=30),
    st.text(max_size=40),
    st.text(max_size=40),
)
@settings(deadline=None, max_examples=60)
def test_a_secret_that_the_process_holds_is_in_no_text_wherever_it_stands(
    secret: str, before: str, after: str
) -> None:
    found = scrubbed({"a": [f"{before}{secret}{after}", {"b": secret}], "n": 1, "x": None}, [secret])
    assert secret not in json.dumps(found, ensure_ascii=False)
    assert (found["n"], found["x"], found["a"][1]) == (1, None, {"b": "[secret]"})


@given(st.text(max_size=200))
@settings(deadline=None, max_examples=60)
def test_what_was_scrubbed_once_is_not_changed_again(text: str) -> None:
    once = scrubbed_text(text)
    assert scrubbed_text(once) == once


@pytest.mark.parametrize(
    "text",
    [
        f"ASIA{'A1' * 8}", f"AIza{SECRET}0123456789", f"ya29.{SECRET}", f"npm_{SECRET}", f"pypi-{SECRET}",
        f"dop_v1_{SECRET}", f"Proxy-Authorization: Basic {SECRET}", f"Set-Cookie: {SECRET}",
        f"AUTHORIZATION:{SECRET}", f'"passphrase" : "{SECRET}"', f"GITHUB_TOKEN={SECRET}",
        f"redis://:{SECRET}@host:6379", f"    Co-authored-by: Ann <{SECRET}@example.org>",
    ],
)  # fmt: skip
def test_secrets_in_other_spellings_are_taken_out(text: str) -> None:
    found = scrubbed_text(f"before\r\n{text}\r\nafter")
    assert "[secret]" in found
    assert text.rpartition(SECRET)[1] == "" or SECRET not in found
    assert found.startswith("before")


def test_a_moment_belongs_to_its_day_in_utc_wherever_the_machine_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        journal = Journal(tmp_path)
        midnight = datetime(2026, 11, 28, tzinfo=UTC).timestamp()
        for at in (midnight - 0.001, midnight, 0.0):
            journal.add(entry(call(), at=at))
        assert [str(day) for day in journal.days()] == ["1970-01-01", "2026-11-27", "2026-11-28"]
        assert [len(journal.read(day)[0]) for day in journal.days()] == [3, 2, 1]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_files_that_are_no_days_are_nobodys(tmp_path: Path) -> None:
    for name in ("2026-13-45.jsonl", "abcd-ef-gh.jsonl", "2026-11-27.json", "x2026-11-27.jsonl"):
        (tmp_path / name).write_text("{}\n")
    journal = Journal(tmp_path)
    assert (journal.days(), journal.read(), journal.prune()) == ([], ([], []), [])
    assert len(list(tmp_path.iterdir())) == 4
    assert Journal(tmp_path / "none").read() == ([], [])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=5))
def test_findings_add_up_in_any_order(counts: list[tuple[int, int, int]]) -> None:
    each = [Findings(confirmed=a, refuted=b, untried=c) for a, b, c in counts]
    total = sum(each, Findings())
    assert total == sum(reversed(each), Findings())
    assert tuple(total.model_dump().values()) == tuple(map(sum, zip(*counts, (0, 0, 0), strict=True)))


def test_a_day_as_json_says_null_for_money_that_nobody_knows() -> None:
    unpriced = entry(call()).model_copy(update={"money": None, "outcome": "errored"})
    [day] = by_day([unpriced])
    assert (day.to_json()["money"], day.unpriced, day.errored) == (None, 1, 1)
    assert by_day([]) == []


@pytest.mark.parametrize("text", ["", "d", "-1d", "1.5d", "7 d", "7h", "2026-02-30", "123456d", "now"])
def test_what_is_no_day_is_refused_with_two_that_are(text: str) -> None:
    with pytest.raises(InputError, match="is no day") as raised:
        since(text)
    assert raised.value.hint == "7d, or 2026-11-28"
