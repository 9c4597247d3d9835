import pytest

from dualcode.tables import cells


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.098, "+9.8"), (-0.024, "−2.4"), (0.0, "0.0"), (-0.0004, "0.0"), (1.0, "+100.0")],
)
def test_points_have_a_sign_and_a_true_minus_and_zero_has_none(share: float, text: str) -> None:
    assert cells.points(share) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(1.0, "1.00"), (0.5, "0.500"), (0.0442, "0.0442"), (0.001, "0.00100"), (0.00099, "< 0.001")],
)
def test_p_has_three_significant_digits_or_is_below_a_thousandth(p: float, text: str) -> None:
    assert cells.p_value(p) == text


def test_shares_are_per_cent_with_one_decimal() -> None:
    assert cells.percent(144 / 164) == "87.8 %"
    assert cells.interval(0, 0.0876) == "[0.0, 8.8]"
    assert cells.points_interval(-0.05, 0.12) == "[−5.0, +12.0]"


def test_share_of_nothing_is_no_share() -> None:
    assert cells.ratio(0, 0) == "–"
    assert cells.ratio(2, 3) == "66.7 % (2/3)"


def test_money_names_its_currency_and_is_nothing_without_a_price() -> None:
    assert cells.money({"$": 1.5, "€": 0.25}, 10) == "$0.15 + €0.025"
    assert cells.money({}) == cells.money({"$": 1.0}, 0) == "–"


@pytest.mark.parametrize(
    ("count", "unit", "text"),
    [(134_515_008, 1e6, "135 M"), (14_770_000_000, 1e9, "14.8 M"), (9_978_000_000, 2**30, "9.29 M")],
)
def test_sizes_have_three_digits(count: float, unit: float, text: str) -> None:
    assert cells.size(count, unit, "M") == text
