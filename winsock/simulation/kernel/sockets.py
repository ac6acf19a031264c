"""What sockets of TCP and UDP have in common: addresses, options, and the error that the kernel keeps."""

from __future__ import annotations

import errno

from winsock.constants import IPPROTO_IPV6, IPV6_V6ONLY

from .addresses import ANY4, ANY6, is_loopback, is_wildcard
from .files import File
from .ip_layer import IpLayer
from .options import Options, set_field
from .packets import Address
from .ports import Binding, PortTable, Sharing


def mismatch(source: bytes | None) -> int:
    """The errno where no packet can leave from the socket's address: another one for IPv4, as on Linux."""
    return errno.EAFNOSUPPORT if source is not None and len(source) == 4 else errno.ENETUNREACH


class InetSocket(File):
    """A socket of IPv4 or IPv6. Methods return a result or minus the errno. IPv4-mapped addresses are IPv4 here."""

    protocol = ""

    def __init__(self, ip: IpLayer, ports: PortTable, ipv6: bool) -> None:
        self.ip, self.ports, self.ipv6 = ip, ports, ipv6
        self.options = Options()
        self.local = self.unbound()
        self.peer: Address | None = None
        self.binding: Binding | None = None
        self.address_fixed = self.port_fixed = False  # by bind
        self.error = 0
        self.ip_options = b""

    def unbound(self) -> Address:
        return Address(ANY6 if self.ipv6 else ANY4, 0)

    def sharing(self) -> Sharing:
        options = self.options
        return Sharing(bool(options.reuse_address), bool(options.reuse_port), bool(self.ipv6 and options.v6only))

    def bind(self, local: Address) -> int:
        if self.binding is not None or self.port_fixed:
            return -errno.EINVAL
        if not self.can_use(local.ip):
            return -errno.EINVAL
        known = is_wildcard(local.ip) or self.ip.interfaces.is_own(local.ip) or not self.ip.is_unicast(local.ip)
        if not known:
            return -errno.EADDRNOTAVAIL
        v6only = self.options.v6only
        if not is_wildcard(local.ip) and len(local.ip) == 16:
            self.options.v6only = 1  # as Linux does, before it looks for conflicts
        binding = self.ports.bind(local, self.sharing())
        if isinstance(binding, int):
            self.options.v6only = v6only
            return binding
        self.binding, self.local = binding, binding.local
        # On an IPv6 socket the wildcard of IPv4 is an address, as in Linux: it fixes the family.
        self.address_fixed, self.port_fixed = local.ip != self.unbound().ip, local.port != 0
        return 0

    def can_use(self, ip: bytes) -> bool:
        """Whether packets to an address can leave from the socket, by the families."""
        return self.ipv6 if len(ip) == 16 else not (self.ipv6 and self.options.v6only)

    def stays_here(self, ip: bytes) -> bool:
        """Whether packets to an address do not leave the host."""
        return self.ip.interfaces.is_own(ip)

    def is_martian(self, source: bytes, ip: bytes) -> bool:
        """Whether Linux refuses to send such a packet: one of 127.0.0.0/8 may not leave the host."""
        return len(source) == 4 and is_loopback(source) and not self.stays_here(ip)

    def bind_any(self) -> int:
        """Takes a free port, if the socket has none: 0, or minus the errno."""
        if self.binding is not None:
            return 0
        binding = self.ports.bind(Address(self.local.ip, 0), self.sharing())
        if isinstance(binding, int):
            return -errno.EAGAIN
        self.binding, self.local = binding, binding.local
        return 0

    def set_local_ip(self, ip: bytes) -> None:
        """Gives the socket the address that a connect has chosen."""
        self.local = Address(ip, self.local.port)
        if self.binding is not None:
            self.binding.local = self.local

    def forget_association(self) -> None:
        """Keeps of the local address only what bind has given to the socket."""
        self.peer = None
        if not self.port_fixed:
            self.release_port()
            self.local = Address(self.local.ip, 0)
        if not self.address_fixed:
            self.set_local_ip(self.unbound().ip)

    def release_port(self) -> None:
        if self.binding is not None:
            self.ports.remove(self.binding)
            self.binding = None

    def set_option(self, level: int, option: int, value: int) -> int:
        if level == IPPROTO_IPV6 and not self.ipv6:
            return -errno.ENOPROTOOPT
        if (level, option) == (IPPROTO_IPV6, IPV6_V6ONLY) and self.binding is not None:
            return -errno.EINVAL
        result = set_field(self.options, level, option, value)
        if self.binding is not None:
            self.binding.sharing = self.sharing()
        return result

    def set_port_sharing(self, on: bool) -> int:
        self.options.reuse_port = int(on)
        if self.binding is not None:
            self.binding.sharing = self.sharing()
        return 0

    def take_error(self) -> int:
        """The errno that is kept, which is then forgotten."""
        error, self.error = self.error, 0
        return error

    def describe(self) -> str:
        """The socket in a message: its protocol and addresses."""
        return f"{self.protocol} {self.local}" + (f" > {self.peer}" if self.peer else "")
