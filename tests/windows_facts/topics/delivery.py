"""Which sockets receive a multicast datagram: members, bound addresses, the loop option, interfaces by index."""

from __future__ import annotations

from ctypes import c_int

from tests.conformance.kit import (
    ANY,
    IN,
    LIMIT,
    LOOPBACK,
    bound,
    bound_udp,
    done,
    inet,
    look,
    name_of,
    nonblocking,
    option,
    polled,
    port_of,
    switch,
    udp,
    wait_readable,
)
from tests.conformance.recorder import Json
from winsock import (
    AF_INET6,
    FIONREAD,
    IP_ADD_MEMBERSHIP,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_MULTICAST_IF,
    MSG_PEEK,
    POLLRDNORM,
    SO_REUSEADDR,
    SOL_SOCKET,
    connect,
    getsockopt,
    htonl,
    inet_ntoa,
    ioctlsocket,
    recv,
    recvfrom,
    sendto,
    setsockopt,
    sockaddr_in,
    u_long,
)

from .. import sources
from ..facts import DOCUMENTED, REPORTED, TESTED, Topic, answer
from ..multicast import (
    GROUP,
    LOOPBACK_INDEX,
    OTHER_GROUP,
    arrived,
    arrived6,
    join,
    join6,
    leave,
    member,
    member6,
    port6_of,
    send_to,
    send_to6,
    sender,
    sender6,
)

topic = Topic("delivery")

_PAGE = sources.REFERENCE
BIND = f"{_PAGE}/api/winsock2/nf-winsock2-bind: remarks, multicast operations"
LOOP = f"{_PAGE}/winsock/ip-multicast-2: IP_MULTICAST_LOOP belongs to the receive path"
IP_OPTIONS = f"{_PAGE}/winsock/ipproto-ip-socket-options"
IPV6_OPTIONS = f"{_PAGE}/winsock/ipproto-ipv6-socket-options"
MREQ = f"{_PAGE}/api/ws2ipdef/ns-ws2ipdef-ip_mreq: imr_interface may be the index of the interface"
OPTION_BEHAVIOR = f"{_PAGE}/winsock/multicast-socket-option-behavior"
REUSE = f"{_PAGE}/winsock/using-so-reuseaddr-and-so-exclusiveaddruse: multicast sockets"
DOTNET = f"{sources.DOTNET}/SocketOptionNameTest.cs"
_TWISTED = "https://github.com/twisted/twisted/blob/trunk/src/twisted/test/test_udp.py"
_ASIO = "https://github.com/chriskohlhoff/asio/blob/master/asio/src/tests/unit/ip/multicast.cpp"
EPICS = "https://github.com/epics-base/epics-base/blob/7.0/modules/database/src/ioc/rsrv/caservertask.c"
TSDUCK = "https://github.com/tsduck/tsduck/issues/43"
LOOP_REPORT = "https://github.com/MicrosoftDocs/win32/pull/1307"
_GO_REPORT = "https://github.com/golang/go/issues/10742"
_PONY = "https://github.com/ponylang/ponyc/pull/5549: the test runs in the Windows CI"

_AS_LINUX = "delivers as Linux"

# Members


@topic.fact("recv", "bound to the wildcard, member", windows=[["group"]], source=_PONY, certainty=TESTED)
def a_member_receives_the_group() -> Json:
    s, tx = member(), sender()
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "no member, while another socket of the machine is one",
    windows=[[]],
    source=TSDUCK,
    certainty=REPORTED,
    wine=_AS_LINUX,
)
def a_socket_without_membership_receives_no_group() -> Json:
    member()
    s, tx = bound(udp(), 0, ANY), sender()
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "member of one group, while another socket is a member of a second one; datagrams to both on one port",
    windows=[["first"]],
    source=TSDUCK,
    certainty=REPORTED,
    wine=_AS_LINUX,
)
def a_member_receives_only_its_own_group() -> Json:
    member(group=OTHER_GROUP)
    s, tx = member(), sender()
    send_to(tx, port_of(s), "first", GROUP)
    send_to(tx, port_of(s), "second", OTHER_GROUP)
    return arrived(s, tx)


@topic.fact("recv", "member of two groups", windows=[["first", "second"]], source=IP_OPTIONS, certainty=DOCUMENTED)
def a_member_of_two_groups_receives_both() -> Json:
    s, tx = member(), sender()
    done(join(s, OTHER_GROUP))
    send_to(tx, port_of(s), "first", GROUP)
    send_to(tx, port_of(s), "second", OTHER_GROUP)
    return arrived(s, tx)


@topic.fact(
    "recv",
    "the group was left, while another socket stays a member",
    windows=[["before"]],
    source=f"{IP_OPTIONS}: IP_DROP_MEMBERSHIP",
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def a_former_member_receives_no_group() -> Json:
    member()
    s, tx = member(), sender()
    send_to(tx, port_of(s), "before")
    wait_readable(s)
    done(leave(s))
    send_to(tx, port_of(s), "after")
    return arrived(s, tx)


@topic.fact("recv", "joined, left, joined again", windows=[["group"]], source=_TWISTED, certainty=TESTED)
def a_group_can_be_joined_again() -> Json:
    s, tx = member(), sender()
    done(leave(s))
    done(join(s))
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "two members with SO_REUSEADDR on one port",
    windows=[["group", "group"]],
    source=REUSE,
    certainty=DOCUMENTED,
)
def all_members_on_one_port_receive_the_group() -> Json:
    first = bound(switch(udp(), SOL_SOCKET, SO_REUSEADDR), 0, ANY)
    second = bound(switch(udp(), SOL_SOCKET, SO_REUSEADDR), port_of(first), ANY)
    done(join(first))
    done(join(second))
    send_to(sender(), port_of(first))
    return [_next(first), _next(second)]


@topic.fact(
    "recv",
    "two sockets with SO_REUSEADDR on one port, one of them a member",
    windows=[["group", "-"]],
    source=TSDUCK,
    certainty=REPORTED,
    wine=_AS_LINUX,
)
def only_the_member_of_two_sockets_on_one_port_receives() -> Json:
    first = bound(switch(udp(), SOL_SOCKET, SO_REUSEADDR), 0, ANY)
    second = bound(switch(udp(), SOL_SOCKET, SO_REUSEADDR), port_of(first), ANY)
    done(join(first))
    send_to(sender(), port_of(first))
    return [_next(first), _next(second)]


@topic.fact("recv", "the sender is a member", windows=[["group"]], source=_TWISTED, certainty=TESTED)
def a_member_receives_what_it_sends_itself() -> Json:
    s = sender()
    done(join(s))
    send_to(s, port_of(s))
    return arrived(s, s)


@topic.fact(
    "recv",
    "bound by sendto, then member",
    windows=[["group"]],
    source=f"{DOTNET}: MulticastInterface_Set_Loopback_Succeeds",
    certainty=TESTED,
)
def a_socket_that_sendto_has_bound_can_be_a_member() -> Json:
    s, tx = udp(), sender()
    assert sendto(s, b"x", 1, 0, inet(port_of(tx)), IN) == 1
    done(join(s))
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact("recv", "joined before bind", windows=[["group"]], source=IP_OPTIONS, certainty=DOCUMENTED)
def a_group_can_be_joined_before_bind() -> Json:
    s, tx = udp(), sender()
    done(join(s))
    bound(s, 0, ANY)
    send_to(tx, port_of(s))
    return arrived(s, tx)


def _next(s: int) -> str:
    """The next datagram of a socket; "-" where there is none."""
    data = bytearray(20)
    count = recv(nonblocking(s), data, len(data), 0)
    return data[:count].decode() if count >= 0 else "-"


# Bound to the address of an interface


def _bound_member() -> int:
    return member(LOOPBACK)


@topic.fact(
    "recv",
    "bound to the address of the interface, member",
    windows=[["group"]],
    source=BIND,
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def a_member_bound_to_an_interface_receives_the_group() -> Json:
    s, tx = _bound_member(), sender()
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "bound to the address of the interface, no member, while another socket is one",
    windows=[[]],
    source=TSDUCK,
    certainty=REPORTED,
)
def a_bound_socket_without_membership_receives_no_group() -> Json:
    member()
    s, tx = bound_udp(), sender()
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "joined, then bound to the address of the interface",
    windows=[["group"]],
    source=IP_OPTIONS,
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def a_group_can_be_joined_before_bind_to_an_interface() -> Json:
    s, tx = udp(), sender()
    done(join(s))
    bound(s)
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "bound to the address of the interface; datagrams to the group and to the address",
    windows=[["group", "own"]],
    source=BIND,
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def a_bound_member_receives_group_and_own_address_once() -> Json:
    s, tx = _bound_member(), sender()
    send_to(tx, port_of(s), "own", LOOPBACK)
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "bound to the address of the interface, member of two groups; left one of them",
    windows=[["second"]],
    source=IP_OPTIONS,
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def a_bound_member_can_leave_one_of_two_groups() -> Json:
    s, tx = _bound_member(), sender()
    done(join(s, OTHER_GROUP))
    done(leave(s, GROUP))
    send_to(tx, port_of(s), "first", GROUP)
    send_to(tx, port_of(s), "second", OTHER_GROUP)
    return arrived(s, tx)


@topic.fact(
    "recv",
    "two sockets bound to one address with SO_REUSEADDR, both members",
    windows=[["group", "group"]],
    source=REUSE,
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def all_members_bound_to_one_interface_receive_the_group() -> Json:
    first = bound(switch(udp(), SOL_SOCKET, SO_REUSEADDR))
    second = bound(switch(udp(), SOL_SOCKET, SO_REUSEADDR), port_of(first))
    done(join(first))
    done(join(second))
    send_to(sender(), port_of(first))
    return [_next(first), _next(second)]


def _ready_member() -> tuple[int, int]:
    """A bound member at which a datagram to the group has arrived, and the sender's port."""
    s, tx = _bound_member(), sender(address=LOOPBACK)
    send_to(tx, port_of(s))
    return wait_readable(s), port_of(tx)


@topic.fact(
    "select",
    "bound to the address of the interface, a datagram to its group has arrived",
    windows=["rw"],
    source=f"{_PAGE}/api/winsock2/nf-winsock2-select",
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def select_reports_a_datagram_to_the_group() -> Json:
    return look(_ready_member()[0])


@topic.fact(
    "select",
    "bound to the address of the interface, the only datagram to its group was received",
    windows=["w"],
    source=f"{_PAGE}/api/winsock2/nf-winsock2-select",
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def select_reports_nothing_after_the_datagram_was_received() -> Json:
    s, _ = _ready_member()
    assert _next(s) == "group"
    return look(s)


@topic.fact(
    "WSAPoll",
    "bound to the address of the interface, a datagram to its group arrives",
    windows=["RDNORM"],
    source=f"{_PAGE}/api/winsock2/nf-winsock2-wsapoll",
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def wsapoll_waits_for_a_datagram_to_the_group() -> Json:
    s = _bound_member()
    assert polled(s, POLLRDNORM) == ""
    send_to(sender(), port_of(s))
    return polled(s, POLLRDNORM, LIMIT * 1000)


@topic.fact(
    "ioctlsocket",
    "FIONREAD, bound to the address of the interface, a datagram to its group has arrived",
    windows=[5],
    source=f"{_PAGE}/winsock/winsock-ioctls: FIONREAD",
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def fionread_counts_a_datagram_to_the_group() -> Json:
    s, _ = _ready_member()
    count = u_long()
    done(ioctlsocket(s, FIONREAD, count))
    return count.value


@topic.fact(
    "recv",
    "MSG_PEEK, bound to the address of the interface; then a datagram to the address arrives",
    windows=[["group", "group", "own"]],
    source=f"{_PAGE}/api/winsock2/nf-winsock2-recv: MSG_PEEK",
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def recv_returns_the_datagram_that_was_peeked() -> Json:
    s, _ = _ready_member()
    data = bytearray(5)
    assert recv(s, data, 5, MSG_PEEK) == 5
    send_to(sender(), port_of(s), "own", LOOPBACK)
    return [data.decode(), _next(s), _next(s)]


@topic.fact(
    "recvfrom",
    "bound to the address of the interface, a datagram to its group has arrived",
    windows=[["127.0.0.1", True]],
    source=f"{_PAGE}/api/winsock2/nf-winsock2-recvfrom",
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def recvfrom_gives_the_sender_of_a_datagram_to_the_group() -> Json:
    s, port = _ready_member()
    name = sockaddr_in()
    assert recvfrom(s, bytearray(9), 9, 0, name, c_int(IN)) == 5
    return [inet_ntoa(name.sin_addr), name.sin_port == inet(port).sin_port]


@topic.fact(
    "recv",
    "into a buffer of 3 bytes, bound to the address of the interface, 5 bytes to its group have arrived",
    windows=["WSAEMSGSIZE"],
    source=f"{_PAGE}/api/winsock2/nf-winsock2-recv: WSAEMSGSIZE",
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def a_datagram_to_the_group_can_be_larger_than_the_buffer() -> Json:
    s, _ = _ready_member()
    return answer("recv", recv(s, bytearray(3), 3, 0))


@topic.fact(
    "getsockname",
    "bound to the address of an interface, member of a group",
    windows=["127.0.0.1"],
    source=f"{_PAGE}/api/winsock2/nf-winsock2-getsockname",
    certainty=DOCUMENTED,
)
def a_membership_does_not_change_the_local_address() -> Json:
    return inet_ntoa(name_of(_bound_member()).sin_addr)


@topic.fact(
    "connect",
    "bound to the address of the interface, member; datagrams to the group from the peer and from another socket",
    windows=[["peer"]],
    source=f"{_PAGE}/api/winsock2/nf-winsock2-connect: a connectionless socket discards datagrams from other addresses",
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def a_connected_member_receives_the_group_from_its_peer() -> Json:
    s, peer, other = _bound_member(), sender(address=LOOPBACK), sender(address=LOOPBACK)
    done(connect(s, name_of(peer), IN))
    send_to(other, port_of(s), "other")
    send_to(peer, port_of(s), "peer")
    return arrived(s, peer)


@topic.fact(
    "connect",
    "joined after connect, which has chosen the local address",
    windows=[["group"]],
    source=BIND,
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def a_connected_socket_can_become_a_member() -> Json:
    s, peer = udp(), sender(address=LOOPBACK)
    done(connect(s, name_of(peer), IN))
    done(join(s))
    send_to(peer, port_of(s))
    return arrived(s, peer)


@topic.fact(
    "connect",
    "to end the association of a member that was bound to the wildcard",
    windows=[["group"]],
    source=f"{_PAGE}/api/winsock2/nf-winsock2-connect: an address of zeros ends the association",
    certainty=DOCUMENTED,
    wine="an address of zeros does not end the association",
)
def a_member_receives_the_group_once_after_its_association() -> Json:
    s, peer, other = member(), sender(address=LOOPBACK), sender(address=LOOPBACK)
    done(connect(s, name_of(peer), IN))
    done(connect(s, inet(0, ANY), IN))
    send_to(other, port_of(s))
    return arrived(s, other)


# The loop option


def _loop(s: int, value: int) -> int:
    return switch(s, IPPROTO_IP, IP_MULTICAST_LOOP, value)


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_LOOP 0 at the receiver",
    windows=[[]],
    source=_GO_REPORT,
    certainty=REPORTED,
    wine=_AS_LINUX,
)
def the_receivers_loop_option_decides() -> Json:
    s, tx = _loop(member(), 0), sender()
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "setsockopt", "IP_MULTICAST_LOOP 0 at the sender", windows=[["group"]], source=LOOP_REPORT, certainty=REPORTED
)
def the_senders_loop_option_does_nothing() -> Json:
    s, tx = member(), _loop(sender(), 0)
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_LOOP 0 at the receiver, which is bound to the address of the interface",
    windows=[[]],
    source=LOOP,
    certainty=DOCUMENTED,
)
def the_loop_option_concerns_a_bound_member_too() -> Json:
    s, tx = _loop(_bound_member(), 0), sender()
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_LOOP 0 at one of two members on a port",
    windows=[["-", "group"]],
    source=LOOP,
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def the_loop_option_concerns_one_receiver() -> Json:
    off = bound(switch(udp(), SOL_SOCKET, SO_REUSEADDR), 0, ANY)
    on = bound(switch(udp(), SOL_SOCKET, SO_REUSEADDR), port_of(off), ANY)
    done(join(_loop(off, 0)))
    done(join(on))
    send_to(sender(), port_of(on))
    return [_next(off), _next(on)]


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_LOOP 0 at a socket that sends to its own group",
    windows=[[]],
    source=f"{_TWISTED}: test_loopback",
    certainty=TESTED,
    wine=_AS_LINUX,
)
def a_socket_without_loop_does_not_receive_what_it_sends() -> Json:
    s = _loop(sender(), 0)
    done(join(s))
    send_to(s, port_of(s))
    return arrived(s, s)


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_LOOP 0 and then 1 at the receiver",
    windows=[["second"]],
    source=LOOP,
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def the_loop_option_can_be_turned_on_again() -> Json:
    s, tx = _loop(_bound_member(), 0), sender()
    send_to(tx, port_of(s), "first")
    _loop(s, 1)
    send_to(tx, port_of(s), "second")
    return arrived(s, tx)


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_LOOP 0 before the socket is bound to the address of the interface and joins",
    windows=[[]],
    source=LOOP,
    certainty=DOCUMENTED,
)
def the_loop_option_can_be_set_first() -> Json:
    s, tx = bound(_loop(udp(), 0)), sender()
    done(join(s))
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_LOOP 0, a datagram of this machine to the own address",
    windows=[["own"]],
    source=LOOP,
    certainty=DOCUMENTED,
)
def the_loop_option_concerns_groups_only() -> Json:
    s, tx = _loop(bound_udp(), 0), sender()
    send_to(tx, port_of(s), "own", LOOPBACK)
    return arrived(s, tx)


# Interfaces as addresses and as indexes


@topic.fact(
    "setsockopt",
    "IP_ADD_MEMBERSHIP with the interface 0.0.0.1, IP_MULTICAST_IF 0.0.0.1",
    windows=[["group"]],
    source=f"{DOTNET}: MulticastInterface_Set_Loopback_Succeeds",
    certainty=TESTED,
    wine="knows interfaces by their addresses only",
)
def an_interface_can_be_given_by_its_index() -> Json:
    s, tx = member(interface=LOOPBACK_INDEX), sender(LOOPBACK_INDEX)
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "setsockopt",
    "IP_DROP_MEMBERSHIP with the interface 0.0.0.1",
    windows=[[]],
    source=MREQ,
    certainty=DOCUMENTED,
    wine="knows interfaces by their addresses only",
)
def a_membership_can_be_ended_by_the_index() -> Json:
    s, tx = member(LOOPBACK, interface=LOOPBACK_INDEX), sender()
    done(leave(s, interface=LOOPBACK_INDEX))
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_IF with the index of no interface",
    windows=[-1],
    source=f"{DOTNET}: MulticastInterface_Set_InvalidIndex_Throws",
    certainty=TESTED,
)
def ip_multicast_if_refuses_an_unknown_index() -> Json:
    return setsockopt(udp(), IPPROTO_IP, IP_MULTICAST_IF, u_long(htonl(31415)), 4)


@topic.fact(
    "setsockopt",
    "IPV6_MULTICAST_IF with the index of no interface",
    windows=[-1],
    source=f"{DOTNET}: MulticastInterface_Set_IPv6_InvalidIndex_Throws",
    certainty=TESTED,
)
def ipv6_multicast_if_refuses_an_unknown_index() -> Json:
    return setsockopt(udp(AF_INET6), IPPROTO_IPV6, IPV6_MULTICAST_IF, c_int(31415), 4)


@topic.fact(
    "getsockopt",
    "IP_MULTICAST_IF at first and after 127.0.0.1 was set",
    windows=[["0.0.0.0", "127.0.0.1"]],
    source=f"{_TWISTED}: test_interface",
    certainty=TESTED,
)
def ip_multicast_if_is_read_as_an_address() -> Json:
    values = [option(s, IPPROTO_IP, IP_MULTICAST_IF) for s in (udp(), sender())]
    return [inet_ntoa(value) for value in values]


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_IF 0.0.0.0",
    windows=[0],
    source=f"{sources.LIBUV}/test-udp-multicast-interface.c",
    certainty=TESTED,
)
def ip_multicast_if_accepts_the_wildcard() -> Json:
    return setsockopt(bound(udp(), 0, ANY), IPPROTO_IP, IP_MULTICAST_IF, u_long(0), 4)


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_IF with an address, bound to the same address",
    windows=[0],
    source=_ASIO,
    certainty=TESTED,
)
def ip_multicast_if_accepts_a_bound_socket() -> Json:
    return setsockopt(bound_udp(), IPPROTO_IP, IP_MULTICAST_IF, u_long(htonl(LOOPBACK)), 4)


@topic.fact(
    "sendto",
    "to a group through the loopback interface, where no socket is a member",
    windows=["WSAENETUNREACH"],
    source="https://github.com/tsduck/tsduck/issues/779",
    certainty=REPORTED,
    wine="sends it, as Linux",
    compat="the kernel sends it",
)
def a_group_without_members_is_unreachable_on_the_loopback_interface() -> Json:
    return answer("sendto", sendto(sender(), b"x", 1, 0, inet(9, OTHER_GROUP), IN))


# Joining and leaving


@topic.fact(
    "setsockopt",
    "IP_ADD_MEMBERSHIP twice with one group and interface",
    windows=["WSAEADDRNOTAVAIL", "WSAEINVAL"],
    source=f"{OPTION_BEHAVIOR}: WSAEADDRNOTAVAIL; https://github.com/keepsimple1/mdns-sd/issues/47 reports WSAEINVAL",
    certainty=DOCUMENTED,
    wine="fails with WSAEADDRINUSE",
)
def a_group_cannot_be_joined_twice() -> Json:
    return answer("setsockopt", join(_bound_member()))


@topic.fact(
    "recv",
    "after a second IP_ADD_MEMBERSHIP has failed",
    windows=[["group"]],
    source=OPTION_BEHAVIOR,
    certainty=DOCUMENTED,
    wine=_AS_LINUX,
)
def a_refused_second_join_leaves_the_first_one() -> Json:
    s, tx = _bound_member(), sender()
    assert join(s) == -1
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "setsockopt",
    "IP_DROP_MEMBERSHIP after IP_DROP_MEMBERSHIP with one group",
    windows=["WSAEINVAL"],
    source=OPTION_BEHAVIOR,
    certainty=DOCUMENTED,
)
def a_group_cannot_be_left_twice() -> Json:
    s = _bound_member()
    done(leave(s))
    return answer("setsockopt", leave(s))


@topic.fact(
    "setsockopt",
    "IP_DROP_MEMBERSHIP of a group that another socket has joined",
    windows=["WSAEINVAL"],
    source=OPTION_BEHAVIOR,
    certainty=DOCUMENTED,
)
def a_group_can_be_left_by_its_member_only() -> Json:
    member()
    return answer("setsockopt", leave(bound_udp()))


@topic.fact(
    "setsockopt",
    "IP_ADD_MEMBERSHIP with an address that is no group",
    windows=[-1],
    source=f"{_TWISTED}: test_joinFailure",
    certainty=TESTED,
)
def an_address_that_is_no_group_cannot_be_joined() -> Json:
    return join(bound(udp(), 0, ANY), group=LOOPBACK)


@topic.fact(
    "getsockopt",
    "IP_ADD_MEMBERSHIP",
    windows=[-1],
    source=f"{DOTNET}: MulticastOption_CreateSocketSetGetOption_GroupAndInterfaceIndex_SetSucceeds_GetThrows",
    certainty=TESTED,
)
def a_membership_cannot_be_read() -> Json:
    return getsockopt(member(), IPPROTO_IP, IP_ADD_MEMBERSHIP, bytearray(8), c_int(8))


# IPv6


@topic.fact(
    "recv",
    "IPv6, joined on the loopback interface, sent with its index as IPV6_MULTICAST_IF",
    windows=[["group"]],
    source=f"{DOTNET}: MulticastInterface_Set_IPv6_Loopback_Succeeds",
    certainty=TESTED,
    wine="sendto fails, as on Linux",
    compat="Linux has no route for IPv6 groups on its loopback interface, so sendto fails",
)
def a_member_receives_an_ipv6_group_on_the_loopback_interface() -> Json:
    s, tx = member6(), sender6()
    send_to6(tx, port6_of(s))
    return arrived6(s, tx)


@topic.fact(
    "setsockopt",
    "IPV6_ADD_MEMBERSHIP twice with one group and interface",
    windows=["WSAEADDRNOTAVAIL", "WSAEINVAL"],
    source=f"{OPTION_BEHAVIOR}: the rule for IP_ADD_MEMBERSHIP",
    certainty=DOCUMENTED,
    wine="fails with WSAEADDRINUSE",
)
def an_ipv6_group_cannot_be_joined_twice() -> Json:
    return answer("setsockopt", join6(member6()))
