"""Keeps the last calls of a program in bounded memory, such that a picture of them is still right.

A picture matches the bytes of a stream by their position, so a call cannot simply be forgotten: all positions after it
would be wrong. Of the calls that are no longer kept, `History` keeps for each open socket the ones that have set it up
(socket, bind, connect, listen, accept), and one record for each direction that stands for the data moved so far.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .rendering import byte_count

__all__ = ["MAX_SIZE", "MAX_SOCKETS", "History"]

# The most sockets whose earlier calls are kept; a program that never closes one would need more and more memory.
MAX_SOCKETS = 2000
# The most bytes of lines that are kept of one program.
MAX_SIZE = 1 << 26

_Record = dict[str, Any]


@dataclass
class _Moved:
    """The data that earlier calls have sent or received on a socket."""

    last: _Record
    bytes: int = 0
    calls: int = 0

    def record(self) -> _Record:
        """One record in the place of these calls."""
        call = self.last["call"]
        buffer = {"bytes": self.bytes, "hex": ""}
        text = f"{call}: {self.calls} earlier calls, {byte_count(self.bytes)}"
        return self.last | {"args": self.last["args"] | {"buf": buffer}, "result": self.bytes, "text": text}


@dataclass
class _Socket:
    """What earlier calls have done to an open socket."""

    setup: dict[str, _Record] = field(default_factory=dict)
    moved: dict[str, _Moved] = field(default_factory=dict)

    @property
    def is_stream(self) -> bool:
        args = self.setup.get("socket", {"args": {}})["args"]
        datagrams = args.get("type") == "SOCK_DGRAM" or args.get("protocol") == "IPPROTO_UDP"
        return not datagrams and ("connect" in self.setup or "accept" in self.setup)


class History:
    """The records of the last `limit` calls, and `forgotten`, the number of calls before them."""

    def __init__(self, limit: int) -> None:
        self.forgotten = 0
        self._limit = limit
        # The calls, each with the size of its line; and the sum of these sizes.
        self._last: deque[tuple[_Record, int]] = deque()
        self._size = 0
        self._sockets: dict[int, _Socket] = {}
        self._startups = 0

    def add(self, record: _Record, size: int) -> None:
        """Add the next call, whose line in the trace has `size` bytes."""
        self._last.append((record, size))
        self._size += size
        while len(self._last) > self._limit or (self._size > MAX_SIZE and len(self._last) > 1):
            earliest, size = self._last.popleft()
            self._size -= size
            self.forgotten += 1
            self._forget(_shortened(earliest))

    def records(self) -> list[_Record]:
        """The calls of a picture, in the order of the program."""
        earlier = []
        for socket in self._sockets.values():
            earlier += [*socket.setup.values(), *(moved.record() for moved in socket.moved.values())]
        earlier.sort(key=lambda record: int(record["n"]))
        return [*earlier, *(record for record, _ in self._last)]

    def _forget(self, record: _Record) -> None:
        call, args = record["call"], record["args"]
        error = record.get("error", {}).get("name", "") or record.get("raised", "")
        if call == "connect" and error in ("", "WSAEWOULDBLOCK"):
            self._socket(args.get("s")).setup[call] = record
        elif error:
            return
        elif call in ("socket", "accept"):
            self._close(record.get("result"))
            self._socket(record.get("result")).setup[call] = record
        elif call in ("bind", "listen"):
            self._socket(args.get("s")).setup[call] = record
        elif call == "closesocket":
            self._close(args.get("s"))
        elif call in ("WSAStartup", "WSACleanup"):
            # The last WSACleanup closes all sockets.
            self._startups = max(self._startups + (1 if call == "WSAStartup" else -1), 0)
            if not self._startups:
                self._sockets.clear()
        elif call in ("send", "sendto", "recv", "recvfrom"):
            self._forget_data(record, args)

    def _forget_data(self, record: _Record, args: dict[str, Any]) -> None:
        socket, flags = self._sockets.get(_handle(args.get("s"))), str(args.get("flags"))
        if socket is None or not socket.is_stream or "MSG_PEEK" in flags or "MSG_OOB" in flags:
            return
        if isinstance(buffer := args.get("buf"), dict):
            moved = socket.moved.setdefault(record["call"][:4], _Moved(record))
            moved.last = record
            moved.bytes += buffer["bytes"]
            moved.calls += 1

    def _socket(self, handle: Any) -> _Socket:
        if len(self._sockets) >= MAX_SOCKETS and _handle(handle) not in self._sockets:
            del self._sockets[next(iter(self._sockets))]
        return self._sockets.setdefault(_handle(handle), _Socket())

    def _close(self, handle: Any) -> None:
        self._sockets.pop(_handle(handle), None)


def _shortened(record: _Record) -> _Record:
    """A record without what is long: texts, and all data but their size."""
    args: dict[str, Any] = {}
    for name, value in record["args"].items():
        if name == "buf" and isinstance(value, dict) and "bytes" in value:
            args[name] = {"bytes": value["bytes"], "hex": ""}
        elif isinstance(value, int) or (isinstance(value, str) and len(value) < 100):
            args[name] = value
    text = record["text"] if len(record["text"]) < 200 else f"{record['call']}()"
    return record | {"args": args, "text": text}


def _handle(value: Any) -> int:
    return value if isinstance(value, int) else -1
