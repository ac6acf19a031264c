"""One system call of a transfer, and what its result means to Winsock.

WSAEWOULDBLOCK means that nothing could be transferred yet: transfer waits on a blocking socket and calls again.
"""

from __future__ import annotations

import errno

from winsock.constants import MSG_OOB
from winsock.errors import WSAECONNABORTED, WSAECONNRESET, WSAEMSGSIZE, WSAESHUTDOWN, WSAEWOULDBLOCK

from ..posix import system
from ..posix.declarations import MSG_TRUNC
from ..posix.errnos import winsock_error
from ..state.sockets import Socket, error_lock

_TRY_AGAIN = {errno.EAGAIN, errno.EINTR}
_CONNECTION_GONE = {
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.ECONNREFUSED,
    errno.ETIMEDOUT,
    errno.ENETRESET,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
}
_ICMP = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPROTO, errno.EACCES, errno.EOPNOTSUPP}


def receive_stream(
    sock: Socket, data: memoryview, flags: int, with_name: bool, result: int | None
) -> tuple[int, int, bytes]:
    """One system call on a stream: the bytes, the error or 0, and no name."""
    count = system.recv(sock.fd, data, flags) if result is None else result
    if count > 0 or (count == 0 and not data):
        return count, 0, b""
    if count == 0:
        return 0, _error_at_end(sock), b""
    number = -count
    nothing_yet = number in _TRY_AGAIN or (flags & MSG_OOB and number == errno.EINVAL)
    return 0, WSAEWOULDBLOCK if nothing_yet else _stream_error(sock, number), b""


def _error_at_end(sock: Socket) -> int:
    """The error that ended a stream; 0 where the peer has closed it. The kernel may not have reported it yet."""
    with error_lock:
        number = system.take_error(sock.fd)
        return _stream_error(sock, number) if number else sock.broken


def receive_datagram(
    sock: Socket, data: memoryview, flags: int, with_name: bool, result: int | None
) -> tuple[int, int, bytes]:
    """One datagram: the bytes, the error or 0, and the sender. The part that does not fit is lost (WSAEMSGSIZE)."""
    if sock.refused:
        sock.forget_refusals()
        if sock.port_reset:
            return 0, WSAECONNRESET, b""
    while True:
        name = b""
        if result is not None:
            count, result = result, None
        elif with_name:
            count, name = system.recvfrom(sock.fd, data, flags | MSG_TRUNC)
        else:
            count = system.recv(sock.fd, data, flags | MSG_TRUNC)
        if count >= 0:
            return (0, WSAEMSGSIZE, name) if count > len(data) else (count, 0, name)
        if -count in _TRY_AGAIN:
            return 0, WSAEWOULDBLOCK, b""
        if -count not in _ICMP:
            return 0, winsock_error(-count), b""
        # Of ICMP errors Winsock reports only a closed port, and that as a reset.
        sock.forget_refusals()
        if count == -errno.ECONNREFUSED and sock.port_reset:
            return 0, WSAECONNRESET, b""


def _stream_error(sock: Socket, number: int) -> int:
    """The Winsock error of a stream; the socket keeps it if the connection has ended."""
    if number == errno.EPIPE:
        # Another thread has shut down sending meanwhile; or the peer had closed, and refused what was sent later.
        return WSAESHUTDOWN if sock.send_off else sock.mark_broken(WSAECONNABORTED)
    return sock.mark_broken(winsock_error(number)) if number in _CONNECTION_GONE else winsock_error(number)


def send_once(sock: Socket, data: memoryview, flags: int, name: bytes) -> int:
    return system.sendto(sock.fd, data, flags, name) if name else system.send(sock.fd, data, flags)


def send_error(sock: Socket, number: int) -> int:
    """The Winsock error of a send that failed; 0 where it must only be repeated."""
    if number == errno.EAGAIN:
        return WSAEWOULDBLOCK
    if number == errno.EINTR:
        return 0
    if sock.stream:
        return _stream_error(sock, number)
    if number == errno.ECONNREFUSED:
        # An earlier datagram met a closed port: Winsock reports it to the next recv, not to the next send.
        sock.mark_refused()
        return 0
    return winsock_error(number)
