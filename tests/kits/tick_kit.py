"""What the tests of the tick pair share: peers on raw datagram sockets, and ticks that a script lets happen."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import sizeof

from signal_kit import Stage, address
from winsock_kit import bound, name_of, readable

from demos.terminal.interfaces import SymbolSpec, Tick
from demos.wire.addresses import address_text, find_address
from winsock import SOCK_DGRAM, SOCKET_ERROR, WSAGetLastError, recvfrom, sendto

USDJPY = SymbolSpec("USDJPY", digits=3)


def peer(port: int = 0) -> int:
    """A datagram socket, bound to this port of 127.0.0.1."""
    return bound(SOCK_DGRAM, address(port))


def address_of(s: int) -> str:
    return address_text(name_of(s))


def send_to(stage: Stage, s: int, *datagrams: bytes) -> None:
    """Send to the stage's server, and wait until the last can be read: on loopback they keep their order."""
    name = find_address(stage.program.Host, stage.program.port, SOCK_DGRAM)
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


class TickFeed:
    """A market whose ticks a script makes."""

    def __init__(self, *symbols: SymbolSpec) -> None:
        self._symbols = {spec.name: spec for spec in symbols}
        self._ticks: list[Tick] = []

    def symbols(self) -> dict[str, SymbolSpec]:
        return self._symbols

    def next_due(self) -> float:
        return 0.0 if self._ticks else 1e9

    def poll(self, now: float) -> Sequence[Tick]:
        return [self._ticks.pop(0)] if self._ticks else ()

    def add(self, symbol: str, *bids: int) -> None:
        self._ticks += [Tick(symbol, 0, bid, bid + 2) for bid in bids]


class Sending(Stage):
    """A tick client on a chart of this symbol."""

    def __init__(self, port: int, symbol: SymbolSpec, **options: object) -> None:
        super().__init__("tick_client", symbols=[symbol], quotes=(), Port=port, **options)
        self.feed = self.host.market = TickFeed(symbol)
        self._symbol = symbol.name

    def tick(self, *bids: int) -> None:
        """Let ticks happen, before time goes on at the script's next `yield`."""
        self.feed.add(self._symbol, *bids)
        self.clock.wake()
