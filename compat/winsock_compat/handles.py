"""The table of SOCKETs, what Winsock remembers about each, and the start-up count.

A handle is a number of our own, never a descriptor, and is not given out twice: a closed one never reaches a newer
socket.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from typing import Any

from winsock.arguments import socket_handle
from winsock.constants import AF_INET, INVALID_SOCKET, SOCK_STREAM
from winsock.errors import WSAENOTSOCK, WSANOTINITIALISED

from . import libc, waits
from .errnos import translated
from .libc import ffi, lib
from .waits import lock, poll_once

# What a socket went through. A datagram socket is FRESH or, with a default peer, CONNECTED.
FRESH, CONNECTING, CONNECTED, LISTENING, FAILED = range(5)


class Socket:
    """A descriptor and the state that Winsock's answers depend on. Call update() after a change of state."""

    __slots__ = (
        "bound",
        "broken",
        "can_recv",
        "can_send",
        "can_sendto",
        "closed",
        "connect_error",
        "connected_at",
        "family",
        "fd",
        "handle",
        "holders",
        "local",
        "nonblocking",
        "options",
        "peer",
        "port_reset",
        "protocol",
        "receive_off",
        "recv_flags",
        "refused",
        "same_names",
        "send_off",
        "slot",
        "stage",
        "stream",
        "type",
    )

    def __init__(self, fd: int, family: int, type: int, protocol: int) -> None:
        place = _free_places.pop() if _free_places else next(_places)
        _generations[place] = generation = _generations.get(place, -1) + 1
        self.handle = (generation * _PLACES + place) << 2 & INVALID_SOCKET
        self.fd = fd
        self.family, self.type, self.protocol = family, type, protocol
        self.stream = type == SOCK_STREAM
        self.recv_flags = 0 if self.stream else libc.MSG_TRUNC
        self.same_names = libc.LINUX and family == AF_INET and not self.stream
        self.can_sendto = False
        self.nonblocking = False
        self.bound = False
        self.stage = FRESH
        self.receive_off = self.send_off = False
        self.broken = 0  # the error that a stream met: WSAECONNRESET, WSAECONNABORTED …
        self.connect_error = 0  # what SO_ERROR says of a failed connect
        self.connected_at = 0.0
        self.peer: bytes | None = None  # Winsock's sockaddr
        self.local: bytes | None = None  # kept when the kernel may forget it
        self.refused = False  # an earlier datagram met a closed port, and a send was told instead of recv
        self.port_reset = True  # SIO_UDP_CONNRESET
        self.options: dict[tuple[int, int], Any] = {}
        self.closed = False
        self.holders = 0  # waiting calls that still use the descriptor of a closed socket
        self.slot = None  # the compiled mode's view of all this, see quick.h
        if libc.MODE == "compiled":
            self.slot = lib.quick_slot_of(self.handle)
            self.slot.fd, self.slot.datagram = fd, not self.stream
            self.slot.handle = self.handle
        self.update()

    def update(self) -> None:
        """Decides whether recv and send may go straight to the system call."""
        if self.stream:
            connected = self.stage == CONNECTED and not self.broken
            self.can_recv = connected and not self.receive_off
            self.can_send = connected and not self.send_off
        else:
            self.can_recv = self.bound and not self.receive_off and not self.refused
            self.can_send = self.stage == CONNECTED and not self.send_off
            self.can_sendto = self.same_names and self.bound and not self.send_off
        if self.slot is not None:
            self.slot.can_recv, self.slot.can_send, self.slot.can_sendto = self.can_recv, self.can_send, self.can_sendto
            self.slot.nonblocking = self.nonblocking
            self.slot.watch = self._watch()

    def _watch(self) -> int:
        """How select and WSAPoll see the socket: the QUICK_ numbers of quick.h."""
        if not self.stream:
            return 4 if self.receive_off or self.refused else 3
        if self.stage == CONNECTED:
            return 4 if self.receive_off or self.broken else 2
        return {FRESH: 0, LISTENING: 1}.get(self.stage, 4)

    def errno_of_descriptor(self) -> int:
        """The host's SO_ERROR, which reading clears."""
        value, length = ffi.new("int *"), ffi.new("unsigned int *", 4)
        lib.getsockopt(self.fd, libc.SOL_SOCKET, libc.SO_ERROR, value, length)
        number: int = value[0]
        return number

    def settle(self) -> None:
        """Finishes a connect that was under way, if the host has."""
        if self.stage != CONNECTING or not poll_once(self.fd, libc.POLLOUT):
            return
        number = self.errno_of_descriptor()
        if number:
            self.connect_failed(translated(number))
        else:
            self.connect_succeeded()

    def connect_succeeded(self) -> None:
        self.stage, self.connect_error, self.connected_at = CONNECTED, 0, time.monotonic()
        self.update()

    def connect_failed(self, error: int) -> None:
        self.stage, self.connect_error, self.peer = FAILED, error, None
        self.update()

    def release(self) -> None:
        """Closes the descriptor, once nothing uses it any more."""
        lib.close(self.fd)
        _free_places.append(self.handle >> 2 & _PLACES - 1)

    def break_off(self, error: int) -> int:
        """Remembers that the connection is gone; Winsock says so each time, the host only once."""
        self.broken = error
        self.update()
        return error


# A handle is a place, which is used again, and how often it was used before; its two low bits are 0, as on Windows.
_PLACES = 1 << 20
_places = itertools.count(0x40)
_free_places: list[int] = []
_generations: dict[int, int] = {}
table: dict[int, Socket] = {}
_startups = 0


def find(s: int) -> Socket | int:
    """The socket of a handle, or the error: WSANOTINITIALISED or WSAENOTSOCK."""
    return table.get(socket_handle(s)) or (WSAENOTSOCK if _startups else WSANOTINITIALISED)


def started() -> bool:
    return _startups > 0


def start() -> None:
    global _startups
    with lock:
        _startups += 1
        waits.keep_waiters(True)


def stop() -> bool:
    """Counts one WSACleanup; the last one closes every socket. False where there was nothing to stop."""
    global _startups
    with lock:
        if not _startups:
            return False
        _startups -= 1
        if _startups:
            return True
        # All are invalid before the first is closed: what waits on one must not see the end of another.
        left = [sock for sock in list(table.values()) if not _take_out(sock)]
    for sock in left:
        sock.release()
    waits.keep_waiters(False)
    return True


def close(sock: Socket) -> bool:
    """Takes the socket out of the table and ends its waits; the last of them closes the descriptor.

    False where another thread was faster.
    """
    with lock:
        if sock.closed:
            return False
        held = _take_out(sock)
    if not held:
        sock.release()
    return True


def _take_out(sock: Socket) -> bool:
    """Makes the handle invalid; whether a waiting call still holds the descriptor."""
    del table[sock.handle]
    sock.closed = True
    if sock.slot is not None:
        while not lib.quick_close(sock.slot):
            time.sleep(0)  # a call that does not block is inside, in another thread
    sock.can_recv = sock.can_send = sock.can_sendto = False
    return waits.part_with(sock)


def open_socket(fd: int, family: int, type: int, protocol: int) -> Socket | None:
    """A new entry of the table; None where the last WSACleanup was faster."""
    sock = Socket(fd, family, type, protocol)
    table[sock.handle] = sock
    if not _startups:
        close(sock)
        return None
    return sock


def _forget_parent() -> None:
    """After fork: the parent's other threads, and so the calls that they were in, are not here."""
    global lock
    lock = waits.forget_parent()
    for sock in table.values():
        if sock.slot is not None:
            sock.slot.users = 0


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_parent)
