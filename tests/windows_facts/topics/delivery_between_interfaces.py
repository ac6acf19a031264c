"""Which sockets receive multicast and broadcast datagrams on a machine with two interfaces."""

from __future__ import annotations

from tests.conformance.kit import (
    ANY,
    IN,
    bound,
    bound6,
    done,
    inet,
    port_of,
    switch,
    udp,
)
from tests.conformance.recorder import Json
from winsock import (
    AF_INET6,
    IP_MULTICAST_LOOP,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_MULTICAST_LOOP,
    SO_BROADCAST,
    SOL_SOCKET,
    sendto,
)

from .. import sources
from ..facts import DOCUMENTED, REPORTED, SOURCE, TESTED, Topic, answer
from ..multicast import (
    GROUP,
    GROUP6,
    LINK_GROUP6,
    arrived,
    arrived6,
    join,
    join6,
    leave,
    leave6,
    member,
    member6,
    port6_of,
    send_to,
    send_to6,
    sender,
    sender6,
)
from ..networks import (
    BROADCAST_A,
    FAR,
    INDEX_A,
    INDEX_B,
    LIMITED_BROADCAST,
    NET_A,
    NET_A6,
    NET_B,
    Machine,
    on_network,
)
from .delivery import BIND, DOTNET, EPICS, IP_OPTIONS, IPV6_OPTIONS, LOOP, MREQ, OPTION_BEHAVIOR, TSDUCK

topic = Topic("delivery")

_NODE = "https://github.com/nodejs/node/issues/15125"
_NETTY = "https://github.com/netty/netty/issues/576"
_NETMQ = "https://github.com/zeromq/netmq/pull/692"
_NEEDS = {"needs": "namespaces"}


def _arrivals_from_both_interfaces(s: int) -> Json:
    """What the socket receives after one datagram was sent on each interface."""
    first, second = sender(NET_A), sender(NET_B)
    send_to(first, port_of(s), "first")
    send_to(second, port_of(s), "second")
    return arrived(s, first)


# Multicast


@topic.fact(
    "recv", "joined on one interface, sent there", windows=[["group"]], source=MREQ, certainty=DOCUMENTED, **_NEEDS
)
@on_network
def a_member_receives_from_the_interface_it_has_joined_on(there: Machine) -> Json:
    s, tx = member(interface=NET_A), sender(NET_A)
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv", "joined on one interface, sent on another", windows=[[]], source=MREQ, certainty=DOCUMENTED, **_NEEDS
)
@on_network
def a_member_receives_nothing_from_another_interface(there: Machine) -> Json:
    s, tx = member(interface=NET_A), sender(NET_B)
    member(interface=NET_B)
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "one group joined on both interfaces, sent on both",
    windows=[["first", "second"]],
    source=f"{OPTION_BEHAVIOR}: the same group on a different interface is permitted",
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def a_group_can_be_joined_on_two_interfaces(there: Machine) -> Json:
    s = member(interface=NET_A)
    done(join(s, interface=NET_B))
    return _arrivals_from_both_interfaces(s)


@topic.fact(
    "recv",
    "bound to one interface, the group joined on both, sent on both",
    windows=[["first", "second"]],
    source=f"{OPTION_BEHAVIOR}: the same group on a different interface is permitted",
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def a_bound_member_can_join_on_two_interfaces(there: Machine) -> Json:
    s = member(NET_A, interface=NET_A)
    done(join(s, interface=NET_B))
    return _arrivals_from_both_interfaces(s)


@topic.fact(
    "recv",
    "one group joined on both interfaces, left on one",
    windows=[["second"]],
    source=f"{IP_OPTIONS}: IP_DROP_MEMBERSHIP",
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def a_group_can_be_left_on_one_of_two_interfaces(there: Machine) -> Json:
    s = member(NET_A, interface=NET_A)
    done(join(s, interface=NET_B))
    done(leave(s, interface=NET_A))
    return _arrivals_from_both_interfaces(s)


@topic.fact(
    "recv",
    "joined and sent on the default interface",
    windows=[["group"]],
    source=f"{DOTNET}: MulticastInterface_Set_AnyInterface_Succeeds",
    certainty=TESTED,
    **_NEEDS,
)
@on_network
def the_default_interface_is_used_for_the_wildcard(there: Machine) -> Json:
    s, tx = member(interface=ANY), sender(ANY)
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "joined by the index of an interface that is not the default one, sent by the index",
    windows=[["group"]],
    source=MREQ,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def the_index_selects_the_interface(there: Machine) -> Json:
    s, tx = member(interface=INDEX_B), sender(INDEX_B)
    member(interface=INDEX_A)
    send_to(sender(INDEX_A), port_of(s), "other interface")
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "bound to the address of an interface, member; sent by another machine",
    windows=[["group"]],
    source=BIND,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def a_bound_member_receives_from_another_machine(there: Machine) -> Json:
    s, tx = member(NET_A, interface=NET_A), there.run(sender, FAR)
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "one member bound to each interface, on one port; sent on the first one",
    windows=[["group"]],
    source=f"{TSDUCK}: a member that is bound to an address receives what arrives at it",
    certainty=REPORTED,
    **_NEEDS,
)
@on_network
def a_member_bound_to_an_interface_receives_each_datagram_once(there: Machine) -> Json:
    port = port_of(s := member(NET_A, interface=NET_A))
    other = bound(udp(), port, NET_B)
    done(join(other, interface=NET_B))
    tx = sender(NET_A)
    send_to(tx, port)
    assert arrived(other, tx) == []
    return arrived(s, tx)


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_LOOP 0; sent by this machine and by another one",
    windows=[["far"]],
    source=LOOP,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def without_loop_the_datagrams_of_other_machines_arrive(there: Machine) -> Json:
    s, near, far = (
        switch(member(interface=NET_A), IPPROTO_IP, IP_MULTICAST_LOOP, 0),
        sender(NET_A),
        there.run(sender, FAR),
    )
    send_to(near, port_of(s), "near")
    send_to(far, port_of(s), "far")
    return arrived(s, far, NET_A)


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_LOOP 0 at the sender, sent on a network",
    windows=[["group"]],
    source=LOOP,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def the_senders_loop_option_does_nothing_on_a_network(there: Machine) -> Json:
    s, tx = member(interface=NET_A), switch(sender(NET_A), IPPROTO_IP, IP_MULTICAST_LOOP, 0)
    send_to(tx, port_of(s))
    return arrived(s, tx)


# IPv6


def _members6(count: int = 1, address: bytes = bytes(16), group: bytes = GROUP6) -> tuple[int, ...]:
    """A sender and sockets on the first interface; `count` of them are members."""
    return sender6(INDEX_A), *(member6(address, group, INDEX_A) for _ in range(count))


@topic.fact(
    "recv",
    "IPv6, joined on the default interface, sent there",
    windows=[["group"]],
    source=f"{DOTNET}: MulticastInterface_Set_IPv6_AnyInterface_Succeeds",
    certainty=TESTED,
    **_NEEDS,
)
@on_network
def a_member_receives_an_ipv6_group(there: Machine) -> Json:
    s, tx = member6(interface=0), sender6(0)
    send_to6(tx, port6_of(s))
    return arrived6(s, tx)


@topic.fact(
    "recv",
    "IPv6, no member, while another socket is one",
    windows=[[]],
    source=IPV6_OPTIONS,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def a_socket_without_membership_receives_no_ipv6_group(there: Machine) -> Json:
    tx, _ = _members6()
    s = bound6(udp(AF_INET6), 0, bytes(16))
    send_to6(tx, port6_of(s))
    return arrived6(s, tx)


@topic.fact(
    "recv",
    "IPv6, the group was left, while another socket stays a member",
    windows=[["before"]],
    source=f"{IPV6_OPTIONS}: IPV6_DROP_MEMBERSHIP",
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def a_former_member_receives_no_ipv6_group(there: Machine) -> Json:
    tx, s, _ = _members6(2)
    send_to6(tx, port6_of(s), "before")
    done(leave6(s, interface=INDEX_A))
    send_to6(tx, port6_of(s), "after")
    return arrived6(s, tx)


@topic.fact(
    "recv",
    "IPv6, joined with a group of link-local scope, bound to the address of the interface",
    windows=[["group"]],
    source=BIND,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def a_bound_member_receives_a_link_local_group(there: Machine) -> Json:
    tx, s = _members6(1, NET_A6, LINK_GROUP6)
    send_to6(tx, port6_of(s), address=LINK_GROUP6)
    return arrived6(s, tx)


@topic.fact(
    "recv",
    "IPv6, joined before bind to the address of the interface",
    windows=[["group"]],
    source=IPV6_OPTIONS,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def an_ipv6_group_can_be_joined_before_bind(there: Machine) -> Json:
    s, tx = udp(AF_INET6), sender6(INDEX_A)
    done(join6(s, interface=INDEX_A))
    bound6(s, 0, NET_A6)
    send_to6(tx, port6_of(s))
    return arrived6(s, tx)


@topic.fact(
    "setsockopt",
    "IPV6_MULTICAST_LOOP 0 at the sender",
    windows=[["group"]],
    source=IPV6_OPTIONS,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def the_senders_ipv6_loop_option_does_nothing(there: Machine) -> Json:
    tx, s = _members6()
    switch(tx, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
    send_to6(tx, port6_of(s))
    return arrived6(s, tx)


@topic.fact(
    "setsockopt",
    "IPV6_MULTICAST_LOOP 0 and then 1 at the receiver, which is bound to the address of the interface",
    windows=[["second"]],
    source=IPV6_OPTIONS,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def the_ipv6_loop_option_can_be_turned_on_again(there: Machine) -> Json:
    tx, s = _members6(1, NET_A6)
    for value, text in enumerate(("first", "second")):
        switch(s, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, value)
        send_to6(tx, port6_of(s), text)
    return arrived6(s, tx)


@topic.fact(
    "recv",
    "IPv6, joined on one interface, sent on both",
    windows=[["a"]],
    source=IPV6_OPTIONS,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def an_ipv6_member_receives_from_its_interface_only(there: Machine) -> Json:
    s, a, b = member6(interface=INDEX_A), sender6(INDEX_A), sender6(INDEX_B)
    member6(interface=INDEX_B)
    send_to6(b, port6_of(s), "b")
    send_to6(a, port6_of(s), "a")
    return arrived6(s, a)


@topic.fact(
    "recv",
    "IPv6, bound to the address of an interface, two groups joined, sent on both interfaces",
    windows=[["link a", "site a"]],
    source=IPV6_OPTIONS,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def a_bound_ipv6_member_receives_from_its_interface_only(there: Machine) -> Json:
    s = member6(NET_A6, interface=INDEX_A)
    done(join6(s, LINK_GROUP6, INDEX_A))
    other = member6(interface=INDEX_B)
    done(join6(other, LINK_GROUP6, INDEX_B))
    for name, index in (("b", INDEX_B), ("a", INDEX_A)):
        tx = sender6(index)
        send_to6(tx, port6_of(s), f"site {name}", GROUP6)
        send_to6(tx, port6_of(s), f"link {name}", LINK_GROUP6)
    return arrived6(s, tx)


@topic.fact(
    "setsockopt",
    "IPV6_MULTICAST_LOOP 0; sent by this machine and by another one",
    windows=[["far"]],
    source=IPV6_OPTIONS,
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def without_loop_the_ipv6_datagrams_of_other_machines_arrive(there: Machine) -> Json:
    s = switch(member6(interface=INDEX_A), IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
    near, far = sender6(INDEX_A), there.run(_far_sender6)
    send_to6(near, port6_of(s), "near")
    send_to6(far, port6_of(s), "far")
    return arrived6(s, far, NET_A6)


def _far_sender6() -> int:
    return bound6(udp(AF_INET6), 0, bytes(16))


# Broadcasts


@topic.fact(
    "recv",
    "bound to the address of an interface, a broadcast to its net",
    windows=[["broadcast"]],
    source=f"{EPICS}: the comment on BSD sockets",
    certainty=SOURCE,
    **_NEEDS,
)
@on_network
def a_bound_socket_receives_the_broadcasts_of_its_net(there: Machine) -> Json:
    s, tx = bound(udp(), 0, NET_A), there.run(sender, FAR)
    send_to(tx, port_of(s), "broadcast", BROADCAST_A)
    return arrived(s, tx)


@topic.fact(
    "recv",
    "bound to the address of an interface, this machine sends a broadcast to its net",
    windows=[["broadcast"]],
    source=_NODE,
    certainty=REPORTED,
    **_NEEDS,
)
@on_network
def a_bound_socket_receives_the_broadcasts_of_its_own_machine(there: Machine) -> Json:
    s, tx = bound(udp(), 0, NET_A), sender(NET_A, NET_A)
    send_to(tx, port_of(s), "broadcast", BROADCAST_A)
    return arrived(s, tx)


@topic.fact(
    "recv",
    "bound to the address of an interface, a broadcast to 255.255.255.255",
    windows=[["broadcast"]],
    source=_NETTY,
    certainty=REPORTED,
    **_NEEDS,
)
@on_network
def a_bound_socket_receives_limited_broadcasts(there: Machine) -> Json:
    s, tx = bound(udp(), 0, NET_A), there.run(sender, FAR, FAR)
    send_to(tx, port_of(s), "broadcast", LIMITED_BROADCAST)
    return arrived(s, tx)


@topic.fact(
    "recv",
    "bound to the address of an interface, a broadcast and a datagram to the address",
    windows=[["broadcast", "own"]],
    source=f"{EPICS}: the comment on BSD sockets",
    certainty=SOURCE,
    **_NEEDS,
)
@on_network
def a_bound_socket_receives_broadcasts_and_its_own_datagrams(there: Machine) -> Json:
    s, tx = bound(udp(), 0, NET_A), there.run(sender, FAR)
    send_to(tx, port_of(s), "own", NET_A)
    send_to(tx, port_of(s), "broadcast", BROADCAST_A)
    return arrived(s, tx)


@topic.fact(
    "recv",
    "bound to the wildcard, broadcasts to a net and to 255.255.255.255",
    windows=[["limited", "net"]],
    source=_NETMQ,
    certainty=REPORTED,
    **_NEEDS,
)
@on_network
def a_socket_bound_to_the_wildcard_receives_all_broadcasts(there: Machine) -> Json:
    s, tx = bound(udp(), 0, ANY), there.run(sender, FAR, FAR)
    send_to(tx, port_of(s), "net", BROADCAST_A)
    send_to(tx, port_of(s), "limited", LIMITED_BROADCAST)
    return arrived(s, tx, NET_A)


@topic.fact(
    "recv",
    "bound to the address of an interface, member; a broadcast and a datagram to the group",
    windows=[["broadcast", "group"]],
    source=f"{EPICS}: a comment for the broadcast, the code for the group, which it joins with the same socket",
    certainty=SOURCE,
    **_NEEDS,
)
@on_network
def a_bound_member_receives_broadcasts_too(there: Machine) -> Json:
    s, tx = member(NET_A, GROUP, NET_A), there.run(sender, FAR)
    send_to(tx, port_of(s), "broadcast", BROADCAST_A)
    send_to(tx, port_of(s))
    return arrived(s, tx)


@topic.fact(
    "recv",
    "SO_BROADCAST is off at the receiver",
    windows=[["broadcast"]],
    source=f"{sources.REFERENCE}/winsock/sol-socket-socket-options: SO_BROADCAST is for sending",
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def receiving_a_broadcast_needs_no_option(there: Machine) -> Json:
    s, tx = switch(bound(udp(), 0, NET_A), SOL_SOCKET, SO_BROADCAST, 0), there.run(sender, FAR)
    send_to(tx, port_of(s), "broadcast", BROADCAST_A)
    return arrived(s, tx)


@topic.fact(
    "sendto",
    "to the broadcast address of a net, without SO_BROADCAST",
    windows=["WSAEACCES"],
    source=f"{sources.REFERENCE}/api/winsock2/nf-winsock2-sendto: WSAEACCES",
    certainty=DOCUMENTED,
    **_NEEDS,
)
@on_network
def sending_a_broadcast_needs_the_option(there: Machine) -> Json:
    s = bound(udp(), 0, NET_A)
    return answer("sendto", sendto(s, b"x", 1, 0, inet(9, BROADCAST_A), IN))
