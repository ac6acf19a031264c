"""Nothing is left behind by a call, whether it succeeds or fails: no handle, no memory, no Python object."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from ctypes import POINTER, c_char, c_int, sizeof

import pytest
from process_measures import memory, open_handles
from winsock_kit import Running, accept_from, bound, connect_to, fd_set_of, listener, name_of, new

import winsock
from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    CALLS,
    FIONBIO,
    FIONREAD,
    INVALID_SOCKET,
    MAKEWORD,
    NI_NUMERICHOST,
    NI_NUMERICSERV,
    POLLIN,
    SD_BOTH,
    SO_LINGER,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSADATA,
    WSAENOTSOCK,
    WSAPOLLFD,
    WSACleanup,
    WSAGetLastError,
    WSAPoll,
    WSASetLastError,
    WSAStartup,
    accept,
    addrinfo,
    bind,
    closesocket,
    connect,
    freeaddrinfo,
    getaddrinfo,
    gethostbyname,
    gethostname,
    getnameinfo,
    getpeername,
    getsockname,
    getsockopt,
    htonl,
    htons,
    in_addr,
    inet_addr,
    inet_ntoa,
    inet_ntop,
    inet_pton,
    ioctlsocket,
    linger,
    listen,
    ntohl,
    ntohs,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    setsockopt,
    shutdown,
    sockaddr_in,
    socket,
    timeval,
    u_long,
)

Round = Callable[[], None]


@contextmanager
def sockets() -> Iterator[Round]:
    def round() -> None:
        for family, type in ((AF_INET, SOCK_STREAM), (AF_INET, SOCK_DGRAM), (AF_INET6, SOCK_STREAM)):
            assert closesocket(socket(family, type, 0)) == 0

    yield round


@contextmanager
def connections() -> Iterator[Round]:
    server = listener()
    address = name_of(server)
    # No port stays behind in TIME_WAIT: there are not enough of them.
    reset = linger(1, 0)

    def round() -> None:
        client = socket(AF_INET, SOCK_STREAM, 0)
        assert connect(client, address, sizeof(address)) == 0
        accepted = accept(server, bytearray(16), c_int(16))
        assert accepted != INVALID_SOCKET
        assert getpeername(accepted, bytearray(16), c_int(16)) == 0
        assert shutdown(accepted, SD_BOTH) == 0
        assert setsockopt(client, SOL_SOCKET, SO_LINGER, reset, sizeof(reset)) == 0
        assert closesocket(client) == closesocket(accepted) == 0

    yield round


@contextmanager
def transfers() -> Iterator[Round]:
    server = listener()
    client = connect_to(server)
    accepted = accept_from(server)
    datagrams = bound(SOCK_DGRAM)
    address, buffer, length = name_of(datagrams), bytearray(1000), c_int(16)

    def round() -> None:
        assert send(client, buffer, len(buffer), 0) == recv(accepted, buffer, len(buffer), 0) == len(buffer)
        assert send(accepted, b"a constant", 10, 0) == 10
        assert select(0, fd_set_of(client), None, fd_set_of(client), timeval(10, 0)) == 1
        assert WSAPoll(WSAPOLLFD(client, POLLIN), 1, 10_000) == 1
        assert ioctlsocket(client, FIONREAD, u_long()) == 0
        assert recv(client, memoryview(buffer)[5:], 10, 0) == 10
        assert sendto(datagrams, b"a constant", 10, 0, address, sizeof(address)) == 10
        assert recvfrom(datagrams, buffer, len(buffer), 0, sockaddr_in(), length) == 10

    yield round


@contextmanager
def waits() -> Iterator[Round]:
    """A blocked call, ended by the socket's close from another thread, in a thread that ends with it."""

    def round() -> None:
        s = bound(SOCK_DGRAM)
        blocked = Running(lambda: (gethostbyname("127.0.0.1"), recv(s, bytearray(10), 10, 0), WSAGetLastError()))
        assert closesocket(s) == 0
        assert blocked.result()[1] == SOCKET_ERROR

    yield round


@contextmanager
def timeouts() -> Iterator[Round]:
    s = bound(SOCK_DGRAM)
    assert setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, c_int(1), 4) == 0

    def round() -> None:
        assert recv(s, bytearray(10), 10, 0) == SOCKET_ERROR

    yield round


@contextmanager
def options() -> Iterator[Round]:
    s = new()
    value = c_int()

    def round() -> None:
        assert getsockopt(s, SOL_SOCKET, SO_RCVBUF, value, c_int(4)) == 0
        assert setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, b"\1\2\0\0", 4) == 0
        assert ioctlsocket(s, FIONBIO, u_long(1)) == 0
        assert getsockname(s, bytearray(16), c_int(16)) in (0, SOCKET_ERROR)

    yield round


@contextmanager
def failures() -> Iterator[Round]:
    s = new()
    buffer = bytearray(b"\xff" * 16)
    foreign = sockaddr_in(AF_INET, 0, in_addr(htonl(0xCB007101)))  # an address of no interface (RFC 5737)

    def round() -> None:
        calls: tuple[Callable[[], int], ...] = (
            lambda: socket(AF_INET, 99, 0),
            lambda: bind(s, buffer, 17),
            lambda: bind(s, foreign, 16),
            lambda: bind(1, buffer, 16),
            lambda: listen(1, 1),
            lambda: accept(s, buffer, c_int(99)),
            lambda: accept(s, None, None),
            lambda: connect(s, buffer, 16),
            lambda: send(s, b"x", 1, 0),
            lambda: recv(s, None, 1, 0),
            lambda: recvfrom(s, buffer, 16, 0, buffer, c_int(99)),
            lambda: ioctlsocket(s, 4711, u_long()),
            lambda: setsockopt(s, SOL_SOCKET, 4711, buffer, 4),
            lambda: getpeername(s, buffer, c_int(16)),
            lambda: select(0, None, None, None, timeval()),
            lambda: select(0, fd_set_of(1), None, None, timeval()),
            lambda: closesocket(1),
        )
        for call in calls:
            assert call() in (SOCKET_ERROR, INVALID_SOCKET)
        assert WSAGetLastError() == WSAENOTSOCK

    yield round


@contextmanager
def names() -> Iterator[Round]:
    result, hints = POINTER(addrinfo)(), addrinfo(ai_family=AF_UNSPEC, ai_socktype=SOCK_STREAM)
    address, host, service = sockaddr_in(sin_family=AF_INET), bytearray(64), bytearray(64)
    numeric = NI_NUMERICHOST | NI_NUMERICSERV

    def round() -> None:
        assert getaddrinfo("127.0.0.1", "80", hints, result) == 0
        freeaddrinfo(result)
        assert getaddrinfo("not an address", None, None, result) != 0
        assert getnameinfo(address, sizeof(address), host, len(host), service, len(service), numeric) == 0
        found = gethostbyname("127.0.0.1")
        assert found is not None
        assert found.h_addr_list[0][0] == b"\x7f"
        assert inet_ntop(AF_INET, address.sin_addr, host, len(host)) == inet_ntoa(0) == "0.0.0.0"
        assert inet_pton(AF_INET6, "::1", (c_char * 16)()) == 1
        assert inet_addr("no address") == winsock.INADDR_NONE
        assert ntohl(htonl(4711)) == ntohs(htons(4711)) == 4711
        assert gethostname(bytearray(256), 256) == 0

    yield round


@contextmanager
def starts() -> Iterator[Round]:
    def round() -> None:
        WSASetLastError(4711)
        assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
        assert WSACleanup() == 0

    yield round


@contextmanager
def cleanups() -> Iterator[Round]:
    """The last WSACleanup, which closes what is open."""

    def round() -> None:
        socket(AF_INET, SOCK_STREAM, 0)
        assert WSACleanup() == 0
        assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0

    yield round


# How often each is done: more than 100,000 calls in all.
ROUNDS: dict[Callable[[], AbstractContextManager[Round]], int] = {
    sockets: 3000,
    connections: 500,
    transfers: 2000,
    waits: 500,
    timeouts: 200,
    options: 3000,
    failures: 1000,
    names: 3000,
    starts: 3000,
    cleanups: 500,
}

# What a system keeps for itself: pools that grow once, memory that is given back late.
FEW_HANDLES = 10
FEW_OBJECTS = 100
SLACK_BYTES = 256 * 1024
# The system may still be at the end of a thread that has been joined, and its stack.
STACK_BYTES: dict[object, int] = {waits: 2 * 1024 * 1024}


def measures() -> tuple[int, int, int]:
    gc.collect()
    return open_handles(), memory(), sys.getallocatedblocks()


@pytest.mark.many_sockets
@pytest.mark.usefixtures("started")
def test_the_measure_sees_a_socket() -> None:
    before = open_handles()
    opened = [new() for _ in range(100)]
    assert open_handles() - before >= 100
    for s in opened:
        assert closesocket(s) == 0
    assert open_handles() - before < 100


def test_the_measures_see_memory() -> None:
    before, kept = memory(), [bytes(range(256)) * (1 << 18)]
    # The allocator may have some memory left from earlier tests, but not more than a gigabyte.
    while memory() - before < len(kept[0]) // 2:
        assert len(kept) < 16
        kept.append(bytes(range(256)) * (1 << 18))


def test_the_measured_calls_are_all_there_are() -> None:
    used: set[str] = set()
    codes = [kind.__wrapped__.__code__ for kind in ROUNDS]  # type: ignore[attr-defined]
    while codes:
        code = codes.pop()
        used.update(code.co_names)
        codes.extend(constant for constant in code.co_consts if hasattr(constant, "co_names"))
    assert set(CALLS) <= used


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("kind", ROUNDS, ids=lambda kind: kind.__name__)
def test_calls_leave_nothing_behind(kind: Callable[[], AbstractContextManager[Round]]) -> None:
    rounds = ROUNDS[kind]
    with kind() as round:
        for _ in range(rounds // 10):
            round()
        handles, used, objects = measures()
        for _ in range(rounds):
            round()
        handles_after, used_after, objects_after = measures()
    assert handles_after - handles < FEW_HANDLES
    # A measurement of coverage keeps a tracer for each thread that there ever was.
    of_tracers = 10 * rounds if kind is waits and sys.gettrace() else 0
    assert objects_after - objects < FEW_OBJECTS + of_tracers
    assert used_after - used < SLACK_BYTES + STACK_BYTES.get(kind, 0)
