"""Host names, and addresses as text. The names are those that the network's `resolve` and `name_of` know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from winsock import constants as c
from winsock.errors import WSAHOST_NOT_FOUND, WSANO_DATA, WSATYPE_NOT_FOUND

from ..kernel.addresses import ANY4, ANY6, LOOPBACK, mapped, without_mapping
from ..kernel.packets import Address
from ..kernel.stack import Stack
from . import address_texts, services
from .address_names import address_of, name_of, scope_of

_LARGEST_SCOPE = 0xFFFFFFFF
_LOOPBACK4, _LOOPBACK6 = (one.address for one in LOOPBACK)


class Found(NamedTuple):
    """What getaddrinfo found: the Winsock error or 0, the addresses, and the canonical name if it was requested."""

    error: int
    addresses: list[bytes]
    canonical_name: bytes | None


class Resolver:
    """The module posix.resolver of one process."""

    inet_addr = staticmethod(address_texts.inet_addr)
    inet_ntop = staticmethod(address_texts.inet_ntop)
    inet_pton = staticmethod(address_texts.inet_pton)

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def gethostname(self) -> bytes:
        return self._stack.host_name.encode()

    def getaddrinfo(self, node: bytes | None, service: bytes | None, flags: int, family: int, type: int) -> Found:
        """Looks up a host name, a service or both; the addresses are Winsock's sockaddr."""
        port = 0
        if service is not None:
            number = int(service) if service.isdigit() else services.port(service, type)
            if number is None:
                numeric = flags & c.AI_NUMERICSERV
                return Found(WSAHOST_NOT_FOUND if numeric else WSATYPE_NOT_FOUND, [], None)
            port = number
        found, scope = self._addresses(node, flags, family)
        if not found:
            return Found(WSAHOST_NOT_FOUND, [], None)
        if node is None:
            flags &= ~c.AI_V4MAPPED  # it concerns names, as in the C library
        chosen = self._of_family(found, flags, family)
        if not chosen:
            literal = node is not None and _literal(node) is not None
            return Found(WSAHOST_NOT_FOUND if literal else WSANO_DATA, [], None)
        names = [name_of(Address(without_mapping(ip), port), len(ip) == 16, scope) for ip in chosen]
        canonical = self._canonical_name(node, found[0]) if flags & c.AI_CANONNAME else None
        return Found(0, names, canonical)

    def _canonical_name(self, node: bytes | None, ip: bytes) -> bytes | None:
        """The name of the host that has the address; a text that states an address is its own name."""
        return node if node is None or _literal(node) is not None else self._host_name(ip) or node

    def _addresses(self, node: bytes | None, flags: int, family: int) -> tuple[list[bytes], int]:
        """The addresses of a host, and the scope id that its text has; none for an unknown name."""
        if node is None:
            return ([ANY4, ANY6] if flags & c.AI_PASSIVE else [_LOOPBACK6, _LOOPBACK4]), 0
        literal = _literal(node)
        if literal is not None:
            ip, scope = literal
            return [without_mapping(ip) if family == c.AF_INET else ip], scope
        if flags & c.AI_NUMERICHOST:
            return [], 0
        name = node.decode("ascii", "replace").removesuffix(".").lower()
        if name == "localhost":
            return [_LOOPBACK6, _LOOPBACK4], 0
        return list(self._stack.resolve(name)), 0

    def _of_family(self, found: Iterable[bytes], flags: int, family: int) -> list[bytes]:
        """The addresses that the hints accept; IPv4 ones are mapped where the flags request it."""
        sizes = {len(one.address) for one in self._stack.interfaces.all if not one.loopback}
        known = list(found)
        if flags & c.AI_ADDRCONFIG and sizes and family == c.AF_UNSPEC:
            known = [ip for ip in known if len(ip) in sizes]
        if family == c.AF_UNSPEC:
            return known
        size = 4 if family == c.AF_INET else 16
        if flags & c.AI_ADDRCONFIG and size not in sizes:
            return []
        chosen = [ip for ip in known if len(ip) == size]
        if size == 16 and flags & c.AI_V4MAPPED and (flags & c.AI_ALL or not chosen):
            chosen += [mapped(ip) for ip in known if len(ip) == 4]
        return chosen

    def service_port(self, service: bytes, type: int) -> tuple[int, int]:
        """The Winsock error or 0, and the port of a service that is known by this name for this type of socket."""
        port = services.port(service, type)
        return (WSATYPE_NOT_FOUND, 0) if port is None else (0, port)

    def getnameinfo(self, name: bytes, flags: int) -> tuple[int, bytes, bytes]:
        """The Winsock error or 0, the host name and the service name of an address."""
        address = address_of(name)
        node = None if flags & c.NI_NUMERICHOST else self._host_name(address.ip)
        if node is None:
            if flags & c.NI_NAMEREQD:
                return WSAHOST_NOT_FOUND, b"", b""
            family = c.AF_INET if int.from_bytes(name[:2], "little") == c.AF_INET else c.AF_INET6
            ip = address.ip if family == c.AF_INET else mapped(address.ip)
            scope = scope_of(name)
            node = address_texts.inet_ntop(family, ip) + (b"%%%d" % scope if scope else b"")
        elif flags & c.NI_NOFQDN:
            node = node.partition(b".")[0]
        type = c.SOCK_DGRAM if flags & c.NI_DGRAM else c.SOCK_STREAM
        service = None if flags & c.NI_NUMERICSERV else services.name(address.port, type)
        return 0, node, service if service is not None else b"%d" % address.port

    def _host_name(self, ip: bytes) -> bytes | None:
        if ip in (_LOOPBACK4, _LOOPBACK6):
            return b"localhost"
        known = self._stack.name_of(ip)
        return known.encode() if known else None


def _literal(node: bytes) -> tuple[bytes, int] | None:
    """The address that a text states, and its scope id."""
    ip4 = address_texts.inet_aton(node)
    if ip4 is not None:
        return ip4, 0
    text, _, scope = node.partition(b"%")
    ip6 = address_texts.inet_pton(c.AF_INET6, text)
    if ip6 is None or (scope and not scope.isdigit()) or int(scope or b"0") > _LARGEST_SCOPE:
        return None
    return ip6, int(scope or b"0")
