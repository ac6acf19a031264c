"""bind, and the result of getsockname afterwards."""

from __future__ import annotations

from ctypes import c_int, sizeof

from winsock import (
    AF_INET6,
    INADDR_ANY,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    accept,
    bind,
    closesocket,
    connect,
    getsockname,
    listen,
    ntohs,
    recv,
    send,
    sendto,
    sockaddr_in,
    sockaddr_in6,
    sockaddr_storage,
)

from ..kit import (
    FOREIGN,
    IN,
    IN6,
    OTHER_LOOPBACK,
    bound,
    bound_udp,
    closed_port,
    first_success,
    inet,
    inet6,
    listener,
    mapped,
    name6_of,
    name_of,
    nonblocking,
    port_of,
    switch,
    tcp,
    tcp_pair,
    udp,
)
from ..recorder import Recorder


def a_port_of_the_systems_choice(see: Recorder) -> None:
    s = tcp()
    see("bind", bind(s, inet(), IN))
    name, length = sockaddr_in(), c_int(IN)
    see("getsockname", getsockname(s, name, length), name, length)


def a_port_of_ones_own_choice(see: Recorder) -> None:
    port = closed_port()
    see.know_port(chosen=port)
    s = tcp()
    see("bind", bind(s, inet(port), IN))
    see("getsockname", 0, name_of(s))


def the_wildcard_address(see: Recorder) -> None:
    s = tcp()
    see("bind", bind(s, inet(0, INADDR_ANY), IN))
    see("getsockname", 0, name_of(s))
    datagrams = udp()
    see("bind datagrams", bind(datagrams, inet(0, INADDR_ANY), IN))
    see("getsockname datagrams", 0, name_of(datagrams))


def an_ipv6_address(see: Recorder) -> None:
    s = tcp(AF_INET6)
    see("bind", bind(s, inet6(), IN6))
    name, length = sockaddr_in6(), c_int(IN6)
    see("getsockname", getsockname(s, name, length), name, length)


def a_byte_array_as_address(see: Recorder) -> None:
    s = tcp()
    see("bind", bind(s, bytearray(inet()), IN))
    name = bytearray(IN)
    see("getsockname", getsockname(s, name, c_int(IN)), sockaddr_in.from_buffer_copy(name))


def a_larger_structure_as_address(see: Recorder) -> None:
    s = udp()
    storage = sockaddr_storage.from_buffer_copy(bytes(inet()) + bytes(112))
    see("bind", bind(s, storage, sizeof(storage)))
    see("getsockname", 0, name_of(s))


def another_loopback_address(see: Recorder) -> None:
    s = tcp()
    see("bind", bind(s, inet(0, OTHER_LOOPBACK), IN))
    see("getsockname", 0, name_of(s))


def an_address_of_no_interface(see: Recorder) -> None:
    see("bind stream", bind(tcp(), inet(0, FOREIGN), IN))
    see("bind datagram", bind(udp(), inet(0, FOREIGN), IN))
    see("bind IPv6", bind(tcp(AF_INET6), inet6(0, b"\x20\x01\x0d\xb8" + bytes(11) + b"\1"), IN6))


def a_bind_that_failed_can_be_done_again(see: Recorder) -> None:
    s = tcp()
    see("bind", bind(s, inet(0, FOREIGN), IN))
    see("getsockname in between", getsockname(s, sockaddr_in(), c_int(IN)))
    see("bind elsewhere", bind(s, inet(), IN))
    see("getsockname", 0, name_of(s))


def an_unknown_family_of_address(see: Recorder) -> None:
    name = inet()
    name.sin_family = 0xBAD
    see("bind stream", bind(tcp(), name, IN))
    see("bind datagram", bind(udp(), name, IN))


def an_ipv6_address_for_an_ipv4_socket(see: Recorder) -> None:
    see("bind stream", bind(tcp(), inet6(), IN6))
    see("bind datagram", bind(udp(), inet6(), IN6))


def an_ipv4_address_for_an_ipv6_socket(see: Recorder) -> None:
    see("bind", bind(tcp(AF_INET6), inet(), IN))
    see("bind with the length of an IPv6 address", bind(tcp(AF_INET6), bytes(inet()) + bytes(12), IN6))


def a_second_bind(see: Recorder) -> None:
    s = bound(tcp())
    see.know_port(first=port_of(s))
    see("bind", bind(s, inet(), IN))
    see("bind to the same", bind(s, name_of(s), IN))
    see("getsockname", 0, name_of(s))


def bind_after_listen(see: Recorder) -> None:
    see("bind", bind(listener(), inet(), IN))


def bind_after_connect(see: Recorder) -> None:
    client, server = tcp_pair()
    see("bind client", bind(client, inet(), IN))
    see("bind accepted", bind(server, inet(), IN))


def bind_while_connecting(see: Recorder) -> None:
    queue = listener()
    s = nonblocking(tcp())
    see("connect", connect(s, name_of(queue), IN))
    see("bind", bind(s, inet(), IN))


def bind_after_sendto(see: Recorder) -> None:
    receiver, s = bound_udp(), udp()
    see("sendto", sendto(s, b"x", 1, 0, name_of(receiver), IN))
    see("bind", bind(s, inet(), IN))


def bind_after_a_datagram_connect(see: Recorder) -> None:
    receiver, s = bound_udp(), udp()
    see("connect", connect(s, name_of(receiver), IN))
    see("bind", bind(s, inet(), IN))


def an_address_in_use(see: Recorder) -> None:
    first = bound(tcp())
    see("bind", bind(tcp(), name_of(first), IN))
    datagrams = bound_udp()
    see("bind datagram", bind(udp(), name_of(datagrams), IN))


def the_address_of_a_listener(see: Recorder) -> None:
    see("bind", bind(tcp(), name_of(listener()), IN))


def the_address_of_an_accepted_socket(see: Recorder) -> None:
    _, server = tcp_pair()
    see("bind", bind(tcp(), name_of(server), IN))


def the_address_of_a_client(see: Recorder) -> None:
    queue, client = listener(), bound(tcp())
    see("connect", connect(client, name_of(queue), IN))
    see("bind", bind(tcp(), name_of(client), IN))


def an_address_is_free_after_closing(see: Recorder) -> None:
    s = listener()
    name = name_of(s)
    closesocket(s)
    see("bind", bind(tcp(), name, IN))
    datagrams = bound_udp()
    name = name_of(datagrams)
    closesocket(datagrams)
    see("bind datagram", bind(udp(), name, IN))


def a_closed_listeners_port_with_a_living_connection(see: Recorder) -> None:
    queue = listener()
    name = name_of(queue)
    client = tcp()
    connect(client, name, IN)
    server = see("accept", accept(queue, None, None))
    closesocket(queue)
    again = tcp()
    see("bind", bind(again, name, IN))
    see("listen", listen(again, 5))
    see("send", send(server, b"x", 1, 0))


def a_closed_listeners_port_after_its_connection_ended_here(see: Recorder) -> None:
    queue = listener()
    name = name_of(queue)
    client = tcp()
    connect(client, name, IN)
    server = accept(queue, None, None)
    closesocket(queue)
    closesocket(server)
    see("recv", recv(client, bytearray(1), 1, 0))
    closesocket(client)
    again = tcp()
    see("bind", bind(again, name, IN))
    see("listen", listen(again, 5))


def tcp_and_udp_have_ports_of_their_own(see: Recorder) -> None:
    see("bind", first_success(lambda: bind(udp(), name_of(bound(tcp())), IN)))


def ipv4_and_ipv6_have_ports_of_their_own(see: Recorder) -> None:
    see("bind", first_success(lambda: bind(tcp(AF_INET6), inet6(port_of(bound(tcp()))), IN6)))


def two_addresses_share_a_port(see: Recorder) -> None:
    first = bound(tcp())
    second = tcp()
    see("bind", bind(second, inet(port_of(first), OTHER_LOOPBACK), IN))
    see("listen first", listen(first, 1))
    see("listen second", listen(second, 1))


def no_name_before_bind(see: Recorder) -> None:
    name, length = bytearray(b"." * IN), c_int(IN)
    see("getsockname stream", getsockname(tcp(), name, length), name, length)
    see("getsockname datagram", getsockname(udp(), name, length), name, length)


def bind_checks_the_length_before_the_state(see: Recorder) -> None:
    s = bound(tcp())
    see("bind NULL", bind(s, None, IN))
    see("bind short", bind(s, inet(), IN - 1))


def sin_zero_does_not_matter(see: Recorder) -> None:
    name = inet()
    name.sin_zero[:] = [1] * 8
    s = tcp()
    see("bind", bind(s, name, IN))
    see("getsockname", 0, name_of(s))


def mapped_and_plain_addresses_are_one(see: Recorder) -> None:
    plain = bound(tcp())
    s = switch(tcp(AF_INET6), IPPROTO_IPV6, IPV6_V6ONLY, 0)
    see("bind mapped", bind(s, inet6(port_of(plain), mapped()), IN6))
    s = switch(tcp(AF_INET6), IPPROTO_IPV6, IPV6_V6ONLY, 0)
    see("bind mapped first", bind(s, inet6(0, mapped()), IN6))
    see("bind plain", bind(tcp(), inet(ntohs(name6_of(s).sin6_port)), IN))


def a_mapped_address_needs_both_families(see: Recorder) -> None:
    see("bind", bind(tcp(AF_INET6), inet6(0, mapped()), IN6))
