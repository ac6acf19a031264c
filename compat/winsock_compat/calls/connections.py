"""bind, listen, accept, connect, getsockname, getpeername."""

from __future__ import annotations

import errno

from winsock.arguments import as_int, socket_handle
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
    WSAENOTSOCK,
    WSAEOPNOTSUPP,
    WSAEWOULDBLOCK,
    WSANOTINITIALISED,
)
from winsock.structures import Buffer, ConstBuffer, IntRef

from ..posix import system
from ..posix.errnos import winsock_error
from ..posix.sockaddr_layout import family_of, is_mapped, is_wildcard, port_of
from ..posix.waiting import POLLIN, POLLOUT
from ..state.bind_rules import bind_conflict
from ..state.handles import find, open_accepted
from ..state.last_error import fail, invalid
from ..state.sockets import CONNECTED, CONNECTING, FAILED, FRESH, LISTENING, Socket, disconnect, query_sockaddr
from ..state.waiters import SocketWait, close, notify_state_change
from .pointers import as_input_buffer, as_output_buffer, integer_ref
from .sockaddr_arguments import checked_name, has_room, put_name

# The range of SOMAXCONN_HINT, whose values are negative.
_LEAST_HINT, _LARGEST_HINT = 200, 65535


def bind(s: int, name: ConstBuffer | None, namelen: int) -> int:
    handle, view, length = socket_handle(s), None if name is None else as_input_buffer(name), as_int(namelen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    raw = checked_name(sock, view, length)
    if raw is None:
        return fail(WSAEFAULT)
    error = _bind_error(sock, raw)
    if error:
        return fail(error)
    try:
        result = system.bind(sock.fd, raw)
        if result == 0:
            _record_bind(sock, query_sockaddr(sock))
    except BaseException:  # a signal handler has raised; the kernel may have bound the socket
        local = query_sockaddr(sock)
        if local is not None and port_of(local):
            _record_bind(sock, local)
        raise
    if result < 0:
        error = winsock_error(-result)
        if error == WSAEADDRINUSE and sock.options.get((SOL_SOCKET, SO_REUSEADDR)):
            error = WSAEACCES
        return fail(error)
    return 0


def _record_bind(sock: Socket, local: bytes | None) -> None:
    sock.local = local
    sock.mark_bound()
    notify_state_change(sock)


def _bind_error(sock: Socket, name: bytes) -> int:
    """The error of a bind that Winsock refuses before the kernel is asked, or 0."""
    if sock.bound:
        return WSAEINVAL
    if family_of(name) != sock.family:
        return WSAEAFNOSUPPORT
    if sock.is_ipv6_only and is_mapped(name):
        return WSAEADDRNOTAVAIL  # the kernel's error is EINVAL
    return bind_conflict(sock, name) if sock.stream else 0


def listen(s: int, backlog: int) -> int:
    handle, queue = socket_handle(s), as_int(backlog)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if not sock.stream:
        return fail(WSAEOPNOTSUPP)
    sock.update_connect_state()
    if sock.state == CONNECTED:
        return fail(WSAEISCONN)
    if sock.state == LISTENING:
        return 0  # the backlog stays as it is
    if not sock.bound or sock.state == CONNECTING:
        return fail(WSAEINVAL)
    if sock.state == FAILED:
        disconnect(sock)
    try:
        result = system.listen(sock.fd, _queue_length(queue))
        if result == 0:
            _record_listen(sock)
    except BaseException:  # a signal handler has raised; the socket may be listening
        if system.is_listening(sock.fd):
            _record_listen(sock)
        raise
    return fail(winsock_error(-result)) if result < 0 else 0


def _queue_length(backlog: int) -> int:
    """How many clients can wait for accept."""
    if backlog < 0:
        return min(max(-backlog, _LEAST_HINT), _LARGEST_HINT)
    return max(backlog, 1)


def _record_listen(sock: Socket) -> None:
    sock.state = LISTENING
    sock.update_capabilities()
    notify_state_change(sock)


def accept(s: int, addr: Buffer | None, addrlen: IntRef | None) -> int:
    handle, address = socket_handle(s), None if addr is None else as_output_buffer(addr)
    length = None if addrlen is None else integer_ref(addrlen)
    sock = find(handle)
    if isinstance(sock, int):
        return invalid(sock)
    if address is not None and length is not None and not has_room(sock, address, length):
        return invalid(WSAEFAULT)
    if sock.state != LISTENING:
        return invalid(WSAEINVAL if sock.stream else WSAEOPNOTSUPP)
    client = _next_client(sock)
    if isinstance(client, int):
        return invalid(client)
    if address is not None and length is not None:
        put_name(client.peer, address, length)
    return client.handle


# ECONNABORTED: that client has already closed; Winsock continues with the next one.
_NO_CLIENT_YET = {-errno.EAGAIN, -errno.EINTR, -errno.ECONNABORTED}


def _next_client(sock: Socket) -> Socket | int:
    """The next connection of the queue, which a blocking listener waits for; or the error."""
    result, client = open_accepted(sock)
    if result in _NO_CLIENT_YET:
        if sock.nonblocking:
            return WSAEWOULDBLOCK
        result, client = _wait_for_client(sock)
        if sock.closed:
            if not result:
                close(client)
            return WSAEINTR
    if result < 0:
        return winsock_error(-result)
    return WSANOTINITIALISED if client.closed else client


def _wait_for_client(sock: Socket) -> tuple[int, Socket]:
    """What open_accepted returns, once the queue has a client, accept fails, or the socket is closed."""
    # SO_RCVTIMEO has no effect on accept.
    with SocketWait(sock, POLLIN, 0) as wait:
        while True:
            wait.until_ready()
            result, client = open_accepted(sock)
            if result not in _NO_CLIENT_YET or sock.closed:
                return result, client


def connect(s: int, name: ConstBuffer | None, namelen: int) -> int:
    handle, view, length = socket_handle(s), None if name is None else as_input_buffer(name), as_int(namelen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    raw = checked_name(sock, view, length)
    if raw is None:
        return fail(WSAEFAULT)
    return _connect_stream(sock, raw) if sock.stream else _connect_datagram(sock, raw)


def _connect_stream(sock: Socket, name: bytes) -> int:
    error = _connect_error(sock, name) or _start_connect(sock, name)
    if error:
        return fail(error)
    if sock.nonblocking:
        # Also where the kernel has connected at once, as it may on loopback.
        return fail(WSAEWOULDBLOCK)
    error = _finish_connect(sock)
    return fail(error) if error else 0


def _connect_error(sock: Socket, name: bytes) -> int:
    """The error of a connect that Winsock refuses before the kernel is asked, or 0."""
    sock.update_connect_state()
    if sock.state in _REFUSES_CONNECT:
        return _REFUSES_CONNECT[sock.state]
    if family_of(name) != sock.family:
        return WSAEAFNOSUPPORT
    return WSAEADDRNOTAVAIL if not port_of(name) or is_wildcard(name) else 0


_REFUSES_CONNECT = {LISTENING: WSAEINVAL, CONNECTING: WSAEALREADY, CONNECTED: WSAEISCONN}


def _start_connect(sock: Socket, name: bytes) -> int:
    """Makes the system call; 0 once the connect is under way, else the error."""
    if sock.state == FAILED:
        # Otherwise the kernel reports the last failure again.
        disconnect(sock)
    result = system.connect(sock.fd, name)
    if result not in (0, -errno.EINPROGRESS, -errno.EINTR):
        error = winsock_error(-result)
        sock.bound = True
        sock.connect_failed(error if sock.nonblocking else 0)
        return error
    if not sock.bound:
        sock.bound, sock.local = True, query_sockaddr(sock)
    sock.connect_begun(name)
    notify_state_change(sock)
    return 0


def _finish_connect(sock: Socket) -> int:
    """Waits until a blocking socket is connected: 0, or the error."""
    # SO_SNDTIMEO has no effect on connect.
    with SocketWait(sock, POLLOUT, 0) as wait:
        while sock.state == CONNECTING and not sock.closed:
            wait.until_ready(sock.next_queue_check)
            sock.update_connect_state()
        if sock.closed:
            return WSAENOTSOCK
    # connect itself reports the failure of a blocking socket; SO_ERROR does not report it again.
    if sock.state != FAILED:
        return 0
    error, sock.connect_error = sock.connect_error, 0
    return error


def _connect_datagram(sock: Socket, name: bytes) -> int:
    family = family_of(name)
    if family == AF_UNSPEC or (family == sock.family and not any(name[2:])):
        disconnect(sock)
        sock.state, sock.peer = FRESH, None
        sock.update_capabilities()
        return 0
    if family != sock.family:
        return fail(WSAEAFNOSUPPORT)
    if is_wildcard(name):
        return fail(WSAEADDRNOTAVAIL)
    result = system.connect(sock.fd, name)
    if result < 0:
        return fail(winsock_error(-result))
    sock.bound, sock.state, sock.peer = True, CONNECTED, name
    sock.update_capabilities()
    notify_state_change(sock)
    return 0


def getsockname(s: int, name: Buffer | None, namelen: IntRef | None) -> int:
    handle, address = socket_handle(s), None if name is None else as_output_buffer(name)
    length = None if namelen is None else integer_ref(namelen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if address is None or length is None or not has_room(sock, address, length):
        return fail(WSAEFAULT)
    if not sock.bound:
        return fail(WSAEINVAL)
    result, local = system.getsockname(sock.fd)
    if result < 0:
        return fail(winsock_error(-result))
    put_name(local, address, length)
    return 0


def getpeername(s: int, name: Buffer | None, namelen: IntRef | None) -> int:
    handle, address = socket_handle(s), None if name is None else as_output_buffer(name)
    length = None if namelen is None else integer_ref(namelen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    sock.update_connect_state()
    # The only call that looks at the connection before it looks at its arguments.
    if sock.state not in (CONNECTING, CONNECTED) or sock.peer is None:
        return fail(WSAENOTCONN)
    if address is None or length is None or not has_room(sock, address, length):
        return fail(WSAEFAULT)
    put_name(sock.peer, address, length)
    return 0
