"""SocketCore, HandleTable and the last error in Python, for an installation without the accelerator (see core)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from ..posix import system
from .flags import FIRST_HANDLE, HANDLE_STEP, LAST_HANDLE


class SocketCore:
    """The part of a socket's state that the accelerator and the reference share."""

    handle = 0
    fd = -1
    family = type = protocol = 0
    state = 0
    capabilities = 0
    poll_kind = 0
    nonblocking = bound = closed = False
    from_parent = False  # in a forked child: threads that do not exist there may still refer to the socket
    connected_at = 0.0
    peer: bytes | None = None
    options: Mapping[tuple[int, int], Any] | None = None
    waiters: Any = None

    def close_descriptor(self) -> None:
        """Closes the descriptor, unless that has been done."""
        system.close_owned(self.__dict__)


class HandleTable:
    """The sockets by their handles."""

    def __init__(self) -> None:
        self._sockets: dict[int, Any] = {}
        self._next = FIRST_HANDLE

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, sock: SocketCore) -> int:
        """Enters a socket and gives it the next free handle."""
        while True:
            handle = self._next
            self._next = FIRST_HANDLE if handle == LAST_HANDLE else handle + HANDLE_STEP
            if handle not in self._sockets:
                break
        sock.handle = handle
        self._sockets[handle] = sock
        return handle

    def get(self, handle: object) -> Any:
        """The socket of a handle, or None."""
        return self._sockets.get(handle) if type(handle) is int else None

    def pop(self, handle: object) -> Any:
        """Takes out and returns the socket of a handle; None where there is none."""
        return self._sockets.pop(handle, None) if type(handle) is int else None

    def move_all(self, sockets: set[Any]) -> None:
        """Moves every socket into a set."""
        sockets.update(self._sockets.values())
        self._sockets.clear()

    def sockets(self) -> list[Any]:
        """A list of all sockets."""
        return list(self._sockets.values())


class _LastError(threading.local):
    code = 0


_last_error = _LastError()


def get_last_error() -> int:
    return _last_error.code


def set_last_error(code: int) -> None:
    _last_error.code = code
