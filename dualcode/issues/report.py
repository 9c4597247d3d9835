"""The report of a test run: JUnit's XML, as our own run of pytest wrote it, read as something untrusted."""

import os
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Status = Literal["passed", "failed", "error", "skipped"]
MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Case:
    """One test of a run."""

    status: Status
    text: str
    """What pytest says of a failure; empty if it passed."""


def read_report(path: Path) -> dict[str, Case] | None:
    """Return the cases by pytest's id; None if there is no report that can be read.

    A file that could not be imported stands among them under its dotted name, as an error.
    An id that comes twice has the worse of its outcomes: a test can pass, and fail in its teardown.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            content = file.read(MOST_BYTES + 1)
    except OSError:
        return None
    if len(content) > MOST_BYTES or re.search(rb"<!(DOCTYPE|ENTITY)|\0", content):
        return None  # pytest escapes all that is not its own: this was written by somebody else
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError, ValueError):
        return None
    worse = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}
    found: dict[str, Case] = {}
    for element in root.iter("testcase"):
        case = _case(element)
        name = next(
            (each.get("value") for each in element.iter("property") if each.get("name") == "nodeid"), None
        )
        name = name or ".".join(filter(None, (element.get("classname"), element.get("name"))))
        if name not in found or worse[found[name].status] < worse[case.status]:
            found[name] = case
    return found


def _case(element: ElementTree.Element) -> Case:
    kinds: tuple[tuple[str, Status], ...] = (
        ("error", "error"),
        ("failure", "failed"),
        ("skipped", "skipped"),
    )
    for tag, status in kinds:
        if (child := element.find(tag)) is not None:
            expected = status == "skipped" and child.get("type") == "pytest.xfail"
            text = f"{child.get('message') or ''}\n{child.text or ''}".strip()
            return Case("passed" if expected else status, text)
    return Case("passed", "")
