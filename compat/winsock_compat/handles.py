"""The table of SOCKETs, what Winsock remembers about each, and the start-up count.

A handle is a number of our own, never a descriptor, and is not given out twice: a closed one never reaches a newer
socket.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType
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

    # What most sockets have is here, so that accept does not set it anew for each.
    nonblocking = False
    bound = False
    stage = FRESH
    receive_off = send_off = False
    broken = 0  # the error that a stream met: WSAECONNRESET, WSAECONNABORTED …
    connect_error = 0  # what SO_ERROR says of a failed connect
    connected_at = 0.0
    peer: bytes | None = None  # Winsock's sockaddr
    local: bytes | None = None  # the name that it was bound to
    refused = False  # an earlier datagram met a closed port, and a send was told instead of recv
    port_reset = True  # SIO_UDP_CONNRESET
    options: Mapping[tuple[int, int], Any] = MappingProxyType({})  # as given; replaced, never changed
    closed = False
    holders = 0  # waiting calls that still use the descriptor of a closed socket
    can_recv = can_send = can_sendto = False  # the in-line mode may go straight to the system call
    slot: Any = None  # the compiled mode's view of all this, see quick.h

    def __init__(self, fd: int, family: int, type: int, protocol: int) -> None:
        place = _free_places.pop() if _free_places else next(_places)
        _generations[place] = generation = _generations.get(place, -1) + 1
        self.handle = (generation * _PLACES + place) << 2 & INVALID_SOCKET
        self.fd = fd
        self.family, self.type, self.protocol = family, type, protocol
        self.stream = type == SOCK_STREAM

    @property
    def recv_flags(self) -> int:
        """What the host needs to tell of a datagram that was cut."""
        return 0 if self.stream else libc.MSG_TRUNC

    @property
    def same_names(self) -> bool:
        """IPv4 on Linux: the host takes and gives Winsock's sockaddr as it is."""
        return libc.LINUX and self.family == AF_INET and not self.stream

    def update(self) -> None:
        """Decides whether recv and send may go straight to the system call."""
        can_sendto = False
        if self.stream:
            connected = self.stage == CONNECTED and not self.broken
            can_recv = connected and not self.receive_off
            can_send = connected and not self.send_off
        else:
            can_recv = self.bound and not self.receive_off and not self.refused
            can_send = self.stage == CONNECTED and not self.send_off
            can_sendto = self.same_names and self.bound and not self.send_off
        if libc.MODE != "api":
            self.can_recv, self.can_send, self.can_sendto = can_recv, can_send, can_sendto
            return
        ways = can_recv | can_send << 1 | can_sendto << 2 | self.nonblocking << 3
        if self.stream and self.stage != CONNECTED:
            watch = _WATCH[self.stage]
        else:
            watch = 4 if self.receive_off or self.broken or self.refused else 2 if self.stream else 3
        if self.slot is None:
            self.slot = lib.quick_open(self.handle, self.fd, not self.stream, ways, watch)
        else:
            lib.quick_update(self.slot, ways, watch)

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
        """Closes the descriptor, once no call uses it any more."""
        if self.slot is None:
            lib.close(self.fd)
        else:
            while not lib.quick_close(self.slot):
                time.sleep(0)  # a call that does not block is inside, in another thread
        _free_places.append(self.handle >> 2 & _PLACES - 1)

    def break_off(self, error: int) -> int:
        """Remembers that the connection is gone; Winsock says so each time, the host only once."""
        self.broken = error
        self.update()
        return error


# How select and WSAPoll see a stream before and after its connection: the QUICK_ numbers of quick.h.
_WATCH = {FRESH: 0, LISTENING: 1, CONNECTING: 4, FAILED: 4}

# A handle is a place, which is used again, and how often it was used before; its two low bits are 0, as on Windows.
_PLACES = 1 << 20
_places = itertools.count(0x40)
_free_places: list[int] = []
_generations: dict[int, int] = {}
table: dict[int, Socket] = {}
_startups = 0


def find(s: int) -> Socket | int:
    """The socket of a handle, or the error: WSANOTINITIALISED or WSAENOTSOCK."""
    known = table.get(s) if type(s) is int else None
    return known or table.get(socket_handle(s)) or (WSAENOTSOCK if _startups else WSANOTINITIALISED)


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
    with lock:
        if libc.MODE == "api" and not _startups:
            lib.quick_close_epoll()
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
    if sock.slot is None:
        sock.can_recv = sock.can_send = sock.can_sendto = False
    else:
        sock.slot.handle = 0
    return waits.part_with(sock)


def open_socket(fd: int, family: int, type: int, protocol: int) -> Socket | None:
    """A new entry of the table; None where the last WSACleanup was faster."""
    return _enter(Socket(fd, family, type, protocol))


def open_accepted(listener: Socket, fd: int, peer: bytes, options: Mapping[tuple[int, int], Any]) -> Socket | None:
    """As open_socket, for a connection of a listener's queue."""
    sock = Socket(fd, listener.family, listener.type, listener.protocol)
    sock.bound, sock.stage, sock.connected_at = True, CONNECTED, time.monotonic()
    sock.nonblocking, sock.peer, sock.options = listener.nonblocking, peer, options
    return _enter(sock)


def _enter(sock: Socket) -> Socket | None:
    sock.update()
    table[sock.handle] = sock
    if not _startups:
        close(sock)
        return None
    return sock


def known_to(waiter: waits.Waiter) -> dict[int, Socket]:
    """The sockets by their handles, with those that were closed during the wait."""
    with lock:
        return {**table, **{sock.handle: sock for sock in waiter.gone}}


def _forget_parent() -> None:
    """After fork: the parent's other threads, and so the calls that they were in, are not here."""
    global lock
    lock = waits.forget_parent()
    if libc.MODE == "api":
        for sock in table.values():
            sock.slot.users = 0


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_parent)
