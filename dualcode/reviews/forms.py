"""The forms of a review: for people, as JSON, as SARIF 2.1.0, and as annotations of GitHub and GitLab."""

import hashlib
import json
import textwrap
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from dualcode import __version__
from dualcode.bench.claims import Status
from dualcode.reviews.mending import Mend
from dualcode.reviews.review import Found, Reviewed

WIDTH = 80
LEVELS: dict[Status, str] = {"confirmed": "error", "untried": "warning", "refuted": "note"}
"""SARIF's levels, and what they are called in CI."""
_GITLAB = {"confirmed": "critical", "untried": "minor", "refuted": "info"}
_MEANING: dict[Status, str] = {
    "confirmed": "The program was run and does what the reviewer says; that it should not is an opinion.",
    "untried": "A reviewer's opinion that could not be run.",
    "refuted": "The program was run and does not do what the reviewer says.",
}


def to_text(reviewed: Reviewed, mends: Sequence[Mend] = ()) -> str:
    """Return a review for people, in 80 columns; refuted findings as one line of their number."""
    shown = [each for each in reviewed.findings if each.status != "refuted"]
    lines: list[str] = []
    for each in shown:
        lines += [f"{_plain(each.path)}:{each.line}: {each.status}", *_wrapped(each.actual)]
        if each.call:
            done = f" {each.outcome}" if each.outcome else ""
            lines += _wrapped(f"tried: {each.call}{done}" if done else f"input: {each.call}")
        lines += _wrapped(f"expected: {each.expected}" + (f" ({each.ought})" if each.ought else ""))
        lines += [*(_wrapped(f"not tried: {each.why}") if each.status == "untried" else []), ""]
    for each in mends:
        lines += [
            f"{_plain(each.path)}: {each.name}: {'mended' if each.outcome == 'written' else 'not mended'}"
        ]
        lines += _wrapped(each.why) if each.why else []
        lines += [*(_plain(line) for line in each.diff.splitlines()), ""]
        lines += [f"  | {_plain(line)[:WIDTH]}" for line in each.output.splitlines()[-8:]]
    return "\n".join([*lines, *summary(reviewed)]) + "\n"


def summary(reviewed: Reviewed) -> list[str]:
    """Return what was reviewed and what not, a line each."""
    counts = reviewed.counts
    lines = [
        f"{pieces(reviewed.pieces)} reviewed in {reviewed.seconds:.1f} s: {counts.confirmed} confirmed, "
        f"{counts.untried} untried, {counts.refuted} refuted"
    ]
    if not reviewed.pieces:
        lines = ["nothing to review: the diff is empty" if not reviewed.left_out else "nothing to review"]
    if counts.refuted:
        lines.append("refuted: running the code shows that it does not do what was said; --json has them")
    if reviewed.outside:
        lines.append(f"not reported: {reviewed.outside} on lines that the diff does not show")
    lines += [f"not reviewed: {each}" for each in reviewed.left_out]
    lines += [f"unread, so nobody judged it: {each}" for each in reviewed.unread]
    lines += [f"errored: {each}" for each in reviewed.errored]
    return [part for line in lines for part in textwrap.wrap(_plain(line), WIDTH, subsequent_indent="  ")]


def pieces(number: int) -> str:
    """Return a number of pieces in words."""
    return "1 piece" if number == 1 else f"{number} pieces"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(_plain(text), WIDTH, initial_indent="  ", subsequent_indent="    ") or [""]


def _plain(text: str) -> str:
    """Return a model's or a file's text without what a terminal would obey."""
    return "".join(each if each.isprintable() or each == "\t" else "�" for each in text.replace("\n", " "))


def to_json(reviewed: Reviewed, mends: Sequence[Mend], extra: dict[str, Any]) -> str:
    """Return all that is known of a review as one object."""
    found = reviewed.model_dump(mode="json") | {"counts": reviewed.counts.model_dump()}
    return json.dumps({**found, "mends": [each.model_dump(mode="json") for each in mends], **extra}) + "\n"


def to_sarif(reviewed: Reviewed, mends: Sequence[Mend] = ()) -> str:  # noqa: ARG001 - one signature for all
    """Return the review as a SARIF 2.1.0 log; a refuted finding is there, suppressed."""
    rules = [
        {
            "id": status,
            "name": f"Review{status.capitalize()}",
            "shortDescription": {"text": f"A review's finding, {status}"},
            "fullDescription": {"text": _MEANING[status]},
            "defaultConfiguration": {"level": level},
        }
        for status, level in LEVELS.items()
    ]
    notices = [*reviewed.left_out, *reviewed.unread, *reviewed.errored]
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "dualcode", "version": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not reviewed.errored,
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": f"not reviewed: {each}"}} for each in notices
                ],
            }
        ],
        "results": [_result(each, list(LEVELS).index(each.status)) for each in reviewed.findings],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _result(each: Found, rule: int) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": quote(each.path.removeprefix("./"), safe="/"), "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": each.line},
    }
    found: dict[str, Any] = {
        "ruleId": each.status,
        "ruleIndex": rule,
        "level": LEVELS[each.status],
        "message": {"text": message(each)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"dualcode/v1": fingerprint(each)},
        "properties": each.model_dump(include={"call", "does", "ought", "outcome", "status", "why"}),
    }
    if each.status == "refuted":
        why = f"running it: {each.outcome}"
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return found


def message(each: Found) -> str:
    """Return a finding as one sentence after another."""
    tried = f" Tried: {each.call} {each.outcome}." if each.outcome else f" ({each.why}.)" if each.why else ""
    return f"{each.actual.rstrip('.')}. Expected: {each.expected.rstrip('.')}.{tried}"


def fingerprint(each: Found) -> str:
    """Return what stays the same of a finding while other lines move."""
    return hashlib.sha256(f"{each.path}\0{each.where}\0{each.call}\0{each.actual}".encode()).hexdigest()


def to_github(reviewed: Reviewed, mends: Sequence[Mend] = ()) -> str:  # noqa: ARG001 - as above
    """Return GitHub's workflow commands: an error for what is confirmed, a warning for what is untried."""
    return "".join(
        f"::{LEVELS[each.status]} file={_property(each.path)},line={each.line},"
        f"title={_property(f'review: {each.status}')}::{_data(message(each))}\n"
        for each in reviewed.findings
        if each.status != "refuted"
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def to_gitlab(reviewed: Reviewed, mends: Sequence[Mend] = ()) -> str:  # noqa: ARG001 - as above
    """Return a Code Quality report of GitLab."""
    rows = [
        {
            "description": message(each),
            "check_name": f"dualcode-review-{each.status}",
            "fingerprint": fingerprint(each),
            "severity": _GITLAB[each.status],
            "location": {"path": each.path.removeprefix("./"), "lines": {"begin": each.line}},
        }
        for each in reviewed.findings
        if each.status != "refuted"
    ]
    return json.dumps(rows, indent=1) + "\n"


FORMS: dict[str, Callable[[Reviewed, Sequence[Mend]], str]] = {
    "text": to_text,
    "sarif": to_sarif,
    "github": to_github,
    "gitlab": to_gitlab,
}
"""What `--format` takes, besides `json`."""
