"""Keeps the datagrams that terminals send and receive, and reads the ticks in them without the programs' own reader."""

from __future__ import annotations

from collections.abc import Iterable
from ctypes import sizeof
from random import Random
from typing import Any, NamedTuple

from demos.terminal.terminal import Terminal
from demos.wire.addresses import Address, AddressError, family_of, find_address
from demos.wire.opening import CallFailed, nonblocking_socket, start_winsock
from winsock import SOCK_DGRAM, SOCKET_ERROR, closesocket, sendto
from winsock.simulation.dispatch import running_process

# What the hostile peer sends: what is no tick, what is too long, and ticks of its own. A flood has this
# many datagrams, and a pause of this many seconds precedes it.
_GARBAGE = (b"\0", b"EURUSD", b"EURUSD 1.1\0#0 1\0", bytes(range(256)), b"EURUSD nan\0", b"x" * 900)
_TOO_LONG = b"EURUSD 1.10000\0" + b"y" * 1100
_FLOOD = 120
_PAUSES = (5.0, 40.0)


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
        # The datagrams of a hostile peer, how many of them were sent and received, and the sent ones that are too long.
        self.foreign: set[bytes] = set()
        self.foreign_sent = self.foreign_received = self.oversized = 0

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
                data = bytes(buf[:result])
                self.received.append((process.utc_ns() // 1_000_000, data))
                self.foreign_received += data in self.foreign
            return result

        winsock.recvfrom = recorded


class HostileSender:
    """A peer that floods a collector with datagrams of which few are ticks; run() is the program."""

    def __init__(self, host: str, port: int, datagrams: Datagrams, chance: Random) -> None:
        self._host, self._port, self._datagrams, self._chance = host, port, datagrams, chance
        self._number = 0

    def run(self) -> None:
        """Send without end."""
        process, run = running_process(), f"{self._chance.getrandbits(64):016x}"
        start_winsock()
        while True:
            process.sleep(self._chance.uniform(*_PAUSES))
            try:
                address = find_address(self._host, self._port, SOCK_DGRAM)
                s = nonblocking_socket(family_of(address), SOCK_DGRAM)
            except (AddressError, CallFailed):
                continue
            for _ in range(_FLOOD):
                self._send(s, address, run)
            closesocket(s)

    def _send(self, s: int, address: Address, run: str) -> None:
        data = self._chance.choice((*_GARBAGE, _TOO_LONG, b""))
        if not data:
            self._number += 1
            data = b"USDJPY 150.%03d\0#%s %d\0" % (self._number % 1000, run.encode(), self._number)
        if sendto(s, data, len(data), 0, address, sizeof(address)) != SOCKET_ERROR:
            self._datagrams.sent.add(data)
            self._datagrams.foreign.add(data)
            self._datagrams.foreign_sent += 1
            self._datagrams.oversized += data == _TOO_LONG


def expected_ticks(received: Iterable[tuple[int, bytes]]) -> list[StoredTick]:
    """The ticks of these datagrams in their order, each numbered tick once."""
    found = []
    seen = set()
    for time, datagram in received:
        text, mark = datagram.split(b"\0")[:2] if datagram not in _GARBAGE else (b"", b"")
        if not mark or mark in seen:
            continue
        seen.add(mark)
        symbol, _, price = text.decode("ascii").rpartition(" ")
        whole, _, fraction = price.partition(".")
        found.append(StoredTick(symbol, int(whole + fraction), len(fraction), time))
    return found
