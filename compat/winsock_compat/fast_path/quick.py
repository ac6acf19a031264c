"""The fast path of cffi API mode: the calls that transfer, accept and poll, as calls into C (quick.h)."""

from __future__ import annotations

import os
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from ctypes import c_int
from errno import EAGAIN
from typing import Any

from winsock.arguments import socket_handle
from winsock.constants import AF_INET, SOCKET_ERROR
from winsock.errors import WSAEINTR, WSAEMSGSIZE, WSAEWOULDBLOCK, WSANOTINITIALISED
from winsock.structures import FD_SETS, WSAPOLLFD, Buffer, ConstBuffer, IntRef, timeval

from ..calls.connections import accept as reference_accept
from ..calls.options import inherited_options
from ..calls.polling import resume_poll, resume_select
from ..calls.transfer import RECV_CLOSED, RECVFROM_CLOSED, receive, transmit
from ..calls.transfer import recv as reference_recv
from ..calls.transfer import recvfrom as reference_recvfrom
from ..calls.transfer import send as reference_send
from ..calls.transfer import sendto as reference_sendto
from ..posix.loading import BYTES, ffi, from_buffer, get_errno, lib
from ..state import waiters
from ..state.handles import open_accepted, table
from ..state.last_error import fail, invalid, last_error
from ..state.sockets import LISTENING, SlotFunctions, Socket, use_slots
from ..state.waiters import Waiter, begin_wait, end_wait, milliseconds_left
from .buffers import CTYPES, addressof, memory_of, sizeof, view_to_fill, view_to_read

# The negative results of quick.h.
_WOULD_BLOCK, _REFERENCE, _ERROR, _CUT, _INTERRUPTED, _PART, _ERRNO = -1, -2, -3, -4, -5, -16, -0x10000000000
_quick_recv, _quick_recvfrom = lib.quick_recv, lib.quick_recvfrom
_quick_recv_apart = lib.quick_recv_apart
_ADDRESS = ffi.typeof("uintptr_t")
_quick_send, _quick_sendto = lib.quick_send, lib.quick_sendto
_quick_accept, _quick_send_many = lib.quick_accept, lib.quick_send_many
_HANDLES, _COUNTS = ffi.typeof("unsigned long long[]"), ffi.typeof("long long[]")
_quick_poll, _quick_select = lib.quick_poll, lib.quick_select
_size = len  # the calls have a parameter of that name
_SCRATCH = 8192
_unpack = ffi.unpack
_ENTRY_SIZE = sizeof(WSAPOLLFD)
_INT_MAX = 0x7FFFFFFF
_arrays: list[Any] = []  # for reuse: a call takes one and puts it back, so that two threads never share one

use_slots(SlotFunctions(lib.quick_open, lib.quick_update, lib.quick_close, lib.quick_look_again, lib.quick_close_epoll))


def _forget_parent() -> None:
    """After fork: the calls that other threads were in do not exist in the child."""
    for sock in table.values():
        sock.slot.users = 0


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_parent)


class _Apart(threading.local):
    """The thread's own memory in quick.h; the byte after it says whether it holds received bytes.

    While it does, a call in a signal handler uses the reference. A slice is assigned from it, which fits whatever
    another thread does to the buffer meanwhile.
    """

    def __init__(self) -> None:
        self.memory: Any = ffi.buffer(lib.quick_received_apart(), _SCRATCH + 1)


_apart = _Apart()


def recv(s: int, buf: Buffer | None, len: int, flags: int) -> int:  # noqa: C901, PLR0912 - a call costs its time
    if type(buf) is bytearray and type(len) is int and len <= _SCRATCH and len <= _size(buf):
        try:
            count: int = _quick_recv_apart(s, len, flags)
        except (OverflowError, TypeError):
            count = _REFERENCE
        if count == _WOULD_BLOCK:
            last_error.code = WSAEWOULDBLOCK
            return SOCKET_ERROR
        if count >= 0 or count == _CUT:
            memory, size = _apart.memory, len if count == _CUT else count
            try:
                buf[:size] = memory[:size]
            finally:
                memory[_SCRATCH] = b"\0"
            return count if count >= 0 else fail(WSAEMSGSIZE)
        if count != _REFERENCE:
            view = view_to_fill(buf)
            if _size(view) < len:
                raise BufferError("the buffer was made smaller during the call")
            return _received(s, view, len, None, count)
    elif buf is not None:
        view = from_buffer(BYTES, buf, True) if type(buf) in CTYPES else view_to_fill(buf)
        try:
            count = _quick_recv(s, view, _size(view), len, flags)
        except (OverflowError, TypeError):
            count = _REFERENCE
        if count >= 0:
            return count
        if count != _REFERENCE:
            return _received(s, view, len, None, count)
    return reference_recv(s, buf, len, flags)


def recvfrom(s: int, buf: Buffer | None, len: int, flags: int, from_: Buffer | None, fromlen: IntRef | None) -> int:
    if buf is not None and from_ is not None and type(fromlen) is c_int:
        if type(from_) in CTYPES:
            name, room = addressof(from_), sizeof(from_)
        else:
            name_view = view_to_fill(from_)
            name, room = int(ffi.cast(_ADDRESS, name_view)), _size(name_view)
        view = from_buffer(BYTES, buf, True) if type(buf) is bytearray else view_to_fill(buf)
        try:
            count: int = _quick_recvfrom(s, view, _size(view), len, flags, name, room, fromlen.value)
        except (OverflowError, TypeError):
            count = _REFERENCE
        if count >= 0:
            fromlen.value = 16
            return count
        if count == _WOULD_BLOCK:
            last_error.code = WSAEWOULDBLOCK
            return SOCKET_ERROR
        if count != _REFERENCE:
            count = _received(s, view, len, view_to_fill(from_), count)
            if count >= 0 or last_error.code == WSAEMSGSIZE:
                fromlen.value = 16
            return count
    return reference_recvfrom(s, buf, len, flags, from_, fromlen)


def _received(s: int, view: Any, length: int, name: Any, count: int) -> int:
    """Continues after a system call that did not simply succeed; `name` is recvfrom's address buffer."""
    if count == _CUT:
        return fail(WSAEMSGSIZE)
    if count == _WOULD_BLOCK:
        return fail(WSAEWOULDBLOCK)
    result = -get_errno()
    closed = RECV_CLOSED if name is None else RECVFROM_CLOSED
    sock = table.get(s)
    if sock is None:
        return fail(closed)
    count, source = receive(sock, memory_of(view)[:length], 0, closed, name is not None, result)
    if source:
        ffi.memmove(name, source, _size(source))
    return count


def send(s: int, buf: ConstBuffer | None, len: int, flags: int) -> int:
    if buf is not None:
        view = buf if type(buf) is bytes else view_to_read(buf)
        try:
            count: int = _quick_send(s, view, _size(view), len, flags)
        except (OverflowError, TypeError):
            count = _REFERENCE
        if count >= 0:
            return count
        if count != _REFERENCE:
            return _sent(s, view, len, b"", count)
    return reference_send(s, buf, len, flags)


def send_many(sockets: Sequence[int], buf: ConstBuffer | None, len: int, flags: int) -> list[int]:
    """What winsock.batch calls: send's result for each socket, or minus its error."""
    sockets = list(sockets)  # another thread may change it
    count = _size(sockets)
    if buf is None or type(len) is not int or not 0 < len <= _INT_MAX or flags:
        results, left, view = [_REFERENCE] * count, count, None
    else:
        view = buf if type(buf) is bytes else view_to_read(buf)
        counts = ffi.new(_COUNTS, count)
        try:
            numbers = array("Q", sockets)
        except OverflowError:
            numbers = array("Q", [socket_handle(s) for s in sockets])
        handles = ffi.from_buffer(_HANDLES, numbers)
        left = _quick_send_many(handles, count, view, _size(view), len, flags, counts)
        results = ffi.unpack(counts, count)
    for place, result in enumerate(results) if left else ():
        if result < 0:
            results[place] = _sent_one(sockets[place], buf, view, len, flags, result)
    return results


def _sent_one(s: int, buf: ConstBuffer | None, view: Any, length: int, flags: int, result: int) -> int:
    """The result of one socket of send_many that did not simply take everything."""
    if result == _WOULD_BLOCK:
        return -WSAEWOULDBLOCK
    if result == _REFERENCE:
        count = reference_send(s, buf, length, flags)
    else:
        if result <= _ERRNO:
            ffi.errno = _ERRNO - result
            result = _ERROR
        count = _sent(s, view, length, b"", result)
    return -last_error.code if count == SOCKET_ERROR else count


def sendto(s: int, buf: ConstBuffer | None, len: int, flags: int, to: ConstBuffer | None, tolen: int) -> int:
    if buf is not None and to is not None:
        view = buf if type(buf) is bytes else view_to_read(buf)
        if type(to) in CTYPES:
            name, size = addressof(to), sizeof(to)
        else:
            name_view = view_to_read(to)
            name, size = int(ffi.cast(_ADDRESS, name_view)), _size(name_view)
        try:
            count: int = _quick_sendto(s, view, _size(view), len, flags, name, size, tolen)
        except (OverflowError, TypeError):
            count = _REFERENCE
        if count >= 0:
            return count
        if count != _REFERENCE:
            return _sent(s, view, len, bytes(to)[:16], count)
    return reference_sendto(s, buf, len, flags, to, tolen)


def _sent(s: int, view: Any, length: int, name: bytes, count: int) -> int:
    """Continues after a system call that did not simply succeed."""
    if count == _WOULD_BLOCK:
        return fail(WSAEWOULDBLOCK)
    result = _PART - count if count <= _PART else -get_errno()
    sock = table.get(s)
    return fail(WSAEINTR) if sock is None else transmit(sock, memory_of(view)[:length], 0, name, result)


def accept(s: int, addr: Buffer | None, addrlen: IntRef | None) -> int:
    sock = table.get(s) if type(s) is int else None
    if sock is not None and sock.state is LISTENING and sock.family == AF_INET:
        if addr is None:
            name = ffi.new(BYTES, 16)
        else:
            name = from_buffer(BYTES, addr, True) if type(addr) in CTYPES else view_to_fill(addr)
        if addr is None or (type(addrlen) is c_int and 16 <= addrlen.value <= _size(name)):
            fd: int = _quick_accept(sock.fd, name)
            if fd >= 0:
                client = open_accepted(sock, fd, _unpack(name, 16), inherited_options(sock))
                if addrlen is not None and addr is not None:
                    addrlen.value = 16
                return invalid(WSANOTINITIALISED) if client is None else client.handle
            if get_errno() == EAGAIN and sock.nonblocking:
                return invalid(WSAEWOULDBLOCK)
    return reference_accept(s, addr, addrlen)


def WSAPoll(fdArray: Buffer | None, fds: int, timeout: int) -> int:
    if fdArray is not None and type(fds) is int and type(timeout) is int and fds > 0:
        view = from_buffer(BYTES, fdArray, True) if type(fdArray) in CTYPES else view_to_fill(fdArray)
        if fds * _ENTRY_SIZE <= _size(view) and -_INT_MAX <= timeout <= _INT_MAX:
            deadline = None if timeout < 0 else time.monotonic() + timeout / 1000

            def ask(entries: Any, wake: int, left: int) -> int:
                return int(_quick_poll(view, fds, entries, wake, left))

            ready, gone = _look_and_wait(ask, fds, timeout == 0, deadline)
            return ready if ready >= 0 else resume_poll(fdArray, fds, timeout, gone, deadline)
    return resume_poll(fdArray, fds, timeout)


def select(
    nfds: int,
    readfds: Buffer | None,
    writefds: Buffer | None,
    exceptfds: Buffer | None,
    timeout: ConstBuffer | None,
) -> int:
    sets = (readfds, writefds, exceptfds)
    room = _members(sets)
    limit = timeout if type(timeout) is timeval else None
    if room and type(nfds) is int and -_INT_MAX <= nfds <= _INT_MAX and (limit or timeout is None):
        seconds = 1.0 if limit is None else limit.tv_sec + limit.tv_usec / 1e6
        if limit is None or (limit.tv_sec >= 0 and limit.tv_usec >= 0):
            deadline = None if limit is None else time.monotonic() + seconds
            views = [ffi.NULL if fds is None else from_buffer(BYTES, fds, True) for fds in sets]

            def ask(entries: Any, wake: int, left: int) -> int:
                return int(_quick_select(*views, entries, room, wake, left, seconds == 0 or wake >= 0))

            ready, gone = _look_and_wait(ask, room, seconds == 0, deadline)
            return ready if ready >= 0 else resume_select(nfds, *sets, timeout, gone, deadline)
    return resume_select(nfds, *sets, timeout)


def _members(sets: Iterable[Any]) -> int:
    """The number of sockets in all fd_sets; 0 if the reference must check one of them."""
    total = 0
    seen: list[Any] = []
    for fds in sets:
        if fds is not None:
            if not isinstance(fds, FD_SETS) or fds.fd_count > _size(fds.fd_array) or fds in seen:
                return 0
            seen.append(fds)
            total += fds.fd_count
    return total


def _look_and_wait(
    ask: Callable[[Any, int, int], int], count: int, at_once: bool, deadline: float | None
) -> tuple[int, dict[int, Socket]]:
    """Polls without waiting, then waits. After a negative result the reference continues with the sockets returned."""
    try:
        entries = _arrays.pop()
    except IndexError:
        entries = ()
    if _size(entries) <= count:
        entries = ffi.new("struct pollfd[]", max(count + 1, 64))
    try:
        ready = ask(entries, -1, 0)
        if ready or at_once:
            return ready, {}
        waiter = begin_wait(None)
        try:
            ready = _INTERRUPTED
            while ready == _INTERRUPTED:
                ready = ask(entries, waiter.read_end, milliseconds_left(deadline))
            # A handle that was valid when the call began stays valid for it, whenever the socket is closed.
            return ready, {} if ready >= 0 else _known_to(waiter)
        finally:
            end_wait(waiter)
    finally:
        _arrays.append(entries)


def _known_to(waiter: Waiter) -> dict[int, Socket]:
    """The sockets by their handles, with those that were closed during the wait."""
    with waiters.lock:
        return {**table, **{sock.handle: sock for sock in waiter.closed_sockets}}
