"""Reviewers on the bench as a table: a row for each model, form and way of thinking."""

from collections.abc import Sequence

from dualcode.analysis.trial import Standing
from dualcode.metrics import Rate
from dualcode.tables.cells import count, decimal, fraction, interval, known, money, plain_percent
from dualcode.tables.grid import Field, Grid, left, right
from dualcode.tables.table import Table


def trial_table(standings: Sequence[Standing], title: str, notes: Sequence[str] = ()) -> Table:
    """Return the table; its notes say what the columns are."""
    models = {each.model for each in standings}
    fields: list[Field[Standing] | None] = [
        left("model", lambda each: each.model, drop=1) if len(models) > 1 else None,
        left("form", lambda each: each.form),
        left("thinks", lambda each: "yes" if each.thinking else "no"),
        right("reviews", lambda each: count(each.reviews), drop=6),
        right("unread", lambda each: count(each.confusion.off_schema), drop=5)
        if any(each.confusion.off_schema for each in standings)
        else None,
        right("recall, %", lambda each: _share(each.confusion.recall)),
        right("specificity, %", lambda each: _share(each.confusion.specificity), short="specif., %"),
        right("confirmed", lambda each: fraction(each.truthful)),
        right("alarms refuted", lambda each: fraction(each.refuted_alarms), drop=2),
        right("hits refuted", lambda each: fraction(each.refuted_hits), drop=2),
        right("s", lambda each: decimal(each.seconds)),
        right("tokens", lambda each: decimal(each.tokens, 0)),
        right("money", _money, drop=4) if any(each.money is not None for each in standings) else None,
    ]
    told = [
        *([f"model: {next(iter(models))}"] if len(models) == 1 else []),
        "recall: wrong programs that it rejects; specificity: right ones that it approves; [95 % interval]",
        "confirmed: of the findings that could be run, those whose claim about the program holds",
        "alarms, hits refuted: rejections of right, of wrong programs whose every finding running refutes",
        "s, tokens, money: of a review, on average, as it was paid for; running its findings is not in them",
    ]
    return Grid(standings, fields).table(
        "reviewer-bench", title, values=Standing.to_json, notes=[*told, *notes]
    )


def _share(rate: Rate | None) -> str:
    return known(rate, lambda rate: f"{plain_percent(rate.value)} {interval(rate.low, rate.high)}")


def _money(each: Standing) -> str:
    return known(each.money, lambda amount: money({each.currency or "": amount}))
