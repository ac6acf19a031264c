"""The cells of the matrix of addresses: a call, a type of socket, a kind of socket, and an address.

A scenario exists for each cell, and tests/windows_facts states what Windows does in it. The addresses are on loopback,
or nobody has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ctypes import c_int
from typing import NamedTuple, TypeAlias

from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    INADDR_BROADCAST,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SOCK_DGRAM,
    SOCK_STREAM,
    connect,
    getsockname,
    listen,
    ntohs,
    sockaddr_in,
    sockaddr_in6,
)

from .kit import (
    ANY,
    FOREIGN,
    IN,
    IN6,
    LOOPBACK,
    LOOPBACK6,
    bound,
    bound6,
    done,
    inet,
    inet6,
    mapped,
    name6_of,
    name_of,
    switch,
    tcp,
    udp,
)

Name: TypeAlias = "tuple[sockaddr_in | sockaddr_in6 | bytes, int]"

MULTICAST, LOOPBACK_BROADCAST = 0xEFFF4D4D, 0x7FFFFFFF
# The programs, each with the types of sockets that it is made for.
PROGRAMS = {
    "bind": (SOCK_STREAM, SOCK_DGRAM),
    "connect_stream": (SOCK_STREAM,),
    "connect_datagram": (SOCK_DGRAM,),
    "sendto": (SOCK_DGRAM,),
    "sendto_stream": (SOCK_STREAM,),
}
TYPES = {SOCK_STREAM: "stream", SOCK_DGRAM: "datagram"}
SOCKETS = ("IPv4", "IPv6", "dual-stack")


class Address(NamedTuple):
    words: str  # for the notes
    sockets: tuple[str, ...]
    make: Callable[[int], Name]
    programs: tuple[str, ...] = tuple(PROGRAMS)

    is_broadcast: bool = False
    disconnects: bool = False  # connect with it ends the association of a datagram socket

    def name(self, port: int) -> Name:
        return self.make(port)


class Cell(NamedTuple):
    program: str
    type: int
    socket: str
    address: str

    @property
    def scenario(self) -> str:
        kind = self.socket.lower().replace("-", "_")
        if self.program == "bind":
            return f"bind_{TYPES[self.type]}_{kind}_to_{self.address}"
        return f"{self.program}_{kind}_to_{self.address}"


def _four(address: int) -> Callable[[int], Name]:
    return lambda port: (inet(port, address), IN)


def _six(address: bytes) -> Callable[[int], Name]:
    return lambda port: (inet6(port, address), IN6)


def _of_family(family: int, length: int) -> Callable[[int], Name]:
    return lambda port: (family.to_bytes(2, "little") + bytes(inet(port))[2:] + bytes(length - IN), length)


def _own(port: int) -> Name:
    """The address from which this machine reaches others; loopback if it reaches none."""
    s = udp()
    if connect(s, inet(9, FOREIGN), IN) != 0:
        return inet(port), IN
    name = sockaddr_in()
    done(getsockname(s, name, c_int(IN)))
    return sockaddr_in(AF_INET, inet(port).sin_port, name.sin_addr), IN


_V4, _V6, _DUAL, _SIXES = ("IPv4",), ("IPv6",), ("dual-stack",), ("IPv6", "dual-stack")
_ONLY_BIND, _NOT_BIND = ("bind",), ("connect_stream", "connect_datagram", "sendto")
_UNKNOWN = 0xBAD
_MULTICAST6 = b"\xff\x0e" + bytes(12) + b"\x77\x77"
# An address for documentation (RFC 3849): no interface has it.
_FOREIGN6 = b"\x20\x01\x0d\xb8" + bytes(11) + b"\1"
_LINK_LOCAL = b"\xfe\x80" + bytes(13) + b"\1"

ADDRESSES = {
    "wildcard": Address("0.0.0.0", _V4, _four(ANY)),
    "loopback": Address("127.0.0.1", _V4, _four(LOOPBACK)),
    "own": Address("an address of an interface", _V4, _own),
    "foreign": Address("an address of another machine", _V4, _four(FOREIGN), _ONLY_BIND),
    "multicast": Address("multicast, 224.0.0.0/4", _V4, _four(MULTICAST)),
    "limited_broadcast": Address("255.255.255.255", _V4, _four(INADDR_BROADCAST), is_broadcast=True),
    "loopback_broadcast": Address("127.255.255.255", _V4, _four(LOOPBACK_BROADCAST), is_broadcast=True),
    "port_0": Address("127.0.0.1, port 0", _V4, lambda port: (inet(0), IN), _NOT_BIND),
    "zeros": Address("0.0.0.0, port 0", _V4, lambda port: (inet(0, ANY), IN), _NOT_BIND, disconnects=True),
    "ipv6_address": Address("an IPv6 address", _V4, lambda port: (inet6(port), IN6)),
    "unknown_family": Address("an unknown family", _V4, _of_family(_UNKNOWN, IN)),
    "unspecified_family": Address("AF_UNSPEC", _V4, _of_family(AF_UNSPEC, IN), disconnects=True),
    "wildcard6": Address("::", _SIXES, _six(bytes(16))),
    "loopback6": Address("::1", _SIXES, _six(bytes(15) + b"\1")),
    "foreign6": Address("an address of another machine", _SIXES, _six(_FOREIGN6), _ONLY_BIND),
    "multicast6": Address("multicast, ff00::/8", _SIXES, _six(_MULTICAST6)),
    "link_local": Address("link-local without a scope id, fe80::/10", _SIXES, _six(_LINK_LOCAL)),
    "port_0_6": Address("::1, port 0", _SIXES, lambda port: (inet6(0), IN6), _NOT_BIND),
    "zeros6": Address("::, port 0", _SIXES, lambda port: (inet6(0, bytes(16)), IN6), _NOT_BIND, disconnects=True),
    "ipv4_address": Address("an IPv4 address (16 bytes)", _SIXES, lambda port: (inet(port), IN)),
    "ipv4_address_in_28_bytes": Address("an IPv4 address in 28 bytes", _SIXES, _of_family(AF_INET, IN6)),
    "unknown_family6": Address("an unknown family", _SIXES, _of_family(_UNKNOWN, IN6)),
    "unspecified_family6": Address("AF_UNSPEC", _SIXES, _of_family(AF_UNSPEC, IN6), disconnects=True),
    "mapped": Address("::ffff:127.0.0.1", _SIXES, _six(mapped())),
    "mapped_wildcard": Address("::ffff:0.0.0.0", _DUAL, _six(mapped(ANY))),
    "mapped_multicast": Address("::ffff:239.255.77.77, multicast", _DUAL, _six(mapped(MULTICAST))),
    "mapped_limited_broadcast": Address(
        "::ffff:255.255.255.255", _DUAL, _six(mapped(INADDR_BROADCAST)), is_broadcast=True
    ),
    "mapped_loopback_broadcast": Address(
        "::ffff:127.255.255.255", _DUAL, _six(mapped(LOOPBACK_BROADCAST)), is_broadcast=True
    ),
}


def cells(program: str) -> Iterator[Cell]:
    """The cells of a program, in the order of the addresses."""
    for key, address in ADDRESSES.items():
        for kind in address.sockets:
            for type in PROGRAMS[program]:
                if program in address.programs or (program == "sendto_stream" and "sendto" in address.programs):
                    yield Cell(program, type, kind, key)


def new_socket(cell: Cell) -> int:
    """A socket of the cell's type and kind, unbound."""
    make = tcp if cell.type == SOCK_STREAM else udp
    s = make(AF_INET if cell.socket == "IPv4" else AF_INET6)
    return switch(s, IPPROTO_IPV6, IPV6_V6ONLY, 0) if cell.socket == "dual-stack" else s


def on_loopback(cell: Cell, s: int) -> int:
    """Binds the socket to loopback if the address is an IPv4 multicast or broadcast one, so that nothing leaves it."""
    if "multicast" in cell.address or ADDRESSES[cell.address].is_broadcast:
        if cell.socket == "IPv4":
            return bound(s)
        if "mapped" in cell.address:
            return bound6(s, 0, mapped())
    return s


def target_port(cell: Cell) -> int:
    """The port of a listener, or of a bound datagram socket, on the wildcard address of the cell's family."""
    make = tcp if cell.type == SOCK_STREAM else udp
    if cell.socket == "IPv4" or (cell.socket == "dual-stack" and "mapped" in cell.address):
        s = bound(make(), 0, ANY)
        port = name_of(s).sin_port
    else:
        s = bound6(make(AF_INET6), 0, bytes(16))
        port = name6_of(s).sin6_port
    if cell.type == SOCK_STREAM:
        done(listen(s, 8))
    return ntohs(port)


def peer(cell: Cell, port: int) -> Name:
    """The address at which a socket of the cell's kind reaches the port of target_port."""
    if cell.socket == "IPv4":
        return inet(port), IN
    return inet6(port, mapped() if "mapped" in cell.address and cell.socket == "dual-stack" else LOOPBACK6), IN6
