"""The journal of daily work: what the pair did outside measured runs, and whether that helped.

One record a piece of work (a request to the gateway, a review, a program), appended to a file of its day
(UTC) in the user's state folder, readable by the user alone. `DUALCODE_RECORDS=off` keeps none. Secrets are
taken out before anything is written (`scrubbed`); what was said is kept only where somebody asked for it.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast

from dualcode import resources
from dualcode.call import Call, Usage
from dualcode.config import Price
from dualcode.errors import InputError, RunError
from dualcode.pricing import bill
from dualcode.record import Record
from dualcode.runs.lines import Damage, append_whole, read_lines

SWITCH = "DUALCODE_RECORDS"
"""The environment variable that ends all keeping: `off`, `no`, `false` or `0`."""
FOLDER = "records"
_GONE = "[secret]"
_SECRETS = (
    # Private keys, whole.
    re.compile(r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"),
    # Keys and tokens that show what they are by how they begin.
    re.compile(
        r"\b(?:sk|rk|pk)[-_](?:live|test|proj|ant|or|svcacct)?[\w-]{16,}|\b(?:gsk|hf|npm|pypi|glpat|dop_v1|shpat)[-_][\w-]{16,}"
        r"|\bgh[opsur]_\w{20,}|\bgithub_pat_\w{20,}|\bxox[abeoprs]-[\w-]{10,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
        r"|\bAIza[\w-]{30,}|\bya29\.[\w-]{20,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}"
    ),
    # What stands behind a name that says it is secret: a header, a variable, a key of JSON or YAML.
    re.compile(
        r"(?i)(?P<kept>\b(?:proxy-)?authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:bearer|basic|token)?\s{0,4}"
        r"|\bbearer\s{1,4}"
        r"|\b(?:set-)?cookie\s{0,4}:\s{0,4}"
        r"|(?:api[_-]?key|secret(?:[_-]?key)?|access[_-]?key|auth[_-]?token|token|passw(?:or)?d|passphrase)"
        r"[\"']?\s{0,4}[:=]\s{0,4}[\"'])[^\s\"',;]{6,}"
    ),
    re.compile(r"(?P<kept>\b[A-Z][A-Z0-9_]{0,60}(?:KEY|TOKEN|SECRET|PASSWORD)=)[^\s\"']{6,}"),
    # A password in an address.
    re.compile(r"(?P<kept>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']{0,80}:)[^\s/@\"']{1,200}(?=@)"),
    # The people of a letter or a commit.
    re.compile(
        r"(?im)(?P<kept>^[ \t>+|-]{0,8}(?:from|to|cc|bcc|reply-to|sender|author|committer|signed-off-by|"
        r"co-authored-by|reviewed-by|reported-by)[ \t]{0,4}:[ \t]{0,4})(?=[^\n]{0,200}@)[^\n]*"
    ),
)
"""In this order; what a pattern names `kept` stays."""


class Findings(Record):
    """What reviews reported, and what came of it where it was run."""

    confirmed: int = 0
    refuted: int = 0
    untried: int = 0

    def __add__(self, other: "Findings") -> "Findings":
        """Return the sums."""
        mine, theirs = self.model_dump(), other.model_dump()
        return Findings(**{name: mine[name] + theirs[name] for name in mine})


class Entry(Record):
    """One piece of daily work: a line of the journal."""

    at: float
    """When it began, in seconds since the epoch."""
    source: Literal["gateway", "review", "solve"]
    pipeline: str
    """By name; `raw-coder` where one model answered alone."""
    outcome: Literal["done", "left", "errored"] = "done"
    """`left`: whoever asked was gone before the answer."""
    amended: bool | None = None
    """Whether what was handed over is not the draft; None where nobody reviewed a draft."""
    findings: Findings = Findings()
    unread: int = 0
    """Reviews that could not be read: no approval, and no finding."""
    calls: int
    usage: Usage
    """Of all requests together; with `untold` in it, a lower bound."""
    seconds: float
    """From the beginning to the end of the answer."""
    money: dict[str, float] | None
    """By currency; None where one server's price or tokens are not known. By the GPU's hour it is the time in
    which its own requests were in flight: at most what it took, for others may have shared the GPU."""
    exchanges: tuple[Call, ...] = ()
    """The calls themselves, where they were asked for."""


def entry_of(
    calls: Sequence[Call],
    *,
    source: Literal["gateway", "review", "solve"],
    pipeline: str,
    at: float,
    seconds: float,
    prices: Mapping[str, Price | None],
    outcome: Literal["done", "left", "errored"] = "done",
    amended: bool | None = None,
    findings: Findings | None = None,
    keep_calls: bool = False,
) -> Entry:
    """Return the entry of a piece of work from its calls; `prices` has each endpoint's by its name.

    Without `findings`, those of the reviews among the calls count as untried.
    """
    reviews = [call for call in calls if call.step == "review" and call.reply is not None]
    reported = sum(len(call.findings) for call in reviews)
    return Entry(
        at=at,
        source=source,
        pipeline=pipeline,
        outcome=outcome,
        amended=amended,
        findings=Findings(untried=reported) if findings is None else findings,
        unread=sum(call.verdict is None for call in reviews),
        calls=len(calls),
        usage=sum((call.usage for call in calls), Usage()),
        seconds=seconds,
        money=bill(calls, prices)[0],
        exchanges=tuple(calls) if keep_calls else (),
    )


def switched_on() -> bool:
    """Whether the environment lets records be kept."""
    return os.environ.get(SWITCH, "").strip().lower() not in ("off", "no", "false", "0")


class Journal:
    """The files of daily work on this machine, one a day."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        secrets: Iterable[str] = (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Name the folder, the user's by default. `secrets` are texts that no line may hold, such as keys.

        `tell` hears once why nothing can be written: work goes on without its record.
        """
        self.folder = folder or resources.state_folder() / FOLDER
        self._secrets = tuple(each for each in secrets if len(each) >= 6)
        self._tell: Callable[[str], None] | None = tell

    def add(self, entry: Entry) -> None:
        """Append an entry without the secrets in it, unless the environment forbids it. Never raises."""
        if not switched_on():
            return
        day = datetime.fromtimestamp(entry.at, UTC).date()
        line = json.dumps(scrubbed(entry.model_dump(mode="json"), self._secrets), ensure_ascii=False)
        path = self.folder / f"{day}.jsonl"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            append_whole(path, f"{line}\n")
        except OSError as error:
            if self._tell is not None:
                self._tell(f"no record is kept: {path}: {error.strerror or error}")
            self._tell = None

    def days(self) -> list[date]:
        """Return the days that have a file, in order."""
        found: list[date] = []
        for path in self.folder.glob("????-??-??.jsonl"):
            try:
                found.append(date.fromisoformat(path.stem))
            except ValueError:
                continue  # somebody else's
        return sorted(found)

    def read(self, since: date | None = None) -> tuple[list[Entry], list[Damage]]:
        """Return the entries from a day on, and the lines that could not be read."""
        damage: list[Damage] = []
        found: list[Entry] = []
        for day in self.days():
            if since is None or day >= since:
                path, of_day = self.folder / f"{day}.jsonl", list[Damage]()
                try:
                    found += read_lines(path, Entry, of_day)
                except RunError as error:  # of another version, or not ours to read: that day alone is lost
                    of_day = [Damage(file=path.name, line=1, why=error.message)]
                damage += of_day
        return found, damage

    def prune(self, older_than: float = 0.0) -> list[date]:
        """Delete the days that ended more than `older_than` seconds ago, with 0 all; return them.

        Days go whole: a file that is being written is never rewritten.
        """
        ended = datetime.fromtimestamp(time.time() - older_than, UTC).date()
        gone = [day for day in self.days() if not older_than or day < ended]
        for day in gone:
            (self.folder / f"{day}.jsonl").unlink(missing_ok=True)
        return gone


def scrubbed(value: Any, secrets: Sequence[str] = ()) -> Any:
    """Return a value of JSON with every text in it as `scrubbed_text` returns it."""
    if isinstance(value, str):
        return scrubbed_text(value, secrets)
    if isinstance(value, list):
        return [scrubbed(each, secrets) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: scrubbed(each, secrets) for key, each in cast("dict[str, Any]", value).items()}
    return value


def scrubbed_text(text: str, secrets: Sequence[str] = ()) -> str:
    """Return a text without `secrets`, private keys, what looks like a key, a token or a password, and the
    people that headers of letters and commits name."""
    for secret in secrets:
        text = text.replace(secret, _GONE)
    for pattern in _SECRETS:
        keeps = "kept" in pattern.groupindex
        text = pattern.sub(lambda found, keeps=keeps: (found["kept"] if keeps else "") + _GONE, text)
    return text


class Day(Record):
    """What one day came to."""

    day: str
    """ISO 8601, UTC."""
    pieces: int
    """Pieces of work."""
    drafts: int
    """Of these, with a draft that was reviewed."""
    amended: int
    left: int
    errored: int
    findings: Findings
    unread: int
    calls: int
    usage: Usage
    seconds: float
    """Of all pieces added up."""
    money: dict[str, float]
    """By currency, of the pieces whose money is known."""
    unpriced: int
    """Pieces whose money is not known."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {**self.model_dump(mode="json"), "money": self.money or None}


def by_day(entries: Iterable[Entry]) -> list[Day]:
    """Return the days of entries, in order."""
    days: dict[str, list[Entry]] = {}
    for each in entries:
        days.setdefault(datetime.fromtimestamp(each.at, UTC).date().isoformat(), []).append(each)
    return [_day(day, days[day]) for day in sorted(days)]


def _day(day: str, entries: Sequence[Entry]) -> Day:
    paid: dict[str, float] = {}
    for each in entries:
        for currency, amount in (each.money or {}).items():
            paid[currency] = paid.get(currency, 0.0) + amount
    return Day(
        day=day,
        pieces=len(entries),
        drafts=sum(each.amended is not None for each in entries),
        amended=sum(each.amended is True for each in entries),
        left=sum(each.outcome == "left" for each in entries),
        errored=sum(each.outcome == "errored" for each in entries),
        findings=sum((each.findings for each in entries), Findings()),
        unread=sum(each.unread for each in entries),
        calls=sum(each.calls for each in entries),
        usage=sum((each.usage for each in entries), Usage()),
        seconds=sum(each.seconds for each in entries),
        money=paid,
        unpriced=sum(each.money is None for each in entries),
    )


def since(text: str) -> date:
    """Return the first day of `7d`, or of a date. Raises InputError."""
    if found := re.fullmatch(r"(\d{1,5})d", text.strip()):
        return datetime.now(UTC).date() - timedelta(days=int(found[1]))
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"{text!r} is no day", hint="7d, or 2026-11-28") from None
