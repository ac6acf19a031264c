"""getaddrinfo, freeaddrinfo, getnameinfo, gethostbyname."""

from __future__ import annotations

import ctypes
import itertools
import re
import threading
from ctypes import POINTER, c_char, c_char_p, cast, pointer
from typing import Any

from winsock import constants as c
from winsock.arguments import as_input_buffer as readable
from winsock.arguments import as_int, as_uint, text
from winsock.arguments import as_output_buffer as writable
from winsock.errors import (
    WSA_NOT_ENOUGH_MEMORY,
    WSAEAFNOSUPPORT,
    WSAEFAULT,
    WSAEINVAL,
    WSAESOCKTNOSUPPORT,
    WSAHOST_NOT_FOUND,
    WSANO_RECOVERY,
    WSANOTINITIALISED,
    WSATRY_AGAIN,
    WSATYPE_NOT_FOUND,
)
from winsock.structures import Buffer, ConstBuffer, addrinfo, addrinfo_pointer, hostent, sockaddr

from . import handles, libc
from .addresses import HOST_FAMILY, SIZE, family_of, from_host, to_host
from .errnos import fail, last_error
from .libc import ffi, lib
from .names import host_name

_CODES = {
    libc.EAI_AGAIN: WSATRY_AGAIN,
    libc.EAI_BADFLAGS: WSAEINVAL,
    libc.EAI_FAIL: WSANO_RECOVERY,
    libc.EAI_FAMILY: WSAEAFNOSUPPORT,
    libc.EAI_MEMORY: WSA_NOT_ENOUGH_MEMORY,
    libc.EAI_NONAME: WSAHOST_NOT_FOUND,
    libc.EAI_NODATA: WSAHOST_NOT_FOUND,
    libc.EAI_ADDRFAMILY: WSAHOST_NOT_FOUND,
    libc.EAI_SERVICE: WSATYPE_NOT_FOUND,
    libc.EAI_SOCKTYPE: WSAESOCKTNOSUPPORT,
    libc.EAI_OVERFLOW: WSAEFAULT,
}
_AI_FLAGS = {
    c.AI_PASSIVE: c.AI_PASSIVE,
    c.AI_CANONNAME: c.AI_CANONNAME,
    c.AI_NUMERICHOST: c.AI_NUMERICHOST,
    c.AI_NUMERICSERV: libc.AI_NUMERICSERV,
    c.AI_ALL: libc.AI_ALL,
    c.AI_ADDRCONFIG: libc.AI_ADDRCONFIG,
    c.AI_V4MAPPED: libc.AI_V4MAPPED,
}
_NI_FLAGS = {
    c.NI_NOFQDN: libc.NI_NOFQDN,
    c.NI_NUMERICHOST: libc.NI_NUMERICHOST,
    c.NI_NAMEREQD: libc.NI_NAMEREQD,
    c.NI_NUMERICSERV: libc.NI_NUMERICSERV,
    c.NI_DGRAM: libc.NI_DGRAM,
}
_HOST_FAMILIES = {c.AF_UNSPEC: 0, **HOST_FAMILY}
_TYPES = (0, c.SOCK_STREAM, c.SOCK_DGRAM, c.SOCK_RAW, c.SOCK_RDM, c.SOCK_SEQPACKET)
_BRACKETED = re.compile(rb"\[([0-9A-Fa-f:.]+(?:%[^\]]*)?)\](?::\d+)?")

# The lists that getaddrinfo gave out, by the address of their first entry, until freeaddrinfo.
_lists: dict[int, list[Any]] = {}


def _code(code: int) -> int:
    """A call that returns its error leaves it as the last error too."""
    last_error.code = code
    return code


def _host_flags(flags: int, table: dict[int, int]) -> int:
    host = 0
    for flag, number in table.items():
        if flags & flag:
            host |= number
    return host


def getaddrinfo(
    pNodeName: str | bytes | None,
    pServiceName: str | bytes | None,
    pHints: ConstBuffer | None,
    ppResult: ctypes._Pointer[addrinfo] | None,
) -> int:
    node, service = None if pNodeName is None else text(pNodeName), None if pServiceName is None else text(pServiceName)
    view = None if pHints is None else readable(pHints)
    result = None if ppResult is None else ctypes.c_void_p.from_buffer(addrinfo_pointer(ppResult))
    if result is not None:
        result.value = None
    if not handles.started():
        return _code(WSANOTINITIALISED)
    if result is None or (view is not None and view.nbytes < ctypes.sizeof(addrinfo)):
        return _code(WSAEFAULT)
    hints = addrinfo() if view is None else addrinfo.from_buffer_copy(view.tobytes())
    code, found, canonical = _resolve(node, service, hints)
    if code:
        return _code(code)
    result.value = _list(found, hints, canonical)
    return 0


def _resolve(
    node: bytes | None, service: bytes | None, hints: addrinfo
) -> tuple[int, list[tuple[int, bytes]], bytes | None]:
    """The error or 0, the addresses as (family, sockaddr), and the canonical name where it was asked for."""
    nothing: list[tuple[int, bytes]] = []
    if node is None and service is None:
        return WSAHOST_NOT_FOUND, nothing, None
    if hints.ai_family not in _HOST_FAMILIES:
        return WSAEAFNOSUPPORT, nothing, None
    if hints.ai_socktype not in _TYPES:
        return WSAESOCKTNOSUPPORT, nothing, None
    if hints.ai_flags & c.AI_CANONNAME and node is None:
        return WSAEINVAL, nothing, None
    numeric = 0
    if node is not None:
        bracketed = _BRACKETED.fullmatch(node)
        if bracketed:
            node, numeric = bracketed[1], c.AI_NUMERICHOST
        elif not node:
            node = host_name()
    asked = ffi.new("struct addrinfo *")
    asked.ai_flags = _host_flags(hints.ai_flags, _AI_FLAGS) | numeric
    asked.ai_family = _HOST_FAMILIES[hints.ai_family]
    # One type, so that each address comes once; the service decides where it is known for datagrams only.
    asked.ai_socktype = c.SOCK_DGRAM if hints.ai_socktype == c.SOCK_DGRAM else c.SOCK_STREAM
    answers = ffi.new("struct addrinfo **")
    arguments = (ffi.NULL if node is None else node, (service or b"0") if service is not None else ffi.NULL)
    code = lib.getaddrinfo(*arguments, asked, answers)
    if code == libc.EAI_SERVICE and hints.ai_socktype == 0:
        asked.ai_socktype = c.SOCK_DGRAM
        code = lib.getaddrinfo(*arguments, asked, answers)
    if code:
        return _CODES.get(code, WSANO_RECOVERY), nothing, None
    found, canonical, entry = nothing, None, answers[0]
    families = {host: family for family, host in HOST_FAMILY.items()}
    while entry:
        family = families.get(entry.ai_family)
        if family is not None:
            found.append((family, from_host(family, ffi.buffer(entry.ai_addr, entry.ai_addrlen)[:])))
        if entry.ai_canonname:
            canonical = ffi.string(entry.ai_canonname)
        entry = entry.ai_next
    lib.freeaddrinfo(answers[0])
    return 0, found, canonical


def _list(found: list[tuple[int, bytes]], hints: addrinfo, canonical: bytes | None) -> int:
    """Builds Winsock's linked list, with the type and the protocol of the hints; the address of its first entry."""
    entries, keep = [], []
    for family, name in dict.fromkeys(found):
        address = ctypes.create_string_buffer(name, len(name))
        entry = addrinfo(0, family, hints.ai_socktype, hints.ai_protocol, SIZE[family])
        entry.ai_addr = cast(address, POINTER(sockaddr))
        entries.append(entry)
        keep.append(address)
    if hints.ai_flags & c.AI_CANONNAME:
        entries[0].ai_canonname = canonical
    for entry, following in itertools.pairwise(entries):
        entry.ai_next = pointer(following)
    first = ctypes.addressof(entries[0])
    _lists[first] = [entries, keep]
    return first


def freeaddrinfo(pAddrInfo: ctypes._Pointer[addrinfo] | addrinfo | None) -> None:
    if pAddrInfo is None:
        return
    entry = pAddrInfo if isinstance(pAddrInfo, addrinfo) else addrinfo_pointer(pAddrInfo)
    if isinstance(entry, addrinfo):
        _lists.pop(ctypes.addressof(entry), None)
    elif entry:
        _lists.pop(ctypes.addressof(entry.contents), None)


def getnameinfo(
    pSockaddr: ConstBuffer | None,
    SockaddrLength: int,
    pNodeBuffer: Buffer | None,
    NodeBufferSize: int,
    pServiceBuffer: Buffer | None,
    ServiceBufferSize: int,
    Flags: int,
) -> int:
    view, length = None if pSockaddr is None else readable(pSockaddr), as_int(SockaddrLength)
    node, node_size = None if pNodeBuffer is None else writable(pNodeBuffer), as_uint(NodeBufferSize)
    service, service_size = None if pServiceBuffer is None else writable(pServiceBuffer), as_uint(ServiceBufferSize)
    flags = as_int(Flags)
    if not handles.started():
        return _code(WSANOTINITIALISED)
    if view is None or not 2 <= length <= view.nbytes:
        return _code(WSAEFAULT)
    if (node is not None and node_size > len(node)) or (service is not None and service_size > len(service)):
        return _code(WSAEFAULT)
    raw = view.tobytes()[:length]
    family = family_of(raw)
    if family not in HOST_FAMILY:
        return _code(WSAEAFNOSUPPORT)
    if length < SIZE[family]:
        return _code(WSAEFAULT)
    if node is None and service is None:
        return _code(WSAHOST_NOT_FOUND)
    if (node is not None and not node_size) or (service is not None and not service_size):
        return _code(WSAEINVAL)
    host, node_text, service_text = to_host(raw), ffi.new("char[1025]"), ffi.new("char[64]")
    code = lib.getnameinfo(host, len(host), node_text, 1025, service_text, 64, _host_flags(flags, _NI_FLAGS))
    if code:
        return _code(_CODES.get(code, WSANO_RECOVERY))
    for room, size, shown in ((node, node_size, node_text), (service, service_size, service_text)):
        if room is not None and size:
            raw = ffi.string(shown) + b"\0"
            if len(raw) > size:
                return _code(WSAEFAULT)
            ctypes.memmove(room, raw, len(raw))
    return 0


class _HostEntry(threading.local):
    """The thread's last hostent, which lives until its next gethostbyname or its end."""

    kept: Any = None


_entry = _HostEntry()


def gethostbyname(name: str | bytes | None) -> hostent | None:
    asked = b"" if name is None else text(name)
    if not handles.started():
        fail(WSANOTINITIALISED)
        return None
    hints = addrinfo(c.AI_CANONNAME, c.AF_INET, c.SOCK_STREAM)
    code, found, canonical = _resolve(asked or host_name(), None, hints)
    if code:
        fail(code)
        return None
    addresses = [ctypes.create_string_buffer(sockaddr[4:8], 4) for _, sockaddr in dict.fromkeys(found)]
    pointers = (POINTER(c_char) * (len(addresses) + 1))(*(cast(address, POINTER(c_char)) for address in addresses))
    aliases = (c_char_p * 1)()
    entry = hostent()
    entry.h_name = canonical or asked
    entry.h_aliases = cast(aliases, POINTER(c_char_p))
    entry.h_addrtype, entry.h_length = c.AF_INET, 4
    entry.h_addr_list = cast(pointers, POINTER(POINTER(c_char)))
    _entry.kept = (addresses, pointers, aliases, entry)
    return entry
