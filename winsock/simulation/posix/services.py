"""The names of well-known ports: a part of the system's file of services."""

from __future__ import annotations

from winsock.constants import SOCK_DGRAM, SOCK_STREAM

_BOTH = (SOCK_STREAM, SOCK_DGRAM)
_STREAM, _DATAGRAM = (SOCK_STREAM,), (SOCK_DGRAM,)
_SERVICES = {
    b"echo": (7, _BOTH),
    b"discard": (9, _BOTH),
    b"systat": (11, _STREAM),
    b"daytime": (13, _BOTH),
    b"chargen": (19, _BOTH),
    b"ftp-data": (20, _STREAM),
    b"ftp": (21, _STREAM),
    b"ssh": (22, _STREAM),
    b"telnet": (23, _STREAM),
    b"smtp": (25, _STREAM),
    b"time": (37, _BOTH),
    b"domain": (53, _BOTH),
    b"bootps": (67, _DATAGRAM),
    b"bootpc": (68, _DATAGRAM),
    b"tftp": (69, _DATAGRAM),
    b"finger": (79, _STREAM),
    b"http": (80, _STREAM),
    b"pop3": (110, _STREAM),
    b"sunrpc": (111, _BOTH),
    b"nntp": (119, _STREAM),
    b"ntp": (123, _DATAGRAM),
    b"imap2": (143, _STREAM),
    b"snmp": (161, _BOTH),
    b"https": (443, _BOTH),
    b"syslog": (514, _DATAGRAM),
    b"route": (520, _DATAGRAM),
    b"imaps": (993, _STREAM),
    b"pop3s": (995, _STREAM),
    b"mqtt": (1883, _STREAM),
}
_ALIASES = {b"www": b"http", b"mail": b"smtp", b"imap": b"imap2", b"router": b"route"}


def port(name: bytes, type: int) -> int | None:
    """The port of a service for a type of socket."""
    number, types = _SERVICES.get(_ALIASES.get(name, name), (None, _BOTH))
    return number if type in types else None


def name(number: int, type: int) -> bytes | None:
    """The service at a port, for a type of socket."""
    return next((one for one, (at, types) in _SERVICES.items() if at == number and type in types), None)
