"""socket, closesocket, shutdown, ioctlsocket."""

from __future__ import annotations

from winsock.arguments import as_int, socket_handle
from winsock.constants import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    FIONBIO,
    FIONREAD,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV6_V6ONLY,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SIO_UDP_CONNRESET,
    SIO_UDP_NETRESET,
    SIOCATMARK,
    SO_OOBINLINE,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_SOCKET,
)
from winsock.errors import (
    WSAEAFNOSUPPORT,
    WSAEFAULT,
    WSAEINVAL,
    WSAENOTCONN,
    WSAENOTSOCK,
    WSAEOPNOTSUPP,
    WSAEPROTONOSUPPORT,
    WSAESOCKTNOSUPPORT,
    WSANOTINITIALISED,
)
from winsock.structures import IntRef

from ..posix import system
from ..posix.sockaddr_layout import SIZE
from ..posix.waiting import POLLPRI, poll_now
from ..state import handles
from ..state.handles import find, open_socket
from ..state.last_error import fail, invalid
from ..state.sockets import CONNECTED, LISTENING, Socket
from ..state.waiters import close, end_stream, notify_state_change
from .options import linger_in_background
from .pointers import integer_ref, is_accessible

_DEFAULT_PROTOCOL = {SOCK_STREAM: IPPROTO_TCP, SOCK_DGRAM: IPPROTO_UDP}
_DEFAULT_TYPE = {0: SOCK_STREAM, IPPROTO_TCP: SOCK_STREAM, IPPROTO_UDP: SOCK_DGRAM}


def socket(af: int, type: int, protocol: int) -> int:
    family, kind, proto = as_int(af), as_int(type), as_int(protocol)
    if not handles.started():
        return invalid(WSANOTINITIALISED)
    if family == AF_UNSPEC:
        if proto == 0:
            return invalid(WSAEINVAL)
        family = AF_INET
    if kind == 0 and family in SIZE and proto in _DEFAULT_TYPE:
        kind = _DEFAULT_TYPE[proto]
    error = _socket_error(family, kind, proto)
    if error:
        return invalid(error)
    # The defaults in which Winsock differs from the kernel; for SO_REUSEADDR see bind_rules.
    options = [(SOL_SOCKET, SO_REUSEADDR)] if kind == SOCK_STREAM else []
    if family == AF_INET6:
        options.append((IPPROTO_IPV6, IPV6_V6ONLY))
    error, handle = open_socket(family, kind, _DEFAULT_PROTOCOL.get(kind, proto), options)
    return invalid(error) if error else handle


def _socket_error(family: int, kind: int, proto: int) -> int:
    """The error of unsupported arguments, or 0. Winsock checks the type first, then the family, then the protocol."""
    if kind == 0:
        # No default type for this family or protocol.
        return WSAEPROTONOSUPPORT if family in SIZE else WSAESOCKTNOSUPPORT
    if kind not in (SOCK_STREAM, SOCK_DGRAM, SOCK_RAW):
        return WSAESOCKTNOSUPPORT
    if family not in SIZE:
        return WSAEAFNOSUPPORT
    return 0 if kind == SOCK_RAW or proto in (0, _DEFAULT_PROTOCOL[kind]) else WSAEPROTONOSUPPORT


def closesocket(s: int) -> int:
    sock = find(socket_handle(s))
    if isinstance(sock, int):
        return fail(sock)
    if sock.nonblocking and sock.options:
        linger_in_background(sock)
    return 0 if close(sock) else fail(WSAENOTSOCK)


def shutdown(s: int, how: int) -> int:
    handle, direction = socket_handle(s), as_int(how)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if direction not in (SD_RECEIVE, SD_SEND, SD_BOTH):
        return fail(WSAEINVAL)
    sock.update_connect_state()
    if sock.stream and sock.state != CONNECTED:
        return fail(WSAENOTCONN)
    if direction != SD_SEND:
        # A flag only: with the kernel's SHUT_RD the peer's later data would be accepted, or the peer could not send.
        sock.receive_off = True
        if sock.stream and sock.abort_if_unread():
            notify_state_change(sock)
            return 0
    if direction != SD_RECEIVE:
        sock.send_off = True
        sock.update_capabilities()
        if sock.stream:
            end_stream(sock)
    sock.update_capabilities()
    notify_state_change(sock)
    return 0


def ioctlsocket(s: int, cmd: int, argp: IntRef | None) -> int:
    handle, command = socket_handle(s), as_int(cmd) & 0xFFFFFFFF
    ref = None if argp is None else integer_ref(argp)
    accessible = argp is None or is_accessible(argp)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if ref is None or not accessible:
        return fail(WSAEFAULT)
    if command == FIONBIO:
        sock.nonblocking = ref.value & 0xFFFFFFFF != 0
    elif command == FIONREAD:
        ref.value = 0 if sock.state == LISTENING else _bytes_available(sock)
    elif command == SIOCATMARK:
        if not sock.stream:
            return fail(WSAEINVAL)
        ref.value = int(not _has_urgent_byte(sock))
    elif command == SIO_UDP_CONNRESET and not sock.stream:
        sock.port_reset = ref.value & 0xFFFFFFFF != 0
    elif command == SIO_UDP_NETRESET and not sock.stream:
        pass  # without effect: a datagram whose time to live has expired is never reported
    else:
        return fail(WSAEOPNOTSUPP)
    return 0


def _bytes_available(sock: Socket) -> int:
    """The bytes of a stream, or the size of the datagram that the next recv receives."""
    for descriptor in sock.readable_descriptors():
        available = system.bytes_available(descriptor.fd)
        if available > 0:
            sock.received_from(descriptor, peeked=True)
            return available
    return 0


def _has_urgent_byte(sock: Socket) -> bool:
    # Not the kernel's SIOCATMARK: that stays 1 after the urgent byte was read.
    if sock.state != CONNECTED or sock.options.get((SOL_SOCKET, SO_OOBINLINE)):
        return False
    return bool(poll_now(sock.fd, POLLPRI) & POLLPRI)
