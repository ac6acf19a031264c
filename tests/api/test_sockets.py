"""Handles and local addresses: socket, closesocket, bind, listen, ioctlsocket."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int
from typing import Any

import pytest
from winsock_kit import (
    accept_from,
    bound,
    connect_to,
    error_of,
    listener,
    loopback,
    name_of,
    new,
    option,
    port_of,
    readable,
    set_option,
)

from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    FIONBIO,
    FIONREAD,
    INADDR_LOOPBACK,
    INVALID_SOCKET,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SIOCATMARK,
    SO_RCVTIMEO,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_RDM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOMAXCONN,
    WSAEADDRNOTAVAIL,
    WSAEAFNOSUPPORT,
    WSAEINVAL,
    WSAEISCONN,
    WSAENOTSOCK,
    WSAEOPNOTSUPP,
    WSAEPROTONOSUPPORT,
    WSAESOCKTNOSUPPORT,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    bind,
    closesocket,
    getsockname,
    htonl,
    ioctlsocket,
    listen,
    recv,
    send,
    sockaddr_in,
    socket,
    u_long,
)

# socket

WINE_PROTOCOL = pytest.mark.wine_differs("socket checks the protocol of a datagram socket before the family")


@pytest.mark.parametrize(
    ("given", "type"),
    [
        ((AF_INET, SOCK_STREAM, 0), SOCK_STREAM),
        ((AF_INET, SOCK_STREAM, IPPROTO_TCP), SOCK_STREAM),
        ((AF_INET, SOCK_DGRAM, 0), SOCK_DGRAM),
        ((AF_INET, SOCK_DGRAM, IPPROTO_UDP), SOCK_DGRAM),
        ((AF_INET, 0, 0), SOCK_STREAM),
        ((AF_INET, 0, IPPROTO_TCP), SOCK_STREAM),
        ((AF_INET, 0, IPPROTO_UDP), SOCK_DGRAM),
        ((AF_INET6, SOCK_STREAM, 0), SOCK_STREAM),
        ((AF_UNSPEC, SOCK_STREAM, IPPROTO_TCP), SOCK_STREAM),
    ],
)
def test_a_type_or_protocol_of_0_is_determined_by_the_other(
    started: None, given: tuple[int, int, int], type: int
) -> None:
    s = socket(*given)
    assert s != INVALID_SOCKET
    assert option(s, SO_TYPE) == type


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ((0xDEAD, SOCK_STREAM, 0), WSAEAFNOSUPPORT),
        pytest.param((-1, SOCK_DGRAM, 0xDEAD), WSAEAFNOSUPPORT, marks=WINE_PROTOCOL),
        ((10, SOCK_STREAM, 0), WSAEAFNOSUPPORT),
        ((AF_INET, 0xDEAD, 0), WSAESOCKTNOSUPPORT),
        ((AF_INET, -1, 0), WSAESOCKTNOSUPPORT),
        ((0xDEAD, 0xDEAD, 0xDEAD), WSAESOCKTNOSUPPORT),
        ((AF_INET, SOCK_SEQPACKET, 0), WSAESOCKTNOSUPPORT),
        ((AF_INET, SOCK_RDM, 0), WSAESOCKTNOSUPPORT),
        ((AF_INET, SOCK_STREAM, IPPROTO_UDP), WSAEPROTONOSUPPORT),
        ((AF_INET, SOCK_DGRAM, IPPROTO_TCP), WSAEPROTONOSUPPORT),
        ((AF_INET, SOCK_STREAM, 0xDEAD), WSAEPROTONOSUPPORT),
        ((AF_INET, SOCK_STREAM, -1), WSAEPROTONOSUPPORT),
        ((AF_INET, 0, 0xDEAD), WSAEPROTONOSUPPORT),
        ((AF_UNSPEC, SOCK_STREAM, 0), WSAEINVAL),
        ((AF_UNSPEC, 0xDEAD, 0), WSAEINVAL),
        ((AF_UNSPEC, 0xDEAD, IPPROTO_UDP), WSAESOCKTNOSUPPORT),
    ],
)
def test_socket_checks_the_type_then_the_family_then_the_protocol(
    started: None, given: tuple[int, int, int], error: int
) -> None:
    assert error_of(socket(*given)) == error


def test_a_closed_handle_is_not_given_to_the_next_socket_while_it_is_remembered(started: None) -> None:
    s = new()
    assert closesocket(s) == 0
    assert error_of(closesocket(s)) == WSAENOTSOCK


@pytest.mark.parametrize("s", [0, 1, 2, 3, 4711, 0xDEADBEEF, INVALID_SOCKET])
def test_a_number_that_is_not_a_handle_is_wsaenotsock_even_if_it_is_a_file_descriptor(started: None, s: int) -> None:
    assert error_of(closesocket(s)) == WSAENOTSOCK
    assert error_of(send(s, b"x", 1, 0)) == WSAENOTSOCK


# bind, listen


def test_bind_to_port_0_lets_the_system_choose_one(started: None) -> None:
    s = bound()
    assert port_of(s) != 0
    assert name_of(s).sin_addr.s_addr == htonl(INADDR_LOOPBACK)


def test_a_second_bind_is_wsaeinval(started: None) -> None:
    s = bound()
    before = bytes(name_of(s))
    assert error_of(bind(s, loopback(), 16)) == WSAEINVAL
    assert bytes(name_of(s)) == before


def test_a_failed_bind_leaves_the_socket_unbound(started: None) -> None:
    s = new()
    assert error_of(bind(s, loopback(host=0x08080808), 16)) == WSAEADDRNOTAVAIL
    assert error_of(getsockname(s, sockaddr_in(), c_int(16))) == WSAEINVAL
    assert bind(s, loopback(), 16) == 0


def test_bind_rejects_an_unknown_family(started: None) -> None:
    assert error_of(bind(new(), b"\xad\xde" + bytes(14), 16)) == WSAEAFNOSUPPORT


def test_the_name_of_an_unbound_socket_is_wsaeinval_and_not_written(started: None) -> None:
    name, length = bytearray(b"." * 16), c_int(16)
    assert error_of(getsockname(new(), name, length)) == WSAEINVAL
    assert (name, length.value) == (b"." * 16, 16)


def test_listen_requires_a_bound_stream_socket(started: None) -> None:
    assert error_of(listen(new(), 1)) == WSAEINVAL
    assert error_of(listen(bound(SOCK_DGRAM), 1)) == WSAEOPNOTSUPP


@pytest.mark.parametrize("backlog", [0, 1, -1, SOMAXCONN])
def test_listen_accepts_any_backlog_and_may_be_repeated(started: None, backlog: int) -> None:
    server = listener()
    assert listen(server, backlog) == 0
    connect_to(server)
    accept_from(server)


@pytest.mark.wine_differs("listen on a connected socket fails with WSAEINVAL")
def test_listen_on_a_connected_socket_is_wsaeisconn(pair: tuple[int, int]) -> None:
    assert error_of(listen(pair[0], 1)) == WSAEISCONN


# ioctlsocket


def test_fionbio_sets_nonblocking_mode_for_any_nonzero_number_and_blocking_mode_for_0(pair: tuple[int, int]) -> None:
    set_option(pair[0], SO_RCVTIMEO, 1)
    for value, error in ((1, WSAEWOULDBLOCK), (0, WSAETIMEDOUT), (0x80000000, WSAEWOULDBLOCK), (0, WSAETIMEDOUT)):
        mode = u_long(value)
        assert ioctlsocket(pair[0], FIONBIO, mode) == 0
        assert mode.value == value
        if error == WSAEWOULDBLOCK:
            assert error_of(recv(pair[0], bytearray(1), 1, 0)) == error


@pytest.mark.parametrize("command", [0, 1, -1, 0x4004667E, 0x12345678])
def test_unknown_commands_are_rejected(started: None, command: int) -> None:
    assert error_of(ioctlsocket(new(), command, u_long(0))) == WSAEOPNOTSUPP


def test_fionread_on_a_listener_is_0(started: None) -> None:
    server = listener()
    connect_to(server)
    assert readable(server)
    waiting = u_long(4711)
    assert ioctlsocket(server, FIONREAD, waiting) == 0
    assert waiting.value == 0


@pytest.mark.parametrize("make", [new, listener])
def test_a_stream_without_a_connection_is_at_the_mark(started: None, make: Callable[[], Any]) -> None:
    mark = u_long(0)
    assert ioctlsocket(make(), SIOCATMARK, mark) == 0
    assert mark.value == 1
