"""What becomes of the threads of a simulation that cannot go on, because one of them does not give up its turn."""

from __future__ import annotations

import ctypes
import threading
from typing import NoReturn

from .errors import Killed

__all__ = ["block_for_ever", "raise_killed_in"]

# Seconds in which a thread that runs has raised Killed, on a busy machine too.
_LONGEST_RAISE = 2


def raise_killed_in(ident: int, ended: threading.Lock) -> None:
    """Raise Killed in a thread that runs, which then releases `ended`. In a blocked one it is withdrawn after a while.

    With a trace function CPython 3.11 would not go on in any thread as long as the exception waits to be raised. So
    nothing here calls a function of Python before the withdrawal.
    """
    set_exception, thread = ctypes.pythonapi.PyThreadState_SetAsyncExc, ctypes.c_ulong(ident)
    killed, nothing = ctypes.py_object(Killed), ctypes.py_object()
    try:
        set_exception(thread, killed)
        ended.acquire(timeout=_LONGEST_RAISE)
    finally:
        set_exception(thread, nothing)


def block_for_ever() -> NoReturn:
    """The thread is a daemon: it ends with Python."""
    lock = threading.Lock()
    while True:
        lock.acquire()
