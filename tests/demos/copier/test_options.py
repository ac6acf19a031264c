"""The options of copying and of hosts, in the copier and the provider over real TCP."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from cleanup_kit import closed_after_test
from mt5_stand_in import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, StandIn
from signal_kit import (
    EURUSD,
    QUOTES,
    Script,
    Stage,
    after,
    arrive,
    close,
    connected,
    dial,
    event_number,
    follow,
    forever,
    one_event,
    read,
    ready,
    server,
    take,
)

from demos.copier import copier
from demos.terminal.interfaces import ProgramError, SymbolSpec, Tick
from demos.terminal.mt5.account import Mt5Account
from demos.terminal.mt5.market import Mt5Market
from demos.terminal.paper.account import PaperAccount
from demos.terminal.runtime.clock import ManualClock
from demos.wire.addresses import AddressError
from winsock import (
    AF_INET6,
    INVALID_SOCKET,
    IPPROTO_TCP,
    SOCK_STREAM,
    bind,
    connect,
    getsockname,
    htons,
    listen,
    ntohs,
    sockaddr_in6,
    socket,
)

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")


def suffixed(*names: str, **limits: object) -> dict[str, object]:
    """Symbols with these names, quoted."""
    return {
        "symbols": [SymbolSpec(name, **limits) for name in names],
        "quotes": [Tick(name, 0, 110_000, 110_002) for name in names],
    }


def test_symbols_are_renamed_by_the_map_and_the_suffix(server):
    both = b"<<EURUSD|0.25>>\0<<GOLD|-0.50>>\0"
    stage = after(both, server=server, map="GOLD=XAUUSD", suffix=".m", **suffixed("EURUSD.m", "XAUUSD"))
    assert (stage.position("EURUSD.m"), stage.position("XAUUSD")) == (Decimal("0.25"), Decimal("-0.50"))
    assert "GOLD is XAUUSD here: orders from 0.01 to 100.00 lots in steps of 0.01" in stage.texts


def test_every_rule_is_in_the_log_before_the_first_trade(server):
    stage = after(b"<<EURUSD|0.10>>\0", server=server, only="EURUSD", factor=0.5, reverse=True)
    logged = [
        "names: as on the server",
        "symbols: only EURUSD",
        "lots: the server's times 0.50, rounded toward zero to the symbol's step",
        "direction: reversed",
        "EURUSD is EURUSD here: orders from 0.01 to 100.00 lots in steps of 0.01",
    ]
    lines = [stage.texts.index(line) for line in logged]
    [deal] = [number for number, text in enumerate(stage.texts) if text.startswith("#")]
    assert lines == sorted(lines)
    assert lines[-1] < deal
    assert stage.position() == Decimal("-0.05")


def test_symbols_outside_the_list_are_not_copied_and_reported_once(server):
    pieces = [b"<<GBPUSD|0.10>>\0<<EURUSD|0.10>>\0", b"<<GBPUSD|0.20>>\0"]
    stage = after(*pieces, server=server, only="EURUSD")
    assert (stage.position(), stage.position("GBPUSD")) == (Decimal("0.10"), 0)
    assert stage.texts.count("GBPUSD is not copied: it is not in the list of --only") == 1


@pytest.mark.parametrize("messages", [("<<EURUSD|0.10>>", "<<E|0.30>>"), ("<<E|0.30>>", "<<EURUSD|0.10>>")])
def test_a_mapped_name_belongs_to_its_symbol_whatever_the_order_of_the_messages(server, messages):
    for pieces in (messages, ["".join(messages)]):
        stage = after(*[piece.encode() + b"\0" for piece in pieces], server=server, map="E=EURUSD")
        assert stage.position() == Decimal("0.30")
        assert stage.errors() == ["-EURUSD is not copied: its local name would be EURUSD, as that of E"]


def test_a_mapped_name_is_not_given_to_another_symbol_before_its_own_arrives(server):
    stage = after(b"<<EURUSD|0.10>>\0", server=server, map="E=EURUSD")
    assert stage.record.of("deal") == []


def test_a_mapped_symbol_outside_the_list_reserves_no_name(server):
    stage = after(b"<<E|0.30>>\0<<EURUSD|0.10>>\0", server=server, map="E=EURUSD", only="EURUSD")
    assert stage.position() == Decimal("0.10")
    assert stage.errors() == []


def test_two_symbols_of_the_server_never_share_a_local_name(server):
    rules = {"map": "E=GBPUSD", "suffix": "USD"}
    stage = after(b"<<EUR|0.10>>\0<<GBP|0.20>>\0<<E|0.30>>\0", server=server, **rules)
    assert (stage.position(), stage.position("GBPUSD")) == (Decimal("0.10"), Decimal("0.30"))
    assert stage.errors() == ["-GBP is not copied: its local name would be GBPUSD, as that of E"]


@pytest.mark.parametrize(
    ("inputs", "lots", "position"),
    [
        ({"factor": 0.1}, "0.30", "0.03"),
        ({"factor": 0.1}, "0.39", "0.03"),
        ({"factor": 0.1}, "-0.39", "-0.03"),
        ({"factor": 2.5}, "0.01", "0.02"),
        ({"factor": 3.0}, "0.10", "0.30"),
        ({"reverse": True}, "0.10", "-0.10"),
        ({"factor": 0.5, "reverse": True}, "-0.25", "0.12"),
    ],
)
def test_lots_are_multiplied_reversed_and_rounded_toward_zero(server, inputs, lots, position):
    stage = after(f"<<EURUSD|{lots}>>\0".encode(), server=server, **inputs)
    assert stage.position() == Decimal(position)


def test_a_rounded_volume_is_logged_and_not_reported_as_synced(server):
    stage = after(b"<<EURUSD|0.39>>\0", server=server, factor=0.1)
    assert "EURUSD: 0.039 lots become 0.03, rounded toward zero" in stage.texts
    assert stage.position() == Decimal("0.03")
    assert stage.record.of("synced") == []


def test_a_volume_that_needs_no_rounding_is_reported_as_synced(server):
    stage = after(b"<<EURUSD|0.30>>\0", server=server, factor=0.1)
    assert stage.record.of("synced") == [{"symbol": "EURUSD", "lots": "0.03"}]


def test_a_volume_below_the_minimum_is_not_traded_and_is_logged(server):
    stage = after(b"<<EURUSD|0.05>>\0", server=server, factor=0.1)
    assert stage.record.of("deal") == []
    assert "EURUSD: 0.005 lots become 0.00, less than the minimum 0.01" in stage.texts
    assert stage.errors() == []
    assert stage.record.of("synced") == []
    # It is not tried again.
    assert stage.program.targets.targets == {}


def test_a_difference_below_the_minimum_is_not_traded_and_is_logged_once(server):
    symbols = suffixed("EURUSD", volume_min=10)
    stage = after(b"<<EURUSD|0.25>>\0", b"<<EURUSD|0.30>>\0", b"\0", server=server, **symbols)
    assert stage.position() == Decimal("0.25")
    assert stage.texts.count("EURUSD: 0.05 lots are less than the minimum 0.10: not traded") == 1
    assert stage.record.of("synced") == [{"symbol": "EURUSD", "lots": "0.25"}]


def test_a_volume_above_the_maximum_takes_several_orders(server):
    symbols = suffixed("EURUSD", volume_max=100)
    stage = after(b"<<EURUSD|2.50>>\0", b"<<EURUSD|0.00>>\0", server=server, **symbols)
    volumes = [fields["volume"] for fields in stage.record.of("deal")]
    assert volumes == ["1.00", "1.00", "0.50", "-1.00", "-1.00", "-0.50"]
    assert "EURUSD: 2.50 lots in 3 orders" in stage.texts


def test_a_volume_that_takes_too_many_orders_is_not_traded(server):
    stage = after(b"<<EURUSD|999999.00>>\0", b"\0", b"\0", server=server, maxlots=0.0, maxtotal=0.0)
    assert stage.record.of("deal") == []
    assert stage.record.of("synced") == []
    assert stage.errors() == [
        "-EURUSD: not traded from 0.00 to 999999.00 lots: that takes more than 100 orders of at most 100.00 lots"
    ]


def test_a_product_with_more_digits_than_a_message_is_copied_exactly(server):
    stage = after(b"<<EURUSD|0.25>>\0", server=server, factor=0.1, **suffixed("EURUSD", volume_step=Decimal("0.001")))
    assert stage.position() == Decimal("0.025")


def test_a_dry_run_trades_nothing_and_logs_the_orders(server):
    account = closed_after_test(PaperAccount())
    account.trade(EURUSD, 50, QUOTES[0])
    account.new_deals()
    stage = after(b"<<EURUSD|0.75>>\0", b"<<EURUSD|0.00>>\0", server=server, account=account, dry=True)
    assert stage.record.of("deal") == []
    assert stage.position() == Decimal("0.50")
    assert stage.record.of("synced") == []
    virtual = [(event["volume"], event["position"]) for event in stage.record.of("virtual_deal")]
    assert virtual == [("0.25", "0.75"), ("-0.75", "0.00")]
    assert [text for text in stage.texts if text.startswith("dry run")] == [
        "dry run: orders are executed in a virtual account, which begins with the present positions",
        "dry run, not traded: buy 0.25 EURUSD",
        "dry run, not traded: sell 0.75 EURUSD, closing position 1",
    ]
    assert [text for text in stage.texts if text.startswith("#")] == [
        "#2 EURUSD 0.25 at 1.10002 -> 0.75",
        "#3 EURUSD -0.75 at 1.10000 -> 0.00",
    ]


def test_a_symbol_of_the_options_that_the_terminal_lacks_is_reported_at_the_start(server):
    stage = follow(server, only="EURUSD,NONE")
    stage.play(one_event())
    assert stage.errors() == [
        "-the terminal has no symbol NONE; --Symbol NONE chooses the embedded market's symbol",
    ]


@pytest.mark.parametrize("inputs", [{"map": "A"}, {"factor": 0.0}, {"factor": -1.0}, {"only": "A|B"}, {"suffix": "|"}])
def test_invalid_options_are_refused(inputs):
    with pytest.raises(ProgramError):
        Stage("copier", **inputs)


def test_the_symbols_outside_the_list_that_are_logged_are_limited(server, monkeypatch):
    monkeypatch.setattr("demos.copier.targets.MOST_SYMBOLS", 2)
    messages = b"".join(b"<<X%d|0.10>>\0" % number for number in range(9)) + b"<<EURUSD|0.10>>\0"
    stage = after(messages, server=server, only="EURUSD")
    assert [text for text in stage.texts if "--only" in text] == [
        "X0 is not copied: it is not in the list of --only",
        "X1 is not copied: it is not in the list of --only",
        "further symbols that are not in the list of --only are not logged",
    ]
    # They take no place of a symbol in the list.
    assert stage.position() == Decimal("0.10")


def test_the_defaults_copy_one_to_one():
    assert (copier.map, copier.suffix, copier.only) == ("", "", "")
    assert (copier.factor, copier.reverse, copier.dry) == (1.0, False, False)
    assert (copier.reconcile, copier.silence, copier.killfile) == ("leave", 60, "")
    assert (copier.maxlots, copier.maxtotal, copier.maxorders) == (10.0, 20.0, 60)


# Hedging accounts, on the stand-in for the real terminal


class _RealAccount(Mt5Account):
    """A live account on a stand-in; no look at it is too early."""

    def __init__(self, mt5: StandIn) -> None:
        symbols = Mt5Market(mt5).symbols()
        assert "EURUSD" in symbols
        super().__init__(mt5, symbols, ManualClock(), lambda text: None, magic=7, live=True)

    def positions(self):
        self.refresh()
        return super().positions()

    def new_deals(self):
        self.refresh()
        return super().new_deals()


@pytest.fixture
def mt5() -> StandIn:
    stand_in = StandIn(ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)
    stand_in._add("EURUSD", volume_max=1.0)
    return stand_in


def real(mt5: StandIn, server: int, *messages: bytes, **inputs: object) -> Stage:
    spec = replace(EURUSD, volume_max=100)
    account = _RealAccount(mt5)
    return after(*messages, server=server, account=account, symbols=[spec], quotes=QUOTES[:1], **inputs)


def closings(mt5: StandIn) -> list[tuple[float, int]]:
    """The orders that were sent: signed lots, and the position that each closes."""
    return [(-r["volume"] if r["type"] else r["volume"], r.get("position", 0)) for r in mt5._sent]


def test_a_hedging_account_is_refused_without_the_option(server, mt5):
    stage = follow(server, account=_RealAccount(mt5))
    assert stage.play(forever()) == 4
    assert mt5._sent == []


def test_on_a_hedging_account_positions_are_opened_and_closed_by_ticket(server, mt5):
    messages = [f"<<EURUSD|{lots}>>\0".encode() for lots in ("0.30", "0.50", "0.10", "-0.20", "0.00")]
    stage = real(mt5, server, *messages, hedging=True)
    assert closings(mt5) == [
        (0.3, 0), (0.2, 0), (-0.3, 101), (-0.1, 102), (-0.1, 102), (-0.2, 0), (0.2, 106),
    ]  # fmt: skip
    assert stage.errors() == []
    assert mt5._held == {}


def test_on_a_hedging_account_foreign_positions_are_neither_counted_nor_closed(server, mt5):
    foreign = mt5._hold(0.5, magic=0)
    real(mt5, server, b"<<EURUSD|-0.30>>\0", b"<<EURUSD|0.00>>\0", hedging=True)
    assert closings(mt5) == [(-0.3, 0), (0.3, 102)]
    assert mt5._held[foreign].volume == 0.5
    assert len(mt5._held) == 1


def test_on_a_hedging_account_large_positions_are_closed_in_parts(server, mt5):
    mt5._hold(2.5, magic=7)
    real(mt5, server, b"<<EURUSD|0.00>>\0", hedging=True)
    assert closings(mt5) == [(-1.0, 101), (-1.0, 101), (-0.5, 101)]


def test_a_refused_order_is_logged_with_its_code_and_retried(server, mt5):
    mt5._answers = [10018]
    stage = real(mt5, server, b"<<EURUSD|0.25>>\0", b"\0", hedging=True)
    assert stage.errors() == [
        "-cannot trade EURUSD from 0.00 to 0.25 lots: the market is closed: "
        "TRADE_RETCODE_MARKET_CLOSED 10018 (as set); "
        "the symbol's session is over; it can be traded when the next one begins"
    ]
    assert stage.position() == Decimal("0.25")


class _ChoosyBroker(StandIn):
    """A broker whose server, unlike its terminal, rejects what ``rejects`` says."""

    def __init__(self, mode: int, rejects: Callable[[StandIn, dict[str, Any]], bool], code: int) -> None:
        super().__init__(mode)
        self._add("EURUSD")
        self._rejects = rejects
        self._code = code

    def order_send(self, request: dict[str, Any]) -> Any:
        if self._rejects(self, request):
            self._answers.insert(0, self._code)
        return super().order_send(request)


FINAL_CODES = [10016, 10017, 10022, 10030, 10032, 10035, 10042, 10043, 10044, 10045, 10046]


@pytest.mark.parametrize("mode", [0, ACCOUNT_MARGIN_MODE_RETAIL_HEDGING])
@pytest.mark.parametrize("code", FINAL_CODES)
def test_an_order_that_would_be_rejected_again_is_one_line_and_is_not_repeated(server, mode, code):
    mt5 = _ChoosyBroker(mode, lambda *_: True, code)
    stage = follow(server, account=_RealAccount(mt5), symbols=[EURUSD], quotes=QUOTES[:1], hedging=True)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        for _ in range(200):
            yield
        first = len(mt5._sent)
        assert first <= 3
        # The other signal is tried, in one more line.
        arrive(stage.peer, b"<<EURUSD|0.30>>\0", stage.program.client)
        for _ in range(200):
            yield
        assert first < len(mt5._sent) <= 2 * first
        close(stage.peer)

    stage.play(script())
    errors = [text for text in stage.errors() if "cannot trade" in text]
    assert [text.split(" lots: ")[0] for text in errors] == [
        "-cannot trade EURUSD from 0.00 to 0.25",
        "-cannot trade EURUSD from 0.00 to 0.30",
    ]
    assert all(text.endswith("; not repeated before a new signal or connection") for text in errors)


@pytest.mark.parametrize("mode", [0, ACCOUNT_MARGIN_MODE_RETAIL_HEDGING])
@pytest.mark.parametrize("code", [10042, 10044])
def test_a_position_on_the_other_side_is_closed_when_the_target_is_not_allowed(server, mode, code):
    mt5 = _ChoosyBroker(mode, lambda *_: False, code)
    stage = follow(server, account=_RealAccount(mt5), symbols=[EURUSD], quotes=QUOTES[:1], hedging=True)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        yield
        yield
        assert stage.position() == Decimal("0.25")
        # A smaller order on a netting account, and one with a ticket on a hedging account, closes the position.
        mt5._rejects = lambda _, request: request["volume"] > 0.25 or (mode and "position" not in request)
        arrive(stage.peer, b"<<EURUSD|-0.30>>\0", stage.program.client)
        for _ in range(100):
            yield
        close(stage.peer)

    stage.play(script())
    assert stage.position() == 0
    [error] = [text for text in stage.errors() if "cannot trade" in text]
    assert str(code) in error
    assert ("the opposite position of 0.25 lots is closed instead" in error) is (mode == 0)


def test_on_a_netting_account_a_foreign_position_stops_the_copying_of_its_symbol(server):
    mt5 = StandIn()
    mt5._add("EURUSD")
    mt5._hold(0.5, magic=0)
    stage = real(mt5, server, b"<<EURUSD|-0.30>>\0")
    assert "position 101 in EURUSD has magic number 0 and stays untouched" in stage.errors()[0]
    assert mt5._sent == []


@pytest.mark.parametrize("mode", [0, ACCOUNT_MARGIN_MODE_RETAIL_HEDGING])
def test_the_provider_publishes_what_is_traded_on_a_real_account(mode):
    mt5 = StandIn(mode)
    mt5._add("EURUSD")
    mt5._hold(0.3, magic=0)
    stage = Stage("provider", Port=0, account=_RealAccount(mt5))

    def script() -> Script:
        yield
        port = stage.record.of("listening")[0]["port"]
        assert isinstance(port, int)
        peer = dial(port)
        yield
        assert read(peer, 16) == b"<<EURUSD|0.00>>\0"
        mt5._hold(0.25, magic=7)
        for _ in range(3):
            yield
        expected = b"<<EURUSD|0.25>>\0" if mode else b"<<EURUSD|0.55>>\0"
        assert read(peer, 16) == expected
        close(peer)

    assert stage.play(script()) == 0


# Hosts


def listener6() -> tuple[int, int]:
    """A listener on ::1 and its port."""
    s = socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP)
    name = sockaddr_in6(sin6_family=AF_INET6)
    name.sin6_addr.s6_addr = bytes(15) + b"\1"
    assert bind(s, name, 28) == 0
    assert listen(s, 5) == 0
    assert getsockname(s, name, c_int(28)) == 0
    return s, ntohs(name.sin6_port)


def test_the_copier_connects_over_ipv6():
    s, port = listener6()
    stage = Stage("copier", Host="::1", Port=port)

    def script() -> Script:
        yield from connected(stage, s)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        yield
        assert stage.position() == Decimal("0.25")
        close(stage.peer, s)

    assert stage.play(script()) == 0
    assert f"connect OK, [::1]:{port}" in stage.texts
    assert stage.record.of("connected")[0]["port"]


@pytest.mark.parametrize(("host", "warnings"), [("::1", 0), ("::", 1)])
def test_the_provider_listens_on_ipv6(host, warnings):
    stage = Stage("provider", Host=host, Port=0)

    def script() -> Script:
        yield
        port = stage.record.of("listening")[0]["port"]
        peer = socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP)
        assert peer != INVALID_SOCKET
        name = sockaddr_in6(sin6_family=AF_INET6, sin6_port=htons(port))
        name.sin6_addr.s6_addr = bytes(15) + b"\1"
        assert connect(peer, name, 28) == 0
        yield
        assert read(peer, 16) == b"<<EURUSD|0.00>>\0"
        close(peer)
        yield

    assert stage.play(script()) == 0
    assert any(text.startswith("Accept new client [::1]:") for text in stage.texts)
    assert sum(" alert " in line for line in stage.stream.getvalue().splitlines()) == warnings


def test_a_host_that_was_resolved_once_is_resolved_again_after_failures(server):
    stage = follow(server, Host="localhost")
    real = stage.program.find_address
    lookups: list[str] = []

    def find_address(host: str, port: int, kind: int) -> object:
        lookups.append(host)
        if len(lookups) in (2, 3):
            raise AddressError(f"{host} cannot be found: (#11002)", temporary=True)
        return real(host, port, kind)

    stage.program.find_address = find_address

    def script() -> Script:
        yield from connected(stage, server)
        handle = stage.program.client
        close(stage.peer)
        assert ready(handle)
        while stage.program.client == handle:
            yield
        while stage.program.client == INVALID_SOCKET:
            yield
        close(take(server))

    assert stage.play(script()) == 0
    assert len(lookups) == 4
    assert [text for text in stage.errors() if "cannot be found" in text] == [
        "-localhost cannot be found: (#11002) Next attempt in 2 s.",
    ]


def test_a_host_whose_first_lookups_fail_temporarily_is_looked_up_again_and_reported_once(server):
    stage = follow(server, Host="localhost")
    real, lookups = stage.program.find_address, []

    def find_address(host: str, port: int, kind: int) -> object:
        lookups.append(event_number(stage))
        if len(lookups) <= 5:
            raise AddressError(f"{host} cannot be found: (#11002)", temporary=True)
        return real(host, port, kind)

    stage.program.find_address = find_address

    def script() -> Script:
        while len(lookups) <= 5:
            yield
        close(take(server))

    assert stage.play(script()) == 0
    # The pauses grow.
    assert lookups == [1, 2, 4, 8, 12, 16]
    assert len(stage.errors()) == 1


def test_a_name_that_is_never_resolved_is_exit_code_3_at_the_end():
    stage = Stage("copier", Host="server")

    def find_address(host: str, port: int, kind: int) -> object:
        raise AddressError(f"{host} cannot be found: (#11002)", temporary=True)

    stage.program.find_address = find_address

    def script() -> Script:
        for _ in range(9):
            yield

    assert stage.play(script()) == 3
    assert stage.errors()[-1] == "no connection to server:8081 has succeeded"


def test_each_line_of_the_log_has_a_time_and_an_event(server):
    stage = after(b"<<EURUSD|0.25>>\0", server=server)
    for line in stage.stream.getvalue().splitlines():
        time, program, level, event, text = line.split(" ", 4)
        assert time.startswith("2026-01-01T")
        assert (bool(program), bool(event), bool(text)) == (True, True, True)
        assert level in ("info", "error", "alert")
