"""recv, recvfrom. The order of the checks, and when a call waits, is explained in transfer."""

from __future__ import annotations

import errno
from typing import Any

from winsock.arguments import as_int, as_output_buffer, socket_handle
from winsock.constants import MSG_OOB, MSG_PEEK, MSG_WAITALL, SO_OOBINLINE, SO_RCVTIMEO, SOL_SOCKET
from winsock.errors import (
    WSAECONNRESET,
    WSAEFAULT,
    WSAEINVAL,
    WSAEMSGSIZE,
    WSAENOTCONN,
    WSAEOPNOTSUPP,
    WSAESHUTDOWN,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
)
from winsock.structures import Buffer, IntRef

from ..posix import system
from ..posix.declarations import MSG_TRUNC
from ..posix.errnos import winsock_error
from ..posix.sockaddr_layout import SIZE
from ..posix.waiting import POLLIN
from ..state.handles import find
from ..state.last_error import fail
from ..state.sockets import CONNECTED, Socket, error_lock
from ..state.waiters import SocketWait
from . import pointers
from .sockaddr_arguments import put_name
from .transfer import KNOWN_FLAGS, NO_BYTES, closed_error, stream_error

_KERNEL_FLAGS = MSG_OOB | MSG_PEEK
_TRY_AGAIN = {errno.EAGAIN, errno.EINTR}
_ICMP = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPROTO, errno.EACCES, errno.EOPNOTSUPP}


def recv(s: int, buf: Buffer | None, len: int, flags: int) -> int:
    handle, length, bits = socket_handle(s), as_int(len), as_int(flags)
    data = NO_BYTES if buf is None else as_output_buffer(buf)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if not 0 <= length <= data.nbytes:
        return fail(WSAEFAULT)
    return _receive(sock, data[:length], bits)[0]


def recvfrom(s: int, buf: Buffer | None, len: int, flags: int, from_: Buffer | None, fromlen: IntRef | None) -> int:
    handle, length, bits = socket_handle(s), as_int(len), as_int(flags)
    data = NO_BYTES if buf is None else as_output_buffer(buf)
    address = None if from_ is None else pointers.as_output_buffer(from_)
    ref = None if fromlen is None else pointers.integer_ref(fromlen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if not 0 <= length <= data.nbytes or (address is not None and not _has_room(sock, address, ref)):
        return fail(WSAEFAULT)
    count, name = _receive(sock, data[:length], bits, address is not None)
    if name and address is not None:
        put_name(name, address, ref)
    return count


def resume_recv(sock: Socket, s: int, buf: Buffer, len: int, flags: int, result: int) -> int:
    """Continues recv after its first system call, which has returned `result`: a count, or minus the errno."""
    return _receive(sock, as_output_buffer(buf)[:len], flags, result=result)[0]


def resume_recvfrom(
    sock: Socket, s: int, buf: Buffer, len: int, flags: int, from_: Buffer, fromlen: IntRef, result: int
) -> int:
    """As resume_recv; where a datagram came, its sender is in `from_` already."""
    count, name = _receive(sock, as_output_buffer(buf)[:len], flags, True, result)
    if name:
        put_name(name, as_output_buffer(from_), fromlen)
    return count


def _has_room(sock: Socket, address: memoryview, length: Any) -> bool:
    """Whether recvfrom's address buffer is long enough. A stream does not fill it, but refuses a wrong length."""
    if length is None:
        return sock.stream
    least = 0 if sock.stream else SIZE[sock.family]
    return bool(least <= length.value <= len(address))


def _receive(
    sock: Socket, data: memoryview, flags: int, with_name: bool = False, result: int | None = None
) -> tuple[int, bytes]:
    """Receives into `data`, and waits if the socket is blocking. Returns the call's result and a datagram's sender.

    `result` is the result of a system call that was already made, in the form of posix.system.recv. The sender is b""
    unless `with_name` is set and a datagram has arrived.
    """
    nonblocking = sock.nonblocking
    error = _flags_error(sock, flags) or (_cannot_receive(sock) if result is None else 0)
    if error:
        return fail(error), b""
    receive_once, received = _receive_stream if sock.stream else _receive_datagram, 0
    with SocketWait(sock, POLLIN, sock.options.get((SOL_SOCKET, SO_RCVTIMEO), 0)) as wait:
        while True:
            count, error, name = receive_once(sock, data, flags & _KERNEL_FLAGS, with_name, result)
            if not error:
                received += count
                if not flags & MSG_WAITALL or count in (0, len(data)):
                    return received, name
                data = data[count:]
            elif error != WSAEWOULDBLOCK or nonblocking or flags & MSG_OOB:
                return fail(error), name
            elif not wait.until_ready():
                return fail(WSAETIMEDOUT), b""
            if sock.closed:
                return fail(closed_error(sock)), b""
            result = None


def _flags_error(sock: Socket, flags: int) -> int:
    """The error of flags that this socket does not take, or 0."""
    if flags & ~KNOWN_FLAGS:
        return WSAEOPNOTSUPP
    if flags & MSG_WAITALL and (sock.nonblocking or not sock.stream or flags & (MSG_PEEK | MSG_OOB)):
        return WSAEOPNOTSUPP
    if not flags & MSG_OOB:
        return 0
    if not sock.stream:
        return WSAEOPNOTSUPP
    return WSAEINVAL if sock.options.get((SOL_SOCKET, SO_OOBINLINE)) else 0


def _cannot_receive(sock: Socket) -> int:
    """The error that the socket's state gives to recv, or 0."""
    sock.update_connect_state()
    if sock.stream and sock.state != CONNECTED:
        return WSAENOTCONN
    if sock.receive_off:
        return WSAESHUTDOWN
    return sock.broken if sock.bound else WSAEINVAL


def _receive_stream(
    sock: Socket, data: memoryview, flags: int, with_name: bool, result: int | None
) -> tuple[int, int, bytes]:
    """One system call on a stream: the bytes, the error or 0, and no name. WSAEWOULDBLOCK: there is nothing yet."""
    count = system.recv(sock.fd, data, flags) if result is None else result
    if count > 0 or (count == 0 and not data):
        return count, 0, b""
    if count == 0:
        return 0, _error_at_end(sock), b""
    number = -count
    nothing_yet = number in _TRY_AGAIN or (flags & MSG_OOB and number == errno.EINVAL)
    return 0, WSAEWOULDBLOCK if nothing_yet else stream_error(sock, number), b""


def _error_at_end(sock: Socket) -> int:
    """The error that ended a stream; 0 where the peer has closed it. The kernel may not have reported it yet.

    Or it has reported it to another thread, which has not marked the socket yet: then the connection's state shows the
    reset, unless this side has ended the stream too, as another process may have done after a fork.
    """
    with error_lock:
        number = system.take_error(sock.fd)
        if number:
            return stream_error(sock, number)
        # send_off after the state: it is set before this side ends the stream.
        if not sock.broken and system.is_connection_gone(sock.fd) and not (sock.send_off or sock.shared):
            sock.mark_broken(WSAECONNRESET)
        return sock.broken


def _receive_datagram(
    sock: Socket, data: memoryview, flags: int, with_name: bool, result: int | None
) -> tuple[int, int, bytes]:
    """One datagram: the bytes, the error or 0, and the sender. WSAEWOULDBLOCK: there is nothing yet.

    The part that does not fit is lost (WSAEMSGSIZE).
    """
    if sock.extra and result is None:
        return _receive_from_any(sock, data, flags, with_name)
    return _receive_from(sock, sock.fd, data, flags, with_name, result)


def _receive_from_any(sock: Socket, data: memoryview, flags: int, with_name: bool) -> tuple[int, int, bytes]:
    """One datagram from any descriptor of the socket (see state.groups)."""
    for descriptor in sock.readable_descriptors():
        count, error, name = _receive_from(sock, descriptor.fd, data, flags, with_name, None)
        left_meanwhile = descriptor is not sock and descriptor.fd < 0
        if error != WSAEWOULDBLOCK and not left_meanwhile:
            sock.received_from(descriptor, peeked=bool(flags & MSG_PEEK))
            return count, error, name
    return 0, WSAEWOULDBLOCK, b""


def _receive_from(
    sock: Socket, fd: int, data: memoryview, flags: int, with_name: bool, result: int | None
) -> tuple[int, int, bytes]:
    """One datagram from one descriptor of the socket."""
    if sock.refused:
        sock.forget_refusals()
        if sock.port_reset:
            return 0, WSAECONNRESET, b""
    while True:
        name = b""
        if result is not None:
            count, result = result, None
        elif with_name:
            count, name = system.recvfrom(fd, data, flags | MSG_TRUNC)
        else:
            count = system.recv(fd, data, flags | MSG_TRUNC)
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
