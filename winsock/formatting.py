"""Formats socket addresses and the contents of structures as text, for repr() and for traces.

`contents` selects the function by the structure's attribute `_format`. Pointers are shown as numbers and are not
followed: the memory that they refer to may have been freed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from . import symbols
from .constants import AF_INET, AF_INET6
from .symbols import flags, symbol

__all__ = ["address", "contents"]


def address(raw: bytes) -> str:
    """Formats the bytes of a sockaddr as 127.0.0.1:8081 or [::1]:8081; other families as the name of the family."""
    family = int.from_bytes(raw[:2], "little")
    port = int.from_bytes(raw[2:4], "big")
    if family == AF_INET and len(raw) >= 8:
        return f"{IPv4Address(raw[4:8])}:{port}"
    if family == AF_INET6 and len(raw) >= 24:
        scope = int.from_bytes(raw[24:28], "little")
        return f"[{IPv6Address(raw[8:24])}{f'%{scope}' if scope else ''}]:{port}"
    return str(symbol(family, symbols.FAMILIES))


def contents(structure: Any) -> str:
    """Formats what a structure holds, without the name of its type."""
    return _FORMATS[structure._format](structure)


def _sockaddr(structure: Any) -> str:
    """The family and the address; for a family without a format the bytes, without the zeros at the end."""
    raw = bytes(structure)
    family, shown = str(symbol(int.from_bytes(raw[:2], "little"), symbols.FAMILIES)), address(raw)
    if shown == family:
        data = raw[2:].rstrip(b"\0")
        return f"{family}, {data!r}" if data else family
    flow = int.from_bytes(raw[4:8], "little") if family == "AF_INET6" else 0
    return f"{family}, {shown}" + (f", flowinfo={flow}" if flow else "")


def _sockets(fds: Any) -> str:
    members = fds.fd_array[: min(fds.fd_count, len(fds.fd_array))]
    return "{" + ", ".join(map(str, members)) + "}"


def _fields(structure: Any) -> str:
    return ", ".join(f"{name}={_field(structure, name, kind)}" for name, kind in structure._fields_)


_POINTERS: Any = (ctypes.c_char_p, ctypes.c_void_p, ctypes._Pointer)
_FORMATS: dict[str, Callable[[Any], str]] = {
    "fields": _fields,
    "IPv4": lambda structure: str(IPv4Address(bytes(structure))),
    "IPv6": lambda structure: str(IPv6Address(bytes(structure))),
    "sockaddr": _sockaddr,
    "sockets": _sockets,
}
# How to name the number in a field: with a function of winsock.symbols and its names.
_NAMES: dict[str, tuple[Callable[[int, Mapping[int, str]], str | int], Mapping[int, str]]] = {
    "h_addrtype": (symbol, symbols.FAMILIES),
    "ai_flags": (flags, symbols.ADDRINFO_FLAGS),
    "ai_family": (symbol, symbols.FAMILIES),
    "ai_socktype": (symbol, symbols.TYPES),
    "ai_protocol": (symbol, {number: name for number, name in symbols.PROTOCOLS.items() if number}),
    "events": (partial(flags, width=16), symbols.EVENTS),
    "revents": (partial(flags, width=16), symbols.EVENTS),
}


def _field(structure: Any, name: str, kind: Any) -> str:
    if issubclass(kind, _POINTERS):
        pointer = ctypes.c_void_p.from_buffer(structure, getattr(type(structure), name).offset).value
        return f"0x{pointer:x}" if pointer else "NULL"
    value = getattr(structure, name)
    if issubclass(kind, ctypes.Structure):
        return contents(value)
    if name in _NAMES:
        name_of, names = _NAMES[name]
        return str(name_of(value, names))
    return f"MAKEWORD({value & 0xFF}, {value >> 8})" if name in ("wVersion", "wHighVersion") else repr(value)
