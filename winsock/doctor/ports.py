"""Whether a server can bind to a port, and which processes use it.

The answer comes from two sources: an attempt to bind, and the operating system's table of sockets (linux_sockets,
windows_sockets). The attempt decides whether the port is free; the table only explains the result.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from winsock import (
    AF_INET,
    INVALID_SOCKET,
    SO_EXCLUSIVEADDRUSE,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAEADDRINUSE,
    WSAGetLastError,
    bind,
    closesocket,
    htons,
    setsockopt,
    sockaddr_in,
    socket,
    u_long,
)

from .advice import advice_for
from .findings import Failure, Finding, failure
from .socket_entry import SocketEntry

__all__ = ["check_port", "describe", "listening_sockets", "sockets_on_port"]


def sockets_on_port(port: int, protocol: str) -> list[SocketEntry] | None:
    """The sockets whose local port is `port`; None if the system has no table that can be read."""
    if sys.platform == "win32":
        from .windows_sockets import all_sockets
    elif sys.platform == "linux":
        from .linux_sockets import all_sockets
    if sys.platform == "win32" or sys.platform == "linux":
        entries = all_sockets(protocol)
        return None if entries is None else [entry for entry in entries if entry.local.endswith(f":{port}")]
    return None


def listening_sockets(port: int) -> list[SocketEntry]:
    """The TCP sockets that listen on this port."""
    return [entry for entry in sockets_on_port(port, "TCP") or [] if entry.state == "LISTEN"]


def describe(entries: Sequence[SocketEntry]) -> str:
    """The sockets and their processes in one line of text."""
    return "; ".join(f"{entry.local} {entry.state}{_peer(entry)}, {_process(entry)}" for entry in entries)


def _peer(entry: SocketEntry) -> str:
    return f" with {entry.peer}" if entry.peer else ""


def _process(entry: SocketEntry) -> str:
    if entry.pid is not None:
        return f"process {entry.pid} ({entry.program or 'name unknown'})"
    return "a closed connection" if entry.state == "TIME_WAIT" else "a process of another user"


def check_port(port: int, protocol: str = "TCP") -> Finding:
    """Whether a server can bind to the port on all addresses of this machine, and which sockets use it."""
    what = f"{protocol} port {port}"
    entries = sockets_on_port(port, protocol)
    known = entries or []
    facts = {"port": port, "holders": [entry._asdict() for entry in known]}
    try:
        _bind_exclusively(port, SOCK_STREAM if protocol == "TCP" else SOCK_DGRAM)
    except Failure as failed:
        if entries is None:
            users = "Which process uses it is not known on this system: try lsof -i or netstat."
        else:
            users = f"In use: {describe(known)}" if known else "The system lists no socket on this port."
        advice = advice_for(failed.code)
        pids = sorted({entry.pid for entry in known if entry.pid is not None})
        if failed.code == WSAEADDRINUSE and pids:
            advice = f"End process {', '.join(map(str, pids))}, or use another port."
        finding = failure(what, failed)
        return finding._replace(found=f"{finding.found}\n{users}", advice=advice, facts=facts | (finding.facts or {}))
    free = "free" if not known else f"free for a server; other sockets on it: {describe(known)}"
    return Finding(True, what, free, facts=facts)


def _bind_exclusively(port: int, kind: int) -> None:
    s = socket(AF_INET, kind, 0)
    if s == INVALID_SOCKET:
        raise Failure("socket", WSAGetLastError())
    try:
        # Without this option, Windows lets one socket bind to 0.0.0.0 and another to a specific address of one port.
        if setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, u_long(1), 4) == SOCKET_ERROR:
            raise Failure("setsockopt", WSAGetLastError())
        if bind(s, sockaddr_in(AF_INET, htons(port)), 16) == SOCKET_ERROR:
            raise Failure("bind", WSAGetLastError())
    finally:
        closesocket(s)
