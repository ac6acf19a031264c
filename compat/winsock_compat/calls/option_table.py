"""Winsock's socket options as tables: the lengths and values that they take, their defaults, who has them."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from winsock import constants as c
from winsock.errors import WSAEINVAL, WSAENOPROTOOPT


class ShortRead(Enum):
    """What getsockopt does with a buffer of 1 to 3 bytes for a value of 4."""

    FILL = "fills the buffer with the value's first bytes, reports the length 1"
    ONE_BYTE = "writes one byte, reports the length 1"
    ZERO = "fails, and fills the buffer with zeros"
    UNTOUCHED = "fails"
    LENGTH_0 = "fails, and reports the length 0"


class Kind(NamedTuple):
    """How an option's value is passed: what setsockopt accepts and reads, and what getsockopt writes."""

    shortest: int  # the bytes that setsockopt needs
    value: Callable[[bytes], int]
    size: int  # what getsockopt writes and reports where there is room
    short: ShortRead


def _any_bit(raw: bytes) -> int:
    return int(any(raw[:4]))


def _first_byte(raw: bytes) -> int:
    return int(raw[0] != 0)


def _number(raw: bytes) -> int:
    return int.from_bytes(raw[:4], "little")


BOOL = Kind(0, _any_bit, 4, ShortRead.FILL)
BYTE = Kind(1, _first_byte, 1, ShortRead.ONE_BYTE)
INT = Kind(4, _number, 4, ShortRead.ZERO)
TIMEOUT = Kind(4, _number, 4, ShortRead.UNTOUCHED)
KEEPALIVE = Kind(4, _number, 4, ShortRead.LENGTH_0)
SMALL = Kind(1, _number, 4, ShortRead.ONE_BYTE)
FLAG = Kind(1, _any_bit, 4, ShortRead.ONE_BYTE)
CONTROL = Kind(4, _any_bit, 4, ShortRead.LENGTH_0)
READ_ONLY = Kind(4, _number, 4, ShortRead.UNTOUCHED)


class Option(NamedTuple):
    kind: Kind
    default: int
    types: tuple[int, ...] = (c.SOCK_STREAM, c.SOCK_DGRAM, c.SOCK_RAW)
    wrong_type: int = WSAENOPROTOOPT


_STREAM, _DATAGRAM = (c.SOCK_STREAM,), (c.SOCK_DGRAM, c.SOCK_RAW)
_SOL, _TCP, _IP, _IPV6 = c.SOL_SOCKET, c.IPPROTO_TCP, c.IPPROTO_IP, c.IPPROTO_IPV6
_UDP_ONLY: dict[str, Any] = {"types": _DATAGRAM, "wrong_type": WSAEINVAL}

OPTIONS = {
    (_SOL, c.SO_DEBUG): Option(BOOL, 0),
    (_SOL, c.SO_REUSEADDR): Option(BOOL, 0),
    (_SOL, c.SO_EXCLUSIVEADDRUSE): Option(BOOL, 0),
    (_SOL, c.SO_KEEPALIVE): Option(BYTE, 0),
    (_SOL, c.SO_DONTROUTE): Option(BYTE, 0),
    (_SOL, c.SO_BROADCAST): Option(BOOL, 0, _DATAGRAM),
    (_SOL, c.SO_OOBINLINE): Option(BOOL, 0),
    (_SOL, c.SO_LINGER): Option(INT, 0, types=_STREAM),
    (_SOL, c.SO_DONTLINGER): Option(BOOL, 1, types=_STREAM),
    (_SOL, c.SO_SNDBUF): Option(INT, 65536),
    (_SOL, c.SO_RCVBUF): Option(INT, 65536),
    (_SOL, c.SO_SNDTIMEO): Option(TIMEOUT, 0),
    (_SOL, c.SO_RCVTIMEO): Option(TIMEOUT, 0),
    (_SOL, c.SO_ERROR): Option(READ_ONLY, 0),
    (_SOL, c.SO_TYPE): Option(READ_ONLY, 0),
    (_SOL, c.SO_ACCEPTCONN): Option(READ_ONLY, 0),
    (_SOL, c.SO_MAX_MSG_SIZE): Option(READ_ONLY, 65507),
    (_SOL, c.SO_CONNECT_TIME): Option(READ_ONLY, 0),
    (_TCP, c.TCP_NODELAY): Option(BYTE, 0, _STREAM),
    (_TCP, c.TCP_KEEPALIVE): Option(KEEPALIVE, 7200, _STREAM),
    (_TCP, c.TCP_KEEPCNT): Option(KEEPALIVE, 10, _STREAM),
    (_TCP, c.TCP_KEEPINTVL): Option(KEEPALIVE, 1, _STREAM),
    (_IP, c.IP_TOS): Option(SMALL, 0),
    (_IP, c.IP_TTL): Option(SMALL, 128),
    (_IP, c.IP_HDRINCL): Option(BOOL, 0, types=(c.SOCK_RAW,), wrong_type=WSAEINVAL),
    (_IP, c.IP_DONTFRAGMENT): Option(FLAG, 0),
    (_IP, c.IP_MULTICAST_IF): Option(INT, 0, **_UDP_ONLY),
    (_IP, c.IP_MULTICAST_TTL): Option(SMALL, 1, **_UDP_ONLY),
    (_IP, c.IP_MULTICAST_LOOP): Option(FLAG, 1, **_UDP_ONLY),
    (_IP, c.IP_PKTINFO): Option(CONTROL, 0, **_UDP_ONLY),
    (_IP, c.IP_RECVTTL): Option(CONTROL, 0, **_UDP_ONLY),
    (_IP, c.IP_RECVTOS): Option(CONTROL, 0, **_UDP_ONLY),
    (_IPV6, c.IPV6_V6ONLY): Option(BYTE, 1),
    (_IPV6, c.IPV6_UNICAST_HOPS): Option(SMALL, 128),
    (_IPV6, c.IPV6_DONTFRAG): Option(FLAG, 0),
    (_IPV6, c.IPV6_MULTICAST_IF): Option(INT, 0, **_UDP_ONLY),
    (_IPV6, c.IPV6_MULTICAST_HOPS): Option(SMALL, 1, **_UDP_ONLY),
    (_IPV6, c.IPV6_MULTICAST_LOOP): Option(FLAG, 1, **_UDP_ONLY),
    (_IPV6, c.IPV6_PKTINFO): Option(CONTROL, 0, **_UDP_ONLY),
    (_IPV6, c.IPV6_HOPLIMIT): Option(CONTROL, 0, **_UDP_ONLY),
    (_IPV6, c.IPV6_RECVTCLASS): Option(CONTROL, 0, **_UDP_ONLY),
}
# Set only: the bytes of the group and the interface.
MEMBERSHIPS = {
    (_IP, c.IP_ADD_MEMBERSHIP): 8,
    (_IP, c.IP_DROP_MEMBERSHIP): 8,
    (_IPV6, c.IPV6_ADD_MEMBERSHIP): 20,
    (_IPV6, c.IPV6_DROP_MEMBERSHIP): 20,
}
# Bytes of the IPv4 header, which only the kernel keeps.
IP_OPTIONS = (_IP, c.IP_OPTIONS)
LEVELS = {_SOL, _TCP, c.IPPROTO_UDP, _IP, _IPV6}
