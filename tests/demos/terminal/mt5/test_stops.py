"""Stops and figures of a real terminal's account, on the stand-in."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from mt5_stand_in import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, StandIn, broker
from terminal_kit import Bench, ticks

from demos.terminal.interfaces import NO_STOPS, Currency, Figures, Stops, SymbolSpec, TradeResult
from demos.terminal.money import MarketPrices
from demos.terminal.mql import constants as c
from demos.terminal.mt5.account import Mt5Account
from demos.terminal.mt5.api import Mt5Error
from demos.terminal.mt5.figures import FIGURES_INTERVAL
from demos.terminal.mt5.market import Mt5Market
from demos.terminal.mt5.positions import READ_INTERVAL
from demos.terminal.mt5.stops import CONFIRM_TIMEOUT
from demos.terminal.paper.virtual_account import VirtualAccount
from demos.terminal.runtime.clock import ManualClock

MAGIC = 7
STOPS = Stops(109_000, 111_000)
FAILED = (-1, "Terminal: Call failed")
LOST = (-10004, "No IPC connection")


class Desk:
    """An account on a stand-in, with a clock of its own, what it logs and what its failures report."""

    def __init__(self, mt5: StandIn, **options: object) -> None:
        self.mt5 = mt5
        self.clock = ManualClock()
        self.messages: list[str] = []
        self.reports: list[str] = []
        self.market = Mt5Market(mt5, self.reports.append)
        settings = {"magic": MAGIC, "live": True, **options}
        self.account = Mt5Account(mt5, self.market.symbols(), self.clock, self.messages.append, **settings)
        self.spec = self.market.symbols()["EURUSD"]
        [self.quote] = self.market.poll(self.clock.monotonic())

    def trade(self, steps: int, ticket: int = 0, stops: Stops = NO_STOPS) -> TradeResult:
        return self.account.trade(self.spec, steps, self.quote, ticket, stops)

    def modify(self, ticket: int, stops: Stops) -> TradeResult:
        return self.account.modify(ticket, stops, self.quote)

    def stops(self) -> list[Stops]:
        self.clock.time += READ_INTERVAL
        return [position.stops for position in self.account.positions()]

    def figures(self) -> Figures:
        self.clock.time += FIGURES_INTERVAL
        return self.account.figures()

    def fail(self, monkeypatch, call: str, error: tuple[int, str] = FAILED) -> None:
        """Have this call fail until monkeypatch.undo()."""

        def failing(*arguments: object, **named: object) -> None:
            self.mt5._error = error

        monkeypatch.setattr(self.mt5, call, failing)


@pytest.fixture
def desk() -> Desk:
    return Desk(broker())


def test_an_order_has_the_stops_as_prices_and_none_without_stops(desk):
    desk.trade(10, 0, STOPS)
    desk.trade(10, 0, Stops(109_000))
    desk.trade(10)
    fields = [{name: request[name] for name in ("sl", "tp") if name in request} for request in desk.mt5._sent]
    assert fields == [{"sl": 1.09, "tp": 1.11}, {"sl": 1.09}, {}]
    assert desk.messages[0] == (
        "order: buy 0.1 EURUSD at 1.10002, deviation 10, filling FOK, magic 7, sl 1.09, tp 1.11"
    )


def test_positions_have_the_terminals_stops_and_profit(desk):
    ticket = desk.trade(10, 0, STOPS).deal.ticket
    desk.mt5._held[ticket] = desk.mt5._held[ticket]._replace(profit=-12.340000000000002)
    assert desk.stops() == [STOPS]
    assert [position.profit for position in desk.account.positions()] == [Decimal("-12.34")]


def test_stops_are_modified_with_TRADE_ACTION_SLTP(desk):
    ticket = desk.trade(10).deal.ticket
    desk.messages.clear()
    assert desk.modify(ticket, STOPS).retcode == c.TRADE_RETCODE_DONE
    request = {"action": 6, "symbol": "EURUSD", "position": ticket, "magic": MAGIC, "sl": 1.09, "tp": 1.11}
    assert desk.mt5._sent[1:] == [request]
    assert desk.mt5._checked[1:] == [request]
    assert [position.stops for position in desk.account.positions()] == [STOPS]
    assert desk.messages == [
        f"order: modify position {ticket} in EURUSD, sl 1.09, tp 1.11",
        "answer: TRADE_RETCODE_DONE 10009 (Request executed)",
    ]
    assert desk.modify(ticket, NO_STOPS).retcode == c.TRADE_RETCODE_DONE
    assert (desk.mt5._sent[2]["sl"], desk.mt5._sent[2]["tp"]) == (0.0, 0.0)
    assert desk.stops() == [NO_STOPS]


def test_stops_modified_here_or_by_the_trader_are_reported_once(desk):
    ticket = desk.trade(10).deal.ticket
    desk.modify(ticket, STOPS)
    assert [(position.ticket, position.stops) for position in desk.account.new_stops()] == [(ticket, STOPS)]
    assert desk.account.new_stops() == []
    desk.mt5._held[ticket] = desk.mt5._held[ticket]._replace(sl=1.095)
    desk.clock.time += READ_INTERVAL
    assert [position.stops for position in desk.account.new_stops()] == [Stops(109_500, 111_000)]
    assert [deal.volume for deal in desk.account.new_deals()] == [10]


@pytest.mark.parametrize(
    ("stops", "retcode", "text"),
    [
        (Stops(111_000), c.TRADE_RETCODE_INVALID_STOPS, "on the wrong side of the price"),
        (NO_STOPS, c.TRADE_RETCODE_NO_CHANGES, "No changes"),
    ],
)
def test_stops_that_the_terminal_rejects_are_not_sent(desk, stops, retcode, text):
    ticket = desk.trade(10).deal.ticket
    result = desk.modify(ticket, stops)
    assert result.retcode == retcode
    assert text in result.text
    assert len(desk.mt5._sent) == 1


def test_the_servers_rejection_is_the_answer(desk):
    ticket = desk.trade(10).deal.ticket
    desk.mt5._answers.append(c.TRADE_RETCODE_FROZEN)
    result = desk.modify(ticket, STOPS)
    assert (result.retcode, result.text) == (c.TRADE_RETCODE_FROZEN, "TRADE_RETCODE_FROZEN 10029 (as set)")


@pytest.mark.parametrize("mode", [0, ACCOUNT_MARGIN_MODE_RETAIL_HEDGING])
def test_the_stops_of_foreign_and_of_closed_positions_stay_untouched(mode):
    desk = Desk(broker(mode))
    foreign = desk.mt5._hold(0.1, magic=1)
    result = desk.modify(foreign, STOPS)
    assert result.retcode == c.TRADE_RETCODE_REJECT
    assert result.text == f"position {foreign} in EURUSD has magic number 1 and stays untouched"
    assert desk.modify(999, STOPS).retcode == c.TRADE_RETCODE_POSITION_CLOSED
    assert desk.mt5._sent == desk.mt5._checked == []


def test_without_live_stops_are_only_checked():
    mt5 = broker()
    ticket = mt5._hold(0.1, magic=MAGIC)
    desk = Desk(mt5, live=False)
    result = desk.modify(ticket, STOPS)
    assert (result.retcode, result.text) == (c.TRADE_RETCODE_DONE, "a dry run, nothing was sent")
    assert desk.messages == [f"dry run, not sent: modify position {ticket} in EURUSD, sl 1.09, tp 1.11"]
    assert (len(mt5._checked), mt5._sent) == (1, [])
    assert desk.stops() == [NO_STOPS]


@pytest.mark.parametrize("call", ["positions_get", "order_check"])
def test_a_call_that_fails_before_stops_are_sent_is_an_answer_and_works_the_next_time(desk, monkeypatch, call):
    ticket = desk.trade(10).deal.ticket
    desk.fail(monkeypatch, call)
    result = desk.modify(ticket, STOPS)
    assert result.retcode == c.TRADE_RETCODE_ERROR
    assert result.text.endswith("-1 Terminal: Call failed")
    monkeypatch.undo()
    desk.account.refresh()
    assert desk.modify(ticket, STOPS).retcode == c.TRADE_RETCODE_DONE
    assert desk.stops() == [STOPS]


def test_stops_whose_sending_has_failed_may_be_set(desk, monkeypatch):
    ticket = desk.trade(10).deal.ticket
    desk.fail(monkeypatch, "order_send")
    begin = desk.clock.time
    assert desk.modify(ticket, STOPS).retcode == c.TRADE_RETCODE_TIMEOUT
    assert desk.clock.time - begin == pytest.approx(CONFIRM_TIMEOUT, abs=0.1)


def test_the_call_waits_until_the_positions_show_the_stops(desk):
    ticket = desk.trade(10).deal.ticket
    desk.mt5._delay = 5
    assert desk.modify(ticket, STOPS).retcode == c.TRADE_RETCODE_DONE
    assert [position.stops for position in desk.account.positions()] == [STOPS]


@pytest.mark.parametrize("call", ["positions_get", "order_check", "order_send"])
def test_a_connection_that_is_lost_while_stops_are_modified_is_an_Mt5Error(desk, monkeypatch, call):
    ticket = desk.trade(10).deal.ticket
    desk.fail(monkeypatch, call, LOST)
    with pytest.raises(Mt5Error, match="No IPC connection"):
        desk.modify(ticket, STOPS)


def test_the_figures_are_the_terminals(desk):
    assert desk.account.currency == Currency("USD", 2)
    assert desk.account.figures() == Figures(Decimal("10000.0"), Decimal("10000.0"), Decimal(0))
    desk.mt5._account = desk.mt5._account._replace(balance=9_999.470000000001, equity=9_950.07, profit=-49.4)
    assert desk.account.figures().balance == 10_000
    assert desk.figures() == Figures(Decimal("9999.47"), Decimal("9950.07"), Decimal("-49.4"))


def test_figures_that_cannot_be_read_stay_and_are_reported_once(desk, monkeypatch):
    desk.fail(monkeypatch, "account_info")
    assert [desk.figures().balance for _ in range(3)] == [10_000] * 3
    monkeypatch.undo()
    desk.mt5._account = desk.mt5._account._replace(balance=9_000.0, equity=math.nan)
    assert desk.figures()[:2] == (9_000, 10_000)
    assert desk.reports == ["the account: -1 Terminal: Call failed; trying again", "the account: read again"]


def test_a_connection_that_is_lost_while_the_figures_are_read_is_an_Mt5Error(desk, monkeypatch):
    desk.fail(monkeypatch, "account_info", LOST)
    with pytest.raises(Mt5Error, match="the account: -10004 No IPC connection"):
        desk.figures()


def test_a_symbol_has_the_brokers_currencies():
    mt5 = broker()
    mt5._add("GER40", digits=1, currency_base="EUR", currency_profit="EUR")
    spec = Mt5Market(mt5).symbols()["GER40"]
    assert (spec.currency_base, spec.currency_profit) == ("EUR", "EUR")


def test_a_virtual_copy_values_its_positions_itself(desk):
    ticket = desk.trade(10, 0, STOPS).deal.ticket
    desk.mt5._held[ticket] = desk.mt5._held[ticket]._replace(profit=500.0)
    desk.account.refresh()
    quotes = {"EURUSD": desk.quote}
    virtual = VirtualAccount(desk.account, MarketPrices(desk.market.symbols, quotes))
    assert [(position.stops, position.profit) for position in virtual.positions()] == [(STOPS, None)]
    assert virtual.figures() == Figures(Decimal(10_000), Decimal("9999.80"), Decimal("-0.20"))
    quotes["EURUSD"] = desk.quote._replace(bid=109_000, ask=109_002)
    virtual.take_quote(desk.spec, quotes["EURUSD"])
    desk.account.take_quote(desk.spec, quotes["EURUSD"])
    assert virtual.figures().balance == Decimal("9899.80")
    assert len(desk.mt5._sent) == 1


def test_a_program_reads_and_modifies_on_a_real_account(desk, tmp_path):
    bench = Bench(tmp_path, ticks(110_000), symbols=[SymbolSpec("EURUSD")], account=desk.account)
    desk.account.close = lambda: None
    bench.attach("""
    def OnInit():
        trade = CTrade()
        Print(trade.Buy(0.1, None, 0, 1.09), ' ', trade.PositionModify('EURUSD', 1.095, 1.11))
        PositionSelect('EURUSD')
        Print(PositionGetDouble(POSITION_SL), ' ', PositionGetDouble(POSITION_TP))
        Print(AccountInfoDouble(ACCOUNT_EQUITY), ' ', PositionGetDouble(POSITION_PROFIT))
    def OnTrade(): Print('trade')
    """)
    bench.run(1)
    assert bench.texts()[:3] == ["true true", "1.095 1.11", "10000.0 0.0"]
    assert "trade" in bench.texts()
