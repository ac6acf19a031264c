"""select, WSAPoll: their arguments, and what they report. readiness polls the sockets and waits."""

from __future__ import annotations

import ctypes
from array import array as array_of_shorts
from collections.abc import Mapping, Sequence
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
)
from winsock.errors import WSAEFAULT, WSAEINVAL, WSAENOBUFS, WSAENOTSOCK, WSANOTINITIALISED
from winsock.structures import WSAPOLLFD, Buffer, ConstBuffer, fd_set_over, timeval

from ..posix import system, waiting
from ..state import handles
from ..state.last_error import fail
from ..state.sockets import FAILED, Socket
from ..state.waiters import table
from .pointers import as_input_buffer, as_output_buffer, is_accessible
from .readiness import READ, URGENT, WRITE, examine, wait_until_ready

_NOT_A_SOCKET = -1  # a result of _select_result


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
        for fds, wanted in ((readfds, READ), (writefds, WRITE), (exceptfds, URGENT))
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
    results = wait_until_ready(wants, _select_result, 0, deadline)
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
        return wants & READ or _NOT_A_SOCKET
    if sock.state == FAILED:
        return wants & URGENT
    ready = 0
    has_data = revents & (waiting.POLLIN | waiting.POLLRDHUP) or sock.refused
    if sock.broken or (has_data and not sock.receive_off):
        ready |= READ
    if revents & waiting.POLLOUT or sock.broken:
        ready |= WRITE
    if revents & waiting.POLLPRI and not sock.broken:
        ready |= URGENT
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
    # The events of the bad handles before the first socket are not checked; those of later ones are.
    first = next((at for at, sock in enumerate(sockets) if sock is not None), count) if None in wants else 0
    wants.pop(None, 0)
    if any(wanted & ~_EVENTS for wanted in {*events[first:]}):
        _fields(entries, WSAPOLLFD.revents, "h")[:] = array_of_shorts("h", [0] * count)
        return fail(WSAEINVAL)
    deadline = waiting.monotonic() + limit / 1000 if limit >= 0 else None
    results = wait_until_ready(wants, _poll_result, waiting.POLLRDHUP, deadline) if wants else {}
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
        return POLLERR | POLLHUP | (wants & WRITE)
    ended = revents & (waiting.POLLRDHUP | waiting.POLLHUP)
    ready = POLLHUP if ended and sock.stream else 0
    if (
        not sock.receive_off
        and (revents & waiting.POLLIN or sock.refused)
        and (not ended or system.recv(sock.fd, bytearray(1), MSG_PEEK) > 0)
    ):
        ready |= wants & READ
    if revents & waiting.POLLOUT:
        ready |= wants & WRITE
    if revents & waiting.POLLPRI:
        ready |= wants & URGENT
    return ready


def examine_poll(sock: Socket, wants: int) -> int:
    """The revents that WSAPoll reports for one socket now: for the accelerator, which decides the common cases."""
    return examine(sock, wants, _poll_result, waiting.POLLRDHUP)


def examine_select(sock: Socket, wants: int) -> int:
    """As examine_poll, for select: the sets that the socket belongs in; negative where it was closed meanwhile."""
    return examine(sock, wants, _select_result, 0)
