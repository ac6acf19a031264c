"""Addresses and broadcasts of this machine's own networks, in a network namespace with two interfaces."""

from __future__ import annotations

import subprocess
from ctypes import c_int, sizeof

import pytest
from process_measures import no_more_descriptors
from winsock_kit import bound, error_of, loopback, new, port_of, set_option

from tests.windows_facts.multicast import arrived, join, leave, member, send_to, sender
from tests.windows_facts.networks import INDEX_A, NET_A, NET_B, Machine, has_networks, on_network
from winsock import (
    AF_INET6,
    INADDR_ANY,
    INADDR_LOOPBACK,
    IP_MULTICAST_IF,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_ADD_MEMBERSHIP,
    SO_BROADCAST,
    SOCK_DGRAM,
    SOCK_STREAM,
    WSAEACCES,
    WSAEADDRNOTAVAIL,
    WSAEMFILE,
    WSAENETUNREACH,
    bind,
    connect,
    getsockname,
    htonl,
    ipv6_mreq,
    sendto,
    setsockopt,
    sockaddr_in,
    u_long,
)

pytestmark = [
    pytest.mark.usefixtures("started", "networks"),
    pytest.mark.posix_only("network namespaces are Linux's"),
]

# An address without an explicit broadcast address, the broadcast address of its network, and an address with /32.
PLAIN, PLAIN_BROADCAST, SINGLE = 0x0A010001, 0x0A0100FF, 0x0A010707
BROADCAST_A, FOREIGN, GROUP = 0x0A0900FF, 0x08080808, 0xEFFFFE30
TYPES = pytest.mark.parametrize("type", [SOCK_STREAM, SOCK_DGRAM])


@pytest.fixture
def networks() -> None:
    if not has_networks():
        pytest.skip("this process can make no network namespaces")


def add_plain_addresses() -> None:
    for address in ("10.1.0.1/24", "10.1.7.7/32"):
        subprocess.run(["ip", "addr", "add", address, "dev", "neta"], check=True)


def broadcasting(address: int, port: int = 0) -> int:
    s = bound(SOCK_DGRAM, loopback(port, address))
    set_option(s, SO_BROADCAST, 1)
    return s


def has_name(s: int) -> bool:
    return getsockname(s, sockaddr_in(), c_int(16)) == 0


# Without an explicit broadcast address


@TYPES
@pytest.mark.parametrize("address", [PLAIN, SINGLE])
def test_an_own_address_is_no_broadcast_address(type: int, address: int) -> None:
    @on_network
    def result(there: Machine) -> int:
        add_plain_addresses()
        return bind(new(type), loopback(0, address), 16)

    assert result() == 0


@TYPES
def test_the_broadcast_address_follows_from_the_mask(type: int) -> None:
    @on_network
    def result(there: Machine) -> list[int]:
        add_plain_addresses()
        name = loopback(9, PLAIN_BROADCAST)
        return [error_of(bind(new(type), name, 16)), error_of(connect(new(type), name, 16))]

    assert result() == [WSAEADDRNOTAVAIL, WSAEADDRNOTAVAIL if type == SOCK_STREAM else WSAEACCES]


def test_a_socket_receives_the_broadcasts_of_its_network() -> None:
    @on_network
    def result(there: Machine) -> list[str]:
        add_plain_addresses()
        s, tx = bound(SOCK_DGRAM, loopback(0, PLAIN)), broadcasting(PLAIN)
        send_to(tx, port_of(s), "net", PLAIN_BROADCAST)
        send_to(tx, port_of(s), "limited", 0xFFFFFFFF)
        return arrived(s, tx)

    assert result() == ["limited", "net"]


# Descriptors


def test_binding_a_stream_opens_no_descriptor() -> None:
    @on_network
    def result(there: Machine) -> int:
        s = new(SOCK_STREAM)
        with no_more_descriptors():
            return bind(s, loopback(0, NET_A), 16)

    assert result() == 0


@pytest.mark.parametrize("address", [NET_A, BROADCAST_A])
def test_a_bind_that_cannot_be_checked_for_lack_of_descriptors_fails(address: int) -> None:
    @on_network
    def result(there: Machine) -> list[int]:
        s = new(SOCK_DGRAM)
        with no_more_descriptors():
            first = error_of(bind(s, loopback(0, address), 16))
        return [first, bind(s, loopback(0, NET_A), 16)]

    assert result() == [WSAEMFILE, 0]


def test_a_group_can_be_left_without_descriptors() -> None:
    @on_network
    def result(there: Machine) -> list[str]:
        s, tx = member(NET_A, GROUP, NET_A), sender(NET_A)
        with no_more_descriptors():
            assert leave(s, GROUP, NET_A) == 0
        send_to(tx, port_of(s), "group", GROUP)
        send_to(tx, port_of(s), "broadcast", BROADCAST_A)
        return arrived(s, tx)

    assert result() == ["broadcast"]


# Connecting


@pytest.mark.parametrize("address", [BROADCAST_A, 0xFFFFFFFF])
def test_a_socket_that_receives_broadcasts_can_connect_to_them(address: int) -> None:
    @on_network
    def result(there: Machine) -> int:
        return connect(broadcasting(NET_A), loopback(9, address), 16)

    assert result() == 0


@pytest.mark.parametrize("address", [NET_A, INADDR_ANY])
def test_a_member_can_connect_to_a_group_without_a_route(address: int) -> None:
    @on_network
    def result(there: Machine) -> int:
        subprocess.run(["ip", "route", "del", "224.0.0.0/4"], check=True)
        s = member(address, GROUP, NET_A)
        assert setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, u_long(htonl(NET_A)), 4) == 0
        return connect(s, loopback(9, GROUP), 16)

    assert result() == 0


def test_a_socket_receives_groups_and_broadcasts_again_after_it_was_connected_to_a_broadcast_address() -> None:
    @on_network
    def result(there: Machine) -> list[str]:
        s, tx = member(NET_A, GROUP, NET_A), sender(NET_A)
        set_option(s, SO_BROADCAST, 1)
        assert connect(s, loopback(9, BROADCAST_A), 16) == connect(s, sockaddr_in(2), 16) == 0
        send_to(tx, port_of(s), "group", GROUP)
        send_to(tx, port_of(s), "broadcast", BROADCAST_A)
        return arrived(s, tx)

    assert result() == ["broadcast", "group"]


# The interface of a membership


@pytest.mark.parametrize("joined", [NET_A, INDEX_A])
@pytest.mark.parametrize("left", [NET_A, INDEX_A])
def test_the_membership_on_the_named_interface_ends(joined: int, left: int) -> None:
    @on_network
    def result(there: Machine) -> list[str]:
        s = member(NET_A, GROUP, joined)
        assert join(s, GROUP, NET_B) == join(s, GROUP, INADDR_LOOPBACK) == leave(s, GROUP, left) == 0
        tx = sender(NET_A)
        send_to(tx, port_of(s), "a", GROUP)
        send_to(sender(NET_B), port_of(s), "b", GROUP)
        send_to(sender(INADDR_LOOPBACK), port_of(s), "loopback", GROUP)
        return arrived(s, tx)

    assert result() == ["b", "loopback"]


def test_many_ipv6_groups_can_be_joined_on_an_interface() -> None:
    @on_network
    def results(there: Machine) -> set[int]:
        s = new(SOCK_DGRAM, AF_INET6)
        request = ipv6_mreq(ipv6mr_interface=INDEX_A)
        found = set()
        for number in range(400):
            request.ipv6mr_multiaddr.s6_addr = b"\xff\x15" + number.to_bytes(14, "big")
            found.add(setsockopt(s, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, request, sizeof(request)))
        return found

    assert results() == {0}


# Calls that fail


@pytest.mark.parametrize(("address", "error"), [(BROADCAST_A, WSAEACCES), (FOREIGN, WSAENETUNREACH)])
def test_a_failed_sendto_or_connect_leaves_the_socket_unbound(address: int, error: int) -> None:
    @on_network
    def results(there: Machine) -> list[int | bool]:
        first, second, name = new(SOCK_DGRAM), new(SOCK_DGRAM), loopback(9, address)
        errors = [error_of(sendto(first, b"x", 1, 0, name, 16)), error_of(connect(second, name, 16))]
        return [*errors, has_name(first), has_name(second), *(bind(s, loopback(0, NET_A), 16) for s in (first, second))]

    assert results() == [error, error, False, False, 0, 0]
