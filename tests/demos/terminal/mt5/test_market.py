"""The symbols and ticks of a real terminal, on the stand-in."""

from __future__ import annotations

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


def test_a_symbol_without_a_volume_step_is_rejected(mt5, market):
    mt5._add("ODD", volume_step=0.0)
    with pytest.raises(Mt5Error, match=r"invalid volume step of ODD: 0\.0"):
        market.symbols().get("ODD")


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
