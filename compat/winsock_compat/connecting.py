"""bind, listen, accept, connect, getsockname, getpeername."""

from __future__ import annotations

import ctypes
import errno
from typing import Any

from winsock.arguments import as_input_buffer as readable
from winsock.arguments import as_int, integer_ref, socket_handle
from winsock.arguments import as_output_buffer as writable
from winsock.constants import AF_UNSPEC, SO_REUSEADDR, SOL_SOCKET
from winsock.errors import (
    WSAEACCES,
    WSAEADDRINUSE,
    WSAEADDRNOTAVAIL,
    WSAEAFNOSUPPORT,
    WSAEALREADY,
    WSAEFAULT,
    WSAEINTR,
    WSAEINVAL,
    WSAEISCONN,
    WSAENOTCONN,
    WSAEOPNOTSUPP,
    WSAEWOULDBLOCK,
    WSANOTINITIALISED,
)
from winsock.structures import Buffer, ConstBuffer, IntRef

from . import libc
from .addresses import SIZE, UNSPEC, asked, family_of, from_host, is_wildcard, port_of, to_host
from .errnos import fail, fail_by_errno, invalid, last_error, translated
from .handles import CONNECTED, CONNECTING, FAILED, FRESH, LISTENING, Socket, find, open_accepted
from .libc import ffi, lib
from .options import inherited
from .ports import clash
from .waits import begin_wait, changed, end_wait, wait_ready


def name_given(sock: Socket, name: memoryview | None, namelen: int) -> bytes | None:
    """The bytes of a name that is long enough for the socket's family, cut to that; None is WSAEFAULT."""
    if name is None or not 2 <= namelen <= name.nbytes:
        return None
    raw = name.tobytes()[:namelen]
    if family_of(raw) == AF_UNSPEC and namelen >= 16:
        return raw
    return raw[: SIZE[sock.family]] if namelen >= SIZE[sock.family] else None


def bind(s: int, name: ConstBuffer | None, namelen: int) -> int:
    handle, view, length = socket_handle(s), None if name is None else readable(name), as_int(namelen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    raw = name_given(sock, view, length)
    if raw is None:
        return fail(WSAEFAULT)
    if sock.bound:
        return fail(WSAEINVAL)
    if family_of(raw) != sock.family:
        return fail(WSAEAFNOSUPPORT)
    if sock.stream:
        error = clash(sock, raw)
        if error:
            return fail(error)
    host = to_host(raw)
    if lib.bind(sock.fd, host, len(host)) != 0:
        error = translated(ffi.errno)
        if error == WSAEADDRINUSE and sock.options.get((SOL_SOCKET, SO_REUSEADDR)):
            error = WSAEACCES
        return fail(error)
    sock.bound = True
    sock.local = asked(lib.getsockname, sock.fd, sock.family)
    sock.update()
    changed(sock)
    return 0


def listen(s: int, backlog: int) -> int:
    handle, queue = socket_handle(s), as_int(backlog)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if not sock.stream:
        return fail(WSAEOPNOTSUPP)
    sock.settle()
    if sock.stage == CONNECTED:
        return fail(WSAEISCONN)
    if not sock.bound or sock.stage == CONNECTING:
        return fail(WSAEINVAL)
    if sock.stage == FAILED:
        dissolve(sock)
    if lib.listen(sock.fd, queue if queue >= 0 else 0x7FFFFFFF) != 0:
        return fail_by_errno()
    sock.stage = LISTENING
    sock.update()
    changed(sock)
    return 0


def accept(s: int, addr: Buffer | None, addrlen: IntRef | None) -> int:
    handle, array = socket_handle(s), None if addr is None else writable(addr)
    length = None if addrlen is None else integer_ref(addrlen)
    sock = find(handle)
    if isinstance(sock, int):
        return invalid(sock)
    if array is not None and length is not None and not SIZE[sock.family] <= length.value <= len(array):
        return invalid(WSAEFAULT)
    if sock.stage != LISTENING:
        return invalid(WSAEINVAL if sock.stream else WSAEOPNOTSUPP)
    client = _next_client(sock)
    if client is None:
        return invalid(last_error.code)
    if array is not None and length is not None:
        put_name(client.peer, array, length)
    return client.handle


def _next_client(sock: Socket) -> Socket | None:
    """The next connection of the queue, which a blocking listener waits for; None once the last error is set."""
    name, length = ffi.new("char[28]"), ffi.new("unsigned int *", 28)
    fd = _accept(sock.fd, name, length)
    if fd < 0 and not sock.nonblocking and ffi.errno in _WAIT_FOR_NEXT:
        waiter = begin_wait((sock,))
        try:
            while fd < 0 and not sock.closed and ffi.errno in _WAIT_FOR_NEXT:
                # SO_RCVTIMEO has no effect on accept.
                wait_ready(waiter, sock.fd, libc.POLLIN, None)
                length[0] = 28
                fd = _accept(sock.fd, name, length)
        finally:
            end_wait(waiter)
        if sock.closed:
            if fd >= 0:
                lib.close(fd)
            fail(WSAEINTR)
            return None
    if fd < 0:
        fail(WSAEWOULDBLOCK if ffi.errno in _WAIT_FOR_NEXT else translated(ffi.errno))
        return None
    client = open_accepted(sock, fd, from_host(sock.family, ffi.buffer(name)[:]), inherited(sock))
    if client is None:
        fail(WSANOTINITIALISED)
    return client


# ECONNABORTED: that client has left again; Winsock goes on to the next one.
_WAIT_FOR_NEXT = {errno.EAGAIN, errno.EINTR, errno.ECONNABORTED}


def _accept(fd: int, name: Any, length: Any) -> int:
    if libc.LINUX:
        accepted: int = lib.accept4(fd, name, length, libc.SOCK_NONBLOCK | libc.SOCK_CLOEXEC)
        return accepted
    accepted = lib.accept(fd, name, length)
    if accepted >= 0:
        lib.ioctl(accepted, libc.FIONBIO, ffi.new("int *", 1))
        lib.ioctl(accepted, libc.FIOCLEX, ffi.NULL)
        lib.setsockopt(accepted, libc.SOL_SOCKET, libc.SO_NOSIGPIPE, ffi.new("int *", 1), 4)
    return accepted


def connect(s: int, name: ConstBuffer | None, namelen: int) -> int:
    handle, view, length = socket_handle(s), None if name is None else readable(name), as_int(namelen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    raw = name_given(sock, view, length)
    if raw is None:
        return fail(WSAEFAULT)
    return _connect_stream(sock, raw) if sock.stream else _connect_datagram(sock, raw)


def _connect_stream(sock: Socket, raw: bytes) -> int:
    sock.settle()
    if sock.stage == LISTENING:
        return fail(WSAEINVAL)
    if sock.stage == CONNECTING:
        return fail(WSAEALREADY)
    if sock.stage == CONNECTED:
        return fail(WSAEISCONN)
    if family_of(raw) != sock.family:
        return fail(WSAEAFNOSUPPORT)
    if not port_of(raw) or is_wildcard(raw):
        return fail(WSAEADDRNOTAVAIL)
    if sock.stage == FAILED:
        # The host reports the last failure once more, unless the association is dissolved first.
        dissolve(sock)
    host = to_host(raw)
    if lib.connect(sock.fd, host, len(host)) != 0 and ffi.errno not in (errno.EINPROGRESS, errno.EINTR):
        error = translated(ffi.errno)
        sock.bound = True
        sock.connect_failed(error if sock.nonblocking else 0)
        return fail(error)
    if not sock.bound:
        sock.bound, sock.local = True, asked(lib.getsockname, sock.fd, sock.family)
    sock.peer, sock.stage = raw, CONNECTING
    sock.update()
    changed(sock)
    if sock.nonblocking:
        # Also where the host has connected at once, as it may on loopback.
        return fail(WSAEWOULDBLOCK)
    waiter = begin_wait((sock,))
    try:
        while sock.stage == CONNECTING and not sock.closed:
            # SO_SNDTIMEO has no effect on connect.
            wait_ready(waiter, sock.fd, libc.POLLOUT, None)
            sock.settle()
        if sock.closed:
            return fail(WSAEINTR)
    finally:
        end_wait(waiter)
    if sock.stage == FAILED:
        # A blocking caller is told here, and not again by SO_ERROR.
        error, sock.connect_error = sock.connect_error, 0
        return fail(error)
    return 0


def dissolve(sock: Socket) -> None:
    """Ends an association or a failed connect. The socket keeps its port, which the host may take from it."""
    local = sock.local or (asked(lib.getsockname, sock.fd, sock.family) if sock.bound else None)
    lib.connect(sock.fd, UNSPEC, len(UNSPEC))
    if local is not None:
        host = to_host(local)
        lib.bind(sock.fd, host, len(host))  # fails where the host has left it bound


def _connect_datagram(sock: Socket, raw: bytes) -> int:
    family = family_of(raw)
    if family == AF_UNSPEC or (family == sock.family and not any(raw[2:])):
        dissolve(sock)
        sock.stage, sock.peer = FRESH, None
        sock.update()
        return 0
    if family != sock.family:
        return fail(WSAEAFNOSUPPORT)
    if is_wildcard(raw):
        return fail(WSAEADDRNOTAVAIL)
    host = to_host(raw)
    if lib.connect(sock.fd, host, len(host)) != 0:
        return fail_by_errno()
    sock.bound, sock.stage, sock.peer = True, CONNECTED, raw
    sock.update()
    changed(sock)
    return 0


def put_name(name: bytes | None, array: ctypes.Array[ctypes.c_char], length: Any) -> None:
    """Fills a caller's sockaddr, whose size was checked, and its length."""
    if name is not None:
        ctypes.memmove(array, name, len(name))
        length.value = len(name)


def _name_fits(sock: Socket, array: ctypes.Array[ctypes.c_char] | None, length: Any) -> bool:
    return array is not None and length is not None and SIZE[sock.family] <= length.value <= len(array)


def getsockname(s: int, name: Buffer | None, namelen: IntRef | None) -> int:
    handle, array = socket_handle(s), None if name is None else writable(name)
    length = None if namelen is None else integer_ref(namelen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if array is None or not _name_fits(sock, array, length):
        return fail(WSAEFAULT)
    if not sock.bound:
        return fail(WSAEINVAL)
    local = asked(lib.getsockname, sock.fd, sock.family)
    if local is None:
        return fail_by_errno()
    put_name(local, array, length)
    return 0


def getpeername(s: int, name: Buffer | None, namelen: IntRef | None) -> int:
    handle, array = socket_handle(s), None if name is None else writable(name)
    length = None if namelen is None else integer_ref(namelen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    sock.settle()
    # The one call that looks at the connection before it looks at its arguments.
    if sock.stage not in (CONNECTING, CONNECTED) or sock.peer is None:
        return fail(WSAENOTCONN)
    if array is None or not _name_fits(sock, array, length):
        return fail(WSAEFAULT)
    put_name(sock.peer, array, length)
    return 0
