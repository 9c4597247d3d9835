"""Money by currency, where what is not known stays unknown: it is never zero, and never added up."""

from collections.abc import Iterable, Mapping
from statistics import fmean, stdev

from dualcode.duels.records import Phase

Money = dict[str, float] | None
"""By currency; None: not known. Empty: nothing was paid."""


def total(amounts: Iterable[Mapping[str, float] | None]) -> Money:
    """Return the sum by currency; None if one of the amounts is not known."""
    found: dict[str, float] = {}
    for each in amounts:
        if each is None:
            return None
        for currency, amount in each.items():
            found[currency] = found.get(currency, 0.0) + amount
    return found


def divided(amount: Mapping[str, float] | None, count: float) -> Money:
    """Return an amount by so many; None where it is not known, or there is nothing to divide it by."""
    return None if amount is None or not count else {each: part / count for each, part in amount.items()}


def paid(phases: Iterable[Phase]) -> Money:
    """Return what phases cost; one that asked no model cost nothing."""
    return total({} if each.money is None and not each.calls else each.money for each in phases)


def single(amount: Mapping[str, float] | None) -> tuple[float, str] | None:
    """Return an amount and its currency; None where it is not known, in several currencies, or in none."""
    return (
        next(((part, each) for each, part in amount.items()), None) if amount and len(amount) == 1 else None
    )


def spread(amounts: Iterable[Mapping[str, float] | None]) -> float | None:
    """Return the standard deviation; None unless two or more are known, all in the same currency."""
    known = [single(each) for each in amounts]
    if len(known) < 2 or None in known or len({each[1] for each in known if each}) > 1:
        return None
    return stdev(each[0] for each in known if each)


def mean(values: Iterable[float]) -> float | None:
    """Return the mean; None of nothing."""
    known = list(values)
    return fmean(known) if known else None
