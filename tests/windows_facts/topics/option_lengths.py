"""Options: the lengths and values that setsockopt takes, and the length and bytes that getsockopt writes.

Options of one kind behave alike. Each fact states one rule for all options of a kind; its result has the options whose
behaviour is another, so it is empty on Windows.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int
from functools import partial

from tests.conformance.kit import tcp, udp
from tests.conformance.recorder import Json, error_name
from winsock import (
    AF_INET,
    AF_INET6,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_PKTINFO,
    IP_RECVTOS,
    IP_RECVTTL,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_DONTFRAG,
    IPV6_HOPLIMIT,
    IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_LOOP,
    IPV6_PKTINFO,
    IPV6_RECVTCLASS,
    IPV6_UNICAST_HOPS,
    IPV6_V6ONLY,
    SO_BROADCAST,
    SO_DONTLINGER,
    SO_DONTROUTE,
    SO_EXCLUSIVEADDRUSE,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SO_REUSEADDR,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SOCKET_ERROR,
    SOL_SOCKET,
    TCP_KEEPALIVE,
    TCP_KEEPCNT,
    TCP_KEEPINTVL,
    TCP_NODELAY,
    WSAGetLastError,
    getsockopt,
    setsockopt,
)

from ..facts import TESTED, Topic

topic = Topic("options")
# ReactOS's copy of Wine's tests.
SOURCE = (
    "https://github.com/reactos/reactos/blob/master/modules/rostests/winetests/ws2_32/sock.c:"
    " test_set_getsockopt, its table of lengths"
)
# What the buffer of getsockopt has before the call.
UNTOUCHED = b"\x5a\x3c\x5a\x3c"

Option = tuple[Callable[[int], int], int, int, int]  # the socket, its family, the level and the option
Rule = Callable[[Option], bool]


def _options(make: Callable[[int], int], family: int, level: int, *names: int) -> list[Option]:
    return [(make, family, level, name) for name in names]


# Switches of a socket, which are stored as numbers of 4 bytes.
SWITCHES = [
    *_options(tcp, AF_INET, SOL_SOCKET, SO_REUSEADDR, SO_OOBINLINE, SO_EXCLUSIVEADDRUSE, SO_DONTLINGER),
    *_options(udp, AF_INET, SOL_SOCKET, SO_BROADCAST),
]
# Options that are one byte.
ROUTE = _options(tcp, AF_INET, SOL_SOCKET, SO_DONTROUTE)
BYTES = [
    *_options(tcp, AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY),
    *_options(tcp, AF_INET, IPPROTO_TCP, TCP_NODELAY),
    *_options(tcp, AF_INET, SOL_SOCKET, SO_KEEPALIVE),
]
BUFFERS = _options(tcp, AF_INET, SOL_SOCKET, SO_SNDBUF, SO_RCVBUF)
TIMEOUTS = _options(tcp, AF_INET, SOL_SOCKET, SO_SNDTIMEO, SO_RCVTIMEO)
KEEPALIVES = _options(tcp, AF_INET, IPPROTO_TCP, TCP_KEEPINTVL, TCP_KEEPALIVE)
PROBES = _options(tcp, AF_INET, IPPROTO_TCP, TCP_KEEPCNT)
# Switches of a protocol that have 4 bytes: the data that a datagram is received with.
RECEIVED = [
    *_options(udp, AF_INET6, IPPROTO_IPV6, IPV6_RECVTCLASS, IPV6_PKTINFO, IPV6_HOPLIMIT),
    *_options(udp, AF_INET, IPPROTO_IP, IP_RECVTTL, IP_RECVTOS, IP_PKTINFO),
]
# Options of a protocol that fit into one byte: switches, and numbers.
FLAGS = [
    *_options(udp, AF_INET6, IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
    *_options(tcp, AF_INET6, IPPROTO_IPV6, IPV6_DONTFRAG),
    *_options(udp, AF_INET, IPPROTO_IP, IP_MULTICAST_LOOP),
]
HOPS = [
    *_options(udp, AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_MULTICAST_HOPS),
    *_options(udp, AF_INET, IPPROTO_IP, IP_TTL, IP_TOS, IP_MULTICAST_TTL),
]
NUMBERS = [*BUFFERS, *TIMEOUTS]
OF_PROTOCOLS = [*KEEPALIVES, *PROBES, *RECEIVED]
ALL = [*SWITCHES, *ROUTE, *BYTES, *NUMBERS, *OF_PROTOCOLS, *FLAGS, *HOPS]
# More than a byte, with a low byte of 0.
LARGE = 0x600


def _set(s: int, option: Option, value: int, length: int) -> Json:
    result = setsockopt(s, *option[2:], c_int(value), length)
    return error_name(WSAGetLastError()) if result == SOCKET_ERROR else result


def _get(s: int, option: Option, room: int) -> tuple[Json, int, bytes]:
    """What getsockopt returns for a length, the length it writes, and the bytes of the buffer after the call."""
    value, length = bytearray(UNTOUCHED), c_int(room)
    result = getsockopt(s, *option[2:], value, length)
    return error_name(WSAGetLastError()) if result == SOCKET_ERROR else result, length.value, bytes(value)


def _written(data: bytes) -> bytes:
    """A buffer that begins with data that getsockopt has written."""
    return data + UNTOUCHED[len(data) :]


def _socket(option: Option) -> int:
    make, family, *_ = option
    return make(family)


def _takes(lengths: tuple[int, ...], expected: Json, option: Option) -> bool:
    return all(_set(_socket(option), option, 1, length) == expected for length in lengths)


def _reads(room: int, expected: tuple[Json, int, bytes], option: Option) -> bool:
    """Whether getsockopt does what is expected with a length, for an option that is set to 1."""
    s = _socket(option)
    return _set(s, option, 1, 4) == 0 and _get(s, option, room) == expected


def _reads_each(rooms: dict[int, tuple[Json, int, bytes]], option: Option) -> bool:
    return all(_reads(room, expected, option) for room, expected in rooms.items())


def _becomes(expected: tuple[Json, int, bytes], option: Option) -> bool:
    s = _socket(option)
    return _set(s, option, LARGE, 4) == 0 and _get(s, option, 4) == expected


def _refuses(option: Option) -> bool:
    return _set(_socket(option), option, LARGE, 4) == "WSAEINVAL"


def _others(options: list[Option], rule: Rule) -> Json:
    """The options that do not follow the rule, as family, level and option."""
    return [list(option[1:]) for option in options if not rule(option)]


_ON, _ONE, _OFF = b"\1\0\0\0", b"\1", b"\0"
_FAULT = "WSAEFAULT"
_WHOLE = (0, 4, _ON)
_BYTE = (0, 1, _written(_ONE))
_LESS = (1, 2)

for _name, _call, _situation, _kind, _rule, _wine in (
    ("a_switch_has_any_length", "setsockopt", "a switch of a socket with lengths of 0, 1, 2 and 4",
     SWITCHES, partial(_takes, (0, 1, 2, 4), 0), ""),
    ("a_byte_has_any_length_but_zero", "setsockopt", "options that fit into one byte, with lengths of 1, 2 and 4",
     [*ROUTE, *BYTES, *FLAGS, *HOPS], partial(_takes, (1, 2, 4), 0), ""),
    ("a_number_has_four_bytes", "setsockopt", "numbers, and switches of a protocol, with lengths of 1 and 2",
     [*NUMBERS, *OF_PROTOCOLS], partial(_takes, _LESS, _FAULT), ""),
    ("only_a_switch_has_no_length", "setsockopt", "every other option with the length 0",
     [*ROUTE, *BYTES, *NUMBERS, *OF_PROTOCOLS, *FLAGS, *HOPS], partial(_takes, (0,), _FAULT), ""),
    ("no_option_is_read_without_room", "getsockopt", "every option with the length 0: an error, and the length 0",
     ALL, partial(_reads, 0, (_FAULT, 0, UNTOUCHED)), ""),
    ("a_switch_fills_the_buffer", "getsockopt",
     "a switch of a socket with lengths of 1, 2 and 4: all bytes are written, the length becomes 1, 1 and 4",
     SWITCHES, partial(_reads_each, {1: _BYTE, 2: (0, 1, _written(_ON[:2])), 4: _WHOLE}), ""),
    ("a_byte_is_read_as_one_byte", "getsockopt", "options of one byte with lengths of 1, 2 and 4: one byte is written",
     [*ROUTE, *BYTES], partial(_reads_each, dict.fromkeys((1, 2, 4), _BYTE)), ""),
    ("a_byte_of_a_protocol_needs_one_byte", "getsockopt",
     "options of IP that fit into one byte, with lengths of 1 and 2: one byte is written",
     [*FLAGS, *HOPS], partial(_reads_each, dict.fromkeys(_LESS, _BYTE)), ""),
    ("a_number_is_read_as_four_bytes", "getsockopt", "every option that is not one byte, with a length of 4",
     [*NUMBERS, *OF_PROTOCOLS, *FLAGS, *HOPS], partial(_reads, 4, _WHOLE), ""),
    ("a_short_buffer_for_a_size_is_cleared", "getsockopt",
     "SO_SNDBUF and SO_RCVBUF with lengths of 1 and 2: an error, and the buffer has zeros",
     BUFFERS, partial(_reads_each, {room: (_FAULT, room, _written(bytes(room))) for room in _LESS}), ""),
    ("a_short_buffer_for_a_time_is_kept", "getsockopt",
     "SO_SNDTIMEO and SO_RCVTIMEO with lengths of 1 and 2: an error, and the buffer and the length stay",
     TIMEOUTS, partial(_reads_each, {room: (_FAULT, room, UNTOUCHED) for room in _LESS}), ""),
    ("a_short_buffer_for_a_protocol_is_kept", "getsockopt",
     "options of 4 bytes of a protocol with lengths of 1 and 2: an error, the length 0, and the buffer stays",
     OF_PROTOCOLS, partial(_reads_each, dict.fromkeys(_LESS, (_FAULT, 0, UNTOUCHED))), ""),
    ("any_number_but_zero_is_on", "setsockopt", "switches of 4 bytes, set to a number whose low byte is 0",
     [*SWITCHES, *RECEIVED, *FLAGS], partial(_becomes, _WHOLE), ""),
    ("a_byte_has_the_low_byte_of_a_number", "setsockopt", "options of one byte, set to a number whose low byte is 0",
     BYTES, partial(_becomes, (0, 1, _written(_OFF))), ""),
    ("so_dontroute_has_the_low_byte_of_a_number", "setsockopt", "SO_DONTROUTE, set to a number whose low byte is 0",
     ROUTE, partial(_becomes, (0, 1, _written(_OFF))), "the value becomes 1"),
    ("a_large_number_stays", "setsockopt", "sizes and times, set to a number of two bytes",
     [*NUMBERS, *KEEPALIVES], partial(_becomes, (0, 4, LARGE.to_bytes(4, "little"))), ""),
    ("a_number_of_hops_fits_into_one_byte", "setsockopt", "TTLs, hops, TOS and probes, set to a number of two bytes",
     [*HOPS, *PROBES], _refuses, ""),
):  # fmt: skip
    topic.add(
        _name, _call, f"{_situation}; the exceptions", [[]], SOURCE, TESTED, partial(_others, _kind, _rule), wine=_wine
    )
