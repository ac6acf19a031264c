"""The options of sockets that a kernel has, by Winsock's numbers of their levels and names.

Each option is a field of Options. A value outside an option's range is EINVAL, as on Linux.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import NamedTuple

from winsock import constants as c

_SOL, _TCP, _IP, _IPV6 = c.SOL_SOCKET, c.IPPROTO_TCP, c.IPPROTO_IP, c.IPPROTO_IPV6
DEFAULT_BUFFER = 65536  # bytes, Winsock's default
_SMALLEST_BUFFER, _LARGEST_BUFFER = 65536, 0x3FFFFFFF


@dataclass(slots=True)
class Options:
    """The values of one socket."""

    reuse_address: int = 0
    reuse_port: int = 0
    keepalive: int = 0
    broadcast: int = 0
    oob_inline: int = 0
    send_buffer: int = DEFAULT_BUFFER
    receive_buffer: int = DEFAULT_BUFFER
    no_delay: int = 0
    keep_idle: int = 7200
    keep_interval: int = 1
    keep_count: int = 10
    tos: int = 0
    ttl: int = 128
    dont_fragment: int = 0
    multicast_interface: int = 0
    multicast_ttl: int = 1
    v6only: int = 0
    hops: int = 128
    multicast_interface6: int = 0
    multicast_hops: int = 1
    linger: int = -1  # seconds; -1 is off


class Range(NamedTuple):
    """An option's field, and the values that it takes."""

    field: str
    least: int
    most: int


_ANY_INT = (-(1 << 31), (1 << 32) - 1)
RANGES = {
    (_SOL, c.SO_REUSEADDR): Range("reuse_address", *_ANY_INT),
    (_SOL, c.SO_KEEPALIVE): Range("keepalive", *_ANY_INT),
    (_SOL, c.SO_BROADCAST): Range("broadcast", *_ANY_INT),
    (_SOL, c.SO_OOBINLINE): Range("oob_inline", *_ANY_INT),
    (_SOL, c.SO_SNDBUF): Range("send_buffer", *_ANY_INT),
    (_SOL, c.SO_RCVBUF): Range("receive_buffer", *_ANY_INT),
    (_TCP, c.TCP_NODELAY): Range("no_delay", *_ANY_INT),
    (_TCP, c.TCP_KEEPALIVE): Range("keep_idle", 1, 32767),
    (_TCP, c.TCP_KEEPCNT): Range("keep_count", 1, 127),
    (_TCP, c.TCP_KEEPINTVL): Range("keep_interval", 1, 32767),
    (_IP, c.IP_TOS): Range("tos", *_ANY_INT),
    (_IP, c.IP_TTL): Range("ttl", 1, 255),
    (_IP, c.IP_DONTFRAGMENT): Range("dont_fragment", *_ANY_INT),
    (_IP, c.IP_MULTICAST_IF): Range("multicast_interface", *_ANY_INT),
    (_IP, c.IP_MULTICAST_TTL): Range("multicast_ttl", 0, 255),
    (_IPV6, c.IPV6_V6ONLY): Range("v6only", *_ANY_INT),
    (_IPV6, c.IPV6_UNICAST_HOPS): Range("hops", 0, 255),
    (_IPV6, c.IPV6_DONTFRAG): Range("dont_fragment", *_ANY_INT),
    (_IPV6, c.IPV6_MULTICAST_IF): Range("multicast_interface6", *_ANY_INT),
    (_IPV6, c.IPV6_MULTICAST_HOPS): Range("multicast_hops", 0, 255),
}
_BUFFERS = ("send_buffer", "receive_buffer")


def set_field(options: Options, level: int, option: int, value: int) -> int:
    """Sets an option of RANGES: 0, or minus the errno."""
    field, least, most = RANGES[level, option]
    if not least <= value <= most:
        return -errno.EINVAL
    if field in _BUFFERS:
        # With a smaller buffer connections would stall; Winsock accepts any number, and data flows.
        if value < _SMALLEST_BUFFER:
            return 0
        value = min(value, _LARGEST_BUFFER)
    setattr(options, field, value)
    return 0
