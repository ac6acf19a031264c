"""The readers of arguments: each takes an argument and its call, and returns the value that the trace shows.

There is one reader per meaning, such as an address, a set of flags or received data. For a buffer that the call fills
in, a reader returns the size of the buffer if the call has written nothing to it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

from winsock import symbols
from winsock.constants import INVALID_SOCKET, SO_LINGER, SOL_SOCKET, SOMAXCONN
from winsock.formatting import address
from winsock.structures import WSADATA, WSAPOLLFD, addrinfo, hostent, linger, timeval
from winsock.symbols import flags, symbol

from .calls import Call, Shown, bytes_moved, length_of
from .memory import exists, handles, number, peek, room, string


def _other(value: Any) -> Shown:
    return None if value is None else {"type": type(value).__name__}


def plain(value: Any, call: Call) -> Shown:
    shown = number(value)
    return _other(value) if shown is None else shown


def named(names: Mapping[int, str]) -> Callable[[Any, Call], Shown]:
    return lambda value, call: symbol(value, names) if isinstance(value, int) else _other(value)


def bits(names: Mapping[int, str]) -> Callable[[Any, Call], Shown]:
    return lambda value, call: flags(value, names) if isinstance(value, int) else _other(value)


def handle(value: Any, call: Call) -> Shown:
    return "INVALID_SOCKET" if isinstance(value, int) and value in (-1, INVALID_SOCKET) else plain(value, call)


def version(value: Any, call: Call) -> Shown:
    return f"MAKEWORD({value & 0xFF}, {value >> 8 & 0xFF})" if isinstance(value, int) else _other(value)


def error(value: Any, call: Call) -> Shown:
    return symbols.error_name(value) if isinstance(value, int) and value else plain(value, call)


def backlog(value: Any, call: Call) -> Shown:
    return "SOMAXCONN" if isinstance(value, int) and value == SOMAXCONN else plain(value, call)


def _space(buffer: Any) -> Shown:
    size = room(buffer)
    return _other(buffer) if size is None else {"room": size}


def data(value: Any, call: Call) -> Shown:
    moved = bytes_moved(call)
    raw = peek(value, min(moved, call.preview)) if moved or call.ok else None
    return _space(value) if raw is None else {"bytes": moved, "hex": raw.hex()}


def address_given(length: str) -> Callable[[Any, Call], Shown]:
    def read(value: Any, call: Call) -> Shown:
        raw = peek(value, length_of(call, length))
        return _other(value) if raw is None else address(raw)

    return read


def address_taken(length: str) -> Callable[[Any, Call], Shown]:
    def read(value: Any, call: Call) -> Shown:
        filled = call.ok or bytes_moved(call)
        raw = peek(value, length_of(call, length)) if filled else None
        return address(raw) if raw else _space(value)

    return read


def option_name(value: Any, call: Call) -> Shown:
    level = call.args.get("level")
    return named(symbols.OPTIONS.get(level, {}) if isinstance(level, int) else {})(value, call)


def option_value(value: Any, call: Call) -> Shown:
    if call.name == "getsockopt" and not call.ok:
        return _space(value)
    raw = peek(value, length_of(call, "optlen"))
    if raw is None:
        return _other(value)
    if len(raw) == 4 and (length_of(call, "level"), length_of(call, "optname")) == (SOL_SOCKET, SO_LINGER):
        set_to = linger.from_buffer_copy(raw)
        return {"l_onoff": set_to.l_onoff, "l_linger": set_to.l_linger}
    if len(raw) in (1, 2, 4):
        return int.from_bytes(raw, "little", signed=True)
    return {"bytes": len(raw), "hex": raw[: call.preview].hex()}


def fds(value: Any, call: Call) -> Shown:
    sockets = handles(value)
    return _other(value) if sockets is None else [*sockets]


def timeout(value: Any, call: Call) -> Shown:
    raw = peek(value, ctypes.sizeof(timeval))
    if raw is None or len(raw) < ctypes.sizeof(timeval):
        return _other(value)
    time = timeval.from_buffer_copy(raw)
    return {"tv_sec": time.tv_sec, "tv_usec": time.tv_usec}


def polled(value: Any, call: Call) -> Shown:
    size = ctypes.sizeof(WSAPOLLFD)
    raw = peek(value, length_of(call, "fds") * size)
    if raw is None:
        return _other(value)
    which = "revents" if call.done else "events"
    entries = [WSAPOLLFD.from_buffer_copy(raw, start) for start in range(0, len(raw) - size + 1, size)]
    return [{"fd": entry.fd, which: flags(getattr(entry, which), symbols.EVENTS, 16)} for entry in entries]


def string_given(value: Any, call: Call) -> Shown:
    raw = string(value)
    return _other(value) if raw is None else {"text": raw.decode("latin-1")}


def string_taken(value: Any, call: Call) -> Shown:
    raw = peek(value, room(value) or 0) if call.ok else None
    return _space(value) if raw is None else {"text": raw.partition(b"\0")[0].decode("latin-1")}


def start_data(value: Any, call: Call) -> Shown:
    raw = peek(value, ctypes.sizeof(WSADATA)) if call.ok else None
    if raw is None or len(raw) < ctypes.sizeof(WSADATA):
        return _space(value)
    data = WSADATA.from_buffer_copy(raw)
    return {"wVersion": version(data.wVersion, call), "wHighVersion": version(data.wHighVersion, call)}


def binary_address(value: Any, call: Call) -> Shown:
    size = {"AF_INET": 4, "AF_INET6": 16}.get(str(symbol(number(call.args.get("Family")) or 0, symbols.FAMILIES)), 0)
    raw = peek(value, size) if call.name == "inet_ntop" or (call.ok and call.result == 1) else None
    if raw is None:
        return _space(value)
    return {"bytes": len(raw), "hex": raw.hex()}


def hints(value: Any, call: Call) -> Shown:
    size = ctypes.sizeof(addrinfo)
    raw = peek(value, size)
    if raw is None or len(raw) < size:
        return _other(value)
    hints = addrinfo.from_buffer_copy(raw)
    return {
        "ai_flags": flags(hints.ai_flags, symbols.ADDRINFO_FLAGS),
        "ai_family": symbol(hints.ai_family, symbols.FAMILIES),
        "ai_socktype": symbol(hints.ai_socktype, symbols.TYPES) if hints.ai_socktype else 0,
        "ai_protocol": symbol(hints.ai_protocol, symbols.PROTOCOLS) if hints.ai_protocol else 0,
    }


def found(value: Any, call: Call) -> Shown:
    if not call.ok:
        return _other(value)
    addresses: list[Shown] = []
    entry = value
    while entry:
        here = entry.contents
        addresses.append(address(ctypes.string_at(here.ai_addr, here.ai_addrlen)))
        entry = here.ai_next
    return addresses


def freed(value: Any, call: Call) -> Shown:
    return (
        None if value is None or (isinstance(value, ctypes._Pointer) and exists(value) and not value) else _other(value)
    )


def internet_address(value: Any, call: Call) -> Shown:
    raw = value.to_bytes(4, "little") if isinstance(value, int) and 0 <= value < 1 << 32 else peek(value, 4)
    return _other(value) if raw is None or len(raw) < 4 else ".".join(map(str, raw))


def host(found: hostent) -> Shown:
    """The result of gethostbyname."""
    addresses: list[Shown] = []
    while entry := found.h_addr_list[len(addresses)]:
        addresses.append(".".join(map(str, ctypes.string_at(entry, found.h_length))))
    return {"h_name": (found.h_name or b"").decode("latin-1"), "h_addr_list": addresses}


def protocol(value: Any, call: Call) -> Shown:
    return 0 if isinstance(value, int) and value == 0 else named(symbols.PROTOCOLS)(value, call)
