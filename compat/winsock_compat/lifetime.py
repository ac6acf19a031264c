"""WSAStartup, WSACleanup, socket, closesocket, shutdown, ioctlsocket."""

from __future__ import annotations

import ctypes

from winsock.arguments import as_int, as_word, integer_ref, socket_handle
from winsock.arguments import as_output_buffer as writable
from winsock.constants import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    FIONBIO,
    FIONREAD,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SIO_UDP_CONNRESET,
    SIOCATMARK,
    SO_OOBINLINE,
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
    WSAVERNOTSUPPORTED,
)
from winsock.structures import HIBYTE, LOBYTE, MAKEWORD, WSADATA, Buffer, IntRef

from . import handles, libc
from .addresses import HOST_FAMILY
from .errnos import fail, invalid, translated
from .handles import CONNECTED, LISTENING, Socket, find, open_socket
from .libc import ffi, lib
from .options import linger_in_background
from .waits import changed, poll_once

_VERSIONS = {(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)}
_DEFAULT_PROTOCOL = {SOCK_STREAM: IPPROTO_TCP, SOCK_DGRAM: IPPROTO_UDP}
_DEFAULT_TYPE = {0: SOCK_STREAM, IPPROTO_TCP: SOCK_STREAM, IPPROTO_UDP: SOCK_DGRAM}


def WSAStartup(wVersionRequested: int, lpWSAData: Buffer | None) -> int:
    version = as_word(wVersionRequested)
    data = None if lpWSAData is None else writable(lpWSAData)
    major, minor = LOBYTE(version), HIBYTE(version)
    if data is not None and len(data) >= ctypes.sizeof(WSADATA):
        info = WSADATA.from_buffer(data)
        if (major, minor) in _VERSIONS:
            info.wVersion = version
        else:
            info.wVersion = MAKEWORD(1, 1) if major == 1 else MAKEWORD(2, 2)
        info.wHighVersion = MAKEWORD(2, 2)
        info.szDescription = b"WinSock 2.0"
        info.szSystemStatus = b"Running"
        info.iMaxSockets, info.iMaxUdpDg = (32767, 65467) if major == 1 else (0, 0)
        if major:
            handles.start()
            return 0
    return WSAEFAULT if major else WSAVERNOTSUPPORTED


def WSACleanup() -> int:
    return 0 if handles.stop() else fail(WSANOTINITIALISED)


def socket(af: int, type: int, protocol: int) -> int:
    family, kind, proto = as_int(af), as_int(type), as_int(protocol)
    sock = _new_socket(family, kind, proto)
    if isinstance(sock, int):
        return invalid(sock)
    return sock.handle


def _new_socket(family: int, kind: int, proto: int) -> Socket | int:
    """The socket, or an error. Winsock looks at the type before the family, and at the protocol last."""
    if not handles.started():
        return WSANOTINITIALISED
    if family == AF_UNSPEC:
        if proto == 0:
            return WSAEINVAL
        family = AF_INET
    if kind == 0:
        if family not in HOST_FAMILY:
            return WSAESOCKTNOSUPPORT
        if proto not in _DEFAULT_TYPE:
            return WSAEPROTONOSUPPORT
        kind = _DEFAULT_TYPE[proto]
    if kind not in (SOCK_STREAM, SOCK_DGRAM, SOCK_RAW):
        return WSAESOCKTNOSUPPORT
    if family not in HOST_FAMILY:
        return WSAEAFNOSUPPORT
    if kind != SOCK_RAW:
        if proto not in (0, _DEFAULT_PROTOCOL[kind]):
            return WSAEPROTONOSUPPORT
        proto = _DEFAULT_PROTOCOL[kind]
    fd = lib.socket(HOST_FAMILY[family], kind | libc.SOCK_NONBLOCK | libc.SOCK_CLOEXEC, proto)
    if fd < 0:
        return translated(ffi.errno)
    prepare(fd, family, kind)
    return open_socket(fd, family, kind, proto) or WSANOTINITIALISED


def prepare(fd: int, family: int, kind: int) -> None:
    """What every descriptor of ours has from its first moment."""
    one = ffi.new("int *", 1)
    if not libc.LINUX:
        lib.ioctl(fd, libc.FIONBIO, one)
        lib.ioctl(fd, libc.FIOCLEX, ffi.NULL)
        lib.setsockopt(fd, libc.SOL_SOCKET, libc.SO_NOSIGPIPE, one, 4)
    if kind == SOCK_STREAM:
        lib.setsockopt(fd, libc.SOL_SOCKET, libc.SO_REUSEADDR, one, 4)
    elif kind == SOCK_DGRAM and libc.LINUX:
        # Without it an unconnected socket never hears that a port did not answer.
        lib.setsockopt(fd, IPPROTO_IP, libc.IP_RECVERR, one, 4)
        if family == AF_INET6:
            lib.setsockopt(fd, IPPROTO_IPV6, libc.IPV6_RECVERR, one, 4)
    if family == AF_INET6:
        lib.setsockopt(fd, IPPROTO_IPV6, libc.IPV6_V6ONLY, one, 4)


def closesocket(s: int) -> int:
    sock = find(s)
    if isinstance(sock, int):
        return fail(sock)
    if sock.nonblocking and sock.options:
        linger_in_background(sock)
    return 0 if handles.close(sock) else fail(WSAENOTSOCK)


def shutdown(s: int, how: int) -> int:
    handle, direction = socket_handle(s), as_int(how)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if direction not in (SD_RECEIVE, SD_SEND, SD_BOTH):
        return fail(WSAEINVAL)
    sock.settle()
    if sock.stream and sock.stage != CONNECTED:
        return fail(WSAENOTCONN)
    if direction != SD_SEND:
        # A flag only: the host's SHUT_RD would not refuse what arrives later, and Winsock's peer may go on sending.
        sock.receive_off = True
    if direction != SD_RECEIVE and not sock.send_off:
        sock.send_off = True
        if sock.stream:
            lib.shutdown(sock.fd, 1)
    sock.update()
    changed(sock)
    return 0


def ioctlsocket(s: int, cmd: int, argp: IntRef | None) -> int:
    handle, command = socket_handle(s), as_int(cmd) & 0xFFFFFFFF
    ref = None if argp is None else integer_ref(argp)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if ref is None:
        return fail(WSAEFAULT)
    if command == FIONBIO:
        sock.nonblocking = ref.value & 0xFFFFFFFF != 0
        sock.update()
    elif command == FIONREAD:
        ref.value = _readable_bytes(sock)
    elif command == SIOCATMARK:
        if not sock.stream:
            return fail(WSAEINVAL)
        ref.value = int(not _urgent_waits(sock))
    elif command == SIO_UDP_CONNRESET and not sock.stream:
        sock.port_reset = ref.value & 0xFFFFFFFF != 0
    else:
        return fail(WSAEOPNOTSUPP)
    return 0


def _readable_bytes(sock: Socket) -> int:
    count = ffi.new("int *")
    if sock.stage == LISTENING or lib.ioctl(sock.fd, libc.FIONREAD, count) != 0:
        return 0
    bytes_waiting: int = count[0]
    return bytes_waiting


def _urgent_waits(sock: Socket) -> bool:
    # Not the host's SIOCATMARK: that stays 1 after the urgent byte was read.
    if not sock.stream or sock.stage != CONNECTED or sock.options.get((SOL_SOCKET, SO_OOBINLINE)):
        return False
    return bool(poll_once(sock.fd, libc.POLLPRI) & libc.POLLPRI)
