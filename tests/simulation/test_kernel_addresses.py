"""IPv6, dual-stack sockets, multicast groups, broadcasts and packet filters of the simulated kernel."""

from __future__ import annotations

import errno
import ipaddress

import pytest
from simulated_hosts_kit import SECOND, Host, Wire, sockaddr

from winsock import constants as c
from winsock.simulation.kernel.files import POLLIN, POLLOUT

GROUP, GROUP6 = "239.1.2.3", "ff05::7"


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def one(wire: Wire) -> Host:
    return Host(wire, "10.0.0.1", "fd00::1")


@pytest.fixture
def two(wire: Wire) -> Host:
    return Host(wire, "10.0.0.2", "fd00::2")


def datagram(host: Host, address: str, port: int, family: int = c.AF_INET, v6only: int = 1) -> int:
    fd = host.socket(c.SOCK_DGRAM, family)
    host.system.set_option(fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1)
    if family == c.AF_INET6:
        host.system.set_option(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, v6only)
    assert host.system.bind(fd, sockaddr(address, port)) == 0
    return fd


def mreq(group: str, interface: str = "0.0.0.0") -> bytes:
    return ipaddress.ip_address(group).packed + ipaddress.ip_address(interface).packed


def mreq6(group: str, index: int = 0) -> bytes:
    return ipaddress.ip_address(group).packed + index.to_bytes(4, "little")


def join(host: Host, fd: int, group: str) -> int:
    if ":" in group:
        result = host.system.set_membership(fd, c.IPPROTO_IPV6, c.IPV6_ADD_MEMBERSHIP, mreq6(group))
    else:
        result = host.system.set_membership(fd, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, mreq(group))
    return int(result)


def dual_stack(host: Host, kind: int) -> int:
    fd = host.socket(kind, c.AF_INET6)
    host.system.set_option(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 0)
    return fd


class TestDualStack:
    @pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
    def test_a_socket_that_is_bound_to_an_ipv4_address_cannot_reach_ipv6(self, one: Host, kind: int) -> None:
        fd = dual_stack(one, kind)
        assert one.system.bind(fd, sockaddr("::ffff:127.0.0.1", 0)) == 0
        assert one.system.connect(fd, sockaddr("::1", 9)) == -errno.EAFNOSUPPORT

    @pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
    def test_a_socket_that_is_bound_to_an_ipv6_address_cannot_reach_ipv4(self, one: Host, kind: int) -> None:
        fd = dual_stack(one, kind)
        assert one.system.bind(fd, sockaddr("::1", 0)) == 0
        assert one.system.connect(fd, sockaddr("::ffff:127.0.0.1", 9)) == -errno.ENETUNREACH

    def test_a_datagram_socket_that_is_connected_to_ipv6_can_connect_to_ipv4_and_keeps_its_address(
        self, one: Host
    ) -> None:
        receiver = datagram(one, "127.0.0.1", 9)
        fd = dual_stack(one, c.SOCK_DGRAM)
        assert one.system.connect(fd, sockaddr("::1", 9)) == 0
        name = one.system.getsockname(fd)
        assert one.system.connect(fd, sockaddr("::ffff:127.0.0.1", 9)) == 0
        assert one.system.getsockname(fd) == name
        assert one.system.send(fd, b"x", 0) == 1
        assert one.events(receiver) & POLLIN

    def test_a_datagram_socket_that_is_connected_to_ipv4_cannot_connect_to_ipv6(self, one: Host) -> None:
        fd = dual_stack(one, c.SOCK_DGRAM)
        assert one.system.connect(fd, sockaddr("::ffff:127.0.0.1", 9)) == 0
        assert one.system.connect(fd, sockaddr("::1", 9)) == -errno.EAFNOSUPPORT

    @pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
    def test_a_socket_that_is_bound_to_the_ipv4_wildcard_cannot_reach_ipv6(self, one: Host, kind: int) -> None:
        fd = dual_stack(one, kind)
        assert one.system.bind(fd, sockaddr("::ffff:0.0.0.0", 0)) == 0
        assert one.system.connect(fd, sockaddr("::1", 80)) == -errno.EAFNOSUPPORT
        assert one.system.connect(fd, sockaddr("::ffff:127.0.0.1", 80)) in (0, -errno.EINPROGRESS)
        assert one.system.getsockname(fd)[1] == sockaddr("::ffff:127.0.0.1", one.port_of(fd))

    def test_a_datagram_to_port_0_of_a_connection_fails_only_on_a_mapped_address(self, one: Host) -> None:
        for address, result in (("::1", 1), ("::ffff:127.0.0.1", -errno.EINVAL)):
            fd = dual_stack(one, c.SOCK_DGRAM)
            assert one.system.connect(fd, sockaddr(address, 0)) == 0
            assert one.system.send(fd, b"x", 0) == result

    def test_a_socket_with_an_ipv6_address_shares_its_port_with_the_ipv4_wildcard(self, one: Host) -> None:
        plain, fd = one.socket(c.SOCK_DGRAM), dual_stack(one, c.SOCK_DGRAM)
        assert one.system.bind(plain, sockaddr("0.0.0.0", 99)) == 0
        assert one.system.bind(fd, sockaddr("fd00::1", 99)) == 0

    def test_a_bind_to_an_ipv6_address_that_is_in_use_leaves_the_socket_dual_stack(self, one: Host) -> None:
        first, fd = dual_stack(one, c.SOCK_DGRAM), dual_stack(one, c.SOCK_DGRAM)
        assert one.system.bind(first, sockaddr("fd00::1", 99)) == 0
        assert one.system.bind(fd, sockaddr("fd00::1", 99)) == -errno.EADDRINUSE
        assert one.system.connect(fd, sockaddr("::ffff:127.0.0.1", 9)) == 0


class TestIpv6:
    def test_a_stream_crosses_the_wire(self, one: Host, two: Host) -> None:
        listener = one.listener("fd00::1", 80, family=c.AF_INET6)
        fd = two.connect("fd00::1", 80, family=c.AF_INET6)
        two.wire.run()
        accepted = one.accept(listener)
        two.system.send(fd, b"six", 0)
        two.wire.run()
        assert one.receive(accepted) == b"six"

    def test_ipv4_reaches_a_dual_stack_listener_as_a_mapped_address(self, one: Host, two: Host) -> None:
        listener = one.listener("::", 80, family=c.AF_INET6)
        two.connect("10.0.0.1", 80)
        two.wire.run()
        owner = type("Owner", (), {"fd": -1})()
        result, name = one.system.accept(owner, listener)
        assert result >= 0
        assert name[8:24] == bytes(10) + b"\xff\xff" + bytes((10, 0, 0, 2))

    def test_ipv4_does_not_reach_a_listener_of_ipv6_only(self, one: Host, two: Host) -> None:
        fd = one.socket(family=c.AF_INET6)
        one.system.set_option(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 1)
        one.system.bind(fd, sockaddr("::", 80))
        one.system.listen(fd, 5)
        client = two.connect("10.0.0.1", 80)
        two.wire.run()
        assert two.system.take_error(client) == errno.ECONNREFUSED

    def test_a_specific_address_comes_before_the_wildcard_and_ipv4_before_dual_stack(self, one: Host) -> None:
        both = datagram(one, "::", 53, c.AF_INET6, v6only=0)
        wildcard = datagram(one, "0.0.0.0", 53)
        specific = datagram(one, "127.0.0.1", 53)
        sender = one.socket(c.SOCK_DGRAM)
        one.system.sendto(sender, b"a", 0, sockaddr("127.0.0.1", 53))
        one.close(specific)
        one.system.sendto(sender, b"b", 0, sockaddr("127.0.0.1", 53))
        one.close(wildcard)
        one.system.sendto(sender, b"c", 0, sockaddr("127.0.0.1", 53))
        assert one.receive(both) == b"c"
        assert one.receive(both) == -errno.EAGAIN

    def test_the_last_of_equal_sockets_receives(self, one: Host) -> None:
        first, last = datagram(one, "127.0.0.1", 53), datagram(one, "127.0.0.1", 53)
        one.system.sendto(last, b"x", 0, sockaddr("127.0.0.1", 53))
        assert (one.events(first), one.events(last)) == (POLLOUT, POLLOUT | POLLIN)

    def test_of_connected_sockets_the_one_that_connected_last_receives(self, one: Host) -> None:
        first, second = datagram(one, "127.0.0.1", 99), datagram(one, "127.0.0.1", 99)
        peer = datagram(one, "127.0.0.1", 98)
        for fd in (second, first):
            assert one.system.connect(fd, sockaddr("127.0.0.1", 98)) == 0
        one.system.sendto(peer, b"x", 0, sockaddr("127.0.0.1", 99))
        assert (one.receive(first), one.receive(second)) == (b"x", -errno.EAGAIN)

    def test_a_peer_with_a_port_comes_before_one_with_any_port(self, one: Host) -> None:
        exact, any_port = datagram(one, "127.0.0.1", 99), datagram(one, "127.0.0.1", 99)
        peer = datagram(one, "127.0.0.1", 98)
        assert one.system.connect(exact, sockaddr("127.0.0.1", 98)) == 0
        assert one.system.connect(any_port, sockaddr("127.0.0.1", 0)) == 0
        one.system.sendto(peer, b"x", 0, sockaddr("127.0.0.1", 99))
        assert (one.receive(exact), one.receive(any_port)) == (b"x", -errno.EAGAIN)

    def test_a_dual_stack_wildcard_takes_the_port_of_ipv4_too(self, one: Host) -> None:
        fd, other = one.socket(family=c.AF_INET6), one.socket()
        assert one.system.bind(fd, sockaddr("::", 80)) == 0
        assert one.system.bind(other, sockaddr("0.0.0.0", 80)) == -errno.EADDRINUSE

    @pytest.mark.parametrize(("v6only", "connects", "refused"), [(0, True, True), (1, True, False), (0, False, False)])
    def test_a_dual_stack_socket_that_a_connect_has_bound_keeps_0_0_0_0_from_its_port(
        self, one: Host, v6only: int, connects: bool, refused: bool
    ) -> None:
        fd = one.socket(c.SOCK_DGRAM, c.AF_INET6)
        one.system.set_option(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, v6only)
        call = one.system.connect if connects else one.system.bind
        assert call(fd, sockaddr("::1", 9 if connects else 0)) == 0
        other = one.socket(c.SOCK_DGRAM)
        assert one.system.bind(other, sockaddr("127.0.0.1", one.port_of(fd))) == 0
        one.close(other)
        expected = -errno.EADDRINUSE if refused else 0
        assert one.system.bind(one.socket(c.SOCK_DGRAM), sockaddr("0.0.0.0", one.port_of(fd))) == expected

    def test_v6only_cannot_change_after_bind(self, one: Host) -> None:
        fd = datagram(one, "::", 53, c.AF_INET6)
        assert one.system.set_option(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 0) == -errno.EINVAL


class TestGroups:
    @pytest.mark.parametrize(
        ("group", "family", "wildcard"), [(GROUP, c.AF_INET, "0.0.0.0"), (GROUP6, c.AF_INET6, "::")]
    )
    def test_members_on_both_hosts_receive_and_others_do_not(
        self, one: Host, two: Host, group: str, family: int, wildcard: str
    ) -> None:
        here, there = datagram(one, wildcard, 99, family), datagram(two, wildcard, 99, family)
        other = datagram(two, wildcard, 99, family)
        assert join(one, here, group) == join(two, there, group) == 0
        sender = one.socket(c.SOCK_DGRAM, family)
        assert one.system.sendto(sender, b"all", 0, sockaddr(group, 99)) == 3
        one.wire.run()
        assert one.receive(here) == two.receive(there) == b"all"
        assert two.receive(other) == -errno.EAGAIN

    @pytest.mark.parametrize("addresses", [("fe80::1", "fd00::1"), ("fd00::1", "fe80::1")])
    @pytest.mark.parametrize("index", [0, 2])
    @pytest.mark.parametrize(("group", "source"), [("ff02::7", "fe80::1"), (GROUP6, "fd00::1")])
    def test_a_link_local_group_gets_datagrams_from_the_link_local_address(
        self, wire: Wire, addresses: tuple[str, str], index: int, group: str, source: str
    ) -> None:
        sender, receiver = Host(wire, *addresses), Host(wire, "fd00::2")
        member, fd = datagram(receiver, "::", 99, c.AF_INET6), datagram(sender, "::", 98, c.AF_INET6)
        assert join(receiver, member, group) == 0
        assert sender.system.set_option(fd, c.IPPROTO_IPV6, c.IPV6_MULTICAST_IF, index) == 0
        assert sender.system.sendto(fd, b"x", 0, sockaddr(group, 99)) == 1
        wire.run()
        assert receiver.receive_from(member)[1][8:24] == ipaddress.ip_address(source).packed

    @pytest.mark.parametrize("connected", [True, False])
    @pytest.mark.parametrize(("scope", "source", "other"), [(1, "::1", 2), (2, "fe80::1", 1)])
    def test_a_scope_id_chooses_the_interface_of_a_link_local_group(
        self, wire: Wire, scope: int, source: str, other: int, connected: bool
    ) -> None:
        host = Host(wire, "fe80::1", "fd00::1")
        member, fd = datagram(host, "::", 99, c.AF_INET6), datagram(host, "::", 98, c.AF_INET6)
        assert join(host, member, "ff02::7") == 0
        assert host.system.set_option(fd, c.IPPROTO_IPV6, c.IPV6_MULTICAST_IF, other) == 0
        group = sockaddr("ff02::7", 99, scope)
        if connected:
            assert host.system.connect(fd, group) == 0
            assert host.system.send(fd, b"x", 0) == 1
        else:
            assert host.system.sendto(fd, b"x", 0, group) == 1
        assert host.receive_from(member)[1][8:24] == ipaddress.ip_address(source).packed

    @pytest.mark.parametrize(("address", "scope"), [("ff02::7", 9), ("fe80::1", 1), ("fe80::1", 9), ("fe80::5", 1)])
    def test_a_scope_id_that_does_not_lead_to_the_address_is_refused(
        self, wire: Wire, address: str, scope: int
    ) -> None:
        host = Host(wire, "fe80::1", "fd00::1")
        fd, stream = host.socket(c.SOCK_DGRAM, c.AF_INET6), host.socket(family=c.AF_INET6)
        name = sockaddr(address, 99, scope)
        assert host.system.sendto(fd, b"x", 0, name) == -errno.ENETUNREACH
        assert host.system.connect(fd, name) == host.system.connect(stream, name) == -errno.ENETUNREACH
        assert host.port_of(fd) == host.port_of(stream) == 0

    def test_a_link_local_address_is_bound_with_the_scope_id_of_its_interface(self, wire: Wire) -> None:
        host = Host(wire, "fe80::1", "fd00::1")
        fd = host.socket(c.SOCK_DGRAM, c.AF_INET6)
        assert host.system.bind(fd, sockaddr("fe80::1", 99, 1)) == -errno.EADDRNOTAVAIL
        assert host.system.bind(fd, sockaddr("fe80::1", 99, 2)) == 0

    def test_ttl_0_keeps_a_datagram_on_the_host(self, one: Host, two: Host) -> None:
        here, there = datagram(one, "0.0.0.0", 99), datagram(two, "0.0.0.0", 99)
        join(one, here, GROUP)
        join(two, there, GROUP)
        one.system.set_option(here, c.IPPROTO_IP, c.IP_MULTICAST_TTL, 0)
        one.system.sendto(here, b"local", 0, sockaddr(GROUP, 99))
        one.wire.run()
        assert one.receive(here) == b"local"
        assert two.receive(there) == -errno.EAGAIN

    @pytest.mark.parametrize("group", [GROUP, GROUP6])
    def test_a_group_is_joined_once_and_left_once(self, one: Host, group: str) -> None:
        fd = one.socket(c.SOCK_DGRAM, c.AF_INET6 if ":" in group else c.AF_INET)
        assert join(one, fd, group) == 0
        assert join(one, fd, group) == -errno.EADDRINUSE
        if ":" in group:
            leave = (fd, c.IPPROTO_IPV6, c.IPV6_DROP_MEMBERSHIP, mreq6(group))
        else:
            leave = (fd, c.IPPROTO_IP, c.IP_DROP_MEMBERSHIP, mreq(group))
        assert one.system.set_membership(*leave) == 0
        assert one.system.set_membership(*leave) == -errno.EADDRNOTAVAIL

    def test_a_request_without_an_interface_ends_the_ipv4_membership_on_the_default_one(self, one: Host) -> None:
        fd = one.socket(c.SOCK_DGRAM)
        join_lo = (fd, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, mreq(GROUP, "127.0.0.1"))
        leave = (fd, c.IPPROTO_IP, c.IP_DROP_MEMBERSHIP, mreq(GROUP))
        assert one.system.set_membership(*join_lo) == 0
        assert one.system.set_membership(*leave) == -errno.EADDRNOTAVAIL
        assert join(one, fd, GROUP) == 0
        assert one.system.set_membership(*leave) == 0
        assert one.system.set_membership(*join_lo) == -errno.EADDRINUSE

    def test_a_request_without_an_interface_ends_the_latest_ipv6_membership(self, one: Host) -> None:
        fd = one.socket(c.SOCK_DGRAM, c.AF_INET6)
        joins = [(fd, c.IPPROTO_IPV6, c.IPV6_ADD_MEMBERSHIP, mreq6(GROUP6, index)) for index in (2, 1)]
        for request in joins:
            assert one.system.set_membership(*request) == 0
        assert one.system.set_membership(fd, c.IPPROTO_IPV6, c.IPV6_DROP_MEMBERSHIP, mreq6(GROUP6)) == 0
        assert [one.system.set_membership(*request) for request in joins] == [-errno.EADDRINUSE, 0]

    def test_a_request_for_no_group_or_no_interface_is_refused(self, one: Host) -> None:
        fd = one.socket(c.SOCK_DGRAM)
        assert join(one, fd, "10.0.0.9") == -errno.EINVAL
        no_interface = mreq(GROUP, "10.0.0.77")
        assert one.system.set_membership(fd, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, no_interface) == -errno.ENODEV

    def test_no_socket_is_a_member_on_an_interface_that_does_not_exist(self, one: Host) -> None:
        for family, request in ((c.AF_INET, mreq(GROUP, "10.0.0.77")), (c.AF_INET6, mreq6(GROUP6, 9))):
            fd = one.socket(c.SOCK_DGRAM, family)
            assert join(one, fd, GROUP if family == c.AF_INET else GROUP6) == 0
            leave = (c.IPPROTO_IP, c.IP_DROP_MEMBERSHIP)
            if family == c.AF_INET6:
                leave = (c.IPPROTO_IPV6, c.IPV6_DROP_MEMBERSHIP)
            assert one.system.set_membership(fd, *leave, request) == -errno.EADDRNOTAVAIL

    def test_the_first_bytes_of_an_interface_may_be_its_index(self, one: Host) -> None:
        fd = datagram(one, "0.0.0.0", 99)
        assert one.system.set_membership(fd, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, mreq(GROUP, "0.0.0.2")) == 0
        assert one.system.set_membership(fd, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, mreq(GROUP, "0.0.0.1")) == 0
        assert one.system.set_membership(fd, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, mreq(GROUP, "0.0.0.9")) == -errno.ENODEV

    def test_a_filter_without_loop_drops_what_this_host_sends(self, one: Host, two: Host) -> None:
        fd = datagram(one, "0.0.0.0", 99)
        join(one, fd, GROUP)
        one.system.set_filter(fd, one.modules["packet_filter"].program(False, True, [], 0))
        one.system.sendto(fd, b"mine", 0, sockaddr(GROUP, 99))
        sender = two.socket(c.SOCK_DGRAM)
        two.system.sendto(sender, b"yours", 0, sockaddr(GROUP, 99))
        one.wire.run()
        assert one.receive(fd) == b"yours"
        assert one.receive(fd) == -errno.EAGAIN

    def test_a_filter_compares_the_interface_of_an_ipv6_group(self, one: Host) -> None:
        fd = datagram(one, "::", 99, c.AF_INET6)
        join(one, fd, GROUP6)
        group = ipaddress.ip_address(GROUP6).packed
        program = one.modules["packet_filter"].program
        one.system.set_filter(fd, program(True, True, [(group, 1)], 0))
        one.system.sendto(fd, b"x", 0, sockaddr(GROUP6, 99))
        assert one.receive(fd) == -errno.EAGAIN
        one.system.set_filter(fd, program(True, True, [(group, 2)], 0))
        one.system.sendto(fd, b"x", 0, sockaddr(GROUP6, 99))
        assert one.receive(fd) == b"x"


class TestLoopbackAddresses:
    """A socket that is bound to a loopback address reaches only its own host."""

    @pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
    @pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"])
    def test_ipv4_connects_only_to_the_own_host(self, one: Host, two: Host, kind: int, source: str) -> None:
        fd, near = one.socket(kind), one.socket(kind)
        for each in (fd, near):
            assert one.system.bind(each, sockaddr(source, 0)) == 0
        assert one.system.connect(fd, sockaddr("10.0.0.2", 80)) == -errno.EINVAL
        assert one.system.connect(near, sockaddr("10.0.0.1", 80)) in (0, -errno.EINPROGRESS)

    def test_ipv4_sends_no_datagram_to_another_host(self, one: Host, two: Host) -> None:
        receiver, sender = datagram(two, "0.0.0.0", 99), datagram(one, "127.0.0.1", 98)
        assert one.system.sendto(sender, b"x", 0, sockaddr("10.0.0.2", 99)) == -errno.EINVAL
        one.wire.run()
        assert two.receive(receiver) == -errno.EAGAIN

    def test_another_host_drops_what_ipv6_sends(self, one: Host, two: Host) -> None:
        receiver = datagram(two, "::", 99, c.AF_INET6)
        sender = datagram(one, "::1", 98, c.AF_INET6)
        assert one.system.sendto(sender, b"x", 0, sockaddr("fd00::2", 99)) == 1
        one.wire.run()
        assert two.receive(receiver) == -errno.EAGAIN


class TestBroadcasts:
    @pytest.mark.parametrize("address", ["255.255.255.255", "10.0.0.255"])
    def test_all_sockets_at_the_wildcard_receive_a_broadcast(self, one: Host, two: Host, address: str) -> None:
        first, second = datagram(two, "0.0.0.0", 99), datagram(two, "0.0.0.0", 99)
        own, bound = datagram(one, "0.0.0.0", 99), datagram(two, "10.0.0.2", 99)
        one.system.set_option(own, c.SOL_SOCKET, c.SO_BROADCAST, 1)
        assert one.system.sendto(own, b"all", 0, sockaddr(address, 99)) == 3
        one.wire.run()
        assert two.receive(first) == two.receive(second) == one.receive(own) == b"all"
        assert two.receive(bound) == -errno.EAGAIN

    def test_the_broadcast_address_of_loopback_reaches_all_sockets_of_the_host(self, one: Host, two: Host) -> None:
        first, second, far = (datagram(host, "0.0.0.0", 99) for host in (one, one, two))
        sender = datagram(one, "0.0.0.0", 98)
        one.system.set_option(sender, c.SOL_SOCKET, c.SO_BROADCAST, 1)
        assert one.system.sendto(sender, b"all", 0, sockaddr("127.255.255.255", 99)) == 3
        one.wire.run()
        assert one.receive(first) == one.receive(second) == b"all"
        assert two.receive(far) == -errno.EAGAIN

    def test_nobody_reports_a_closed_port_of_the_broadcast_address_of_loopback(self, one: Host) -> None:
        fd = datagram(one, "0.0.0.0", 98)
        one.system.set_option(fd, c.SOL_SOCKET, c.SO_BROADCAST, 1)
        assert one.system.sendto(fd, b"x", 0, sockaddr("127.255.255.255", 99)) == 1
        assert one.events(fd) == POLLOUT

    def test_a_broadcast_does_not_reach_a_host_of_another_net(self, one: Host, wire: Wire) -> None:
        other = Host(wire, "10.0.1.1")
        stranger, own = datagram(other, "0.0.0.0", 99), datagram(one, "0.0.0.0", 99)
        one.system.set_option(own, c.SOL_SOCKET, c.SO_BROADCAST, 1)
        assert one.system.sendto(own, b"all", 0, sockaddr("10.0.0.255", 99)) == 3
        wire.run()
        assert other.receive(stranger) == -errno.EAGAIN

    def test_a_connect_to_the_broadcast_address_of_another_net_has_no_answer(self, one: Host, wire: Wire) -> None:
        one.listener("0.0.0.0", 80)
        client = Host(wire, "10.0.1.1")
        fd = client.connect("10.0.0.255", 80)
        wire.run(5 * SECOND)
        assert client.events(fd) == 0

    def test_a_broadcast_from_a_loopback_address_stays_on_the_host(self, one: Host, two: Host) -> None:
        own, far = datagram(one, "0.0.0.0", 99), datagram(two, "0.0.0.0", 99)
        sender = datagram(one, "127.0.0.2", 98)
        assert one.system.sendto(sender, b"all", 0, sockaddr("10.0.0.255", 99)) == -errno.EINVAL
        one.system.set_option(sender, c.SOL_SOCKET, c.SO_BROADCAST, 1)
        assert one.system.sendto(sender, b"all", 0, sockaddr("255.255.255.255", 99)) == 3
        assert one.system.sendto(sender, b"all", 0, sockaddr("10.0.0.255", 99)) == -errno.EINVAL
        one.wire.run()
        assert (one.receive(own), two.receive(far)) == (b"all", -errno.EAGAIN)

    def test_a_broadcast_needs_the_option(self, one: Host) -> None:
        fd = one.socket(c.SOCK_DGRAM)
        assert one.system.sendto(fd, b"x", 0, sockaddr("10.0.0.255", 99)) == -errno.EACCES
        assert one.system.connect(fd, sockaddr("255.255.255.255", 99)) == -errno.EACCES

    def test_a_broadcast_without_the_option_is_refused_whatever_its_size(self, one: Host) -> None:
        fd, name = one.socket(c.SOCK_DGRAM), sockaddr("10.0.0.255", 99)
        assert one.system.sendto(fd, bytes(65508), 0, name) == -errno.EACCES
        assert one.system.sendto(fd, bytes(65536), 0, name) == -errno.EMSGSIZE
        one.system.set_option(fd, c.SOL_SOCKET, c.SO_BROADCAST, 1)
        assert one.system.sendto(fd, bytes(65508), 0, name) == -errno.EMSGSIZE

    def test_the_broadcast_addresses_of_the_nets_are_known(self, one: Host) -> None:
        assert one.system.is_net_broadcast(bytes((10, 0, 0, 255))) == 1
        assert one.system.is_net_broadcast(bytes((10, 0, 1, 255))) == 0
        broadcasts = [own.broadcast for own in one.modules["interfaces"].own_addresses()]
        assert broadcasts == [b"", bytes((10, 0, 0, 255)), b"", b""]


class TestResolver:
    @pytest.mark.parametrize(
        ("node", "addresses"), [(None, ["::1"]), (b"127.0.0.1", ["::ffff:127.0.0.1"]), (b"server", ["::ffff:10.0.0.1"])]
    )
    def test_only_addresses_of_a_name_or_text_are_mapped(
        self, one: Host, node: bytes | None, addresses: list[str]
    ) -> None:
        flags = c.AI_V4MAPPED | c.AI_ALL
        found = one.modules["resolver"].getaddrinfo(node, b"80", flags, c.AF_INET6, c.SOCK_STREAM)
        assert found.addresses == [sockaddr(address, 80) for address in addresses]

    def test_the_networks_names_are_found(self, one: Host) -> None:
        found = one.modules["resolver"].getaddrinfo(b"server", b"80", 0, c.AF_UNSPEC, c.SOCK_STREAM)
        assert (found.error, found.addresses) == (0, [sockaddr("10.0.0.1", 80)])

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("::ffff:1.2.3.4", b"::ffff:1.2.3.4"),
            ("::1", b"::1"),
            ("::1.2.3.4", b"::1.2.3.4"),
            ("fe80:0:0:1::", b"fe80:0:0:1::"),
            ("2001:db8::a:0:0:1", b"2001:db8::a:0:0:1"),
        ],
    )
    def test_ipv6_addresses_as_text(self, one: Host, text: str, shown: bytes) -> None:
        resolver = one.modules["resolver"]
        packed = resolver.inet_pton(c.AF_INET6, text.encode())
        assert packed == ipaddress.ip_address(text).packed
        assert resolver.inet_ntop(c.AF_INET6, packed) == shown

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            (b"127.1", 0x0100007F),
            (b"0x7f.0.0.1", 0x0100007F),
            (b"1.2.3.4 x", 0x04030201),
            (b"1.2.3.256", 0xFFFFFFFF),
            (b"0" * 5000 + b"12.0x" + b"0" * 40 + b"2.3.4", 0x0403020A),
            (b"9" * 5000, 0xFFFFFFFF),
        ],
    )
    def test_inet_addr_takes_numbers_as_c_writes_them(self, one: Host, text: bytes, number: int) -> None:
        assert one.modules["resolver"].inet_addr(text) == number
