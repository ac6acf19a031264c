"""What Winsock remembers of a socket, and the states that a socket goes through.

A stream is FRESH, then LISTENING, or CONNECTING and after that CONNECTED or FAILED; a FAILED one may connect again. A
datagram socket is FRESH or, with a default peer, CONNECTED. A connected stream with an error stays CONNECTED and
keeps the error in `broken`: Winsock reports it from every call, the kernel only once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import IntEnum, IntFlag
from types import MappingProxyType
from typing import Any, NamedTuple

from winsock.constants import SOCK_STREAM

from ..posix import system, waiting
from ..posix.errnos import winsock_error
from ..posix.sockaddr_layout import is_same_layout
from . import handle_numbers


class State(IntEnum):
    """What a socket went through."""

    FRESH = 0
    CONNECTING = 1
    CONNECTED = 2
    LISTENING = 3
    FAILED = 4


class Capability(IntFlag):
    """What a fast path may do with a socket without asking the reference."""

    RECV = 1
    SEND = 2
    SENDTO = 4  # and recvfrom: the kernel uses the same sockaddr as Winsock
    NONBLOCKING = 8


class PollKind(IntEnum):
    """How a fast path of select and WSAPoll interprets the kernel's poll of a socket."""

    NEVER = 0  # never ready, whatever poll returns: a fresh stream
    LISTENER = 1
    STREAM = 2
    DATAGRAM = 3
    REFERENCE = 4  # the reference decides


# Members as module globals and plain ints: they are read for every accepted connection.
FRESH, CONNECTING, CONNECTED, LISTENING, FAILED = State
_RECV, _SEND, _SENDTO, _NONBLOCKING = (int(flag) for flag in Capability)
_KIND_STREAM, _KIND_DATAGRAM, _KIND_REFERENCE = (
    int(kind) for kind in (PollKind.STREAM, PollKind.DATAGRAM, PollKind.REFERENCE)
)
_KIND_OF_UNCONNECTED_STREAM = {
    FRESH: int(PollKind.NEVER),
    LISTENING: int(PollKind.LISTENER),
    CONNECTING: int(PollKind.REFERENCE),
    FAILED: int(PollKind.REFERENCE),
}


class SlotFunctions(NamedTuple):
    """The functions of a fast path in C, which keeps a slot for each socket: its `handle`, descriptor and flags."""

    # From handle, descriptor, whether it is a datagram socket, capabilities and poll kind: the slot.
    open: Callable[[int, int, bool, int, int], Any]
    # To a slot: new capabilities and poll kind.
    update: Callable[[Any, int, int], object]
    # Closes a slot's descriptor and returns 1; returns 0 while a call is using it.
    close: Callable[[Any], int]
    # After a change of an option that decides what poll reports.
    look_again: Callable[[Any], object]
    # When no socket is left.
    last_closed: Callable[[], object]


slots: SlotFunctions | None = None


def use_slots(functions: SlotFunctions) -> None:
    """Installs a fast path, before the first socket."""
    global slots
    slots = functions


class Socket:
    """A descriptor and the state that Winsock's answers depend on. Call update_capabilities after a change of state."""

    # The values of most sockets are class attributes, so that accept does not set each of them.
    nonblocking = False
    bound = False
    state = FRESH
    receive_off = send_off = False
    broken = 0  # the error that ended a stream: WSAECONNRESET, WSAECONNABORTED …
    connect_error = 0  # what SO_ERROR returns after a failed connect
    connected_at = 0.0
    peer: bytes | None = None  # Winsock's sockaddr
    local: bytes | None = None  # the address that the socket was bound to
    refused = False  # send has received the report of a closed port; Winsock reports it from recv
    port_reset = True  # SIO_UDP_CONNRESET
    options: Mapping[tuple[int, int], Any] = MappingProxyType({})  # as the caller set them; replaced, never changed
    closed = False
    waiters_left = 0  # of a closed socket: the waiting calls that still use its descriptor
    capabilities = 0
    slot: Any = None  # where a fast path keeps slots

    def __init__(self, fd: int, family: int, type: int, protocol: int) -> None:
        self.handle = handle_numbers.allocate()
        self.fd = fd
        self.family, self.type, self.protocol = family, type, protocol
        self.stream = type == SOCK_STREAM

    def update_capabilities(self) -> None:
        """Derives from the state what a fast path may do."""
        flags = _NONBLOCKING if self.nonblocking else 0
        if self.stream:
            if self.state is not CONNECTED:
                kind = _KIND_OF_UNCONNECTED_STREAM[self.state]
            elif self.broken:
                kind = _KIND_REFERENCE
            else:
                kind = _KIND_REFERENCE if self.receive_off else _KIND_STREAM
                flags |= (0 if self.receive_off else _RECV) | (0 if self.send_off else _SEND)
        else:
            kind = _KIND_REFERENCE if self.receive_off or self.refused else _KIND_DATAGRAM
            flags |= self._datagram_capabilities()
        self.capabilities = flags
        if slots is None:
            return
        if self.slot is None:
            self.slot = slots.open(self.handle, self.fd, not self.stream, flags, kind)
        else:
            slots.update(self.slot, flags, kind)

    def _datagram_capabilities(self) -> int:
        flags = _RECV if self.bound and not (self.receive_off or self.refused) else 0
        if self.send_off:
            return flags
        if self.state is CONNECTED:
            flags |= _SEND
        return flags | _SENDTO if self.bound and is_same_layout(self.family) else flags

    def update_connect_state(self) -> None:
        """Ends CONNECTING if the kernel has finished the connect."""
        if self.state is not CONNECTING or not waiting.poll_now(self.fd, waiting.POLLOUT):
            return
        number = system.take_error(self.fd)
        if number:
            self.connect_failed(winsock_error(number))
        else:
            self.connect_succeeded()

    def connect_succeeded(self) -> None:
        self.state, self.connect_error, self.connected_at = CONNECTED, 0, waiting.monotonic()
        self.update_capabilities()

    def connect_failed(self, error: int) -> None:
        self.state, self.connect_error, self.peer = FAILED, error, None
        self.update_capabilities()

    def mark_bound(self) -> None:
        self.bound = True
        self.update_capabilities()

    def mark_broken(self, error: int) -> int:
        """Remembers the error that ended the connection, and returns it."""
        self.broken = error
        self.update_capabilities()
        return error

    def mark_refused(self) -> None:
        """Remembers for the next recv that a port was closed."""
        self.refused = True
        self.update_capabilities()

    def forget_refusals(self) -> None:
        """Also empties the kernel's queue of ICMP errors, which would keep the socket readable."""
        self.refused = False
        self.update_capabilities()
        system.clear_error_queue(self.fd)

    def release(self) -> None:
        """Closes the descriptor when no waiting call uses it any more."""
        if slots is None or self.slot is None:
            system.close(self.fd)
        else:
            while not slots.close(self.slot):
                time.sleep(0)  # a call that does not wait is using it, in another thread
        handle_numbers.free(self.handle)
