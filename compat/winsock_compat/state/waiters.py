"""Calls that wait, and how another thread ends their wait.

Descriptors are non-blocking. A call that must wait polls its sockets' descriptors together with a wake-up descriptor;
the class Waiter has both. Four rules make this work:

- **Register, check again, then wait.** `begin_wait` registers the waiter with its sockets. A call that changes a
  socket's state wakes the registered waiters (`notify_state_change`). A change before the registration wakes no
  waiter, so the waiting call checks the state once more between `begin_wait` and its first poll.
- **A wake-up only means "check again".** The woken call empties its wake-up descriptor, reads the socket's state, and
  either returns or continues to wait. `Socket.closed` is true if the socket was closed.
- **The last waiter closes the descriptor.** Closing a descriptor does not end a poll in another thread, and the kernel
  would soon give the same number to a new socket. So closesocket makes the handle invalid, wakes the waiters
  (`wake_waiters_on_close`) and leaves the descriptor open: each `end_wait` decrements `Socket.waiters_left`, and the
  last one calls `Socket.release`.
- **Wake-up descriptors are reused**, from the first WSAStartup to the last WSACleanup, because opening one costs more
  than a short wait.

One lock protects the registrations and the handle table, because closing a socket changes both. After a fork the child
has no waiters, new wake-up descriptors and a new lock: the waiting threads exist only in the parent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType

from ..posix import waiting
from ..posix.waiting import POLLIN
from .sockets import Socket

# Replaced after a fork: use it as waiters.lock.
lock = threading.RLock()
_idle: list[Waiter] = []
_active: list[Waiter] = []
_keep = False


class Waiter:
    """A wake-up descriptor, and the sockets that its call waits for."""

    __slots__ = ("closed_sockets", "read_end", "sockets", "write_end")

    def __init__(self) -> None:
        self.read_end, self.write_end = waiting.open_wakeup()
        self.sockets: tuple[Socket, ...] | None = ()  # None: all sockets
        self.closed_sockets: list[Socket] = []  # those of them that were closed during the wait

    def concerns(self, sock: Socket) -> bool:
        return self.sockets is None or sock in self.sockets

    def wake(self) -> None:
        waiting.wake(self.write_end)

    def drain(self) -> None:
        waiting.drain_wakeup(self.read_end)

    def close(self) -> None:
        waiting.close_wakeup(self.read_end, self.write_end)


def keep_waiters(keep: bool) -> None:
    """Whether wake-up descriptors stay open for the next wait."""
    global _keep
    with lock:
        _keep = keep
        while _idle and not keep:
            _idle.pop().close()


def wake_waiters_on_close(sock: Socket) -> bool:
    """Wakes the calls that wait on a socket that is being closed; True leaves its descriptor to the last of them.

    The caller holds the lock.
    """
    if not _active:
        return False
    concerned = [waiter for waiter in _active if waiter.concerns(sock)]
    sock.waiters_left = len(concerned)
    for waiter in concerned:
        waiter.closed_sockets.append(sock)
        waiter.wake()
    return bool(concerned)


def notify_state_change(sock: Socket) -> None:
    """Makes the calls that wait on the socket check its state again."""
    if _active:
        with lock:
            for waiter in _active:
                if waiter.concerns(sock):
                    waiter.wake()


def begin_wait(sockets: Iterable[Socket] | None) -> Waiter:
    """Registers a wait: until end_wait the descriptors of these sockets stay open. None means all sockets."""
    with lock:
        waiter = _idle.pop() if _idle else Waiter()
        waiter.sockets = None if sockets is None else tuple(sock for sock in sockets if not sock.closed)
        _active.append(waiter)
    return waiter


def end_wait(waiter: Waiter) -> None:
    """Ends the registration, and releases the closed sockets that only this wait still used."""
    unused = []
    with lock:
        _active.remove(waiter)
        for sock in waiter.closed_sockets:
            sock.waiters_left -= 1
            if not sock.waiters_left:
                unused.append(sock)
        waiter.sockets = ()
        waiter.closed_sockets.clear()
        waiter.drain()
        if _keep:
            _idle.append(waiter)
        else:
            waiter.close()
    for sock in unused:
        sock.release()


def milliseconds_left(deadline: float | None) -> int:
    """The time until the deadline, rounded up, as poll takes it; -1 if there is no deadline."""
    if deadline is None:
        return -1
    return min(max(0, -int(-(deadline - waiting.monotonic()) * 1000 // 1)), 0x7FFFFFFF)


def wait_ready(waiter: Waiter, fd: int, events: int, deadline: float | None) -> bool:
    """Waits for the events or a wake-up; False when the deadline has passed."""
    entries = ((fd, events), (waiter.read_end, POLLIN))
    while True:
        left = milliseconds_left(deadline)
        # Nothing is ready after EINTR too: signal handlers have run by now, and the wait continues with the time left.
        revents = waiting.poll(entries, left)
        if revents:
            if revents[1]:
                waiter.drain()
            return True
        if left == 0:
            return False


class SocketWait:
    """The wait of one call for one socket, for use with `with`; it is registered when it is first needed."""

    __slots__ = ("_deadline", "_events", "_sock", "_timeout", "_waiter")

    def __init__(self, sock: Socket, events: int, timeout: int) -> None:
        """`timeout` is in milliseconds and starts with the wait; 0 waits without a limit."""
        self._sock, self._events, self._timeout = sock, events, timeout
        self._waiter: Waiter | None = None
        self._deadline: float | None = None

    def until_ready(self) -> bool:
        """Waits until the call should try again; False when the time is over.

        The first time it only registers and returns at once, so that the call checks again before it waits.
        """
        if self._waiter is not None:
            return wait_ready(self._waiter, self._sock.fd, self._events, self._deadline)
        self._waiter = begin_wait((self._sock,))
        if self._timeout:
            self._deadline = waiting.monotonic() + self._timeout / 1000
        return True

    def __enter__(self) -> SocketWait:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._waiter is not None:
            end_wait(self._waiter)


def forget_parent() -> None:
    """After fork: the wake-up descriptors belong to the parent, and a thread of the parent may hold the lock."""
    global lock
    lock = threading.RLock()
    for waiter in _idle + _active:
        waiter.close()
    _idle.clear()
    _active.clear()
