"""select, WSAPoll.

Both ask the kernel's poll about descriptors, and read its answer together with what Winsock remembers of the sockets:
the kernel may report an event that Winsock does not (a hang-up of a fresh stream), or report once what Winsock reports
always (an error). Inside this module both calls express what they want with WSAPoll's bits: select's three sets are
POLLRDNORM, POLLWRNORM and POLLRDBAND.

A call polls once without waiting. If nothing is ready it registers a Wait for all its sockets (see state.waiters) and
polls again, with the wake-up descriptor as one more entry, until a socket is ready or the time is over.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from winsock.arguments import as_int, as_uint
from winsock.constants import (
    MSG_PEEK,
    POLLERR,
    POLLHUP,
    POLLNVAL,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRNORM,
    SO_OOBINLINE,
    SOL_SOCKET,
)
from winsock.errors import WSAECONNABORTED, WSAEFAULT, WSAEINVAL, WSAENOBUFS, WSAENOTSOCK, WSANOTINITIALISED
from winsock.structures import WSAPOLLFD, Buffer, ConstBuffer, fd_set_over, timeval

from ..posix import system, waiting
from ..posix.errnos import winsock_error
from ..state import handles
from ..state.last_error import fail
from ..state.sockets import CONNECTED, CONNECTING, FAILED, LISTENING, Socket, error_lock
from ..state.waiters import begin_wait, end_wait, milliseconds_left, table
from .pointers import as_input_buffer, as_output_buffer, is_accessible

_READ, _WRITE, _URGENT = POLLRDNORM, POLLWRNORM, POLLRDBAND
_NOT_A_SOCKET = -1  # a result of _select_result

# From a socket, the bits wanted and the kernel's revents: the bits that the call reports, 0 if it is not ready.
_Result = Callable[[Socket, int, int], int]


class _Set(NamedTuple):
    """One of select's fd_sets: what it wants to know, and its members when the call began."""

    fds: Any
    wanted: int
    members: list[int] | None  # None where the count exceeds the room for handles


def _set_over(fds: Buffer) -> Any:
    """An fd_set over a buffer; None where that is too short or does not exist."""
    found = fd_set_over(fds)
    return found if is_accessible(fds) else None


def _members(fds: Any) -> list[int] | None:
    """The members of an fd_set. The count is read once: another thread may change the memory meanwhile."""
    if fds is None:
        return None
    count: int = fds.fd_count
    return None if count > len(fds.fd_array) else fds.fd_array[:count]


def select(
    nfds: int,
    readfds: Buffer | None,
    writefds: Buffer | None,
    exceptfds: Buffer | None,
    timeout: ConstBuffer | None,
) -> int:
    as_int(nfds)
    given = [
        (_set_over(fds), wanted)
        for fds, wanted in ((readfds, _READ), (writefds, _WRITE), (exceptfds, _URGENT))
        if fds is not None
    ]
    limit = None if timeout is None else as_input_buffer(timeout)
    if not handles.started():
        return fail(WSANOTINITIALISED)
    sets = [_Set(fds, wanted, _members(fds)) for fds, wanted in given]
    if any(one.members is None for one in sets):
        return fail(WSAEFAULT)  # a byte array shorter than an fd_set, or an fd_set that has more members than room
    if limit is not None and limit.nbytes < ctypes.sizeof(timeval):
        return fail(WSAEFAULT)
    seconds = None if limit is None else timeval.from_buffer_copy(limit.tobytes())
    if not any(one.members for one in sets) or (seconds and _is_negative(seconds)):
        return fail(WSAEINVAL)
    deadline = None if seconds is None else waiting.monotonic() + seconds.tv_sec + seconds.tv_usec / 1e6
    return _select_sets(sets, deadline)


def _is_negative(time: timeval) -> bool:
    return bool(time.tv_sec < 0 or time.tv_usec < 0)


def _select_sets(sets: Sequence[_Set], deadline: float | None) -> int:
    """Waits for the members of checked sets, and leaves the ready ones in the sets."""
    wants: dict[int, int] = {}
    for one in sets:
        for handle in one.members or ():
            wants[handle] = wants.get(handle, 0) | one.wanted
    sockets: list[Socket | None] = [table.get(handle) for handle in wants]
    found = [sock for sock in sockets if sock is not None]
    if len(found) != len(sockets):
        return fail(WSAENOTSOCK)
    results = _wait(found, list(wants.values()), _select_result, 0, deadline)
    if results is None:
        return fail(WSAENOBUFS)
    if _NOT_A_SOCKET in results:
        return fail(WSAENOTSOCK)
    return _keep_ready(sets, dict(zip(wants, results, strict=True)))


def _keep_ready(sets: Sequence[_Set], bits: Mapping[int, int]) -> int:
    """Reduces the sets to the ready sockets, each once; their number in all sets together."""
    # By address: the same fd_set may have been passed twice. The memory is not read again: other sets may overlap it.
    kept: dict[int, dict[int, None]] = {}
    for fds, wanted, members in sets:
        ready = dict.fromkeys(handle for handle in members or () if bits[handle] & wanted)
        kept.setdefault(ctypes.addressof(fds), {}).update(ready)
    for fds, _, _ in sets:
        ready_handles = list(kept[ctypes.addressof(fds)])[: len(fds.fd_array)]
        fds.fd_array[: len(ready_handles)] = ready_handles
        fds.fd_count = len(ready_handles)
    return sum(map(len, kept.values()))


def _select_result(sock: Socket, wants: int, revents: int) -> int:
    """The sets that the socket belongs in."""
    if sock.closed:
        return wants & _READ or _NOT_A_SOCKET
    if sock.state == FAILED:
        return wants & _URGENT
    ready = 0
    has_data = revents & (waiting.POLLIN | waiting.POLLRDHUP) or sock.broken or sock.refused
    if has_data and not sock.receive_off:
        ready |= _READ
    if revents & waiting.POLLOUT or sock.broken:
        ready |= _WRITE
    if revents & waiting.POLLPRI and not sock.broken:
        ready |= _URGENT
    return ready & wants


_EVENTS = POLLRDNORM | POLLRDBAND | POLLWRNORM
_ENTRY = struct.Struct("=QhhI" if ctypes.sizeof(WSAPOLLFD) == 16 else "=Ihh")


def WSAPoll(fdArray: Buffer | None, fds: int, timeout: int) -> int:
    array, count, limit = None if fdArray is None else as_output_buffer(fdArray), as_uint(fds), as_int(timeout)
    if not handles.started():
        return fail(WSANOTINITIALISED)
    if count == 0:
        return fail(WSAEINVAL)
    if array is None or count * _ENTRY.size > len(array):
        return fail(WSAEFAULT)
    entries = [entry[:2] for entry in _ENTRY.iter_unpack(memoryview(array)[: count * _ENTRY.size])]
    sockets: list[Socket | None] = [table.get(handle) for handle, _ in entries]
    valid = [(place, sock) for place, sock in enumerate(sockets) if sock is not None]
    if any(entries[place][1] & ~_EVENTS for place, _ in valid):
        return fail(WSAEINVAL)
    revents = [POLLNVAL if sock is None else 0 for sock in sockets]
    ready = 0
    if valid:
        deadline = waiting.monotonic() + limit / 1000 if limit >= 0 else None
        wants = [entries[place][1] for place, _ in valid]
        results = _wait([sock for _, sock in valid], wants, _poll_result, waiting.POLLRDHUP, deadline)
        if results is None:
            return fail(WSAENOBUFS)
        for (place, _), bits in zip(valid, results, strict=True):
            revents[place] = bits
        ready = sum(bits != 0 for bits in results)
    polled = (WSAPOLLFD * count).from_buffer(array)
    for entry, bits in zip(polled, revents, strict=True):
        entry.revents = bits
    return ready if valid else fail(WSAENOTSOCK)


def _poll_result(sock: Socket, wants: int, revents: int) -> int:
    """The revents that WSAPoll reports."""
    if sock.closed:
        return POLLNVAL
    if sock.state == FAILED or sock.broken:
        return POLLERR | POLLHUP | (wants & _WRITE)
    ended = revents & (waiting.POLLRDHUP | waiting.POLLHUP)
    ready = POLLHUP if ended and sock.stream else 0
    if (
        not sock.receive_off
        and (revents & waiting.POLLIN or sock.refused)
        and (not ended or system.recv(sock.fd, bytearray(1), MSG_PEEK) > 0)
    ):
        ready |= wants & _READ
    if revents & waiting.POLLOUT:
        ready |= wants & _WRITE
    if revents & waiting.POLLPRI:
        ready |= wants & _URGENT
    return ready


def _kernel_events(sock: Socket, wants: int) -> int:
    """The events to poll a socket for; 0 where it cannot become ready before its state changes."""
    if sock.closed or (sock.stream and sock.state not in (CONNECTING, CONNECTED, LISTENING)):
        return 0
    if sock.state == CONNECTING:
        return waiting.POLLOUT
    events = waiting.POLLIN if wants & _READ and not sock.receive_off else 0
    if sock.state == LISTENING:
        return events
    if wants & _WRITE:
        events |= waiting.POLLOUT
    if wants & _URGENT and not sock.options.get((SOL_SOCKET, SO_OOBINLINE)):
        events |= waiting.POLLPRI
    return events


def _remember_errors(sock: Socket, revents: int) -> None:
    """Updates the socket's state from what poll reported, while the kernel still reports it."""
    if sock.state == CONNECTING:
        sock.update_connect_state()
        return
    if not revents & waiting.POLLERR:
        return
    with error_lock:
        number = system.take_error(sock.fd)
        if sock.stream:
            if number:
                sock.mark_broken(WSAECONNABORTED if number == errno.EPIPE else winsock_error(number))
        elif sock.port_reset and (sock.refused or number == errno.ECONNREFUSED):
            sock.mark_refused()
        else:
            sock.forget_refusals()


class _Poll:
    """One call's sockets: what to poll each for, and what the results mean."""

    def __init__(self, sockets: Sequence[Socket], wants: Sequence[int], result_of: _Result, always: int) -> None:
        """`always` are events to poll every connected stream for."""
        self.sockets, self.wants, self.result_of, self.always = sockets, wants, result_of, always
        self.entries: list[tuple[int, int]] = []
        # The places of sockets of which poll repeats something that Winsock does not report: not polled again, until a
        # wake-up says that a state has changed.
        self.ignored: set[int] = set()

    def by_state(self) -> list[int]:
        """Prepares the entries; the results of the sockets whose state alone decides, 0 for the others."""
        results, self.entries = [0] * len(self.sockets), []
        for place, sock in enumerate(self.sockets):
            sock.update_connect_state()
            events = _kernel_events(sock, self.wants[place])
            if sock.stream and sock.state == CONNECTED:
                events |= self.always
            self.entries.append((-1 if not events or place in self.ignored else sock.fd, events))
            if sock.closed or sock.state == FAILED or sock.broken or sock.refused:
                results[place] = self.result_of(sock, self.wants[place], 0)
        return results

    def by_kernel(self, all_revents: Iterable[int], results: list[int]) -> None:
        """Adds what poll reported to the results."""
        for place, (sock, revents) in enumerate(zip(self.sockets, all_revents, strict=False)):
            if not revents:
                continue
            state = sock.state
            _remember_errors(sock, revents)
            results[place] = self.result_of(sock, self.wants[place], revents)
            if not results[place] and sock.stream and sock.state == state:
                self.ignored.add(place)


def _wait(
    sockets: Sequence[Socket], wants: Sequence[int], result_of: _Result, always: int, deadline: float | None
) -> list[int] | None:
    """The result bits of each socket, once one has any or the deadline has passed.

    None if the kernel cannot poll so many descriptors.
    """
    poll = _Poll(sockets, wants, result_of, always)
    results = poll.by_state()
    revents = waiting.poll(poll.entries, 0)
    if revents is None:
        return None
    poll.by_kernel(revents, results)
    if any(results) or milliseconds_left(deadline) == 0:
        return results
    wait = begin_wait(sockets)
    try:
        while True:
            # Check the state again first: a change before begin_wait has woken no waiter.
            results = poll.by_state()
            left = 0 if any(results) else milliseconds_left(deadline)
            entries = [*poll.entries, (wait.wakeup.read_end, waiting.POLLIN)]
            revents = waiting.poll(entries, wait.wakeup.limited(left))
            if revents is None:
                return None
            poll.by_kernel(revents, results)
            woken = bool(revents and revents[-1])
            if woken:
                wait.wakeup.drain()
                poll.ignored.clear()
            if any(results) or (left == 0 and not woken):
                return results
    finally:
        end_wait(wait)


def examine_poll(sock: Socket, wants: int) -> int:
    """The revents that WSAPoll reports for one socket now: for the accelerator, which decides the common cases."""
    return _examine(sock, wants, _poll_result, waiting.POLLRDHUP)


def examine_select(sock: Socket, wants: int) -> int:
    """As examine_poll, for select: the sets that the socket belongs in; negative where it was closed meanwhile."""
    return _examine(sock, wants, _select_result, 0)


def _examine(sock: Socket, wants: int, result_of: _Result, always: int) -> int:
    poll = _Poll((sock,), (wants,), result_of, always)
    results = poll.by_state()
    poll.by_kernel(waiting.poll(poll.entries, 0) or (), results)
    return results[0]
