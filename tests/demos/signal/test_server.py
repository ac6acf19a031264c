"""The study program signal_server, driven over real TCP with a clock of its own, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from signal_kit import (
    EURUSD,
    QUOTES,
    Script,
    Stage,
    close,
    dial,
    fill,
    forever,
    listener,
    listening_port,
    one_event,
    port_of,
    read,
    read_all,
    ready,
    reset,
    successes,
)
from signal_kit import serve as serve_program

from demos.terminal.interfaces import Position, ProgramError, SymbolSpec
from demos.terminal.paper.account import PaperAccount
from winsock import (
    INVALID_SOCKET,
    MAKEWORD,
    SOCKET_ERROR,
    WSADATA,
    WSAECONNRESET,
    WSAEMFILE,
    WSAEWOULDBLOCK,
    WSANOTINITIALISED,
    WSACleanup,
    WSAGetLastError,
    WSASetLastError,
    WSAStartup,
    closesocket,
)

pytestmark = pytest.mark.usefixtures("started")

FLAT = b"<<EURUSD|0.00>>\0"
DISCARDED_PER_EVENT = 64 * 1024


def serve(**inputs: object) -> Stage:
    return serve_program("signal_server", **inputs)


def lots(*volumes: str) -> bytes:
    return b"".join(f"<<EURUSD|{volume}>>\0".encode() for volume in volumes)


def buy(stage: Stage, volume: str) -> None:
    stage.host.post(f"buy {volume}")


def fail(error: int, result: int = SOCKET_ERROR) -> Callable[..., int]:
    def failing(*_: object) -> int:
        WSASetLastError(error)
        return result

    return failing


def test_it_listens_at_the_first_timer_event_and_greets_at_the_second():
    stage = serve()

    def script() -> Script:
        assert stage.program.server == INVALID_SOCKET
        yield
        peer = dial(listening_port(stage))
        yield
        assert read(peer, 16) == FLAT
        close(peer)

    assert stage.play(script()) == 0
    assert stage.texts[:2] == ["try bind... 127.0.0.1:0", f"start server ok, 127.0.0.1:{listening_port(stage)}"]
    assert any(text.startswith("Accept new client 127.0.0.1:") for text in stage.texts)


def test_a_trade_is_sent_to_every_client_at_the_next_timer_event():
    stage = serve()

    def script() -> Script:
        yield
        peers = [dial(listening_port(stage)) for _ in range(3)]
        yield
        assert [read(peer, 16) for peer in peers] == [FLAT] * 3
        buy(stage, "0.25")
        yield
        assert [read(peer, 16) for peer in peers] == [lots("0.25")] * 3
        stage.host.post("sell 10.50")
        yield
        assert [read(peer, 18) for peer in peers] == [lots("-10.25")] * 3
        close(*peers)

    stage.play(script())


def test_the_greeting_is_the_present_position_of_the_symbol():
    account = PaperAccount()
    account.trade(EURUSD, -30, QUOTES[0])
    account.trade(SymbolSpec("GBPUSD"), 25, QUOTES[1])
    stage = serve(account=account)

    def script() -> Script:
        yield
        peer = dial(listening_port(stage))
        yield
        assert read(peer, 17) == lots("-0.30")
        close(peer)

    assert stage.play(script()) == 0


def test_trades_within_a_period_are_one_message_of_the_latest_state():
    stage = serve()
    got: list[int] = []

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        yield
        for _ in range(5):
            buy(stage, "0.10")
        yield

    stage.play(script())
    assert read_all(got[0]) == lots("0.00", "0.50")
    close(*got)


def test_s3_a_shorter_message_has_no_tail_of_a_longer_one():
    stage = serve()
    got: list[int] = []

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        buy(stage, "100")
        yield
        stage.host.post("sell 99.50")
        yield

    stage.play(script())
    assert read_all(got[0]) == lots("100.00", "0.50")
    close(*got)


def test_s8_a_volume_step_finer_than_a_message_is_refused_at_the_start():
    stage = serve(symbols=[SymbolSpec("EURUSD", volume_step=Decimal("0.001"))])
    assert stage.play(forever()) == 2
    assert stage.errors()[0] == "-a message cannot carry volumes in steps of 0.001 lots: it has two digits"


@pytest.mark.parametrize("symbol", ["EUR|USD", "EUR<<USD", "EUR>>USD", "EUR\0USD", "EURЖ"])
def test_s9_a_symbol_that_a_message_cannot_carry_is_refused_at_the_start(symbol):
    stage = serve(symbols=[SymbolSpec(symbol)], quotes=())
    assert stage.play(forever()) == 2
    assert repr(symbol) in stage.errors()[0]


@pytest.mark.parametrize("symbol", ["Volatility 75 Index", "eurusd", "EURUSD.m", "#AAPL", "EURUSD_i", "é€"])
def test_s9_every_other_symbol_is_sent_as_it_is(symbol):
    stage = serve(symbols=[SymbolSpec(symbol)], quotes=())
    message = f"<<{symbol}|0.00>>\0".encode("cp1252")

    def script() -> Script:
        yield
        peer = dial(listening_port(stage))
        yield
        assert read(peer, len(message)) == message
        close(peer)

    assert stage.play(script()) == 0


def test_s13_it_cleans_up_exactly_what_it_started():
    for script, calls in ((iter(()), []), (one_event(), ["WSAStartup", "WSACleanup"])):
        stage = serve()
        seen = successes(stage)
        stage.play(script)
        assert seen == calls


@pytest.mark.parametrize("error", [WSAECONNRESET, WSAEMFILE])
def test_s14_an_accept_error_drops_neither_the_listener_nor_a_client(error):
    stage = serve()

    def script() -> Script:
        yield
        first = dial(listening_port(stage))
        yield
        real = stage.program.accept
        stage.program.accept = fail(error, INVALID_SOCKET)
        second = dial(listening_port(stage))
        yield
        stage.program.accept = real
        yield
        assert read(second, 16) == FLAT
        buy(stage, "0.10")
        yield
        assert read(first, 48) == lots("0.00", "0.00", "0.10")
        assert read(second, 16) == lots("0.10")
        close(first, second)

    stage.play(script())
    assert [text.startswith(f"-Accept failed with error: (#{error})") for text in stage.errors()] == [True]


def test_s15_a_client_whose_mode_cannot_be_set_is_closed():
    stage = serve()

    def script() -> Script:
        yield
        real = stage.program.ioctlsocket
        stage.program.ioctlsocket = fail(10022)
        first = dial(listening_port(stage))
        yield
        assert read_all(first) == b""
        stage.program.ioctlsocket = real
        second = dial(listening_port(stage))
        yield
        assert read(second, 16) == FLAT
        assert len(stage.program.conns) == 1
        close(first, second)

    stage.play(script())


@pytest.mark.parametrize("leave", [closesocket, reset])
def test_s16_a2_a_client_that_left_is_noticed_at_the_next_event_and_removed(leave):
    stage = serve()

    def script() -> Script:
        yield
        gone, other = dial(listening_port(stage)), dial(listening_port(stage))
        yield
        assert read(gone, 16) == read(other, 16) == FLAT
        handle = stage.program.conns[0]
        leave(gone)
        assert ready(handle)
        yield
        assert len(stage.program.conns) == 1
        buy(stage, "0.10")
        yield
        assert read(other, 16) == lots("0.10")
        close(other)

    stage.play(script())
    assert "Shutdown server and 1 connections" in stage.texts


def test_s16_a_client_to_which_a_send_fails_is_closed():
    stage = serve()

    def script() -> Script:
        yield
        peer, other = dial(listening_port(stage)), dial(listening_port(stage))
        yield
        stage.program.recv = fail(WSAEWOULDBLOCK)
        handle = stage.program.conns[0]
        reset(peer)
        assert ready(handle)
        buy(stage, "0.10")
        yield
        assert len(stage.program.conns) == 1
        assert read(other, 32) == lots("0.00", "0.10")
        close(other)

    stage.play(script())
    [error] = stage.errors()
    assert error.startswith("-Send failed error: (#10")


def test_s17_a_client_whose_buffer_is_full_is_kept_and_gets_the_latest_state_when_there_is_room():
    stage = serve()
    got: list[int] = []

    def script() -> Script:
        yield
        slow, quick = dial(listening_port(stage)), dial(listening_port(stage))
        got.extend((slow, quick))
        yield
        assert read(slow, 16) == FLAT
        junk = fill(stage.program.conns[0])
        for _ in range(3):
            buy(stage, "0.10")
            yield
        # The other client does not wait for it.
        assert read(quick, 16 * 4) == lots("0.00", "0.10", "0.20", "0.30")
        read(slow, junk)
        yield
        yield

    stage.play(script())
    assert read_all(got[0]) == lots("0.30")
    close(*got)
    assert stage.errors() == []


def test_s18_input_of_clients_is_discarded_up_to_a_limit_per_event():
    stage = serve()
    sizes: list[int] = []

    def script() -> Script:
        yield
        peer, other = dial(listening_port(stage)), dial(listening_port(stage))
        yield
        assert read(peer, 16) == FLAT
        count = fill(peer)
        assert count > DISCARDED_PER_EVENT
        real = stage.program.recv

        def counted(*arguments: object) -> int:
            size: int = real(*arguments)
            sizes.append(max(size, 0))
            return size

        stage.program.recv = counted
        buy(stage, "0.10")
        yield
        assert 0 < sum(sizes) < DISCARDED_PER_EVENT + 4096
        assert read(peer, 16) == lots("0.10")
        assert read(other, 32) == lots("0.00", "0.10")
        closesocket(peer)
        while len(stage.program.conns) > 1:
            yield
        assert sum(sizes) == count
        close(other)

    stage.play(script())


def test_s19_a_new_client_makes_it_repeat_the_message_to_all_as_the_article_does():
    stage = serve()
    got: list[int] = []

    def script() -> Script:
        for _ in range(2):
            yield
            got.append(dial(listening_port(stage)))
        yield

    stage.play(script())
    assert [read_all(peer) for peer in got] == [FLAT * 2, FLAT]
    close(*got)


def test_s21_a_port_in_use_is_one_line_of_error_and_exit_code_3():
    other = listener()
    stage = serve(Port=port_of(other))
    assert stage.play(forever()) == 3
    close(other)
    [error] = stage.errors()
    assert f"127.0.0.1:{stage.program.Port} failed error: (#10048)" in error


@pytest.mark.parametrize("host", ["", "a\0b", "localhost", "no-such-host.invalid", "256.0.0.1", "::1", "bücher"])
def test_s22_a_host_that_is_not_an_ipv4_address_is_one_line_of_error_and_exit_code_2(host):
    stage = serve(Host=host)
    assert stage.play(forever()) == 2
    [error] = stage.errors()
    assert error.startswith("invalid IPv4 address: ")
    assert error.endswith("; Host takes four numbers, as in 127.0.0.1")


def test_s22_an_address_of_another_machine_is_refused_with_exit_code_3():
    stage = serve(Host="192.0.2.1")
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert error.startswith("Bind to 192.0.2.1:0 failed error: (#10049)")


class _Hedged(PaperAccount):
    """An account with three positions whose sum in floating point is a little below zero."""

    def positions(self) -> list[Position]:
        return [Position(n, EURUSD, volume, 0, 0) for n, volume in enumerate((30, -10, -20), 1)]


def test_s23_a_hedged_sum_below_zero_is_sent_as_zero_without_a_sign():
    stage = serve(account=_Hedged())
    got: list[int] = []

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        yield

    assert 0.3 - 0.1 - 0.2 < 0
    stage.play(script())
    assert read_all(got[0]) == FLAT
    close(*got)


def test_s24_a_partial_send_is_continued_before_the_latest_state():
    stage = serve()
    got: list[int] = []
    real = stage.program.send
    room = [3, 0, 4, 100]

    def send(s: int, buf: bytes, length: int, flags: int) -> int:
        size = min(room.pop(0) if room else length, length)
        return real(s, buf, size, flags) if size else fail(WSAEWOULDBLOCK)()

    stage.program.send = send

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        yield
        for _ in range(3):
            buy(stage, "0.10")
            yield
        yield

    stage.play(script())
    assert read_all(got[0]) == lots("0.00", "0.30")
    close(*got)
    assert (stage.program.behind, stage.program.unsent) == (set(), {})


def test_h1_h3_the_address_given_to_bind_has_16_bytes_and_ends_in_zeros():
    stage = serve()
    given: list[tuple[object, int]] = []
    real = stage.program.bind

    def bind(s: int, name: bytearray, namelen: int) -> int:
        given.append((name, namelen))
        result: int = real(s, name, namelen)
        return result

    stage.program.bind = bind
    stage.play(one_event())
    [(name, namelen)] = given
    assert isinstance(name, bytearray)
    assert namelen == 16
    assert name[:2] + name[4:] == b"\x02\0\x7f\0\0\x01" + bytes(8)


@pytest.mark.parametrize("call", ["socket", "ioctlsocket"])
def test_a_call_that_fails_at_the_start_is_retried_at_each_event(call):
    stage = serve()
    real = getattr(stage.program, call)
    setattr(stage.program, call, fail(10055, INVALID_SOCKET if call == "socket" else SOCKET_ERROR))
    seen = successes(stage)

    def script() -> Script:
        yield
        yield
        assert len(stage.errors()) == 2
        setattr(stage.program, call, real)
        yield
        peer = dial(listening_port(stage))
        yield
        assert read(peer, 16) == FLAT
        close(peer)

    assert stage.play(script()) == 0
    assert seen == ["WSAStartup", "WSACleanup"] * 3


@pytest.mark.parametrize(
    ("call", "failure"), [("bind", fail(10013)), ("listen", fail(10048)), ("getsockname", fail(10055))]
)
def test_an_address_that_cannot_be_used_is_one_line_of_error_and_ends_with_exit_code_3(call, failure):
    stage = serve()
    setattr(stage.program, call, failure)
    assert stage.play(forever()) == 3
    assert len(stage.errors()) == 1
    assert WSACleanup() == 0
    # The count was this test's own.
    assert WSACleanup() == SOCKET_ERROR
    assert WSAGetLastError() == WSANOTINITIALISED
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0


def test_the_end_is_orderly_for_clients_and_the_port_can_be_bound_again_at_once():
    stage = serve()
    got: list[int] = []

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        yield

    stage.play(script())
    assert read_all(got[0]) == FLAT
    again = serve(Port=listening_port(stage))
    assert again.play(one_event()) == 0
    assert listening_port(again) == listening_port(stage)
    close(*got)


def test_a1_it_listens_on_loopback_by_default():
    assert serve().program.Host == "127.0.0.1"


@pytest.mark.parametrize("inputs", [{"Port": -1}, {"Port": 65536}])
def test_the_port_is_checked(inputs):
    with pytest.raises(ProgramError, match=r"invalid port: .*; use a number from 0 to 65535"):
        serve(**inputs)
