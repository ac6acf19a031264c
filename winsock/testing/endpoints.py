"""A peer's sockets: a connection and a socket for datagrams. The conversation records what they send and receive.

A connection stores what has arrived in `unread` until a step takes it. It remembers the end of the other side's stream
and a reset; a step that notices one of them later still sees it.
"""

from __future__ import annotations

from collections import deque
from ctypes import c_int, c_uint32

from winsock.constants import (
    FIONBIO,
    IPPROTO_TCP,
    SD_SEND,
    SO_LINGER,
    SOCKET_ERROR,
    SOL_SOCKET,
    TCP_NODELAY,
)
from winsock.errors import (
    WSAECONNABORTED,
    WSAECONNREFUSED,
    WSAECONNRESET,
    WSAENETRESET,
    WSAEWOULDBLOCK,
    WSAErrorDescript,
)
from winsock.structures import linger, sockaddr_storage

from .addresses import shown
from .conversation import Conversation
from .surroundings import Failure, Surroundings, TimeLimitReached, call, wait_until_ready

__all__ = ["Connection", "ConnectionReset", "DatagramSocket", "set_nonblocking"]

_LARGEST_DATAGRAM = 65_535
# Windows takes any number of bytes in one call, although its send buffer is smaller.
_LARGEST_SEND = 65_536
_RESETS = (WSAECONNRESET, WSAECONNABORTED, WSAENETRESET)


class ConnectionReset(Failure):
    """The other side has reset the connection."""

    def __init__(self) -> None:
        super().__init__("the other side reset the connection")


def set_nonblocking(surroundings: Surroundings, s: int) -> None:
    call(surroundings.calls, "ioctlsocket", surroundings.calls.ioctlsocket(s, FIONBIO, c_uint32(1)))


class _Endpoint:
    """A nonblocking socket of a peer."""

    def __init__(self, surroundings: Surroundings, conversation: Conversation, s: int) -> None:
        self.s = s
        self._surroundings, self._conversation = surroundings, conversation
        self._calls = surroundings.calls
        set_nonblocking(surroundings, s)

    def receive(self) -> bool:
        """Take what has arrived; whether there was something."""
        raise NotImplementedError

    def wait_for_more(self, deadline: float) -> bool:
        """Wait until something arrives, or a stream ends or is reset: False once the deadline has come."""
        readable, _ = wait_until_ready(self._surroundings, self.s, read=True, write=False, deadline=deadline)
        if readable:
            self.receive()
        return readable

    def _close(self, deadline: float, event: str) -> None:
        """Close the socket. What has arrived is taken first: unread data would turn the end of a stream into a reset.

        A side that sends without end is not read for longer than until the deadline.
        """
        while self.receive() and self._surroundings.now() < deadline:
            self._surroundings.check()
        self._calls.closesocket(self.s)
        self._conversation.note(event)


class Connection(_Endpoint):
    """A connected stream socket."""

    def __init__(self, surroundings: Surroundings, conversation: Conversation, s: int) -> None:
        super().__init__(surroundings, conversation, s)
        self._buffer = bytearray(65_536)
        self.unread = bytearray()
        self.ended = self.was_reset = False
        # A piece is sent at once and not together with the next one.
        self._calls.setsockopt(s, IPPROTO_TCP, TCP_NODELAY, c_int(1), 4)

    @property
    def can_receive(self) -> bool:
        return not self.ended and not self.was_reset

    def receive(self, most: int = 65_536) -> bool:
        """Take what has arrived, at most this many bytes; whether there was something, an end or a reset."""
        if not self.can_receive:
            return False
        count = self._calls.recv(self.s, self._buffer, min(most, len(self._buffer)), 0)
        if count > 0:
            self.unread += self._buffer[:count]
            self._conversation.add("received", bytes(self._buffer[:count]))
        elif count == 0:
            self.ended = True
            self._conversation.note("the other side ended its stream")
        else:
            return self._receive_error(self._calls.WSAGetLastError())
        return True

    def _receive_error(self, error: int) -> bool:
        if error == WSAEWOULDBLOCK:
            return False
        if error not in _RESETS:
            raise Failure(f"recv failed: {WSAErrorDescript(error)}")
        self._note_reset()
        return True

    def _note_reset(self) -> None:
        if not self.was_reset:
            self.was_reset = True
            self._conversation.note("the other side reset the connection")

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of the data, and meanwhile take what arrives.

        Errors: ConnectionReset. TimeLimitReached.
        """
        sent = 0
        while sent < len(data):
            can_read, can_write = wait_until_ready(
                self._surroundings, self.s, read=self.can_receive, write=True, deadline=deadline
            )
            if can_read:
                self.receive()
            if self.was_reset:
                raise ConnectionReset
            if can_write:
                sent += self._send_some(data[sent : sent + _LARGEST_SEND])
            # The other side may send without end, so that the wait alone would not end.
            elif not can_read or self._surroundings.now() > deadline:
                raise TimeLimitReached(f"the other side takes no more data: {sent} of {len(data)} bytes were sent")

    def _send_some(self, data: bytes) -> int:
        count = self._calls.send(self.s, data, len(data), 0)
        if count != SOCKET_ERROR:
            self._conversation.add("sent", data[:count])
            return count
        error = self._calls.WSAGetLastError()
        if error == WSAEWOULDBLOCK:
            return 0
        if error in _RESETS:
            self._note_reset()
            raise ConnectionReset
        raise Failure(f"send failed: {WSAErrorDescript(error)}")

    def half_close(self) -> None:
        call(self._calls, "shutdown", self._calls.shutdown(self.s, SD_SEND))
        self._conversation.note("the peer ended its stream")

    def close(self, deadline: float) -> None:
        """Close the connection in an orderly way."""
        self._close(deadline, "the peer closed the connection")

    def reset(self, deadline: float) -> None:
        """Reset the connection."""
        self._calls.setsockopt(self.s, SOL_SOCKET, SO_LINGER, linger(1, 0), 4)
        self._close(deadline, "the peer reset the connection")


class DatagramSocket(_Endpoint):
    """A bound datagram socket. Its destination is a fixed one, or the sender of the last datagram."""

    def __init__(
        self, surroundings: Surroundings, conversation: Conversation, s: int, destination: bytes | None
    ) -> None:
        super().__init__(surroundings, conversation, s)
        self._fixed, self._destination = destination is not None, destination
        # Each datagram with the address of its sender.
        self.unread: deque[tuple[bytes, bytes]] = deque()

    def take(self) -> bytes:
        """The next datagram that has arrived; its sender becomes the destination, unless there is a fixed one."""
        data, sender = self.unread.popleft()
        if not self._fixed:
            self._destination = sender
        return data

    def receive(self) -> bool:
        """Take a datagram that has arrived; whether there was one, or an error of an earlier one."""
        buffer, name, length = bytearray(_LARGEST_DATAGRAM), sockaddr_storage(), c_int(128)
        count = self._calls.recvfrom(self.s, buffer, len(buffer), 0, name, length)
        if count != SOCKET_ERROR:
            sender = bytes(name)[: length.value]
            self.unread.append((bytes(buffer[:count]), sender))
            self._conversation.add("received", bytes(buffer[:count]))
            self._conversation.note(f"  in a datagram from {shown(sender)}")
            return True
        error = self._calls.WSAGetLastError()
        if error in (*_RESETS, WSAECONNREFUSED):
            # An earlier datagram has reached a closed port.
            self._conversation.note("a datagram of the peer reached a closed port")
            return True
        if error != WSAEWOULDBLOCK:
            raise Failure(f"recvfrom failed: {WSAErrorDescript(error)}")
        return False

    def send(self, data: bytes, deadline: float) -> None:
        """Send one datagram.

        Errors: Failure.
        """
        while True:
            _, can_write = wait_until_ready(self._surroundings, self.s, read=False, write=True, deadline=deadline)
            if not can_write:
                raise TimeLimitReached("the socket takes no more datagrams")
            to = self._destination or b""
            count = self._calls.sendto(self.s, data, len(data), 0, to, len(to))
            if count != SOCKET_ERROR:
                self._conversation.add("sent", data)
                self._conversation.note(f"  in a datagram to {shown(to)}")
                return
            error = self._calls.WSAGetLastError()
            if error not in (WSAEWOULDBLOCK, *_RESETS, WSAECONNREFUSED):
                raise Failure(f"sendto failed: {WSAErrorDescript(error)}")

    def close(self, deadline: float) -> None:
        """Close the socket."""
        self._close(deadline, "the peer closed its socket")
