"""What the article's tick programs do with the same datagrams and errors, and what ours do: the defects U1 to U6.

The originals are small models in code of their own, on real sockets. They receive and send as the article's programs
were seen to do; what does not matter here is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from signal_kit import Script, Stage, address, close, port_of
from tick_kit import USDJPY, Sending, address_of, nothing_to_receive, peer, receive
from winsock_kit import readable, set_nonblocking

import winsock as calls
from demos.collector.store import TickStore
from demos.terminal.points import price_text
from demos.ticks.protocol import LONGEST
from winsock import (
    INVALID_SOCKET,
    IPPROTO_UDP,
    SO_RCVBUF,
    SOCK_DGRAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAECONNRESET,
    WSAENETDOWN,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    WSASetLastError,
    closesocket,
    recvfrom,
    sendto,
    setsockopt,
    socket,
    u_long,
)

pytestmark = pytest.mark.usefixtures("started")

TICKS = [b"EURUSD 1.1000%d\0" % number for number in range(9)]


class OriginalServer:
    """The article's server: one datagram at each event; any error but one closes the socket."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.server = peer()
        self.port = port_of(self.server)
        set_nonblocking(self.server)

    def event(self) -> None:
        if self.server == INVALID_SOCKET:
            self.server = peer(self.port)
            set_nonblocking(self.server)
            return
        buf = bytearray(1024)
        if recvfrom(self.server, buf, 1024, 0, None, None) >= 0:
            self.log.append("receive tick from client: " + buf.partition(b"\0")[0].decode("cp1252"))
        elif WSAGetLastError() != WSAEWOULDBLOCK:
            self.log.append(f"-receive failed error: {WSAGetLastError()}")
            closesocket(self.server)
            self.server = INVALID_SOCKET

    def ticks(self) -> list[str]:
        return [text.partition(": ")[2] for text in self.log if text.startswith("receive tick")]


class OriginalClient:
    """The article's client: a tick without a socket only makes one; an error closes it; nothing is ever received."""

    def __init__(self, port: int) -> None:
        self.log: list[str] = []
        self.sendto: Callable[..., int] = calls.sendto
        self.to = address(port)
        self.client = INVALID_SOCKET
        self.tick(b"")

    def tick(self, data: bytes) -> None:
        if self.client == INVALID_SOCKET:
            self.client = socket(2, SOCK_DGRAM, IPPROTO_UDP)
            set_nonblocking(self.client)
            self.log.append("create socket OK")
        elif self.sendto(self.client, data, len(data), 0, self.to, 16) != SOCKET_ERROR:
            self.log.append("send tick to server")
        elif WSAGetLastError() != WSAEWOULDBLOCK:
            self.log.append(f"-Send failed error: {WSAGetLastError()}")
            closesocket(self.client)
            self.client = INVALID_SOCKET


def fails(*errors: int) -> Callable[..., int]:
    """A sendto that ends with these errors first; 0 lets one work."""
    left = list(errors)

    def sendto(*arguments: object) -> int:
        error = left.pop(0) if left else 0
        if not error:
            return calls.sendto(*arguments)  # type: ignore[arg-type]
        WSASetLastError(error)
        return SOCKET_ERROR

    return sendto


def send_all(s: int, port: int, *datagrams: bytes) -> None:
    for datagram in datagrams:
        assert sendto(s, datagram, len(datagram), 0, address(port), 16) == len(datagram)


def ours_after(folder: Path, *datagrams: bytes) -> tuple[Stage, list[str]]:
    """Our server, one event after these datagrams have come from one sender, and the ticks that it has kept."""
    stage = Stage("tick_server", Port=0, database=str(folder / "ticks.sqlite"))

    def script() -> Script:
        yield
        stage.peer = peer()
        send_all(stage.peer, stage.program.port, *datagrams)
        assert readable(stage.program.server)
        yield
        # What the end of the program would still read does not count.
        assert nothing_to_receive(stage.program.server)

    assert stage.play(script()) == 0
    with closing(TickStore(folder / "ticks.sqlite", reading=True)) as store:
        ticks = [tick for symbol in store.symbols() for tick in store.ticks(symbol.name)]
    return stage, [f"{tick.symbol} {price_text(tick.bid, tick.digits)}" for tick in ticks]


def texts(datagrams: list[bytes]) -> list[str]:
    return [datagram.partition(b"\0")[0].decode() for datagram in datagrams]


def test_u1_the_original_takes_one_datagram_at_each_event_and_falls_behind():
    original = OriginalServer()
    send_all(peer(), original.port, *TICKS)
    for count in range(1, len(TICKS) + 1):
        assert readable(original.server)
        original.event()
        assert original.ticks() == texts(TICKS)[:count]


def test_u1_ours_takes_all_that_wait(tmp_path):
    _, ticks = ours_after(tmp_path, *TICKS)
    assert ticks == texts(TICKS)


# Eight such datagrams fit into the buffer of the next two tests, not many more.
LARGE, SMALL_BUFFER = 1000, 16 * 1024
BURSTS = [[b"EURUSD 1.%03d\0" % (8 * burst + number) for number in range(8)] for burst in range(30)]


def shrink(server: int) -> None:
    assert setsockopt(server, SOL_SOCKET, SO_RCVBUF, u_long(SMALL_BUFFER), 4) == 0


def test_u2_the_originals_queue_overflows_and_the_newest_ticks_are_lost():
    original = OriginalServer()
    shrink(original.server)
    s = peer()
    for burst in BURSTS:
        send_all(s, original.port, *(tick.ljust(LARGE, b"\0") for tick in burst))
        original.event()
    while not nothing_to_receive(original.server):
        original.event()
    sent = [text for burst in BURSTS for text in texts(burst)]
    assert len(original.ticks()) < len(sent) / 2
    assert original.ticks()[:8] == sent[:8]
    assert sent[-1] not in original.ticks()
    assert not [text for text in original.log if text.startswith("-")]


def test_u2_ours_keeps_up_with_the_same_ticks_and_the_same_buffer():
    stage = Stage("tick_server", Port=0)

    def script() -> Script:
        yield
        shrink(stage.program.server)
        s = peer()
        for burst in BURSTS:
            send_all(s, stage.program.port, *(tick.ljust(LARGE, b"\0") for tick in burst))
            assert readable(stage.program.server)
            yield
        assert stage.program.total == sum(map(len, BURSTS))

    assert stage.play(script()) == 0


@pytest.mark.parametrize("size", [LONGEST + 1])
def test_u3_a_large_datagram_closes_the_original_and_what_is_queued_is_lost(size):
    original = OriginalServer()
    send_all(peer(), original.port, TICKS[0], b"x" * size, *TICKS[1:])
    for _ in range(len(TICKS) + 5):
        original.event()
    assert original.ticks() == texts(TICKS)[:1]
    assert original.log[1:] == ["-receive failed error: 10040"]


@pytest.mark.parametrize("size", [LONGEST + 1])
def test_u3_ours_reports_it_and_goes_on(tmp_path, size):
    stage, ticks = ours_after(tmp_path, TICKS[0], b"x" * size, *TICKS[1:])
    assert ticks == texts(TICKS)
    assert stage.errors() == [f"-datagrams longer than 1024 bytes: 1, at first from {address_of(stage.peer)}"]


def received(server: int) -> list[bytes]:
    found = []
    while not nothing_to_receive(server):
        found.append(receive(server))
    return found


def test_u4_an_error_costs_the_original_that_tick_and_the_next():
    server = peer()
    original = OriginalClient(port_of(server))
    original.sendto = fails(0, WSAENETDOWN)
    for tick in TICKS[:4]:
        original.tick(tick)
    assert readable(server)
    assert received(server) == [TICKS[0], TICKS[3]]


def test_u4_a_full_buffer_costs_the_original_a_tick_without_a_word():
    server = peer()
    original = OriginalClient(port_of(server))
    original.sendto = fails(0, WSAEWOULDBLOCK)
    for tick in TICKS[:3]:
        original.tick(tick)
    assert received(server) == [TICKS[0], TICKS[2]]
    assert original.log == ["create socket OK", "send tick to server", "send tick to server"]


@pytest.mark.parametrize("error", [WSAENETDOWN, WSAEWOULDBLOCK])
def test_u4_ours_sends_every_tick(error):
    server = peer()
    stage = Sending(port_of(server), USDJPY)
    stage.program.sendto = fails(0, error)

    def script() -> Script:
        stage.tick(110_500, 110_501, 110_502, 110_503)
        yield
        assert [receive(server) for _ in range(4)] == [b"USDJPY 110.50%d\0" % number for number in range(4)]

    assert stage.play(script()) == 0


def closed() -> int:
    """A port that was bound and is no longer."""
    s = peer()
    port = port_of(s)
    close(s)
    return port


def test_u5_the_original_never_notices_that_nobody_listens():
    original = OriginalClient(closed())
    # What Winsock has learnt of it is told to those who receive, and the original does not.
    for tick in TICKS[:4]:
        original.tick(tick)
    assert original.log == ["create socket OK"] + ["send tick to server"] * 4


@pytest.mark.wine_differs("a datagram that meets a closed port leaves no error there")
def test_u5_ours_says_it_once_where_the_network_tells():
    port = closed()
    stage = Sending(port, USDJPY)

    def script() -> Script:
        stage.tick(110_500)
        yield
        if not stage.errors():
            assert readable(stage.program.client)
        stage.tick(110_501, 110_502)
        yield

    assert stage.play(script()) == 0
    [error] = stage.errors()
    assert error.startswith(f"-Nobody listens at 127.0.0.1:{port}, ticks are lost: (#{WSAECONNRESET})")


BAD = (b"", b"EURUSD 1.1\0and more", b"no tick\0")


def test_u6_the_original_shows_no_sender_and_takes_anything_for_a_tick():
    original = OriginalServer()
    s = peer()
    send_all(s, original.port, *BAD)
    for _ in BAD:
        original.event()
    assert original.ticks() == ["", "EURUSD 1.1", "no tick"]
    assert not [text for text in original.log if address_of(s) in text]


def test_u6_ours_shows_the_sender_and_checks_the_form(tmp_path):
    stage, ticks = ours_after(tmp_path, *BAD, TICKS[0])
    sender = address_of(stage.peer)
    assert ticks == texts(TICKS)[:1]
    assert f"receive tick from client {sender}: EURUSD 1.10000" in stage.texts
    assert stage.errors() == [f"-datagrams that are no ticks: 3, at first '' (an empty datagram) from {sender}"]


def test_the_original_server_reads_our_numbered_ticks_as_plain_ones():
    original = OriginalServer()
    stage = Sending(original.port, USDJPY, sequence=True)

    def script() -> Script:
        stage.tick(110_500)
        yield
        assert readable(original.server)
        original.event()

    assert stage.play(script()) == 0
    assert original.log == ["receive tick from client: USDJPY 110.500"]


def test_our_server_reads_the_original_clients_ticks(tmp_path):
    stage = Stage("tick_server", Port=0)

    def script() -> Script:
        yield
        original = OriginalClient(stage.program.port)
        for tick in TICKS:
            original.tick(tick)
        assert readable(stage.program.server)
        yield
        assert stage.program.total == len(TICKS)

    assert stage.play(script()) == 0
