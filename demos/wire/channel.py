"""A nonblocking stream socket with bounded buffers and time limits, for servers and clients.

The owner of a channel calls receive() when the socket is readable, send() for each piece of output, flush() when the
socket is writable, and check() at each timer event. No call waits, and each handles a bounded number of bytes, so that
no peer can keep the program in an event. Times are milliseconds of the owner's clock.

A channel ends once, with one reason. finish() ends it in order: it sends what is unsent, shuts down the sending side,
and discards what the peer still sends until the peer ends too; the owner continues to call receive() and check() until
is_closed is true. Closing a socket with unread bytes would reset the connection, and the peer would lose data that it
has not received yet. close() ends it at once.

Output is limited in three ways, because each covers a peer that the others miss: in bytes (a peer that reads slower
than the owner sends), in the time without progress (a peer that stops reading), and in the time until all of it is
sent (a peer that reads one byte now and then).
"""

from __future__ import annotations

from collections import deque
from ctypes import c_int, sizeof
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias

from winsock import (
    INVALID_SOCKET,
    IPPROTO_TCP,
    SD_SEND,
    SOCKET_ERROR,
    TCP_NODELAY,
    WSAECONNABORTED,
    WSAEWOULDBLOCK,
    WSAErrorDescript,
    WSAGetLastError,
    closesocket,
    recv,
    send,
    setsockopt,
    shutdown,
)

# How the reason of a channel begins whose socket has failed, for example after a reset.
RECEIVE_FAILED = "Receive failed error: "
SEND_FAILED = "Send failed error: "

# The peer has ended its side before, and the system has discarded what it had sent, such as its close frame.
PEER_GONE = SEND_FAILED + WSAErrorDescript(WSAECONNABORTED)

# Shared output, such as a frame for many subscribers, is not copied.
Bytes: TypeAlias = bytes | bytearray | memoryview

# What one flush() sends at most, and what one send gets at most. Windows takes all of a large piece into its buffer, so
# it would not be known for a long time whether the peer reads.
MAX_SENT = 1024 * 1024
PIECE = 64 * 1024

# Adjacent pieces below this size are joined: fewer calls and packets.
SMALL = 4096


class ChannelLimits(NamedTuple):
    """``received``: bytes that one receive() reads; ``unsent``: bytes of output; the times are milliseconds."""

    received: int = 16 * 1024
    unsent: int = 1024 * 1024
    stalled_ms: int = 30_000
    unsent_ms: int = 300_000
    drain_ms: int = 2_000


LIMITS = ChannelLimits()


class Phase(Enum):
    """How far a channel has come."""

    OPEN = "both sides may send"
    FINISHING = "the remaining output is being sent"
    DRAINING = "the sending side is shut down; the peer's end is awaited"
    CLOSED = "the socket is closed"


class Stream(Protocol):
    """What HTTP and WebSocket need: a Channel, or a TlsChannel around one."""

    @property
    def socket(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def ended(self) -> bool: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def is_closed(self) -> bool: ...
    @property
    def wants_read(self) -> bool: ...
    @property
    def wants_write(self) -> bool: ...
    @property
    def unsent(self) -> int: ...
    def receive(self, now: int) -> bytes: ...
    def send(self, data: Bytes, now: int) -> None: ...
    def flush(self, now: int) -> None: ...
    def check(self, now: int) -> None: ...
    def finish(self, reason: str, now: int) -> None: ...
    def close(self, reason: str) -> None: ...


@dataclass(eq=False, slots=True)
class Channel:
    """A connected nonblocking socket, which the channel owns.

    ``reason``: why the channel ended, or ends; empty after an end without a fault. ``ended``: the peer has shut down
    its sending side. ``unsent``: bytes of output that the system has not taken yet.
    """

    socket: int
    limits: ChannelLimits = LIMITS
    phase: Phase = Phase.OPEN
    reason: str = ""
    ended: bool = False
    unsent: int = 0
    # None while there is none: most of thousands of connections have no output.
    _output: deque[memoryview] | None = None
    _unsent_since: int = 0
    _progress_at: int = 0
    _draining_since: int = 0

    def __post_init__(self) -> None:
        # Messages are small and complete; waiting for more data only delays them. It fails only after a reset.
        setsockopt(self.socket, IPPROTO_TCP, TCP_NODELAY, c_int(1), sizeof(c_int))

    @property
    def is_open(self) -> bool:
        """Whether output is still accepted and input still returned."""
        return self.phase is Phase.OPEN

    @property
    def is_closed(self) -> bool:
        """Whether the socket is closed; the owner then forgets the channel."""
        return self.phase is Phase.CLOSED

    @property
    def wants_read(self) -> bool:
        """Whether the owner must call receive() when the socket is readable: not after the peer's end.

        A socket whose peer has ended stays readable, so an owner that waits for it would not wait at all.
        """
        return not (self.ended or self.is_closed)

    @property
    def wants_write(self) -> bool:
        """Whether the owner must call flush() when the socket becomes writable."""
        return self.unsent > 0

    def receive(self, now: int) -> bytes:
        """The bytes that have arrived, at most ``limits.received``; empty when there are none, or after the end.

        While the channel is ending, input is discarded.
        """
        if self.ended or self.is_closed:
            return b""
        buf = bytearray(self.limits.received)
        res = recv(self.socket, buf, len(buf), 0)
        if res == SOCKET_ERROR:
            err = WSAGetLastError()
            if err != WSAEWOULDBLOCK:
                # A peer that has everything may also reset the connection.
                text = "" if self.phase is Phase.DRAINING else RECEIVE_FAILED + WSAErrorDescript(err)
                self.close(text)
            return b""
        if res == 0:
            self.ended = True
            if self.phase is Phase.DRAINING:
                self.close("")
        return bytes(memoryview(buf)[:res]) if self.is_open else b""

    def send(self, data: Bytes, now: int) -> None:
        """Queue output, and send as much as the system takes now. Output of a channel that ends is discarded."""
        if not data or not self.is_open:
            return
        if self.unsent + len(data) > self.limits.unsent:
            self.close(f"the peer reads too slowly: more than {self.limits.unsent} bytes are unsent")
            return
        if self._output is None:
            self._output = deque()
            self._unsent_since = self._progress_at = now
        self._output.append(memoryview(data))
        self.unsent += len(data)
        if len(self._output) == 1:
            self._send(now)

    def flush(self, now: int) -> None:
        """Send as much of the output as the system takes now."""
        if not self.is_closed:
            self._send(now)
            if self.phase is Phase.FINISHING and not self.unsent:
                self._shut_down(now)

    def check(self, now: int) -> None:
        """Apply the time limits; call it at each timer event."""
        if self.unsent and not self.is_closed:
            self.flush(now)
        if self.is_closed:
            return
        if self.phase is Phase.DRAINING:
            if now - self._draining_since >= self.limits.drain_ms:
                self.close("")
        elif self.unsent and now - self._progress_at >= self.limits.stalled_ms:
            seconds = self.limits.stalled_ms / 1000
            self.close(f"the peer has read nothing for {seconds:g} s; {self.unsent} bytes are unsent")
        elif self.unsent and now - self._unsent_since >= self.limits.unsent_ms:
            self.close(f"the peer reads too slowly: output was unsent for {self.limits.unsent_ms / 1000:g} s")

    def finish(self, reason: str, now: int) -> None:
        """End in order; ``reason`` is empty when nothing is wrong. A second call changes nothing."""
        if not self.is_open:
            return
        self.reason = reason
        self.phase = Phase.FINISHING
        self.flush(now)

    def close(self, reason: str) -> None:
        """End at once. The first reason stays."""
        if self.is_closed:
            return
        self.reason = self.reason or reason
        self.phase = Phase.CLOSED
        self._output, self.unsent = None, 0
        closesocket(self.socket)
        self.socket = INVALID_SOCKET

    def _send(self, now: int) -> None:
        left = MAX_SENT
        while self._output and left > 0:
            piece = _next_piece(self._output)
            res = send(self.socket, piece, len(piece), 0)
            if res == SOCKET_ERROR:
                err = WSAGetLastError()
                if err != WSAEWOULDBLOCK:
                    self.close(SEND_FAILED + WSAErrorDescript(err))
                return
            _remove(self._output, res)
            self.unsent -= res
            left -= res
            self._progress_at = now
        if not self.unsent:
            self._output = None

    def _shut_down(self, now: int) -> None:
        # It fails only if the peer has ended the connection; the next recv reports that.
        shutdown(self.socket, SD_SEND)
        self.phase = Phase.DRAINING
        self._draining_since = now
        if self.ended:
            self.close("")


def _next_piece(output: deque[memoryview]) -> memoryview:
    """The next bytes to send: the first piece, joined with the following ones when it is small."""
    if len(output) > 1 and len(output[0]) < SMALL:
        parts = [output.popleft()]
        size = len(parts[0])
        while output and size + len(output[0]) <= PIECE:
            parts.append(output.popleft())
            size += len(parts[-1])
        output.appendleft(memoryview(b"".join(parts)))
    return output[0][:PIECE]


def _remove(output: deque[memoryview], count: int) -> None:
    """Remove the bytes that have been sent, all of them from the first piece."""
    if count == len(output[0]):
        output.popleft()
    else:
        output[0] = output[0][count:]
