"""Runs a program and checks that it neither hangs nor leaks handles."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import Any, NamedTuple

from winsock import MAKEWORD, WSADATA, WSACleanup, WSAStartup

from .interpreter import RunningProgram, Trace, run_steps

# Far more than any program needs: each of its blocking calls has a time limit.
WATCHDOG_SECONDS = 20


class Outcome(NamedTuple):
    trace: Trace
    breaches: list[str]


def _handles() -> int | list[str]:
    """The open file descriptors of the process, or the number of its handles on Windows."""
    if sys.platform != "win32":
        return os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd")
    count = ctypes.c_uint32()
    process = ctypes.c_void_p(-1)
    ctypes.windll.kernel32.GetProcessHandleCount(process, ctypes.byref(count))
    return count.value


def run(data: dict[str, Any]) -> Outcome:
    """Runs a program between its own WSAStartup and WSACleanup; Winsock must not be started yet."""
    before = _handles()
    program, raised = RunningProgram(data["nonblocking"]), list[BaseException]()
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    # In a new thread the last error is 0, and a call that hangs does not block the test run.
    thread = threading.Thread(target=run_steps, args=(program, data, raised), daemon=True)
    thread.start()
    thread.join(WATCHDOG_SECONDS)
    hangs = thread.is_alive()
    if hangs:
        program.breaches.append(f"{data['steps'][len(program.trace)]}: hangs")
    trace = list(program.trace)
    while WSACleanup() == 0:
        pass
    if raised:
        raise raised[0]
    if not hangs and _handles() != before:
        program.breaches.append(f"leaks: {before} before, {_handles()} after")
    return Outcome(trace, program.breaches)
