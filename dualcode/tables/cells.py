"""Numbers as the texts that stand in cells, in one form everywhere."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from dualcode.metrics import Rate, duration

__all__ = [
    "MINUS", "NOTHING", "count", "decimal", "duration", "energy", "fraction", "interval", "known", "money",
    "p_value", "percent", "plain_percent", "points", "points_interval", "printed", "ratio", "signed", "size",
]  # fmt: skip

T = TypeVar("T")

NOTHING = "–"
"""In a cell with nothing to say."""
MINUS = "−"


def known(value: T | None, text: Callable[[T], str]) -> str:
    """Return the text of a value; nothing for None."""
    return NOTHING if value is None else text(value)


def percent(share: float) -> str:
    """Return a share of one as per cent: `87.8 %`."""
    return f"{100 * share:.1f} %"


def plain_percent(share: float) -> str:
    """Return a share of one as per cent without the sign, where a head or an axis has it: `87.8`."""
    return f"{100 * share:.1f}"


def printed(value: float) -> str:
    """Return a published percentage as per cent: `87.8 %`."""
    return f"{value:.1f} %"


def signed(points: float) -> str:
    """Return percentage points with their sign and a true minus: `+9.8`, `−2.4`, `0.0`."""
    text = f"{points:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)


def points(share: float) -> str:
    """Return a difference of shares in percentage points, signed."""
    return signed(100 * share)


def interval(low: float, high: float) -> str:
    """Return an interval of shares in per cent: `[71.1, 83.7]`."""
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def points_interval(low: float, high: float) -> str:
    """Return an interval of differences in percentage points: `[−2.4, +4.9]`."""
    return f"[{points(low)}, {points(high)}]"


def p_value(p: float) -> str:
    """Return p with three significant digits, or `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:#.3g}"


def ratio(part: int, whole: int) -> str:
    """Return a share with its counts: `66.7 % (2/3)`; nothing if there is no whole."""
    return f"{percent(part / whole)} ({part}/{whole})" if whole else NOTHING


def fraction(rate: Rate | None) -> str:
    """Return a share as its counts alone: `2/3`; nothing for None."""
    return NOTHING if rate is None else f"{rate.passed}/{rate.total}"


def decimal(value: float | None, digits: int = 1) -> str:
    """Return a number with this many decimals; nothing for None."""
    return NOTHING if value is None else count(value, digits)


def count(amount: float, digits: int = 0) -> str:
    """Return a count or an amount with its thousands apart: `12,345`."""
    return f"{amount:,.{digits}f}"


def energy(joules: float | None) -> str:
    """Return an energy: `812.0 J`, `12.3 kJ`."""
    if joules is None:
        return NOTHING
    return f"{count(joules, 1)} J" if joules < 10_000 else f"{count(joules / 1000, 1)} kJ"


def money(amounts: Mapping[str, float], divisor: float = 1) -> str:
    """Return amounts by currency, over `divisor`, with four significant digits; nothing if there are none."""
    if not amounts or not divisor:
        return NOTHING
    return " + ".join(f"{currency}{amount / divisor:.4g}" for currency, amount in amounts.items())


def size(count: float, unit: float, name: str) -> str:
    """Return a count in a unit with about three digits: `134 M`, `14.8 B`, `9.29 GiB`."""
    value = count / unit
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {name}"
