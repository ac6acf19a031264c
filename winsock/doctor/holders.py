"""Who holds a port: from the system's own tables of sockets, where it has any that a program can read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

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

__all__ = ["Holder", "check_port", "held_by", "listening"]


class Holder(NamedTuple):
    """A socket of the system: TCP or UDP, its addresses, its state, and its process as far as it can be known."""

    protocol: str
    local: str
    peer: str
    state: str
    pid: int | None
    program: str


def holders(port: int, protocol: str) -> list[Holder] | None:
    """The sockets with this local port; None where the system has no table to look at."""
    if sys.platform == "win32":
        from .holders_windows import all_sockets
    elif sys.platform == "linux":
        from .holders_linux import all_sockets
    if sys.platform == "win32" or sys.platform == "linux":
        found = all_sockets(protocol)
        return None if found is None else [row for row in found if row.local.endswith(f":{port}")]
    return None


def listening(port: int) -> list[Holder]:
    """The sockets that take connections on this port."""
    return [row for row in holders(port, "TCP") or [] if row.state == "LISTEN"]


def held_by(rows: Sequence[Holder]) -> str:
    """Sockets and their programs in words."""
    return "; ".join(f"{row.local} {row.state}{_peer(row)}, by {_program(row)}" for row in rows)


def _peer(row: Holder) -> str:
    return f" with {row.peer}" if row.peer else ""


def _program(row: Holder) -> str:
    if row.pid is None:
        return "a process that this user may not see" if row.state != "TIME_WAIT" else "the system, after a close"
    return f"{row.program or '?'} (process {row.pid})"


def check_port(port: int, protocol: str = "TCP") -> Finding:
    """Whether a server can have the port on all of this machine's addresses, and who holds it if not."""
    what = f"{protocol} port {port}"
    rows = holders(port, protocol)
    known = rows or []
    facts = {"port": port, "holders": [row._asdict() for row in known]}
    try:
        _bind_alone(port, SOCK_STREAM if protocol == "TCP" else SOCK_DGRAM)
    except Failure as failed:
        if rows is None:
            who = "Who holds it can't be known here: ask lsof -i, or netstat."
        else:
            who = f"Held: {held_by(known)}" if known else "The system's tables name no socket on it."
        advice = advice_for(failed.code)
        pids = sorted({row.pid for row in known if row.pid is not None})
        if failed.code == WSAEADDRINUSE and pids:
            advice = f"End process {', '.join(map(str, pids))}, or take another port."
        told = failure(what, failed)
        return told._replace(found=f"{told.found}\n{who}", advice=advice, facts=facts | (told.facts or {}))
    free = "free" if not known else f"free for a server, beside {held_by(known)}"
    return Finding(True, what, free, facts=facts)


def _bind_alone(port: int, kind: int) -> None:
    s = socket(AF_INET, kind, 0)
    if s == INVALID_SOCKET:
        raise Failure("socket", WSAGetLastError())
    try:
        # Without it Windows lets two servers have one port, each on an address of its own.
        if setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, u_long(1), 4) == SOCKET_ERROR:
            raise Failure("setsockopt", WSAGetLastError())
        if bind(s, sockaddr_in(AF_INET, htons(port)), 16) == SOCKET_ERROR:
            raise Failure("bind", WSAGetLastError())
    finally:
        closesocket(s)
