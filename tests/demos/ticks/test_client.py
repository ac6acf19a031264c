"""The study program tick_client, event by event, on real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from signal_kit import EURUSD, Script, Stage, close, one_event, port_of, successes
from tick_kit import USDJPY, TickStage, address_of, fail_calls, nothing_to_receive, peer, receive
from winsock_kit import readable

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

pytestmark = pytest.mark.usefixtures("started")


@pytest.fixture
def server(started: None) -> Iterator[int]:
    s = peer()
    yield s
    close(s)


def sending(port: int, symbol: SymbolSpec = USDJPY, **options: object) -> TickStage:
    return TickStage(port, symbol, "tick_client", **options)


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
def test_a_tick_is_one_datagram_with_the_symbols_digits(server, symbol, bid, datagram):
    stage = sending(port_of(server), symbol)

    def script() -> Script:
        stage.tick(bid)
        yield
        assert receive(server) == datagram
        assert nothing_to_receive(server)

    assert stage.play(script()) == 0


def test_ticks_are_sent_in_order_and_a_shorter_one_has_no_extra_bytes(server):
    stage = sending(port_of(server))

    def script() -> Script:
        stage.tick(110_500, 99_500, 110_501)
        yield
        assert [receive(server) for _ in range(3)] == [b"USDJPY 110.500\0", b"USDJPY 99.500\0", b"USDJPY 110.501\0"]

    assert stage.play(script()) == 0


def test_OnInit_creates_the_socket_and_sends_nothing(server):
    stage = sending(port_of(server))

    def script() -> Script:
        made = stage.program.client
        assert made != INVALID_SOCKET
        yield
        assert nothing_to_receive(server)
        for _ in range(3):
            stage.tick(110_500)
            yield
        assert stage.program.client == made

    starts = successes(stage)
    assert stage.play(script()) == 0
    assert starts == ["WSAStartup", "WSACleanup"]
    assert stage.texts == ["create socket OK", *["send USDJPY tick to server"] * 3, "close socket"]


def test_u4_after_an_error_the_tick_is_sent_on_a_new_socket_in_the_same_call(server):
    stage = sending(port_of(server))
    fail_calls(stage, "sendto", 0, WSAENETDOWN)

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        assert [receive(server), receive(server)] == [b"USDJPY 110.500\0", b"USDJPY 110.501\0"]

    starts = successes(stage)
    assert stage.play(script()) == 0
    assert starts == ["WSAStartup", "WSACleanup"] * 2
    assert stage.texts == [
        "create socket OK",
        "send USDJPY tick to server",
        "-Send failed error: (#10050) WSAENETDOWN: Network is down.",
        "close socket",
        "create socket OK",
        "send USDJPY tick to server",
        "close socket",
    ]


def test_u4_a_full_send_buffer_is_logged_and_the_tick_is_sent_on_the_same_socket(server):
    stage = sending(port_of(server))
    fail_calls(stage, "sendto", WSAEWOULDBLOCK)

    def script() -> Script:
        made = stage.program.client
        stage.tick(110_500)
        yield
        assert receive(server) == b"USDJPY 110.500\0"
        assert stage.program.client == made

    assert stage.play(script()) == 0
    [error] = stage.errors()
    assert error.startswith("-Send failed error: (#10035)")


def test_u4_a_tick_that_cannot_be_sent_is_logged_and_the_next_one_is_sent(server):
    stage = sending(port_of(server))
    fail_calls(stage, "sendto", *[WSAENETDOWN] * 2)

    def script() -> Script:
        stage.tick(110_500)
        yield
        assert len(stage.errors()) == 2
        stage.tick(110_501)
        yield
        assert receive(server) == b"USDJPY 110.501\0"
        assert nothing_to_receive(server)

    assert stage.play(script()) == 0


@pytest.mark.parametrize(
    ("call", "result", "error", "text"),
    [
        ("WSAStartup", 0, WSASYSNOTREADY, "-WSAStartup failed error: (#10091)"),
        ("socket", INVALID_SOCKET, WSAEMFILE, "-Create failed error: (#10024)"),
        ("ioctlsocket", SOCKET_ERROR, WSAENOBUFS, "-ioctlsocket failed error: (#10055)"),
    ],
)
def test_u4_without_a_socket_the_first_tick_creates_it_and_is_sent(server, call, result, error, text):
    stage = sending(port_of(server))
    starts = successes(stage) if call != "WSAStartup" else []
    fail_calls(stage, call, error, result=result)

    def script() -> Script:
        assert stage.program.client == INVALID_SOCKET
        stage.tick(110_500)
        yield
        assert receive(server) == b"USDJPY 110.500\0"

    assert stage.play(script()) == 0
    [logged] = stage.errors()
    assert logged.startswith(text)
    assert starts in ([], ["WSAStartup", "WSACleanup"] * 2)


@pytest.mark.parametrize("host", ["localhost", "::1", "", "ж", "255.255.255.255"])
def test_s22_a_host_that_is_not_an_ipv4_address_is_one_line_of_error_and_exit_code_2(server, host):
    stage = sending(port_of(server), Host=host)
    starts = successes(stage)
    assert stage.play(one_event()) == 2
    assert stage.errors() == [f"invalid IPv4 address: {host!r}; Host takes four numbers, as in 127.0.0.1"]
    # S13: nothing was started, so nothing is cleaned up.
    assert starts == []


def test_s9_a_symbol_outside_the_code_page_is_reported_once_and_exit_code_2(server):
    stage = sending(port_of(server), SymbolSpec("EURЖ"))
    assert stage.play(one_event()) == 2
    assert stage.errors()[0] == "-invalid symbol: 'EURЖ' has characters that code page 1252 lacks"


@pytest.mark.parametrize("port", [0, 65536])
def test_an_invalid_port_is_refused(port):
    with pytest.raises(ProgramError, match=f"invalid port: {port}; "):
        sending(port)


def test_h1_h3_sendto_gets_16_bytes_whose_padding_is_zero(server):
    stage = sending(port_of(server))
    seen: list[tuple[bytes, int]] = []
    sendto = stage.program.sendto

    def recording(s: int, buf: bytes, len: int, flags: int, to: bytearray, tolen: int) -> int:
        seen.append((bytes(to), tolen))
        return sendto(s, buf, len, flags, to, tolen)

    stage.program.sendto = recording

    def script() -> Script:
        stage.tick(110_500)
        yield
        assert receive(server)

    assert stage.play(script()) == 0
    port = port_of(server).to_bytes(2, "big")
    assert seen == [(b"\x02\x00" + port + b"\x7f\x00\x00\x01" + bytes(8), 16)]


@pytest.mark.parametrize("program", ["tick_server", "tick_collector"])
def test_our_servers_receive_its_ticks(program):
    server = Stage(program, Port=0)
    client: list[TickStage] = []

    def send(stage: TickStage) -> Script:
        stage.tick(110_500)
        yield
        assert readable(server.program.server)
        stage.peer_name = address_of(stage.program.client)

    def script() -> Script:
        yield
        client.append(sending(port_of(server.program.server)))
        assert client[0].play(send(client[0])) == 0
        yield

    assert server.play(script()) == 0
    port = client[0].peer_name.rpartition(":")[2]
    assert f"receive tick from client 127.0.0.1:{port}: USDJPY 110.500" in server.texts
