"""Shown values and results as a reader of C writes them, in ASCII."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from winsock.constants import INADDR_NONE, INVALID_SOCKET, SOCKET_ERROR
from winsock.errors import WSAErrorDescript
from winsock.structures import hostent

from .calls import CODES, Call, Shown, failed
from .readers import host
from .symbols import error_name

__all__ = ["arguments", "json_result", "quoted", "result", "value"]

_ESCAPES = {0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"}


def quoted(raw: bytes, more: bool = False) -> str:
    """Bytes as a C string; dots when there are more of them."""
    parts = []
    for position, byte in enumerate(raw):
        text = _ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}")
        # In C a digit behind \0 would belong to the number.
        if text == "\\0" and raw[position + 1 : position + 2].isdigit():
            text = "\\x00"
        parts.append(text)
    return '"' + "".join(parts) + '"' + ("..." if more else "")


def value(shown: Shown, reference: bool = False) -> str:
    """One argument; `reference` puts what is behind a pointer in brackets."""
    if shown is None:
        return "NULL"
    if isinstance(shown, list):
        return "{" + ", ".join(map(value, shown)) + "}"
    if not isinstance(shown, dict):
        return f"[{shown}]" if reference else str(shown)
    if shown.keys() == {"text"}:
        return quoted(shown["text"].encode("latin-1", "replace"))
    if shown.keys() == {"bytes", "hex"}:
        raw = bytes.fromhex(shown["hex"])
        return quoted(raw, len(raw) < shown["bytes"])
    if shown.keys() == {"room"}:
        return f"<{shown['room']} bytes>"
    if shown.keys() == {"type"}:
        return f"<{shown['type']}>"
    if shown.keys() == {"in", "out"}:
        before, after = shown["in"], shown["out"]
        if before == after:
            return value(before, reference=True)
        if isinstance(before, int) and isinstance(after, int):
            return f"[{before} -> {after}]"
        return f"{value(before)} -> {value(after)}"
    return "{" + ", ".join(f"{name}={value(part)}" for name, part in shown.items()) + "}"


def arguments(shown: Mapping[str, Shown]) -> str:
    """All arguments, as between the parentheses of a call."""
    return ", ".join(map(value, shown.values()))


def result(call: Call) -> str:
    """What a call returned, and the error's number and name if it failed."""
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
    if got is None:
        return "void"
    if isinstance(got, hostent):
        return value(host(got))
    return quoted(got.encode("ascii", "replace")) if isinstance(got, str) else str(got)


def json_result(call: Call) -> Any:
    """A result as JSON has it: a number, text, null, or gethostbyname's answer."""
    if call.result == SOCKET_ERROR or not isinstance(call.result, hostent):
        return call.result
    return host(call.result)
