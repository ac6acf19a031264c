"""select, WSAPoll.

Both ask the host's poll about descriptors and read its answer in the light of what Winsock remembers of the sockets.
"""

from __future__ import annotations

import ctypes
import errno
import struct
import time
from collections.abc import Callable, Mapping, Sequence

from winsock.arguments import as_input_buffer as readable
from winsock.arguments import as_int, as_uint
from winsock.arguments import as_output_buffer as writable
from winsock.constants import (
    POLLERR,
    POLLHUP,
    POLLNVAL,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRNORM,
    SO_OOBINLINE,
    SOL_SOCKET,
)
from winsock.errors import WSAECONNABORTED, WSAEFAULT, WSAEINVAL, WSAENOTSOCK, WSANOTINITIALISED
from winsock.structures import WSAPOLLFD, Buffer, ConstBuffer, fd_set_over, timeval

from . import handles, libc
from .errnos import fail, translated
from .handles import CONNECTED, CONNECTING, FAILED, LISTENING, Socket, table
from .libc import ffi, lib
from .transfer import forget_refusals
from .waits import begin_wait, end_wait, milliseconds_left

_READ, _WRITE, _EXCEPT = 1, 2, 4
_NONE: Mapping[int, Socket] = {}

# What is asked about each socket, and how the host's revents are read: the call's own result bits, 0 when not ready.
_Reading = Callable[[Socket, int, int], int]


def select(
    nfds: int,
    readfds: Buffer | None,
    writefds: Buffer | None,
    exceptfds: Buffer | None,
    timeout: ConstBuffer | None,
) -> int:
    return select_checked(nfds, readfds, writefds, exceptfds, timeout)


def select_checked(
    nfds: int,
    readfds: Buffer | None,
    writefds: Buffer | None,
    exceptfds: Buffer | None,
    timeout: ConstBuffer | None,
    gone: Mapping[int, Socket] = _NONE,
    until: float | None = None,
) -> int:
    """The long way of select. `gone` are sockets closed since the call began, `until` the end of its time."""
    as_int(nfds)
    sets = [None if fds is None else fd_set_over(fds) for fds in (readfds, writefds, exceptfds)]
    limit = None if timeout is None else readable(timeout)
    if not handles.started():
        return fail(WSANOTINITIALISED)
    given = [(fds, bit) for fds, bit in zip(sets, (_READ, _WRITE, _EXCEPT), strict=True) if fds is not None]
    if len(given) != sum(fds is not None for fds in (readfds, writefds, exceptfds)):
        return fail(WSAEFAULT)  # a byte array shorter than an fd_set
    if any(fds.fd_count > len(fds.fd_array) for fds, _ in given) or (limit is not None and limit.nbytes < 8):
        return fail(WSAEFAULT)
    wants: dict[int, int] = {}
    members = [(fds, bit, fds.fd_array[: fds.fd_count]) for fds, bit in given]
    for _, bit, names in members:
        for handle in names:
            wants[handle] = wants.get(handle, 0) | bit
    if not wants:
        return fail(WSAEINVAL)
    sockets = [table.get(handle) or gone.get(handle) for handle in wants]
    deadline = until
    if limit is not None and until is None:
        seconds = timeval.from_buffer_copy(limit.tobytes())
        if seconds.tv_sec < 0 or seconds.tv_usec < 0:
            return fail(WSAEINVAL)
        deadline = time.monotonic() + seconds.tv_sec + seconds.tv_usec / 1e6
    found = [sock for sock in sockets if sock is not None]
    if len(found) != len(sockets):
        return fail(WSAENOTSOCK)
    ready = _wait(found, list(wants.values()), _select_reading, 0, deadline)
    if -1 in ready:
        return fail(WSAENOTSOCK)
    bits = dict(zip(wants, ready, strict=True))
    for fds, _ in given:
        fds.fd_count = 0
    count = 0
    for fds, bit, names in members:
        kept = list(dict.fromkeys(handle for handle in names if bits[handle] & bit))
        here = fds.fd_array[: fds.fd_count]
        new = [handle for handle in kept if handle not in here]
        fds.fd_array[len(here) : len(here) + len(new)] = list(new)
        fds.fd_count = len(here) + len(new)
        count += len(new)
    return count


def _select_reading(sock: Socket, wants: int, revents: int) -> int:
    """Which of the three sets the socket belongs in."""
    if sock.closed:
        return wants & _READ or -1
    if sock.stage == FAILED:
        return wants & _EXCEPT
    ready = 0
    if not sock.receive_off and (revents & (libc.POLLIN | libc.POLLRDHUP) or sock.broken or sock.refused):
        ready |= _READ
    if revents & libc.POLLOUT or sock.broken:
        ready |= _WRITE
    if revents & libc.POLLPRI and not sock.broken:
        ready |= _EXCEPT
    return ready & wants


_EVENTS = POLLRDNORM | POLLRDBAND | POLLWRNORM
_ENTRY = struct.Struct("=QhhI" if ctypes.sizeof(WSAPOLLFD) == 16 else "=Ihh")


def WSAPoll(fdArray: Buffer | None, fds: int, timeout: int) -> int:
    return poll_checked(fdArray, fds, timeout)


def poll_checked(
    fdArray: Buffer | None, fds: int, timeout: int, gone: Mapping[int, Socket] = _NONE, until: float | None = None
) -> int:
    """The long way of WSAPoll. `gone` are sockets closed since the call began, `until` the end of its time."""
    array, count, limit = None if fdArray is None else writable(fdArray), as_uint(fds), as_int(timeout)
    if not handles.started():
        return fail(WSANOTINITIALISED)
    if count == 0:
        return fail(WSAEINVAL)
    if array is None or count * _ENTRY.size > len(array):
        return fail(WSAEFAULT)
    entries = [entry[:2] for entry in _ENTRY.iter_unpack(memoryview(array)[: count * _ENTRY.size])]
    sockets, wants, places = [], [], []
    revents = [0] * count
    for place, (handle, events) in enumerate(entries):
        sock = table.get(handle) or gone.get(handle)
        if sock is None:
            revents[place] = POLLNVAL
            continue
        if events & ~_EVENTS:
            return fail(WSAEINVAL)
        sockets.append(sock)
        wants.append(events)
        places.append(place)
    result = 0
    if sockets:
        deadline = until
        if until is None and limit >= 0:
            deadline = time.monotonic() + limit / 1000
        for place, bits in zip(places, _wait(sockets, wants, _poll_reading, libc.POLLRDHUP, deadline), strict=True):
            revents[place] = bits
            result += bits != 0
    polled = (WSAPOLLFD * count).from_buffer(array)
    for place, bits in enumerate(revents):
        polled[place].revents = bits
    return result if sockets else fail(WSAENOTSOCK)


def _poll_reading(sock: Socket, wants: int, revents: int) -> int:
    """The revents that Winsock shows."""
    if sock.closed:
        return POLLNVAL
    if sock.stage == FAILED or sock.broken:
        return POLLERR | POLLHUP | (wants & POLLWRNORM)
    ended = revents & (libc.POLLRDHUP | libc.POLLHUP)
    ready = POLLHUP if ended and sock.stream else 0
    if not sock.receive_off and (revents & libc.POLLIN or sock.refused) and (not ended or _has_data(sock)):
        ready |= wants & POLLRDNORM
    if revents & libc.POLLOUT:
        ready |= wants & POLLWRNORM
    if revents & libc.POLLPRI:
        ready |= wants & POLLRDBAND
    return ready


def _has_data(sock: Socket) -> bool:
    return bool(lib.recv(sock.fd, ffi.new("char[1]"), 1, 2) > 0)


def _host_events(sock: Socket, wants: int) -> int:
    """What to ask the host about a socket; 0 where it can't become ready before its state changes."""
    if sock.closed or (sock.stream and sock.stage not in (CONNECTING, CONNECTED, LISTENING)):
        return 0
    if sock.stage == CONNECTING:
        return libc.POLLOUT
    events = libc.POLLIN if wants & (_READ | POLLRDNORM) and not sock.receive_off else 0
    if sock.stage == LISTENING:
        return events
    if wants & (_WRITE | POLLWRNORM):
        events |= libc.POLLOUT
    if wants & (_EXCEPT | POLLRDBAND) and not sock.options.get((SOL_SOCKET, SO_OOBINLINE)):
        events |= libc.POLLPRI
    return events


def _understood(sock: Socket, revents: int) -> int:
    """Takes over into the socket's state what the host says of errors, and gives back the revents."""
    if sock.stage == CONNECTING:
        sock.settle()
    elif revents & libc.POLLERR:
        number = sock.errno_of_descriptor()
        if not sock.stream:
            if sock.port_reset and (sock.refused or number == errno.ECONNREFUSED):
                sock.refused = True
                sock.update()
            else:
                forget_refusals(sock)
        elif number:
            sock.break_off(WSAECONNABORTED if number == errno.EPIPE else translated(number))
    return revents


class _Look:
    """One call's sockets, with what is asked of each, in the form that the host's poll takes."""

    def __init__(self, sockets: Sequence[Socket], wants: Sequence[int], reading: _Reading, always: int) -> None:
        self.sockets, self.wants, self.reading, self.always = sockets, wants, reading, always
        self.entries = ffi.new("struct pollfd[]", len(sockets) + 1)
        self.quiet: set[int] = set()  # the host repeats something of them that means nothing to Winsock

    def by_state(self) -> list[int]:
        """Fills in the entries; the results of those sockets whose state alone decides."""
        results = [0] * len(self.sockets)
        for place, sock in enumerate(self.sockets):
            sock.settle()
            events = _host_events(sock, self.wants[place])
            if sock.stream and sock.stage == CONNECTED:
                events |= self.always
            entry = self.entries[place]
            entry.fd, entry.events = (-1 if not events or place in self.quiet else sock.fd), events
            if sock.closed or sock.stage == FAILED or sock.broken or sock.refused:
                results[place] = self.reading(sock, self.wants[place], 0)
        return results

    def by_host(self, results: list[int]) -> None:
        """Reads what poll answered."""
        for place, sock in enumerate(self.sockets):
            revents = self.entries[place].revents
            if revents:
                stage = sock.stage
                results[place] = self.reading(sock, self.wants[place], _understood(sock, revents))
                if not results[place] and sock.stream and sock.stage == stage:
                    self.quiet.add(place)


def _wait(
    sockets: Sequence[Socket], wants: Sequence[int], reading: _Reading, always: int, deadline: float | None
) -> list[int]:
    """The result bits of each socket, once one has any or the deadline has passed."""
    look = _Look(sockets, wants, reading, always)
    count = len(sockets)
    results = look.by_state()
    if lib.poll(look.entries, count, 0) > 0:
        look.by_host(results)
    if any(results) or milliseconds_left(deadline) == 0:
        return results
    waiter = begin_wait(sockets)
    try:
        look.entries[count].fd, look.entries[count].events = waiter.read_end, libc.POLLIN
        while True:
            # Again from the start: a change of state before begin_wait has woken nobody.
            results = look.by_state()
            left = 0 if any(results) else milliseconds_left(deadline)
            if lib.poll(look.entries, count + 1, left) > 0:
                look.by_host(results)
                if look.entries[count].revents:
                    waiter.drain()
                    look.quiet.clear()
                    if not any(results):
                        continue
            if any(results) or left == 0:
                return results
    finally:
        end_wait(waiter)
