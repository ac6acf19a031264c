"""What the tests of the tick programs share: peers on datagram sockets, a scripted market, models of the originals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ctypes import c_int, sizeof

import pytest
from signal_kit import Stage, address
from winsock_kit import bound, name_of, readable, set_nonblocking

import winsock as calls
from demos.collector.recorder import TickRecorder
from demos.collector.store import Batch
from demos.terminal.interfaces import Clock, SymbolSpec, Tick
from demos.wire.addresses import address_text
from winsock import (
    AF_INET,
    INVALID_SOCKET,
    IPPROTO_UDP,
    SOCK_DGRAM,
    SOCKET_ERROR,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    WSASetLastError,
    closesocket,
    getsockname,
    recvfrom,
    sendto,
    sockaddr_in,
    sockaddr_in6,
    socket,
)

USDJPY = SymbolSpec("USDJPY", digits=3)


@pytest.fixture
def receiver(started: None) -> Iterator[int]:
    """A datagram socket to which a client sends."""
    s = peer()
    yield s
    closesocket(s)


def peer(port: int = 0) -> int:
    """A datagram socket, bound to this port of 127.0.0.1."""
    return bound(SOCK_DGRAM, address(port))


def address_of(s: int) -> str:
    return address_text(name_of(s))


def bound_name(s: int) -> sockaddr_in | sockaddr_in6:
    """The local address of an IPv4 or IPv6 socket."""
    name = sockaddr_in6()
    assert getsockname(s, name, c_int(sizeof(name))) == 0, WSAGetLastError()
    return sockaddr_in.from_buffer_copy(bytes(name)[: sizeof(sockaddr_in)]) if name.sin6_family == AF_INET else name


def send_to(stage: Stage, s: int, *datagrams: bytes) -> None:
    """Send to the stage's server, and wait until the last can be read: on loopback they keep their order."""
    name = bound_name(stage.program.server)
    for datagram in datagrams:
        assert sendto(s, datagram, len(datagram), 0, name, sizeof(name)) == len(datagram), WSAGetLastError()
    assert readable(stage.program.server)


def receive(s: int) -> bytes:
    """The next datagram."""
    assert readable(s)
    buf = bytearray(2048)
    size = recvfrom(s, buf, len(buf), 0, None, None)
    assert size != SOCKET_ERROR, WSAGetLastError()
    return bytes(buf[:size])


def nothing_to_receive(s: int) -> bool:
    return not readable(s, 0)


def fail_calls(stage: Stage, call: str, *errors: int, result: int = SOCKET_ERROR) -> None:
    """Make the program's next calls fail with these errors; 0 lets one call work."""
    # WSAStartup returns the error itself.
    results = [error if call == "WSAStartup" else result for error in errors]
    setattr(stage.program, call, failing(getattr(stage.program, call), *errors, results=results))


def failing(call: Callable[..., int], *errors: int, results: Sequence[int] = ()) -> Callable[..., int]:
    """The call, which first fails with these errors; 0 lets one call work."""
    left = list(zip(errors, results or [SOCKET_ERROR] * len(errors), strict=True))

    def called(*arguments: object) -> int:
        error, result = left.pop(0) if left else (0, 0)
        if not error:
            return call(*arguments)
        WSASetLastError(error)
        return result

    return called


def commit(recorder: TickRecorder, time: int) -> Batch:
    """End the recorder's event at this time, and store it."""
    batch = recorder.end_event(time)
    recorder.store()
    return batch


class TickFeed:
    """A market whose ticks a script makes. While it has none, time moves on by a second, also without a timer."""

    def __init__(self, clock: Clock, *symbols: SymbolSpec) -> None:
        self._clock = clock
        self._symbols = {spec.name: spec for spec in symbols}
        self._ticks: list[Tick] = []

    def symbols(self) -> dict[str, SymbolSpec]:
        return self._symbols

    def select(self, name: str) -> bool:
        return name in self._symbols

    def next_due(self) -> float:
        return 0.0 if self._ticks else self._clock.monotonic() + 1.0

    def poll(self, now: float) -> Sequence[Tick]:
        return [self._ticks.pop(0)] if self._ticks else ()

    def add(self, symbol: str, *bids: int) -> None:
        self._ticks += [Tick(symbol, 0, bid, bid + 2) for bid in bids]


class TickStage(Stage):
    """A terminal with a program that sends the ticks of this symbol: tick_sender or tick_client."""

    def __init__(self, port: int, symbol: SymbolSpec, program: str = "tick_sender", **options: object) -> None:
        super().__init__(program, symbols=[symbol], quotes=(), Port=port, **options)
        self.feed = self.host.market = TickFeed(self.clock, symbol)
        self._symbol = symbol.name

    def tick(self, *bids: int) -> None:
        """Make ticks happen, before time continues at the script's next `yield`."""
        self.feed.add(self._symbol, *bids)
        self.clock.wake()


class OriginalServer:
    """A model of the article's server: one datagram at each event; any error but one closes the socket."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.server = peer()
        self.port = int(address_of(self.server).rpartition(":")[2])
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
    """A model of the article's client: a tick without a socket only creates it; an error closes it."""

    def __init__(self, port: int) -> None:
        self.log: list[str] = []
        self.sendto: Callable[..., int] = calls.sendto
        self.to = address(port)
        self.client = INVALID_SOCKET
        self.tick(b"")

    def tick(self, data: bytes) -> None:
        if self.client == INVALID_SOCKET:
            self.client = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)
            set_nonblocking(self.client)
            self.log.append("create socket OK")
        elif self.sendto(self.client, data, len(data), 0, self.to, 16) != SOCKET_ERROR:
            self.log.append("send tick to server")
        elif WSAGetLastError() != WSAEWOULDBLOCK:
            self.log.append(f"-Send failed error: {WSAGetLastError()}")
            closesocket(self.client)
            self.client = INVALID_SOCKET
