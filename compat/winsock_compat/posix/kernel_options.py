"""The kernel's counterparts of Winsock's socket options, and of their values."""

from __future__ import annotations

from winsock import constants as c

from . import declarations as kernel

_SOL, _TCP, _IP, _IPV6 = c.SOL_SOCKET, c.IPPROTO_TCP, c.IPPROTO_IP, c.IPPROTO_IPV6

# Winsock's (level, option): the kernel's. The levels of the protocols have the same numbers. IP_MULTICAST_LOOP is not
# here: the kernel's belongs to the sender, Winsock's to the receiver (see state.groups).
INTEGER_OPTIONS = {
    (_SOL, c.SO_REUSEADDR): (kernel.SOL_SOCKET, kernel.SO_REUSEADDR),
    (_SOL, c.SO_KEEPALIVE): (kernel.SOL_SOCKET, kernel.SO_KEEPALIVE),
    (_SOL, c.SO_BROADCAST): (kernel.SOL_SOCKET, kernel.SO_BROADCAST),
    (_SOL, c.SO_OOBINLINE): (kernel.SOL_SOCKET, kernel.SO_OOBINLINE),
    (_SOL, c.SO_SNDBUF): (kernel.SOL_SOCKET, kernel.SO_SNDBUF),
    (_SOL, c.SO_RCVBUF): (kernel.SOL_SOCKET, kernel.SO_RCVBUF),
    (_TCP, c.TCP_NODELAY): (_TCP, kernel.TCP_NODELAY),
    (_TCP, c.TCP_KEEPALIVE): (_TCP, kernel.TCP_KEEPIDLE),
    (_TCP, c.TCP_KEEPCNT): (_TCP, kernel.TCP_KEEPCNT),
    (_TCP, c.TCP_KEEPINTVL): (_TCP, kernel.TCP_KEEPINTVL),
    (_IP, c.IP_TOS): (_IP, kernel.IP_TOS),
    (_IP, c.IP_TTL): (_IP, kernel.IP_TTL),
    (_IP, c.IP_DONTFRAGMENT): (_IP, kernel.IP_MTU_DISCOVER),
    (_IP, c.IP_MULTICAST_IF): (_IP, kernel.IP_MULTICAST_IF),
    (_IP, c.IP_MULTICAST_TTL): (_IP, kernel.IP_MULTICAST_TTL),
    (_IPV6, c.IPV6_V6ONLY): (_IPV6, kernel.IPV6_V6ONLY),
    (_IPV6, c.IPV6_UNICAST_HOPS): (_IPV6, kernel.IPV6_UNICAST_HOPS),
    (_IPV6, c.IPV6_DONTFRAG): (_IPV6, kernel.IPV6_DONTFRAG),
    (_IPV6, c.IPV6_MULTICAST_IF): (_IPV6, kernel.IPV6_MULTICAST_IF),
    (_IPV6, c.IPV6_MULTICAST_HOPS): (_IPV6, kernel.IPV6_MULTICAST_HOPS),
}
MEMBERSHIP_OPTIONS = {
    (_IP, c.IP_ADD_MEMBERSHIP): kernel.IP_ADD_MEMBERSHIP,
    (_IP, c.IP_DROP_MEMBERSHIP): kernel.IP_DROP_MEMBERSHIP,
    (_IPV6, c.IPV6_ADD_MEMBERSHIP): kernel.IPV6_ADD_MEMBERSHIP,
    (_IPV6, c.IPV6_DROP_MEMBERSHIP): kernel.IPV6_DROP_MEMBERSHIP,
}
# With a smaller buffer the kernel's connections stall; Winsock accepts any number, and data flows.
_SMALLEST_BUFFER = 65536
# The kernel doubles the number.
_LARGEST_BUFFER = 0x3FFFFFFF


def kernel_value(level: int, option: int, value: int) -> int | None:
    """The value that the kernel's option gets for Winsock's; None leaves the option as it is."""
    if level == _SOL and option in (c.SO_SNDBUF, c.SO_RCVBUF):
        return None if value < _SMALLEST_BUFFER else min(value, _LARGEST_BUFFER)
    if (level, option) == (_IP, c.IP_DONTFRAGMENT):
        if not kernel.LINUX:
            return None
        return kernel.IP_PMTUDISC_DO if value else kernel.IP_PMTUDISC_DONT
    return value
