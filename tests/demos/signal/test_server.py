"""The study program signal_server, driven over real TCP with a clock of its own, byte for byte."""

from __future__ import annotations

from decimal import Decimal

import pytest
from cleanup_kit import closed_after_test
from signal_kit import (
    EURUSD,
    FLAT,
    Script,
    Stage,
    buy,
    close,
    dial,
    fail,
    forever,
    listening_port,
    lots,
    port_of,
    read,
    read_all,
    successes,
    two_positions,
    unselectable,
)
from signal_kit import serve as serve_program

from demos.terminal.interfaces import Position, SymbolSpec
from demos.terminal.paper.account import PaperAccount
from winsock import (
    INVALID_SOCKET,
    SOCKET_ERROR,
    WSAECONNRESET,
    WSAEISCONN,
    WSAEMFILE,
    WSAEWOULDBLOCK,
)

pytestmark = pytest.mark.usefixtures("started")


def serve(**inputs: object) -> Stage:
    return serve_program("signal_server", **inputs)


def test_s8_a_volume_step_finer_than_a_message_is_refused_at_the_start():
    stage = serve(symbols=[SymbolSpec("EURUSD", volume_step=Decimal("0.001"))])
    assert stage.play(forever()) == 2
    assert stage.errors()[0] == "-a message cannot carry volumes in steps of 0.001 lots: it has two digits"


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


@pytest.mark.parametrize(
    "host", ["", "a\0b", "localhost", "no-such-host.invalid", "256.0.0.1", "::1", "é", "ж", "\uff11.0.0.1", "\udcff"]
)
def test_s22_a_host_that_is_not_an_ipv4_address_is_one_line_of_error_and_exit_code_2(host):
    stage = serve(Host=host)
    assert stage.play(forever()) == 2
    [error] = stage.errors()
    assert error.startswith("invalid IPv4 address: ")
    assert error.endswith("; Host takes four numbers, as in 127.0.0.1")


class _Hedged(PaperAccount):
    """An account with three positions whose sum in floating point is a little below zero."""

    def positions(self) -> list[Position]:
        return [Position(n, EURUSD, volume, 0, 0) for n, volume in enumerate((30, -10, -20), 1)]


def test_s23_a_hedged_sum_below_zero_is_sent_as_zero_without_a_sign():
    stage = serve(account=closed_after_test(_Hedged()))
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


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1 x", "127.1"])
def test_a5_the_log_shows_the_address_and_the_port_that_the_server_is_bound_to(host):
    stage = serve(Host=host)

    def script() -> Script:
        yield
        stage.port = port_of(stage.program.server)

    assert stage.play(script()) == 0
    assert f"start server ok, 127.0.0.1:{stage.port}" in stage.texts
    assert stage.port > 0


def test_a6_a_position_that_cannot_be_selected_is_not_counted():
    stage = serve(account=two_positions())
    unselectable(stage)
    got: list[int] = []

    def script() -> Script:
        buy(stage, "0.10")
        yield
        got.append(dial(listening_port(stage)))
        yield

    stage.play(script())
    assert read_all(got[0]) == lots("0.20")
    close(*got)


def test_a7_a_bind_that_fails_with_any_error_ends_the_program():
    stage = serve()
    stage.program.bind = fail(WSAEISCONN)
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert error.startswith("Bind to 127.0.0.1:0 failed error: (#10056)")


def test_a1_it_listens_on_loopback_by_default():
    assert serve().program.Host == "127.0.0.1"
