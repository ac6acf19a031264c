"""The study program tick_client, event by event, on real sockets."""

from __future__ import annotations

import pytest
from signal_kit import Script, Stage, one_event, port_of, successes
from tick_kit import USDJPY, TickStage, address_of, fail_calls, nothing_to_receive, receive, receiver
from winsock_kit import readable

from demos.terminal.interfaces import SymbolSpec
from winsock import (
    INVALID_SOCKET,
    WSAENETDOWN,
)

__all__ = ["receiver"]


pytestmark = pytest.mark.usefixtures("started")


def sending(port: int, symbol: SymbolSpec = USDJPY, **options: object) -> TickStage:
    return TickStage(port, symbol, "tick_client", **options)


def test_OnInit_creates_the_socket_and_sends_nothing(receiver):
    stage = sending(port_of(receiver))

    def script() -> Script:
        made = stage.program.client
        assert made != INVALID_SOCKET
        yield
        assert nothing_to_receive(receiver)
        for _ in range(3):
            stage.tick(110_500)
            yield
        assert stage.program.client == made

    starts = successes(stage)
    assert stage.play(script()) == 0
    assert starts == ["WSAStartup", "WSACleanup"]
    assert stage.texts == ["create socket OK", *["send USDJPY tick to server"] * 3, "close socket"]


def test_u4_a_tick_that_cannot_be_sent_is_logged_and_the_next_one_is_sent(receiver):
    stage = sending(port_of(receiver))
    fail_calls(stage, "sendto", *[WSAENETDOWN] * 2)

    def script() -> Script:
        stage.tick(110_500)
        yield
        assert len(stage.errors()) == 2
        stage.tick(110_501)
        yield
        assert receive(receiver) == b"USDJPY 110.501\0"
        assert nothing_to_receive(receiver)

    assert stage.play(script()) == 0


@pytest.mark.parametrize("host", ["localhost", "::1", "", "é", "ж", "\uff11.0.0.1", "\udcff", "255.255.255.255"])
def test_s22_a_host_that_is_not_an_ipv4_address_is_one_line_of_error_and_exit_code_2(receiver, host):
    stage = sending(port_of(receiver), Host=host)
    starts = successes(stage)
    assert stage.play(one_event()) == 2
    assert stage.errors() == [f"invalid IPv4 address: {host!r}; Host takes four numbers, as in 127.0.0.1"]
    # S13: nothing was started, so nothing is cleaned up.
    assert starts == []


def test_s9_a_symbol_outside_the_code_page_is_reported_once_and_exit_code_2(receiver):
    stage = sending(port_of(receiver), SymbolSpec("EURЖ"))
    assert stage.play(one_event()) == 2
    assert stage.errors()[0] == "-invalid symbol: 'EURЖ' has characters that code page 1252 lacks"


def test_h1_h3_sendto_gets_16_bytes_whose_padding_is_zero(receiver):
    stage = sending(port_of(receiver))
    seen: list[tuple[bytes, int]] = []
    sendto = stage.program.sendto

    def recording(s: int, buf: bytes, len: int, flags: int, to: bytearray, tolen: int) -> int:
        seen.append((bytes(to), tolen))
        return sendto(s, buf, len, flags, to, tolen)

    stage.program.sendto = recording

    def script() -> Script:
        stage.tick(110_500)
        yield
        assert receive(receiver)

    assert stage.play(script()) == 0
    port = port_of(receiver).to_bytes(2, "big")
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
