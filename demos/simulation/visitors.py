"""Peers that misbehave: a program without a terminal that connects to a server and wastes its time.

It opens connections, stays silent in them, sends bytes that are no protocol, stops in the middle of a TLS record, reads
nothing, and resets. A server must not serve its clients later because of it, and must end these connections in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from ctypes import sizeof
from random import Random

from demos.simulation.certificate import simulated_certificate
from demos.simulation.hostile_peers import client_socket
from demos.simulation.process_context import process_context
from demos.simulation.provider.rogue import Prey, Rogue
from demos.wire.addresses import Address, AddressError, find_address
from demos.wire.connecting import begin_connect
from demos.wire.opening import CallFailed, start_winsock
from winsock import (
    NO_ERROR,
    SO_LINGER,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    closesocket,
    connect,
    linger,
    send,
    setsockopt,
)
from winsock.simulation.dispatch import running_process

# The connections that one visitor has open; the oldest is closed for a new one. The pauses before each are in seconds.
MOST_OPEN = 6
PAUSES = (2.0, 15.0)

# Of an intruder, in seconds: the longest pause before a connection, and how long it listens or does not read.
PAUSE_S = 40.0
LISTEN_S = 15.0
SLOW_S = 90.0

# Messages that no hub expects, and how many of them are sent at once.
NONSENSE = (
    "{}",
    "[1]",
    '{"type":"nonsense"}',
    '{"type":"hello","version":99}',
    '{"type":"error","code":"a","text":"b"}',
)
FLOOD = 400

# The first bytes of a TLS handshake record of 512 bytes.
_HALF_RECORD = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def visit(host: str, port: int) -> None:
    """Misbehave at a server until the process ends; a pause precedes each connection."""
    process = running_process()
    chance = process.random
    start_winsock()
    opened: deque[int] = deque()
    while True:
        process.sleep(chance.uniform(*PAUSES))
        try:
            s, error = begin_connect(find_address(host, port, SOCK_STREAM))
        except (AddressError, CallFailed):
            continue
        if error != NO_ERROR:
            closesocket(s)
            continue
        opened.append(s)
        process.sleep(1.0)
        chance.choice(_HABITS)(s, chance)
        if len(opened) > MOST_OPEN:
            _end(opened.popleft(), chance)


def _silence(s: int, chance: Random) -> None:
    """Send nothing."""


def _garbage(s: int, chance: Random) -> None:
    data = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 400)))
    send(s, data, len(data), 0)


def _half_a_record(s: int, chance: Random) -> None:
    send(s, _HALF_RECORD, len(_HALF_RECORD), 0)


def _plain_request(s: int, chance: Random) -> None:
    data = b"GET / HTTP/1.1\r\nHost: server\r\n"
    send(s, data, len(data), 0)


_HABITS: tuple[Callable[[int, Random], None], ...] = (_silence, _garbage, _half_a_record, _plain_request)


def _end(s: int, chance: Random) -> None:
    if chance.random() < 0.5:
        setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 0), sizeof(linger))
    closesocket(s)


class Intruder(Rogue):
    """A peer that opens WebSockets at a hub, over TLS, and misbehaves in them; run() is the program.

    ``hello`` is the first message of a client of the hub.
    """

    def __init__(self, host: str, port: int, hello: str, chance: Random) -> None:
        pin = simulated_certificate().fingerprint
        super().__init__(Prey(host, port, port, pin, "", "", ""), chance, PAUSE_S)
        self._hello = hello
        # Whether connections get small receive buffers.
        self._small = False

    def run(self) -> None:
        """Misbehave without end."""
        habits = (self._say_nothing, self._say_nonsense, self._flood, self._read_nothing, self._garbage)
        process = running_process()
        with process_context():
            start_winsock()
            while True:
                process.sleep(self._chance.uniform(1.0, self._pause))
                self._chance.choice(habits)()

    def _say_nothing(self) -> None:
        if (websocket := self._open()) is not None:
            self._listen(websocket, "", LISTEN_S)
            websocket.stream.close("")

    def _say_nonsense(self) -> None:
        self._say([self._hello, self._chance.choice(NONSENSE)])

    def _flood(self) -> None:
        self._say([self._hello] + [self._chance.choice(NONSENSE)] * FLOOD)

    def _say(self, texts: list[str]) -> None:
        if (websocket := self._open()) is not None:
            for text in texts:
                websocket.send_text(text, round(running_process().monotonic() * 1000))
            self._listen(websocket, "", LISTEN_S)
            websocket.stream.close("")

    def _read_nothing(self) -> None:
        self._small = True
        websocket = self._open()
        self._small = False
        if websocket is not None:
            websocket.send_text(self._hello, round(running_process().monotonic() * 1000))
            running_process().sleep(SLOW_S)
            websocket.stream.close("")

    def _begin_connect(self, address: Address) -> tuple[int, int]:
        s = client_socket(address, small=self._small)
        if connect(s, address, sizeof(address)) == SOCKET_ERROR and WSAGetLastError() != WSAEWOULDBLOCK:
            return s, WSAGetLastError()
        return s, NO_ERROR
