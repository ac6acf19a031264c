"""A peer that misbehaves in each way that TCP allows: a program without a terminal, for servers without TLS.

It opens connections and drops them, stays silent in them, sends garbage, floods, reads nothing or a byte now and then,
and resets connections inside a message. It goes on until its process ends. So what must hold of the server's clients
holds in its presence.

The buffers of its connections are far smaller than a program can make them, on both sides: so the output to a peer that
does not read fills them within a run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from ctypes import sizeof
from random import Random
from typing import Any

from demos.simulation.joined_connections import is_frozen
from demos.simulation.scenario import Violation
from demos.terminal.terminal import Terminal
from demos.wire.addresses import Address, AddressError, family_of, find_address
from demos.wire.opening import CallFailed, nonblocking_socket, start_winsock
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
    recv,
    send,
    setsockopt,
)
from winsock.simulation.dispatch import running_process
from winsock.simulation.hosts import Host

# The most connections that it has open, of a crowd at once, and of those in which it never reads.
MOST_OPEN = 12
MOST_UNREAD = 2

# Seconds: the pause before each attack, and how often a slow reader reads.
PAUSES = (1.0, 20.0)
_READS_S = 2.0
_READS = 10

# A flood: its pieces. The bytes in a small send or receive buffer.
_PIECE, _PIECES = 4096, 32
SMALL_BUFFER = 40


class HostilePeer:
    """See the head of this module; run() is the program. ``openings``: what a client of the server may send first."""

    def __init__(self, host: str, port: int, openings: Sequence[bytes], chance: Random) -> None:
        self._host, self._port, self._openings, self._chance = host, port, openings, chance
        self._open: deque[int] = deque()
        self._unread: deque[int] = deque()

    def run(self) -> None:
        """Misbehave without end."""
        habits: tuple[Callable[[], None], ...] = (
            self._crowd, self._drop, self._garbage, self._flood, self._read_nothing, self._read_slowly,
            self._reset_inside,
        )  # fmt: skip
        self._open, self._unread = deque(), deque()
        process = running_process()
        start_winsock()
        while True:
            process.sleep(self._chance.uniform(*PAUSES))
            self._chance.choice(habits)()
            for kept, most in ((self._open, MOST_OPEN), (self._unread, MOST_UNREAD)):
                while len(kept) > most:
                    self._end(kept.popleft())

    def _crowd(self) -> None:
        """Connect many times and stay silent."""
        self._open += filter(None, [self._connect() for _ in range(self._chance.randint(1, MOST_OPEN))])

    def _drop(self) -> None:
        """Drop connections before they are established."""
        for _ in range(MOST_OPEN):
            if (s := self._connect()) is not None:
                self._end(s)

    def _garbage(self) -> None:
        self._say(self._chance.randbytes(self._chance.randrange(1, 3000)))

    def _flood(self) -> None:
        self._say(*[self._chance.randbytes(_PIECE)] * _PIECES)

    def _say(self, *pieces: bytes) -> None:
        if (s := self._connected()) is not None:
            for piece in pieces:
                if send(s, piece, len(piece), 0) == SOCKET_ERROR:
                    break
            self._open.append(s)

    def _read_nothing(self) -> None:
        if (s := self._opened()) is not None:
            self._unread.append(s)

    def _read_slowly(self) -> None:
        if (s := self._opened()) is not None:
            for _ in range(_READS):
                running_process().sleep(_READS_S)
                self._read(s, 1)
            self._open.append(s)

    def _reset_inside(self) -> None:
        """Reset after a part of the first message, or when a part of the answer was read."""
        opening = self._chance.choice(self._openings)
        s = self._opened(opening[: self._chance.randint(0, len(opening))])
        if s is not None:
            running_process().sleep(1.0)
            self._read(s, 3)
            self._end(s, reset=True)

    def _opened(self, opening: bytes | None = None) -> int | None:
        """A connection with a small receive buffer, on which this was sent."""
        opening = self._chance.choice(self._openings) if opening is None else opening
        s = self._connected(small=True)
        if s is not None and opening:
            send(s, opening, len(opening), 0)
        return s

    def _connected(self, *, small: bool = False) -> int | None:
        s = self._connect(small=small)
        running_process().sleep(1.0)
        return s

    def _connect(self, *, small: bool = False) -> int | None:
        """A nonblocking socket whose connect has begun, or None."""
        try:
            address = find_address(self._host, self._port, SOCK_STREAM)
            s = client_socket(address, small=small)
        except (AddressError, CallFailed):
            return None
        if connect(s, address, sizeof(address)) == NO_ERROR or WSAGetLastError() == WSAEWOULDBLOCK:
            return s
        closesocket(s)
        return None

    def _read(self, s: int, count: int) -> None:
        recv(s, bytearray(count), count, 0)

    def _end(self, s: int, *, reset: bool = False) -> None:
        if reset or self._chance.random() < 0.5:
            setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 0), sizeof(linger))
        closesocket(s)


def client_socket(address: Address, *, small: bool) -> int:
    """A nonblocking socket for a connection to the address, if ``small`` with a small receive buffer.

    Errors: CallFailed when there is no socket.
    """
    files: Any = running_process().files
    known = set(files._files)
    s = nonblocking_socket(family_of(address), SOCK_STREAM)
    if small:
        [new] = set(files._files) - known
        files._files[new].options.receive_buffer = SMALL_BUFFER
    return s


def small_send_buffers(server: Host, hostile: Host) -> Callable[[Terminal], None]:
    """Give the server's connections from the hostile host small send buffers: for Setup.prepare of the server."""

    def prepare(terminal: Terminal) -> None:
        addresses = addresses_of(hostile)
        winsock: Any = running_process().winsock
        accept = winsock.accept

        def accept_small(*args: Any) -> int:
            s: int = accept(*args)
            connections: Any = server.stack.tcp.connections.values()
            for each in connections:
                if each.peer.ip in addresses:
                    each.options.send_buffer = SMALL_BUFFER
            return s

        winsock.accept = accept_small

    return prepare


def addresses_of(host: Host) -> set[bytes]:
    """The host's IP addresses."""
    return {each.address for each in host.interfaces}


class UnreadOutput:
    """The connections of a server to a host that reads nothing: it must end them after its limit, in seconds."""

    def __init__(self, server: Host, name: str, hostile: Host, limit: float) -> None:
        self._server, self._name, self._limit = server, name, limit
        self._hostile = addresses_of(hostile)
        # By the server's and the peer's address, the number of the oldest byte in the send buffer, and since when.
        self._full: dict[tuple[object, object], tuple[int, float]] = {}

    def check(self, now: float) -> Iterator[Violation]:
        """Look once in each second."""
        frozen = is_frozen(self._server, self._name)
        before, self._full = self._full, {}
        connections: Any = self._server.stack.tcp.connections.values()
        for each in connections:
            if each.peer.ip not in self._hostile or each.socket is None or len(each.sending.data) < SMALL_BUFFER:
                continue
            ends = (each.local, each.peer)
            oldest, since = before.get(ends, (0, now))
            if frozen or oldest != each.sending.oldest:
                since = now
            self._full[ends] = (each.sending.oldest, since)
            if now - since > self._limit:
                yield Violation(
                    "a peer that does not read is dropped", f"the connection to {each.peer} is full since {since} s"
                )
