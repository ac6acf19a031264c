"""The pools from which arguments are drawn: valid and invalid values of every kind."""

from __future__ import annotations

from itertools import product
from typing import Any, TypeAlias

import winsock as w

# The possible values of one argument. In a plain list a draw is one cheap choice; frequent values are repeated.
Pool: TypeAlias = list[Any]


def mostly(usual: Pool, absurd: Pool, share: int = 8) -> Pool:
    """A pool that gives an `absurd` value about once in `share` draws."""
    heavy = -(-len(absurd) * (share - 1) // len(usual))
    light = -(-len(usual) // (len(absurd) * (share - 1)))
    return usual * heavy + absurd * light


def specs(kind: str, *parts: Pool) -> Pool:
    return [[kind, *combination] for combination in product(*parts)]


_slots = specs("slot", [0, 1, 2, 3])
# Not sockets: INVALID_SOCKET, 0, a file descriptor of the process, and a number that was never returned.
HANDLES = mostly(_slots, [w.INVALID_SOCKET, 0, 4, 0x7FFFFFF0], 20)
FLAGS = mostly([0, 0, 0, w.MSG_PEEK], [w.MSG_OOB, w.MSG_DONTROUTE, w.MSG_WAITALL, 0x40, -1])
ROOMS = specs("room", [8, 64, 1, 0])
LENGTHS = mostly([["size"], ["size"], 1, 0], [3, 8, 65, 1000, -1, 0x7FFFFFFF])
DATA = specs("bytes", ["6162636465666768", "61", "", "00" * 64])

LOOPBACK, _OTHER_LOOPBACK, _WILDCARD, _FOREIGN = "7f000001", "7f000002", "00000000", "cb007101"
_HOSTS6 = ["00" * 15 + "01", "00" * 16, "00000000000000000000ffff7f000001"]
# No program binds port 9.
_ports = mostly(_slots, [0, 9])


def names(*hosts: str) -> Pool:
    usual = specs("name", [w.AF_INET], [*hosts], _ports)
    usual6 = specs("name", [w.AF_INET6], _HOSTS6, _ports)
    absurd = specs("name", [w.AF_UNSPEC, 1, 0xDEAD, w.AF_INET6], [LOOPBACK], [0, ["slot", 0]])
    absurd += [None, ["bytes", ""], ["bytes", "0200"], ["bytes", "02" + "00" * 15]]
    return mostly(mostly(usual, usual6, 6), absurd, 12)


OWN_NAMES = names(LOOPBACK, LOOPBACK, _OTHER_LOOPBACK, _WILDCARD, _FOREIGN)
PEER_NAMES = names(LOOPBACK, LOOPBACK, LOOPBACK, _OTHER_LOOPBACK, _WILDCARD)
NAME_LENGTHS = mostly([["size"]], [0, 2, 15, 16, 24, 27, 28, 29, -1])
NAME_ROOMS = mostly(specs("room", [28, 16, 128]), [None, ["room", 0], ["room", 15]])
NAME_REFS = mostly(specs("ref", [28, 16]), [None, *specs("ref", [0, 15, 27, 128, -1])])


def _options(level: int, *names: str) -> Pool:
    return [(level, getattr(w, name)) for name in names]


_TIMEOUTS = _options(w.SOL_SOCKET, "SO_RCVTIMEO", "SO_SNDTIMEO")
_OPTIONS = [
    *_options(
        w.SOL_SOCKET, "SO_DEBUG", "SO_ACCEPTCONN", "SO_REUSEADDR", "SO_KEEPALIVE", "SO_DONTROUTE", "SO_BROADCAST"
    ),
    *_options(
        w.SOL_SOCKET, "SO_LINGER", "SO_DONTLINGER", "SO_OOBINLINE", "SO_EXCLUSIVEADDRUSE", "SO_SNDBUF", "SO_RCVBUF"
    ),
    *_options(w.SOL_SOCKET, "SO_ERROR", "SO_TYPE", "SO_MAX_MSG_SIZE", "SO_CONNECT_TIME"),
    *_options(w.IPPROTO_TCP, "TCP_NODELAY", "TCP_KEEPALIVE", "TCP_KEEPCNT", "TCP_KEEPINTVL"),
    *_options(
        w.IPPROTO_IP, "IP_HDRINCL", "IP_TOS", "IP_TTL", "IP_MULTICAST_TTL", "IP_MULTICAST_LOOP", "IP_DONTFRAGMENT"
    ),
    *_options(w.IPPROTO_IP, "IP_PKTINFO", "IP_MULTICAST_IF"),
    *_options(w.IPPROTO_IPV6, "IPV6_UNICAST_HOPS", "IPV6_MULTICAST_HOPS", "IPV6_MULTICAST_LOOP", "IPV6_DONTFRAG"),
    *_options(w.IPPROTO_IPV6, "IPV6_V6ONLY"),
]
_UNKNOWN = [(w.SOL_SOCKET, 0x1003), (w.SOL_SOCKET, 0x7777), (1, 4), (-1, 4), (0x8000, 1), (w.IPPROTO_TCP, 0x77)]
SETTABLE = mostly(_OPTIONS, _UNKNOWN)
GETTABLE = mostly(_OPTIONS + _TIMEOUTS, _UNKNOWN)
VALUES = mostly(
    specs("bytes", ["01000000", "00000000", "0a000000", "05000000"]),
    [
        *specs("bytes", ["00010000", "ffffffff", "01" + "00" * 7, "01", "0000", "0100", "", "ff000000", "00000100"]),
        None,
    ],
    3,
)
VALUE_LENGTHS = mostly([4], [0, 1, 2, 3, 8, 9, -1])
# A time-out that is set limits the waits of this program.
TIMEOUTS = mostly(specs("bytes", ["05000000", "0300000000000000"]), [["bytes", "05"], None])
VALUE_ROOMS = mostly(specs("room", [4, 8]), specs("room", [2, 1, 0]))
VALUE_REFS = mostly(specs("ref", [4, 8]), [None, *specs("ref", [0, 1, 2, 3, -1, 9])], 3)

FD_SETS = [["set", *members] for count in range(3) for members in product(_slots, repeat=count)]
FD_SETS = mostly([*FD_SETS, None, None, None, None], [["set", 0], ["set", ["slot", 0], 0x7FFFFFF0], ["room", 3]], 20)
LATER_SETS = mostly(FD_SETS, [["again"]])
LIMITS = mostly([["time", 0, 0]], [["time", 0, 3000], ["time", 0, 3000], ["room", 7], ["time", -1, 0]])
_events = [w.POLLRDNORM, w.POLLWRNORM, w.POLLRDNORM | w.POLLWRNORM | w.POLLRDBAND, 0]
_events = mostly(_events, [w.POLLRDBAND, w.POLLPRI, w.POLLERR, 0x4000])
ENTRIES = [list(entry) for entry in product(mostly(_slots, [0, -1, 0x7FFFFFF0], 20), _events)]

_TEXTS = """
    127.0.0.1 0.0.0.0 255.255.255.255 1.2.3 1.2.3.4.5 0x7f.1 017.0.0.1 256.1.1.1 1.2.3.4: 1.2.3.4/8 ::1 :: 1::8 1::
    1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7:: ::1.2.3.4 ::ffff:1.2.3.4 ::ffff:0:1.2.3.4 1:2:3:4:5:6:1.2.3.4
    fe80::1%1 [::1] [::1]:80 :::1 1:::2 12345::1 ::g ::1: 1.2.3.4% 0x10000000000 4294967296 1.2.65536 08.1.1.1
""".split()  # noqa: SIM905 - a list that is read at a glance
TEXTS = mostly(
    specs("text", [*_TEXTS, "", " ", "  ", "\t", " 1.2.3.4", "1.2.3.4 x", "1.2.3.4x"]), [None, ["bytes", "3100"]], 20
)
FAMILIES = mostly([w.AF_INET, w.AF_INET6], [0, 1, 0xDEAD, -1])
ADDRESSES = mostly(
    specs("bytes", ["7f000001", "ff" * 16, "00" * 16, "00" * 10 + "ffff01020304", "00" * 8 + "ffff000001020304"])
    + specs("bytes", ["20010db8" + "00" * 11 + "01", "0001" * 8, "00" * 12 + "01020304", "00" * 14 + "0102"])
    + specs("bytes", ["fe80000000000000" + "00005efe01020304", "0001000000020000" * 2, "00010000" * 4]),
    [None, ["bytes", "7f0000"], ["ref", 0x0100007F]],
)
HINTS = specs("hints", mostly([4, 6], [5, 12, 0x10000]), FAMILIES, [0, 1, 2, 3, 9], mostly([0, 6, 17], [99]))
NODES = mostly(specs("text", _TEXTS), [None, *specs("text", ["localhost", "no name", ""])])
SERVICES = mostly([["text", "80"], ["text", "0"], None], specs("text", ["", "-1", "65536", "x y", "http", " 80"]))
NUMBERS = [0, 1, 255, 256, 0x1234, 0xFFFF, -1, 2, 0x202, 0x101]
