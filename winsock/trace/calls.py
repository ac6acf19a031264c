"""One traced call, from its start until a sink has written it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from winsock.constants import INVALID_SOCKET, SOCKET_ERROR
from winsock.errors import WSAEMSGSIZE

from .memory import number

__all__ = ["CODES", "JSON_PREVIEW", "MOVING", "PREVIEW", "Call", "Shown", "bytes_moved", "failed", "length_of"]

# The number of bytes of a buffer that are shown by default: in a line of text, and in the arguments of JSON lines.
PREVIEW = 32
JSON_PREVIEW = 4096

# An argument in the form that a trace shows, a JSON value: a number, None for NULL, a str for a name of the headers or
# an address, a list, or a dict. The keys of a dict say what it is:
#   {"text": ...}              a C string
#   {"bytes": n, "hex": ...}   a buffer of which n bytes were sent or received, and the first of these bytes
#   {"room": n}                a buffer of n bytes to which nothing was written
#   {"in": ..., "out": ...}    a value before and after the call
#   {"type": ...}              an object of a type that the call does not accept
#   any other keys             a structure and its fields
Shown: TypeAlias = "int | str | list[Any] | dict[str, Any] | None"

# The calls whose result is a number of bytes.
MOVING = ("send", "recv", "sendto", "recvfrom")
# The calls whose result is the error code.
CODES = ("WSAStartup", "getaddrinfo", "getnameinfo")
# The calls whose result is a pointer: NULL means an error.
_POINTERS = ("inet_ntop", "gethostbyname")
# The calls that cannot fail, for which -1 is an ordinary value.
_VALUES = ("WSAGetLastError", "WSASetLastError", "htons", "ntohs", "htonl", "ntohl", "inet_ntoa", "freeaddrinfo")


@dataclass
class Call:
    """One call: its arguments, and after it has returned (`done`) its result and, if it failed, its error.

    `shown` has the arguments in the form that the trace shows; `preview` is the number of bytes of a buffer to show.
    """

    name: str
    args: dict[str, Any]
    preview: int = PREVIEW
    done: bool = False
    result: Any = None
    error: int = 0
    raised: BaseException | None = None
    shown: dict[str, Shown] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.done and not failed(self.name, self.result)


def failed(name: str, result: Any) -> bool:
    """Whether a result means an error. INADDR_NONE of inet_addr does not: it is also an address."""
    if name in CODES:
        return bool(result)
    if name in _POINTERS:
        return result is None
    if name in ("socket", "accept"):
        return bool(result == INVALID_SOCKET)
    return name not in _VALUES and name != "inet_addr" and bool(result == SOCKET_ERROR)


def bytes_moved(call: Call) -> int:
    """The number of bytes that a call sent or received."""
    if call.ok:
        return int(call.result)
    if call.done and call.error == WSAEMSGSIZE and call.name.startswith("recv"):
        return length_of(call, "len")  # the buffer was filled with the start of a longer datagram
    return 0


def length_of(call: Call, name: str) -> int:
    """The number that an argument is or points to; 0 if it is neither."""
    return number(call.args.get(name)) or 0
