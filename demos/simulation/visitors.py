"""Peers that misbehave: a program without a terminal that connects to a server and wastes its time.

It opens connections, stays silent in them, sends bytes that are no protocol, stops in the middle of a TLS record, reads
nothing, and resets. A server must not serve its clients later because of it, and must end these connections in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from ctypes import sizeof
from random import Random

from demos.wire.addresses import AddressError, find_address
from demos.wire.connecting import begin_connect
from demos.wire.opening import CallFailed, start_winsock
from winsock import (
    NO_ERROR,
    SO_LINGER,
    SOCK_STREAM,
    SOL_SOCKET,
    closesocket,
    linger,
    send,
    setsockopt,
)
from winsock.simulation.dispatch import running_process

# The connections that one visitor has open; the oldest is closed for a new one.
MOST_OPEN = 6

# The first bytes of a TLS handshake record of 512 bytes.
_HALF_RECORD = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def visit(host: str, port: int, pauses: tuple[float, float] = (2.0, 15.0)) -> None:
    """Misbehave at a server until the process ends; a pause in seconds, within ``pauses``, precedes each connection."""
    process = running_process()
    chance = process.random
    start_winsock()
    opened: deque[int] = deque()
    while True:
        process.sleep(chance.uniform(*pauses))
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
