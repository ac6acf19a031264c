"""The study program signal_client, driven over real TCP with a clock of its own, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from signal_kit import (
    EURUSD,
    QUOTES,
    Script,
    Stage,
    arrive,
    close,
    connected,
    dial,
    fill,
    forever,
    listener,
    port_of,
    read_all,
    ready,
    reset,
    server,
    successes,
    take,
)
from signal_kit import after as after_pieces
from signal_kit import follow as follow_server

from demos.terminal import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, CTrade
from demos.terminal.interfaces import ProgramError, SymbolSpec
from demos.terminal.paper.account import PaperAccount
from winsock import (
    FD_ZERO,
    INVALID_SOCKET,
    SOCKET_ERROR,
    WSASetLastError,
    closesocket,
    fd_set,
)

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")


def follow(server: int, **options: object) -> Stage:
    return follow_server(server, "signal_client", **options)


def after(*pieces: bytes, server: int, **options: object) -> Stage:
    return after_pieces(*pieces, server=server, program="signal_client", **options)


def fail(error: int, result: int = SOCKET_ERROR) -> Callable[..., int]:
    def failing(*_: object) -> int:
        WSASetLastError(error)
        return result

    return failing


def closed_port() -> int:
    s = listener()
    number = port_of(s)
    close(s)
    return number


def refusing(stage: Stage) -> None:
    """On some systems a refused connect takes a while: the client's select waits for the answer."""
    real = stage.program.select

    def select(nfds: int, readfds: object, writefds: object, exceptfds: object, timeout: object) -> int:
        timeout.tv_sec = 10  # type: ignore[attr-defined]
        result: int = real(nfds, readfds, writefds, exceptfds, timeout)
        return result

    stage.program.select = select


def holding(steps: int) -> PaperAccount:
    """An account with a EURUSD position of this many hundredths of a lot."""
    account = PaperAccount()
    if steps:
        account.trade(EURUSD, steps, QUOTES[0])
        account.new_deals()
    return account


@pytest.mark.parametrize(
    ("before", "message", "position", "action"),
    [
        (0, b"<<EURUSD|0.25>>\0", "0.25", "add Buy position"),
        (0, b"<<EURUSD|-10.25>>\0", "-10.25", "add Sell position"),
        (50, b"<<EURUSD|0.25>>\0", "0.25", "add Sell position"),
        (50, b"<<EURUSD|-0.25>>\0", "-0.25", "add Sell position"),
        (-50, b"<<EURUSD|-0.25>>\0", "-0.25", "add Buy position"),
        (50, b"<<EURUSD|0.00>>\0", "0", "full close position"),
        (-50, b"<<EURUSD|-0.00>>\0", "0", "full close position"),
        (25, b"<<EURUSD|0.25>>\0", "0.25", "nothing change"),
        (0, b"<<EURUSD|0.00>>\0", "0", "nothing change"),
    ],
)
def test_the_position_becomes_that_of_the_message_in_one_deal(server, before, message, position, action):
    stage = after(message, server=server, account=holding(before))
    assert stage.position() == Decimal(position)
    assert len(stage.record.of("deal")) == (action != "nothing change")
    assert action in stage.texts
    assert f"server position: {message[2:-3].decode()}" in stage.texts


def test_it_connects_at_its_first_event_and_copies_from_the_next(server):
    stage = follow(server)

    def script() -> Script:
        assert stage.program.client == INVALID_SOCKET
        yield
        peer = take(server)
        arrive(peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        assert stage.position() == 0
        yield
        assert stage.position() == Decimal("0.25")
        close(peer)

    assert stage.play(script()) == 0
    assert stage.texts[0] == "connect OK"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 15, 16])
def test_a_message_may_be_cut_anywhere(server, size):
    stream = b"<<EURUSD|0.25>>\0<<EURUSD|-0.50>>\0"
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    stage = after(*pieces, server=server)
    assert [fields["position"] for fields in stage.record.of("deal")] == ["0.25", "-0.50"]
    assert stage.errors() == []


def test_s1_of_messages_that_arrive_together_the_newest_wins(server):
    stage = after(b"<<EURUSD|0.10>>\0<<EURUSD|0.20>>\0<<EURUSD|0.30>>\0", server=server)
    assert stage.position() == Decimal("0.30")
    assert len(stage.record.of("deal")) == 1


def test_s1_messages_without_nuls_are_separated_too(server):
    assert after(b"<<EURUSD|0.10>><<EURUSD|0.20>>", server=server).position() == Decimal("0.20")


def test_s2_a_piece_that_begins_with_a_nul_is_read(server):
    assert after(b"<<EURUSD|0.10>>", b"\0<<EURUSD|0.20>>", server=server).position() == Decimal("0.20")


def test_s3_the_stale_tail_behind_a_shorter_message_is_ignored(server):
    stage = after(b"<<EURUSD|50.00>>\0", b"<<EURUSD|0.50>>\x0000>>\0<<EURUSD|0.75>>\0>\0", server=server)
    assert stage.position() == Decimal("0.75")
    assert stage.errors() == []


def test_s4_an_end_mark_before_the_begin_mark_trades_nothing(server):
    stage = after(b">><<EURUSD|1", b".50>>\0", server=server)
    assert [fields["position"] for fields in stage.record.of("deal")] == ["1.50"]


def test_s5_half_a_message_is_dropped_with_its_connection_and_the_greeting_is_read(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.", stage.program.client)
        yield
        handle = stage.program.client
        close(stage.peer)
        assert ready(handle)
        yield
        assert stage.program.client == INVALID_SOCKET
        yield from connected(stage, server)
        arrive(stage.peer, b"25>><<EURUSD|0.75>>\0", stage.program.client)
        yield
        assert stage.position() == Decimal("0.75")
        close(stage.peer)

    assert stage.play(script()) == 0
    assert stage.errors() == ["-Receive. connection closed"]


def test_s6_text_outside_the_marks_is_dropped(server):
    stage = after(b"hello", b"\0\0<", b"<EURUSD|0.10>>bye<", server=server)
    assert stage.position() == Decimal("0.10")
    assert stage.program.msg == ""  # the connection has ended
    assert stage.texts.count("received msg from server: hello") == 1


def test_s6_an_unfinished_message_over_256_bytes_is_dropped(server):
    stage = after(b"<<EURUSD|0.10>>\0<<" + b"x" * 300, b"|1.00>>\0<<EURUSD|0.20>>\0", server=server)
    assert stage.position() == Decimal("0.20")
    assert stage.errors() == []


def test_s6_one_event_receives_a_limited_number_of_bytes(server):
    stage = follow(server)
    sizes: list[int] = []

    def script() -> Script:
        yield from connected(stage, server)
        real = stage.program.recv

        def counted(*arguments: object) -> int:
            size: int = real(*arguments)
            sizes.append(max(size, 0))
            return size

        stage.program.recv = counted
        fill(stage.peer)
        assert ready(stage.program.client)
        yield
        assert 0 < sum(sizes) <= 64 * 1024
        assert stage.program.msg == ""
        close(stage.peer)

    assert stage.play(script()) == 0


def test_s6_a_server_of_many_unknown_symbols_cannot_use_up_the_memory(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        for start in range(0, 1200, 300):
            data = b"".join(b"<<X%d|0.10>>" % n for n in range(start, start + 300))
            arrive(stage.peer, data, stage.program.client)
            while ready(stage.program.client, 0):
                yield
        assert len(stage.program.failed) <= 256
        assert len(stage.program.msg) < 256 * len("<<X1000|0.10>>") + 1
        close(stage.peer)

    assert stage.play(script()) == 0


@pytest.mark.parametrize(
    "body",
    [b"EURUSD|abc", b"EURUSD|", b"EURUSD", b"|1.00", b"EUR|USD|1.00", b"EURUSD|1,5", b"EURUSD|0x1", b"EURUSD|1\x00.00"],
)
def test_s7_an_unreadable_message_is_skipped_and_reported(server, body):
    stage = after(b"<<EURUSD|0.10>>", b"<<" + body + b">>\0", server=server)
    assert stage.position() == Decimal("0.10")
    assert [text.partition(":")[0] for text in stage.errors()] == ["-wrong pos info"]


def test_an_empty_message_is_ignored(server):
    stage = after(b"<<EURUSD|0.10>>\0<<>>\0", server=server)
    assert stage.position() == Decimal("0.10")
    assert stage.errors() == []


def test_received_text_is_escaped_in_the_log(server):
    stage = after(b"<<\x1b[31m\n>>", server=server)
    assert stage.errors() == ["-wrong pos info: \\x1b[31m\\x0a"]


def test_s8_a_volume_of_more_than_two_digits_is_skipped(server):
    stage = after(b"<<EURUSD|0.10>>", b"<<EURUSD|0.004>>\0", server=server)
    assert stage.position() == Decimal("0.10")
    assert stage.errors() == ["-wrong pos info: EURUSD|0.004"]


@pytest.mark.parametrize(("text", "lots"), [("0.5", "0.50"), (" 0.75", "0.75"), ("+1", "1.00"), ("1e0", "1.00")])
def test_volumes_may_be_written_as_the_original_client_understands_them(server, text, lots):
    assert after(f"<<EURUSD|{text}>>".encode(), server=server).position() == Decimal(lots)


@pytest.mark.parametrize("symbol", ["Volatility 75 Index", "eurusd", "EURUSD.m", "#AAPL", "EURUSD_i", "é€"])
def test_s9_every_valid_symbol_is_traded(server, symbol):
    quote = QUOTES[0]._replace(symbol=symbol)
    message = f"<<{symbol}|0.10>>\0".encode("cp1252")
    stage = after(message, server=server, symbols=[SymbolSpec(symbol)], quotes=[quote])
    assert stage.position(symbol) == Decimal("0.10")


def test_s10_the_last_message_of_each_symbol_is_traded(server):
    stage = after(b"<<EURUSD|0.10>>\0<<GBPUSD|-0.20>>\0<<EURUSD|0.30>>\0", server=server)
    assert (stage.position(), stage.position("GBPUSD")) == (Decimal("0.30"), Decimal("-0.20"))
    assert len(stage.record.of("deal")) == 2


def failing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let every buy order fail; the times at which one was tried."""
    tried: list[float] = []

    def Buy(self: CTrade, volume: float, symbol: str | None = None) -> bool:
        tried.append(stage.clock.time)
        return False

    monkeypatch.setattr(CTrade, "Buy", Buy)
    return tried


def test_s11_pauses_between_attempts_of_a_failing_order_grow(server, monkeypatch):
    stage = follow(server)
    tried = failing(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        for _ in range(140):
            yield
        close(stage.peer)

    stage.play(script())
    assert [round(time - tried[0]) for time in tried] == [0, 1, 2, 4, 8, 16, 32, 64, 96, 128]
    assert len(stage.errors()) == len(tried)
    assert stage.texts.count("server position: EURUSD|0.25") == 1


def test_s11_a_repeated_message_does_not_shorten_the_pause_and_a_newer_one_replaces_it(server, monkeypatch):
    stage = follow(server)
    tried = failing(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        for _ in range(6):
            arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
            yield
        assert [round(time - tried[0]) for time in tried] == [0, 1, 2, 4]
        arrive(stage.peer, b"<<EURUSD|-0.25>>\0", stage.program.client)
        yield
        assert stage.position() == Decimal("-0.25")
        for _ in range(40):
            yield
        assert len(tried) == 4
        assert stage.program.msg == ""
        close(stage.peer)

    stage.play(script())


def test_s11_a_failing_order_does_not_delay_another_symbol(server, monkeypatch):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<XYZ|0.10>>\0", stage.program.client)
        for _ in range(4):
            yield
        arrive(stage.peer, b"<<EURUSD|0.10>>\0", stage.program.client)
        yield
        assert stage.position() == Decimal("0.10")
        close(stage.peer)

    stage.play(script())
    assert stage.errors()[0].startswith("-cannot trade XYZ to 0.10 lots: ")


def test_s11_the_retry_ends_with_the_connection(server, monkeypatch):
    stage = follow(server)
    tried = failing(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        yield
        handle = stage.program.client
        close(stage.peer)
        assert ready(handle)
        yield
        yield from connected(stage, server)
        count = len(tried)
        for _ in range(10):
            yield
        assert len(tried) == count
        close(stage.peer)

    stage.play(script())


def test_s12_a_connect_without_an_answer_is_given_up_and_blocks_nothing(server):
    stage = follow(server)

    def select(nfds: int, readfds: None, writefds: fd_set, exceptfds: fd_set, timeout: object) -> int:
        FD_ZERO(writefds)
        FD_ZERO(exceptfds)
        return 0

    stage.program.select = select

    def script() -> Script:
        yield
        stage.host.post("buy 0.10")
        yield
        assert stage.position() == Decimal("0.10")
        for _ in range(10):
            yield

    assert stage.play(script()) == 0
    assert ["(#10060)" in text for text in stage.errors()] == [True]


def test_s12_a4_the_socket_is_nonblocking_before_it_connects(server):
    stage = follow(server)
    calls: list[str] = []

    def note(name: str) -> None:
        call = getattr(stage.program, name)

        def noted(*arguments: object) -> int:
            calls.append(name)
            result: int = call(*arguments)
            return result

        setattr(stage.program, name, noted)

    note("ioctlsocket")
    note("connect")

    def script() -> Script:
        yield from connected(stage, server)
        close(stage.peer)

    stage.play(script())
    assert calls == ["ioctlsocket", "connect"]


def test_s13_each_start_up_has_its_clean_up_and_no_more():
    stage = Stage("signal_client", Port=closed_port())
    seen = successes(stage)
    refusing(stage)

    def script() -> Script:
        for _ in range(3):
            yield

    assert stage.play(script()) == 0
    assert seen == ["WSAStartup", "WSACleanup"] * 3
    never_started = Stage("signal_client")
    seen = successes(never_started)
    never_started.play(iter(()))
    assert seen == []


@pytest.mark.parametrize("leave", [closesocket, reset])
def test_s20_messages_before_the_end_are_traded(server, leave):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        handle = stage.program.client
        real = stage.program.recv
        if leave is reset:
            # A reset discards unread data, so the second recv is made to fail instead.
            answers = iter([real, fail(10054), fail(10054)])
            stage.program.recv = lambda *arguments: next(answers)(*arguments)
            arrive(stage.peer, b"<<EURUSD|0.25>>\0" + bytes(496), handle)
        else:
            arrive(stage.peer, b"<<EURUSD|0.25>>\0", handle)
            closesocket(stage.peer)
        yield
        assert stage.position() == Decimal("0.25")
        stage.program.recv = real if leave is closesocket else stage.program.recv
        if stage.program.client != INVALID_SOCKET:
            yield
        assert stage.program.client == INVALID_SOCKET

    assert stage.play(script()) == 0
    assert len(stage.errors()) == 1


def test_s21_each_refused_connect_is_one_line_of_error_and_is_retried_at_the_next_event():
    stage = Stage("signal_client", Port=closed_port())
    refusing(stage)

    def script() -> Script:
        for _ in range(4):
            yield

    assert stage.play(script()) == 0
    assert [text.startswith("-Connect failed error: (#10061)") for text in stage.errors()] == [True] * 4


def test_s21_a_received_text_is_logged_once_and_in_part_when_it_is_long(server):
    stage = after(b"<<EURUSD|0.", b"25>>\0" + b"x" * 400, server=server)
    received = [text for text in stage.texts if text.startswith("received msg from server: ")]
    assert received[0] == "received msg from server: <<EURUSD|0."
    assert received[1].startswith("received msg from server: 25>>\\x00xxx")
    assert max(map(len, received)) < 300


@pytest.mark.parametrize("host", ["", "a\0b", "localhost", "no-such-host.invalid", "256.0.0.1", "::1", "bücher"])
def test_s22_a_host_that_is_not_an_ipv4_address_is_one_line_of_error_and_exit_code_2(host):
    stage = Stage("signal_client", Host=host)
    seen = successes(stage)
    assert stage.play(forever()) == 2
    [error] = stage.errors()
    assert error.startswith("invalid IPv4 address: ")
    assert error.endswith("; Host takes four numbers, as in 127.0.0.1")
    assert seen == ["WSAStartup", "WSACleanup"]


def test_s23_minus_zero_is_zero(server):
    stage = after(b"<<EURUSD|-0.00>>\0", server=server)
    assert "nothing change" in stage.texts
    assert stage.record.of("deal") == []


def test_s24_an_unfinished_message_before_a_complete_one_is_dropped(server):
    stage = after(b"<<EURUSD|0.<<EURUSD|0.25>>\0", server=server)
    assert stage.position() == Decimal("0.25")
    assert stage.errors() == []


def test_h1_h3_the_address_given_to_connect_has_16_bytes_and_ends_in_zeros(server):
    stage = follow(server)
    given: list[tuple[object, int]] = []
    real = stage.program.connect

    def connect(s: int, name: bytearray, namelen: int) -> int:
        given.append((name, namelen))
        result: int = real(s, name, namelen)
        return result

    stage.program.connect = connect

    def script() -> Script:
        yield from connected(stage, server)
        close(stage.peer)

    stage.play(script())
    number = port_of(server)
    assert given == [(bytearray(b"\x02\0" + number.to_bytes(2, "big") + b"\x7f\0\0\x01" + bytes(8)), 16)]


@pytest.mark.parametrize(
    ("call", "failure"),
    [
        ("WSAStartup", lambda *_: 10091),
        ("socket", fail(10055, INVALID_SOCKET)),
        ("ioctlsocket", fail(10055)),
        ("connect", fail(10051)),
        ("select", fail(10055)),
        ("getsockopt", fail(10022)),
    ],
)
def test_a_failure_of_any_call_before_the_connection_is_retried(server, call, failure):
    port = closed_port() if call == "getsockopt" else port_of(server)
    stage = Stage("signal_client", Port=port)
    refusing(stage)
    setattr(stage.program, call, failure)
    seen = [] if call == "WSAStartup" else successes(stage)

    def script() -> Script:
        yield
        yield

    assert stage.play(script()) == 0
    assert len(stage.errors()) == 2
    assert seen == ([] if call == "WSAStartup" else ["WSAStartup", "WSACleanup"] * 2)


def test_a_server_that_goes_away_and_comes_back_is_found_again_at_the_next_event(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        yield
        handle = stage.program.client
        close(stage.peer)
        assert ready(handle)
        yield
        yield
        again = take(server)
        arrive(again, b"<<EURUSD|-0.50>>\0", stage.program.client)
        yield
        # Equal at the second event after the one that noticed the end.
        assert stage.position() == Decimal("-0.50")
        close(again)

    assert stage.play(script()) == 0


def test_a_hedging_account_is_refused(server):
    account = PaperAccount()
    account.margin_mode = ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    stage = follow(server, account=account)
    assert stage.play(forever()) == 4
    assert "the client works only with netting accounts" in stage.texts


def test_it_never_sends_a_byte_and_closes_the_connection_in_order(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.10>>\0", stage.program.client)
        yield

    stage.play(script())
    assert read_all(stage.peer) == b""
    close(stage.peer)
    assert dial(port_of(server)) != INVALID_SOCKET


@pytest.mark.parametrize("inputs", [{"Port": 0}, {"Port": 65536}])
def test_the_port_is_checked(inputs):
    with pytest.raises(ProgramError, match=r"invalid port: .*; use a number from 1 to 65535"):
        Stage("signal_client", **inputs)
