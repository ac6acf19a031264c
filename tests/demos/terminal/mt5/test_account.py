"""The account of a real terminal, on the stand-in: own positions, orders, and the answers to them."""

from __future__ import annotations

import random
from decimal import Decimal
from types import SimpleNamespace

import pytest
from mt5_stand_in import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, StandIn, TradeOrder, broker, structure

from demos.terminal.interfaces import TradeResult
from demos.terminal.mql import constants as c
from demos.terminal.mt5.account import DEALS_INTERVAL, Mt5Account
from demos.terminal.mt5.api import Mt5Error, exact, points_of
from demos.terminal.mt5.market import Mt5Market
from demos.terminal.mt5.order_checks import LOCK_TIME
from demos.terminal.mt5.positions import READ_INTERVAL
from demos.terminal.mt5.requests import filling_modes, retcode_text
from demos.terminal.mt5.stops import CONFIRM_TIMEOUT
from demos.terminal.points import open_price
from demos.terminal.runtime.clock import ManualClock

MAGIC = 7


class Desk:
    """An account on a stand-in, with a clock of its own."""

    def __init__(self, mt5: StandIn, **options: object) -> None:
        self.mt5 = mt5
        self.clock = ManualClock()
        self.messages: list[str] = []
        self.market = Mt5Market(mt5)
        settings = {"magic": MAGIC, "live": True, **options}
        self.account = Mt5Account(mt5, self.market.symbols(), self.clock, self.messages.append, **settings)
        self.spec = self.market.symbols()["EURUSD"]
        self.quote = next(tick for tick in self.market.poll(self.clock.monotonic()) if tick.symbol == "EURUSD")

    def trade(self, steps: int, ticket: int = 0) -> TradeResult:
        return self.account.trade(self.spec, steps, self.quote, ticket)

    def volumes(self) -> list[int]:
        self.clock.time += READ_INTERVAL
        return [position.volume for position in self.account.positions()]

    def deals(self) -> list[tuple[int, int, int]]:
        """The new deals: ticket, volume, position after it."""
        self.clock.time += READ_INTERVAL
        return [(deal.ticket, deal.volume, deal.position_volume) for deal in self.account.new_deals()]


@pytest.fixture
def mt5() -> StandIn:
    return broker()


@pytest.fixture
def desk(mt5) -> Desk:
    return Desk(mt5)


@pytest.fixture
def hedging() -> Desk:
    return Desk(broker(ACCOUNT_MARGIN_MODE_RETAIL_HEDGING))


def test_an_order_has_all_fields_that_the_package_needs(desk):
    result = desk.trade(25)
    assert desk.mt5._sent == [
        {
            "action": 1,
            "symbol": "EURUSD",
            "volume": 0.25,
            "type": 0,
            "price": 1.10002,
            "deviation": 10,
            "magic": MAGIC,
            "type_time": 0,
            "type_filling": 0,
        }
    ]
    assert desk.mt5._checked == desk.mt5._sent
    assert result.retcode == c.TRADE_RETCODE_DONE
    deal = result.deal
    assert (deal.ticket, deal.volume, deal.price, deal.position_volume) == (101, 25, 110_002, 25)
    assert desk.messages == [
        "order: buy 0.25 EURUSD at 1.10002, deviation 10, filling FOK, magic 7",
        "answer: TRADE_RETCODE_DONE 10009 (Request executed), order 101, deal 101, 0.25 lots at 1.10002",
    ]


def test_a_sale_is_at_the_bid(desk):
    desk.trade(-5)
    assert (desk.mt5._sent[0]["type"], desk.mt5._sent[0]["price"]) == (1, 1.1)
    assert desk.volumes() == [-5]


def test_the_deviation_is_that_of_the_settings(mt5):
    desk = Desk(mt5, deviation=33)
    desk.trade(1)
    assert mt5._sent[0]["deviation"] == 33


@pytest.mark.parametrize(
    ("execution", "flags", "filling"),
    [
        (0, 0, 0),
        (1, 0, 0),
        (2, 1, 0),
        (2, 2, 1),
        (2, 3, 0),
        (2, 0, 0),
        (2, 4, 0),
        (3, 0, 2),
        (3, 2, 1),
        (3, 3, 0),
    ],
)
def test_the_first_filling_mode_is_fill_or_kill_where_the_symbol_allows_it(execution, flags, filling):
    modes = filling_modes(SimpleNamespace(trade_exemode=execution, filling_mode=flags))
    assert modes[0] == filling
    assert sorted(modes) == [0, 1, 2]


@pytest.mark.parametrize(("execution", "flags"), [(0, 0), (1, 0), (2, 1), (2, 2), (3, 0), (3, 3)])
def test_every_symbol_is_traded_in_a_filling_mode_that_the_broker_accepts(execution, flags):
    mt5 = StandIn()
    mt5._add(trade_exemode=execution, filling_mode=flags)
    assert Desk(mt5).trade(1).retcode == c.TRADE_RETCODE_DONE


def test_a_symbol_whose_every_filling_mode_is_rejected_is_not_traded():
    mt5 = StandIn()
    mt5._add(filling_mode=4)
    desk = Desk(mt5)
    result = desk.trade(1)
    assert result.retcode == c.TRADE_RETCODE_INVALID_FILL
    assert result.text.endswith("; no filling mode that was tried is accepted; --filling chooses one")
    assert [request["type_filling"] for request in mt5._checked] == [0, 1, 2]
    assert mt5._sent == []
    logged = len(desk.messages)
    desk.trade(1)
    assert len(desk.messages) <= logged + 1


class StubbornBroker(StandIn):
    """Its server accepts one filling mode, or one expiration, whatever the symbol's flags say."""

    def __init__(self, field: str, accepted: int, *, checks: bool) -> None:
        super().__init__()
        self._rule = (field, accepted, checks)

    def _verdict(self, request, *, checking: bool) -> int:
        field, accepted, checks = self._rule
        wrong = {"type_filling": c.TRADE_RETCODE_INVALID_FILL, "type_time": c.TRADE_RETCODE_INVALID_EXPIRATION}[field]
        return wrong if checking == checks and request[field] != accepted else 0

    def _return_code(self, request) -> int:
        return self._verdict(request, checking=True)

    def order_send(self, request):
        code = self._verdict(request, checking=False)
        if code:
            self._answers = [code]
        return super().order_send(request)


@pytest.mark.parametrize("checks", [True, False])
@pytest.mark.parametrize(
    ("execution", "flags"), [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (2, 3), (2, 4), (3, 0), (3, 3)]
)
@pytest.mark.parametrize("accepted", [0, 1, 2])
def test_after_a_rejected_filling_mode_the_next_one_is_tried_and_remembered(execution, flags, accepted, checks):
    mt5 = StubbornBroker("type_filling", accepted, checks=checks)
    mt5._add(trade_exemode=execution, filling_mode=flags)
    desk = Desk(mt5)
    assert [desk.trade(1).retcode for _ in range(3)] == [c.TRADE_RETCODE_DONE] * 3
    tried = [request["type_filling"] for request in (mt5._checked if checks else mt5._sent)]
    assert tried[-3:] == [accepted] * 3
    assert len(set(tried)) == len(tried) - 2
    assert sum("the broker rejects filling" in line for line in desk.messages) == len(tried) - 3
    assert desk.volumes() == [3]


def test_a_rejected_filling_mode_is_named_with_the_next_one():
    mt5 = StubbornBroker("type_filling", 1, checks=True)
    mt5._add()
    desk = Desk(mt5)
    desk.trade(1)
    assert desk.messages[:3] == [
        "order: buy 0.01 EURUSD at 1.10002, deviation 10, filling FOK, magic 7",
        "EURUSD: the broker rejects filling FOK; trying filling IOC",
        "order: buy 0.01 EURUSD at 1.10002, deviation 10, filling IOC, magic 7",
    ]


def test_the_filling_mode_that_the_user_chooses_is_the_only_one():
    mt5 = StubbornBroker("type_filling", 1, checks=True)
    mt5._add()
    assert Desk(mt5, filling=1).trade(1).retcode == c.TRADE_RETCODE_DONE
    assert Desk(mt5, filling=2).trade(1).retcode == c.TRADE_RETCODE_INVALID_FILL
    assert [request["type_filling"] for request in mt5._checked] == [1, 2]


@pytest.mark.parametrize("checks", [True, False])
def test_after_a_rejected_expiration_the_next_one_is_tried_and_remembered(checks):
    mt5 = StubbornBroker("type_time", 1, checks=checks)
    mt5._add()
    desk = Desk(mt5)
    assert [desk.trade(1).retcode for _ in range(2)] == [c.TRADE_RETCODE_DONE] * 2
    assert sum("rejects expiration GTC; trying expiration DAY" in line for line in desk.messages) == 1
    assert [request["type_time"] for request in mt5._sent][-2:] == [1, 1]


def test_after_a_wrong_volume_the_symbols_limits_are_read_again(mt5):
    desk = Desk(mt5)
    desk.trade(20)
    mt5._check_answers = [c.TRADE_RETCODE_INVALID_VOLUME] * 2
    assert desk.trade(25).text == (
        "order_check: TRADE_RETCODE_INVALID_VOLUME 10014 (checked); the symbol allows orders from 0.01 to 100.00 lots "
        "in steps of 0.01"
    )
    desk.deals()
    mt5._symbols["EURUSD"] = mt5._symbols["EURUSD"]._replace(volume_step=0.1, volume_min=0.1)
    assert desk.trade(25).text.endswith(
        "; the symbol's limits have changed: it now allows orders from 0.10 to 100.00 lots in steps of 0.10"
    )
    assert desk.market.symbols()["EURUSD"].volume_step == Decimal("0.1")
    assert desk.volumes() == [2]
    assert desk.deals() == []


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (10006, "the terminal's journal may have the reason"),
        (10016, "the stops are missing, on the wrong side of the price, or too close to it"),
        (10017, "see the symbol's specification in the terminal"),
        (10018, "the symbol's session is over; it can be traded when the next one begins"),
        (10019, "the free margin is too small; use a smaller volume"),
        (10026, "ask the broker to allow automatic trading"),
        (10027, "turn AutoTrading on in the terminal"),
        (10035, "the symbol may not accept market orders; see its specification"),
    ],
)
def test_a_rejected_order_names_what_to_do(desk, code, advice):
    desk.mt5._check_answers = [code]
    assert desk.trade(1).text.endswith(f"(checked); {advice}")
    desk.mt5._answers = [code]
    result = desk.trade(1)
    assert (result.retcode, result.text.partition("; ")[2]) == (code, advice)


def test_a_symbol_that_the_terminal_no_longer_has_is_not_traded(desk):
    del desk.mt5._symbols["EURUSD"]
    result = desk.trade(1)
    assert (result.retcode, result.text) == (c.TRADE_RETCODE_INVALID, "the terminal has no symbol EURUSD")


def test_a_symbol_that_was_removed_from_the_market_watch_is_added_again(desk):
    desk.mt5._selected.clear()
    assert desk.trade(1).retcode == c.TRADE_RETCODE_DONE


def test_without_live_an_order_is_checked_and_logged_and_not_sent(mt5):
    desk = Desk(mt5, live=False)
    result = desk.trade(25)
    assert (result.retcode, result.deal, result.text) == (10009, None, "a dry run, nothing was sent")
    assert desk.messages == ["dry run, not sent: buy 0.25 EURUSD at 1.10002, deviation 10, filling FOK, magic 7"]
    assert len(mt5._checked) == 1
    assert mt5._sent == []


def test_an_order_that_fails_the_check_is_not_sent_and_its_code_is_named(desk):
    desk.mt5._check_answers = [10019]
    result = desk.trade(25)
    assert (result.retcode, result.text) == (
        10019,
        "order_check: TRADE_RETCODE_NO_MONEY 10019 (checked); the free margin is too small; use a smaller volume",
    )
    assert desk.mt5._sent == []


def test_an_order_that_the_broker_rejects_has_the_brokers_code(desk):
    desk.mt5._answers = [10004, 10018, 10027, 12345]
    assert [desk.trade(25).text for _ in range(4)] == [
        "TRADE_RETCODE_REQUOTE 10004 (as set)",
        "TRADE_RETCODE_MARKET_CLOSED 10018 (as set); the symbol's session is over; it can be traded when the next one "
        "begins",
        "TRADE_RETCODE_CLIENT_DISABLES_AT 10027 (as set); turn AutoTrading on in the terminal",
        "return code 12345 (as set)",
    ]
    assert desk.volumes() == []


def test_a_code_without_a_comment_is_its_name_and_number():
    assert retcode_text(10030, "") == "TRADE_RETCODE_INVALID_FILL 10030"


def test_a_failed_order_check_has_the_packages_error(desk):
    desk.mt5._check_answers = [None]
    result = desk.trade(25)
    assert (result.retcode, result.text) == (10011, 'order_check: -2 Invalid "volume" argument')


def test_a_failed_order_send_has_the_packages_error(desk):
    desk.mt5._answers = [None]
    assert desk.trade(25).text == "order_send: 1 Success"


@pytest.mark.parametrize("call", ["order_check", "order_send"])
def test_a_connection_lost_during_an_order_is_an_Mt5Error(desk, call):
    def gone(request):
        desk.mt5._error = (-10005, "IPC timeout")

    setattr(desk.mt5, call, gone)
    with pytest.raises(Mt5Error, match=f"{call}: -10005 IPC timeout"):
        desk.trade(25)


def test_without_a_quote_there_is_no_order(desk):
    desk.mt5._quote("EURUSD", 1.1, 0.0, 1_700_000_001_000)
    assert desk.trade(25).retcode == c.TRADE_RETCODE_PRICE_OFF
    assert desk.trade(-25).retcode == c.TRADE_RETCODE_DONE


def test_a_symbol_that_was_never_quoted_is_not_traded(desk):
    desk.mt5._quotes.clear()
    assert desk.trade(25).retcode == c.TRADE_RETCODE_PRICE_OFF


def test_a_connection_lost_before_the_order_is_an_Mt5Error(desk):
    def gone(symbol):
        desk.mt5._error = (-10004, "No IPC connection")

    desk.mt5.symbol_info_tick = gone
    with pytest.raises(Mt5Error, match="the quote of EURUSD: -10004 No IPC connection"):
        desk.trade(25)


def test_the_price_of_a_deal_is_the_brokers_or_else_that_of_the_order(desk):
    desk.mt5._answers = [{"price": 1.10011}, {"price": 0.0}]
    assert [desk.trade(1).deal.price for _ in range(2)] == [110_011, 110_002]


# Positions


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -1.0])
def test_an_answer_whose_price_is_no_price_gives_the_deal_the_orders_price(desk, price):
    desk.mt5._answers = [{"price": price}]
    assert desk.trade(25).deal.price == 110_002


def test_positions_are_exact_and_have_their_magic_number(desk):
    desk.mt5._hold(0.07, magic=MAGIC, price=1.12345)
    desk.clock.time += READ_INTERVAL
    [position] = desk.account.positions()
    assert (position.volume, position.magic, position.ticket) == (7, MAGIC, 101)
    assert open_price(position) == 112_345


def test_foreign_positions_are_not_shown(hedging):
    hedging.mt5._hold(0.5, magic=0)
    hedging.mt5._hold(0.25, magic=MAGIC)
    hedging.mt5._hold(-0.75, magic=8)
    assert hedging.volumes() == [25]


def test_with_any_magic_number_all_positions_are_shown_and_orders_have_0(mt5):
    mt5._hold(0.5, magic=0)
    desk = Desk(mt5, magic=None)
    assert desk.volumes() == [50]
    desk.trade(1)
    assert mt5._sent[0]["magic"] == 0
    assert desk.volumes() == [51]


def test_on_a_netting_account_an_order_never_changes_a_foreign_position(desk):
    desk.mt5._hold(0.5, magic=0)
    result = desk.trade(-10)
    assert result.retcode == c.TRADE_RETCODE_REJECT
    assert result.text == "position 101 in EURUSD has magic number 0 and stays untouched"
    assert desk.mt5._sent == []


def test_on_a_hedging_account_an_order_does_not_change_a_foreign_position(hedging):
    hedging.mt5._hold(0.5, magic=0)
    assert hedging.trade(-10).retcode == c.TRADE_RETCODE_DONE
    assert hedging.mt5._held[101].volume == 0.5
    assert hedging.volumes() == [-10]


def test_a_position_is_closed_by_its_ticket_whole_or_in_part(hedging):
    for steps in (10, 20):
        hedging.trade(steps)
    hedging.trade(-15, ticket=102)
    assert hedging.mt5._sent[-1]["position"] == 102
    assert hedging.volumes() == [10, 5]
    hedging.trade(-10, ticket=101)
    assert hedging.volumes() == [5]
    assert hedging.messages[-2] == (
        "order: sell 0.1 EURUSD at 1.1, deviation 10, filling FOK, magic 7, closing position 101"
    )


def test_a_foreign_position_is_not_closed_by_its_ticket(hedging):
    ticket = hedging.mt5._hold(0.5, magic=0)
    assert hedging.trade(-50, ticket=ticket).retcode == c.TRADE_RETCODE_REJECT
    assert hedging.mt5._sent == []


def test_a_position_that_no_longer_exists_is_not_closed(hedging):
    assert hedging.trade(-50, ticket=999).retcode == c.TRADE_RETCODE_POSITION_CLOSED


@pytest.mark.parametrize("steps", [-11, 1])
def test_a_volume_that_does_not_reduce_the_position_is_rejected(hedging, steps):
    hedging.trade(10)
    assert hedging.trade(steps, ticket=101).retcode == c.TRADE_RETCODE_INVALID_CLOSE_VOLUME


def test_a_position_finer_than_the_step_is_rounded_and_hidden_when_it_rounds_to_0(mt5):
    mt5._add("GBPUSD")
    mt5._hold(0.004, magic=MAGIC)
    mt5._hold(-0.017, "GBPUSD", magic=MAGIC)
    assert Desk(mt5).volumes() == [-2]


def test_a_position_in_an_unknown_symbol_is_an_Mt5Error(mt5):
    mt5._hold(0.1, "GONE", magic=MAGIC)
    with pytest.raises(Mt5Error, match="position 101 has an unknown symbol: GONE"):
        Desk(mt5)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_the_margin_mode_is_that_of_the_account(mode):
    mt5 = StandIn(mode)
    mt5._add()
    assert Desk(mt5).account.margin_mode == mode


# Orders that are not confirmed yet


def test_a_trade_waits_until_the_positions_show_it(desk):
    desk.mt5._delay = 3
    assert desk.trade(25).deal.position_volume == 25
    assert desk.volumes() == [25]
    assert 0 < desk.clock.time - 1000 < CONFIRM_TIMEOUT


def test_an_order_that_the_positions_do_not_show_locks_its_symbol_for_a_time(desk):
    desk.mt5._answers = [{"retcode": c.TRADE_RETCODE_PLACED, "never": True}]
    result = desk.trade(25)
    assert (result.retcode, result.deal) == (c.TRADE_RETCODE_PLACED, None)
    assert desk.trade(25).retcode == c.TRADE_RETCODE_LOCKED
    assert len(desk.mt5._sent) == 1
    desk.clock.time += LOCK_TIME
    assert desk.trade(25).retcode == c.TRADE_RETCODE_DONE


def test_the_lock_ends_when_the_positions_change(desk):
    desk.mt5._answers = [{"retcode": c.TRADE_RETCODE_TIMEOUT, "never": True}]
    assert desk.trade(25).retcode == c.TRADE_RETCODE_TIMEOUT
    desk.mt5._hold(0.25, magic=MAGIC)
    assert desk.trade(1).retcode == c.TRADE_RETCODE_DONE


@pytest.mark.parametrize("code", [c.TRADE_RETCODE_PLACED, c.TRADE_RETCODE_TIMEOUT])
def test_an_order_that_the_positions_show_in_time_is_done_whatever_its_answer(desk, code):
    desk.mt5._answers = [{"retcode": code}]
    result = desk.trade(25)
    assert (result.retcode, result.deal.position_volume) == (c.TRADE_RETCODE_DONE, 25)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_partially_filled_order_is_not_done_and_does_not_wait_for_the_remainder(desk, direction):
    desk.mt5._answers = [{"retcode": c.TRADE_RETCODE_DONE_PARTIAL, "filled": {"volume": 0.1}}]
    before = desk.clock.time
    result = desk.trade(25 * direction)
    assert (result.retcode, result.text) == (10010, "TRADE_RETCODE_DONE_PARTIAL 10010 (Request executed)")
    assert desk.clock.time == before
    assert desk.volumes() == [10 * direction]


def test_no_order_is_sent_while_an_own_order_waits_at_the_broker(desk):
    desk.mt5._orders = [
        structure(TradeOrder, ticket=55, symbol="EURUSD", type=2, magic=MAGIC),
        structure(TradeOrder, ticket=56, symbol="EURUSD", type=0, magic=0),
    ]
    assert desk.trade(1).retcode == c.TRADE_RETCODE_DONE
    desk.mt5._orders.append(structure(TradeOrder, ticket=57, symbol="EURUSD", type=1, magic=MAGIC))
    result = desk.trade(1)
    assert (result.retcode, result.text) == (c.TRADE_RETCODE_LOCKED, "order 57 in EURUSD is still under way")


# Deals


def test_own_and_foreign_deals_are_returned_once(desk):
    desk.trade(25)
    assert desk.deals() == [(101, 25, 25)]
    desk.mt5._hold(-0.05, magic=MAGIC)
    desk.mt5._hold(-0.3, magic=MAGIC)
    assert desk.deals() == [(102, -5, 20), (103, -30, -10)]
    assert desk.deals() == []


def test_deals_before_the_start_are_not_returned(mt5):
    mt5._hold(0.5, magic=MAGIC)
    assert Desk(mt5).deals() == []


def test_a_closed_position_gives_its_deal(desk):
    desk.trade(25)
    desk.deals()
    desk.trade(-25)
    assert desk.deals() == [(102, -25, 0)]


def test_on_a_hedging_account_a_deal_has_the_sum_of_the_symbols_positions(hedging):
    hedging.trade(25)
    hedging.trade(-10)
    assert hedging.deals() == [(101, 25, 25), (102, -10, 15)]
    hedging.trade(-5, ticket=101)
    assert hedging.deals() == [(103, -5, 10)]


def test_while_the_history_lags_a_change_gives_a_deal_with_ticket_0(desk):
    desk.trade(10)
    desk.deals()
    desk.mt5._history = False
    desk.mt5._hold(0.25, magic=MAGIC)
    assert desk.deals() == [(0, 25, 35)]
    desk.mt5._history = True
    desk.mt5._hold(-0.35, magic=MAGIC)
    assert desk.deals() == [(103, -35, 0)]


def test_deals_that_do_not_add_up_to_the_change_are_replaced_by_one_with_ticket_0(desk):
    desk.mt5._hold(0.1, magic=MAGIC)
    desk.mt5._deals[0] = desk.mt5._deals[0]._replace(volume=0.07)
    assert desk.deals() == [(0, 10, 10)]


DAY = 1_700_000_000_000 // 86_400_000 * 86_400_000


def realized(desk: Desk, begin: int = DAY) -> Decimal:
    desk.clock.time += DEALS_INTERVAL
    return desk.account.realized(begin, begin + 86_400_000)


def test_the_profit_of_the_days_deals_is_computed_from_their_prices(desk):
    desk.trade(25)
    assert realized(desk) == 0
    desk.mt5._quote("EURUSD", 1.0990, 1.0991, 1_700_000_001_000)
    # Bought at 1.10002 and sold at 1.09900: 102 points, of which 0.10 lots are closed first.
    desk.trade(-10)
    assert realized(desk) == Decimal("-10.2")
    desk.trade(-15)
    assert realized(desk) == Decimal("-25.5")
    assert realized(desk, DAY + 86_400_000) == 0


def test_the_profit_of_the_days_deals_needs_only_one_read_in_a_second(desk, monkeypatch):
    reads: list[object] = []
    real = desk.mt5.history_deals_get
    monkeypatch.setattr(
        desk.mt5, "history_deals_get", lambda *dates, **by: reads.append(dates or by) or real(*dates, **by)
    )
    desk.trade(25)
    desk.trade(-25)
    reads.clear()
    for _ in range(5):
        assert realized(desk) == Decimal("-0.5")
        assert desk.account.realized(DAY, DAY + 86_400_000) == Decimal("-0.5")
    # The position's own deals are read once, because it has no new one.
    assert reads == [(DAY // 1000, DAY // 1000 + 86_400), {"position": 101}] + 4 * [(DAY // 1000, DAY // 1000 + 86_400)]


def test_deals_of_foreign_positions_have_no_profit_here_but_own_positions_that_others_closed_have(hedging):
    foreign, own = hedging.mt5._hold(1.0, magic=0), hedging.trade(100).deal.ticket
    for position in (foreign, own):
        request = {"symbol": "EURUSD", "volume": 1.0, "type": 1, "magic": 0, "price": 1.0, "position": position}
        hedging.mt5._execute(request)
    assert realized(hedging) == Decimal(-10_002)


def test_while_the_terminal_has_no_history_the_known_profit_stays(desk):
    desk.trade(25)
    desk.trade(-25)
    assert realized(desk) == Decimal("-0.5")
    desk.mt5._history = False
    assert realized(desk) == Decimal("-0.5")
    desk.mt5._running = False
    with pytest.raises(Mt5Error, match="the deals of the day"):
        realized(desk)


def test_the_positions_are_read_at_most_twenty_times_per_second(desk):
    desk.volumes()
    desk.mt5._hold(0.25, magic=MAGIC)
    assert desk.account.positions() == []
    assert desk.volumes() == [25]


def test_a_terminal_that_does_not_return_positions_is_an_Mt5Error(desk):
    desk.mt5._running = False
    with pytest.raises(Mt5Error, match="the positions: -10004 No IPC connection"):
        desk.volumes()


def test_doubles_become_their_shortest_decimals():
    chance = random.Random(5)
    for _ in range(1000):
        points = chance.randrange(1, 10**7)
        assert points_of(points / 10**5, 5) == points
        assert exact(points / 100) == Decimal(points).scaleb(-2)


def test_positions_and_deals_agree_after_any_trades():
    chance = random.Random(11)
    for mode in (0, ACCOUNT_MARGIN_MODE_RETAIL_HEDGING):
        mt5 = StandIn(mode)
        mt5._add()
        desk = Desk(mt5)
        total = reported = 0
        for _ in range(60):
            steps = chance.choice((-1, 1)) * chance.randrange(1, 50)
            desk.trade(steps)
            total += steps
            for _, volume, position in desk.deals():
                reported += volume
                assert position == reported
            assert sum(desk.volumes()) == total == reported
