"""The virtual account: a copy of another account that trades on its own."""

from __future__ import annotations

import random
from contextlib import closing

import pytest
from cleanup_kit import closed_after_test
from mt5_stand_in import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, ACCOUNT_MARGIN_MODE_RETAIL_NETTING, broker

from demos.terminal.interfaces import SymbolSpec, Tick
from demos.terminal.mql import constants as c
from demos.terminal.mt5.account import Mt5Account
from demos.terminal.mt5.market import Mt5Market
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.virtual_account import VirtualAccount
from demos.terminal.runtime.clock import ManualClock

EURUSD = SymbolSpec("EURUSD")
GBPUSD = SymbolSpec("GBPUSD")
QUOTE = Tick("EURUSD", 7, 110_000, 110_002)


@pytest.fixture
def paper() -> PaperAccount:
    account = closed_after_test(PaperAccount())
    account.trade(EURUSD, 50, QUOTE)
    account.new_deals()
    return account


def test_it_begins_with_the_positions_of_the_other_account_and_leaves_that_unchanged(paper):
    before = paper.positions()
    virtual = VirtualAccount(paper)
    assert virtual.positions() == list(before)
    assert virtual.margin_mode == paper.margin_mode
    assert virtual.new_deals() == []
    virtual.trade(EURUSD, -80, QUOTE)
    assert [position.volume for position in virtual.positions()] == [-30]
    assert paper.positions() == before
    assert paper.new_deals() == []


def test_it_nets_as_the_paper_account_does():
    chance = random.Random(1)
    with closing(PaperAccount()) as paper:
        virtual = VirtualAccount(paper)
        for number in range(300):
            spec = chance.choice((EURUSD, GBPUSD))
            bid = chance.randrange(100_000, 120_000)
            quote = Tick(spec.name, number, bid, bid + 2)
            volume = chance.choice((-1, 1)) * chance.randrange(1, 30)
            deals = [account.trade(spec, volume, quote).deal for account in (paper, virtual)]
            assert deals[0] == deals[1]
            assert virtual.positions() == list(paper.positions())
        assert list(virtual.new_deals()) == list(paper.new_deals())
        assert virtual.new_deals() == []


def test_a_position_is_closed_by_its_ticket(paper):
    virtual = VirtualAccount(paper)
    result = virtual.trade(EURUSD, -50, QUOTE, 1)
    assert (result.retcode, result.deal.position, result.deal.position_volume) == (c.TRADE_RETCODE_DONE, 1, 0)
    assert virtual.positions() == []
    assert virtual.trade(EURUSD, -50, QUOTE, 1).retcode == c.TRADE_RETCODE_POSITION_CLOSED


@pytest.mark.parametrize("volume", [1, -51])
def test_a_volume_that_does_not_reduce_the_position_is_rejected(paper, volume):
    virtual = VirtualAccount(paper)
    assert virtual.trade(EURUSD, volume, QUOTE, 1).retcode == c.TRADE_RETCODE_INVALID_CLOSE_VOLUME
    assert virtual.positions() == list(paper.positions())


def test_a_copy_of_a_hedging_account_opens_and_closes_positions_by_ticket():
    mt5 = broker(ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)
    held = mt5._hold(0.5)
    market = Mt5Market(mt5)
    virtual = VirtualAccount(Mt5Account(mt5, market.symbols(), ManualClock(), lambda text: None, live=True))
    spec = market.symbols()["EURUSD"]
    opened = virtual.trade(spec, -20, QUOTE).deal
    assert opened.position_volume == 30
    assert [position.volume for position in virtual.positions()] == [50, -20]
    closed = virtual.trade(spec, -10, QUOTE, held).deal
    assert (closed.position, closed.position_volume) == (held, 20)
    assert [position.volume for position in virtual.positions()] == [40, -20]
    assert mt5._sent == mt5._checked == []


@pytest.mark.parametrize("mode", [ACCOUNT_MARGIN_MODE_RETAIL_NETTING, ACCOUNT_MARGIN_MODE_RETAIL_HEDGING])
@pytest.mark.parametrize("volume", [20, -20])
def test_a_virtual_account_rejects_the_orders_that_the_other_account_rejects(mode, volume):
    mt5 = broker(mode)
    market = Mt5Market(mt5)
    account = Mt5Account(mt5, market.symbols(), ManualClock(), lambda text: None, magic=7, live=True)
    virtual = VirtualAccount(account)
    spec = market.symbols()["EURUSD"]
    # The position with the other magic number is opened after the copy was made.
    foreign = mt5._hold(0.5, magic=0)
    result, real = virtual.trade(spec, volume, QUOTE), account.trade(spec, volume, QUOTE)
    assert result.retcode == real.retcode
    if mode == ACCOUNT_MARGIN_MODE_RETAIL_NETTING:
        assert result.retcode == c.TRADE_RETCODE_REJECT
        assert result.text == real.text == f"position {foreign} in EURUSD has magic number 0 and stays untouched"
        assert virtual.positions() == []


def test_the_profit_of_a_time_is_that_of_its_own_deals():
    account = VirtualAccount(closed_after_test(PaperAccount()))
    for steps, bid, time in ((100, 1000, 5), (-50, 990, 10), (-50, 980, 20)):
        account.trade(EURUSD, steps, Tick("EURUSD", time, bid, bid + 2))
    assert account.realized(0, 10) == 0
    assert account.realized(0, 20) == -6
    assert account.realized(10, 21) == -17
    assert account.realized(20, 21) == -11
