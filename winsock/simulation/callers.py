"""Who makes a call of the real world: a simulated program, whose call raises, or something that may make it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from .blocked import DEBUGGERS
from .dispatch import sources
from .errors import RealWorldCall
from .process import Process

__all__ = [
    "STANDARD_LIBRARY",
    "calling_process",
    "error",
    "is_program_file",
    "is_standard",
    "observe_collection",
    "refuse",
]

STANDARD_LIBRARY = os.path.dirname(threading.__file__) + os.sep
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
_IMPORT_SYSTEM = "<frozen importlib"
_OWN = ("winsock.simulation.", "winsock.trace.")
_GUARD_MODULES = ("callers", "guards", "real_events", "real_functions", "real_winsock")
_GUARDS = frozenset(f"winsock.simulation.{name}" for name in _GUARD_MODULES)


# The thread in which Python's garbage collector runs now, or 0.
_collects = 0


def observe_collection(phase: str, info: object) -> None:
    """A function of gc.callbacks. What the collector finds may be of the test, and any process may start it."""
    global _collects
    _collects = threading.get_ident() if phase == "start" else 0


def calling_process() -> Process | None:
    """The simulated process whose program makes the call that is checked; None if something else makes it."""
    if _collects == threading.get_ident():
        return None
    process = _process_of_this_thread()
    return process if process is not None and _is_of_a_program() else None


def refuse(call: str, problem: str) -> None:
    """Errors: RealWorldCall if a simulated program makes this call; `problem` says what is wrong and what to use."""
    process = calling_process()
    if process is not None:
        raise error(process, call, problem)


def error(process: Process, call: str, problem: str) -> RealWorldCall:
    """What the call raises. Network.run() raises it too, even if the program or a library catches it."""
    found = RealWorldCall(f"process {process.name} on host {process.host.name} has called {call}: {problem}")
    if process.task is not None:
        process.scheduler.fail(found)
    return found


def is_program_file(file: str) -> bool:
    """Whether code of this file name is neither of the standard library nor of an installed package."""
    return not is_standard(file) and not _is_installed(file)


def is_standard(file: str) -> bool:
    """Whether code of this file name is of the standard library."""
    return file.startswith((STANDARD_LIBRARY, "<frozen ")) and not _is_installed(file)


def _is_installed(file: str) -> bool:
    return any(folder in file for folder in _INSTALLED)


def _process_of_this_thread() -> Process | None:
    for source in reversed(sources):  # the innermost network first
        process = source()
        if process is None or process.scheduler.internal:
            continue
        thread = process.scheduler.current.thread
        if thread is not None and thread.ident == threading.get_ident():
            return process
    return None


def _is_of_a_program() -> bool:
    """Whether the frames of this thread show that a program needs the result of the call.

    Frames of the standard library and of installed packages do not decide it: a program may have called them, or the
    import system, which executes them. The simulation's own frames mean that the simulation makes the call. If frames
    of an installed package come first, that package is the program. A debugger may do everything.
    """
    installed = False
    for frame in _frames():
        file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__", ""))
        if file.startswith(_IMPORT_SYSTEM) or module.partition(".")[0] in DEBUGGERS:
            return False
        if module.startswith(_OWN):
            return installed
        if _is_installed(file):
            installed = True
        elif is_program_file(file):
            return True
    # The main thread of an attached process, while its test runner or debugger works.
    return False


def _frames() -> Iterator[FrameType]:
    """The frames of this thread without those of the guards, beginning with the innermost."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") not in _GUARDS:
            yield frame
        frame = frame.f_back
