"""The rules that tick_client and tick_sender share, event by event, on real sockets."""

from __future__ import annotations

import pytest
from signal_kit import EURUSD, Script, port_of, successes
from tick_kit import USDJPY, TickStage, fail_calls, nothing_to_receive, receive, receiver

from demos.terminal.interfaces import ProgramError, SymbolSpec
from winsock import (
    INVALID_SOCKET,
    SOCKET_ERROR,
    WSAEMFILE,
    WSAENETDOWN,
    WSAENOBUFS,
    WSAEWOULDBLOCK,
    WSASYSNOTREADY,
)

__all__ = ["receiver"]

pytestmark = pytest.mark.usefixtures("started")

STUDY, PRODUCT = "tick_client", "tick_sender"
both = pytest.mark.parametrize("program", [STUDY, PRODUCT])


@both
@pytest.mark.parametrize(
    ("symbol", "bid", "datagram"),
    [
        (EURUSD, 110_000, b"EURUSD 1.10000\0"),
        (USDJPY, 110_500, b"USDJPY 110.500\0"),
        (SymbolSpec("XAUUSD", digits=2), 131_546, b"XAUUSD 1315.46\0"),
        (SymbolSpec("EURUSD", digits=0), 12, b"EURUSD 12\0"),
        (SymbolSpec("Volatility 75 Index", digits=2), 12_345_678, b"Volatility 75 Index 123456.78\0"),
    ],
)
def test_a_tick_is_one_datagram_with_the_symbols_digits(receiver, program, symbol, bid, datagram):
    stage = TickStage(port_of(receiver), symbol, program)

    def script() -> Script:
        stage.tick(bid)
        yield
        assert receive(receiver) == datagram
        assert nothing_to_receive(receiver)

    assert stage.play(script()) == 0


@both
def test_ticks_are_sent_at_once_and_in_order_and_a_shorter_one_has_no_extra_bytes(receiver, program):
    stage = TickStage(port_of(receiver), USDJPY, program)

    def script() -> Script:
        stage.tick(110_500, 99_500, 110_501)
        yield
        assert [receive(receiver) for _ in range(3)] == [b"USDJPY 110.500\0", b"USDJPY 99.500\0", b"USDJPY 110.501\0"]

    assert stage.play(script()) == 0


@both
def test_u4_after_an_error_the_tick_is_sent_on_a_new_socket_in_the_same_call(receiver, program):
    stage = TickStage(port_of(receiver), USDJPY, program)
    fail_calls(stage, "sendto", 0, WSAENETDOWN)

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        assert [receive(receiver), receive(receiver)] == [b"USDJPY 110.500\0", b"USDJPY 110.501\0"]
        assert len(stage.record.of("sending")) == (2 if program == PRODUCT else 0)

    starts = successes(stage)
    assert stage.play(script()) == 0
    assert starts == ["WSAStartup", "WSACleanup"] * 2
    if program == PRODUCT:
        assert stage.errors() == []
        return
    assert stage.texts == [
        "create socket OK",
        "send USDJPY tick to server",
        "-Send failed error: (#10050) WSAENETDOWN: Network is down.",
        "close socket",
        "create socket OK",
        "send USDJPY tick to server",
        "close socket",
    ]


# The study program sends the tick again in the same call, the product at the next timer event.
@pytest.mark.parametrize(("program", "events"), [(STUDY, 1), (PRODUCT, 2)])
def test_u4_a_full_send_buffer_is_logged_and_the_tick_is_sent_on_the_same_socket(receiver, program, events):
    stage = TickStage(port_of(receiver), USDJPY, program)
    fail_calls(stage, "sendto", WSAEWOULDBLOCK)

    def script() -> Script:
        made = stage.program.client
        stage.tick(110_500)
        for _ in range(events):
            yield
        assert receive(receiver) == b"USDJPY 110.500\0"
        assert stage.program.client == made

    assert stage.play(script()) == 0
    [error] = stage.errors()
    assert error.startswith("-Send failed error: (#10035)")


@both
@pytest.mark.parametrize(
    ("call", "result", "error", "text"),
    [
        ("WSAStartup", 0, WSASYSNOTREADY, "-WSAStartup failed error: (#10091)"),
        ("socket", INVALID_SOCKET, WSAEMFILE, "-Create failed error: (#10024)"),
        ("ioctlsocket", SOCKET_ERROR, WSAENOBUFS, "-ioctlsocket failed error: (#10055)"),
    ],
)
def test_u4_without_a_socket_the_first_tick_creates_it_and_is_sent(receiver, program, call, result, error, text):
    stage = TickStage(port_of(receiver), USDJPY, program)
    starts = successes(stage) if call != "WSAStartup" else []
    fail_calls(stage, call, error, result=result)

    def script() -> Script:
        assert stage.program.client == INVALID_SOCKET
        stage.tick(110_500)
        yield
        assert receive(receiver) == b"USDJPY 110.500\0"

    assert stage.play(script()) == 0
    [logged] = stage.errors()
    assert logged.startswith(text)
    assert starts in ([], ["WSAStartup", "WSACleanup"] * 2)


@both
@pytest.mark.parametrize("port", [0, 65536])
def test_an_invalid_port_is_refused(program, port):
    with pytest.raises(ProgramError, match=f"invalid port: {port}; use a number from 1 to 65535"):
        TickStage(port, USDJPY, program)
