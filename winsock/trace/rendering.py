"""Formats the arguments and the result of a call as C source, in ASCII."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from winsock.constants import INADDR_NONE, INVALID_SOCKET, SOCKET_ERROR
from winsock.errors import WSAErrorDescript
from winsock.structures import hostent
from winsock.symbols import error_name

from .calls import CODES, Call, Shown, failed
from .readers import host

__all__ = ["arguments", "byte_count", "counted", "json_result", "quoted", "result", "value"]

_ESCAPES = {0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"}
# The digits after an escape sequence that C would read as part of it, or a reader could: then the byte is written as
# three octal digits, which take no more.
_DIGITS = {"\\0": b"0123456789", "\\x": b"0123456789abcdefABCDEF"}


def quoted(raw: bytes, more: bool = False) -> str:
    """Bytes as a C string literal; `more` appends dots for bytes that are not shown."""
    parts = []
    for position, byte in enumerate(raw):
        text = _ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}")
        if position + 1 < len(raw) and raw[position + 1] in _DIGITS.get(text[:2], b""):
            text = f"\\{byte:03o}"
        parts.append(text)
    return '"' + "".join(parts) + '"' + ("..." if more else "")


def byte_count(count: int) -> str:
    """A number of bytes with the noun."""
    return counted(count, "byte")


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless the number is 1."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def value(shown: Shown, reference: bool = False) -> str:
    """One argument; with `reference`, a number behind a pointer is put in brackets."""
    if shown is None:
        return "NULL"
    if isinstance(shown, list):
        return "{" + ", ".join(map(value, shown)) + "}"
    if isinstance(shown, dict):
        return _dict_value(shown)
    return f"[{shown}]" if reference else str(shown)


def _dict_value(shown: dict[str, Any]) -> str:
    """A value that is shown as a dict; its keys say what it is (see Shown)."""
    render = _DICTS.get(frozenset(shown))
    return render(shown) if render else "{" + ", ".join(f"{name}={value(part)}" for name, part in shown.items()) + "}"


def _moved(shown: dict[str, Any]) -> str:
    raw = bytes.fromhex(shown["hex"])
    return quoted(raw, len(raw) < shown["bytes"])


def _before_and_after(shown: dict[str, Any]) -> str:
    before, after = shown["in"], shown["out"]
    if before == after:
        return value(before, reference=True)
    if isinstance(before, int) and isinstance(after, int):
        return f"[{before} -> {after}]"
    return f"{value(before)} -> {value(after)}"


_DICTS: dict[frozenset[str], Callable[[dict[str, Any]], str]] = {
    frozenset({"text"}): lambda shown: quoted(shown["text"].encode("latin-1", "replace")),
    frozenset({"bytes", "hex"}): _moved,
    frozenset({"room"}): lambda shown: f"<{shown['room']} bytes>",
    frozenset({"type"}): lambda shown: f"<{shown['type']}>",
    frozenset({"in", "out"}): _before_and_after,
}


def arguments(shown: Mapping[str, Shown]) -> str:
    """All arguments, as they stand between the parentheses of a call."""
    return ", ".join(map(value, shown.values()))


def result(call: Call) -> str:
    """The result of a call, with the number, name and meaning of its error if it failed."""
    got = call.result
    if failed(call.name, got):
        if call.name in CODES:
            return f"{error_name(got)} {WSAErrorDescript(got)}"
        name = "NULL" if got is None else "INVALID_SOCKET" if got == INVALID_SOCKET else "SOCKET_ERROR"
        return f"{name} {WSAErrorDescript(call.error)}"
    if call.name == "WSAGetLastError" and got:
        return f"{got} {error_name(got)}"
    if call.name == "inet_addr":
        return "INADDR_NONE" if got == INADDR_NONE else f"0x{got:08x}"
    if call.name in ("htonl", "ntohl"):
        return f"0x{got:08x}"
    if call.name == "FD_SET":
        return f"void; the set is full and does not contain {value(call.shown['s'])}: use fd_set_sized"
    if got is None:
        return "void"
    if isinstance(got, hostent):
        return value(host(got))
    return quoted(got.encode("ascii", "replace")) if isinstance(got, str) else str(got)


def json_result(call: Call) -> Any:
    """The result of a call as a JSON value; a hostent becomes an object."""
    if call.result == SOCKET_ERROR or not isinstance(call.result, hostent):
        return call.result
    return host(call.result)
