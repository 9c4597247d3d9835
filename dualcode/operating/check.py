"""What the doctor says: a line about one thing, with what to do where it is not well."""

from typing import Literal

from dualcode.record import Record

Status = Literal["pass", "warn", "fail", "skip"]


class Check(Record):
    """One thing that was looked at."""

    about: str
    """What, such as `gpu 0`, `server coder: speed`."""
    status: Status
    """`skip`: there is nothing to look at, or it was not asked for."""
    found: str
    remedy: str = ""
    """What to do; empty where all is well."""


def passed(about: str, found: str) -> Check:
    """Return that all is well."""
    return Check(about=about, status="pass", found=found)


def warned(about: str, found: str, remedy: str) -> Check:
    """Return what works, and could be better."""
    return Check(about=about, status="warn", found=found, remedy=remedy)


def failed(about: str, found: str, remedy: str) -> Check:
    """Return what does not work."""
    return Check(about=about, status="fail", found=found, remedy=remedy)


def skipped(about: str, why: str) -> Check:
    """Return what was not looked at."""
    return Check(about=about, status="skip", found=why)
