"""tick_sender, event by event, on real sockets."""

from __future__ import annotations

import pytest
from signal_kit import Script, close, one_event, port_of, successes
from tick_kit import USDJPY, TickStage, address_of, bound_name, fail_calls, nothing_to_receive, peer, receive, receiver
from winsock_kit import bound, loopback6, readable

from demos.terminal.interfaces import SymbolSpec
from demos.wire.backoff import Backoff
from winsock import (
    INVALID_SOCKET,
    SOCK_DGRAM,
    WSAECONNRESET,
    WSAEMFILE,
    WSAEMSGSIZE,
    WSAENETDOWN,
    WSAENOBUFS,
    WSAEWOULDBLOCK,
    ntohs,
    sendto,
)

__all__ = ["receiver"]


pytestmark = pytest.mark.usefixtures("started")


def test_numbered_ticks_have_a_mark_after_the_nul(receiver):
    stage = TickStage(port_of(receiver), USDJPY, sequence=True)

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        run = stage.program.run
        assert len(run) == 16
        for number in (1, 2):
            assert receive(receiver) == f"USDJPY 110.50{number - 1}\0#{run} {number}\0".encode()

    assert stage.play(script()) == 0
    other = TickStage(port_of(receiver), USDJPY, sequence=True)
    other.play(one_event())
    assert other.program.run != stage.program.run


def test_OnInit_creates_the_socket_and_its_port_stays(receiver):
    stage = TickStage(port_of(receiver), USDJPY)

    def script() -> Script:
        made = stage.program.client
        assert made != INVALID_SOCKET
        for _ in range(3):
            stage.tick(110_500)
            yield
        assert stage.program.client == made
        assert stage.record.of("sending") == [{"symbol": "USDJPY", "port": stage.program.local_port}]
        assert port_of(made) == stage.program.local_port

    starts = successes(stage)
    assert stage.play(script()) == 0
    assert starts == ["WSAStartup", "WSACleanup"]
    assert stage.texts[0] == f"create socket OK, send ticks to {address_of(receiver)}"
    assert stage.texts[-1] == "close socket"


def test_the_number_of_sent_ticks_is_logged_once_per_second(receiver):
    stage = TickStage(port_of(receiver), USDJPY)

    def script() -> Script:
        stage.tick(110_500)
        yield
        stage.tick(110_501, 110_502)
        yield
        yield
        stage.tick(110_503)
        yield

    assert stage.play(script()) == 0
    logged = [text for text in stage.texts if text.startswith("send ")]
    assert logged == ["send USDJPY tick to server", "send 2 USDJPY ticks to server", "send USDJPY tick to server"]
    assert stage.record.of("sent")[-1] == {"symbol": "USDJPY", "ticks": 4, "sent": 4, "given_up": 0}


def test_it_sends_to_ipv6_and_to_names_too(receiver):
    six = bound(SOCK_DGRAM, loopback6())
    for s, host in ((six, "::1"), (receiver, "localhost")):
        stage = TickStage(
            ntohs(bound_name(six).sin6_port if s == six else bound_name(receiver).sin_port), USDJPY, Host=host
        )

        def script(s: int = s, stage: TickStage = stage) -> Script:
            stage.tick(110_500)
            yield
            assert receive(s) == b"USDJPY 110.500\0"

        assert stage.play(script()) == 0
    close(six)


def test_an_invalid_host_name_is_one_line_and_exit_code_3():
    stage = TickStage(1, USDJPY, Host="a b")
    starts = successes(stage)
    assert stage.play(one_event()) == 3
    [error] = stage.errors()
    assert error == "invalid host name: 'a b'"
    assert starts == ["WSAStartup", "WSACleanup"]


def test_a_symbol_that_no_datagram_can_carry_is_exit_code_2(receiver):
    stage = TickStage(port_of(receiver), SymbolSpec("EURЖ"))
    assert stage.play(one_event()) == 2
    assert stage.errors() == ["invalid symbol: 'EURЖ' has characters that code page 1252 lacks"]
    assert stage.program.client == INVALID_SOCKET


def test_a_tick_without_a_socket_is_sent_in_the_next_second(receiver):
    stage = TickStage(port_of(receiver), USDJPY)
    fail_calls(stage, "socket", *[WSAEMFILE] * 3, result=INVALID_SOCKET)

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        yield
        assert [receive(receiver), receive(receiver)] == [b"USDJPY 110.500\0", b"USDJPY 110.501\0"]

    assert stage.play(script()) == 0
    assert stage.errors()[2] == "-Send failed error: no socket. Next attempts every 1 s."


def test_ticks_that_cannot_be_sent_stay_pending_in_their_order(receiver):
    stage = TickStage(port_of(receiver), USDJPY)
    fail_calls(stage, "sendto", WSAENETDOWN, WSAENETDOWN)

    def script() -> Script:
        stage.tick(110_500, 110_501, 110_502)
        yield
        assert [receive(receiver) for _ in range(3)] == [b"USDJPY 110.50%d\0" % n for n in range(3)]

    assert stage.play(script()) == 0
    assert stage.errors() == ["-Send failed error: (#10050) WSAENETDOWN: Network is down. Next attempts every 1 s."]
    assert stage.texts.count("ticks can be sent again") == 1


def test_an_error_that_lasts_is_logged_once_and_the_ticks_are_sent_when_it_is_over(receiver):
    stage = TickStage(port_of(receiver), USDJPY)
    fail_calls(stage, "sendto", *[WSAENETDOWN] * 80)

    def script() -> Script:
        stage.tick(110_500)
        for _ in range(39):
            yield
        assert nothing_to_receive(receiver)
        # The log does not grow with the number of attempts.
        assert len(stage.texts) <= 10
        yield
        yield
        assert receive(receiver) == b"USDJPY 110.500\0"

    assert stage.play(script()) == 0
    assert len(stage.errors()) == 1
    assert stage.texts.count("ticks can be sent again") == 1


def test_the_oldest_ticks_are_dropped_when_too_many_are_pending(receiver):
    stage = TickStage(port_of(receiver), USDJPY)
    stage.program.MAX_PENDING = 2
    fail_calls(stage, "sendto", WSAEWOULDBLOCK)

    def script() -> Script:
        stage.tick(110_500, 110_501, 110_502)
        yield
        yield
        assert [receive(receiver), receive(receiver)] == [b"USDJPY 110.501\0", b"USDJPY 110.502\0"]

    assert stage.play(script()) == 0
    assert stage.record.of("sent")[-1] == {"symbol": "USDJPY", "ticks": 3, "sent": 2, "given_up": 1}


def test_at_the_end_pending_ticks_are_sent_once_more_and_then_dropped(receiver):
    for errors, given_up in (([WSAEWOULDBLOCK], 0), ([WSAEWOULDBLOCK] * 2, 1)):
        stage = TickStage(port_of(receiver), USDJPY)
        fail_calls(stage, "sendto", *errors)

        def script(stage: TickStage = stage) -> Script:
            stage.tick(110_500)
            yield

        # The script ends before the next attempt.
        stage.program.sending = Backoff(10_000, 10_000)
        assert stage.play(script()) == 0
        assert stage.record.of("sent")[-1]["given_up"] == given_up
        assert ("-ticks that could not be sent and are dropped: 1" in stage.errors()) == bool(given_up)
    assert receive(receiver) == b"USDJPY 110.500\0"


def test_a_refusal_is_logged_once_and_loses_no_tick(receiver):
    stage = TickStage(port_of(receiver), USDJPY)
    fail_calls(stage, "sendto", WSAECONNRESET, 0, WSAECONNRESET, 0)

    def script() -> Script:
        made = stage.program.client
        stage.tick(110_500, 110_501)
        yield
        assert [receive(receiver), receive(receiver)] == [b"USDJPY 110.500\0", b"USDJPY 110.501\0"]
        assert stage.program.client == made
        for _ in range(11):
            yield
        assert stage.texts[-1] == "no refusals for 10 s: the server may be listening again"

    assert stage.play(script()) == 0
    [error] = stage.errors()
    assert error.startswith(f"-No program listens at {address_of(receiver)}, ticks are lost: (#10054)")
    assert stage.record.of("refused") == [{"symbol": "USDJPY"}]


@pytest.mark.wine_differs("a datagram to a closed port leaves no error on the sending socket")
def test_a_closed_port_is_noticed_and_ticks_arrive_when_a_server_starts():
    s = peer()
    port = port_of(s)
    close(s)
    stage = TickStage(port, USDJPY)

    def script() -> Script:
        stage.tick(110_500)
        yield
        # The refusal may arrive a moment later.
        if not stage.errors():
            assert readable(stage.program.client)
        yield
        stage.peer = peer(port)
        stage.tick(110_501)
        yield
        assert receive(stage.peer) == b"USDJPY 110.501\0"

    assert stage.play(script()) == 0
    close(stage.peer)
    [error] = stage.errors()
    assert error.startswith(f"-No program listens at 127.0.0.1:{port}, ")


def test_received_datagrams_are_discarded(receiver):
    stage = TickStage(port_of(receiver), USDJPY)
    stage.program.MAX_READS = 3

    def script() -> Script:
        stage.tick(110_500)
        yield
        to = sender_of_next(receiver)
        for datagram in (b"hello", b"x" * 2000, b"", b"more", b"and more"):
            assert sendto(receiver, datagram, len(datagram), 0, to, 16) == len(datagram)
        assert readable(stage.program.client)
        yield
        assert readable(stage.program.client)
        yield
        assert nothing_to_receive(stage.program.client)

    assert stage.play(script()) == 0
    assert stage.errors() == []


def sender_of_next(receiver: int):
    """The address from which the next datagram comes."""
    from ctypes import c_int

    from winsock import recvfrom, sockaddr_in

    assert readable(receiver)
    name, buf = sockaddr_in(), bytearray(100)
    assert recvfrom(receiver, buf, 100, 0, name, c_int(16)) > 0
    return name


def test_an_error_while_reading_refusals_creates_the_socket_again(receiver):
    stage = TickStage(port_of(receiver), USDJPY)
    fail_calls(stage, "recvfrom", WSAEMSGSIZE, WSAENETDOWN)

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        assert [receive(receiver), receive(receiver)] == [b"USDJPY 110.500\0", b"USDJPY 110.501\0"]

    assert stage.play(script()) == 0
    assert stage.errors() == ["-Receive failed error: (#10050) WSAENETDOWN: Network is down."]


def test_a_local_port_that_cannot_be_read_is_only_an_error_line(receiver):
    stage = TickStage(port_of(receiver), USDJPY)
    fail_calls(stage, "getsockname", WSAENOBUFS)

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        assert [receive(receiver), receive(receiver)] == [b"USDJPY 110.500\0", b"USDJPY 110.501\0"]

    assert stage.play(script()) == 0
    assert stage.errors()[0].startswith("-getsockname failed error: (#10055)")
    assert len(stage.record.of("sending")) == 1
