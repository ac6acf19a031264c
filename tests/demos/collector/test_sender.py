"""The tick client, event by event, on real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from signal_kit import EURUSD, Script, close, one_event, port_of, successes
from tick_kit import USDJPY, Sending, address_of, nothing_to_receive, peer, receive
from winsock_kit import bound, loopback6, readable

from demos.terminal.interfaces import ProgramError, SymbolSpec
from winsock import (
    INVALID_SOCKET,
    SOCK_DGRAM,
    SOCKET_ERROR,
    WSAECONNRESET,
    WSAEMFILE,
    WSAEMSGSIZE,
    WSAENETDOWN,
    WSAENOBUFS,
    WSAEWOULDBLOCK,
    WSASYSNOTREADY,
    WSASetLastError,
    sendto,
)

pytestmark = pytest.mark.usefixtures("started")


@pytest.fixture
def server(started: None) -> Iterator[int]:
    s = peer()
    yield s
    close(s)


def failing(stage: Sending, call: str, *errors: int, result: int = SOCKET_ERROR) -> None:
    """Have the program's next calls end with these errors; 0 lets one work."""
    works: Callable[..., int] = getattr(stage.program, call)
    left = list(errors)

    def called(*arguments: object) -> int:
        error = left.pop(0) if left else 0
        if not error:
            return works(*arguments)
        WSASetLastError(error)
        return result if call != "WSAStartup" else error

    setattr(stage.program, call, called)


@pytest.mark.parametrize(
    ("symbol", "bid", "datagram"),
    [
        (EURUSD, 110_000, b"EURUSD 1.10000\0"),
        (USDJPY, 110_500, b"USDJPY 110.500\0"),
        (SymbolSpec("XAUUSD", digits=2), 131_546, b"XAUUSD 1315.46\0"),
        (SymbolSpec("EURUSD", digits=0), 12, b"EURUSD 12\0"),
    ],
)
def test_a_tick_is_one_datagram_with_the_symbols_digits(server, symbol, bid, datagram):
    stage = Sending(port_of(server), symbol)

    def script() -> Script:
        stage.tick(bid)
        yield
        assert receive(server) == datagram
        assert nothing_to_receive(server)

    assert stage.play(script()) == 0


def test_ticks_go_out_at_once_in_their_order_and_a_shorter_one_has_no_tail(server):
    stage = Sending(port_of(server), USDJPY)

    def script() -> Script:
        stage.tick(110_500, 99_500, 110_501)
        yield
        assert [receive(server) for _ in range(3)] == [b"USDJPY 110.500\0", b"USDJPY 99.500\0", b"USDJPY 110.501\0"]

    assert stage.play(script()) == 0


def test_numbered_ticks_have_a_mark_behind_the_nul(server):
    stage = Sending(port_of(server), USDJPY, sequence=True)

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        run = stage.program.run
        assert len(run) == 16
        for number in (1, 2):
            assert receive(server) == f"USDJPY 110.50{number - 1}\0#{run} {number}\0".encode()

    assert stage.play(script()) == 0
    other = Sending(port_of(server), USDJPY, sequence=True)
    other.play(one_event())
    assert other.program.run != stage.program.run


def test_the_socket_is_made_in_OnInit_and_its_port_stays(server):
    stage = Sending(port_of(server), USDJPY)

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
    assert stage.texts[0] == f"create socket OK, ticks go to {address_of(server)}"
    assert stage.texts[-1] == "close socket"


def test_what_was_sent_is_told_once_a_second(server):
    stage = Sending(port_of(server), USDJPY)

    def script() -> Script:
        stage.tick(110_500)
        yield
        stage.tick(110_501, 110_502)
        yield
        yield
        stage.tick(110_503)
        yield

    assert stage.play(script()) == 0
    told = [text for text in stage.texts if text.startswith("send ")]
    assert told == ["send USDJPY tick to server", "send 2 USDJPY ticks to server", "send USDJPY tick to server"]
    assert stage.record.of("sent")[-1] == {"symbol": "USDJPY", "ticks": 4, "sent": 4, "given_up": 0}


def test_it_sends_to_ipv6_and_to_names_too(server):
    six = bound(SOCK_DGRAM, loopback6())
    for s, host in ((six, "::1"), (server, "localhost")):
        stage = Sending(port_of(server) if s == server else port_of_six(six), USDJPY, Host=host)

        def script(s: int = s, stage: Sending = stage) -> Script:
            stage.tick(110_500)
            yield
            assert receive(s) == b"USDJPY 110.500\0"

        assert stage.play(script()) == 0
    close(six)


def port_of_six(s: int) -> int:
    from ctypes import c_int

    from winsock import getsockname, ntohs, sockaddr_in6

    name = sockaddr_in6()
    assert getsockname(s, name, c_int(28)) == 0
    return ntohs(name.sin6_port)


def test_a_host_that_nobody_knows_is_one_clear_line_and_exit_code_3():
    stage = Sending(1, USDJPY, Host="a b")
    starts = successes(stage)
    assert stage.play(one_event()) == 3
    [error] = stage.errors()
    assert error.startswith("a b cannot be found: (#11")
    assert starts == ["WSAStartup", "WSACleanup"]


def test_a_symbol_that_no_datagram_can_carry_is_exit_code_2(server):
    stage = Sending(port_of(server), SymbolSpec("EURЖ"))
    assert stage.play(one_event()) == 2
    assert stage.errors() == ["a datagram cannot carry the symbol EURЖ: code page 1252 lacks some of its letters"]
    assert stage.program.client == INVALID_SOCKET


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(ProgramError, match=f"{port} is not a port"):
        Sending(port, USDJPY)


@pytest.mark.parametrize(
    ("call", "result", "error", "text"),
    [
        ("WSAStartup", 0, WSASYSNOTREADY, "-WSAStartup failed error: (#10091)"),
        ("socket", INVALID_SOCKET, WSAEMFILE, "-Create failed error: (#10024)"),
        ("ioctlsocket", SOCKET_ERROR, WSAENOBUFS, "-ioctlsocket failed error: (#10055)"),
    ],
)
def test_without_a_socket_the_first_tick_makes_one_and_is_sent(server, call, result, error, text):
    stage = Sending(port_of(server), USDJPY)
    starts = successes(stage) if call != "WSAStartup" else []
    failing(stage, call, error, result=result)

    def script() -> Script:
        assert stage.program.client == INVALID_SOCKET
        stage.tick(110_500)
        yield
        assert receive(server) == b"USDJPY 110.500\0"

    assert stage.play(script()) == 0
    assert stage.errors()[0].startswith(text)
    assert starts in ([], ["WSAStartup", "WSACleanup"] * 2)


def test_a_tick_that_finds_no_socket_to_be_had_waits_for_the_next_second(server):
    stage = Sending(port_of(server), USDJPY)
    failing(stage, "socket", *[WSAEMFILE] * 3, result=INVALID_SOCKET)

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        yield
        assert [receive(server), receive(server)] == [b"USDJPY 110.500\0", b"USDJPY 110.501\0"]

    assert stage.play(script()) == 0
    assert stage.errors()[2] == "-Send failed error: no socket. 1 ticks wait."


def test_after_an_error_the_tick_is_sent_on_a_new_socket_in_the_same_call(server):
    stage = Sending(port_of(server), USDJPY)
    failing(stage, "sendto", 0, WSAENETDOWN)

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        assert [receive(server), receive(server)] == [b"USDJPY 110.500\0", b"USDJPY 110.501\0"]
        assert len(stage.record.of("sending")) == 2

    starts = successes(stage)
    assert stage.play(script()) == 0
    assert stage.errors() == []
    assert starts == ["WSAStartup", "WSACleanup"] * 2


def test_what_cannot_be_sent_waits_and_goes_out_in_its_order(server):
    stage = Sending(port_of(server), USDJPY)
    failing(stage, "sendto", WSAENETDOWN, WSAENETDOWN)

    def script() -> Script:
        stage.tick(110_500, 110_501, 110_502)
        yield
        assert [receive(server) for _ in range(3)] == [b"USDJPY 110.50%d\0" % n for n in range(3)]

    assert stage.play(script()) == 0
    assert stage.errors() == ["-Send failed error: (#10050) WSAENETDOWN: Network is down. 1 ticks wait."]


def test_a_full_buffer_costs_no_tick_and_is_told(server):
    stage = Sending(port_of(server), USDJPY)
    failing(stage, "sendto", WSAEWOULDBLOCK)

    def script() -> Script:
        made = stage.program.client
        stage.tick(110_500)
        yield
        yield
        assert receive(server) == b"USDJPY 110.500\0"
        assert stage.program.client == made

    assert stage.play(script()) == 0
    [error] = stage.errors()
    assert error.startswith("-Send failed error: (#10035)")


def test_the_oldest_are_given_up_when_too_many_wait(server):
    stage = Sending(port_of(server), USDJPY)
    stage.program.MOST_WAITING = 2
    failing(stage, "sendto", WSAEWOULDBLOCK)

    def script() -> Script:
        stage.tick(110_500, 110_501, 110_502)
        yield
        yield
        assert [receive(server), receive(server)] == [b"USDJPY 110.501\0", b"USDJPY 110.502\0"]

    assert stage.play(script()) == 0
    assert stage.record.of("sent")[-1] == {"symbol": "USDJPY", "ticks": 3, "sent": 2, "given_up": 1}


def test_at_the_end_what_waits_is_tried_once_more_and_then_given_up(server):
    for errors, given_up in (([WSAEWOULDBLOCK], 0), ([WSAEWOULDBLOCK] * 2, 1)):
        stage = Sending(port_of(server), USDJPY)
        failing(stage, "sendto", *errors)

        def script(stage: Sending = stage) -> Script:
            stage.tick(110_500)
            yield

        # The script ends before the second in which it would have been tried again.
        stage.program.RETRY_MS = 10_000
        assert stage.play(script()) == 0
        assert stage.record.of("sent")[-1]["given_up"] == given_up
        assert ("-1 ticks could not be sent and are given up" in stage.errors()) == bool(given_up)
    assert receive(server) == b"USDJPY 110.500\0"


def test_a_refusal_is_told_once_and_costs_no_tick(server):
    stage = Sending(port_of(server), USDJPY)
    failing(stage, "sendto", WSAECONNRESET, 0, WSAECONNRESET, 0)

    def script() -> Script:
        made = stage.program.client
        stage.tick(110_500, 110_501)
        yield
        assert [receive(server), receive(server)] == [b"USDJPY 110.500\0", b"USDJPY 110.501\0"]
        assert stage.program.client == made
        for _ in range(11):
            yield
        assert stage.texts[-1] == "no more refusals: somebody listens again, or nothing tells of it"

    assert stage.play(script()) == 0
    [error] = stage.errors()
    assert error.startswith(f"-Nobody listens at {address_of(server)}, ticks are lost: (#10054)")
    assert stage.record.of("refused") == [{"symbol": "USDJPY"}]


@pytest.mark.wine_differs("a datagram that meets a closed port leaves no error there")
def test_a_closed_port_is_noticed_and_the_ticks_go_on_when_somebody_listens():
    s = peer()
    port = port_of(s)
    close(s)
    stage = Sending(port, USDJPY)

    def script() -> Script:
        stage.tick(110_500)
        yield
        # The refusal may take a moment to come.
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
    assert error.startswith(f"-Nobody listens at 127.0.0.1:{port}, ")


def test_what_anybody_sends_to_it_is_discarded(server):
    stage = Sending(port_of(server), USDJPY)
    stage.program.MOST_DISCARDED = 3

    def script() -> Script:
        stage.tick(110_500)
        yield
        to = server_sees(server)
        for datagram in (b"hello", b"x" * 2000, b"", b"more", b"and more"):
            assert sendto(server, datagram, len(datagram), 0, to, 16) == len(datagram)
        assert readable(stage.program.client)
        yield
        assert readable(stage.program.client)
        yield
        assert nothing_to_receive(stage.program.client)

    assert stage.play(script()) == 0
    assert stage.errors() == []


def server_sees(server: int):
    """The address from which the next datagram comes."""
    from ctypes import c_int

    from winsock import recvfrom, sockaddr_in

    assert readable(server)
    name, buf = sockaddr_in(), bytearray(100)
    assert recvfrom(server, buf, 100, 0, name, c_int(16)) > 0
    return name


def test_an_error_while_listening_for_refusals_makes_the_socket_anew(server):
    stage = Sending(port_of(server), USDJPY)
    failing(stage, "recvfrom", WSAEMSGSIZE, WSAENETDOWN)

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        assert [receive(server), receive(server)] == [b"USDJPY 110.500\0", b"USDJPY 110.501\0"]

    assert stage.play(script()) == 0
    assert stage.errors() == ["-Receive failed error: (#10050) WSAENETDOWN: Network is down."]


def test_a_port_that_cannot_be_told_is_an_error_line_alone(server):
    stage = Sending(port_of(server), USDJPY)
    failing(stage, "getsockname", WSAENOBUFS)

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        assert [receive(server), receive(server)] == [b"USDJPY 110.500\0", b"USDJPY 110.501\0"]

    assert stage.play(script()) == 0
    assert stage.errors()[0].startswith("-getsockname failed error: (#10055)")
    assert len(stage.record.of("sending")) == 1
