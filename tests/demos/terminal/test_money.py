"""Profits in the account's currency, at the market's quotes."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.terminal.interfaces import Currency, Position, SymbolSpec, Tick
from demos.terminal.money import MarketPrices, rounded_amount
from demos.terminal.symbols import named_currencies

USD = Currency("USD", 2)
EUR = Currency("EUR", 2)
JPY = Currency("JPY", 0)
EURUSD = SymbolSpec("EURUSD")
USDJPY = SymbolSpec("USDJPY.m", digits=3)
EURJPY = SymbolSpec("EURJPY", digits=3)
GOLD = SymbolSpec("GOLD", digits=2)


class Market:
    """Prices of these quotes, and the lines that were reported."""

    def __init__(self, *quotes: tuple[SymbolSpec, int, int]) -> None:
        self.quotes = {spec.name: Tick(spec.name, 0, bid, ask) for spec, bid, ask in quotes}
        self.lines: list[str] = []
        symbols = {spec.name: spec for spec, *_ in quotes}
        self.prices = MarketPrices(lambda: symbols, self.quotes, self.lines.append)


@pytest.mark.parametrize(
    ("name", "currencies"),
    [
        ("EURUSD", ("EUR", "USD")),
        ("XAUUSD.m", ("XAU", "USD")),
        ("EURUSDm", ("EUR", "USD")),
        ("EURUSD#", ("EUR", "USD")),
        ("EURUSDT", ("", "")),
        ("EURUSD2", ("", "")),
        ("eurusd", ("", "")),
        ("NATGAS", ("", "")),
        ("GOLD", ("", "")),
        ("EUR/USD", ("", "")),
        ("EURЖSD", ("", "")),
        ("Volatility 75 Index", ("", "")),
    ],
)
def test_a_symbols_currencies_are_those_of_its_name(name, currencies):
    assert named_currencies(name) == currencies
    spec = SymbolSpec(name)
    assert (spec.currency_base, spec.currency_profit) == currencies


def test_given_currencies_replace_those_of_the_name():
    spec = SymbolSpec("GOLD", currency_base="XAU", currency_profit="USD")
    assert (spec.currency_base, spec.currency_profit) == ("XAU", "USD")


def test_a_profit_in_the_accounts_currency_is_exact():
    market = Market()
    assert market.prices.profit(-175, EURUSD, USD) == Decimal("-1.75")
    assert market.lines == []


def test_a_profit_is_sold_at_the_bid_and_a_loss_bought_at_the_ask():
    market = Market((USDJPY, 149_000, 151_000))
    # 30,000 yen: the dollar is bought at 151, or sold at 149.
    assert market.prices.profit(30_000_00, EURJPY, USD) == Decimal("19867.55")
    assert market.prices.profit(-30_000_00, EURJPY, USD) == Decimal("-20134.23")
    market = Market((EURUSD, 120_000, 125_000))
    usdchf = SymbolSpec("GBPEUR")
    assert market.prices.profit(10_000, usdchf, USD) == Decimal("120.00")
    assert market.prices.profit(-10_000, usdchf, USD) == Decimal("-125.00")
    assert market.prices.profit(10_000, SymbolSpec("AUDUSD"), EUR) == Decimal("80.00")
    assert market.prices.profit(10_000, SymbolSpec("AUDUSD"), JPY) is None


def test_an_amount_in_yen_has_no_decimal_places():
    market = Market((USDJPY, 150_000, 150_000))
    assert market.prices.profit(101, EURUSD, JPY) == Decimal(152)


def test_a_profit_that_cannot_be_converted_is_reported_once_and_left_out():
    market = Market((EURUSD, 120_000, 125_000))
    assert [market.prices.profit(100, EURJPY, USD) for _ in range(2)] == [None, None]
    assert market.prices.profit(100, GOLD, USD) is None
    assert market.lines == [
        "EURJPY: its profit is in JPY, and the market has no quote of JPY and USD; "
        "balance, equity and profits leave it out",
        "GOLD: the currency of its profit is unknown; balance, equity and profits leave it out",
    ]


def test_a_profit_of_zero_needs_no_conversion():
    market = Market()
    assert market.prices.profit(0, GOLD, USD) == 0
    assert market.lines == []


def test_an_open_position_is_valued_at_the_price_that_closes_it():
    market = Market((EURUSD, 100_000, 100_010))
    long, short = Position(1, EURUSD, 10, 10 * 100_005, 0), Position(2, EURUSD, -10, -10 * 100_005, 0)
    assert [market.prices.open_profit(each, USD) for each in (long, short)] == [Decimal("-0.50"), Decimal("-0.50")]
    assert market.prices.open_profit(Position(3, EURJPY, 1, 1, 0), USD) is None
    assert market.lines == ["EURJPY: there is no quote yet; equity and profit leave the open position out"]


def test_an_open_position_with_other_digits_than_the_market_is_left_out():
    market = Market((SymbolSpec("EURUSD", digits=4), 10_000, 10_001))
    assert market.prices.open_profit(Position(1, EURUSD, 10, 10 * 100_005, 0), USD) is None
    assert market.lines == [
        "EURUSD: the position has 5 digits, the market's quotes have 4; equity and profit leave the open position out"
    ]


@given(st.fractions(), st.integers(0, 8))
def test_an_amount_is_rounded_to_the_nearest_unit(amount, digits):
    amount = Fraction(amount.numerator % 10**12, amount.denominator) * (1 if amount > 0 else -1)
    rounded = rounded_amount(amount, digits)
    assert abs(Fraction(rounded) - amount) * 10**digits <= Fraction(1, 2)
    assert rounded.as_tuple().exponent == -digits or digits == 0
    assert rounded_amount(-amount, digits) == -rounded
