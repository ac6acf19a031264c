"""What Winsock remembers of a socket, and the states that a socket goes through.

A stream is FRESH, then LISTENING, or CONNECTING and after that CONNECTED or FAILED; a FAILED one may connect again. A
datagram socket is FRESH or, with a default peer, CONNECTED. A connected stream with an error stays CONNECTED and
keeps the error in `broken`: Winsock reports it from every call, the kernel only once.

The kernel refuses no client of a listener whose queue is full: it drops the client's SYN. Windows refuses the client's
connect after about two seconds. So whoever looks at a socket that is CONNECTING for so long asks whether the listener's
queue is full (`listen_queues`), and ends the connect if it is. As long as it is not, for the listener may have accepted
a client meanwhile, the socket goes on connecting and the question is repeated. `next_queue_check` is the time of the
next question; waits are no longer than until then. A connect that succeeds before costs no system call more. A forked
child does not ask about the connects of its parent, which it would end for both.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from winsock.constants import (
    AF_INET6,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_LINGER,
    SO_OOBINLINE,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)
from winsock.errors import WSAECONNABORTED, WSAECONNREFUSED

from ..posix import listen_queues, system, waiting
from ..posix.errnos import winsock_error
from ..posix.sockaddr_layout import is_same_layout
from .core import SocketCore
from .flags import Capability, PollKind, State

# Members as plain ints: a socket's fields have C types where the accelerator was built.
FRESH, CONNECTING, CONNECTED, LISTENING, FAILED = (int(state) for state in State)
_SEND, _RECV, _SENDTO, _RECVFROM, _ACCEPT, _CLOSE = (int(flag) for flag in Capability)
_KIND_STREAM, _KIND_DATAGRAM, _KIND_REFERENCE = (
    int(kind) for kind in (PollKind.STREAM, PollKind.DATAGRAM, PollKind.REFERENCE)
)
_KIND_OF_UNCONNECTED_STREAM = {
    FRESH: int(PollKind.NEVER),
    LISTENING: int(PollKind.LISTENER),
    CONNECTING: _KIND_REFERENCE,
    FAILED: _KIND_REFERENCE,
}
_LINGER, _OOBINLINE = (SOL_SOCKET, SO_LINGER), (SOL_SOCKET, SO_OOBINLINE)
# The kernel reports an error of a socket once. Whoever reads it stores what it means before another thread looks.
error_lock = threading.RLock()
# In seconds, after connect: when the queue of the listener is examined, and how long until it is examined again. The
# kernel repeats the SYN after one second and after two.
_FIRST_QUEUE_CHECK, _QUEUE_CHECK_INTERVAL = 2.0, 1.0
_NO_OPTIONS: Mapping[tuple[int, int], Any] = MappingProxyType({})


class Attempt:
    """One connect of a stream, and the error with which it has failed."""

    error = 0


class Socket(SocketCore):
    """A descriptor and the state that Winsock's answers depend on. Call update_capabilities after a change of state.

    The accelerator makes accepted sockets without calling __init__: what it does not set has its class's value.
    """

    receive_off = send_off = False
    broken = 0  # the error that ended a stream: WSAECONNRESET, WSAECONNABORTED …
    connect_error = 0  # what SO_ERROR says of a failed connect
    attempt = Attempt()  # the latest connect
    next_queue_check: float | None = None  # while CONNECTING; None where the queue cannot be examined
    local: bytes | None = None  # the address that it was bound to
    name_when_aborted: bytes | None = None  # its local address, which the kernel forgets when it resets a connection
    refused = False  # a send met the report of a closed port, which Winsock gives to recv
    port_reset = True  # SIO_UDP_CONNRESET
    # See groups: what it has joined, the other descriptors at which its datagrams arrive, and its packet filter.
    memberships: tuple[Any, ...] = ()
    extra: tuple[Any, ...] = ()
    filter = b""
    shared = False  # by a fork: another process may get what the kernel reports once
    closer: weakref.ref[Any] | None = None  # the call that closes it, see waiters
    next_descriptor = 0  # at which recv looks first, see readable_descriptors
    # As the caller set them, also on the listener of an accepted socket; replaced, never changed.
    options: Mapping[tuple[int, int], Any]
    set_while_listening = False  # whether clients that came before may have other options in the kernel

    def __init__(self, family: int, type: int, protocol: int) -> None:
        self.family, self.type, self.protocol = family, type, protocol
        self.options = _NO_OPTIONS

    @property
    def stream(self) -> bool:
        return self.type == SOCK_STREAM

    @property
    def close_lingers(self) -> bool:
        """Whether the kernel's close waits for unsent data."""
        return bool(self.options.get(_LINGER, 0) >> 16)

    @property
    def is_ipv6_only(self) -> bool:
        """Whether it is an IPv6 socket that IPv4 does not reach, as without the option."""
        return self.family == AF_INET6 and bool(self.options.get((IPPROTO_IPV6, IPV6_V6ONLY), 1))

    def update_capabilities(self) -> None:
        """Derives from the state what the accelerator may do, and the poll kind."""
        stored = None
        # Once more after they are stored: another thread, or a signal handler, may have changed the state meanwhile.
        while (derived := self._derive_capabilities()) != stored:
            self.capabilities, self.poll_kind = stored = derived

    def _derive_capabilities(self) -> tuple[int, int]:
        if self.closed:
            return 0, _KIND_REFERENCE
        flags, kind = self._stream_capabilities() if self.stream else self._datagram_capabilities()
        return flags | (0 if self.close_lingers else _CLOSE), kind

    def _stream_capabilities(self) -> tuple[int, int]:
        if self.state == LISTENING:
            # The accelerator gives an accepted socket the capabilities of one with default options, and sets none.
            special = self.set_while_listening or {_LINGER, _OOBINLINE} & self.options.keys()
            plain = is_same_layout(self.family) and not special
            return _ACCEPT if plain else 0, _KIND_OF_UNCONNECTED_STREAM[LISTENING]
        if self.state != CONNECTED:
            return 0, _KIND_OF_UNCONNECTED_STREAM[self.state]
        if self.broken:
            return 0, _KIND_REFERENCE
        flags = (0 if self.receive_off else _RECV) | (0 if self.send_off or self.receive_off else _SEND)
        return flags, _KIND_REFERENCE if self.receive_off or self.options.get(_OOBINLINE) else _KIND_STREAM

    def _datagram_capabilities(self) -> tuple[int, int]:
        same_layout = self.bound and is_same_layout(self.family)
        flags, kind = 0, _KIND_REFERENCE
        if not (self.receive_off or self.refused or self.extra):
            flags = (_RECV if self.bound else 0) | (_RECVFROM if same_layout else 0)
            kind = _KIND_DATAGRAM
        if not self.send_off:
            flags |= (_SEND if self.state == CONNECTED else 0) | (_SENDTO if same_layout else 0)
        return flags, kind

    def readable_descriptors(self) -> tuple[Any, ...]:
        """The owners of the descriptors at which datagrams arrive, in the order in which recv looks at them."""
        every = (self, *(extra for extra in self.extra if extra.fd >= 0))
        return every[self.next_descriptor :] + every[: self.next_descriptor]

    def received_from(self, descriptor: Any, peeked: bool) -> None:
        """Makes the next recv begin with the next descriptor, or after a peek with the same one."""
        every = (self, *(extra for extra in self.extra if extra.fd >= 0))
        if descriptor in every:
            self.next_descriptor = (every.index(descriptor) + (not peeked)) % len(every)

    def events_by_descriptor(self, events: int) -> dict[int, int]:
        """What to poll for: the events at the socket's own descriptor, data at the others too."""
        reading = events & waiting.POLLIN
        return {self.fd: events, **({extra.fd: reading for extra in self.extra} if reading else {})}

    def close_descriptor(self) -> None:
        """Closes the descriptors, unless that has been done."""
        for extra in self.extra:
            extra.close_descriptor()
        super().close_descriptor()

    def update_connect_state(self) -> None:
        """Ends CONNECTING if the kernel has finished the connect, or if the listener's queue stays full."""
        if self.state != CONNECTING:
            return
        if not waiting.poll_now(self.fd, waiting.POLLOUT):
            if self.next_queue_check is not None and waiting.monotonic() >= self.next_queue_check:
                self._check_listen_queue()
            return
        with error_lock:
            number = system.take_error(self.fd)
            if self.state != CONNECTING:
                return
            if number:
                self.connect_failed(winsock_error(number))
            elif self.shared and not system.has_peer(self.fd):
                self.connect_failed(WSAECONNREFUSED)  # most probably; the other process has got the error
            else:
                self.connect_succeeded()

    def _check_listen_queue(self) -> None:
        with error_lock:
            if self.state != CONNECTING or self.peer is None:
                return
            full = listen_queues.is_full(query_sockaddr(self) or self.peer, self.peer)
            self.next_queue_check = None if full is None else waiting.monotonic() + _QUEUE_CHECK_INTERVAL
            if full and not waiting.poll_now(self.fd, waiting.POLLOUT):
                self.connect_failed(WSAECONNREFUSED)
                disconnect(self)

    def connect_begun(self, name: bytes) -> None:
        self.next_queue_check = waiting.monotonic() + _FIRST_QUEUE_CHECK
        self.attempt, self.peer, self.state = Attempt(), name, CONNECTING
        self.update_capabilities()

    def connect_succeeded(self) -> None:
        self.state, self.connect_error, self.connected_at = CONNECTED, 0, waiting.monotonic()
        self.update_capabilities()

    def connect_failed(self, error: int) -> None:
        if self.state == CONNECTING:
            self.attempt.error = error
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

    def abort_if_unread(self) -> bool:
        """Resets the connection of a stream that receives no more but has unread data; whether it has done so.

        Winsock does so in shutdown, or when the data arrives. Here shutdown, and later send, select and WSAPoll check
        the socket, the last two also while they wait; close resets the connection in any case. A recv that waits in
        another thread gets the data first.
        """
        with error_lock:
            if self.broken or self._has_waiting_recv() or system.bytes_available(self.fd) <= 0:
                return False
            self.name_when_aborted = system.getsockname(self.fd)[1]
            self.mark_broken(WSAECONNABORTED)  # first: a send that the reset ends reports this error
            system.abort(self.fd)
        return True

    def _has_waiting_recv(self) -> bool:
        waits = [reference() for reference in self.waiters or ()]
        return any(wait is not None and wait.receives and not wait.ended for wait in waits)

    def mark_refused(self) -> None:
        """Remembers for the next recv that a port was closed."""
        self.refused = True
        self.update_capabilities()

    def forget_refusals(self) -> None:
        """Also empties the kernel's queue of ICMP errors, which would keep the socket readable."""
        self.refused = False
        self.update_capabilities()
        system.clear_error_queue(self.fd)


def query_sockaddr(sock: Socket) -> bytes | None:
    """The local address that the kernel has for the socket; None where it has none."""
    result, name = system.getsockname(sock.fd)
    return None if result < 0 else name


def disconnect(sock: Socket) -> None:
    """Ends an association or a failed connect. The socket keeps its port, which the kernel may have taken from it."""
    with error_lock:  # another thread may be about to end the connect that has failed
        local = sock.local or (query_sockaddr(sock) if sock.bound else None)
        system.disconnect(sock.fd)
        if local is not None:
            _bind_again(sock, local)


def _bind_again(sock: Socket, local: bytes) -> None:
    """Binds the socket to the address that it had; fails where the kernel has left it bound."""
    # Extra descriptors have the port too, also those that a forked child keeps open.
    if not sock.stream:
        system.set_option(sock.fd, SOL_SOCKET, SO_REUSEADDR, 1)
    system.bind(sock.fd, local)
    if not sock.stream:
        system.set_option(sock.fd, SOL_SOCKET, SO_REUSEADDR, sock.options.get((SOL_SOCKET, SO_REUSEADDR), 0))


def release_unused_port(sock: Socket) -> None:
    """Unbinds a datagram socket for which the kernel has chosen a port in a call that then failed."""
    if sock.type == SOCK_DGRAM and not sock.bound:
        system.disconnect(sock.fd)
