"""Records the results of a scenario's calls in a form that is the same on every machine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, TypeAlias

from winsock import (
    CALLS,
    INVALID_SOCKET,
    POLLERR,
    POLLHUP,
    POLLNVAL,
    POLLPRI,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRNORM,
    SOCKET_ERROR,
    WSAPOLLFD,
    WSAError,
    WSAGetLastError,
    fd_set,
    gethostname,
    hostent,
    in_addr,
    linger,
    ntohs,
    sockaddr_in,
    sockaddr_in6,
)

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Observation: TypeAlias = "list[Json]"

_POLL_BITS = {
    POLLERR: "ERR",
    POLLHUP: "HUP",
    POLLNVAL: "NVAL",
    POLLWRNORM: "WRNORM",
    POLLRDNORM: "RDNORM",
    POLLRDBAND: "RDBAND",
    POLLPRI: "PRI",
}
# The calls that return the error code.
_CODES = {"WSAStartup", "getaddrinfo", "getnameinfo"}
_HANDLES = {"socket", "accept"}
# The functions that labels may name besides the calls.
_HELPERS = {"FD_ZERO", "FD_SET", "FD_CLR", "FD_ISSET", "MAKEWORD", "LOBYTE", "HIBYTE", "WSAErrorDescript"}
# The calls that never fail, or that do not return SOCKET_ERROR when they fail.
_NUMBERS = {"WSAGetLastError", "WSASetLastError", "htons", "ntohs", "htonl", "ntohl", "inet_addr", "inet_ntoa"}


def error_name(code: int) -> str:
    return WSAError(code).name if code in list(WSAError) else str(code)


def poll_bits(events: int) -> str:
    return " ".join(name for bit, name in _POLL_BITS.items() if events & bit)


class Recorder:
    """Records observations: `see("recv again", recv(s, buf, 8, 0), buf)`.

    The label starts with the name of the call, which determines how the result is read; a scenario uses each label
    once. A failure is recorded as the name of its error. The other arguments are recorded with their values after the
    call.
    """

    def __init__(self) -> None:
        self.seen: list[Observation] = []
        self._sockets: dict[int, str] = {}
        self._ports: dict[int, str] = {}
        self._host = b""

    def know(self, **sockets: int) -> None:
        """Gives names to sockets, which are used when an fd_set is recorded."""
        self._sockets.update({handle: name for name, handle in sockets.items()})

    def know_port(self, **ports: int) -> None:
        """Gives names to ports, in host byte order."""
        self._ports.update({port: name for name, port in ports.items()})

    def know_host_name(self) -> None:
        """Reads the name of this machine, which is then recorded as HOST."""
        name = bytearray(256)
        assert gethostname(name, len(name)) == 0
        self._host = bytes(name).partition(b"\0")[0]

    def __call__(self, label: str, result: Any, *out: Any) -> Any:
        """Records the result of a call and what it wrote, and returns the result."""
        call = label.partition(" ")[0]
        failed = WSAGetLastError() if _failed(call, result) else 0
        assert all(label != seen for seen, *_ in self.seen), f"the label {label!r} is used twice"
        assert call in CALLS or call in _HELPERS, f"{label!r} names no call"
        if failed or _failed(call, result):
            answer: Json = error_name(failed)
        elif call in _CODES:
            answer = error_name(result) if result else 0
        elif call in _HANDLES and type(result) is int:
            answer = "a socket"
        else:
            answer = self.as_json(result)
        self.seen.append([label, answer, *map(self.as_json, out)])
        return result

    def trial(self, label: str, call: Callable[..., Any], *arguments: Any) -> None:
        """Makes a call that may raise an exception, and records its result or the exception."""
        try:
            result = call(*arguments)
        except (TypeError, OverflowError, OSError) as error:
            # ctypes converts an access violation to an OSError.
            self.seen.append([label, type(error).__name__])
        else:
            self(label, result)

    def option(self, label: str, getsockopt: Callable[..., int], s: int, level: int, name: int, size: int) -> None:
        """Records getsockopt with a given length, and a buffer that shows what was written."""
        value, length = bytearray(b"........"), ctypes.c_int(size)
        self(f"getsockopt {label}", getsockopt(s, level, name, value, length), value, length)

    def as_json(self, value: Any) -> Json:
        """A value as JSON."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.as_json(value.encode("ascii"))
        if isinstance(value, bytes | bytearray | memoryview):
            return self._text(bytes(value))
        if isinstance(value, list | tuple):
            return [self.as_json(item) for item in value]
        return self._structure(value)

    def _structure(self, value: Any) -> Json:
        if isinstance(value, ctypes._SimpleCData):
            return self.as_json(value.value)
        if isinstance(value, sockaddr_in):
            zero = "" if not any(value.sin_zero) else f" {bytes(value.sin_zero)!r}"
            return f"{value.sin_family} {self.as_json(value.sin_addr)}:{self._port(value.sin_port)}{zero}"
        if isinstance(value, sockaddr_in6):
            scope = f"%{value.sin6_scope_id}" if value.sin6_scope_id else ""
            return f"{value.sin6_family} [{value.sin6_addr.s6_addr.hex(':', 2)}{scope}]:{self._port(value.sin6_port)}"
        if isinstance(value, in_addr):
            return ".".join(map(str, bytes(value)))
        if isinstance(value, linger):
            return [value.l_onoff, value.l_linger]
        if isinstance(value, WSAPOLLFD):
            return poll_bits(value.revents)
        if isinstance(value, fd_set):
            return [self._sockets.get(handle, "unknown") for handle in value.fd_array[: value.fd_count]]
        if isinstance(value, hostent):
            return self._host_entry(value)
        if isinstance(value, ctypes.Array):
            return [self.as_json(item) for item in value]
        raise AssertionError(f"the recorder does not support {type(value).__name__}")

    def _host_entry(self, entry: hostent) -> Json:
        aliases: list[Json] = []
        addresses: list[Json] = []
        for name in entry.h_aliases:
            if name is None:
                break
            aliases.append(self.as_json(name))
        for address in entry.h_addr_list:
            if not address:
                break
            addresses.append(".".join(map(str, address[: entry.h_length])))
        return {
            "name": self.as_json(entry.h_name),
            "aliases": aliases,
            "type": entry.h_addrtype,
            "addresses": addresses,
        }

    def _port(self, number: int) -> str:
        port = ntohs(number)
        return self._ports.get(port, "a port") if port else "0"

    def _text(self, raw: bytes) -> str:
        if self._host:
            raw = raw.replace(self._host, b"HOST")
        return repr(raw)[2:-1].replace("\\'", "'")


def _failed(call: str, result: Any) -> bool:
    """Whether a result means that the call failed and set the last error."""
    if call in _HANDLES:
        return bool(result == INVALID_SOCKET)
    if call in ("gethostbyname", "inet_ntop"):
        return result is None
    if call in _CODES or call in _HELPERS or call in _NUMBERS:
        return False
    return bool(result == SOCKET_ERROR)
