"""Calls that wait, how another thread ends their wait, and when a closed socket's descriptor is closed.

Descriptors are non-blocking; a call that must wait polls its descriptors together with a wake-up descriptor. It owns a
Wait, which is registered with each of its sockets (`Socket.waiters`). Seven rules make this work:

- **Register first, look again, then wait.** Whoever changes a socket's state wakes the socket's waits
  (`notify_state_change`). A change before `begin_wait` wakes nobody, so the call looks at the state once more between
  `begin_wait` and its first poll.
- **A wake-up says only "look again".** The woken call drains its wake-up descriptor, reads the socket's state and
  either returns or waits on. `Socket.closed` says that the socket is gone.
- **A descriptor is closed with the last reference to its Socket.** While a call of another thread uses a descriptor,
  closing it would not end that call, and the kernel would soon give the same number to a new socket. So closing makes
  the handle invalid and wakes the socket's waits. Every call holds a reference to its Socket until it returns; the last
  one frees the Socket, and that closes the descriptor. Some sockets are closed earlier, as soon as no call waits on
  them: those whose close waits for unsent data (SO_LINGER); in a forked child those of the parent, to which calls of
  threads that do not exist in the child still refer; and all of them without the accelerator, because a signal handler
  could interrupt a finalizer in Python. Until then such a socket is in `_closing`.
- **The call that closes a socket waits for the waits of other threads.** When it returns, the port is free and the
  peer has the end of the stream, although calls may still refer to the descriptor: their waits have ended, and another
  file has replaced the kernel's socket at the descriptor. A wait of the same thread cannot end meanwhile (a signal
  handler closes the socket): then the descriptor stays as it is.
- **A wait lives as long as its call.** A signal handler may raise at any moment, also in the `finally` that calls
  `end_wait`. So nothing depends on `end_wait`: sockets and wake-up descriptors refer to a Wait weakly, and a Wait whose
  frame is gone counts as ended. `finish_closing` completes a closing that was interrupted; every call of the reference
  that begins a wait, opens or closes a socket, and WSACleanup, calls it. All its steps can be repeated.
- **The end of a stream waits for blocked sends.** shutdown marks the socket at once, so later sends fail. After the
  kernel's shutdown a blocked send could not send the rest of its data, so the system call comes when no send waits on
  the socket any more. Until then the socket is in `_ending`; `finish_closing` completes this too.
- **A descriptor is never in a local variable only.** The system call stores it into the object that owns it (see
  posix), which is in the table, in `_closing` or in `_wakeups` before.

One lock covers the registrations, the handle table and the system calls that open and close descriptors. A fork takes
it first, so that the child finds all of them in a consistent state; the child starts with no waits, since the waiting
threads exist in the parent only.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from types import TracebackType
from typing import Any, TypeAlias

from ..posix import system, waiting
from ..posix.waiting import POLLIN, POLLOUT, Wakeup
from .core import ACCELERATED, HandleTable
from .sockets import Socket, error_lock

lock = threading.RLock()
table = HandleTable()
_wakeups: list[_PooledWakeup] = []
_replacement = Wakeup()  # open only while descriptors are replaced
_closing: set[Socket] = set()
_ending: set[Socket] = set()
# In seconds: how long closesocket and WSACleanup wait for other threads, which may be kept from running.
_CLOSE_LIMIT = 1.0
_acquired: list[Any] = []  # the locks that this thread holds during a fork
_keep = False


class Wait:
    """One call's wait, alive as long as the call's frame refers to it and end_wait was not called."""

    __slots__ = ("__weakref__", "ended", "receives", "sends", "sockets", "thread", "wakeup")

    def __init__(self, events: int) -> None:
        self.ended, self.receives, self.sends = False, events == POLLIN, events == POLLOUT
        self.thread = threading.get_ident()
        self.sockets: tuple[Socket, ...] = ()
        self.wakeup: Wakeup


_Reference: TypeAlias = "weakref.ref[Wait]"


class _PooledWakeup(Wakeup):
    """A wake-up descriptor and the wait that uses it. It is kept for the next wait, because opening one is slow."""

    def __init__(self) -> None:
        super().__init__()
        self.user: _Reference | None = None


def _alive(reference: _Reference | None) -> Wait | None:
    wait = None if reference is None else reference()
    return None if wait is None or wait.ended else wait


def _waits(sock: Socket) -> list[Wait]:
    """The waits of a socket that have not ended."""
    references: Iterable[_Reference] = sock.waiters or ()
    return [wait for wait in map(_alive, references) if wait is not None]


def keep_wakeups(keep: bool) -> None:
    """Whether wake-up descriptors stay open for the next wait; those in use are closed when their waits end."""
    global _keep
    with lock:
        _keep = keep
        for wakeup in () if keep else tuple(_wakeups):
            if _alive(wakeup.user) is None:
                _discard(wakeup)


def _discard(wakeup: _PooledWakeup) -> None:
    wakeup.close()
    if wakeup in _wakeups:
        _wakeups.remove(wakeup)


def _take_wakeup(reference: _Reference) -> Wakeup:
    for wakeup in tuple(_wakeups):
        if _alive(wakeup.user) is None:
            break
    else:
        wakeup = _PooledWakeup()
        _wakeups.append(wakeup)
    wakeup.user = reference
    wakeup.open()
    wakeup.drain()
    return wakeup


def begin_wait(sockets: Iterable[Socket], events: int = 0) -> Wait:
    """Registers a wait: until it ends the descriptors of these sockets stay open.

    `events` is POLLIN for a call that receives, POLLOUT for one that sends, 0 for select and WSAPoll.
    """
    wait = Wait(events)
    reference = weakref.ref(wait)
    finish_closing()
    with lock:
        wait.wakeup = _take_wakeup(reference)
        wait.sockets = tuple(sock for sock in sockets if not sock.closed)
        for sock in wait.sockets:
            living = tuple(other for other in sock.waiters or () if _alive(other) is not None)
            sock.waiters = (*living, reference)
    return wait


def end_wait(wait: Wait) -> None:
    """Ends the registration."""
    wait.ended = True
    with lock:
        for sock in wait.sockets:
            sock.waiters = tuple(other for other in sock.waiters or () if _alive(other) is not None) or None
        if not _keep:
            keep_wakeups(False)
    finish_closing()


def notify_state_change(sock: Socket) -> None:
    """Makes the calls that wait on the socket look at its state again."""
    if sock.waiters:
        for wait in _waits(sock):
            wait.wakeup.wake()


def close(sock: Socket) -> bool:
    """Makes the handle invalid, ends the socket's waits and closes the kernel's socket.

    False where another thread has closed the socket already.
    """
    closer = Wait(0)
    with lock:
        if sock.closed or sock in _closing:
            return False
        sock.closer = weakref.ref(closer)
        _closing.add(sock)
    complete_closing((sock,))
    return True


def invalidate_all(closer: Wait) -> tuple[Socket, ...]:
    """Takes every socket out of the table. The call, for which `closer` stands, then calls complete_closing."""
    with lock:
        table.move_all(_closing)
        for sock in _closing:
            sock.closer = weakref.ref(closer)
        return tuple(_closing)


def complete_closing(sockets: Iterable[Socket]) -> None:
    """Closes sockets that are in `_closing`, once the waits of other threads have ended."""
    thread, deadline = threading.get_ident(), waiting.monotonic() + _CLOSE_LIMIT
    finish_closing()
    for sock in sockets:
        while any(wait.thread != thread for wait in _waits(sock)) and waiting.monotonic() < deadline:
            waiting.poll({}, 1)
    finish_closing()
    if ACCELERATED:
        with lock:
            _replace_descriptors(sockets)


def _replace_descriptors(sockets: Iterable[Socket]) -> None:
    """Closes the kernel's sockets and keeps the descriptors, to which calls of other threads may still refer."""
    _replacement.open()
    try:
        for sock in sockets:
            if not (_waits(sock) or sock.close_lingers or sock.from_parent):
                for owner in (sock, *sock.extra):
                    system.replace_descriptor(owner.fd, _replacement.read_end)
    finally:
        _replacement.close()


def end_stream(sock: Socket) -> None:
    """Sends the end of the stream, after the data of the sends that wait now."""
    with lock:
        _ending.add(sock)
    finish_closing()


def finish_closing() -> None:
    """Closes the sockets in `_closing`, as far as no call waits on them. The caller does not hold the lock."""
    if _ending:
        _finish_ending()
    if not _closing:
        return
    with lock:
        closing = tuple(_closing)
        # All handles become invalid before the first descriptor is closed: a call that waits on one socket must not
        # report the end of another.
        for sock in closing:
            if table.get(sock.handle) is sock:
                table.pop(sock.handle)
            sock.closed = True
            sock.update_capabilities()
        lingering = []
        for sock in closing:
            waits = _wake(sock)
            if ACCELERATED and not (sock.close_lingers or sock.from_parent):
                _closing.discard(sock)
            elif not waits and sock.close_lingers:
                lingering.append(sock)
            elif not waits:
                sock.close_descriptor()
                _closing.discard(sock)
    for sock in _own(lingering):
        sock.close_descriptor()  # without the lock: it may take as long as SO_LINGER says
        _closing.discard(sock)


def _own(closing: Iterable[Socket]) -> Iterable[Socket]:
    """Those sockets that no call of another thread closes."""
    for sock in closing:
        closer = _alive(sock.closer)
        if closer is None or closer.thread == threading.get_ident():
            yield sock


def _finish_ending() -> None:
    with lock:
        for sock in tuple(_ending):
            if not any(wait.sends for wait in _waits(sock)):
                if not sock.closed:
                    system.shutdown_send(sock.fd)
                _ending.discard(sock)


def _wake(sock: Socket) -> bool:
    """Wakes the waits of a closed socket; False where it has none."""
    waits = _waits(sock)
    for wait in waits:
        wait.wakeup.wake()
    return bool(waits)


def milliseconds_left(deadline: float | None) -> int:
    """The time until the deadline, rounded up, as poll takes it; -1 if there is no deadline."""
    if deadline is None:
        return -1
    return min(max(0, -int(-(deadline - waiting.monotonic()) * 1000 // 1)), 0x7FFFFFFF)


def earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two deadlines; None is none."""
    return one if other is None else other if one is None else min(one, other)


def wait_ready(wait: Wait, sock: Socket, events: int, deadline: float | None) -> bool:
    """Waits until the caller should look again: for the events or a wake-up, or a moment if it cannot be woken.

    False when the deadline has passed, or if RLIMIT_NOFILE is below 2.
    """
    wakeup = wait.wakeup
    while True:
        left = milliseconds_left(deadline)
        # Nothing is ready after EINTR too: signal handlers have run by now, and the wait continues with the time left.
        extra = sock.extra  # keeps their descriptors open
        ready = waiting.poll({**sock.events_by_descriptor(events), wakeup.read_end: POLLIN}, wakeup.limited(left))
        del extra
        if ready:
            if wakeup.read_end in ready:
                wakeup.drain()
            return True
        if left == 0 or ready is None:
            return False
        if wakeup.read_end < 0:
            return True  # nobody can wake this wait


class SocketWait:
    """The wait of one call for one socket, for use with `with`; it is registered when it is first needed."""

    __slots__ = ("_deadline", "_events", "_sock", "_timeout", "_wait")

    def __init__(self, sock: Socket, events: int, timeout: int) -> None:
        """`timeout` is in milliseconds and starts with the wait; 0 waits without a limit."""
        self._sock, self._events, self._timeout = sock, events, timeout
        self._wait: Wait | None = None
        self._deadline: float | None = None

    def until_ready(self, latest: float | None = None) -> bool:
        """Waits until the call should try again; False when the time is over, or at the time `latest`.

        The first time it only registers and returns at once, so that the call checks again before it waits.
        """
        if self._wait is not None:
            return wait_ready(self._wait, self._sock, self._events, earlier(self._deadline, latest))
        self._wait = begin_wait((self._sock,), self._events)
        if self._timeout:
            self._deadline = waiting.monotonic() + self._timeout / 1000
        return True

    def __enter__(self) -> SocketWait:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._wait is not None:
            end_wait(self._wait)


def _after_fork_in_child() -> None:
    """The parent's other threads, and the calls that they were in, do not exist here; the descriptors do."""
    try:
        for wakeup in _wakeups:
            wakeup.close()  # the parent uses it too: a wake-up would reach the parent
        _wakeups.clear()
        _ending.clear()  # the parent sends these ends
        sockets: list[Any] = [*table.sockets(), *_closing]
        for sock in sockets:
            sock.waiters, sock.from_parent, sock.next_queue_check = None, True, None
    finally:
        _release_after_fork()
        finish_closing()


_Lock = type(lock)


def _acquire_before_fork() -> None:
    """So that no other thread is between two steps that belong together, or holds a lock that the child needs."""
    # `extend` consumes `filter` within one bytecode: a signal handler cannot raise after a lock was acquired and before
    # it is in the list.
    _acquired.extend(filter(_Lock.acquire, (lock, error_lock)))
    for sock in table.sockets():
        sock.shared = True


def _release_after_fork() -> None:
    """Releases what was acquired: Python forks even if a signal handler has raised in _acquire_before_fork."""
    any(map(_Lock.release, map(_acquired.pop, (-1,) * len(_acquired))))


system.call_at_fork(_acquire_before_fork, _release_after_fork, _after_fork_in_child)
