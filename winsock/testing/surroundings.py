"""Where a peer runs: in a thread of the real world, or as a process of a simulated host.

Both give it the calls, a clock and pauses. A thread looks every few milliseconds whether it is to stop, because nothing
can interrupt its select; a simulated process waits in one piece, because each wait is an event of the simulation.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

import winsock
from winsock.api import Winsock
from winsock.constants import SOCKET_ERROR
from winsock.errors import WSAErrorDescript
from winsock.structures import FD_ISSET, FD_SET, fd_set, timeval

from .own_sockets import own_calls

__all__ = ["Failure", "RealWorld", "Stopped", "Surroundings", "TimeLimitReached", "call", "wait_until_ready"]

# In one piece, in seconds: a longer wait than some weeks overflows on Windows.
_LONGEST_PAUSE = 86_400.0


class Failure(Exception):
    """A step of a script has failed; the text says why. The peer's report adds the script and the conversation."""


class TimeLimitReached(Failure):
    """The other side did not do its part within the peer's time limit. The report names the limit."""


class Stopped(Exception):
    """Ends the script: the test is over."""


class Surroundings(Protocol):
    calls: Winsock
    # The longest wait in one piece, in seconds.
    longest_wait: float

    @property
    def killed(self) -> bool:
        """Whether something else than stop() has ended `execute` from outside."""
        ...

    def now(self) -> float:
        """Seconds of a clock that is never set back."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait this long. Errors: Stopped."""
        ...

    def check(self) -> None:
        """Errors: Stopped."""
        ...

    def start(self, open: Callable[[], None], execute: Callable[[], None]) -> None:
        """Call `open`, then let `execute` run; returns after `open`. Errors: those of `open`."""
        ...

    def join(self) -> None:
        """Wait until `execute` has ended."""
        ...

    def stop(self) -> None:
        """End `execute` where it waits."""
        ...


class RealWorld:
    """A thread of its own on this machine."""

    longest_wait = 0.02
    # Nothing can kill a thread.
    killed = False
    # On Windows before Python 3.13 its resolution is a thousand times that of time.monotonic(). A test may replace the
    # clocks of all modules, as freezegun does; not this one.
    _clock = staticmethod(time.perf_counter)

    def __init__(self) -> None:
        self.calls = own_calls(winsock.calls)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def now(self) -> float:
        return self._clock()

    def pause(self, seconds: float) -> None:
        end = self.now() + seconds
        while (left := end - self.now()) > 0:
            if self._stop.wait(min(left, _LONGEST_PAUSE)):
                raise Stopped

    def check(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def start(self, open: Callable[[], None], execute: Callable[[], None]) -> None:
        __tracebackhide__ = True
        open()
        self._thread = threading.Thread(target=execute, name="winsock peer", daemon=True)
        self._thread.start()

    def join(self) -> None:
        assert self._thread is not None
        self._thread.join()

    def stop(self) -> None:
        self._stop.set()
        self.join()


def call(calls: Winsock, name: str, result: int) -> int:
    """The result of a call that must succeed.

    Errors: Failure with the reason.
    """
    if result == SOCKET_ERROR:
        raise Failure(f"{name} failed: {WSAErrorDescript(calls.WSAGetLastError())}")
    return result


def wait_until_ready(
    surroundings: Surroundings, s: int, *, read: bool, write: bool, deadline: float
) -> tuple[bool, bool]:
    """Whether the socket can be read and written; (False, False) once the deadline has come.

    A connection attempt that has failed counts as writable. Errors: Stopped.
    """
    while True:
        # Not only where nothing is ready: the other side may send without end.
        surroundings.check()
        left = deadline - surroundings.now()
        wait = max(0.0, min(left, surroundings.longest_wait))
        # Rounded up: a wait that ends before the deadline would be followed by one of length 0.
        microseconds = math.ceil(wait * 1_000_000)
        timeout = timeval(microseconds // 1_000_000, microseconds % 1_000_000)
        reading, writing, failing = fd_set(), fd_set(), fd_set()
        if read:
            FD_SET(s, reading)
        if write:
            FD_SET(s, writing)
            FD_SET(s, failing)
        select = surroundings.calls.select
        ready = select(0, reading if read else None, writing if write else None, failing if write else None, timeout)
        call(surroundings.calls, "select", ready)
        if ready:
            return FD_ISSET(s, reading), FD_ISSET(s, writing) or FD_ISSET(s, failing)
        if left <= 0:
            return False, False
