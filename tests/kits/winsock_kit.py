"""Helpers for tests of the calls: sockets on loopback. Every wait has a time limit."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from ctypes import c_int, sizeof
from typing import Generic, TypeVar

from winsock import (
    AF_INET,
    AF_INET6,
    FD_SET,
    FIONBIO,
    INADDR_LOOPBACK,
    INVALID_SOCKET,
    POLLIN,
    POLLOUT,
    SO_LINGER,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAEWOULDBLOCK,
    WSAPOLLFD,
    WSAError,
    WSAGetLastError,
    WSAPoll,
    accept,
    bind,
    closesocket,
    connect,
    fd_set,
    getsockname,
    getsockopt,
    htonl,
    htons,
    ioctlsocket,
    linger,
    listen,
    ntohs,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    setsockopt,
    sockaddr_in,
    sockaddr_in6,
    socket,
    timeval,
    u_long,
)

# Far more than anything on loopback takes, on a busy machine too. No test waits until it is over, unless it fails.
LIMIT_SECONDS = 30

T = TypeVar("T")


def error_of(result: int | str | None) -> int:
    """The last error; `result` must be one that reports an error."""
    assert result in (SOCKET_ERROR, INVALID_SOCKET, None), result
    error = WSAGetLastError()
    return WSAError(error) if error in set(WSAError) else error


def loopback(port: int = 0, host: int = INADDR_LOOPBACK) -> sockaddr_in:
    """An IPv4 address; port and host are in host byte order."""
    address = sockaddr_in(sin_family=AF_INET, sin_port=htons(port))
    address.sin_addr.s_addr = htonl(host)
    return address


def loopback6(port: int = 0) -> sockaddr_in6:
    address = sockaddr_in6(sin6_family=AF_INET6, sin6_port=htons(port))
    address.sin6_addr.s6_addr = bytes(15) + b"\1"
    return address


def new(type: int = SOCK_STREAM, family: int = AF_INET) -> int:
    """A socket with the time limit as its timeout."""
    s = socket(family, type, 0)
    assert s != INVALID_SOCKET, error_of(s)
    for option in (SO_RCVTIMEO, SO_SNDTIMEO):
        set_option(s, option, 1000 * LIMIT_SECONDS)
    return s


def set_option(s: int, option: int, value: int, level: int = SOL_SOCKET) -> None:
    assert setsockopt(s, level, option, c_int(value), 4) == 0, error_of(SOCKET_ERROR)


def option(s: int, number: int, level: int = SOL_SOCKET) -> int:
    value = u_long()
    assert getsockopt(s, level, number, value, c_int(4)) == 0, error_of(SOCKET_ERROR)
    return value.value


def set_nonblocking(s: int, on: int = 1) -> None:
    assert ioctlsocket(s, FIONBIO, u_long(on)) == 0, error_of(SOCKET_ERROR)


def bound(type: int = SOCK_STREAM, address: sockaddr_in | sockaddr_in6 | None = None) -> int:
    """A socket bound to a free port on loopback, or to `address`."""
    name = address or loopback()
    s = new(type, AF_INET6 if isinstance(name, sockaddr_in6) else AF_INET)
    assert bind(s, name, sizeof(name)) == 0, error_of(SOCKET_ERROR)
    return s


def listener(backlog: int = 8) -> int:
    s = bound()
    assert listen(s, backlog) == 0, error_of(SOCKET_ERROR)
    return s


def name_of(s: int, call: Callable[..., int] = getsockname) -> sockaddr_in:
    """The address that getsockname, or `call`, returns."""
    name, length = sockaddr_in(), c_int(sizeof(sockaddr_in))
    assert call(s, name, length) == 0, error_of(SOCKET_ERROR)
    assert length.value == sizeof(sockaddr_in)
    return name


def port_of(s: int) -> int:
    """The local port in host byte order."""
    port: int = ntohs(name_of(s).sin_port)
    return port


def connect_to(server: int) -> int:
    """A client that is connected to a listener but not accepted yet."""
    client = new()
    assert connect(client, name_of(server), sizeof(sockaddr_in)) == 0, error_of(SOCKET_ERROR)
    return client


def connecting() -> int:
    """A nonblocking socket whose connect stays in progress because the listen queue is full."""
    server = listener(0)
    for _ in range(300):
        s = new()
        set_nonblocking(s)
        assert error_of(connect(s, name_of(server), sizeof(sockaddr_in))) == WSAEWOULDBLOCK
        if not events_of(s, POLLOUT, 100):
            return s
    raise AssertionError("the listen queue does not fill up")


def accept_from(server: int) -> int:
    """Waits for the next connection of a listener and accepts it."""
    assert readable(server), "no connection in time"
    s = accept(server, None, None)
    assert s != INVALID_SOCKET, error_of(s)
    return s


def connected_pair() -> tuple[int, int]:
    """A client and its accepted socket; the listener stays open until the end of the test."""
    server = listener()
    client = connect_to(server)
    return client, accept_from(server)


def udp_pair() -> tuple[int, int]:
    return bound(SOCK_DGRAM), bound(SOCK_DGRAM)


def receive_all(s: int, count: int) -> bytes:
    """The next `count` bytes of a stream, or fewer at its end."""
    data = bytearray(count)
    filled = 0
    while filled < count:
        here = recv(s, memoryview(data)[filled:], count - filled, 0)
        assert here >= 0, error_of(here)
        if here == 0:
            break
        filled += here
    return bytes(data[:filled])


def transfers(s: int) -> list[int]:
    """The errors of send, recv, sendto and recvfrom on a socket, in nonblocking mode."""
    set_nonblocking(s)
    return [
        error_of(send(s, b"1", 1, 0)),
        error_of(recv(s, bytearray(1), 1, 0)),
        error_of(sendto(s, b"1", 1, 0, loopback(1), 16)),
        error_of(recvfrom(s, bytearray(1), 1, 0, None, None)),
    ]


def give_time(milliseconds: int) -> None:
    """Give other threads this much time to enter the calls that they have announced. No call shows that it waits."""
    assert WSAPoll(WSAPOLLFD(bound(SOCK_DGRAM), POLLIN), 1, milliseconds) == 0


def reset(s: int) -> None:
    """Closes a connection with a reset."""
    assert setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 0), sizeof(linger)) == 0
    assert closesocket(s) == 0


def fd_set_of(*sockets: int) -> fd_set:
    fds = fd_set()
    for s in sockets:
        FD_SET(s, fds)
    return fds


def readable(s: int, seconds: int = LIMIT_SECONDS) -> bool:
    return _ready(select(0, fd_set_of(s), None, None, timeval(seconds, 0)))


def writable(s: int, seconds: int = LIMIT_SECONDS) -> bool:
    return _ready(select(0, None, fd_set_of(s), None, timeval(seconds, 0)))


def excepted(s: int, seconds: int = LIMIT_SECONDS) -> bool:
    return _ready(select(0, None, None, fd_set_of(s), timeval(seconds, 0)))


def _ready(count: int) -> bool:
    assert count in (0, 1), error_of(count)
    return count == 1


def events_of(s: int, asked: int = POLLIN | POLLOUT, milliseconds: int = 0) -> int:
    """The events that WSAPoll returns for a socket."""
    entry = WSAPOLLFD(s, asked, -1)
    count = WSAPoll(entry, 1, milliseconds)
    assert count == (entry.revents != 0), error_of(count)
    events: int = entry.revents
    return events


def await_events(s: int, wanted: int, asked: int = POLLIN | POLLOUT) -> int:
    """The same, after one of the wanted events has occurred."""
    limit = time.monotonic() + LIMIT_SECONDS
    while not (events := events_of(s, asked, 1000 * LIMIT_SECONDS)) & wanted:
        assert time.monotonic() < limit, f"only the events {events:#x} in time"
    return events


def closed_port() -> sockaddr_in:
    """A loopback address on which no socket listens. A socket is bound to it, so no other process can."""
    return name_of(bound())


class Running(Generic[T]):
    """A call that runs in another thread; `result` waits for it and returns its result or raises its exception."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._results: list[T] = []
        self._raised: list[BaseException] = []
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()
        assert self._begun.wait(LIMIT_SECONDS)

    def _run(self, call: Callable[[], T]) -> None:
        self._begun.set()
        try:
            self._results.append(call())
        except BaseException as raised:  # raised again by result()
            self._raised.append(raised)

    def done(self) -> bool:
        """Whether the call has ended."""
        return not self._thread.is_alive()

    def result(self) -> T:
        self._thread.join(1.5 * LIMIT_SECONDS)
        assert not self._thread.is_alive(), "the call did not end in time"
        if self._raised:
            raise self._raised[0]
        return self._results[0]


def in_child(action: Callable[[], object]) -> None:
    """Runs `action` in a forked child and fails if it raises an exception."""
    child = os.fork() if sys.platform != "win32" else 0
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        except BaseException:  # the child must end here in any case, and print the reason
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
