"""What becomes of the threads of a simulation that cannot go on, because one of them does not give up its turn."""

from __future__ import annotations

import ctypes
import threading
from typing import NoReturn

from .errors import Killed

__all__ = ["block_for_ever", "raise_killed_in"]

# Seconds in which a thread that runs raises Killed.
_LONGEST_RAISE = 0.1


def raise_killed_in(ident: int) -> None:
    """Raise Killed in a thread that runs. In one that is blocked it cannot be raised, and is withdrawn.

    With a trace function CPython 3.11 would not go on in any thread as long as the exception waits to be raised. So
    nothing here calls a function of Python before the withdrawal.
    """
    set_exception, thread, pause = ctypes.pythonapi.PyThreadState_SetAsyncExc, ctypes.c_ulong(ident), threading.Lock()
    killed, nothing = ctypes.py_object(Killed), ctypes.py_object()
    pause.acquire()
    try:
        set_exception(thread, killed)
        pause.acquire(timeout=_LONGEST_RAISE)
    finally:
        set_exception(thread, nothing)


def block_for_ever() -> NoReturn:
    """The thread is a daemon: it ends with Python."""
    lock = threading.Lock()
    while True:
        lock.acquire()
