"""The symbols and ticks of a real terminal, on the stand-in."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import pytest
from mt5_stand_in import StandIn, broker

from demos.terminal.interfaces import SymbolSpec, Tick
from demos.terminal.mt5.api import Mt5Error
from demos.terminal.mt5.market import POLL_INTERVAL, Mt5Market

T0 = 1_700_000_000_000


@pytest.fixture
def mt5() -> StandIn:
    return broker()


@pytest.fixture
def market(mt5) -> Mt5Market:
    market = Mt5Market(mt5)
    assert "EURUSD" in market.symbols()
    return market


def polled(market: Mt5Market) -> list[tuple[int, int, int]]:
    """The ticks of the next poll: milliseconds since T0, bid, ask."""
    return [(tick.time - T0, tick.bid, tick.ask) for tick in market.poll(market.next_due())]


def test_a_symbol_has_the_terminals_digits_and_exact_decimal_volumes(mt5, market):
    mt5._add("GOLD", digits=2, volume_step=0.1, volume_min=0.25, volume_max=50.04, trade_contract_size=100.0)
    assert market.symbols()["EURUSD"] == SymbolSpec("EURUSD")
    assert market.symbols()["GOLD"] == SymbolSpec("GOLD", 2, Decimal("0.1"), 3, 500, 100)
    assert list(market.symbols()) == ["EURUSD", "GOLD"]
    assert len(market.symbols()) == 2


def test_a_symbol_that_is_looked_up_is_added_to_the_market_watch(mt5):
    market = Mt5Market(mt5)
    assert mt5._selected == set()
    assert market.symbols().get("EURUSD")
    assert mt5._selected == {"EURUSD"}


def test_a_symbol_that_the_terminal_lacks_is_None(market):
    assert market.symbols().get("XYZ") is None


@pytest.mark.parametrize(
    ("fields", "spec", "problem"),
    [
        (
            {"volume_step": 0.0, "volume_min": 0.1},
            {"volume_step": "0.1", "volume_max": 1000},
            "the volume step 0.0; 0.1",
        ),
        ({"volume_step": -1.0, "volume_min": 0.0}, {}, "the volume step -1.0; 0.01"),
        ({"volume_step": math.nan}, {}, "the volume step nan; 0.01"),
        ({"volume_min": 0.0}, {}, "the minimum volume 0.0; 0.01"),
        ({"volume_min": -0.5}, {}, "the minimum volume -0.5; 0.01"),
        ({"volume_max": 0.0}, {}, "the maximum volume 0.0; 100.00"),
        ({"volume_max": math.inf}, {}, "the maximum volume inf; 100.00"),
        (
            {"volume_max": 0.05, "volume_min": 0.1},
            {"volume_min": 10, "volume_max": 10},
            "the maximum volume 0.05; 0.10",
        ),
        (
            {"volume_step": 1000.0, "volume_min": 1000.0},
            {"volume_step": "1000.0", "volume_max": 1},
            "the maximum volume",
        ),
        ({"digits": -1}, {"digits": 5}, "-1 digits and the point 1e-05; 5 digits"),
        ({"digits": 2}, {"digits": 5}, "2 digits and the point 1e-05; 5 digits"),
        ({"digits": -1, "point": 0.0}, {"digits": 0}, "-1 digits and the point 0.0; 0 digits"),
        ({"digits": 400}, {"digits": 5}, "400 digits and the point 1e-05; 5 digits"),
        (
            {"trade_contract_size": 0.0},
            {"contract_size": 0},
            "the contract size 0.0; profits in money are not computed",
        ),
        ({"trade_contract_size": math.nan}, {"contract_size": 0}, "the contract size nan"),
        ({"volume_step": 0.010000000000000002, "volume_min": 0.009999999999}, {}, ""),
        ({"point": 0.0}, {}, ""),
        ({"point": math.nan}, {}, ""),
        ({"digits": 5, "point": 0.25}, {}, ""),
    ],
)
def test_a_property_that_cannot_be_right_is_replaced_and_reported_once(mt5, fields, spec, problem):
    lines: list[str] = []
    mt5._add("ODD", **{"point": 1e-05} | fields)
    market = Mt5Market(mt5, lines.append)
    properties = {name: Decimal(value) if name == "volume_step" else value for name, value in spec.items()}
    assert market.symbols()["ODD"] == replace(SymbolSpec("ODD"), **properties)
    market.symbols().read("ODD")
    found = [line for line in lines if problem and f"ODD: the broker reports {problem}" in line]
    assert len(found) == bool(problem)
    assert len(set(lines)) == len(lines)
    assert bool(lines) == bool(problem)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"trade_mode": 0}, "the trade mode 0 (trading is disabled)"),
        ({"trade_mode": 1}, "the trade mode 1 (only long positions are allowed)"),
        ({"trade_mode": 2}, "the trade mode 2 (only short positions are allowed)"),
        ({"trade_mode": 3}, "the trade mode 3 (positions may only be closed)"),
        ({"trade_mode": 7}, "the trade mode 7 (unknown)"),
        ({"trade_mode": -1}, "the trade mode -1 (unknown)"),
        ({"order_mode": 0}, "the order mode 0 (no market orders)"),
        ({"order_mode": 126}, "the order mode 126 (no market orders)"),
    ],
)
def test_a_mode_that_restricts_orders_is_reported_once_and_the_symbol_is_known(mt5, fields, problem):
    lines: list[str] = []
    mt5._add("ODD", **fields)
    market = Mt5Market(mt5, lines.append)
    assert market.symbols()["ODD"] == SymbolSpec("ODD")
    market.symbols().read("ODD")
    assert lines == [f"ODD: the broker reports {problem}; the trade server's answer to each order decides"]


def test_a_symbol_that_cannot_be_added_to_the_market_watch_is_known_and_reported(mt5, monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(mt5, "symbol_select", lambda symbol, enable: False)
    assert Mt5Market(mt5, lines.append).symbols()["EURUSD"] == SymbolSpec("EURUSD")
    assert lines == ["EURUSD cannot be added to the Market Watch: it has no quotes until it is added there"]


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_a_tick_without_a_usable_price_is_not_given(mt5, market, price):
    assert polled(market)
    mt5._quote("EURUSD", 1.1, price, T0 + 1)
    mt5._quote("EURUSD", price, 1.2, T0 + 2)
    assert polled(market) == []
    mt5._quote("EURUSD", 1.1, 1.2, T0 + 3)
    assert polled(market) == [(3, 110_000, 120_000)]


def test_the_first_poll_gives_the_last_quote_and_later_polls_all_new_ticks(mt5, market):
    mt5._quote("EURUSD", 1.1, 1.10003, T0 + 1)
    assert polled(market) == [(1, 110_000, 110_003)]
    assert polled(market) == []
    for number in range(2, 5):
        mt5._quote("EURUSD", 1.1, 1.10003 + number / 1e5, T0 + number)
    assert polled(market) == [(2, 110_000, 110_005), (3, 110_000, 110_006), (4, 110_000, 110_007)]


def test_ticks_of_the_same_millisecond_are_each_given_once(mt5, market):
    mt5._quote("EURUSD", 1.2, 1.3, T0 + 7)
    polled(market)
    mt5._quote("EURUSD", 1.21, 1.3, T0 + 7)
    mt5._quote("EURUSD", 1.22, 1.3, T0 + 7)
    assert [bid for _, bid, _ in polled(market)] == [121_000, 122_000]
    mt5._quote("EURUSD", 1.22, 1.31, T0 + 7)
    assert [ask for _, _, ask in polled(market)] == [131_000]


def test_ticks_before_the_first_poll_are_never_given(mt5, market):
    mt5._quote("EURUSD", 1.2, 1.3, T0 + 7)
    mt5._quote("EURUSD", 1.25, 1.3, T0 + 7)
    polled(market)
    mt5._quote("EURUSD", 1.26, 1.3, T0 + 8)
    assert polled(market) == [(8, 126_000, 130_000)]


@pytest.mark.parametrize("answer", [None, []])
def test_without_stored_ticks_the_last_quote_is_given(mt5, market, answer):
    polled(market)
    mt5.copy_ticks_from = lambda *_: answer
    mt5._quote("EURUSD", 1.2, 1.3, T0 + 5000)
    assert polled(market) == [(5000, 120_000, 130_000)]


def test_a_quote_without_a_bid_or_an_ask_is_ignored(mt5, market):
    polled(market)
    mt5._quote("EURUSD", 0.0, 1.3, T0 + 1)
    assert polled(market) == []
    mt5._quote("EURUSD", 1.2, 1.3, T0 + 2)
    assert polled(market) == [(2, 120_000, 130_000)]


def test_ticks_of_several_symbols_are_sorted_by_time(mt5, market):
    mt5._add("GBPUSD", 1.3, 1.30002)
    assert "GBPUSD" in market.symbols()
    polled(market)
    mt5._quote("GBPUSD", 1.31, 1.32, T0 + 1)
    mt5._quote("EURUSD", 1.2, 1.3, T0 + 2)
    mt5._quote("GBPUSD", 1.33, 1.34, T0 + 3)
    assert [tick.symbol for tick in market.poll(market.next_due())] == ["GBPUSD", "EURUSD", "GBPUSD"]


def test_the_terminal_is_polled_at_most_twenty_times_per_second(market):
    assert market.poll(10.0) == [Tick("EURUSD", T0, 110_000, 110_002)]
    assert market.next_due() == 10.0 + POLL_INTERVAL == 10.05
    assert market.poll(10.04) == ()


def test_a_symbol_without_a_quote_gives_no_tick(mt5, market):
    mt5._quotes.clear()
    assert polled(market) == []


def test_a_lost_connection_is_an_Mt5Error_with_its_code(mt5, market):
    mt5._running = False
    with pytest.raises(Mt5Error, match="the quote of EURUSD: -10004 No IPC connection"):
        polled(market)
    with pytest.raises(Mt5Error, match="the symbol GBPUSD: -10004 No IPC connection"):
        market.symbols().get("GBPUSD")
