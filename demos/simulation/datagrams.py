"""Keeps the datagrams that terminals send and receive, and reads the ticks in them without the programs' own reader."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from demos.terminal.terminal import Terminal
from winsock import SOCKET_ERROR
from winsock.simulation.dispatch import running_process


class StoredTick(NamedTuple):
    """A row of the collector's database; ``time`` is in milliseconds since 1970 UTC."""

    symbol: str
    bid: int
    digits: int
    time: int


class Datagrams:
    """What was sent, and what was received with the time of the receiving host in milliseconds since 1970 UTC."""

    def __init__(self) -> None:
        self.sent: set[bytes] = set()
        self.received: list[tuple[int, bytes]] = []

    def record_sent(self, terminal: Terminal) -> None:
        """Record the datagrams of a terminal that starts: for Setup.prepare."""
        winsock: Any = running_process().winsock
        sendto = winsock.sendto

        def recorded(s: int, buf: Any, length: int, *others: Any) -> int:
            result: int = sendto(s, buf, length, *others)
            if result != SOCKET_ERROR:
                self.sent.add(bytes(buf[:result]))
            return result

        winsock.sendto = recorded

    def record_received(self, terminal: Terminal) -> None:
        """Record the datagrams of a terminal that starts: for Setup.prepare."""
        process = running_process()
        winsock: Any = process.winsock
        recvfrom = winsock.recvfrom

        def recorded(s: int, buf: Any, *others: Any) -> int:
            result: int = recvfrom(s, buf, *others)
            if result != SOCKET_ERROR:
                self.received.append((process.utc_ns() // 1_000_000, bytes(buf[:result])))
            return result

        winsock.recvfrom = recorded


def expected_ticks(received: Iterable[tuple[int, bytes]]) -> list[StoredTick]:
    """The ticks of these datagrams in their order, each numbered tick once."""
    found = []
    seen = set()
    for time, datagram in received:
        text, mark = datagram.split(b"\0")[:2]
        if mark in seen:
            continue
        seen.add(mark)
        symbol, _, price = text.decode("ascii").rpartition(" ")
        whole, _, fraction = price.partition(".")
        found.append(StoredTick(symbol, int(whole + fraction), len(fraction), time))
    return found
