"""The long way of send, recv, sendto and recvfrom: every check, in Winsock's order, and the waiting.

The calls begin with a short way (quick.py, inline.py), which does the ordinary case and leaves the rest to this module.
"""

from __future__ import annotations

import errno
from typing import Any

from winsock.arguments import as_input_buffer as readable
from winsock.arguments import as_int, integer_ref, socket_handle
from winsock.arguments import as_output_buffer as writable
from winsock.constants import (
    MSG_DONTROUTE,
    MSG_OOB,
    MSG_PARTIAL,
    MSG_PEEK,
    MSG_WAITALL,
    SO_OOBINLINE,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SOL_SOCKET,
)
from winsock.errors import (
    WSAEADDRNOTAVAIL,
    WSAEAFNOSUPPORT,
    WSAECONNABORTED,
    WSAECONNRESET,
    WSAEFAULT,
    WSAEINTR,
    WSAEINVAL,
    WSAEMSGSIZE,
    WSAENOTCONN,
    WSAEOPNOTSUPP,
    WSAESHUTDOWN,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
)
from winsock.structures import Buffer, ConstBuffer, IntRef

from . import libc
from .addresses import SIZE, family_of, from_host, is_wildcard, port_of, to_host
from .connecting import name_given, put_name
from .errnos import fail, last_error, translated
from .handles import CONNECTED, Socket, find
from .libc import MSG_NOSIGNAL, MSG_TRUNC, ffi, get_errno, lib, view_to_read
from .options import timeout_of
from .waits import begin_wait, changed, end_wait, wait_ready

_size = len  # the calls have a parameter of that name
_c_recv, _c_recvfrom, _c_send, _c_sendto = lib.recv, lib.recvfrom, lib.send, lib.sendto
_EAGAIN = errno.EAGAIN

_KNOWN_FLAGS = MSG_OOB | MSG_PEEK | MSG_DONTROUTE | MSG_WAITALL | MSG_PARTIAL
_SEND_FLAGS = MSG_OOB | MSG_DONTROUTE
_RECV_FLAGS = MSG_OOB | MSG_PEEK


def receive_checked(
    s: int,
    buf: Buffer | None,
    len: int,
    flags: int,
    from_: Buffer | None,
    fromlen: IntRef | None,
    closed: int,
) -> int:
    """The long way of recv and recvfrom; `closed` is their answer when another thread closes the socket meanwhile."""
    handle, length, bits = socket_handle(s), as_int(len), as_int(flags)
    data = None if buf is None else writable(buf)
    address, ref = None if from_ is None else writable(from_), None if fromlen is None else integer_ref(fromlen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if not 0 <= length <= (0 if data is None else _size(data)):
        return fail(WSAEFAULT)
    # A stream leaves the address alone, but a length beyond its buffer is an error even there.
    target = None
    if address is not None:
        if ref is None:
            if not sock.stream:
                return fail(WSAEFAULT)
        elif not (0 if sock.stream else SIZE[sock.family]) <= ref.value <= _size(address):
            return fail(WSAEFAULT)
        elif not sock.stream:
            target = (address, ref)
    if bits & ~_KNOWN_FLAGS:
        return fail(WSAEOPNOTSUPP)
    name = ffi.new("char[28]") if target else None
    view = ffi.NULL if data is None else view_to_read(data)
    count = receive(sock, view, length, bits, name, closed)
    if target and (count >= 0 or last_error.code == WSAEMSGSIZE):
        put_name(from_host(sock.family, ffi.buffer(name)[:]), *target)
    return count


def _cannot_receive(sock: Socket) -> int:
    """The error that the socket's state gives to recv, or 0."""
    sock.settle()
    if sock.stream and sock.stage != CONNECTED:
        return WSAENOTCONN
    if sock.receive_off:
        return WSAESHUTDOWN
    return sock.broken if sock.bound else WSAEINVAL


def receive(sock: Socket, view: Any, length: int, flags: int, name: Any, closed: int, count: int | None = None) -> int:
    """Receives, waiting where the socket is blocking. `count` is the result of a system call already made."""
    if flags & MSG_WAITALL and (sock.nonblocking or not sock.stream or flags & (MSG_PEEK | MSG_OOB)):
        return fail(WSAEOPNOTSUPP)
    if flags & MSG_OOB:
        if not sock.stream:
            return fail(WSAEOPNOTSUPP)
        if sock.options.get((SOL_SOCKET, SO_OOBINLINE)):
            return fail(WSAEINVAL)
    take = _take_stream if sock.stream else _take_datagram
    waiter, deadline, filled = None, None, 0
    try:
        while True:
            if count is None:
                error = _cannot_receive(sock)
                if error:
                    return fail(error)
            count, error = take(sock, view + filled, length - filled, flags & _RECV_FLAGS, name, count)
            if error == 0:
                filled += count
                if not flags & MSG_WAITALL or filled == length or count == 0:
                    return filled
            elif error != WSAEWOULDBLOCK or sock.nonblocking or flags & MSG_OOB:
                return fail(error)
            elif waiter is None:
                # Once more after registering: a change of state before that would not have woken this wait.
                waiter, deadline = begin_wait((sock,)), timeout_of(sock, SO_RCVTIMEO)
            elif not wait_ready(waiter, sock.fd, libc.POLLIN, deadline):
                return fail(WSAETIMEDOUT)
            if sock.closed:
                return fail(closed)
            count = None
    finally:
        if waiter is not None:
            end_wait(waiter)


def _take_stream(sock: Socket, view: Any, length: int, flags: int, name: Any, count: int | None) -> tuple[int, int]:
    """One system call's worth of a stream: the bytes, or an error."""
    if count is None:
        count = _c_recv(sock.fd, view, length, flags)
    if count > 0 or (count == 0 and length == 0):
        return count, 0
    number = sock.errno_of_descriptor() if count == 0 else get_errno()
    if number == 0:
        return 0, 0
    if number == errno.EINTR or number == _EAGAIN:
        return 0, WSAEWOULDBLOCK
    if flags & MSG_OOB and number == errno.EINVAL:
        return 0, WSAEWOULDBLOCK
    return 0, _broken(sock, number)


def _take_datagram(sock: Socket, view: Any, length: int, flags: int, name: Any, count: int | None) -> tuple[int, int]:
    """One datagram, or an error; what did not fit is lost, and so said."""
    if sock.refused:
        forget_refusals(sock)
        if sock.port_reset:
            return 0, WSAECONNRESET
    while True:
        if count is None:
            if name is None:
                count = _c_recv(sock.fd, view, length, flags | MSG_TRUNC)
            else:
                count = lib.recvfrom(sock.fd, view, length, flags | MSG_TRUNC, name, ffi.new("unsigned int *", 28))
        if count > length:
            return 0, WSAEMSGSIZE
        if count >= 0:
            return count, 0
        number, count = get_errno(), None
        if number == _EAGAIN or number == errno.EINTR:
            return 0, WSAEWOULDBLOCK
        if number not in _ICMP:
            return 0, translated(number)
        # Winsock tells of a closed port only, and as a reset.
        forget_refusals(sock)
        if number == errno.ECONNREFUSED and sock.port_reset:
            return 0, WSAECONNRESET


def _broken(sock: Socket, number: int) -> int:
    """The Winsock error of a stream, which is said again and again where the connection is gone."""
    if number == errno.EPIPE:
        # The peer had closed, and refused what was sent after that.
        return sock.break_off(WSAECONNABORTED)
    return sock.break_off(translated(number)) if number in _ENDS else translated(number)


_ENDS = {
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


def forget_refusals(sock: Socket) -> None:
    """Empties the host's queue of ICMP errors, which would keep the socket readable."""
    sock.refused = False
    sock.update()
    if libc.LINUX:
        while lib.recv(sock.fd, ffi.new("char[1]"), 1, libc.MSG_ERRQUEUE) >= 0:
            pass


def transmit_checked(s: int, buf: ConstBuffer | None, len: int, flags: int, to: ConstBuffer | None, tolen: int) -> int:
    """The long way of send and sendto."""
    handle, length, bits = socket_handle(s), as_int(len), as_int(flags)
    data, address = None if buf is None else readable(buf), None if to is None else readable(to)
    address_length = as_int(tolen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if not 0 <= length <= (0 if data is None else data.nbytes):
        return fail(WSAEFAULT)
    name = None
    if address is not None:
        # A stream takes any address, but no length beyond its buffer.
        if not 0 <= address_length <= address.nbytes:
            return fail(WSAEFAULT)
        if not sock.stream:
            name = name_given(sock, address, address_length)
            if name is None:
                return fail(WSAEFAULT)
    if bits & ~_KNOWN_FLAGS or (bits & MSG_OOB and not sock.stream):
        return fail(WSAEOPNOTSUPP)
    error = _cannot_send(sock, name is not None) or (0 if name is None else _bad_destination(sock, name))
    if error:
        return fail(error)
    if name is not None and not port_of(name):
        return _send_to_port_0(sock, length)
    view = ffi.NULL if buf is None else view_to_read(buf)
    return transmit(sock, view, length, bits & _SEND_FLAGS, None if name is None else to_host(name))


def _cannot_send(sock: Socket, addressed: bool) -> int:
    """The error that the socket's state gives to send, or 0."""
    sock.settle()
    if sock.stream and sock.stage != CONNECTED:
        return WSAENOTCONN
    if sock.send_off:
        return WSAESHUTDOWN
    return sock.broken if addressed or sock.stage == CONNECTED else WSAENOTCONN


def _bad_destination(sock: Socket, name: bytes) -> int:
    if family_of(name) != sock.family:
        return WSAEAFNOSUPPORT
    return WSAEADDRNOTAVAIL if is_wildcard(name) else 0


def _send_to_port_0(sock: Socket, length: int) -> int:
    """Winsock takes such a datagram, which reaches nobody; the host would refuse it."""
    if length > 65507:
        return fail(WSAEMSGSIZE)
    if not sock.bound:
        anywhere = to_host(sock.family.to_bytes(2, "little") + bytes(26))
        lib.bind(sock.fd, anywhere, _size(anywhere))
        sock.bound = True
        sock.update()
    return length


def transmit(sock: Socket, view: Any, length: int, flags: int, host: bytes | None, count: int | None = None) -> int:
    """Sends all of it where the socket is blocking, else what fits. `count` is a system call's result already had."""
    waiter, deadline, sent = None, None, 0
    if isinstance(view, bytes):
        view = view_to_read(view)
    try:
        while True:
            if count is None:
                error = _cannot_send(sock, host is not None)
                if error:
                    return fail(error)
                if host is None:
                    count = lib.send(sock.fd, view + sent, length - sent, MSG_NOSIGNAL | flags)
                else:
                    count = lib.sendto(sock.fd, view, length, MSG_NOSIGNAL | flags, host, _size(host))
            if count >= 0:
                sent += count
                if not sock.bound:
                    sock.bound = True
                    sock.update()
                    changed(sock)
                if sent == length or sock.nonblocking or not sock.stream:
                    return sent
            else:
                error = _send_error(sock, get_errno())
                if error:
                    if error != WSAEWOULDBLOCK:
                        return fail(error)
                    if sock.nonblocking:
                        return sent or fail(error)
                    if waiter is None:
                        waiter, deadline = begin_wait((sock,)), timeout_of(sock, SO_SNDTIMEO)
                    elif not wait_ready(waiter, sock.fd, libc.POLLOUT, deadline):
                        return fail(WSAETIMEDOUT)
            if sock.closed:
                return fail(WSAEINTR)
            count = None
    finally:
        if waiter is not None:
            end_wait(waiter)


def _send_error(sock: Socket, number: int) -> int:
    """The Winsock error of a send that failed; 0 where it is simply to be repeated."""
    if number == _EAGAIN:
        return WSAEWOULDBLOCK
    if number == errno.EINTR:
        return 0
    if sock.stream:
        return _broken(sock, number)
    if number == errno.ECONNREFUSED:
        # An earlier datagram met a closed port: Winsock tells the next recv, not the next send.
        sock.refused = True
        sock.update()
        return 0
    return translated(number)
