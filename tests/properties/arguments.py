"""Converts the arguments of a step from data to Python objects, and back to data after the call.

5, None                           itself
["slot", 1]                       the handle of the program's second socket; numbers wrap around
["text", "::1"], ["bytes", hex]   str, and bytes
["room", 8]                       a writable buffer of that many bytes
["ref", 16]                       a ctypes integer
["name", family, host, port]      a socket address; port is a number, ["slot", n] for that socket's, or "closed"
["set", slot, …], ["poll", [slot, events], …], ["time", seconds, microseconds]
["hints", flags, family, type, protocol]
["again"], ["size"]               the same object as the argument before, or its size
["broken", kind]                  a value that no C type accepts, see BROKEN
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_double, c_int, c_short
from typing import Any, Protocol

from tests.conformance.recorder import Json, poll_bits
from winsock import (
    AF_INET6,
    FD_SET,
    WSAPOLLFD,
    addrinfo,
    fd_set,
    htons,
    sockaddr_in,
    sockaddr_in6,
    timeval,
)

FILL = 0xA5
# Values that calls must reject; programs.py says for which parameters.
BROKEN: dict[str, Any] = {
    "float": 1.5,
    "huge": 1 << 70,
    "tiny": -(1 << 70),
    "digits": "1",
    "é": "é",
    "number": 5,
    "strided": memoryview(bytearray(64))[::2],
    "strided const": memoryview(bytes(64))[::2],
    "const": bytes(64),
    "short": c_short(16),
    "double": c_double(16),
}


class Names(Protocol):
    """What the arguments need from the running program."""

    def handle(self, slot: int) -> int: ...

    def slot_of(self, handle: int) -> str: ...

    def port(self, port: Any) -> int: ...


def value(spec: Any, names: Names) -> Any:
    """The object that is passed to the call."""
    if not isinstance(spec, list):
        return spec
    kind, *rest = spec
    return _MAKERS[kind](names, *rest)


def _name(names: Names, family: int, host: str, port: Any) -> bytes:
    raw = bytes.fromhex(host)
    number = htons(names.port(port))
    name: Any
    if family == AF_INET6:
        name = sockaddr_in6(sin6_family=family, sin6_port=number)
        name.sin6_addr.s6_addr = raw.rjust(16, b"\0")
    else:
        name = sockaddr_in(sin_family=family & 0xFFFF, sin_port=number)
        name.sin_addr.s_addr = int.from_bytes(raw[-4:].rjust(4, b"\0"), "little")
    return bytes(name)


def _set(names: Names, *slots: Any) -> fd_set:
    fds = fd_set()
    for slot in slots:
        FD_SET(value(slot, names), fds)
    return fds


def _poll(names: Names, *entries: Any) -> Any:
    array = (WSAPOLLFD * len(entries))()
    for place, (slot, events) in enumerate(entries):
        array[place].fd, array[place].events = value(slot, names), events
    return array


_MAKERS: dict[str, Callable[..., Any]] = {
    "slot": lambda names, slot: names.handle(slot),
    "text": lambda names, text: text,
    "bytes": lambda names, text: bytes.fromhex(text),
    "room": lambda names, size: bytearray([FILL]) * size,
    "ref": lambda names, number: c_int(number),
    "name": _name,
    "set": _set,
    "poll": _poll,
    "time": lambda names, seconds, microseconds: timeval(seconds, microseconds),
    "hints": lambda names, flags, family, kind, protocol: addrinfo(flags, family, kind, protocol),
    "broken": lambda names, kind: BROKEN[kind],
}


def as_json(spec: Any, given: Any, names: Names) -> Json:
    """The value of an argument after the call, as data; None for arguments that calls only read."""
    kind = spec[0] if isinstance(spec, list) else None
    if kind == "room":
        return bytes(given).hex()
    if kind == "ref":
        return int(given.value)
    if kind == "set":
        # The order of the sockets in a set is not specified.
        return [*sorted(names.slot_of(handle) for handle in given.fd_array[: given.fd_count])]
    if kind == "poll":
        return [f"{names.slot_of(entry.fd)}: {poll_bits(entry.revents)}" for entry in given]
    return None
