"""Numbers as the texts that stand in cells, in one form everywhere."""

NOTHING = "–"
"""In a cell with nothing to say."""
MINUS = "−"


def percent(share: float) -> str:
    """Return a share of one as per cent: `87.8 %`."""
    return f"{100 * share:.1f} %"


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


def decimal(value: float | None, digits: int = 1) -> str:
    """Return a number with this many decimals; nothing for None."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def money(amounts: dict[str, float], divisor: float = 1) -> str:
    """Return amounts by currency, over `divisor`, with four significant digits; nothing if there are none."""
    if not amounts or not divisor:
        return NOTHING
    return " + ".join(f"{currency}{amount / divisor:.4g}" for currency, amount in amounts.items())


def size(count: float, unit: float, name: str) -> str:
    """Return a count in a unit with about three digits: `134 M`, `14.8 B`, `9.29 GiB`."""
    value = count / unit
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {name}"
