"""What getaddrinfo, getnameinfo and gethostbyname return, in the form in which the facts about names state it."""

from __future__ import annotations

from ctypes import POINTER, string_at

from tests.conformance.recorder import Json, error_name
from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    INET6_ADDRSTRLEN,
    WSAGetLastError,
    addrinfo,
    freeaddrinfo,
    getaddrinfo,
    gethostbyname,
    gethostname,
    getnameinfo,
    inet_ntop,
    ntohs,
    sockaddr_in,
    sockaddr_in6,
)


def entries(
    node: str | None,
    service: str | None = None,
    flags: int = 0,
    family: int = AF_UNSPEC,
    kind: int = 0,
    protocol: int = 0,
) -> list[list[Json]] | str:
    """The entries that getaddrinfo finds, each with address, scope, port, flags, type, protocol; or its error."""
    result = POINTER(addrinfo)()
    code = getaddrinfo(node, service, addrinfo(flags, family, kind, protocol), result)
    if code:
        assert not result
        assert WSAGetLastError() == code
        return error_name(code)
    found: list[list[Json]] = []
    entry = result
    while entry:
        one = entry.contents
        found.append([*_address(one), one.ai_flags, one.ai_socktype, one.ai_protocol])
        entry = one.ai_next
    freeaddrinfo(result)
    return found


def _address(entry: addrinfo) -> list[Json]:
    """The address as text, the number of its interface, and the port."""
    raw = string_at(entry.ai_addr, entry.ai_addrlen)
    if entry.ai_family == AF_INET:
        name = sockaddr_in.from_buffer_copy(raw)
        return [inet_ntop(AF_INET, name.sin_addr, bytearray(16), 16), 0, ntohs(name.sin_port)]
    name6 = sockaddr_in6.from_buffer_copy(raw)
    text = inet_ntop(AF_INET6, name6.sin6_addr, bytearray(INET6_ADDRSTRLEN), INET6_ADDRSTRLEN)
    return [text, name6.sin6_scope_id, ntohs(name6.sin6_port)]


def first(node: str | None, service: str | None = None, flags: int = 0, family: int = AF_UNSPEC, kind: int = 0) -> Json:
    """The address, the scope and the port of the first entry; or the error."""
    found = entries(node, service, flags, family, kind)
    return found if isinstance(found, str) else found[0][:3]


def addresses(node: str | None, flags: int = 0, family: int = AF_INET) -> Json:
    """The addresses of a node, in alphabetical order; or the error."""
    found = entries(node, None if node is not None else "0", flags, family)
    return found if isinstance(found, str) else sorted(str(entry[0]) for entry in found)


def result_flags(node: str) -> Json:
    """ai_flags of the first entry, or the error."""
    found = entries(node, None, 0, AF_INET)
    return found if isinstance(found, str) else found[0][3]


def canonical_name(node: str, flags: int) -> str:
    """ai_canonname of the first entry, "" if there is none."""
    result = POINTER(addrinfo)()
    assert getaddrinfo(node, None, addrinfo(flags), result) == 0
    name = result.contents.ai_canonname
    freeaddrinfo(result)
    return (name or b"").decode()


def port_and_type(service: str, kind: int = 0) -> Json:
    """The port of a service, and the type of socket in the result; or the error."""
    found = entries(None, service, 0, AF_INET, kind)
    return found if isinstance(found, str) else [found[0][2], found[0][4]]


def names(name: sockaddr_in | sockaddr_in6 | None, length: int, flags: int, room: int = 64) -> Json:
    """The host and the service that getnameinfo writes, or its error."""
    node, service = bytearray(64), bytearray(64)
    code = getnameinfo(name, length, node, room, service, 64, flags)
    if code:
        return error_name(code)
    return [node.partition(b"\0")[0].decode(), service.partition(b"\0")[0].decode()]


def host(name: str | None) -> list[Json] | str:
    """The name and the addresses that gethostbyname returns, or the last error."""
    entry = gethostbyname(name)
    if entry is None:
        return error_name(WSAGetLastError())
    found: list[Json] = []
    while address := entry.h_addr_list[len(found)]:
        found.append(".".join(map(str, address[: entry.h_length])))
    return [(entry.h_name or b"").decode(), *found]


def own_name() -> str:
    """What gethostname returns."""
    name = bytearray(256)
    assert gethostname(name, 256) == 0
    return name.partition(b"\0")[0].decode()
