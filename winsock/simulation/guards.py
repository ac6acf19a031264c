"""Real sockets, threads, clocks, random numbers and files raise RealWorldCall in a simulated process.

A program that uses them gives another result in each run, or waits for something that does not happen in simulated
time. So the call itself raises, with the name of what to use instead.

How it works:

- `guarded(source)` guards as long as a network is open. `source` gives the simulated process that runs; a call is
  checked only if it comes from that process's thread. Other threads, the main thread outside of `host.attached()`, and
  the simulation's own work keep everything. Networks nest, and two threads may have one each.
- While a network is open, the calls of winsock are those of `dispatch`, which finds the process that runs.
- Python reports many calls to audit hooks, however a program has imported them: files, sockets, processes. A hook
  cannot be removed, so there is one, added by the first network of the process; without an open network it only looks
  at an empty list. real_events.py has the events.
- Clocks, random numbers and threads are not reported. These functions are replaced in their modules while a network is
  open; real_functions.py has them. A module that has imported such a function by name before (`from time import time`)
  keeps the real one: programs.py refuses a program that names it.
- Calls of the real Winsock that a program has imported before are checked where all of them go through;
  real_winsock.py has these functions.
- Python's import system and standard library make such calls too. Frames of the standard library and of installed
  packages are skipped until it is clear who needs the result: a program, whose call raises, or the import system or the
  simulation, whose call continues. What Python's garbage collector calls continues too: the garbage may be the test's.

Allowed are: files below the disk of the process's host, also those of SQLite; reading Python's own files, source code
and the data files of packages; standard output and error; the metadata of files (os.stat); and the random numbers that
OpenSSL takes for TLS in memory, which a trace does not show. What a program logs with `logging` has the time of its
host. Not noticed are sockets and files that the process did not open itself, and what compiled modules do without
Python; notes/simulation.md lists more.

Network.run() raises the error of a started process too, because a program, or a library that it uses, may catch it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import winsock
from winsock.api import Winsock

from . import real_events, real_functions
from .callers import observe_collection
from .dispatch import Source, calls, sources

__all__ = ["Source", "guarded"]

# What was there before the first network, while one is open.
_real_calls: list[Winsock] = []


@contextmanager
def guarded(source: Source) -> Iterator[None]:
    """Guard the process that `source` gives, for as long as the context lasts."""
    if not sources:
        real_events.add_hook()
        real_functions.replace()
        gc.callbacks.append(observe_collection)
        _real_calls.append(winsock.calls)
        winsock.replace_calls(calls)
    sources.append(source)
    try:
        yield
    finally:
        sources.remove(source)
        if not sources:
            winsock.replace_calls(_real_calls.pop())
            gc.callbacks.remove(observe_collection)
            real_functions.restore()
