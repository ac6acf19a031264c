"""Stops, netting and hedging: the rules that the paper account and the virtual account share."""

from __future__ import annotations

from contextlib import closing

import pytest
from terminal_kit import EURUSD, GBPUSD

from demos.terminal.interfaces import NO_STOPS, Stops, SymbolSpec, Tick
from demos.terminal.mql import constants as c
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.account_file import AccountTerms
from demos.terminal.paper.virtual_account import VirtualAccount

HEDGING = AccountTerms(margin_mode=c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)
LONG = Stops(99_000, 101_000)
SHORT = Stops(101_000, 99_000)


def quote(bid: int, symbol: str = "EURUSD", time: int = 0) -> Tick:
    return Tick(symbol, time, bid, bid + 2)


QUOTE = quote(100_000)


@pytest.fixture(params=["paper", "virtual"])
def netting(request):
    with closing(PaperAccount()) as account:
        yield account if request.param == "paper" else VirtualAccount(account)


@pytest.fixture(params=["paper", "virtual"])
def hedging(request):
    with closing(PaperAccount(terms=HEDGING)) as account:
        yield account if request.param == "paper" else VirtualAccount(account)


def stops_of(account) -> list[Stops]:
    return [position.stops for position in account.positions()]


def test_an_order_that_opens_a_position_sets_its_stops(netting):
    assert netting.trade(EURUSD, 10, QUOTE, 0, LONG).retcode == c.TRADE_RETCODE_DONE
    assert netting.trade(GBPUSD, -10, quote(100_000, "GBPUSD"), 0, SHORT).retcode == c.TRADE_RETCODE_DONE
    assert stops_of(netting) == [LONG, SHORT]


@pytest.mark.parametrize(
    ("volume", "stops", "expected"),
    [
        (5, Stops(98_000), [Stops(98_000)]),
        (5, NO_STOPS, [NO_STOPS]),
        (-5, Stops(98_000), [LONG]),
        (-5, NO_STOPS, [LONG]),
        (-10, NO_STOPS, []),
        (-15, NO_STOPS, [NO_STOPS]),
        (-15, SHORT, [SHORT]),
    ],
)
def test_the_last_order_that_increases_or_reverses_a_netted_position_sets_its_stops(netting, volume, stops, expected):
    netting.trade(EURUSD, 10, QUOTE, 0, LONG)
    assert netting.trade(EURUSD, volume, QUOTE, 0, stops).retcode == c.TRADE_RETCODE_DONE
    assert stops_of(netting) == expected


@pytest.mark.parametrize(
    ("volume", "stops", "text"),
    [
        (10, Stops(100_000), "the stop loss 1.00000 of a long position must be below the bid 1.00000"),
        (10, Stops(0, 100_000), "the take profit 1.00000 of a long position must be above the bid 1.00000"),
        (10, SHORT, "the stop loss 1.01000 of a long position must be below the bid 1.00000"),
        (-10, Stops(100_002), "the stop loss 1.00002 of a short position must be above the ask 1.00002"),
        (-10, Stops(0, 100_002), "the take profit 1.00002 of a short position must be below the ask 1.00002"),
    ],
)
def test_stops_that_the_quote_has_reached_are_rejected_and_nothing_is_traded(netting, volume, stops, text):
    result = netting.trade(EURUSD, volume, QUOTE, 0, stops)
    assert (result.retcode, result.text) == (c.TRADE_RETCODE_INVALID_STOPS, text)
    assert list(netting.positions()) == list(netting.new_deals()) == []
    netting.trade(EURUSD, volume, QUOTE)
    result = netting.modify(1, stops, QUOTE)
    assert (result.retcode, result.text) == (c.TRADE_RETCODE_INVALID_STOPS, text)
    assert stops_of(netting) == [NO_STOPS]


def test_a_positions_stops_are_modified_and_reported_once(netting):
    netting.trade(EURUSD, 10, QUOTE)
    assert netting.modify(1, LONG, QUOTE).retcode == c.TRADE_RETCODE_DONE
    assert netting.modify(1, LONG, QUOTE).retcode == c.TRADE_RETCODE_NO_CHANGES
    assert stops_of(netting) == [LONG]
    assert [(position.ticket, position.stops) for position in netting.new_stops()] == [(1, LONG)]
    assert netting.new_stops() == []
    assert netting.modify(1, NO_STOPS, QUOTE).retcode == c.TRADE_RETCODE_DONE
    assert stops_of(netting) == [NO_STOPS]
    assert netting.modify(7, LONG, QUOTE).retcode == c.TRADE_RETCODE_POSITION_CLOSED


@pytest.mark.parametrize(
    ("volume", "stops", "bids", "price", "comment"),
    [
        (10, LONG, [99_001, 101_000 - 1, 99_000], 99_000, "sl 0.99000"),
        (10, LONG, [98_500], 98_500, "sl 0.99000"),
        (10, LONG, [100_999, 101_000], 101_000, "tp 1.01000"),
        (10, LONG, [101_500], 101_500, "tp 1.01000"),
        # The ask, which closes a short position, is two points above the bid.
        (-10, SHORT, [100_997, 100_998], 101_000, "sl 1.01000"),
        (-10, SHORT, [98_999, 98_998], 99_000, "tp 0.99000"),
    ],
)
def test_a_stop_is_executed_at_the_first_quote_that_reaches_it(netting, volume, stops, bids, price, comment):
    netting.trade(EURUSD, volume, QUOTE, 0, stops)
    netting.new_deals()
    for number, bid in enumerate(bids):
        assert len(netting.positions()) == 1
        netting.take_quote(GBPUSD, quote(bid, "GBPUSD"))
        netting.take_quote(EURUSD, quote(bid, time=number))
    assert list(netting.positions()) == []
    (deal,) = netting.new_deals()
    assert (deal.volume, deal.price, deal.comment, deal.time) == (-volume, price, comment, len(bids) - 1)
    assert deal.profit == (price - (100_002 if volume > 0 else 100_000)) * volume
    netting.take_quote(EURUSD, quote(bids[-1]))
    assert netting.new_deals() == []


def test_each_opening_order_of_a_hedging_account_makes_a_position(hedging):
    assert hedging.margin_mode == c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    for volume, stops in ((10, LONG), (-4, SHORT), (10, NO_STOPS)):
        hedging.trade(EURUSD, volume, QUOTE, 0, stops)
    assert [(each.ticket, each.volume, each.stops) for each in hedging.positions()] == [
        (1, 10, LONG),
        (2, -4, SHORT),
        (3, 10, NO_STOPS),
    ]
    assert [deal.position_volume for deal in hedging.new_deals()] == [10, 6, 16]


def test_a_position_of_a_hedging_account_is_closed_by_its_ticket(hedging):
    hedging.trade(EURUSD, 10, QUOTE, 0, LONG)
    hedging.trade(EURUSD, -4, QUOTE)
    deal = hedging.trade(EURUSD, -3, quote(100_102), 1).deal
    assert (deal.ticket, deal.position, deal.profit, deal.position_volume) == (3, 1, 300, 3)
    assert [(each.ticket, each.volume, each.stops) for each in hedging.positions()] == [(1, 7, LONG), (2, -4, NO_STOPS)]
    assert hedging.trade(EURUSD, 4, QUOTE, 2).deal.position_volume == 7
    assert [each.ticket for each in hedging.positions()] == [1]


@pytest.mark.parametrize(
    ("spec", "volume", "ticket", "retcode"),
    [
        (EURUSD, -11, 1, c.TRADE_RETCODE_INVALID_CLOSE_VOLUME),
        (EURUSD, 1, 1, c.TRADE_RETCODE_INVALID_CLOSE_VOLUME),
        (EURUSD, -1, 7, c.TRADE_RETCODE_POSITION_CLOSED),
        (GBPUSD, -1, 1, c.TRADE_RETCODE_POSITION_CLOSED),
    ],
)
def test_an_order_that_cannot_close_the_position_of_its_ticket_is_rejected(
    hedging, netting, spec, volume, ticket, retcode
):
    for account in (hedging, netting):
        account.trade(EURUSD, 10, QUOTE)
        assert account.trade(spec, volume, QUOTE, ticket).retcode == retcode
        assert [each.volume for each in account.positions()] == [10]


def test_every_position_whose_stop_is_reached_is_closed(hedging):
    for volume, stops in ((10, Stops(99_000)), (5, Stops(99_500)), (-4, Stops(101_000)), (3, Stops(98_000))):
        hedging.trade(EURUSD, volume, QUOTE, 0, stops)
    hedging.new_deals()
    hedging.take_quote(EURUSD, quote(98_900))
    assert [(deal.position, deal.position_volume) for deal in hedging.new_deals()] == [(1, 4), (2, -1)]
    assert [each.ticket for each in hedging.positions()] == [3, 4]


def test_quotes_with_other_digits_reach_no_stop(netting):
    netting.trade(EURUSD, 10, QUOTE, 0, LONG)
    netting.take_quote(SymbolSpec("EURUSD", digits=4), quote(10_000))
    assert stops_of(netting) == [LONG]
