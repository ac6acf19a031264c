"""Converts numbers back to the names of Microsoft's headers, by the kind of number."""

from __future__ import annotations

from collections.abc import Mapping

from . import constants
from .errors import WSAError

__all__ = [
    "ADDRINFO_FLAGS",
    "COMMANDS",
    "DIRECTIONS",
    "EVENTS",
    "FAMILIES",
    "LEVELS",
    "MESSAGE_FLAGS",
    "NAME_FLAGS",
    "OPTIONS",
    "PROTOCOLS",
    "TYPES",
    "error_name",
    "flags",
    "symbol",
]


def _names(*prefixes: str, without: tuple[str, ...] = ()) -> dict[int, str]:
    """The constants with these prefixes, by value; if several have the same value, the first one of the header."""
    names: dict[int, str] = {}
    for name, value in vars(constants).items():
        if name.startswith(prefixes) and name not in without and isinstance(value, int):
            names.setdefault(value & 0xFFFFFFFF, name)
    return names


FAMILIES = _names("AF_")
TYPES = _names("SOCK_")
PROTOCOLS = _names("IPPROTO_")
MESSAGE_FLAGS = _names("MSG_", without=("MSG_MAXIOVLEN",))
DIRECTIONS = _names("SD_")
COMMANDS = _names("FIO", "SIO")
ADDRINFO_FLAGS = _names("AI_")
NAME_FLAGS = _names("NI_", without=("NI_MAXHOST", "NI_MAXSERV"))
# POLLIN stands first because it consists of two of the other bits.
EVENTS = {constants.POLLIN: "POLLIN", constants.POLLOUT: "POLLOUT"} | {
    value: name for value, name in _names("POLL").items() if name not in ("POLLIN", "POLLOUT", "POLLWRNORM")
}
LEVELS = {
    constants.SOL_SOCKET: "SOL_SOCKET",
    constants.IPPROTO_IP: "IPPROTO_IP",
    constants.IPPROTO_TCP: "IPPROTO_TCP",
    constants.IPPROTO_UDP: "IPPROTO_UDP",
    constants.IPPROTO_IPV6: "IPPROTO_IPV6",
}
# The options by level. The two names that are left out are values of SO_OPENTYPE, equal to SO_DONTROUTE and
# SO_BROADCAST.
OPTIONS: dict[int, dict[int, str]] = {
    constants.SOL_SOCKET: _names("SO_", without=("SO_SYNCHRONOUS_ALERT", "SO_SYNCHRONOUS_NONALERT")),
    constants.IPPROTO_IP: _names("IP_", "MCAST_"),
    constants.IPPROTO_TCP: _names("TCP_"),
    constants.IPPROTO_UDP: _names("UDP_"),
    constants.IPPROTO_IPV6: _names("IPV6_", "MCAST_"),
}

_ERRORS = {int(error): error.name for error in WSAError}


def symbol(value: int, names: Mapping[int, str]) -> str | int:
    """The name of `value`, or the number if it has none; a negative C int is the same as its unsigned value."""
    return names.get(value & 0xFFFFFFFF, value)


def flags(value: int, names: Mapping[int, str], width: int = 32) -> str | int:
    """The names of the bits, joined with |. Bits without a name, and 0, stay a number. `width` is in bits."""
    unnamed, found = value & (1 << width) - 1, []
    for bits, name in names.items():
        if bits and unnamed & bits == bits:
            found.append(name)
            unnamed &= ~bits
    if unnamed and found:
        found.append(f"0x{unnamed:x}")
    return "|".join(found) if found else value


def error_name(code: int) -> str:
    """The name of an error code, or the code itself as text."""
    return _ERRORS.get(code, str(code))
