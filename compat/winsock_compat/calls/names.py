"""getaddrinfo, freeaddrinfo, getnameinfo, gethostbyname, gethostname."""

from __future__ import annotations

import ctypes
import itertools
import threading
from ctypes import POINTER, c_char, c_char_p, cast, pointer
from typing import Any, TypeAlias

from winsock import constants as c
from winsock.arguments import as_int, as_uint
from winsock.errors import (
    WSAEAFNOSUPPORT,
    WSAEFAULT,
    WSAEINVAL,
    WSAHOST_NOT_FOUND,
    WSANOTINITIALISED,
)
from winsock.structures import Buffer, ConstBuffer, addrinfo, addrinfo_pointer, hostent, sockaddr

from ..posix import resolver
from ..posix.sockaddr_layout import SIZE, address_of, family_of
from ..state import handles
from ..state.last_error import fail, fail_with_code
from .lookups import CANONICAL_NAME, Answer, look_up, look_up_ipv4
from .pointers import as_input_buffer, as_output_buffer, is_accessible, text

# The lists that getaddrinfo returned, by the address of their first entry, until freeaddrinfo.
_lists: dict[int, list[Any]] = {}

# The caller's buffers for the host and the service, each with its size.
_Rooms: TypeAlias = "tuple[tuple[memoryview | None, int], ...]"


def getaddrinfo(
    pNodeName: str | bytes | None,
    pServiceName: str | bytes | None,
    pHints: ConstBuffer | None,
    ppResult: ctypes._Pointer[addrinfo] | None,
) -> int:
    node, service = text(pNodeName), text(pServiceName)
    accessible = (node is None) == (pNodeName is None) and (service is None) == (pServiceName is None)
    view = None if pHints is None else as_input_buffer(pHints)
    result = None if ppResult is None else ctypes.c_void_p.from_buffer(addrinfo_pointer(ppResult))
    if ppResult is not None and not is_accessible(ppResult):
        result = None
    if result is not None:
        result.value = None
    if not handles.started():
        return fail_with_code(WSANOTINITIALISED)
    if result is None or not accessible or (view is not None and view.nbytes < ctypes.sizeof(addrinfo)):
        return fail_with_code(WSAEFAULT)
    hints = addrinfo() if view is None else addrinfo.from_buffer_copy(view.tobytes())
    answer = look_up(node, service, hints)
    if answer.error:
        return fail_with_code(answer.error)
    result.value = _list(answer, hints)
    return 0


def _list(answer: Answer, hints: addrinfo) -> int:
    """Builds Winsock's linked list, with the protocol of the hints; returns the address of its first entry."""
    entries, keep = [], []
    for name in dict.fromkeys(answer.addresses):
        address = ctypes.create_string_buffer(name, len(name))
        entry = addrinfo(answer.flags, family_of(name), answer.socktype, hints.ai_protocol, len(name))
        entry.ai_addr = cast(address, POINTER(sockaddr))
        entries.append(entry)
        keep.append(address)
    if hints.ai_flags & CANONICAL_NAME:
        entries[0].ai_canonname = answer.canonical_name
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
    elif is_accessible(entry) and entry:
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
    view, length = None if pSockaddr is None else as_input_buffer(pSockaddr), as_int(SockaddrLength)
    node, node_size = None if pNodeBuffer is None else as_output_buffer(pNodeBuffer), as_uint(NodeBufferSize)
    service = None if pServiceBuffer is None else as_output_buffer(pServiceBuffer)
    service_size, flags = as_uint(ServiceBufferSize), as_int(Flags)
    if not handles.started():
        return fail_with_code(WSANOTINITIALISED)
    if view is None or not 2 <= length <= view.nbytes:
        return fail_with_code(WSAEFAULT)
    name, rooms = view.tobytes()[:length], ((node, node_size), (service, service_size))
    error = _room_error(rooms) or _name_error(name) or _request_error(rooms)
    if error:
        return fail_with_code(error)
    # A name that is not requested is not looked up.
    if service is None:
        flags |= c.NI_NUMERICSERV
    if node is None and not flags & c.NI_NAMEREQD:
        flags |= c.NI_NUMERICHOST
    error, *texts = resolver.getnameinfo(name, flags)
    error = error or _put_texts(rooms, texts)
    return fail_with_code(error) if error else 0


def _room_error(rooms: _Rooms) -> int:
    return WSAEFAULT if any(buffer is not None and size > len(buffer) for buffer, size in rooms) else 0


def _name_error(name: bytes) -> int:
    family = family_of(name)
    if family not in SIZE:
        return WSAEAFNOSUPPORT
    return WSAEFAULT if len(name) < SIZE[family] else 0


def _request_error(rooms: _Rooms) -> int:
    """The error of a call that requests nothing, or has no room for what it requests; or 0."""
    requested = [size for buffer, size in rooms if buffer is not None]
    if not requested:
        return WSAHOST_NOT_FOUND
    return 0 if all(requested) else WSAEINVAL


def _put_texts(rooms: _Rooms, texts: list[bytes]) -> int:
    """Fills the caller's buffers up to the first that is too small; WSAEFAULT then, or 0."""
    for (buffer, size), shown in zip(rooms, texts, strict=True):
        if buffer is not None:
            raw = shown + b"\0"
            if len(raw) > size:
                return WSAEFAULT
            buffer[: len(raw)] = raw
    return 0


class _HostEntry(threading.local):
    """The thread's last hostent, which lives until its next gethostbyname or its end."""

    kept: Any = None


_entry = _HostEntry()


def gethostbyname(name: str | bytes | None) -> hostent | None:
    requested = b"" if name is None else text(name)
    if requested is None or not handles.started():
        fail(WSANOTINITIALISED if not handles.started() else WSAEFAULT)
        return None
    found = look_up_ipv4(requested)
    if found.error:
        fail(found.error)
        return None
    addresses = [ctypes.create_string_buffer(address_of(one), 4) for one in dict.fromkeys(found.addresses)]
    pointers = (POINTER(c_char) * (len(addresses) + 1))(*(cast(address, POINTER(c_char)) for address in addresses))
    aliases = (c_char_p * 1)()
    entry = hostent()
    entry.h_name = found.canonical_name or requested
    entry.h_aliases = cast(aliases, POINTER(c_char_p))
    entry.h_addrtype, entry.h_length = c.AF_INET, 4
    entry.h_addr_list = cast(pointers, POINTER(POINTER(c_char)))
    _entry.kept = (addresses, pointers, aliases, entry)
    return entry


def gethostname(name: Buffer | None, namelen: int) -> int:
    string, room = None if name is None else as_output_buffer(name), as_int(namelen)
    if not handles.started():
        return fail(WSANOTINITIALISED)
    known = resolver.gethostname() + b"\0"
    if string is None or not len(known) <= room <= len(string):
        return fail(WSAEFAULT)
    string[: len(known)] = known
    return 0
