"""Helpers of the facts: what a socket receives, and calls that wait in another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from ctypes import c_int

from tests.conformance.kit import IN, LIMIT, bound, done, name_of, nonblocking, tcp, wait_readable
from tests.conformance.recorder import Json, error_name
from winsock import (
    SOCKET_ERROR,
    WSAGetLastError,
    connect,
    getsockopt,
    listen,
    recv,
    recvfrom,
    sockaddr_in,
)


def received(s: int, size: int = 16, flags: int = 0) -> Json:
    """The text that one recv returns, or the name of its error."""
    buffer = bytearray(size)
    count = recv(s, buffer, size, flags)
    return error_name(WSAGetLastError()) if count == SOCKET_ERROR else buffer[:count].decode("ascii")


def received_in_time(s: int, size: int = 16, flags: int = 0) -> Json:
    return received(wait_readable(s), size, flags)


def datagram(s: int, size: int = 16, flags: int = 0) -> tuple[Json, sockaddr_in]:
    """The text or the error of one recvfrom, and the address that it wrote."""
    buffer, sender = bytearray(size), sockaddr_in()
    count = recvfrom(s, buffer, size, flags, sender, c_int(IN))
    text: Json = error_name(WSAGetLastError()) if count == SOCKET_ERROR else buffer[:count].decode("ascii")
    return text, sender


def option_value(s: int, level: int, name: int) -> Json:
    """The value of an option as an unsigned number, or the name of the error."""
    value = bytearray(4)
    if getsockopt(s, level, name, value, c_int(4)) == SOCKET_ERROR:
        return error_name(WSAGetLastError())
    return int.from_bytes(value, "little")


def begun(call: Callable[[], Json]) -> Callable[[], Json]:
    """Begins a call in another thread. The function returned waits for its end and returns what it observed."""
    seen: list[Json] = []
    thread = threading.Thread(target=lambda: seen.append(call()), daemon=True)
    thread.start()

    def end() -> Json:
        thread.join(LIMIT)
        return seen[0] if seen else "still waits"

    return end


def connecting_socket() -> tuple[int, int]:
    """A nonblocking socket whose connect is in progress, because the queue of the listener is full; the listener."""
    queue = bound(tcp())
    done(listen(queue, 1))
    clients = [nonblocking(tcp()) for _ in range(8)]
    for s in clients:
        connect(s, name_of(queue), IN)
    return clients[-1], queue
