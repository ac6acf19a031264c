"""The copier, driven over real TCP with a clock of its own, byte for byte."""

from __future__ import annotations

from decimal import Decimal

import pytest
from cleanup_kit import closed_after_test
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
    fill,
    follow,
    forever,
    listener,
    port_of,
    read_all,
    ready,
    reset,
    server,
    successes,
    take,
    write,
)

from demos.copier import targets as copier_targets
from demos.terminal import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, CTrade
from demos.terminal.interfaces import ProgramError
from demos.terminal.paper.account import PaperAccount
from winsock import (
    FD_ZERO,
    FIONBIO,
    INVALID_SOCKET,
    SO_ERROR,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAEINVAL,
    WSASetLastError,
    accept,
    closesocket,
    fd_set,
    ioctlsocket,
    u_long,
)

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")


@pytest.mark.parametrize(
    ("before", "message", "position"),
    [
        (0, b"<<EURUSD|0.25>>\0", "0.25"),
        (0, b"<<EURUSD|-10.25>>\0", "-10.25"),
        (50, b"<<EURUSD|0.25>>\0", "0.25"),
        (50, b"<<EURUSD|-0.25>>\0", "-0.25"),
        (50, b"<<EURUSD|0.00>>\0", "0"),
        (-50, b"<<EURUSD|-0.00>>\0", "0"),
        (25, b"<<EURUSD|0.25>>\0", "0.25"),
    ],
)
def test_the_position_becomes_that_of_the_message(server, before, message, position):
    account = closed_after_test(PaperAccount())
    if before:
        account.trade(EURUSD, before, QUOTES[0])
        account.new_deals()
    stage = after(message, server=server, account=account)
    assert stage.position() == Decimal(position)
    assert len(stage.record.of("deal")) == (Decimal(before).scaleb(-2) != Decimal(position))


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
    kinds = [kind for kind, _ in stage.record.events]
    assert kinds == ["started", "connecting", "received", "deal", "synced"]
    assert stage.record.of("received")[0] == {
        "port": stage.record.of("connecting")[0]["port"],
        "number": 1,
        "symbol": "EURUSD",
        "lots": "0.25",
    }


def test_s1_of_messages_that_arrive_together_the_newest_wins(server):
    stage = after(b"<<EURUSD|0.10>>\0<<EURUSD|0.20>>\0<<EURUSD|0.30>>\0", server=server)
    assert stage.position() == Decimal("0.30")
    assert len(stage.record.of("received")) == 3
    assert len(stage.record.of("deal")) == 1


def test_s2_a_piece_that_begins_with_a_nul_is_read(server):
    stage = after(b"<<EURUSD|0.10>>", b"\0<<EURUSD|0.20>>", server=server)
    assert stage.position() == Decimal("0.20")


def test_a_message_may_be_cut_anywhere(server):
    stage = after(*(bytes([byte]) for byte in b"<<EURUSD|0.25>>\0"), server=server)
    assert stage.position() == Decimal("0.25")


def test_s4_an_end_mark_before_the_begin_mark_trades_nothing(server):
    stage = after(b">><<EURUSD|1", b".50>>\0", server=server)
    assert [fields["position"] for fields in stage.record.of("deal")] == ["1.50"]


def test_s7_an_unreadable_volume_closes_nothing_and_is_reported_once_per_event(server):
    stage = after(b"<<EURUSD|0.10>>", b"<<EURUSD|abc>><<EURUSD|>>\0<<|1\x1b>>", server=server)
    assert stage.position() == Decimal("0.10")
    assert stage.errors() == ["-wrong pos info: EURUSD|abc (no volume of two digits; number of such messages: 3)"]


def test_received_text_is_escaped_in_the_log(server):
    stage = after(b"<<\x1b[31m\n>>", server=server)
    assert "-wrong pos info: \\x1b[31m\\x0a (" in stage.errors()[0]


def test_s10_the_last_message_of_each_symbol_is_traded(server):
    stage = after(b"<<EURUSD|0.10>>\0<<GBPUSD|-0.20>>\0<<EURUSD|0.30>>\0", server=server)
    assert (stage.position(), stage.position("GBPUSD")) == (Decimal("0.30"), Decimal("-0.20"))


def test_text_is_read_in_the_code_page(server):
    spec = EURUSD.__class__("EURЖ")
    quote = QUOTES[0]._replace(symbol="EURЖ")
    stage = after(b"<<EUR\xc6|0.10>>\0", server=server, symbols=[spec], quotes=[quote], codepage=1251)
    assert stage.position("EURЖ") == Decimal("0.10")


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


@pytest.mark.parametrize("leave", [closesocket, reset])
def test_s20_messages_before_the_end_are_traded(server, leave):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        handle = stage.program.client
        if leave is reset:
            # A reset discards unread data, so the second recv is made to fail instead.
            real, calls = stage.program.recv, []

            def recv(*arguments: object) -> int:
                calls.append(1)
                if len(calls) == 2:
                    WSASetLastError(10054)
                    return SOCKET_ERROR
                size: int = real(*arguments)
                return size

            stage.program.recv = recv
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", handle)
        if leave is closesocket:
            leave(stage.peer)
        yield
        assert stage.position() == Decimal("0.25")

    assert stage.play(script()) == 0
    assert len(stage.errors()) == 1


def test_an_unfinished_message_over_256_bytes_closes_the_connection(server):
    stage = after(b"<<EURUSD|0.10>>\0<<" + b"x" * 300, server=server)
    assert stage.position() == Decimal("0.10")
    assert stage.errors() == ["-Receive. a message longer than 256 bytes"]


def test_s6_64_kib_without_a_message_close_the_connection(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        handle = stage.program.client
        fill(stage.peer)
        for _ in range(3):
            if stage.program.client == handle:
                assert ready(handle)
            yield
        close(stage.peer)

    assert stage.play(script()) == 0
    assert stage.errors() == ["-Receive. 64 KiB without a message"]


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
        # In step at the second event after the one that connected.
        assert stage.position() == Decimal("-0.50")
        close(again)

    stage.play(script())


def attempts(stage: Stage, events: int) -> list[int]:
    """At which timer events a connect was tried."""
    tried: list[int] = []
    real = stage.program.StartClient

    def StartClient(addr: str, port: int) -> None:
        tried.append(stage.program.events)
        real(addr, port)

    stage.program.StartClient = StartClient

    def script() -> Script:
        for _ in range(events):
            yield

    assert stage.play(script()) == 3
    return tried


def closed_port() -> int:
    s = listener()
    number = port_of(s)
    close(s)
    return number


def refusing(stage: Stage) -> None:
    """On some systems a refused connect takes its time: have the client's look at it wait for the answer."""
    real = stage.program.select

    def select(nfds: int, readfds: object, writefds: object, exceptfds: object, timeout: object) -> int:
        timeout.tv_sec = 10  # type: ignore[attr-defined]
        result: int = real(nfds, readfds, writefds, exceptfds, timeout)
        return result

    stage.program.select = select


def test_pauses_between_refused_connects_grow():
    stage = Stage("copier", Port=closed_port())
    refusing(stage)
    assert attempts(stage, 22) == [1, 2, 4, 8, 12, 16, 20]
    first, *_, last, end = stage.errors()
    assert first.startswith(f"-Connect to 127.0.0.1:{stage.program.Port} failed error: (#10061)")
    assert first.endswith("Timer events until the next attempt: 1.")
    assert last.endswith("Timer events until the next attempt: 4.")
    assert end == f"no connection to 127.0.0.1:{stage.program.Port} has succeeded"


def test_s21_a_refused_connect_is_one_line_of_error():
    stage = Stage("copier", Port=closed_port())
    refusing(stage)
    assert attempts(stage, 1) == [1]
    assert len(stage.errors()) == 2  # one for the attempt, and at the end that there was no other
    assert "close socket" not in stage.stream.getvalue()


def test_a_message_ends_the_back_off_and_a_connection_alone_does_not(server):
    stage = follow(server)

    def script() -> Script:
        for _ in range(3):
            while stage.program.client == INVALID_SOCKET:
                yield
            peer, handle = take(server), stage.program.client
            close(peer)
            while stage.program.client == handle:
                assert ready(handle)
                yield
        assert stage.program.connect_failures == 3
        while stage.program.client == INVALID_SOCKET:
            yield
        peer = take(server)
        arrive(peer, b"<<EURUSD|0.00>>\0", stage.program.client)
        while not stage.record.of("received"):
            yield
        assert stage.program.connect_failures == 0
        close(peer)

    stage.play(script())
    assert stage.program.events >= 1 + 2 + 4


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
        for _ in range(12):
            yield

    assert stage.play(script()) == 3
    # Ten seconds an attempt, and the next one at once after so long.
    assert ["(#10060)" in text for text in stage.errors()] == [True, False]


def test_s12_the_socket_is_nonblocking_before_it_connects(server):
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


def test_h1_h3_the_address_given_to_connect_has_16_bytes_and_ends_in_zeros(server):
    stage = follow(server)
    given: list[tuple[bytes, int]] = []
    real = stage.program.connect

    def connect(s: int, name: bytearray, namelen: int) -> int:
        given.append((bytes(name), namelen))
        result: int = real(s, name, namelen)
        return result

    stage.program.connect = connect

    def script() -> Script:
        yield from connected(stage, server)
        close(stage.peer)

    stage.play(script())
    number = port_of(server)
    assert given == [(b"\x02\0" + number.to_bytes(2, "big") + b"\x7f\0\0\x01" + bytes(8), 16)]


@pytest.mark.parametrize("host", ["", "a\0b", "no-such-host.invalid"])
def test_s22_a_host_that_cannot_be_found_is_one_line_and_exit_code_3(host):
    stage = Stage("copier", Host=host)
    seen = successes(stage)
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert "invalid host name: " in error or "no-such-host.invalid cannot be found: (#11001)" in error
    assert seen == ["WSAStartup", "WSACleanup"]


def test_s13_each_start_up_has_its_clean_up_and_no_more():
    stage = Stage("copier", Port=closed_port())
    seen = successes(stage)
    refusing(stage)
    attempts(stage, 5)
    assert seen == ["WSAStartup", "WSACleanup"] * 3


def test_s13_a_client_that_never_started_winsock_does_not_clean_it_up():
    stage = Stage("copier")
    seen = successes(stage)
    stage.play(iter(()))
    assert seen == []


def test_at_the_end_it_closes_the_connection_in_order(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)

    stage.play(script())
    assert read_all(stage.peer) == b""
    close(stage.peer)


@pytest.mark.parametrize(
    ("call", "failure"),
    [
        ("WSAStartup", lambda *_: 10091),
        ("socket", lambda *_: INVALID_SOCKET),
        ("ioctlsocket", lambda *_: SOCKET_ERROR),
        ("connect", lambda *_: WSASetLastError(10051) or SOCKET_ERROR),
        ("getsockname", lambda *_: SOCKET_ERROR),
        ("select", lambda *_: SOCKET_ERROR),
    ],
)
def test_a_failure_of_any_call_before_the_connection_is_retried(server, call, failure):
    stage = follow(server)
    real = getattr(stage.program, call)
    setattr(stage.program, call, failure)
    seen = [] if call == "WSAStartup" else successes(stage)

    def script() -> Script:
        yield
        yield
        assert len(stage.errors()) == 2
        assert stage.program.client == INVALID_SOCKET
        setattr(stage.program, call, real)
        while stage.program.client == INVALID_SOCKET or stage.program.connecting:
            yield
        assert ioctlsocket(server, FIONBIO, u_long(1)) == 0
        peer = INVALID_SOCKET
        while ready(server, 0) and (s := accept(server, None, None)) != INVALID_SOCKET:
            close(peer)
            peer = s
        arrive(peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        yield
        assert stage.position() == Decimal("0.25")
        close(peer)

    assert stage.play(script()) == 0
    assert seen.count("WSAStartup") == seen.count("WSACleanup")


def test_when_getsockopt_fails_its_own_error_is_logged():
    stage = Stage("copier", Port=closed_port())
    refusing(stage)

    def getsockopt(s: int, level: int, name: int, *rest: object) -> int:
        assert (level, name) == (SOL_SOCKET, SO_ERROR)
        WSASetLastError(WSAEINVAL)
        return SOCKET_ERROR

    stage.program.getsockopt = getsockopt
    attempts(stage, 1)
    assert "(#10022)" in stage.errors()[0]


def failing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let every order fail; at which timer events one was tried."""
    tried: list[int] = []

    def Buy(self: CTrade, volume: float, symbol: str | None = None) -> bool:
        tried.append(stage.program.events)
        return False

    monkeypatch.setattr(CTrade, "Buy", Buy)
    return tried


def test_s11_pauses_between_attempts_of_a_failing_order_grow(server, monkeypatch):
    stage = follow(server)
    tried = failing(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        for _ in range(100):
            yield
        close(stage.peer)

    stage.play(script())
    first = tried[0]
    assert [event - first for event in tried] == [0, 1, 3, 7, 15, 31, 63, 95]


def test_s11_a_repeated_message_does_not_shorten_the_pause_and_a_newer_one_replaces_it(server, monkeypatch):
    stage = follow(server)
    tried = failing(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        for _ in range(6):
            arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
            yield
        assert [event - tried[0] for event in tried] == [0, 1, 3]
        arrive(stage.peer, b"<<EURUSD|-0.25>>\0", stage.program.client)
        yield
        assert stage.position() == Decimal("-0.25")
        for _ in range(40):
            yield
        assert len(tried) == 3
        close(stage.peer)

    stage.play(script())


def test_s11_the_target_outlives_the_connection_and_is_retried_at_once_on_the_next(server, monkeypatch):
    stage = follow(server)
    tried = failing(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        for _ in range(20):
            yield
        handle = stage.program.client
        close(stage.peer)
        assert ready(handle)
        yield
        assert tried[-1] < stage.program.events
        yield from connected(stage, server)
        assert tried[-1] == stage.program.events
        close(stage.peer)

    stage.play(script())


def test_a_symbol_that_the_terminal_lacks_is_reported(server):
    stage = after(b"<<XYZ|0.25>>\0<<EURUSD|0.10>>\0", server=server)
    assert stage.errors() == ["-cannot trade XYZ to 0.25 lots: the terminal has no symbol XYZ"]
    assert stage.position() == Decimal("0.10")


def test_the_number_of_remembered_symbols_is_limited(server, monkeypatch):
    stage = follow(server)
    monkeypatch.setattr(copier_targets, "MOST_SYMBOLS", 3)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"".join(b"<<X%d|0.10>>" % n for n in range(5)), stage.program.client)
        yield
        assert list(stage.program.targets.targets) == ["X2", "X3", "X4"]
        close(stage.peer)

    stage.play(script())
    assert "-more than 3 symbols fail: X0 is dropped" in stage.errors()


def test_the_bytes_received_in_one_event_are_limited(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        assert ioctlsocket(stage.peer, FIONBIO, u_long(1)) == 0
        stage.program.MOST_RECEIVED = 8192
        message = b"<<EURUSD|0.10>>\0"
        write(stage.peer, message * 1024)
        assert ready(stage.program.client)
        yield
        assert len(stage.record.of("received")) <= 512
        while len(stage.record.of("received")) < 1024:
            yield
        close(stage.peer)

    stage.play(script())


def test_a_hedging_account_is_refused(server):
    account = closed_after_test(PaperAccount())
    account.margin_mode = ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    stage = follow(server, account=account)
    assert stage.play(forever()) == 4
    assert any("the account is a hedging account: add --hedging" in text for text in stage.texts)


@pytest.mark.parametrize("inputs", [{"Port": 0}, {"Port": 65536}, {"codepage": 1}])
def test_inputs_are_checked(inputs):
    with pytest.raises(ProgramError):
        Stage("copier", **inputs)


def test_it_never_sends_a_byte(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.10>>\0", stage.program.client)
        yield

    stage.play(script())
    assert read_all(stage.peer) == b""
    close(stage.peer)
    assert dial(port_of(server)) != INVALID_SOCKET
