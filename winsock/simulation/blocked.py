"""Finds a task that has the turn and waits in real time, for example for a lock that another process holds.

The others cannot run meanwhile, so the lock is never released. The main thread looks at the running thread from time to
time: it is blocked if it stays at one instruction and uses no CPU time. A thread in a debugger is not blocked. Only
Linux shows the CPU time of another thread; elsewhere no thread is found, because it could calculate.
"""

from __future__ import annotations

import sys
import threading
import time
from types import FrameType

__all__ = ["DEBUGGERS", "Watch"]

# The packages of debuggers.
DEBUGGERS = ("bdb", "pdb", "pydevd", "_pydevd_bundle", "debugpy")


class Watch:
    """What was seen of the running thread."""

    def __init__(self, most: int) -> None:
        """After `most` looks without a change, a thread is blocked."""
        self._most = most
        self._seen: tuple[object, ...] = ()
        self._count = 0

    def look(self, thread: threading.Thread | None) -> str:
        """The place where the thread is blocked, an empty text if it is not."""
        frame = None if thread is None else sys._current_frames().get(thread.ident or 0)
        cpu = None if thread is None else _cpu_milliseconds(thread)
        if thread is None or frame is None or cpu is None or _is_debugged(frame):
            self._count = 0
            return ""
        seen = (thread.ident, id(frame), frame.f_lasti, cpu)
        self._count = self._count + 1 if seen == self._seen else 0
        self._seen = seen
        return f"{frame.f_code.co_filename}:{frame.f_lineno}" if self._count >= self._most else ""


def _is_debugged(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in DEBUGGERS:
            return True
        frame = frame.f_back
    return False


def _cpu_milliseconds(thread: threading.Thread) -> int | None:
    """The CPU time of a thread that runs; None where the system does not show it."""
    if sys.platform != "linux" or thread.ident is None or not thread.is_alive():
        return None
    return time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident)) // 1_000_000
