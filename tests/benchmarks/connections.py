"""Opens sockets of both kinds on loopback, in the same state; the caller's ExitStack closes them."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from winsock import (
    AF_INET,
    FIONBIO,
    INVALID_SOCKET,
    IPPROTO_TCP,
    MAKEWORD,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOMAXCONN,
    TCP_NODELAY,
    WSADATA,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    WSAStartup,
    accept,
    bind,
    closesocket,
    connect,
    getsockname,
    htons,
    inet_addr,
    ioctlsocket,
    listen,
    ntohs,
    setsockopt,
    sockaddr_in,
)
from winsock import socket as winsock_socket

from .measuring import Unavailable

HOST = "127.0.0.1"
MESSAGE = bytes(64)
SIZE = len(MESSAGE)
ADDRESS_SIZE = ctypes.sizeof(sockaddr_in)


def checked(result: int) -> int:
    """Returns `result`, or raises OSError if the call failed."""
    if result in (SOCKET_ERROR, INVALID_SOCKET):
        error = WSAGetLastError()
        raise OSError(error, WSAErrorDescript(error))
    return result


@contextmanager
def winsock_started() -> Iterator[ExitStack]:
    """Runs between WSAStartup and WSACleanup, with a stack for the sockets."""
    if WSAStartup(MAKEWORD(2, 2), WSADATA()) != 0:
        raise OSError("WSAStartup failed")
    with ExitStack() as stack:
        stack.callback(WSACleanup)
        yield stack


@contextmanager
def descriptors(count: int) -> Iterator[None]:
    """Raises the limit of open files to `count`, plus those that the process already has open.

    Errors: Unavailable if the system does not allow so many.
    """
    if sys.platform == "win32":
        yield  # Windows has no limit
        return
    import resource

    count += 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
        except (ValueError, OSError) as error:
            raise Unavailable(f"needs {count} file descriptors, but only {hard} are allowed (ulimit -n)") from error
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def winsock_address(port: int) -> sockaddr_in:
    address = sockaddr_in()
    address.sin_family, address.sin_port = AF_INET, htons(port)
    address.sin_addr.s_addr = inet_addr(HOST)
    return address


def winsock_port(handle: int) -> int:
    address, length = sockaddr_in(), ctypes.c_int(ADDRESS_SIZE)
    checked(getsockname(handle, address, length))
    return ntohs(address.sin_port)


def winsock_opened(stack: ExitStack, handle: int) -> int:
    stack.callback(closesocket, checked(handle))
    return handle


def winsock_bound(stack: ExitStack, type: int) -> int:
    handle = winsock_opened(stack, winsock_socket(AF_INET, type, 0))
    checked(bind(handle, winsock_address(0), ADDRESS_SIZE))
    return handle


def winsock_listener(stack: ExitStack) -> int:
    handle = winsock_bound(stack, SOCK_STREAM)
    checked(listen(handle, SOMAXCONN))
    return handle


def winsock_datagram(stack: ExitStack) -> int:
    return winsock_bound(stack, SOCK_DGRAM)


def winsock_pair(stack: ExitStack) -> tuple[int, int]:
    """Both ends of a connection, with TCP_NODELAY."""
    listener = winsock_listener(stack)
    client = winsock_opened(stack, winsock_socket(AF_INET, SOCK_STREAM, 0))
    checked(connect(client, winsock_address(winsock_port(listener)), ADDRESS_SIZE))
    server = winsock_opened(stack, accept(listener, None, None))
    for handle in (client, server):
        winsock_nodelay(handle)
    return client, server


def winsock_nodelay(handle: int) -> None:
    checked(setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, ctypes.c_int(1), 4))


def winsock_nonblocking(handle: int) -> None:
    checked(ioctlsocket(handle, FIONBIO, ctypes.c_uint32(1)))


def standard_bound(stack: ExitStack, type: int) -> socket.socket:
    opened = stack.enter_context(socket.socket(socket.AF_INET, type))
    opened.bind((HOST, 0))
    return opened


def standard_listener(stack: ExitStack) -> socket.socket:
    listener = standard_bound(stack, socket.SOCK_STREAM)
    listener.listen(socket.SOMAXCONN)
    return listener


def standard_datagram(stack: ExitStack) -> socket.socket:
    return standard_bound(stack, socket.SOCK_DGRAM)


def standard_port(opened: socket.socket) -> int:
    port: int = opened.getsockname()[1]
    return port


def standard_client(stack: ExitStack, port: int, source: str = HOST) -> socket.socket:
    """A client for a server of either kind. SO_LINGER with 0 seconds avoids TIME_WAIT when it is closed."""
    client = stack.enter_context(socket.socket())
    on_for_0_seconds = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, on_for_0_seconds)
    if source != HOST:
        client.bind((source, 0))
    client.connect((HOST, port))
    return client


def standard_pair(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection, with TCP_NODELAY."""
    listener = standard_listener(stack)
    client = standard_client(stack, standard_port(listener))
    server = stack.enter_context(listener.accept()[0])
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


def winsock_server(stack: ExitStack, count: int) -> tuple[list[int], list[socket.socket]]:
    """The sockets of a polling server: `count` accepted non-blocking sockets, and their clients, which are standard
    sockets.
    """
    listener = winsock_listener(stack)
    port = winsock_port(listener)
    handles, clients = [], []
    for _ in range(count):
        clients.append(standard_client(stack, port))
        handle = winsock_opened(stack, accept(listener, None, None))
        winsock_nodelay(handle)
        winsock_nonblocking(handle)
        handles.append(handle)
    return handles, clients


def standard_server(stack: ExitStack, count: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """The same with standard sockets."""
    listener = standard_listener(stack)
    port = standard_port(listener)
    sockets, clients = [], []
    for _ in range(count):
        clients.append(standard_client(stack, port))
        accepted = stack.enter_context(listener.accept()[0])
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.setblocking(False)
        sockets.append(accepted)
    return sockets, clients
