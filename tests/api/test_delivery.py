"""Members of multicast groups: waiting, joining while a call waits, closing, fork, and failures that leave nothing."""

from __future__ import annotations

from ctypes import c_int, sizeof

import pytest
from process_measures import no_more_descriptors, open_handles
from winsock_kit import (
    LIMIT_SECONDS,
    Running,
    bound,
    error_of,
    events_of,
    in_child,
    loopback,
    name_of,
    new,
    port_of,
    readable,
    set_nonblocking,
    set_option,
)

from winsock import (
    AF_INET,
    AF_INET6,
    FIONREAD,
    INADDR_ANY,
    INADDR_LOOPBACK,
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_MULTICAST_IF,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    MSG_PEEK,
    POLLIN,
    POLLRDNORM,
    SD_RECEIVE,
    SO_BROADCAST,
    SO_RCVTIMEO,
    SOCK_DGRAM,
    WSAEADDRINUSE,
    WSAEINTR,
    WSAEINVAL,
    WSAEMFILE,
    WSAENOTCONN,
    WSAENOTSOCK,
    WSAESHUTDOWN,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    WSAPOLLFD,
    WSAPoll,
    bind,
    closesocket,
    connect,
    getpeername,
    getsockname,
    htonl,
    ioctlsocket,
    ip_mreq,
    ntohs,
    recv,
    recvfrom,
    sendto,
    setsockopt,
    shutdown,
    sockaddr_in,
    sockaddr_in6,
    u_long,
)

pytestmark = [
    pytest.mark.usefixtures("started"),
    pytest.mark.wine_differs(
        "a socket bound to the address of an interface receives nothing from its groups", run=False
    ),
]

GROUPS = [0xEFFFFE00 + number for number in range(1, 20)]
GROUP = GROUPS[0]


def membership(group: int = GROUP) -> ip_mreq:
    request = ip_mreq()
    request.imr_multiaddr.s_addr, request.imr_interface.s_addr = htonl(group), htonl(INADDR_LOOPBACK)
    return request


def join(s: int, group: int = GROUP) -> int:
    return setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, membership(group), sizeof(ip_mreq))


def leave(s: int, group: int = GROUP) -> int:
    return setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, membership(group), sizeof(ip_mreq))


def member() -> int:
    """A member of GROUP, bound to a port of the loopback address."""
    s = bound(SOCK_DGRAM)
    assert join(s) == 0
    return s


def sender() -> int:
    s = bound(SOCK_DGRAM)
    assert setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, u_long(htonl(INADDR_LOOPBACK)), 4) == 0
    return s


def send_to(port: int, data: bytes = b"data", group: int = GROUP) -> None:
    assert sendto(sender(), data, len(data), 0, loopback(port, group), 16) == len(data)


def received(s: int) -> bytes:
    data = bytearray(100)
    count = recv(s, data, len(data), 0)
    assert count >= 0, error_of(count)
    return bytes(data[:count])


def nothing_left(s: int) -> bool:
    set_nonblocking(s)
    return error_of(recv(s, bytearray(100), 100, 0)) == WSAEWOULDBLOCK


# Waiting


def test_a_datagram_to_the_group_ends_a_blocked_recv() -> None:
    s = member()
    receiving = Running(lambda: received(s))
    send_to(port_of(s))
    assert receiving.result() == b"data"


def test_a_group_can_be_joined_while_recv_waits() -> None:
    s = bound(SOCK_DGRAM)
    receiving = Running(lambda: received(s))
    assert join(s) == 0
    send_to(port_of(s))
    assert receiving.result() == b"data"


def test_a_group_can_be_joined_while_select_waits() -> None:
    s = bound(SOCK_DGRAM)
    waiting = Running(lambda: readable(s))
    assert join(s) == 0
    send_to(port_of(s))
    assert waiting.result()
    assert received(s) == b"data"


def test_a_group_can_be_joined_while_wsapoll_waits() -> None:
    s = bound(SOCK_DGRAM)
    entry = WSAPOLLFD(s, POLLRDNORM)
    waiting = Running(lambda: WSAPoll(entry, 1, 1000 * LIMIT_SECONDS))
    assert join(s) == 0
    send_to(port_of(s))
    assert waiting.result() == 1
    assert entry.revents == POLLRDNORM


def test_a_group_can_be_left_while_recv_waits() -> None:
    s = member()
    receiving = Running(lambda: received(s))
    assert leave(s) == 0
    assert sendto(sender(), b"own", 3, 0, name_of(s), 16) == 3
    assert receiving.result() == b"own"


def test_closesocket_ends_a_blocked_recv_of_a_member() -> None:
    for seconds in (0, 1, 10):
        s = member()
        receiving = Running(lambda s=s: error_of(recvfrom(s, bytearray(1), 1, 0, None, None)))
        assert not readable(bound(SOCK_DGRAM), seconds)  # time, in which the call begins to wait
        assert closesocket(s) == 0
        if receiving.result() != WSAENOTSOCK:
            break
    assert receiving.result() == WSAEINTR


def test_a_receive_timeout_of_a_member_ends() -> None:
    s = member()
    set_option(s, SO_RCVTIMEO, 20)
    assert error_of(recv(s, bytearray(1), 1, 0)) == WSAETIMEDOUT


def test_a_member_whose_receiving_was_shut_down_is_not_readable() -> None:
    s = member()
    send_to(port_of(s))
    assert readable(s)
    assert shutdown(s, SD_RECEIVE) == 0
    assert not events_of(s, POLLIN)
    assert error_of(recv(s, bytearray(1), 1, 0)) == WSAESHUTDOWN


# Receiving


def test_datagrams_to_many_groups_arrive_once_each() -> None:
    s = bound(SOCK_DGRAM)
    assert [join(s, group) for group in GROUPS] == [0] * len(GROUPS)
    for group in GROUPS:
        send_to(port_of(s), f"{group}".encode(), group)
    assert sorted(received(s) for _ in GROUPS) == sorted(f"{group}".encode() for group in GROUPS)
    assert nothing_left(s)


def test_neither_the_group_nor_the_own_address_is_starved() -> None:
    s = member()
    tx = sender()
    for _ in range(6):
        assert sendto(tx, b"own", 3, 0, name_of(s), 16) == 3
        send_to(port_of(s), b"group")
    assert {received(s), received(s)} == {b"own", b"group"}


def test_recv_continues_with_the_datagram_that_fionread_has_measured() -> None:
    s = member()
    send_to(port_of(s), b"group")
    count = u_long()
    assert ioctlsocket(s, FIONREAD, count) == 0
    assert count.value == 5
    assert sendto(sender(), b"longer than that", 16, 0, name_of(s), 16) == 16
    assert recv(s, bytearray(5), 5, MSG_PEEK) == 5
    assert received(s) == b"group"


def test_a_datagram_that_arrived_before_the_group_was_left_can_be_received() -> None:
    s = member()
    send_to(port_of(s), b"before")
    assert readable(s)
    assert leave(s) == 0
    send_to(port_of(s), b"after")
    assert received(s) == b"before"
    assert nothing_left(s)


def test_a_group_that_was_left_with_unread_data_can_be_joined_again() -> None:
    s = member()
    send_to(port_of(s), b"first")
    assert leave(s) == join(s) == 0
    send_to(port_of(s), b"second")
    assert {received(s), received(s)} == {b"first", b"second"}
    assert nothing_left(s)


def test_a_member_sends_from_the_address_it_is_bound_to() -> None:
    s, other = member(), bound(SOCK_DGRAM)
    assert sendto(s, b"1", 1, 0, name_of(other), 16) == 1
    name = sockaddr_in()
    assert recvfrom(other, bytearray(1), 1, 0, name, c_int(16)) == 1
    assert bytes(name) == bytes(name_of(s))


@pytest.mark.parametrize("address", [bytes(16), bytes(10) + b"\xff\xff\x7f\0\0\1"])
def test_a_dual_stack_socket_can_be_a_member_of_an_ipv4_group(address: bytes) -> None:
    s = new(SOCK_DGRAM, AF_INET6)
    set_option(s, IPV6_V6ONLY, 0, IPPROTO_IPV6)
    name = sockaddr_in6(sin6_family=AF_INET6)
    name.sin6_addr.s6_addr = address
    assert bind(s, name, sizeof(name)) == 0
    assert getsockname(s, name, c_int(sizeof(name))) == 0
    assert join(s) == 0
    send_to(ntohs(name.sin6_port))
    sent_from = sockaddr_in6()
    assert recvfrom(s, bytearray(4), 4, 0, sent_from, c_int(28)) == 4
    assert sent_from.sin6_addr.s6_addr == bytes(10) + b"\xff\xff\x7f\0\0\1"


# Associations


def connected_member(peer: int) -> int:
    s = bound(SOCK_DGRAM, loopback(0, INADDR_ANY))
    assert join(s) == connect(s, name_of(peer), 16) == 0
    return s


def disconnect(s: int) -> None:
    assert connect(s, sockaddr_in(AF_INET), 16) == 0


def test_a_blocked_recv_goes_on_when_another_thread_ends_the_association() -> None:
    s = connected_member(sender())
    port = port_of(s)
    receiving = Running(lambda: received(s))
    disconnect(s)
    assert port_of(s) == port
    send_to(port)
    assert receiving.result() == b"data"


@pytest.mark.parametrize("wait", ["select", "WSAPoll"])
def test_a_call_that_waits_goes_on_when_another_thread_ends_the_association(wait: str) -> None:
    s = connected_member(sender())
    port = port_of(s)
    entry = WSAPOLLFD(s, POLLRDNORM)
    milliseconds = 1000 * LIMIT_SECONDS
    waiting = Running(lambda: readable(s) if wait == "select" else WSAPoll(entry, 1, milliseconds) == 1)
    disconnect(s)
    assert port_of(s) == port
    send_to(port)
    assert waiting.result()


def test_unread_datagrams_of_a_group_stay_when_the_association_ends() -> None:
    tx = sender()
    s = connected_member(tx)
    assert sendto(tx, b"before", 6, 0, loopback(port_of(s), GROUP), 16) == 6
    disconnect(s)
    send_to(port_of(s), b"after")
    assert {received(s), received(s)} == {b"before", b"after"}
    assert nothing_left(s)


@pytest.mark.posix_only("the descriptors of a member are compat's")
def test_a_member_whose_connect_has_failed_has_no_peer_and_receives_its_groups() -> None:
    s, peer = bound(SOCK_DGRAM, loopback(0, INADDR_ANY)), sender()
    assert join(s) == 0
    with no_more_descriptors():
        assert error_of(connect(s, name_of(peer), 16)) == WSAEMFILE
    assert error_of(getpeername(s, sockaddr_in(), c_int(16))) == WSAENOTCONN
    send_to(port_of(s))
    assert received(s) == b"data"


@pytest.mark.posix_only("the descriptors of a member are compat's")
def test_a_connect_without_descriptors_leaves_the_earlier_association() -> None:
    s, peer, broadcast = member(), sender(), loopback(9, 0x7FFFFFFF)
    set_option(s, SO_BROADCAST, 1)
    assert connect(s, broadcast, 16) == 0
    with no_more_descriptors():
        assert error_of(connect(s, name_of(peer), 16)) == WSAEMFILE
    assert bytes(name_of(s, getpeername)) == bytes(broadcast)
    assert connect(s, name_of(peer), 16) == 0
    assert sendto(peer, b"group", 5, 0, loopback(port_of(s), GROUP), 16) == 5
    assert received(s) == b"group"


# Descriptors


@pytest.mark.posix_only("the descriptors of a member are compat's")
@pytest.mark.parametrize("end", ["leave", "closesocket"])
def test_nothing_is_left_of_a_member(end: str) -> None:
    s = bound(SOCK_DGRAM)
    before = open_handles()
    for group in GROUPS:
        assert join(s, group) == 0
    if end == "leave":
        assert [leave(s, group) for group in GROUPS] == [0] * len(GROUPS)
        assert open_handles() == before
    else:
        assert closesocket(s) == 0
        assert open_handles() == before - 1


@pytest.mark.posix_only("the descriptors of a member are compat's")
def test_a_join_without_descriptors_changes_nothing() -> None:
    s = bound(SOCK_DGRAM)
    before = open_handles()
    with no_more_descriptors():
        assert error_of(join(s)) == WSAEMFILE
    assert open_handles() == before
    assert join(s) == 0
    send_to(port_of(s))
    assert received(s) == b"data"
    assert nothing_left(s)


@pytest.mark.posix_only("the descriptors of a member are compat's")
def test_a_bind_without_descriptors_can_be_repeated() -> None:
    s, free_port = new(SOCK_DGRAM), bound(SOCK_DGRAM)
    name = name_of(free_port)
    assert closesocket(free_port) == 0
    assert join(s, GROUPS[0]) == join(s, GROUPS[1]) == 0
    before = open_handles()
    with no_more_descriptors():
        assert error_of(bind(s, name, 16)) == WSAEMFILE
    assert open_handles() == before
    assert bind(s, name, 16) == 0
    send_to(port_of(s))
    assert received(s) == b"data"


@pytest.mark.posix_only("the descriptors of a member are compat's")
def test_a_bind_to_any_port_without_descriptors_can_be_repeated() -> None:
    s = new(SOCK_DGRAM)
    assert join(s) == 0
    with no_more_descriptors():
        assert error_of(bind(s, loopback(), 16)) == WSAEMFILE
    assert error_of(getsockname(s, sockaddr_in(), c_int(16))) == WSAEINVAL
    assert bind(s, loopback(), 16) == 0
    send_to(port_of(s))
    assert received(s) == b"data"


def test_a_member_whose_bind_has_failed_can_be_bound_elsewhere() -> None:
    s, occupied = new(SOCK_DGRAM), bound(SOCK_DGRAM)
    assert join(s) == 0
    before = open_handles()
    assert error_of(bind(s, name_of(occupied), 16)) == WSAEADDRINUSE
    assert open_handles() == before
    assert bind(s, loopback(), 16) == 0
    send_to(port_of(s))
    assert received(s) == b"data"


@pytest.mark.posix_only("the descriptors of a member are compat's")
def test_a_member_bound_to_the_wildcard_needs_one_descriptor() -> None:
    s = bound(SOCK_DGRAM, loopback(0, INADDR_ANY))
    before = open_handles()
    assert join(s) == 0
    assert open_handles() == before


# Fork


@pytest.mark.posix_only("Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_an_association_ends_while_a_child_has_the_sockets_too() -> None:
    import os

    s = connected_member(sender())
    port = port_of(s)
    end, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(end, 1)
        os._exit(0)
    os.close(end)
    try:
        disconnect(s)
        assert port_of(s) == port
    finally:
        os.close(write)
        os.waitpid(child, 0)


@pytest.mark.posix_only("Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_what_a_child_does_to_a_member_leaves_the_parents_member() -> None:
    s = member()
    send_to(port_of(s), b"for the child")

    def use() -> None:
        assert received(s) == b"for the child"
        assert closesocket(s) == 0

    in_child(use)
    send_to(port_of(s), b"for the parent")
    assert received(s) == b"for the parent"
