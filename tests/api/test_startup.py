"""WSAStartup, WSACleanup, and the last error before, between and after them."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import POINTER, c_int, sizeof

import pytest
from winsock_kit import Running, error_of, fd_set_of, loopback, name_of, new, option

from winsock import (
    AF_INET,
    FIONBIO,
    INADDR_LOOPBACK,
    INET_ADDRSTRLEN,
    INVALID_SOCKET,
    MAKEWORD,
    NI_NUMERICHOST,
    POLLIN,
    SD_BOTH,
    SO_KEEPALIVE,
    SO_TYPE,
    SOCK_STREAM,
    SOL_SOCKET,
    WSADATA,
    WSAEFAULT,
    WSAENOTSOCK,
    WSANOTINITIALISED,
    WSAPOLLFD,
    WSAVERNOTSUPPORTED,
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
    getaddrinfo,
    gethostbyname,
    gethostname,
    getnameinfo,
    getpeername,
    getsockname,
    getsockopt,
    htonl,
    htons,
    inet_addr,
    inet_ntop,
    inet_pton,
    ioctlsocket,
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
    socket,
    timeval,
    u_long,
)

pytestmark = pytest.mark.usefixtures("unstarted")

ADDRESS = bytes(loopback())


def unstarted() -> dict[str, Callable[[], int]]:
    """Each call that requires WSAStartup, with an invalid handle and otherwise valid arguments."""
    return {
        "socket": lambda: socket(AF_INET, SOCK_STREAM, 0),
        "ioctlsocket": lambda: ioctlsocket(1, FIONBIO, u_long(1)),
        "bind": lambda: bind(1, ADDRESS, 16),
        "connect": lambda: connect(1, ADDRESS, 16),
        "listen": lambda: listen(1, 1),
        "accept": lambda: accept(1, None, None),
        "send": lambda: send(1, b"x", 1, 0),
        "recv": lambda: recv(1, bytearray(1), 1, 0),
        "sendto": lambda: sendto(1, b"x", 1, 0, ADDRESS, 16),
        "recvfrom": lambda: recvfrom(1, bytearray(1), 1, 0, None, None),
        "shutdown": lambda: shutdown(1, SD_BOTH),
        "closesocket": lambda: closesocket(1),
        "getsockname": lambda: getsockname(1, bytearray(16), c_int(16)),
        "getpeername": lambda: getpeername(1, bytearray(16), c_int(16)),
        "setsockopt": lambda: setsockopt(1, SOL_SOCKET, SO_KEEPALIVE, c_int(1), 4),
        "getsockopt": lambda: getsockopt(1, SOL_SOCKET, SO_TYPE, c_int(), c_int(4)),
        "select": lambda: select(0, fd_set_of(1), None, None, timeval()),
        "WSAPoll": lambda: WSAPoll(WSAPOLLFD(1, POLLIN), 1, 0),
        "gethostname": lambda: gethostname(bytearray(256), 256),
        "WSACleanup": WSACleanup,
    }


UNCHECKED_BY_WINE = pytest.mark.wine_differs("most calls do not check whether Winsock was started")
CALLS_ON_SOCKETS = [
    pytest.param(call, marks=() if call in {"socket", "closesocket", "WSACleanup"} else UNCHECKED_BY_WINE)
    for call in unstarted()
]


@pytest.mark.parametrize("call", CALLS_ON_SOCKETS)
def test_before_startup_every_call_on_sockets_fails_with_wsanotinitialised(call: str) -> None:
    assert error_of(unstarted()[call]()) == WSANOTINITIALISED


@pytest.mark.parametrize("call", CALLS_ON_SOCKETS)
def test_after_the_last_cleanup_every_call_on_sockets_fails_with_wsanotinitialised(call: str) -> None:
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    assert WSACleanup() == 0
    assert error_of(unstarted()[call]()) == WSANOTINITIALISED


@UNCHECKED_BY_WINE
def test_before_startup_a_short_buffer_is_still_wsanotinitialised() -> None:
    assert error_of(recv(1, bytearray(1), 2, 0)) == WSANOTINITIALISED
    assert error_of(send(1, b"x", -1, 0)) == WSANOTINITIALISED
    assert error_of(gethostname(bytearray(1), 256)) == WSANOTINITIALISED
    assert error_of(WSAPoll(bytearray(1), 1, 0)) == WSANOTINITIALISED
    assert error_of(select(0, bytearray(1), None, None, None)) == WSANOTINITIALISED


@UNCHECKED_BY_WINE
def test_before_startup_the_calls_that_return_a_code_return_wsanotinitialised() -> None:
    assert getaddrinfo("127.0.0.1", None, None, POINTER(addrinfo)()) == WSANOTINITIALISED
    assert getnameinfo(ADDRESS, 16, bytearray(64), 64, None, 0, NI_NUMERICHOST) == WSANOTINITIALISED


def test_before_startup_gethostbyname_returns_none_with_wsanotinitialised() -> None:
    assert gethostbyname("127.0.0.1") is None
    assert WSAGetLastError() == WSANOTINITIALISED


def test_before_startup_byte_orders_and_addresses_can_be_converted() -> None:
    assert (ntohs(htons(4711)), ntohl(htonl(4711))) == (4711, 4711)
    assert inet_addr("127.0.0.1") == htonl(INADDR_LOOPBACK)
    assert inet_pton(AF_INET, "127.0.0.1", bytearray(4)) == 1
    assert inet_ntop(AF_INET, bytes(4), bytearray(INET_ADDRSTRLEN), INET_ADDRSTRLEN) == "0.0.0.0"


def test_before_startup_the_last_error_can_be_set_and_read() -> None:
    WSASetLastError(4711)
    assert WSAGetLastError() == 4711


@pytest.mark.parametrize("code", [0, -1, 1, 10035, 0x7FFFFFFF, -0x80000000])
def test_the_last_error_takes_any_c_int(code: int) -> None:
    WSASetLastError(code)
    assert WSAGetLastError() == code


def test_each_successful_wsastartup_requires_one_wsacleanup() -> None:
    for _ in range(3):
        assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    for _ in range(3):
        assert socket(AF_INET, SOCK_STREAM, 0) != INVALID_SOCKET
        assert WSACleanup() == 0
    assert error_of(WSACleanup()) == WSANOTINITIALISED


def test_a_wsacleanup_that_is_not_the_last_keeps_the_sockets_open(started: None) -> None:
    s = new()
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    assert WSACleanup() == 0
    assert option(s, SO_TYPE) == SOCK_STREAM


def test_the_last_cleanup_closes_every_socket_for_good(started: None) -> None:
    s = new()
    assert WSACleanup() == 0
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    assert error_of(getsockopt(s, SOL_SOCKET, SO_TYPE, c_int(), c_int(4))) == WSAENOTSOCK
    assert error_of(closesocket(s)) == WSAENOTSOCK


def test_the_last_wsacleanup_closes_the_connection_of_the_peer(pair: tuple[int, int]) -> None:
    # Both ends are in this process. The port can be bound again, so they are closed.
    name = name_of(pair[1])
    assert WSACleanup() == 0
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    s = new()
    assert bind(s, name, sizeof(name)) == 0


@pytest.mark.parametrize("version", [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)])
def test_wsastartup_returns_a_known_version_as_requested(version: tuple[int, int]) -> None:
    data = WSADATA()
    assert WSAStartup(MAKEWORD(*version), data) == 0
    assert WSACleanup() == 0
    assert data.wVersion == MAKEWORD(*version)
    assert data.wHighVersion == MAKEWORD(2, 2)


@pytest.mark.parametrize(
    ("asked", "given"),
    [((1, 2), (1, 1)), ((1, 255), (1, 1)), ((2, 3), (2, 2)), ((3, 0), (2, 2)), ((255, 0), (2, 2))],
)
def test_wsastartup_returns_the_nearest_version_for_an_unknown_one(
    asked: tuple[int, int], given: tuple[int, int]
) -> None:
    data = WSADATA()
    assert WSAStartup(MAKEWORD(*asked), data) == 0
    assert WSACleanup() == 0
    assert data.wVersion == MAKEWORD(*given)


@pytest.mark.parametrize("minor", [0, 1, 2, 255])
def test_wsastartup_with_major_version_0_fails_but_fills_in_its_data(minor: int) -> None:
    data = WSADATA()
    assert WSAStartup(MAKEWORD(0, minor), data) == WSAVERNOTSUPPORTED
    assert data.wVersion == data.wHighVersion == MAKEWORD(2, 2)
    assert error_of(WSACleanup()) == WSANOTINITIALISED


@pytest.mark.parametrize("room", [None, 0, 1, sizeof(WSADATA) - 1])
def test_wsastartup_with_a_short_buffer_does_not_start_winsock(room: int | None) -> None:
    data = None if room is None else bytearray(b"\x55" * room)
    assert WSAStartup(MAKEWORD(2, 2), data) == WSAEFAULT
    assert WSAStartup(MAKEWORD(0, 0), data) == WSAVERNOTSUPPORTED
    assert error_of(WSACleanup()) == WSANOTINITIALISED
    assert data is None or data == b"\x55" * len(data)


def test_wsastartup_fills_in_a_description() -> None:
    data = WSADATA()
    assert WSAStartup(MAKEWORD(2, 2), data) == 0
    assert WSACleanup() == 0
    assert (data.szDescription, data.szSystemStatus) == (b"WinSock 2.0", b"Running")
    assert (data.iMaxSockets, data.iMaxUdpDg) == (0, 0)


def test_wsastartup_returns_limits_for_version_1_only() -> None:
    data = WSADATA()
    assert WSAStartup(MAKEWORD(1, 1), data) == 0
    assert WSACleanup() == 0
    assert (data.iMaxSockets, data.iMaxUdpDg) == (32767, 65467)


def test_wsastartup_fills_a_byte_array_like_the_structure() -> None:
    data, raw = WSADATA(), bytearray(sizeof(WSADATA) + 8)
    for room in (data, raw):
        assert WSAStartup(MAKEWORD(2, 2), room) == 0
        assert WSACleanup() == 0
    assert WSADATA.from_buffer_copy(raw).szDescription == data.szDescription
    assert raw[sizeof(WSADATA) :] == bytes(8)


def test_wsastartup_in_one_thread_is_valid_for_all_threads(started: None) -> None:
    assert Running(lambda: option(new(), SO_TYPE)).result() == SOCK_STREAM


def test_cleanup_in_another_thread_counts_too(started: None) -> None:
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    assert Running(WSACleanup).result() == 0
