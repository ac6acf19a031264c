"""One call, as the tracer keeps it until a sink has told it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from winsock.constants import INVALID_SOCKET, SOCKET_ERROR
from winsock.errors import WSAEMSGSIZE

from .memory import number

__all__ = ["CODES", "MOVING", "Call", "Shown", "bytes_moved", "failed", "length_of"]

# A value as it is shown, made of what JSON has: a number, None for NULL, a str for a name of the headers or an address
# as it is read, a list, or a dict: {"text": ...} a C string, {"bytes": n, "hex": ...} the n bytes that moved and the
# first of them, {"room": n} a buffer of n bytes that nothing was written to, {"in": ..., "out": ...} a value before and
# after the call, {"type": ...} what the call does not take at all; any other is a structure by its fields.
Shown: TypeAlias = "int | str | list[Any] | dict[str, Any] | None"

# The calls whose result is a number of bytes.
MOVING = ("send", "recv", "sendto", "recvfrom")
# The calls whose result is the error itself.
CODES = ("WSAStartup", "getaddrinfo", "getnameinfo")
_POINTERS = ("inet_ntop", "gethostbyname")
# These can't fail: -1 is a value like any other.
_VALUES = ("WSAGetLastError", "WSASetLastError", "htons", "ntohs", "htonl", "ntohl", "inet_ntoa", "freeaddrinfo")


@dataclass
class Call:
    """One call: what it was given, and once it has returned (`done`) its result and the error if it failed."""

    name: str
    args: dict[str, Any]
    preview: int = 32
    done: bool = False
    result: Any = None
    error: int = 0
    raised: BaseException | None = None
    shown: dict[str, Shown] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.done and not failed(self.name, self.result)


def failed(name: str, result: Any) -> bool:
    """Whether a result tells of an error; inet_addr's INADDR_NONE is also an address, and does not."""
    if name in CODES:
        return bool(result)
    if name in _POINTERS:
        return result is None
    if name in ("socket", "accept"):
        return bool(result == INVALID_SOCKET)
    return name not in _VALUES and name != "inet_addr" and bool(result == SOCKET_ERROR)


def bytes_moved(call: Call) -> int:
    """How many bytes went into a buffer or out of it."""
    if call.ok:
        return int(call.result)
    if call.done and call.error == WSAEMSGSIZE and call.name.startswith("recv"):
        return length_of(call, "len")  # the start of a datagram that is longer
    return 0


def length_of(call: Call, name: str) -> int:
    """The number that an argument is or points to, 0 without one."""
    return number(call.args.get(name)) or 0
