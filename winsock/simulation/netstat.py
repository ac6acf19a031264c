"""The sockets of a host as text, like the command netstat."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

__all__ = ["SocketLike", "netstat"]


class SocketLike(Protocol):
    """What the kernel says about a socket."""

    @property
    def protocol(self) -> str: ...
    @property
    def local(self) -> object: ...
    @property
    def peer(self) -> object | None: ...
    @property
    def state(self) -> str: ...
    @property
    def receive_queue(self) -> int: ...
    @property
    def send_queue(self) -> int: ...
    @property
    def owner(self) -> str: ...


_TITLES = ("Proto", "Recv-Q", "Send-Q", "Local Address", "Foreign Address", "State", "Process")
_NUMBERS = (1, 2)  # the columns that are aligned at the right


def netstat(sockets: Iterable[SocketLike]) -> str:
    """A table with one line for each socket, sorted by protocol and address.

    Recv-Q: bytes that the program has not read; of a listener, connections that it has not accepted. Send-Q: bytes that
    the peer has not acknowledged. A connection without a process, such as one in TIME_WAIT, has "-".
    """
    rows = [_TITLES, *sorted((_row(socket) for socket in sockets), key=lambda row: (row[0], row[3], row[4], row[5]))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    return "".join(_line(row, widths) for row in rows)


def _row(socket: SocketLike) -> tuple[str, ...]:
    return (
        socket.protocol,
        str(socket.receive_queue),
        str(socket.send_queue),
        str(socket.local),
        "*" if socket.peer is None else str(socket.peer),
        socket.state,
        socket.owner or "-",
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if column in _NUMBERS else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip() + "\n"
