"""send, sendto, and send_many of winsock.batch. The order of the checks is explained in transfer."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from winsock.arguments import as_input_buffer, as_int, as_sequence, socket_handle
from winsock.constants import MSG_DONTROUTE, MSG_OOB, SO_SNDTIMEO, SOCKET_ERROR, SOL_SOCKET
from winsock.errors import (
    WSAEFAULT,
    WSAEMSGSIZE,
    WSAENOTCONN,
    WSAEOPNOTSUPP,
    WSAESHUTDOWN,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
)
from winsock.structures import ConstBuffer

from ..posix import system
from ..posix.errnos import winsock_error
from ..posix.sockaddr_layout import SIZE
from ..posix.waiting import POLLOUT
from ..state.core import get_last_error
from ..state.handles import find
from ..state.last_error import fail
from ..state.sockets import CONNECTED, Socket, release_unused_port
from ..state.waiters import SocketWait, notify_state_change
from . import pointers
from .address_rules import DISCARD, KERNEL, rule_of_sendto
from .sockaddr_arguments import checked_name
from .transfer import KNOWN_FLAGS, NO_BYTES, closed_error, stream_error

_KERNEL_FLAGS = MSG_OOB | MSG_DONTROUTE
_LARGEST_DATAGRAM = 65507


def send(s: int, buf: ConstBuffer | None, len: int, flags: int) -> int:
    return sendto(s, buf, len, flags, None, 0)


def sendto(s: int, buf: ConstBuffer | None, len: int, flags: int, to: ConstBuffer | None, tolen: int) -> int:
    handle, length, bits = socket_handle(s), as_int(len), as_int(flags)
    data = NO_BYTES if buf is None else as_input_buffer(buf)
    address = None if to is None else pointers.as_input_buffer(to)
    address_length = as_int(tolen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    name = b"" if address is None else _destination(sock, address, address_length)
    if name is None or not 0 <= length <= data.nbytes:
        return fail(WSAEFAULT)
    error = _flags_error(sock, bits) or _cannot_send(sock, bool(name))
    rule = error or (rule_of_sendto(sock, name) if name else KERNEL)
    if rule == DISCARD:
        return _send_to_port_0(sock, length)
    if rule:
        return fail(rule)
    return _transmit(sock, data[:length], bits & _KERNEL_FLAGS, name)


def send_many(sockets: Sequence[int], buf: ConstBuffer | None, len: int, flags: int) -> list[int]:
    """One send for each socket: its count, or minus its error (see winsock.batch)."""
    results = []
    # A copy: the __index__ method of an item may change the list.
    sockets = tuple(as_sequence(sockets))
    for s in sockets:
        count = send(s, buf, len, flags)
        results.append(-get_last_error() if count == SOCKET_ERROR else count)
    return results


def resume_send(sock: Socket, s: int, buf: ConstBuffer, len: int, flags: int, result: int) -> int:
    """Continues send after its first system call, which has returned `result`: a count, or minus the errno."""
    return _transmit(sock, as_input_buffer(buf)[:len], flags, b"", result)


def resume_sendto(
    sock: Socket, s: int, buf: ConstBuffer, len: int, flags: int, to: ConstBuffer, tolen: int, result: int
) -> int:
    """As resume_send, for sendto."""
    name = _destination(sock, as_input_buffer(to), tolen) or b""
    return _transmit(sock, as_input_buffer(buf)[:len], flags, name, result)


def _destination(sock: Socket, address: memoryview, length: int) -> bytes | None:
    """The address of a datagram; b"" on a stream, which ignores a valid buffer. None means WSAEFAULT."""
    if not 0 <= length <= address.nbytes:
        return None
    return b"" if sock.stream else checked_name(sock, address, length)


def _flags_error(sock: Socket, flags: int) -> int:
    """The error of flags that this socket does not take, or 0."""
    return WSAEOPNOTSUPP if flags & ~KNOWN_FLAGS or (flags & MSG_OOB and not sock.stream) else 0


def _cannot_send(sock: Socket, addressed: bool) -> int:
    """The error that the socket's state gives to send, or 0."""
    sock.update_connect_state()
    if sock.stream and sock.state != CONNECTED:
        return WSAENOTCONN
    if sock.stream and sock.receive_off and sock.abort_if_unread():
        notify_state_change(sock)
    if sock.send_off:
        return WSAESHUTDOWN
    return sock.broken if addressed or sock.state == CONNECTED else WSAENOTCONN


def _send_to_port_0(sock: Socket, length: int) -> int:
    """Winsock accepts such a datagram and discards it; the kernel would refuse it."""
    if length > _LARGEST_DATAGRAM:
        return fail(WSAEMSGSIZE)
    if not sock.bound:
        system.bind(sock.fd, sock.family.to_bytes(2, "little") + bytes(SIZE[sock.family] - 2))
        sock.mark_bound()
    return length


def _transmit(sock: Socket, data: memoryview, flags: int, name: bytes, result: int | None = None) -> int:
    """Sends all of `data` if the socket is blocking, else what fits; to the address `name` unless that is b"".

    The caller has checked the socket's state. `result` is the result of a system call that was already made, in the
    form of posix.system.send.
    """
    sent, nonblocking = 0, sock.nonblocking
    with SocketWait(sock, POLLOUT, sock.options.get((SOL_SOCKET, SO_SNDTIMEO), 0)) as wait:
        while True:
            count = _send_once(sock, data, flags, name) if result is None else result
            if count >= 0:
                sent += count
                if not sock.bound:
                    sock.mark_bound()
                    notify_state_change(sock)
                if count == len(data) or nonblocking or not sock.stream:
                    return sent
                data = data[count:]
            else:
                error = _send_error(sock, -count)
                if error == WSAEWOULDBLOCK and nonblocking:
                    return sent or fail(error)
                if error and error != WSAEWOULDBLOCK:
                    release_unused_port(sock)
                    return fail(error)
                if error and not wait.until_ready():
                    return fail(WSAETIMEDOUT)
            result = None
            if sock.closed:
                return fail(closed_error(sock))


def _send_once(sock: Socket, data: memoryview, flags: int, name: bytes) -> int:
    return system.sendto(sock.fd, data, flags, name) if name else system.send(sock.fd, data, flags)


def _send_error(sock: Socket, number: int) -> int:
    """The Winsock error of a send that failed; 0 where it must only be repeated."""
    if number == errno.EAGAIN:
        return WSAEWOULDBLOCK
    if number == errno.EINTR:
        return 0
    if sock.stream:
        if number == errno.EPIPE and sock.send_off and not (sock.broken or system.is_connection_gone(sock.fd)):
            return WSAESHUTDOWN  # another thread has shut down sending meanwhile
        return stream_error(sock, number)
    if number == errno.ECONNREFUSED:
        # An earlier datagram met a closed port: Winsock reports it to the next recv, not to the next send.
        sock.mark_refused()
        return 0
    return winsock_error(number)
