"""A forecast for people: every number that it holds is there, and nothing is said that is not known."""

import io

from rich.console import Console

from dualcode.config import Price
from dualcode.study.forecast import Forecast, forecast
from dualcode.study.known import Known
from dualcode.study.words import forecast_table
from dualcode.tables.forms import to_terminal
from tests.study.test_forecast import RAW, REVIEWED, measured, plan, team


def shown(found: Forecast) -> str:
    written = io.StringIO()
    Console(file=written, width=140).print(to_terminal(forecast_table(found), 140))
    return written.getvalue()


def line(text: str, begins: str) -> list[str]:
    return next(each.split() for each in text.splitlines() if each.strip().startswith(begins))


def test_a_range_is_told_by_its_ends_and_a_number_by_itself() -> None:
    text = shown(forecast([plan(RAW), plan(REVIEWED)], team(), measured(), ledger=False))
    assert line(text, "mini raw-coder"[:4])[:4] == ["mini", "raw-coder", "10", "10"]
    assert "20 – 30" in text  # calls of review-fix
    assert line(text, "all")[1:5] == ["20", "30", "–", "40"]


def test_an_unknown_speed_is_said_to_be_unknown() -> None:
    text = shown(forecast([plan(RAW)], team(), Known()))
    assert line(text, "mini")[-1] == "unknown"
    assert line(text, "all")[-1] == "unknown"
    assert "nothing measured yet" in text


def test_tasks_left_are_told_of_all() -> None:
    assert "3 of 10" in shown(forecast([plan(RAW, tasks=3)], team(), measured()))


def test_tokens_are_told_by_endpoint_and_what_they_rest_on() -> None:
    text = shown(forecast([plan(REVIEWED)], team(), measured()))
    assert "coder: 1,100 –" in text
    assert "reviewer: 2,000 tokens in, 500 out" in text
    assert "measured on 3 earlier calls to these servers" in text


def test_money_is_told_by_currency_or_how_to_configure_it() -> None:
    assert "money: no price is configured" in shown(forecast([plan(RAW)], team(), measured()))
    priced = forecast([plan(RAW)], team(Price(input_per_million=1000, output_per_million=0)), measured())
    assert "money: $1.10 – 1.10" in shown(priced)
