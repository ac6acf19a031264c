"""What the copier does about a silent server, a server that exceeds limits, and orders that are not executed."""

from __future__ import annotations

import errno
import itertools
import os
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import get_type_hints

import hypothesis
import hypothesis.strategies as st
import pytest
from cleanup_kit import closed_after_test
from mt5_stand_in import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, StandIn
from signal_kit import (
    EURUSD,
    GBPUSD,
    QUOTES,
    Script,
    Stage,
    after,
    alerts,
    arrive,
    close,
    connected,
    events,
    failing_orders,
    follow,
    lots,
    option,
    ready,
    server,
    server_leaves,
    stopped,
)

from demos.copier import copier
from demos.copier.floods import MOST_EVENTS, EventLimit
from demos.copier.limits import Limits, killfile_path, limit_problem
from demos.copier.rules import MOST_FACTOR, factor_problem
from demos.provider import provider
from demos.terminal import CTrade
from demos.terminal.interfaces import ProgramError, SymbolSpec, Tick
from demos.terminal.mt5.account import Mt5Account
from demos.terminal.mt5.market import Mt5Market
from demos.terminal.paper.account import PaperAccount
from demos.terminal.runtime.clock import ManualClock
from demos.wire.keepalive import IDLE_S, INTERVAL_S, PROBES
from winsock import INVALID_SOCKET, IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")

SILENT = "nothing heard for 60 s; an original server is silent while nothing changes"


# Silence


def test_a_silent_server_is_reported_once_and_once_more_when_it_is_heard_again(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, lots("0.25"), stage.program.client)
        yield from events(60)
        assert SILENT not in stage.texts
        yield from events(140)
        assert stage.texts.count(SILENT) == 1
        arrive(stage.peer, lots("0.25"), stage.program.client)
        yield
        assert stage.texts.count("the server is heard again after 200 s") == 1
        yield from events(100)
        assert stage.texts.count(SILENT) == 2
        close(stage.peer)

    stage.play(script())
    assert [kind for kind, _ in stage.record.events if kind in ("silent", "heard")] == ["silent", "heard", "silent"]


def test_a_server_that_has_never_sent_anything_is_silent_from_the_connection_on(server):
    stage = follow(server, silence=7)

    def script() -> Script:
        yield from connected(stage, server)
        yield from events(20)
        close(stage.peer)

    stage.play(script())
    assert alerts(stage) == ["nothing heard for 7 s; an original server is silent while nothing changes"]


def test_silence_0_reports_nothing(server):
    stage = follow(server, silence=0)

    def script() -> Script:
        yield from connected(stage, server)
        yield from events(500)
        close(stage.peer)

    stage.play(script())
    assert alerts(stage) == []


def test_a_server_that_repeats_its_state_is_not_silent(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        for _ in range(10):
            arrive(stage.peer, lots("0.25"), stage.program.client)
            yield from events(15)
        close(stage.peer)

    stage.play(script())
    assert alerts(stage) == []
    assert len(stage.record.of("deal")) == 1


@pytest.mark.parametrize("data", [b"x", b"\0", b"<<", b"<<EURUSD|abc>>\0", b"<<>>\0", b"<<A|1|2>>\0", b"\xff\xfe"])
def test_bytes_that_are_no_valid_message_do_not_count_as_heard(server, data):
    stage = follow(server, silence=30)

    def script() -> Script:
        yield from connected(stage, server)
        for _ in range(40):
            arrive(stage.peer, data, stage.program.client)
            yield
        close(stage.peer)

    stage.play(script())
    assert alerts(stage) == ["nothing heard for 30 s; an original server is silent while nothing changes"]
    assert stage.record.of("heard") == []


def test_a_valid_message_about_a_symbol_that_is_not_copied_counts_as_heard(server):
    stage = follow(server, silence=30, only="GBPUSD")

    def script() -> Script:
        yield from connected(stage, server)
        for _ in range(40):
            arrive(stage.peer, lots("0.25"), stage.program.client)
            yield
        close(stage.peer)

    stage.play(script())
    assert alerts(stage) == []


def test_connections_without_a_valid_message_do_not_end_the_silence(server):
    stage = follow(server, silence=30)

    def script() -> Script:
        for _ in range(4):
            yield from connected(stage, server)
            yield from events(10)
            handle = stage.program.client
            close(stage.peer)
            while stage.program.client == handle:
                assert ready(handle)
                yield
        yield from connected(stage, server)
        arrive(stage.peer, lots("0.25"), stage.program.client)
        yield from events(20)
        assert stage.record.of("heard") == [{}]
        yield from server_leaves(stage)
        # After a message a new connection has its full time again.
        yield from connected(stage, server)
        yield from events(25)
        assert len(stage.record.of("silent")) == 1
        close(stage.peer)

    stage.play(script())
    assert len(alerts(stage)) == 1


def test_a_server_that_closes_each_connection_without_a_valid_message_is_silent(server):
    stage = follow(server, silence=10)

    def script() -> Script:
        for _ in range(8):
            while stage.program.client == INVALID_SOCKET:
                yield
            yield from connected(stage, server)
            handle = stage.program.client
            arrive(stage.peer, b"xx", handle)
            close(stage.peer)
            while stage.program.client == handle:
                yield

    stage.play(script())
    assert alerts(stage) == ["nothing heard for 10 s; an original server is silent while nothing changes"]


def test_the_help_of_silence_and_repeat_says_that_silence_must_be_the_longer_time():
    silence = get_type_hints(copier, include_extras=True)["silence"].__metadata__[0].help
    repeat = get_type_hints(provider, include_extras=True)["repeat"].__metadata__[0].help
    assert f"use more than the provider's --repeat ({provider.repeat} by default)" in silence
    assert f"use less than the copiers' --silence ({copier.silence} by default)" in repeat
    assert copier.silence > provider.repeat


def test_the_connection_has_keep_alive(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        names = ((SOL_SOCKET, SO_KEEPALIVE), *((IPPROTO_TCP, n) for n in (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT)))
        assert [option(stage.program.client, *each) for each in names] == [1, IDLE_S, INTERVAL_S, PROBES]
        close(stage.peer)

    stage.play(script())
    # A peer that has disappeared is noticed before the silence is reported.
    assert IDLE_S + INTERVAL_S * PROBES < 60


# Limits


@pytest.mark.parametrize("first", ["10.01", "-10.01", "50.00", "-999.00", "49999.00", "999999999.00"])
def test_a_symbol_above_the_limit_of_lots_is_reported_once_and_copied_no_further(server, first):
    stage = after(lots("1.00"), lots(first), lots("2.00"), lots("0.00"), lots("1.00"), server=server)
    assert stage.position() == Decimal("1.00")
    assert stopped(stage) == ["EURUSD"]
    assert alerts(stage) == [
        f"EURUSD is not copied any more: {first} lots are more than the limit of 10.00 (--maxlots); "
        "to copy again, restart the program with a larger limit, or when the server's positions are smaller"
    ]


@pytest.mark.parametrize("volume", ["10.00", "-10.00", "0.01"])
def test_a_position_at_the_limit_is_copied(server, volume):
    stage = after(lots(volume), server=server)
    assert stage.position() == Decimal(volume)
    assert alerts(stage) == []


def test_the_limit_is_about_what_is_traded_after_the_factor(server):
    stage = after(lots("6.00"), server=server, factor=2.0)
    assert stopped(stage) == ["EURUSD"]
    assert stage.record.of("deal") == []


def test_other_symbols_are_copied_further_and_the_total_is_limited(server):
    stage = after(b"<<EURUSD|50.00>>\0<<GBPUSD|-1.00>>\0", server=server)
    assert (stage.position(), stage.position("GBPUSD")) == (0, Decimal("-1.00"))
    stage = after(b"<<EURUSD|1.50>>\0<<GBPUSD|-0.51>>\0", server=server, maxtotal=2.0)
    assert (stage.position(), stage.position("GBPUSD")) == (Decimal("1.50"), 0)
    assert stopped(stage) == ["GBPUSD"]
    assert "-0.51 lots make 2.01 in all symbols, more than the limit of 2.00 (--maxtotal)" in alerts(stage)[0]


def test_a_position_above_the_limit_can_be_made_smaller(server):
    account = closed_after_test(PaperAccount())
    account.trade(EURUSD, 3000, QUOTES[0])
    account.new_deals()
    stage = after(lots("20.00"), lots("0.00"), server=server, account=account)
    assert stage.position() == 0
    assert alerts(stage) == []


def test_too_many_orders_in_a_minute_stop_all_copying(server):
    changes = [b"<<EURUSD|0.%02d>>\0<<GBPUSD|0.%02d>>\0" % (n, n) for n in range(1, 9)]
    stage = after(*changes, server=server, maxorders=6)
    assert len(stage.record.of("deal")) == 6
    assert stopped(stage) == [""]
    assert alerts(stage) == [
        "nothing is copied any more: the server's messages take more than 6 orders in one minute (--maxorders); "
        "restart the program to copy again"
    ]


def test_the_same_orders_in_more_time_are_copied(server):
    stage = follow(server, maxorders=6)

    def script() -> Script:
        yield from connected(stage, server)
        for number in range(1, 9):
            arrive(stage.peer, lots(f"0.{number:02}"), stage.program.client)
            yield from events(11)
        close(stage.peer)

    stage.play(script())
    assert len(stage.record.of("deal")) == 8
    assert alerts(stage) == []


@pytest.mark.parametrize(
    ("last", "position", "stops"),
    [("0.00", "0.00", []), ("0.10", "0.10", []), ("0.21", "0.20", [""]), ("-0.10", "0.20", [""])],
)
def test_too_many_orders_do_not_prevent_a_smaller_position(server, last, position, stops):
    stage = after(lots("0.10"), lots("0.20"), lots(last), server=server, maxorders=2)
    assert stage.position() == Decimal(position)
    assert stopped(stage) == stops


def test_an_order_for_a_smaller_position_counts_towards_the_limit(server):
    stage = after(*map(lots, ("0.20", "0.10", "0.20")), server=server, maxorders=2)
    assert stage.position() == Decimal("0.10")
    assert stopped(stage) == [""]


def test_orders_that_fail_count_towards_the_limit_and_only_make_the_next_orders_wait(server, monkeypatch):
    stage = follow(server, maxorders=2, silence=0)

    def script() -> Script:
        yield from connected(stage, server)
        with monkeypatch.context() as patch:
            tried = failing_orders(stage, patch)
            arrive(stage.peer, lots("0.25"), stage.program.client)
            yield from events(50)
            assert len(tried) == 2
        # Another symbol waits too, and a symbol that waits is no stopped one.
        arrive(stage.peer, b"<<GBPUSD|0.10>>\0", stage.program.client)
        yield from events(5)
        assert stage.record.of("deal") == []
        yield from events(60)
        close(stage.peer)

    stage.play(script())
    assert (stage.position(), stage.position("GBPUSD")) == (Decimal("0.25"), Decimal("0.10"))
    assert alerts(stage) == []
    waiting = "not traded yet: with those that failed, 2 orders a minute are sent (--maxorders)"
    assert [stage.texts.count(f"{symbol}: {waiting}") for symbol in ("EURUSD", "GBPUSD")] == [1, 1]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("final", [False, True])
def test_no_server_causes_more_than_one_failing_order_a_second(server, monkeypatch, flat, final):
    stage = follow(server, timer_ms=10)
    if final:
        monkeypatch.setattr(CTrade, "ResultRetcode", lambda _: 10044)
    tried = failing_orders(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        for number in range(1000):
            # A signal without an order between two others does not end the pauses.
            volumes = ("0.00", f"0.{number % 2 + 1:02}") if flat else (f"0.{number % 2 + 1:02}",)
            message = lots(volumes[number % len(volumes)])
            # Another failing symbol adds no order.
            arrive(stage.peer, message + message.replace(b"EURUSD", b"GBPUSD"), stage.program.client)
            yield
        close(stage.peer)

    stage.play(script())
    # Each symbol has one order without a pause.
    assert 10 <= len(tried) <= 11
    assert all(later - earlier > 0.9 for earlier, later in itertools.pairwise(tried[1:]))


def test_the_pauses_of_failing_orders_are_those_of_all_symbols_together(server, monkeypatch):
    names = [f"S{number}" for number in range(100)]
    stage = follow(
        server,
        symbols=[EURUSD, *map(SymbolSpec, names)],
        quotes=[QUOTES[0], *(Tick(name, 0, 110_000, 110_002) for name in names)],
        maxorders=110,
    )
    tried: list[str] = []
    with_failures = CTrade.Buy

    def Buy(self: CTrade, volume: float, symbol: str) -> bool:
        if symbol == "EURUSD":
            return with_failures(self, volume, symbol)
        tried.append(symbol)
        return False

    monkeypatch.setattr(CTrade, "Buy", Buy)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"".join(b"<<%s|0.10>>\0" % name.encode() for name in names), stage.program.client)
        yield from events(2)
        assert tried[:100] == names
        yield from events(60)
        assert len(tried) - 100 <= 10
        # A symbol that does not fail is traded at once meanwhile.
        arrive(stage.peer, lots("0.25"), stage.program.client)
        yield
        assert stage.position() == Decimal("0.25")
        # No symbol is tried again and again while others wait.
        assert len(set(tried[100:])) == len(tried) - 100
        close(stage.peer)

    stage.play(script())


def test_when_one_order_succeeds_the_other_symbols_are_tried_again_without_a_pause(server, monkeypatch):
    names = [f"S{number}" for number in range(50)]
    symbols = {
        "symbols": list(map(SymbolSpec, names)),
        "quotes": [Tick(name, 0, 110_000, 110_002) for name in names],
    }
    stage = follow(server, **symbols, maxorders=0)

    def script() -> Script:
        yield from connected(stage, server)
        with monkeypatch.context() as patch:
            failing_orders(stage, patch)
            arrive(stage.peer, b"".join(b"<<%s|0.10>>\0" % name.encode() for name in names), stage.program.client)
            yield from events(30)
        yield from events(9)
        assert len(stage.record.of("deal")) >= 45
        close(stage.peer)

    stage.play(script())


@hypothesis.given(st.lists(st.tuples(st.integers(0, 20_000), st.booleans()), max_size=60))
def test_no_minute_has_more_orders_than_the_limit_even_with_those_that_fail(orders):
    limits, sent, now = Limits(orders=5), [], 0
    for pause, failed in orders:
        now += pause
        if not limits.orders_problem(1, now) and not limits.minute_problem(1):
            limits.count_order(now, failed=failed)
            sent.append(now)
        assert sum(now - 60_000 < each <= now for each in sent) <= 5


def test_the_killfile_stops_all_copying_before_the_next_order(server, tmp_path):
    file = tmp_path / "kill"
    stage = follow(server, killfile=str(file))

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, lots("0.25"), stage.program.client)
        yield
        file.touch()
        arrive(stage.peer, lots("0.00"), stage.program.client)
        yield
        file.unlink()
        arrive(stage.peer, lots("0.10"), stage.program.client)
        yield from events(5)
        close(stage.peer)

    stage.play(script())
    assert stage.position() == Decimal("0.25")
    assert alerts(stage) == [
        f"nothing is copied any more: the file {file} exists (--killfile); to copy again, delete it and restart the "
        "program"
    ]


@pytest.mark.parametrize(
    ("error", "stops"),
    [
        (FileNotFoundError(errno.ENOENT, "none"), False),
        (NotADirectoryError(errno.ENOTDIR, "none"), False),
        (PermissionError(errno.EACCES, "Permission denied"), True),
        (OSError(errno.ENAMETOOLONG, "File name too long"), True),
        (OSError(errno.EIO, "Input/output error"), True),
    ],
)
def test_a_killfile_whose_existence_cannot_be_checked_stops_all_copying(monkeypatch, error, stops):
    def stat(path: str) -> None:
        raise error

    limits = Limits(killfile="kill")
    monkeypatch.setattr("demos.copier.limits.os", SimpleNamespace(stat=stat))
    problem = f"the file kill cannot be checked: {error.strerror} (--killfile); restart the program to copy again"
    assert limits.killfile_problem() == (problem if stops else "")


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (
            {},
            "limits: 10.00 lots in one symbol, 20.00 lots in all symbols, 60 orders a minute, "
            "no limit of losses, no kill-switch file",
        ),
        (
            {"maxlots": 0.0, "maxtotal": 0.0, "maxorders": 0, "maxloss": 500.0, "killfile": "stop"},
            "limits: no limit of lots, no limit of all lots, no limit of orders a minute, "
            "a loss of 500 points times lots a day, all copying stops for good when {folder}/stop exists",
        ),
    ],
)
def test_the_limits_are_printed_at_the_start(server, monkeypatch, tmp_path, inputs, text):
    monkeypatch.chdir(tmp_path)
    text = text.replace("{folder}/", f"{tmp_path}{os.sep}")
    assert text in after(lots("0.00"), server=server, **inputs).texts


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("", ""),
        ("~/stop", "{home}/stop"),
        ("~", "{home}"),
        ("stop", "{here}/stop"),
        ("./a/../stop", "{here}/stop"),
        ("{here}/stop", "{here}/stop"),
        ("a~/stop", "{here}/a~/stop"),
    ],
)
def test_the_path_of_the_killfile_is_absolute_and_may_begin_with_a_tilde(monkeypatch, tmp_path, given, path):
    home = tmp_path / "home"
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    expected = path.format(home=home, here=tmp_path).replace("/", os.sep)
    assert killfile_path(given.format(home=home, here=tmp_path)) == expected


def test_a_killfile_in_the_folder_of_the_user_stops_all_copying(server, monkeypatch, tmp_path):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "stop").touch()
    stage = after(lots("0.25"), server=server, killfile="~/stop")
    assert stopped(stage) == [""]
    assert stage.record.of("deal") == []


@pytest.mark.parametrize("folder", ["none", "none/none", "file"])
def test_a_killfile_without_a_folder_is_reported_at_the_start_and_works_once_the_folder_exists(
    server, tmp_path, folder
):
    (tmp_path / "file").touch()
    file = tmp_path / folder / "stop"
    stage = follow(server, killfile=str(file))

    def script() -> Script:
        yield from connected(stage, server)
        if folder != "file":
            file.parent.mkdir(parents=True)
            file.touch()
        yield
        assert bool(stage.program.targets.stopped) is (folder != "file")
        close(stage.peer)

    stage.play(script())
    warning = f"there is no folder {file.parent}: the kill switch cannot work before it exists (--killfile)"
    assert alerts(stage)[0] == warning
    assert alerts(after(lots("0.00"), server=server, killfile=str(tmp_path / "stop"))) == []


def quote(stage: Stage, bid: int, time: int = 0, symbol: str = "EURUSD") -> None:
    """Give the terminal a quote with a spread of two points, at its next event."""
    stage.terminal.market._quotes.append(Tick(symbol, time, bid, bid + 2))


LOST = (
    "nothing is copied any more: the account has lost {} points times lots today (--maxloss 100); "
    "to copy again, restart the program with a larger limit, or when the loss is smaller, as on the market's next day"
)


@pytest.mark.parametrize(("volume", "lost_99", "lost_100"), [("1.00", 109_903, 109_902), ("-2.00", 110_047, 110_048)])
def test_the_open_loss_at_the_price_of_closing_stops_all_copying(server, volume, lost_99, lost_100):
    stage = follow(server, maxloss=100.0)

    def script() -> Script:
        yield from connected(stage, server)
        # The purchase is at 110002 and is closed at the bid; the sale is at 110000 and is closed at the ask.
        arrive(stage.peer, lots(volume), stage.program.client)
        yield from events(3)
        for bid in (109_990, lost_99, lost_100):
            quote(stage, bid)
            yield from events(2)
            assert bool(stage.program.targets.stopped) is (bid == lost_100)
        arrive(stage.peer, lots("0.00"), stage.program.client)
        yield from events(3)
        close(stage.peer)

    stage.play(script())
    assert stage.position() == Decimal(volume)
    assert alerts(stage) == [LOST.format(100)]


def test_the_spread_of_each_trade_counts_as_a_loss(server):
    # Each order of 10 lots loses two points of spread when it is closed: 20 points times lots.
    changes = [lots(volume) for volume in ("10.00", "0.00") * 4]
    stage = after(*changes, lots("10.00"), lots("0.00"), server=server, maxloss=100.0)
    assert sum(Decimal(str(fields["volume"])) > 0 for fields in stage.record.of("deal")) == 5
    assert alerts(stage) == [LOST.format(100)]


def test_gains_and_losses_of_all_symbols_and_deals_of_the_day_are_set_off(server):
    stage = follow(server, maxloss=100.0)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|1.00>>\0<<GBPUSD|-1.00>>\0", stage.program.client)
        yield from events(3)
        quote(stage, 110_102)
        quote(stage, 130_150, symbol="GBPUSD")
        yield from events(3)
        # EURUSD has gained 100, GBPUSD has lost 152; the gain is taken.
        arrive(stage.peer, b"<<EURUSD|0.00>>\0", stage.program.client)
        yield from events(3)
        assert not stage.program.targets.stopped
        quote(stage, 130_197, symbol="GBPUSD")
        yield from events(3)
        assert not stage.program.targets.stopped
        quote(stage, 130_198, symbol="GBPUSD")
        yield from events(3)
        close(stage.peer)

    stage.play(script())
    assert alerts(stage) == [LOST.format(100)]


HOUR = 60 * 60 * 1000


def day_in_a_file(server: int, file: Path, volume: str, *quotes: tuple[int, int]) -> Stage:
    """A copier on an account's file that gets these quotes, bids with hours, and the volume before the last of them."""
    account = PaperAccount(file)
    (bid, hour), *later = quotes
    first = Tick("EURUSD", hour * HOUR, bid, bid + 2)
    stage = follow(server, account=account, symbols=[EURUSD], quotes=[first], maxloss=100.0)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, lots(volume), stage.program.client)
        yield from events(3)
        for bid, hour in later:
            quote(stage, bid, hour * HOUR)
            yield from events(3)
        close(stage.peer)

    stage.play(script())
    account.close()
    return stage


def test_the_realized_loss_of_the_day_survives_a_restart(server, tmp_path):
    file = tmp_path / "account"
    assert alerts(day_in_a_file(server, file, "1.00", (110_000, 1), (109_942, 2))) == []
    assert alerts(day_in_a_file(server, file, "0.00", (109_942, 3))) == []
    # 60 are lost; the spread and 38 points more make 100.
    assert alerts(day_in_a_file(server, file, "1.00", (109_942, 4), (109_905, 5))) == []
    assert alerts(day_in_a_file(server, file, "1.00", (109_904, 6))) == [LOST.format(100)]
    stopped_again = day_in_a_file(server, file, "0.50", (109_904, 7))
    assert alerts(stopped_again) == [LOST.format(100)]
    assert stopped_again.record.of("deal") == []


def test_the_losses_of_deals_begin_anew_with_the_date_of_the_market(server, tmp_path):
    file = tmp_path / "account"
    day_in_a_file(server, file, "1.00", (110_000, 22), (109_942, 22))
    assert alerts(day_in_a_file(server, file, "0.00", (109_942, 23))) == []
    assert alerts(day_in_a_file(server, file, "1.00", (109_942, 24), (109_850, 25))) == []
    assert alerts(day_in_a_file(server, file, "1.00", (109_844, 26))) == [LOST.format(100)]


def test_a_loss_of_the_day_before_counts_while_its_position_is_open(server, tmp_path):
    file = tmp_path / "account"
    assert alerts(day_in_a_file(server, file, "1.00", (110_000, 22), (109_942, 22))) == []
    assert alerts(day_in_a_file(server, file, "1.00", (109_903, 24))) == []
    assert alerts(day_in_a_file(server, file, "1.00", (109_902, 25))) == [LOST.format(100)]


def test_a_position_without_a_quote_does_not_count(server):
    account = closed_after_test(PaperAccount())
    account.trade(GBPUSD, 5000, QUOTES[1])
    stage = after(lots("0.10"), server=server, account=account, quotes=QUOTES[:1], maxloss=5.0, maxtotal=0.0)
    assert alerts(stage) == []
    assert alerts(after(lots("0.10"), server=server, account=account, maxloss=5.0, maxtotal=0.0)) != []


@pytest.mark.parametrize(
    ("result", "stops"), [(0, False), (100, False), ("-99.99", False), (-100, True), (-1000, True)]
)
def test_the_limit_of_losses_is_reached_at_its_value(result, stops):
    assert bool(Limits(loss=Decimal(100)).loss_problem(Decimal(result))) is stops
    assert Limits().loss_problem(Decimal(result)) == ""


@pytest.mark.parametrize("value", [-1, -0.01, float("nan"), float("inf"), 1e27])
def test_an_invalid_limit_is_refused(value):
    assert limit_problem(value)
    with pytest.raises(ProgramError):
        Stage("copier", maxlots=float(value))


@pytest.mark.parametrize("factor", [1e30, 1e-30, 1e300, 5e-324, 1e27, 123456789.123456789, MOST_FACTOR * 1.01])
def test_a_factor_that_no_one_can_mean_is_refused(factor):
    assert str(factor) in (factor_problem(factor) or "")
    with pytest.raises(ProgramError):
        Stage("copier", factor=factor)


POSITIONS = st.decimals(-40, 40, places=2)


@hypothesis.given(st.lists(st.tuples(st.sampled_from("AB"), POSITIONS), max_size=12))
def test_no_sequence_of_targets_makes_a_position_or_the_total_exceed_its_limit(wishes):
    limits, held = Limits(Decimal(10), Decimal(15)), {"A": Decimal(0), "B": Decimal(0)}
    for symbol, wanted in wishes:
        if not limits.lots_problem(symbol, wanted, held):
            held[symbol] = wanted
        assert all(abs(each) <= 10 for each in held.values())
        assert sum(map(abs, held.values())) <= 15


@hypothesis.given(st.lists(st.integers(0, 30_000), max_size=60))
def test_no_minute_has_more_orders_than_the_limit(pauses):
    limits, sent = Limits(orders=5), []
    for now in itertools.accumulate(pauses):
        if not limits.orders_problem(1, now):
            limits.count_order(now)
            sent.append(now)
        assert sum(now - 60_000 < each <= now for each in sent) <= 5


# What was not traded


def test_what_could_not_be_traded_is_kept_until_it_is_reached_or_replaced(server):
    stage = follow(server, maxlots=0.0, maxtotal=0.0)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, lots("49999.00"), stage.program.client)
        yield from events(80)
        assert list(stage.program.targets.targets) == ["EURUSD"]
        assert stage.record.of("synced") == []
        arrive(stage.peer, lots("0.30"), stage.program.client)
        yield
        assert stage.program.targets.targets == {}
        close(stage.peer)

    stage.play(script())
    assert stage.record.of("synced") == [{"symbol": "EURUSD", "lots": "0.30"}]
    # The copier retries it after growing pauses and reports it once.
    assert len(stage.errors()) == 1


def test_a_dry_run_is_never_in_sync(server):
    stage = after(lots("0.25"), lots("0.25"), server=server, dry=True)
    assert stage.record.of("synced") == stage.record.of("deal") == []
    assert stage.texts.count("dry run, not traded: buy 0.25 EURUSD") == 1


def test_orders_that_a_terminal_only_checks_are_not_in_sync(server):
    stand_in = StandIn(ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)
    stand_in._add("EURUSD")
    symbols = Mt5Market(stand_in).symbols()
    assert "EURUSD" in symbols
    account = Mt5Account(stand_in, symbols, ManualClock(), lambda text: None, magic=7)
    stage = after(lots("0.25"), *[b"\0"] * 5, server=server, account=account, symbols=[EURUSD], hedging=True)
    assert stand_in._sent == []
    assert stage.texts.count("add Buy position") == 1
    assert [kind for kind, _ in stage.record.events if kind in ("synced", "deviates")] == []


def test_the_positions_logged_in_one_event_are_limited(server):
    messages = b"".join(b"<<X%d|0.10>>\0" % number for number in range(100))
    stage = after(messages, server=server)
    assert sum(text.startswith("server position: X") for text in stage.texts) == 20
    assert "server position: 80 further symbols" in stage.texts


def test_the_events_of_a_flood_are_limited_in_each_second(server):
    flood = b"".join(b"<<S%d|1.00>>\0" % number for number in range(3000))
    stage = after(flood, flood, lots("0.25"), server=server)
    numbers = [fields["number"] for fields in stage.record.of("received")]
    assert numbers[:MOST_EVENTS] == list(range(1, MOST_EVENTS + 1))
    assert len(numbers) == 2 * MOST_EVENTS + 1
    # Messages without an event count too.
    assert numbers[-1] == 6001


@hypothesis.given(st.lists(st.integers(0, 3000), max_size=50))
def test_no_second_from_its_first_event_on_has_more_events_than_allowed(pauses):
    limit, begins = EventLimit(), []
    for now in itertools.accumulate(pauses):
        if not begins or now - begins[-1] >= 1000:
            begins.append(now)
            count = 0
        for _ in range(MOST_EVENTS):
            count += limit.allows(now)
        assert count == MOST_EVENTS
