"""One entry of the operating system's table of sockets."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SocketEntry"]


class SocketEntry(NamedTuple):
    """A TCP or UDP socket: its addresses as ADDRESS:PORT, its state, and its process if that is known.

    `peer` is "" for a socket without a peer, `pid` is None and `program` is "" where the system does not show them.
    """

    protocol: str
    local: str
    peer: str
    state: str
    pid: int | None
    program: str
