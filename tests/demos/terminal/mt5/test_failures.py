"""Calls to a real terminal that fail for a time: one report, another attempt with growing pauses, and no end."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from mt5_stand_in import StandIn, broker

from demos.terminal.mql import constants as c
from demos.terminal.mt5.account import DEALS_INTERVAL, Mt5Account
from demos.terminal.mt5.api import Mt5Error
from demos.terminal.mt5.failures import START_PAUSES
from demos.terminal.mt5.market import MOST_FAILED_POLLS, Mt5Market, UnansweredError
from demos.terminal.mt5.order_checks import LOCK_TIME
from demos.terminal.mt5.positions import LONGEST_PAUSE, READ_INTERVAL
from demos.terminal.runtime.clock import ManualClock

MAGIC = 7
T0 = 1_700_000_000_000
DAY = T0 // 86_400_000 * 86_400_000
CALL_FAILED = (-1, "Terminal: Call failed")
LOST = (-10004, "No IPC connection")
SELECT_FAILED = "EURUSD cannot be added to the Market Watch: it has no quotes until it is added there"


class Broken:
    """A call of the stand-in that fails some times, and then works."""

    def __init__(self, mt5: StandIn, call: str, times: int = 1, error: tuple[int, str] = CALL_FAILED) -> None:
        self.left = times
        self.calls = 0
        self._mt5, self._error = mt5, error
        self._real = getattr(mt5, call)
        self._failed = False if call == "symbol_select" else None
        setattr(mt5, call, self)

    def __call__(self, *arguments: object, **named: object) -> object:
        self.calls += 1
        if self.left:
            self.left -= 1
            self._mt5._error = self._error
            return self._failed
        return self._real(*arguments, **named)


class Desk:
    """A market and an account on a stand-in, and what they report."""

    def __init__(self, mt5: StandIn) -> None:
        self.mt5 = mt5
        self.clock = ManualClock()
        self.reports: list[str] = []
        self.market = Mt5Market(mt5, self.reports.append, self.clock.wait)
        self.spec = self.market.symbols()["EURUSD"]
        self.account = Mt5Account(mt5, self.market.symbols(), self.clock, lambda text: None, magic=MAGIC, live=True)
        [self.quote] = self.poll()

    def poll(self) -> list:
        self.clock.time += 1.0
        return list(self.market.poll(self.clock.monotonic()))

    def trade(self, steps: int):
        return self.account.trade(self.spec, steps, self.quote)

    def volumes(self) -> list[int]:
        return [position.volume for position in self.account.positions()]

    def realized(self) -> Decimal:
        self.clock.time += DEALS_INTERVAL
        return self.account.realized(DAY, DAY + 86_400_000)


@pytest.fixture
def mt5() -> StandIn:
    return broker()


@pytest.fixture
def desk(mt5) -> Desk:
    return Desk(mt5)


def times(desk: Desk, broken: Broken, reads: int) -> Iterator[float]:
    """The pauses before each of the next attempts to read the positions."""
    for _ in range(reads):
        calls, begin = broken.calls, desk.clock.time
        while broken.calls == calls:
            desk.clock.time += READ_INTERVAL / 10
            desk.volumes()
        yield desk.clock.time - begin


def test_positions_that_cannot_be_read_stay_and_are_read_with_growing_pauses_and_reported_once(desk):
    desk.trade(10)
    broken = Broken(desk.mt5, "positions_get", 8)
    pauses = list(times(desk, broken, 9))
    assert desk.volumes() == [10]
    assert pauses[1] < pauses[2] < pauses[3]
    assert max(pauses) == pytest.approx(LONGEST_PAUSE, abs=READ_INTERVAL)
    assert desk.reports == ["the positions: -1 Terminal: Call failed; trying again", "the positions: read again"]
    desk.mt5._hold(0.1, magic=MAGIC)
    desk.clock.time += READ_INTERVAL
    assert desk.volumes() == [20]


def test_a_change_of_the_positions_while_they_cannot_be_read_is_a_deal_afterwards(desk):
    Broken(desk.mt5, "positions_get")
    desk.clock.time += READ_INTERVAL
    assert desk.account.new_deals() == []
    desk.mt5._hold(0.1, magic=MAGIC)
    desk.clock.time += LONGEST_PAUSE
    assert [deal.volume for deal in desk.account.new_deals()] == [10]


@pytest.mark.parametrize(
    ("call", "read"),
    [
        ("positions_get", Desk.volumes),
        ("history_deals_get", Desk.realized),
        ("symbol_info_tick", Desk.poll),
    ],
)
def test_a_lost_connection_is_an_Mt5Error(desk, call, read):
    Broken(desk.mt5, call, error=LOST)
    desk.clock.time += READ_INTERVAL
    with pytest.raises(Mt5Error, match=": -10004 No IPC connection"):
        read(desk)


@pytest.mark.parametrize("call", ["positions_get", "account_info", "symbol_info", "symbol_select"])
def test_at_the_start_a_failed_call_is_repeated_with_growing_pauses(mt5, call):
    broken = Broken(mt5, call, len(START_PAUSES))
    desk = Desk(mt5)
    assert desk.clock.waits == list(START_PAUSES)
    assert desk.trade(1).retcode == c.TRADE_RETCODE_DONE
    assert not broken.left


@pytest.mark.parametrize(
    ("call", "error"),
    [("positions_get", Mt5Error), ("account_info", Mt5Error), ("symbol_info", UnansweredError)],
)
def test_at_the_start_a_call_that_always_fails_is_an_error(mt5, call, error):
    Broken(mt5, call, 1000)
    with pytest.raises(error):
        Desk(mt5)


@pytest.mark.parametrize(
    ("call", "what"),
    [("positions_get", "the positions"), ("orders_get", "the orders"), ("symbol_info", "the symbol EURUSD")],
)
def test_an_order_before_which_a_read_fails_is_not_sent_and_works_the_next_time(desk, call, what):
    Broken(desk.mt5, call)
    result = desk.trade(1)
    assert (result.retcode, result.text) == (c.TRADE_RETCODE_ERROR, f"{what}: -1 Terminal: Call failed")
    assert desk.mt5._sent == []
    assert desk.trade(1).retcode == c.TRADE_RETCODE_DONE


@pytest.mark.parametrize("call", ["positions_get", "orders_get", "symbol_info", "order_check", "order_send"])
def test_an_order_during_which_the_connection_is_lost_is_an_Mt5Error(desk, call):
    Broken(desk.mt5, call, error=LOST)
    with pytest.raises(Mt5Error, match="-10004 No IPC connection"):
        desk.trade(1)


def test_while_the_positions_cannot_be_read_no_order_is_sent_because_it_was_computed_from_old_ones(desk):
    real = desk.mt5.positions_get

    def positions_get(**filters: object) -> object:
        # Orders read the positions of one symbol.
        if filters:
            return real(**filters)
        desk.mt5._error = CALL_FAILED
        return None

    desk.mt5.positions_get = positions_get
    assert desk.trade(5).deal.position_volume == 5
    assert desk.volumes() == []
    result = desk.trade(5)
    assert (result.retcode, result.text) == (c.TRADE_RETCODE_ERROR, "the positions cannot be read at present")
    assert len(desk.mt5._sent) == 1
    desk.mt5.positions_get = real
    desk.clock.time += LONGEST_PAUSE
    assert desk.volumes() == [5]
    assert desk.trade(-5).retcode == c.TRADE_RETCODE_DONE


def test_positions_that_cannot_be_read_while_an_order_is_confirmed_are_read_again(desk):
    real = desk.mt5.order_send

    def order_send(request):
        answer = real(request)
        Broken(desk.mt5, "positions_get", 3)
        return answer

    desk.mt5.order_send = order_send
    result = desk.trade(5)
    assert (result.retcode, result.deal.position_volume) == (c.TRADE_RETCODE_DONE, 5)


def test_an_order_whose_sending_has_failed_may_be_executed_and_is_not_repeated_before_that_is_known(desk):
    Broken(desk.mt5, "order_send")
    result = desk.trade(5)
    assert (result.retcode, result.text) == (c.TRADE_RETCODE_TIMEOUT, "order_send: -1 Terminal: Call failed")
    assert desk.trade(5).retcode == c.TRADE_RETCODE_LOCKED
    desk.clock.time += LOCK_TIME
    assert desk.trade(5).retcode == c.TRADE_RETCODE_DONE


@pytest.mark.parametrize("code", [-2, -8])
def test_an_order_that_the_terminal_refuses_to_send_does_not_lock_its_symbol(desk, code):
    Broken(desk.mt5, "order_send", error=(code, "refused"))
    assert desk.trade(5).retcode == c.TRADE_RETCODE_ERROR
    assert desk.trade(5).retcode == c.TRADE_RETCODE_DONE


def lose_1000(desk: Desk) -> None:
    """Buy 1.00 lots at 1.1 and sell them at 1.09."""
    desk.mt5._hold(1.0, magic=MAGIC, price=1.1)
    desk.mt5._execute({"symbol": "EURUSD", "volume": 1.0, "type": 1, "magic": MAGIC, "price": 1.09})


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_a_loss_is_known_as_soon_as_the_deals_can_be_read(desk, failures):
    lose_1000(desk)
    Broken(desk.mt5, "history_deals_get", failures)
    results = [desk.realized() for _ in range(failures + 1)]
    assert results == [0] * failures + [-1000]
    [report, again] = [text for text in desk.reports if "deals of the day" in text]
    assert report == "the deals of the day: -1 Terminal: Call failed; trying again"
    assert again == "the deals of the day: read again"


@pytest.mark.parametrize("lag", ["failure", "no deals", "one deal less"])
def test_a_loss_is_known_as_soon_as_the_history_of_its_position_is_complete(desk, monkeypatch, lag):
    lose_1000(desk)
    real, left = desk.mt5.history_deals_get, [2]

    def history_deals_get(*dates: int, position: int = 0):
        deals = real(*dates, position=position)
        if dates or not left[0]:
            return deals
        left[0] -= 1
        if lag == "failure":
            desk.mt5._error = CALL_FAILED
            return None
        return deals[:-1] if lag == "one deal less" else ()

    monkeypatch.setattr(desk.mt5, "history_deals_get", history_deals_get)
    assert [desk.realized() for _ in range(4)] == [0, 0, -1000, -1000]
    reason = "-1 Terminal: Call failed" if lag == "failure" else "the history of position 101 is incomplete"
    assert desk.reports == [
        f"the deals of a position: {reason}; trying again",
        "the deals of a position: read again",
    ]


def test_a_known_loss_stays_while_a_new_deal_of_the_position_cannot_be_read(desk):
    position = desk.mt5._hold(1.0, magic=MAGIC, price=1.1)
    sale = {"symbol": "EURUSD", "volume": 0.5, "type": 1, "magic": MAGIC, "price": 1.09, "position": position}
    desk.mt5._execute(sale)
    assert desk.realized() == -500
    desk.mt5._execute(sale)
    real = desk.mt5.history_deals_get
    desk.mt5.history_deals_get = lambda *dates, position=0: real(*dates) if dates else None
    assert desk.realized() == -500
    desk.mt5.history_deals_get = real
    assert desk.realized() == -1000


def test_a_loss_counts_as_soon_as_its_symbol_can_be_read(desk):
    desk.mt5._add("GBPUSD")
    desk.mt5._hold(1.0, "GBPUSD", magic=MAGIC, price=1.1)
    desk.mt5._execute({"symbol": "GBPUSD", "volume": 1.0, "type": 1, "magic": MAGIC, "price": 1.09})
    Broken(desk.mt5, "symbol_info", 2)
    assert [desk.realized() for _ in range(2)] == [0, -1000]


def test_positions_whose_symbol_cannot_be_read_are_read_later(desk):
    desk.mt5._add("GBPUSD")
    desk.mt5._hold(1.0, "GBPUSD", magic=MAGIC)
    Broken(desk.mt5, "symbol_info", 2)
    desk.clock.time += READ_INTERVAL
    assert desk.volumes() == []
    desk.clock.time += LONGEST_PAUSE
    assert desk.volumes() == [100]
    assert desk.reports == [
        "the symbol GBPUSD: -1 Terminal: Call failed; trying again",
        "the symbol GBPUSD: read again",
    ]


@pytest.mark.parametrize("call", ["symbol_info", "symbol_select"])
def test_a_lookup_that_fails_once_finds_the_symbol(desk, call):
    desk.mt5._add("GBPUSD")
    Broken(desk.mt5, call)
    assert desk.market.select("GBPUSD")
    assert desk.reports == []


def test_a_symbol_that_cannot_be_added_to_the_market_watch_is_added_when_that_works(mt5):
    Broken(mt5, "symbol_select", 2 + len(START_PAUSES))
    market = Mt5Market(mt5, (reports := []).append, ManualClock().wait)
    assert "EURUSD" in market.symbols()
    assert reports == [SELECT_FAILED]
    polls = [len(market.poll(market.next_due())) for _ in range(3)]
    assert polls == [0, 0, 1]
    assert reports == [SELECT_FAILED, "EURUSD was added to the Market Watch"]


def test_a_quote_that_cannot_be_read_is_reported_once_and_read_later(desk):
    desk.mt5._quote("EURUSD", 1.2, 1.3, T0 + 1)
    Broken(desk.mt5, "symbol_info_tick", 2)
    assert [len(desk.poll()) for _ in range(3)] == [0, 0, 1]
    assert desk.reports == [
        "the quote of EURUSD: -1 Terminal: Call failed; trying again",
        "the quote of EURUSD: read again",
    ]


def test_no_tick_is_lost_when_the_stored_ticks_cannot_be_read_for_a_time(desk):
    for number in (1, 2):
        desk.mt5._quote("EURUSD", 1.2, 1.3 + number / 10, T0 + number)
    Broken(desk.mt5, "copy_ticks_from", 2)
    assert [len(desk.poll()) for _ in range(3)] == [0, 0, 2]
    assert desk.reports == [
        "the ticks of EURUSD: -1 Terminal: Call failed; trying again",
        "the ticks of EURUSD: read again",
    ]


def test_when_the_stored_ticks_cannot_be_read_for_long_the_last_quote_is_given(desk):
    desk.mt5._quote("EURUSD", 1.2, 1.3, T0 + 1)
    Broken(desk.mt5, "copy_ticks_from", 1000)
    assert [len(desk.poll()) for _ in range(MOST_FAILED_POLLS + 1)] == [0] * MOST_FAILED_POLLS + [1]


def test_the_account_is_connected_while_its_positions_are_the_present_ones(mt5):
    desk = Desk(mt5)
    assert desk.account.connected
    broken = Broken(mt5, "positions_get")
    desk.clock.time += 1.0
    assert not desk.account.connected
    desk.clock.time += LONGEST_PAUSE
    assert broken.left == 0
    assert desk.account.connected
    Broken(mt5, "terminal_info")
    assert not desk.account.connected
    assert desk.account.connected
    mt5._terminal = mt5._terminal._replace(connected=False)
    assert not desk.account.connected
