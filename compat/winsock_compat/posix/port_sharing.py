"""How long the kernel remembers that a port may be shared.

Linux keeps for each port the address and the user of the last bind or listen with its option SO_REUSEPORT. A later bind
by the same user with this option succeeds if its address matches that one, even if the sockets of the port no longer
have the option. A bind without the option makes the kernel forget it.
"""

from __future__ import annotations

from winsock.constants import AF_INET, AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, SOCK_STREAM

from . import system
from .sockaddr_layout import sockaddr_of

# Addresses for documentation only, which no other socket has (RFC 5737, RFC 3849).
_UNUSED = ((AF_INET, bytes((192, 0, 2, 1))), (AF_INET6, b"\x20\x01\x0d\xb8" + bytes(11) + b"\1"))


def forget_sharing(port: int) -> None:
    """Binds a socket that does not share the port. It fails where the wildcards of both families are bound."""
    for family, address in _UNUSED:
        unused = system.Descriptor()
        if system.socket(unused, family, SOCK_STREAM, 0) < 0:
            continue
        if family == AF_INET6:
            system.set_option(unused.fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)
        system.allow_any_address(unused.fd)
        if system.bind(unused.fd, sockaddr_of(address, port)) == 0:
            return
