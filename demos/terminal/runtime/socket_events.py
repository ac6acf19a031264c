"""The sockets that programs are called for: one WSAPoll waits for all of them, and for a wake-up.

How it works
============

A program registers a socket with EventSetSocket. From then on the wait of the event loop is one WSAPoll over all
registered sockets. The sockets that it reports are ready: they wait in a queue until the event loop calls OnSocket for
each of them, once. Then the loop polls again. So a socket stays in turn as long as it is ready (level-triggered), and
each ready socket is called before any is called twice.

Another thread or a signal handler ends the wait with wake(), which sends a datagram to a wake-up socket. This is a UDP
socket on loopback that is connected to itself, so it receives from nobody else. It is the first entry of the array.
It is created with the first registration. A terminal whose programs register no socket makes no call of Winsock.

The array of WSAPOLLFD is kept between polls and changes only with a registration. Its results are read as one column
of numbers, and only the registrations of ready sockets are touched: a loop in Python over thousands of entries would
take longer than WSAPoll.

A registration ends with EventKillSocket and with its program. A program that closes a registered socket gets one line
in the log; the poll after that drops the socket.
"""

from __future__ import annotations

import ctypes
import math
from collections import deque
from collections.abc import Callable
from ctypes import sizeof
from dataclasses import dataclass
from itertools import compress
from typing import Generic, TypeVar

from demos.wire.opening import CallFailed
from demos.wire.wake_up import connected_to_itself
from winsock import (
    INVALID_SOCKET,
    MAKEWORD,
    POLLNVAL,
    POLLRDNORM,
    POLLWRNORM,
    SOCKET_ERROR,
    WSADATA,
    WSAPOLLFD,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    WSAPoll,
    WSASetLastError,
    WSAStartup,
    closesocket,
    recv,
    send,
)

# The wake-ups that are read after one poll; more of them only end the next poll at once.
_MAX_WAKE_UPS = 1000

_FIRST_CAPACITY = 16

_ENTRY_SHORTS = sizeof(WSAPOLLFD) // 2
_REVENTS_SHORT = WSAPOLLFD.revents.offset // 2  # type: ignore[attr-defined]  # ctypes makes a descriptor of each field

Owner = TypeVar("Owner")


@dataclass(eq=False)
class Registration(Generic[Owner]):
    """A socket that a program is called for, and its place in the array."""

    owner: Owner | None
    socket: int
    place: int


class SocketEvents(Generic[Owner]):
    """The registered sockets of all programs, and those that are ready; see the head of this module.

    An owner is a program of the event loop, or whatever else another loop calls for its sockets.
    """

    def __init__(self, report: Callable[[Owner, str], None]) -> None:
        """``report`` gets an error for the log, and the program that it concerns."""
        self._report = report
        self._wake_socket = INVALID_SOCKET
        # The registrations in the order of the array, and by socket. The first is the wake-up socket's.
        self._entries: list[Registration[Owner]] = []
        self._by_socket: dict[int, Registration[Owner]] = {}
        self._ready: deque[tuple[Registration[Owner], int]] = deque()
        self._array = (WSAPOLLFD * 0)()
        self._allocate(_FIRST_CAPACITY)

    def __len__(self) -> int:
        """The number of registered sockets."""
        return len(self._by_socket)

    @property
    def is_open(self) -> bool:
        """Whether wait() can wait for sockets: from open() or the first register() to close() or an error."""
        return self._wake_socket != INVALID_SOCKET

    @property
    def has_ready(self) -> bool:
        """Whether sockets of the last poll wait for their call."""
        return bool(self._ready)

    def open(self) -> str:
        """Create the wake-up socket, if there is none yet; why that is impossible, or "".

        register() does it too. Before it, wake() has no effect.
        """
        if self._wake_socket != INVALID_SOCKET:
            return ""
        code = WSAStartup(MAKEWORD(2, 2), WSADATA())
        if code:
            return f"WSAStartup failed error: {WSAErrorDescript(code)}"
        try:
            s = connected_to_itself()
        except CallFailed as failure:
            WSACleanup()
            return f"cannot create the wake-up socket, error: {WSAErrorDescript(failure.error)}"
        self._array[self._append(Registration(None, s, 0))].events = POLLRDNORM
        self._wake_socket = s
        return ""

    def register(self, owner: Owner, s: int, readable: bool, writable: bool) -> bool:
        """Call the program for this socket from now on, or change what for; False when that is impossible."""
        known = self._by_socket.get(s)
        if s == INVALID_SOCKET or (known is not None and known.owner is not owner):
            return False
        if problem := self.open():
            self._report(owner, f"{problem}; OnSocket is not called")
            return False
        entry = known or self._add(owner, s)
        self._array[entry.place].events = (POLLRDNORM if readable else 0) | (POLLWRNORM if writable else 0)
        return True

    def unregister(self, owner: Owner, s: int) -> bool:
        """End the registration of a socket; False when the program has none for it."""
        known = self._by_socket.get(s)
        if known is None or known.owner is not owner:
            return False
        self._remove(known)
        return True

    def unregister_all(self, owner: Owner) -> None:
        """End the registrations of a program."""
        for entry in [entry for entry in self._by_socket.values() if entry.owner is owner]:
            self._remove(entry)

    def wait(self, seconds: float | None) -> bool:
        """Wait until a socket is ready, until wake() is called, or for this time (None: no limit).

        Returns whether the wait has ended before its time. ``seconds`` is rounded up to milliseconds.
        """
        timeout = -1 if seconds is None else math.ceil(max(seconds, 0.0) * 1000)
        if WSAPoll(self._array, len(self._entries), timeout) == SOCKET_ERROR:
            self._give_up(WSAErrorDescript(WSAGetLastError()))
            return True
        count = len(self._entries)
        ready = [self._entries[place] for place in compress(range(count), self._revents[:count].tolist())]
        for entry in ready:
            occurred = self._array[entry.place].revents
            if entry.owner is None:
                self._read_wake_ups()
            elif occurred & POLLNVAL:
                self._drop_closed(entry, entry.owner)
            else:
                self._ready.append((entry, occurred))
        return bool(ready)

    def take_ready(self) -> tuple[Owner, int, int] | None:
        """The next ready socket, with its program and its events (POLL flags); None when there is none."""
        while self._ready:
            entry, occurred = self._ready.popleft()
            # Another event function may have ended the registration since the poll.
            if self._by_socket.get(entry.socket) is entry and entry.owner is not None:
                return entry.owner, entry.socket, occurred
        return None

    def wake(self) -> None:
        """End the present wait(), or the next one; for other threads and for signal handlers."""
        s = self._wake_socket
        if s != INVALID_SOCKET:
            # A signal handler may interrupt a program between a call and its WSAGetLastError.
            error = WSAGetLastError()
            # send fails only if the receive buffer is full of wake-ups.
            send(s, b"\0", 1, 0)
            WSASetLastError(error)

    def close(self) -> None:
        """End all registrations and close the wake-up socket."""
        self._by_socket.clear()
        self._entries.clear()
        self._ready.clear()
        s, self._wake_socket = self._wake_socket, INVALID_SOCKET
        if s != INVALID_SOCKET:
            closesocket(s)
            WSACleanup()

    def _add(self, owner: Owner, s: int) -> Registration[Owner]:
        entry = self._by_socket[s] = Registration(owner, s, 0)
        self._append(entry)
        return entry

    def _append(self, entry: Registration[Owner]) -> int:
        """Give the entry the next place in the array, which it returns."""
        entry.place = len(self._entries)
        if entry.place == len(self._array):
            self._allocate(2 * len(self._array))
        self._entries.append(entry)
        self._array[entry.place] = WSAPOLLFD(entry.socket, 0, 0)
        return entry.place

    def _remove(self, entry: Registration[Owner]) -> None:
        """Move the last entry of the array to the place of this one."""
        del self._by_socket[entry.socket]
        last = self._entries.pop()
        if last is not entry:
            self._array[entry.place] = self._array[last.place]
            self._entries[entry.place] = last
            last.place = entry.place

    def _allocate(self, capacity: int) -> None:
        """Make an array with room for this many entries, and copy the present ones."""
        array = (WSAPOLLFD * capacity)()
        if self._entries:
            ctypes.memmove(array, self._array, sizeof(WSAPOLLFD) * len(self._entries))
        self._array = array
        self._revents = memoryview(array).cast("B").cast("h")[_REVENTS_SHORT::_ENTRY_SHORTS]

    def _read_wake_ups(self) -> None:
        buf = bytearray(1)
        for _ in range(_MAX_WAKE_UPS):
            if recv(self._wake_socket, buf, len(buf), 0) == SOCKET_ERROR:
                return

    def _drop_closed(self, entry: Registration[Owner], owner: Owner) -> None:
        self._remove(entry)
        self._report(
            owner, f"socket {entry.socket} is closed and no longer registered; call EventKillSocket before closesocket"
        )

    def _give_up(self, error: str) -> None:
        """WSAPoll has failed, and would fail again: end all registrations."""
        for owner in dict.fromkeys(entry.owner for entry in self._by_socket.values()):
            assert owner is not None
            self._report(owner, f"WSAPoll failed error: {error}; OnSocket is not called any more")
        self.close()
