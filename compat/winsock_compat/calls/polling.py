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
from array import array as array_of_shorts
from collections.abc import Callable, Mapping, Sequence
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
from ..state.flags import PollKind
from ..state.last_error import fail
from ..state.sockets import CONNECTED, CONNECTING, FAILED, LISTENING, Socket, error_lock
from ..state.waiters import begin_wait, end_wait, milliseconds_left, table
from .pointers import as_input_buffer, as_output_buffer, is_accessible

_READ, _WRITE, _URGENT = POLLRDNORM, POLLWRNORM, POLLRDBAND
_KIND_REFERENCE = int(PollKind.REFERENCE)
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
    wants: dict[Any, int] = {}  # by socket; the members without one are together under None
    for one in sets:
        for sock in map(table.get, one.members or ()):
            wants[sock] = wants.get(sock, 0) | one.wanted
    if None in wants:
        return fail(WSAENOTSOCK)
    results = _wait(wants, _select_result, 0, deadline)
    if results is None:
        return fail(WSAENOBUFS)
    if _NOT_A_SOCKET in results.values():
        return fail(WSAENOTSOCK)
    return _keep_ready(sets, {sock.handle: bits for sock, bits in results.items()})


def _keep_ready(sets: Sequence[_Set], ready: Mapping[int, int]) -> int:
    """Reduces the sets to the ready sockets, each once; their number in all sets together. `ready` has their bits."""
    # By address: the same fd_set may have been passed twice. The memory is not read again: other sets may overlap it.
    kept: dict[int, dict[int, None]] = {}
    for fds, wanted, members in sets:
        found = filter(ready.__contains__, members or ())
        kept.setdefault(ctypes.addressof(fds), {}).update({handle: None for handle in found if ready[handle] & wanted})
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
_UNREQUESTED = POLLERR | POLLHUP | POLLNVAL
_ENTRY_SIZE = ctypes.sizeof(WSAPOLLFD)


def _fields(entries: memoryview, field: Any, format: str) -> memoryview:
    """One field of all entries of WSAPoll's array."""
    items: memoryview = entries.cast(format)  # type: ignore[call-overload]
    return items[field.offset // items.itemsize :: _ENTRY_SIZE // items.itemsize]


def WSAPoll(fdArray: Buffer | None, fds: int, timeout: int) -> int:
    array, count, limit = None if fdArray is None else as_output_buffer(fdArray), as_uint(fds), as_int(timeout)
    if not handles.started():
        return fail(WSANOTINITIALISED)
    if count == 0:
        return fail(WSAEINVAL)
    if array is None or count * _ENTRY_SIZE > len(array):
        return fail(WSAEFAULT)
    entries = array[: count * _ENTRY_SIZE]
    events = _fields(entries, WSAPOLLFD.events, "h").tolist()
    sockets: list[Any] = [*map(table.get, _fields(entries, WSAPOLLFD.fd, "N").tolist())]
    wants: dict[Any, int] = {}
    for sock, wanted in zip(sockets, events, strict=True):
        wants[sock] = wants.get(sock, 0) | wanted
    wants.pop(None, 0)  # the events of the entries without a socket
    if any(wanted & ~_EVENTS for wanted in {*wants.values()}):
        return fail(WSAEINVAL)
    deadline = waiting.monotonic() + limit / 1000 if limit >= 0 else None
    results = _wait(wants, _poll_result, waiting.POLLRDHUP, deadline) if wants else {}
    if results is None:
        return fail(WSAENOBUFS)
    results[None] = POLLNVAL
    found = results.get
    revents = [found(sock, 0) & (wanted | _UNREQUESTED) for sock, wanted in zip(sockets, events, strict=True)]
    _fields(entries, WSAPOLLFD.revents, "h")[:] = array_of_shorts("h", revents)
    return count - revents.count(0) - sockets.count(None) if wants else fail(WSAENOTSOCK)


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

    def __init__(self, wants: Mapping[Socket, int], result_of: _Result, always: int) -> None:
        """`always` are events to poll every connected stream for."""
        self.wants, self.result_of, self.always = wants, result_of, always
        self.entries: dict[int, int] = {}  # the events to poll for, by descriptor
        self.polled: dict[int, Socket] = {}  # likewise
        # Sockets of the same kind that want the same are polled for the same events: by kind and bits wanted. The
        # reference kind is not in it: those sockets are in different states.
        self.known: list[dict[int, int]] = [{} for _ in range(len(PollKind))]
        # Sockets of which poll repeats something that Winsock does not report: not polled again, until a wake-up says
        # that a state has changed.
        self.ignored: set[Socket] = set()

    def by_state(self) -> dict[Any, int]:
        """Prepares the entries; the results of the sockets whose state alone decides."""
        results: dict[Any, int] = {}
        self.entries, self.polled = entries, polled = {}, {}
        known = self.known
        for sock, wants in self.wants.items():
            events = known[sock.poll_kind].get(wants)
            if events is None:
                events = self._look_at_state(sock, wants, results)
            if events:
                fd = sock.fd
                entries[fd], polled[fd] = events, sock
        for sock in self.ignored:
            entries.pop(sock.fd, None)
        return results

    def _look_at_state(self, sock: Socket, wants: int, results: dict[Any, int]) -> int:
        """The events to poll a socket for; adds its result where the state decides."""
        sock.update_connect_state()
        kind, events = sock.poll_kind, _kernel_events(sock, wants)
        if sock.stream and sock.state == CONNECTED:
            events |= self.always
        if kind != _KIND_REFERENCE:
            self.known[kind][wants] = events
        elif sock.closed or sock.state == FAILED or sock.broken or sock.refused:
            self._report(sock, self.result_of(sock, wants, 0), results)
        return events

    @staticmethod
    def _report(sock: Socket, result: int, results: dict[Any, int]) -> None:
        if result:
            results[sock] = result
        else:
            results.pop(sock, None)

    def by_kernel(self, ready: Mapping[int, int], results: dict[Any, int]) -> None:
        """Adds what poll reported to the results."""
        for fd, revents in ready.items():
            sock = self.polled.get(fd)
            if sock is None:
                continue  # the wake-up descriptor
            state = sock.state
            _remember_errors(sock, revents)
            result = self.result_of(sock, self.wants[sock], revents)
            self._report(sock, result, results)
            if not result and sock.stream and sock.state == state:
                self.ignored.add(sock)


def _wait(
    wants: Mapping[Socket, int], result_of: _Result, always: int, deadline: float | None
) -> dict[Any, int] | None:
    """The result bits of the ready sockets, once there is one or the deadline has passed.

    None if the kernel cannot poll so many descriptors.
    """
    poll = _Poll(wants, result_of, always)
    results = poll.by_state()
    ready = waiting.poll(poll.entries, 0)
    if ready is None:
        return None
    poll.by_kernel(ready, results)
    if results or milliseconds_left(deadline) == 0:
        return results
    wait = begin_wait(wants)
    try:
        while True:
            # Check the state again first: a change before begin_wait has woken no waiter.
            results = poll.by_state()
            left = 0 if results else milliseconds_left(deadline)
            ready = waiting.poll({**poll.entries, wait.wakeup.read_end: waiting.POLLIN}, wait.wakeup.limited(left))
            if ready is None:
                return None
            poll.by_kernel(ready, results)
            woken = wait.wakeup.read_end in ready
            if woken:
                wait.wakeup.drain()
                poll.ignored.clear()
            if results or (left == 0 and not woken):
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
    poll = _Poll({sock: wants}, result_of, always)
    results = poll.by_state()
    poll.by_kernel(waiting.poll(poll.entries, 0) or {}, results)
    return results.get(sock, 0)
