"""Options: the lengths and values that each takes, and the length and bytes that getsockopt writes."""

from __future__ import annotations

from ctypes import c_int
from functools import partial
from typing import NamedTuple

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
    SO_LINGER,
    SO_OOBINLINE,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SO_REUSEADDR,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SOCK_DGRAM,
    SOCK_STREAM,
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
    " test_set_getsockopt, the table test_optsize"
)
WINE = {"SO_LINGER": "the value becomes 1", "SO_DONTROUTE": "the value becomes 1"}
UNTOUCHED = bytes.fromhex("efbeadde")


class Kind(NamedTuple):
    """What getsockopt shows of the value 1 with a length of 1, 2 and 4: result, length and bytes."""

    shown: tuple[Json, Json, Json]
    short: bool = True  # whether setsockopt takes a length of 1 and 2
    large: Json = ""  # the value that 256 becomes, or the error of setsockopt
    empty: bool = False  # whether setsockopt takes a length of 0


def _shown(length: int, value: str) -> Json:
    return [0, length, value]


def _refused(length: int, value: str = "efbeadde") -> Json:
    return ["WSAEFAULT", length, value]


WHOLE = _shown(4, "01000000")
ONE_BYTE = _shown(1, "01beadde")
SWITCH = Kind((ONE_BYTE, _shown(1, "0100adde"), WHOLE), large="01000000", empty=True)
BYTE = Kind((ONE_BYTE, ONE_BYTE, ONE_BYTE), large="00beadde")
NUMBER = Kind((_refused(1, "00beadde"), _refused(2, "0000adde"), WHOLE), short=False, large="00010000")
TIMEOUT = Kind((_refused(1), _refused(2), WHOLE), short=False, large="00010000")
PROTOCOL_NUMBER = Kind((_refused(0), _refused(0), WHOLE), short=False, large="00010000")
PROTOCOL_COUNT = PROTOCOL_NUMBER._replace(large="WSAEINVAL")
PROTOCOL_SWITCH = PROTOCOL_NUMBER._replace(large="01000000")
PROTOCOL_BYTE = Kind((ONE_BYTE, ONE_BYTE, WHOLE), large="WSAEINVAL")
PROTOCOL_FLAG = PROTOCOL_BYTE._replace(large="01000000")

IPV4_TCP, IPV4_UDP = (AF_INET, SOCK_STREAM), (AF_INET, SOCK_DGRAM)
IPV6_TCP, IPV6_UDP = (AF_INET6, SOCK_STREAM), (AF_INET6, SOCK_DGRAM)
OPTIONS = {
    "SO_BROADCAST": (IPV4_UDP, SOL_SOCKET, SO_BROADCAST, SWITCH),
    "SO_DONTLINGER": (IPV4_TCP, SOL_SOCKET, SO_DONTLINGER, SWITCH),
    "SO_LINGER": (IPV4_TCP, SOL_SOCKET, SO_LINGER, NUMBER),
    "SO_OOBINLINE": (IPV4_TCP, SOL_SOCKET, SO_OOBINLINE, SWITCH),
    "SO_RCVBUF": (IPV4_TCP, SOL_SOCKET, SO_RCVBUF, NUMBER),
    "SO_KEEPALIVE": (IPV4_TCP, SOL_SOCKET, SO_KEEPALIVE, BYTE),
    "SO_DONTROUTE": (IPV4_TCP, SOL_SOCKET, SO_DONTROUTE, BYTE),
    "SO_RCVTIMEO": (IPV4_TCP, SOL_SOCKET, SO_RCVTIMEO, TIMEOUT),
    "SO_REUSEADDR": (IPV4_TCP, SOL_SOCKET, SO_REUSEADDR, SWITCH),
    "SO_EXCLUSIVEADDRUSE": (IPV4_TCP, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, SWITCH),
    "SO_SNDBUF": (IPV4_TCP, SOL_SOCKET, SO_SNDBUF, NUMBER),
    "SO_SNDTIMEO": (IPV4_TCP, SOL_SOCKET, SO_SNDTIMEO, TIMEOUT),
    "TCP_NODELAY": (IPV4_TCP, IPPROTO_TCP, TCP_NODELAY, BYTE),
    "TCP_KEEPALIVE": (IPV4_TCP, IPPROTO_TCP, TCP_KEEPALIVE, PROTOCOL_NUMBER),
    "TCP_KEEPCNT": (IPV4_TCP, IPPROTO_TCP, TCP_KEEPCNT, PROTOCOL_COUNT),
    "TCP_KEEPINTVL": (IPV4_TCP, IPPROTO_TCP, TCP_KEEPINTVL, PROTOCOL_NUMBER),
    "IP_MULTICAST_LOOP": (IPV4_UDP, IPPROTO_IP, IP_MULTICAST_LOOP, PROTOCOL_FLAG),
    "IP_MULTICAST_TTL": (IPV4_UDP, IPPROTO_IP, IP_MULTICAST_TTL, PROTOCOL_BYTE),
    "IP_PKTINFO": (IPV4_UDP, IPPROTO_IP, IP_PKTINFO, PROTOCOL_SWITCH),
    "IP_RECVTOS": (IPV4_UDP, IPPROTO_IP, IP_RECVTOS, PROTOCOL_SWITCH),
    "IP_RECVTTL": (IPV4_UDP, IPPROTO_IP, IP_RECVTTL, PROTOCOL_SWITCH),
    "IP_TOS": (IPV4_UDP, IPPROTO_IP, IP_TOS, PROTOCOL_BYTE),
    "IP_TTL": (IPV4_UDP, IPPROTO_IP, IP_TTL, PROTOCOL_BYTE),
    "IPV6_DONTFRAG": (IPV6_TCP, IPPROTO_IPV6, IPV6_DONTFRAG, PROTOCOL_FLAG),
    "IPV6_HOPLIMIT": (IPV6_UDP, IPPROTO_IPV6, IPV6_HOPLIMIT, PROTOCOL_SWITCH),
    "IPV6_MULTICAST_HOPS": (IPV6_UDP, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, PROTOCOL_BYTE),
    "IPV6_MULTICAST_LOOP": (IPV6_UDP, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, PROTOCOL_FLAG),
    "IPV6_PKTINFO": (IPV6_UDP, IPPROTO_IPV6, IPV6_PKTINFO, PROTOCOL_SWITCH),
    "IPV6_RECVTCLASS": (IPV6_UDP, IPPROTO_IPV6, IPV6_RECVTCLASS, PROTOCOL_SWITCH),
    "IPV6_UNICAST_HOPS": (IPV6_UDP, IPPROTO_IPV6, IPV6_UNICAST_HOPS, PROTOCOL_BYTE),
    "IPV6_V6ONLY": (IPV6_TCP, IPPROTO_IPV6, IPV6_V6ONLY, BYTE),
}


def _socket(kind: tuple[int, int]) -> int:
    family, type = kind
    return tcp(family) if type == SOCK_STREAM else udp(family)


def _set(s: int, level: int, name: int, value: int, length: int) -> Json:
    result = setsockopt(s, level, name, c_int(value), length)
    return error_name(WSAGetLastError()) if result == SOCKET_ERROR else result


def _get(s: int, level: int, name: int, size: int) -> Json:
    """What getsockopt returns for a length, the length it writes, and the bytes after the call."""
    value, length = bytearray(UNTOUCHED), c_int(size)
    result = getsockopt(s, level, name, value, length)
    return [error_name(WSAGetLastError()) if result == SOCKET_ERROR else result, length.value, value.hex()]


def _each_length(kind: tuple[int, int], level: int, name: int) -> Json:
    s, seen = _socket(kind), []
    for length in (1, 2, 4):
        seen.append([_set(s, level, name, 1, length), _get(s, level, name, length)])
    return seen


def _large_value(kind: tuple[int, int], level: int, name: int) -> Json:
    s = _socket(kind)
    result = _set(s, level, name, 256, 4)
    return result if result != 0 else _get(s, level, name, 4)


def _no_length(kind: tuple[int, int], level: int, name: int) -> Json:
    s = _socket(kind)
    return [_set(s, level, name, 1, 0), _get(s, level, name, 0)]


def _add(word: str) -> None:
    sort, level, name, kind = OPTIONS[word]
    refused: Json = 0 if kind.short else "WSAEFAULT"
    _, length, _ = kind.shown[2]
    large = kind.large if kind.large == "WSAEINVAL" else [0, length, kind.large]
    topic.add(
        f"lengths_of_{word.lower()}",
        "getsockopt",
        f"{word}, set to 1, with lengths of 1, 2 and 4: the length and the bytes written",
        [[[refused, kind.shown[0]], [refused, kind.shown[1]], [0, kind.shown[2]]]],
        SOURCE,
        TESTED,
        partial(_each_length, sort, level, name),
    )
    topic.add(
        f"a_large_value_of_{word.lower()}",
        "setsockopt",
        f"{word}, 256: the error, or what getsockopt writes",
        [large],
        SOURCE,
        TESTED,
        partial(_large_value, sort, level, name),
        wine=WINE.get(word, ""),
    )
    topic.add(
        f"{word.lower()}_without_a_length",
        "setsockopt",
        f"{word} with the length 0, and getsockopt with the length 0",
        [[0 if kind.empty else "WSAEFAULT", ["WSAEFAULT", 0, "efbeadde"]]],
        SOURCE,
        TESTED,
        partial(_no_length, sort, level, name),
    )


for _word in OPTIONS:
    _add(_word)
