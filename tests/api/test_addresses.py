"""Classes of addresses: each call refuses those that are not valid for it, whatever path its code takes."""

from __future__ import annotations

from ctypes import c_int

import pytest
from winsock_kit import (
    bound,
    error_of,
    listener,
    loopback,
    loopback6,
    name_of,
    new,
    option,
    readable,
    set_nonblocking,
    set_option,
    udp_pair,
)

from winsock import (
    AF_INET,
    AF_INET6,
    FD_ISSET,
    FD_SET,
    INADDR_ANY,
    INADDR_BROADCAST,
    INVALID_SOCKET,
    IPPROTO_ICMP,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_BROADCAST,
    SO_ERROR,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
    WSAEACCES,
    WSAEADDRNOTAVAIL,
    WSAEFAULT,
    WSAEINVAL,
    WSAEMSGSIZE,
    WSAENOTCONN,
    WSAEWOULDBLOCK,
    bind,
    connect,
    fd_set,
    getpeername,
    getsockname,
    recv,
    select,
    send,
    sendto,
    sockaddr_in,
    sockaddr_in6,
    socket,
    timeval,
)

pytestmark = pytest.mark.usefixtures("started")

MULTICAST, LOOPBACK_BROADCAST = 0xEFFF4D4D, 0x7FFFFFFF
WINE_CONNECTS = pytest.mark.wine_differs("connect and sendto accept 0.0.0.0 and use loopback, as on Linux")
ONLY_UNICAST = [MULTICAST, INADDR_BROADCAST, LOOPBACK_BROADCAST]


def mapped(address: int, port: int = 0) -> sockaddr_in6:
    name = loopback6(port)
    name.sin6_addr.s6_addr = bytes(10) + b"\xff\xff" + address.to_bytes(4, "big")
    return name


def dual_stack(type: int) -> int:
    s = new(type, AF_INET6)
    set_option(s, IPV6_V6ONLY, 0, IPPROTO_IPV6)
    return s


@pytest.mark.wine_differs("bind accepts multicast and broadcast addresses, as on Linux")
@pytest.mark.parametrize("type", [SOCK_STREAM, SOCK_DGRAM])
@pytest.mark.parametrize("address", ONLY_UNICAST)
def test_no_socket_is_bound_to_a_multicast_or_broadcast_address(type: int, address: int) -> None:
    s = new(type)
    assert error_of(bind(s, loopback(0, address), 16)) == WSAEADDRNOTAVAIL
    assert bind(s, loopback(), 16) == 0
    s = dual_stack(type)
    assert error_of(bind(s, mapped(address), 28)) == WSAEADDRNOTAVAIL
    assert bind(s, loopback6(), 28) == 0


@pytest.mark.wine_differs("connect to a multicast or broadcast address fails with WSAENETUNREACH")
@pytest.mark.parametrize("address", ONLY_UNICAST)
def test_no_stream_is_connected_to_a_multicast_or_broadcast_address(address: int) -> None:
    s = new()
    assert error_of(connect(s, loopback(9, address), 16)) == WSAEADDRNOTAVAIL
    assert connect(s, name_of(listener()), 16) == 0


@pytest.mark.wine_differs("connect to a multicast address fails with WSAENETUNREACH at once")
def test_a_nonblocking_connect_to_an_invalid_address_fails_later() -> None:
    s = new()
    set_nonblocking(s)
    assert error_of(connect(s, loopback(9, MULTICAST), 16)) == WSAEWOULDBLOCK
    writing, failed = fd_set(), fd_set()
    FD_SET(s, writing)
    FD_SET(s, failed)
    assert select(0, None, writing, failed, timeval(8, 0)) == 1
    assert (FD_ISSET(s, writing), FD_ISSET(s, failed)) == (0, 1)
    assert option(s, SO_ERROR) == WSAEADDRNOTAVAIL
    assert error_of(getpeername(s, sockaddr_in(), None)) == WSAENOTCONN


# The first socket is unbound: the reference makes its call. Calls of a bound one can be the accelerator's.
@pytest.mark.parametrize(
    ("address", "error"),
    [
        pytest.param(INADDR_ANY, WSAEADDRNOTAVAIL, marks=WINE_CONNECTS),
        (INADDR_BROADCAST, WSAEACCES),
        (LOOPBACK_BROADCAST, WSAEACCES),
    ],
)
def test_sendto_checks_the_address_of_bound_and_unbound_sockets(address: int, error: int) -> None:
    for s in (new(SOCK_DGRAM), bound(SOCK_DGRAM)):
        for _ in range(2):
            assert error_of(sendto(s, b"x", 1, 0, loopback(9, address), 16)) == error


@pytest.mark.parametrize("address", [INADDR_BROADCAST, LOOPBACK_BROADCAST])
def test_so_broadcast_permits_broadcasts_until_it_is_turned_off(address: int) -> None:
    s = bound(SOCK_DGRAM)
    set_option(s, SO_BROADCAST, 1)
    assert sendto(s, b"x", 1, 0, loopback(9, address), 16) == 1
    set_option(s, SO_BROADCAST, 0)
    assert error_of(sendto(s, b"x", 1, 0, loopback(9, address), 16)) == WSAEACCES


def test_a_refused_destination_changes_neither_the_peer_nor_the_socket() -> None:
    here, there = udp_pair()
    assert connect(here, name_of(there), 16) == 0
    assert error_of(sendto(here, b"x", 1, 0, loopback(9, INADDR_BROADCAST), 16)) == WSAEACCES
    assert error_of(connect(here, loopback6(9), 28)) != 0
    assert name_of(here, getpeername).sin_port == name_of(there).sin_port
    assert send(here, b"x", 1, 0) == 1
    assert readable(there)


@pytest.mark.wine_differs("an IPv4 address on an IPv6 socket fails with WSAEINVAL, or is accepted")
@pytest.mark.parametrize("type", [SOCK_STREAM, SOCK_DGRAM])
def test_an_ipv4_address_on_an_ipv6_socket_is_wsaefault(type: int) -> None:
    for s in (new(type, AF_INET6), dual_stack(type)):
        for name in (loopback(9), bytes(loopback(9)) + bytes(12)):
            assert error_of(bind(s, name, len(bytes(name)))) == WSAEFAULT
            assert error_of(connect(s, name, len(bytes(name)))) == WSAEFAULT
            if type == SOCK_DGRAM:
                assert error_of(sendto(s, b"x", 1, 0, name, len(bytes(name)))) == WSAEFAULT


@pytest.mark.wine_differs("an IPv4-mapped address on an IPv6-only socket fails with WSAEINVAL or WSAENETUNREACH")
def test_a_mapped_address_on_an_ipv6_only_socket_is_wsaeaddrnotavail() -> None:
    name = mapped(0x7F000001, 9)
    for type in (SOCK_STREAM, SOCK_DGRAM):
        assert error_of(bind(new(type, AF_INET6), name, 28)) == WSAEADDRNOTAVAIL
        assert error_of(connect(new(type, AF_INET6), name, 28)) == WSAEADDRNOTAVAIL
    assert error_of(sendto(new(SOCK_DGRAM, AF_INET6), b"x", 1, 0, name, 28)) == WSAEADDRNOTAVAIL


@pytest.mark.posix_only("the socket that a failed call leaves is compat's")
def test_a_socket_whose_datagram_was_too_large_can_be_bound() -> None:
    s = new(SOCK_DGRAM)
    assert error_of(sendto(s, bytes(70000), 70000, 0, loopback(9), 16)) == WSAEMSGSIZE
    assert error_of(getsockname(s, sockaddr_in(), c_int(16))) == WSAEINVAL
    assert bind(s, loopback(), 16) == 0


@pytest.mark.posix_only("raw sockets need an administrator's rights on Windows")
def test_a_raw_socket_sends_to_an_address_with_port_0() -> None:
    s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    if s == INVALID_SOCKET:
        pytest.skip("this process may not open raw sockets")
    request = bytes([8, 0, 0xF7, 0xFF, 0, 0, 0, 0])
    assert sendto(s, request, len(request), 0, loopback(), 16) == len(request)
    assert readable(s)
    data = bytearray(100)
    assert recv(s, data, len(data), 0) == 20 + len(request)
    assert data[20 : 20 + len(request)] == request
