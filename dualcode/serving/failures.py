"""How servers fail: recognized in logs and metrics by `failures.toml`, with cause and remedy."""

import operator
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from dualcode.record import Record

CATALOGUE = Path(__file__).with_name("failures.toml")
_ERROR = re.compile(r"(?:\b(?:\w+\.)*[A-Z]\w*(?:Error|Exception)|\berror): \S.*")
"""An exception's last line, or the words of an argument parser."""
_HARMLESS = re.compile(r"^(?:\([^)]*\) )?(?:DEBUG|INFO|WARNING)\b")
"""What a logger itself does not call an error, whichever error it speaks of."""
_CONSEQUENCE = re.compile(r"(?i)see root cause|initialization failed|died unexpectedly")
_HOLDS = {"==": operator.eq, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


class Failure(Record):
    """One way to fail: a line of the catalogue."""

    name: str
    log: str | None = None
    """A regular expression over a line of a log."""
    metrics: Mapping[str, str] = {}
    """Name of a gauge -> a condition such as `>= 0.98`; all must hold."""
    still: bool = False
    """Whether the metrics must show it twice, some seconds apart."""
    cause: str
    remedy: str
    level: Literal["fail", "warn"] = "fail"
    follows: bool = False
    """Whether it is the consequence of something further up in the log."""

    @model_validator(mode="after")
    def _one_signature(self) -> Self:
        if (self.log is None) == (not self.metrics):
            raise ValueError(f"{self.name}: give either log or metrics")
        return self

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return None if self.log is None else re.compile(self.log)

    def in_line(self, line: str) -> "Found | None":
        """Return what a line of a log says of it, None if nothing."""
        match = self._pattern.search(line) if self._pattern else None
        if match is None:
            return None
        said = {name: value or "?" for name, value in match.groupdict().items()}
        return Found(
            failure=self,
            cause=self.cause.format(**said),
            remedy=self.remedy.format(**said),
            seen=line.strip(),
        )

    def in_gauges(self, *readings: Mapping[str, float | None]) -> "Found | None":
        """Return what readings of a server say of it; what a server does not tell shows nothing."""
        if not self.metrics or (self.still and len(readings) < 2):
            return None
        if not all(self._shown(each) for each in (readings if self.still else readings[-1:])):
            return None
        seen = ", ".join(f"{name} {readings[-1][name]:g}" for name in self.metrics)
        return Found(failure=self, cause=self.cause, remedy=self.remedy, seen=seen)

    def _shown(self, reading: Mapping[str, float | None]) -> bool:
        for name, condition in self.metrics.items():
            how, bound = condition.split()
            value = reading.get(name)
            if value is None or not _HOLDS[how](value, float(bound)):
                return False
        return True


class Found(Record):
    """A failure that was recognized."""

    failure: Failure
    cause: str
    remedy: str
    seen: str
    """The line, or the values, that showed it."""


@cache
def catalogue() -> tuple[Failure, ...]:
    """Return the known failures, in the order of the file."""
    tables: list[dict[str, Any]] = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["failure"]
    return tuple(map(Failure.model_validate, tables))


def in_log(lines: Sequence[str]) -> list[Found]:
    """Return the failures that a log tells of, each once, in the order in which it tells them.

    One that follows from others stands only where there is no other.
    """
    found: dict[str, Found] = {}
    for line in lines:
        for failure in catalogue():
            if failure.name not in found and (seen := failure.in_line(line)):
                found[failure.name] = seen
    causes = [each for each in found.values() if not each.failure.follows]
    fatal = any(each.failure.level == "fail" for each in causes)
    return causes if fatal else [*found.values()]


def in_gauges(*readings: Mapping[str, float | None]) -> Iterator[Found]:
    """Yield the failures that readings of one server show."""
    yield from filter(None, (failure.in_gauges(*readings) for failure in catalogue()))


def cause(lines: Sequence[str]) -> str | None:
    """Return the first error that a log tells: those after it, above which it may lie far, follow from it."""
    serious = (line for line in lines if not _HARMLESS.search(line))
    told = (match[0] for match in map(_ERROR.search, serious) if match)
    return next((each for each in told if not _CONSEQUENCE.search(each)), None)


def explained(lines: Sequence[str]) -> str:
    """Return why a server died, as its log tells: the error, what it means and what to do; empty if unknown.

    A continuation that follows a colon.
    """
    told = cause(lines)
    known = next((each for each in in_log(lines) if each.failure.level == "fail"), None)
    if known is None:
        return f": {told}" if told else ""
    what = f"{known.cause}\n  remedy: {known.remedy}"
    return f": {told}\n  that is: {what}" if told else f": {what}"
