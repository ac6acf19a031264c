"""bind, listen, accept, connect, getsockname, getpeername."""

from __future__ import annotations

import errno

from winsock.arguments import as_int, socket_handle
from winsock.constants import SO_REUSEADDR, SOL_SOCKET
from winsock.errors import (
    WSAEACCES,
    WSAEADDRINUSE,
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
from ..posix.sockaddr_layout import port_of
from ..posix.waiting import POLLIN, POLLOUT
from ..state import groups
from ..state.bind_rules import bind_conflict, call_with_shared_port
from ..state.handles import find, open_accepted
from ..state.last_error import fail, invalid
from ..state.sockets import (
    CONNECTED,
    CONNECTING,
    FAILED,
    FRESH,
    LISTENING,
    Attempt,
    Socket,
    disconnect,
    error_lock,
    query_sockaddr,
    release_unused_port,
)
from ..state.waiters import SocketWait, close, notify_state_change
from .address_rules import DISCONNECT, connect_error, is_found_by_transport, rule_of_bind, rule_of_connect
from .options import set_in_kernel_again
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
        result = _bind_descriptors(sock, raw)
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


def _bind_descriptors(sock: Socket, name: bytes) -> int:
    """Binds the socket and its extra descriptors: 0, or minus the errno and none of them is bound.

    Where the kernel chooses the port, the extra descriptors come after it.
    """
    port = port_of(name)
    result = groups.update(sock, name) if port else 0
    if result == 0:
        result = system.bind(sock.fd, name)
        if result == -errno.EADDRINUSE and sock.stream:
            result = call_with_shared_port(sock, name, lambda: system.bind(sock.fd, name))
        if result < 0 and sock.extra:
            groups.close_extra(sock)
    if result == 0:
        local = query_sockaddr(sock)
        result = 0 if port else groups.update(sock, local)
        if result == 0:
            _record_bind(sock, local)
        else:
            release_unused_port(sock)
    return result


def _record_bind(sock: Socket, local: bytes | None) -> None:
    sock.local = local
    sock.mark_bound()
    notify_state_change(sock)


def _bind_error(sock: Socket, name: bytes) -> int:
    """The error of a bind that Winsock refuses before the kernel is asked, or 0."""
    if sock.bound:
        return WSAEINVAL
    return rule_of_bind(sock, name) or (bind_conflict(sock, name) if sock.stream else 0)


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
        result = _start_listening(sock, _queue_length(queue))
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


def _start_listening(sock: Socket, backlog: int) -> int:
    """Makes the system call; 0 or minus the errno."""
    result = system.listen(sock.fd, backlog)
    if result == -errno.EADDRINUSE:
        result = call_with_shared_port(sock, sock.local or b"", lambda: system.listen(sock.fd, backlog))
    if result == 0 and sock.options.get((SOL_SOCKET, SO_REUSEADDR)):
        system.prefer_first_listener(sock.fd)
    return result


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
    if client.closed:
        return WSANOTINITIALISED
    if sock.set_while_listening:
        set_in_kernel_again(client)
    return client


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


_REFUSES_CONNECT = {LISTENING: WSAEINVAL, CONNECTING: WSAEALREADY, CONNECTED: WSAEISCONN}


def _connect_stream(sock: Socket, name: bytes) -> int:
    with error_lock:  # another thread that connects the same socket sees the outcome of this attempt
        error = _begin_connect(sock, name)
        attempt = sock.attempt
    if error:
        return fail(error)
    if sock.nonblocking:
        # Also where the kernel has connected at once, as it may on loopback.
        return fail(WSAEWOULDBLOCK)
    error = _finish_connect(sock, attempt)
    return fail(error) if error else 0


def _begin_connect(sock: Socket, name: bytes) -> int:
    """0 once the connect is under way, else the error. The caller holds `error_lock`."""
    sock.update_connect_state()
    if sock.state in _REFUSES_CONNECT:
        return _REFUSES_CONNECT[sock.state]
    error = rule_of_connect(sock, name)
    if not error:
        return _start_connect(sock, name)
    return _record_failure(sock, name, error) if is_found_by_transport(sock, name) else error


def _record_failure(sock: Socket, name: bytes, error: int) -> int:
    """Remembers that a connect has failed, and returns the error that connect reports."""
    sock.bound = True
    sock.connect_failed(error if sock.nonblocking else 0)
    notify_state_change(sock)
    return WSAEWOULDBLOCK if sock.nonblocking and is_found_by_transport(sock, name) else error


def _start_connect(sock: Socket, name: bytes) -> int:
    """Makes the system call; 0 once the connect is under way, else the error."""
    if sock.state == FAILED:
        # Otherwise the kernel reports the last failure again.
        disconnect(sock)
    result = system.connect(sock.fd, name)
    if result not in (0, -errno.EINPROGRESS, -errno.EINTR):
        return _record_failure(sock, name, connect_error(sock, name, -result))
    if not sock.bound:
        sock.bound, sock.local = True, query_sockaddr(sock)
    sock.connect_begun(name)
    notify_state_change(sock)
    return 0


def _finish_connect(sock: Socket, attempt: Attempt) -> int:
    """Waits until a blocking socket is connected: 0, or the error."""
    # SO_SNDTIMEO has no effect on connect.
    with SocketWait(sock, POLLOUT, 0) as wait:
        # If the attempt has failed, another thread may have begun the next one.
        while sock.attempt is attempt and sock.state == CONNECTING and not sock.closed:
            wait.until_ready(sock.next_queue_check)
            sock.update_connect_state()
        if sock.closed:
            return WSAENOTSOCK
    if sock.attempt is attempt:
        # connect itself reports the failure of a blocking socket; SO_ERROR does not report it again.
        sock.connect_error = 0
    return attempt.error


def _connect_datagram(sock: Socket, name: bytes) -> int:
    rule = rule_of_connect(sock, name)
    if rule == DISCONNECT:
        _disconnect_datagram(sock)
        return 0
    if rule:
        return fail(rule)
    result = system.connect(sock.fd, name)
    if result < 0:
        release_unused_port(sock)
        return fail(connect_error(sock, name, -result))
    previous = sock.peer
    sock.bound, sock.state, sock.peer = True, CONNECTED, name
    result = groups.update(sock) if sock.memberships or sock.extra else 0
    if result < 0:
        _connect_again(sock, previous)
        return fail(winsock_error(-result))
    sock.update_capabilities()
    notify_state_change(sock)
    return 0


def _connect_again(sock: Socket, previous: bytes | None) -> None:
    """Gives a datagram socket the peer that it had, or none."""
    if previous is None or system.connect(sock.fd, previous) < 0:
        _disconnect_datagram(sock)
        return
    sock.peer = previous
    groups.update(sock)


def _disconnect_datagram(sock: Socket) -> None:
    disconnect(sock)
    sock.state, sock.peer = FRESH, None
    if sock.memberships or sock.extra:
        groups.update(sock)
    sock.update_capabilities()


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
    put_name(sock.name_when_aborted or local, address, length)
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
