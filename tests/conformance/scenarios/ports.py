"""Two sockets on one port: SO_REUSEADDR, SO_EXCLUSIVEADDRUSE, and neither."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int
from random import choice

from winsock import (
    AF_INET6,
    INADDR_ANY,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_EXCLUSIVEADDRUSE,
    SO_REUSEADDR,
    SOL_SOCKET,
    accept,
    bind,
    closesocket,
    connect,
    listen,
    ntohs,
    setsockopt,
)

from ..kit import (
    IN,
    IN6,
    LOOPBACK,
    OTHER_LOOPBACK,
    done,
    inet,
    inet6,
    listener,
    name6_of,
    name_of,
    option,
    port_of,
    switch,
    tcp,
    udp,
    wait_readable,
)
from ..recorder import Recorder

_DEFAULT, _REUSE, _EXCLUSIVE = "default", "reuse", "exclusive"
_SECOND = [(mode, place) for mode in (_DEFAULT, _REUSE, _EXCLUSIVE) for place in ("any", "one")]
_ADDRESS = {"any": INADDR_ANY, "one": LOOPBACK}


# Below the ephemeral ports: on one of those the wildcard could conflict with a connection of another program. Chosen at
# random, because several processes may run these scenarios at the same time.
_PORTS = range(20001, 29001)


def _bound(s: int, port: int = 0, address: int = LOOPBACK) -> int:
    """Like kit.bound, with a port that no other socket uses on any address."""
    done(bind(s, inet(port or _port_apart(), address), IN))
    return s


def _bound6(s: int, port: int, address: bytes) -> int:
    done(bind(s, inet6(port or _port_apart(), address), IN6))
    return s


def _port_apart() -> int:
    while True:
        port, probe = choice(_PORTS), tcp()
        free = bind(probe, inet(port, INADDR_ANY), IN) == 0
        closesocket(probe)
        if free:
            return port


def _set(s: int, mode: str) -> int:
    if mode == _REUSE:
        switch(s, SOL_SOCKET, SO_REUSEADDR)
    elif mode == _EXCLUSIVE:
        switch(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE)
    return s


def _row(see: Recorder, kind: Callable[[], int], mode: str, place: str) -> None:
    """One row of Microsoft's table: a bound socket, and a second socket of each mode."""
    for second_mode, second_place in _SECOND:
        first = _bound(_set(kind(), mode), 0, _ADDRESS[place])
        second = _set(kind(), second_mode)
        result = bind(second, inet(port_of(first), _ADDRESS[second_place]), IN)
        see(f"bind {second_mode} {second_place}", result)
        closesocket(first)
        closesocket(second)


def tcp_next_to_a_default_wildcard(see: Recorder) -> None:
    _row(see, tcp, _DEFAULT, "any")


def tcp_next_to_a_default_address(see: Recorder) -> None:
    _row(see, tcp, _DEFAULT, "one")


def tcp_next_to_a_reusing_wildcard(see: Recorder) -> None:
    _row(see, tcp, _REUSE, "any")


def tcp_next_to_a_reusing_address(see: Recorder) -> None:
    _row(see, tcp, _REUSE, "one")


def tcp_next_to_an_exclusive_wildcard(see: Recorder) -> None:
    _row(see, tcp, _EXCLUSIVE, "any")


def tcp_next_to_an_exclusive_address(see: Recorder) -> None:
    _row(see, tcp, _EXCLUSIVE, "one")


def udp_next_to_a_default_wildcard(see: Recorder) -> None:
    _row(see, udp, _DEFAULT, "any")


def udp_next_to_a_default_address(see: Recorder) -> None:
    _row(see, udp, _DEFAULT, "one")


def udp_next_to_a_reusing_wildcard(see: Recorder) -> None:
    _row(see, udp, _REUSE, "any")


def udp_next_to_a_reusing_address(see: Recorder) -> None:
    _row(see, udp, _REUSE, "one")


def udp_next_to_an_exclusive_wildcard(see: Recorder) -> None:
    _row(see, udp, _EXCLUSIVE, "any")


def udp_next_to_an_exclusive_address(see: Recorder) -> None:
    _row(see, udp, _EXCLUSIVE, "one")


def two_reusing_listeners(see: Recorder) -> None:
    first = _set(tcp(), _REUSE)
    see("bind first", bind(first, inet(), IN))
    second = _set(tcp(), _REUSE)
    see("bind second", bind(second, name_of(first), IN))
    see("listen first", listen(first, 5))
    see("listen second", listen(second, 5))
    see("connect", connect(tcp(), name_of(first), IN))
    see("accept", accept(wait_readable(first), None, None))


def a_specific_address_next_to_a_listening_wildcard(see: Recorder) -> None:
    queue = listener(0, INADDR_ANY)
    see("bind", bind(tcp(), inet(port_of(queue)), IN))


def a_wildcard_next_to_a_listening_address(see: Recorder) -> None:
    queue = listener()
    see("bind", bind(tcp(), inet(port_of(queue), INADDR_ANY), IN))


def the_specific_address_gets_the_connection(see: Recorder) -> None:
    wildcard = _bound(tcp(), 0, INADDR_ANY)
    specific = tcp()
    see("bind", bind(specific, inet(port_of(wildcard)), IN))
    see("listen", listen(specific, 5))
    see("connect", connect(tcp(), inet(port_of(wildcard)), IN))
    see("accept", accept(wait_readable(specific), None, None))


def reuse_and_exclusive_exclude_each_other(see: Recorder) -> None:
    s = _set(tcp(), _REUSE)
    see("setsockopt exclusive", setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, c_int(1), 4))
    see("getsockopt exclusive", option(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE))
    s = _set(tcp(), _EXCLUSIVE)
    see("setsockopt reuse", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, c_int(1), 4))
    see("getsockopt reuse", option(s, SOL_SOCKET, SO_REUSEADDR))


def reuse_can_give_way_to_exclusive(see: Recorder) -> None:
    s = _set(tcp(), _REUSE)
    see("setsockopt reuse off", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, c_int(0), 4))
    see("setsockopt exclusive", setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, c_int(1), 4))
    see("getsockopt", option(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE))


def a_mode_reset_before_bind_does_not_count(see: Recorder) -> None:
    first = _bound(tcp())
    second = switch(_set(tcp(), _REUSE), SOL_SOCKET, SO_REUSEADDR, 0)
    see("bind", bind(second, name_of(first), IN))


def the_second_socket_alone_cannot_share(see: Recorder) -> None:
    queue = listener()
    second = _set(tcp(), _REUSE)
    see("bind", bind(second, name_of(queue), IN))
    see("bind elsewhere", bind(second, inet(), IN))


def an_exclusive_port_is_free_after_closing(see: Recorder) -> None:
    first = _bound(_set(tcp(), _EXCLUSIVE))
    name = name_of(first)
    closesocket(first)
    see("bind", bind(tcp(), name, IN))


def exclusive_sockets_at_two_addresses(see: Recorder) -> None:
    first = _bound(_set(tcp(), _EXCLUSIVE))
    see("bind", bind(_set(tcp(), _EXCLUSIVE), inet(port_of(first), OTHER_LOOPBACK), IN))


def _both_families(mode: str) -> int:
    """A dual-stack stream socket on the wildcard address."""
    return _bound6(_set(switch(tcp(AF_INET6), IPPROTO_IPV6, IPV6_V6ONLY, 0), mode), 0, bytes(16))


def ipv4_next_to_a_wildcard_of_both_families(see: Recorder) -> None:
    port = ntohs(name6_of(_both_families(_DEFAULT)).sin6_port)
    see("bind wildcard", bind(tcp(), inet(port, INADDR_ANY), IN))


def an_ipv4_address_next_to_a_wildcard_of_both_families(see: Recorder) -> None:
    port = ntohs(name6_of(_both_families(_DEFAULT)).sin6_port)
    see("bind", bind(tcp(), inet(port), IN))


def ipv4_next_to_an_exclusive_wildcard_of_both_families(see: Recorder) -> None:
    port = ntohs(name6_of(_both_families(_EXCLUSIVE)).sin6_port)
    see("bind wildcard", bind(tcp(), inet(port, INADDR_ANY), IN))
    see("bind address", bind(tcp(), inet(port), IN))


def ipv4_next_to_a_wildcard_of_ipv6_only(see: Recorder) -> None:
    s = _bound6(_set(tcp(AF_INET6), _EXCLUSIVE), 0, bytes(16))
    port = ntohs(name6_of(s).sin6_port)
    see("bind wildcard", bind(tcp(), inet(port, INADDR_ANY), IN))


def two_ipv6_wildcards(see: Recorder) -> None:
    first = _bound6(tcp(AF_INET6), 0, bytes(16))
    port = ntohs(name6_of(first).sin6_port)
    see("bind", bind(tcp(AF_INET6), inet6(port, bytes(16)), IN6))
    see("bind address", bind(tcp(AF_INET6), inet6(port), IN6))
