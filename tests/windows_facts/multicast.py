"""Helpers for facts about multicast and broadcast: members of groups, senders, and what has arrived at a socket."""

from __future__ import annotations

from ctypes import c_int, sizeof

from tests.conformance.kit import (
    ANY,
    IN,
    IN6,
    LOOPBACK,
    LOOPBACK6,
    bound,
    bound6,
    done,
    inet,
    inet6,
    look,
    name6_of,
    name_of,
    switch,
    udp,
    wait_readable,
)
from winsock import (
    AF_INET6,
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_MULTICAST_IF,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_ADD_MEMBERSHIP,
    IPV6_DROP_MEMBERSHIP,
    IPV6_MULTICAST_IF,
    SO_BROADCAST,
    SOL_SOCKET,
    htonl,
    in6_addr,
    ip_mreq,
    ipv6_mreq,
    ntohs,
    recv,
    sendto,
    setsockopt,
    u_long,
)

GROUP, OTHER_GROUP = 0xEF070708, 0xEF070709  # 239.7.7.8 and 239.7.7.9
GROUP6 = bytes.fromhex("ff15") + bytes(12) + b"\7\7"
LINK_GROUP6 = bytes.fromhex("ff02") + bytes(12) + b"\7\7"  # of link-local scope
LOOPBACK_INDEX = 1  # of the loopback interface, on Windows and on Linux
_END = b"end"


def request(group: int = GROUP, interface: int = LOOPBACK) -> ip_mreq:
    made = ip_mreq()
    made.imr_multiaddr.s_addr, made.imr_interface.s_addr = htonl(group), htonl(interface)
    return made


def request6(group: bytes = GROUP6, interface: int = LOOPBACK_INDEX) -> ipv6_mreq:
    made = ipv6_mreq(in6_addr(), interface)
    made.ipv6mr_multiaddr.s6_addr = group
    return made


def join(s: int, group: int = GROUP, interface: int = LOOPBACK) -> int:
    """The result of setsockopt."""
    return setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, request(group, interface), sizeof(ip_mreq))


def leave(s: int, group: int = GROUP, interface: int = LOOPBACK) -> int:
    return setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, request(group, interface), sizeof(ip_mreq))


def join6(s: int, group: bytes = GROUP6, interface: int = LOOPBACK_INDEX) -> int:
    return setsockopt(s, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, request6(group, interface), sizeof(ipv6_mreq))


def leave6(s: int, group: bytes = GROUP6, interface: int = LOOPBACK_INDEX) -> int:
    return setsockopt(s, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, request6(group, interface), sizeof(ipv6_mreq))


def member(address: int = ANY, group: int = GROUP, interface: int = LOOPBACK) -> int:
    """A socket bound to an address that has joined a group on an interface."""
    s = bound(udp(), 0, address)
    done(join(s, group, interface))
    return s


def member6(address: bytes = bytes(16), group: bytes = GROUP6, interface: int = LOOPBACK_INDEX) -> int:
    s = bound6(udp(AF_INET6), 0, address)
    done(join6(s, group, interface))
    return s


def sender(interface: int = LOOPBACK, address: int = ANY) -> int:
    """A socket that sends multicast datagrams through an interface, and may send broadcasts."""
    s = bound(udp(), 0, address)
    done(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, u_long(htonl(interface)), 4))
    return switch(s, SOL_SOCKET, SO_BROADCAST)


def sender6(interface: int = LOOPBACK_INDEX) -> int:
    s = bound6(udp(AF_INET6), 0, bytes(16))
    done(setsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, c_int(interface), 4))
    return s


def send_to(s: int, port: int, text: str = "group", address: int = GROUP) -> None:
    data = text.encode()
    assert sendto(s, data, len(data), 0, inet(port, address), IN) == len(data)


def send_to6(s: int, port: int, text: str = "group", address: bytes = GROUP6) -> None:
    data = text.encode()
    assert sendto(s, data, len(data), 0, inet6(port, address), IN6) == len(data)


def port6_of(s: int) -> int:
    return ntohs(name6_of(s).sin6_port)


def arrived(s: int, by: int, own: int = LOOPBACK) -> list[str]:
    """The datagrams at a socket, sorted. One more, sent by `by`, proves that no other one is under way.

    It is sent to the address to which the socket is bound, or to `own` if that is the wildcard.
    """
    name = name_of(s)
    if not name.sin_addr.s_addr:
        name.sin_addr.s_addr = htonl(own)
    assert sendto(by, _END, len(_END), 0, name, IN) == len(_END)
    return _received(s)


def arrived6(s: int, by: int, own: bytes = LOOPBACK6) -> list[str]:
    name = name6_of(s)
    if not any(name.sin6_addr.s6_addr):
        name.sin6_addr.s6_addr = own
    assert sendto(by, _END, len(_END), 0, name, IN6) == len(_END)
    return _received(s)


def _received(s: int) -> list[str]:
    found: list[str] = []
    while _END.decode() not in found or "r" in look(s):
        data = bytearray(100)
        count = recv(wait_readable(s), data, len(data), 0)
        assert count >= 0
        found.append(data[:count].decode())
    found.remove(_END.decode())
    return sorted(found)
