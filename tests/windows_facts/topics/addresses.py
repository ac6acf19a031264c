"""Addresses: which classes of them bind, connect and sendto accept."""

from __future__ import annotations

import subprocess
from ctypes import c_int
from functools import partial
from itertools import zip_longest

from tests.conformance import recordings
from tests.conformance.address_cells import ADDRESSES, MULTICAST, PROGRAMS, TYPES, Cell, cells
from tests.conformance.kit import (
    ANY,
    IN,
    IN6,
    LIMIT,
    LOOPBACK,
    OTHER_LOOPBACK,
    bound,
    bound6,
    bound_udp,
    done,
    inet,
    inet6,
    listener,
    look,
    mapped,
    name6_of,
    name_of,
    nonblocking,
    option,
    polled,
    port_of,
    switch,
    tcp,
    udp,
    wait_readable,
)
from tests.conformance.recorder import Json, Recorder
from tests.conformance.scenarios import addresses as scenarios
from winsock import (
    AF_INET,
    AF_INET6,
    INADDR_BROADCAST,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    POLLWRNORM,
    SO_BROADCAST,
    SO_ERROR,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    accept,
    bind,
    connect,
    getpeername,
    getsockname,
    htonl,
    in_addr,
    listen,
    ntohs,
    recvfrom,
    sendto,
    sockaddr_in,
    sockaddr_in6,
)

from .. import sources
from ..address_answers import BIND, CONNECT, DOTNET, DUAL_STACK, LIBUV, REACTOS, SCOPES, SENDTO, A, accepted
from ..address_answers import answer_of_windows as answer_of
from ..facts import DOCUMENTED, REPORTED, TESTED, Topic, answer
from ..networks import BROADCAST_A, INDEX_A, NET_A, Machine, on_network

topic = Topic("addresses")

# ---- the matrix: see notes/addresses.md

# On a stream sendto ignores the address: a few of them are enough.
_STREAM_ADDRESSES = ("wildcard", "multicast", "limited_broadcast", "unknown_family", "ipv4_address", "mapped_multicast")


def _is_fact(cell: Cell) -> bool:
    """A dual-stack socket does the same with IPv6 addresses as an IPv6-only one: they are scenarios only."""
    if cell.program == "sendto_stream":
        return cell.address in _STREAM_ADDRESSES
    return cell.socket != "dual-stack" or "mapped" in cell.address or cell.address == "ipv4_address"


def _results(cell: Cell) -> Json:
    """What the scenario of the cell observes: one result, or a list of them."""
    see = Recorder()
    getattr(scenarios, cell.scenario)(see)
    results = [row[1] for row in see.seen]
    return results if len(results) > 1 else results[0]


def _accepted_results(cell: Cell) -> list[Json]:
    """The accepted results of all calls of the scenario; the n-th results of two calls belong together."""
    columns = [[answer[0] for answer in answers if isinstance(answer, list)] for answers in accepted(cell).values()]
    longest = max(map(len, columns))
    rows = zip_longest(*(column if len(column) > 1 else column * longest for column in columns))
    return [list(row) if len(row) > 1 else row[0] for row in rows]


_RECORDED = recordings.load()


def _difference_of_wine(cell: Cell, windows: list[Json]) -> str:
    entry = _RECORDED.get(cell.scenario)
    results = [row[1] for row in entry["wine"]] if entry else []
    seen = results if len(results) > 1 else results[0] if results else None
    return "" if seen in windows else f"it has Linux's result, {seen}"


for _program in PROGRAMS:
    for _cell in filter(_is_fact, cells(_program)):
        _answer, _windows = answer_of(_cell), _accepted_results(_cell)
        topic.add(
            _cell.scenario,
            _program.partition("_")[0],
            f"{TYPES[_cell.type]} socket, {_cell.socket}: {ADDRESSES[_cell.address].words}",
            _windows,
            _answer.source,
            _answer.certainty,
            partial(_results, _cell),
            wine=_difference_of_wine(_cell, _windows),
            compat=_answer.compat,
        )


# ---- what else is known of these addresses


def _dual(s: int) -> int:
    return switch(s, IPPROTO_IPV6, IPV6_V6ONLY, 0)


@topic.fact(
    "bind", "after a bind to a multicast address has failed", windows=[[A, 0]], source=BIND, certainty=DOCUMENTED,
    wine="it binds the socket to the multicast address",
)  # fmt: skip
def a_refused_address_leaves_the_socket_unbound() -> Json:
    s = udp()
    return [answer("bind", bind(s, inet(0, MULTICAST), IN)), answer("bind", bind(s, inet(), IN))]


@topic.fact(
    "bind", "a datagram socket with SO_BROADCAST, to 255.255.255.255", windows=[A], source=f"{REACTOS}/bind.c",
    certainty=TESTED, wine="it binds the socket",
)  # fmt: skip
def so_broadcast_does_not_permit_bind_to_the_broadcast_address() -> Json:
    s = switch(udp(), SOL_SOCKET, SO_BROADCAST)
    return answer("bind", bind(s, inet(0, INADDR_BROADCAST), IN))


@topic.fact(
    "getsockname", "after bind to 127.0.0.1 with port 0", windows=[[0, "127.0.0.1", True]],
    source=f"{REACTOS}/bind.c", certainty=TESTED,
)  # fmt: skip
def bind_with_port_0_gives_the_socket_a_port() -> Json:
    name = name_of(bound(tcp()))
    return [0, ".".join(map(str, bytes(name.sin_addr))), name.sin_port != 0]


@topic.fact(
    "bind", "a bound socket, to another valid address", windows=["WSAEINVAL"], source=f"{REACTOS}/bind.c",
    certainty=TESTED,
)  # fmt: skip
def a_bound_socket_is_not_bound_to_another_address() -> Json:
    return answer("bind", bind(bound(tcp()), inet(0, OTHER_LOOPBACK), IN))


@topic.fact(
    "bind", "another address of 127.0.0.0/8, while 127.0.0.1 has the port", windows=[0],
    source="https://github.com/microsoft/WSL/issues/4349", certainty=REPORTED,
)  # fmt: skip
def each_loopback_address_has_ports_of_its_own() -> Json:
    return answer("bind", bind(tcp(), inet(port_of(listener()), OTHER_LOOPBACK), IN))


@topic.fact(
    "connect", "again, to a listener, after a connect to a multicast address has failed", windows=[[A, 0]],
    source=f"{CONNECT}: after a failure connect may be called again", certainty=DOCUMENTED,
    wine="the first error is WSAENETUNREACH",
)  # fmt: skip
def a_socket_that_was_refused_an_address_connects_to_another() -> Json:
    queue, s = listener(), tcp()
    first = answer("connect", connect(s, inet(9, MULTICAST), IN))
    return [first, answer("connect", connect(s, name_of(queue), IN))]


@topic.fact(
    "connect", "again, a nonblocking IPv6-only stream to ::1, after an IPv4-mapped address was refused",
    windows=[["WSAEWOULDBLOCK", "e", "WSAEWOULDBLOCK", "w", 0]],
    source="https://github.com/warmcat/libwebsockets/issues/2223", certainty=REPORTED,
    wine="connect fails at once, with WSAENETUNREACH",
)  # fmt: skip
def a_nonblocking_socket_connects_after_it_was_refused_an_address() -> Json:
    queue, s = bound6(tcp(AF_INET6)), nonblocking(tcp(AF_INET6))
    done(listen(queue, 1))
    first = answer("connect", connect(s, inet6(9, mapped()), IN6))
    shown = look(s, LIMIT)
    second = answer("connect", connect(s, name6_of(queue), IN6))
    return [first, shown, second, look(s, LIMIT), option(s, SOL_SOCKET, SO_ERROR)]


@topic.fact(
    "WSAPoll", "a nonblocking IPv6-only stream whose connect to an IPv4-mapped address was refused",
    windows=["ERR HUP WRNORM"],
    source=f"{sources.REFERENCE}/api/winsock2/nf-winsock2-wsapoll: a failed connect",
    certainty=DOCUMENTED, wine="connect fails at once, with WSAENETUNREACH",
)  # fmt: skip
def wsapoll_shows_a_refused_address_as_a_failed_connect() -> Json:
    s = nonblocking(tcp(AF_INET6))
    connect(s, inet6(9, mapped()), IN6)
    return polled(s, POLLWRNORM, LIMIT * 1000)


@topic.fact(
    "getpeername", "a dual-stack stream that is connected to ::ffff:127.0.0.1", windows=[True],
    source=DUAL_STACK, certainty=DOCUMENTED,
)  # fmt: skip
def the_peer_of_a_dual_stack_socket_has_a_mapped_address() -> Json:
    s, name = _dual(tcp(AF_INET6)), sockaddr_in6()
    done(connect(s, inet6(port_of(listener()), mapped()), IN6))
    done(getpeername(s, name, c_int(IN6)))
    return bytes(name.sin6_addr) == mapped()


@topic.fact(
    "accept", "a dual-stack listener on ::, and a client of 127.0.0.1", windows=[True], source=DOTNET,
    certainty=TESTED,
)  # fmt: skip
def a_dual_stack_listener_sees_mapped_addresses_of_ipv4_clients() -> Json:
    queue, client, name = bound6(_dual(tcp(AF_INET6)), 0, bytes(16)), tcp(), sockaddr_in6()
    done(listen(queue, 1))
    done(connect(client, sockaddr_in(AF_INET, name6_of(queue).sin6_port, in_addr(htonl(LOOPBACK))), IN))
    accept(queue, name, c_int(IN6))
    return bytes(name.sin6_addr) == mapped()


@topic.fact(
    "connect", "an IPv4 client to the port of a listener on ::1", windows=["WSAECONNREFUSED"], source=DOTNET,
    certainty=TESTED,
)  # fmt: skip
def a_listener_on_an_ipv6_address_has_no_ipv4_clients() -> Json:
    queue = bound6(_dual(tcp(AF_INET6)))
    done(listen(queue, 1))
    return answer("connect", connect(tcp(), sockaddr_in(AF_INET, name6_of(queue).sin6_port, inet().sin_addr), IN))


@topic.fact(
    "connect", "an IPv6-only client to ::1, the port of a dual-stack listener on ::ffff:127.0.0.1",
    windows=["WSAECONNREFUSED"], source=DOTNET, certainty=TESTED,
)  # fmt: skip
def a_listener_on_a_mapped_address_has_no_ipv6_clients() -> Json:
    queue = bound6(_dual(tcp(AF_INET6)), 0, mapped())
    done(listen(queue, 1))
    return answer("connect", connect(tcp(AF_INET6), inet6(ntohs(name6_of(queue).sin6_port)), IN6))


@topic.fact(
    "recvfrom", "a dual-stack datagram socket on ::, a datagram from 127.0.0.1", windows=[[1, True]], source=DOTNET,
    certainty=TESTED,
)  # fmt: skip
def a_datagram_from_ipv4_has_a_mapped_sender() -> Json:
    receiver, sender, name = bound6(_dual(udp(AF_INET6)), 0, bytes(16)), bound_udp(), sockaddr_in6()
    target = sockaddr_in(AF_INET, name6_of(receiver).sin6_port, inet().sin_addr)
    assert sendto(sender, b"x", 1, 0, target, IN) == 1
    count = recvfrom(wait_readable(receiver), bytearray(1), 1, 0, name, c_int(IN6))
    return [count, bytes(name.sin6_addr) == mapped()]


@topic.fact(
    "connect", "a connected datagram socket, to zeros, then to a new peer", windows=[[0, 0]],
    source=f"{LIBUV}/test-udp-connect.c", certainty=TESTED,
)  # fmt: skip
def a_datagram_socket_can_be_connected_again_after_it_was_disconnected() -> Json:
    peer, s = bound_udp(), udp()
    done(connect(s, name_of(peer), IN))
    ended = answer("connect", connect(s, inet(0, ANY), IN))
    return [ended, answer("connect", connect(s, name_of(peer), IN))]


@topic.fact(
    "getsockname", "an unbound datagram socket after a sendto to the wildcard has failed",
    windows=[[A, "WSAEINVAL"], [A, 0]],
    source=f"{SENDTO}: whether the failed call binds the socket is not stated", certainty=DOCUMENTED,
    wine="sendto succeeds",
)  # fmt: skip
def sendto_to_the_wildcard_sends_nothing() -> Json:
    s = udp()
    refused = answer("sendto", sendto(s, b"x", 1, 0, inet(9, ANY), IN))
    return [refused, answer("getsockname", getsockname(s, sockaddr_in(), c_int(IN)))]


# ---- an interface's network: on a machine whose interface has an address of 10.9.0.0/24

CIPSTER = "https://github.com/liftoff-sr/CIPster/issues/21"
BACPYPES = "https://github.com/JoelBender/bacpypes/issues/59"
ON_NETWORK = {"needs": "namespaces"}


def _bind_on_network(type: int, address: int) -> Json:
    return on_network(lambda _: answer("bind", bind(tcp() if type == SOCK_STREAM else udp(), inet(0, address), IN)))()


for _type, _source in ((SOCK_STREAM, BACPYPES), (SOCK_DGRAM, CIPSTER)):
    topic.add(
        f"network_broadcast_bind_{TYPES[_type]}",
        "bind",
        f"{TYPES[_type]} socket: the broadcast address of an interface's network",
        [A],
        _source,
        REPORTED,
        partial(_bind_on_network, _type, BROADCAST_A),
        **ON_NETWORK,
    )
    topic.add(
        f"interface_address_bind_{TYPES[_type]}",
        "bind",
        f"{TYPES[_type]} socket: the address of an interface",
        [0],
        f"{REACTOS}/bind.c",
        TESTED,
        partial(_bind_on_network, _type, NET_A),
        **ON_NETWORK,
    )


@topic.fact(
    "bind", "dual-stack datagram socket: the IPv4-mapped broadcast address of an interface's network", windows=[A],
    source=f"{BIND}: not a valid local address on this computer", certainty=DOCUMENTED, **ON_NETWORK,
)  # fmt: skip
@on_network
def network_broadcast_bind_mapped(there: Machine) -> Json:
    return answer("bind", bind(_dual(udp(AF_INET6)), inet6(0, mapped(BROADCAST_A)), IN6))


@topic.fact(
    "connect", "stream: the broadcast address of an interface's network", windows=[A],
    source=f"{CONNECT}: the remote address is not a valid address", certainty=DOCUMENTED, **ON_NETWORK,
)  # fmt: skip
@on_network
def network_broadcast_connect_stream(there: Machine) -> Json:
    return answer("connect", connect(tcp(), inet(9, BROADCAST_A), IN))


@topic.fact(
    "connect", "nonblocking stream: the broadcast address of an interface's network",
    windows=[["WSAEWOULDBLOCK", "e", 10049], [A, "-", 0]],
    source=f"{CONNECT}: the remote address is not a valid address", certainty=DOCUMENTED, **ON_NETWORK,
)  # fmt: skip
@on_network
def network_broadcast_connect_nonblocking_stream(there: Machine) -> Json:
    s = nonblocking(tcp())
    result = answer("connect", connect(s, inet(9, BROADCAST_A), IN))
    return [result, look(s, LIMIT if result == "WSAEWOULDBLOCK" else 0), option(s, SOL_SOCKET, SO_ERROR)]


@topic.fact(
    "connect", "datagram socket: the broadcast address of an interface's network, without and with SO_BROADCAST",
    windows=[["WSAEACCES", 0], [0, 0]], source=CONNECT, certainty=DOCUMENTED, **ON_NETWORK,
)  # fmt: skip
@on_network
def network_broadcast_connect_datagram(there: Machine) -> Json:
    s = udp()
    refused = answer("connect", connect(s, inet(9, BROADCAST_A), IN))
    return [refused, answer("connect", connect(switch(s, SOL_SOCKET, SO_BROADCAST), inet(9, BROADCAST_A), IN))]


@topic.fact(
    "sendto", "the broadcast address of an interface's network, without SO_BROADCAST", windows=["WSAEACCES"],
    source=SENDTO, certainty=DOCUMENTED, **ON_NETWORK,
)  # fmt: skip
@on_network
def network_broadcast_sendto_needs_so_broadcast(there: Machine) -> Json:
    return answer("sendto", sendto(bound(udp(), 0, ANY), b"x", 1, 0, inet(9, BROADCAST_A), IN))


@topic.fact(
    "sendto", "the broadcast address of an interface's network, with SO_BROADCAST", windows=[1],
    source=f"{REACTOS}/broadcast.c", certainty=TESTED, **ON_NETWORK,
)  # fmt: skip
@on_network
def network_broadcast_sendto_with_so_broadcast(there: Machine) -> Json:
    s = switch(bound(udp(), 0, ANY), SOL_SOCKET, SO_BROADCAST)
    return answer("sendto", sendto(s, b"x", 1, 0, inet(9, BROADCAST_A), IN))


_LINK_LOCAL = b"\xfe\x80" + bytes(13) + b"\x77"


def _link_local(scope: int, port: int = 0) -> sockaddr_in6:
    """An address that the first interface has after _add_link_local."""
    name = inet6(port, _LINK_LOCAL)
    name.sin6_scope_id = scope
    return name


def _add_link_local() -> None:
    subprocess.run(["ip", "addr", "add", "fe80::77/64", "dev", "neta", "nodad"], check=True)


@topic.fact(
    "bind", "an interface's link-local address, without and with the interface's number as scope id",
    windows=[[True, 0]], source=f"{SCOPES}: without a code", certainty=DOCUMENTED, **ON_NETWORK,
)  # fmt: skip
@on_network
def link_local_bind_needs_a_scope_id(there: Machine) -> Json:
    _add_link_local()
    s = udp(AF_INET6)
    refused = bind(s, _link_local(0), IN6) == SOCKET_ERROR
    return [refused, answer("bind", bind(s, _link_local(INDEX_A), IN6))]


@topic.fact(
    "connect", "a link-local address without a scope id, from a socket that is bound to one with a scope id",
    windows=[0], source=f"{SCOPES}: the bound address supplies the interface", certainty=DOCUMENTED, **ON_NETWORK,
)  # fmt: skip
@on_network
def link_local_connect_takes_the_scope_id_of_the_bound_address(there: Machine) -> Json:
    _add_link_local()
    queue, s = tcp(AF_INET6), tcp(AF_INET6)
    done(bind(queue, _link_local(INDEX_A), IN6))
    done(listen(queue, 1))
    done(bind(s, _link_local(INDEX_A), IN6))
    name = name6_of(queue)
    name.sin6_scope_id = 0
    return answer("connect", connect(s, name, IN6))
