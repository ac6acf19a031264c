"""What the package itself weighs: the time that importing it takes, and the memory behind each socket."""

from __future__ import annotations

import ctypes
import importlib
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from winsock import accept, calls, closesocket, sockaddr_in

from .connections import (
    ADDRESS_SIZE,
    standard_client,
    standard_listener,
    standard_port,
    sure,
    winsock_listener,
    winsock_port,
    winsock_started,
)
from .measuring import CHECKOUT, Benchmark, Contestant, Contestants

# What winsock can't do without.
FOUNDATION = "ctypes" if sys.platform == "win32" else "ctypes, cffi"


def imported(modules: str) -> Contestant:
    """The time of one import statement in a fresh process, its compiled bytecode at hand."""
    code = f"import time; start = time.perf_counter_ns()\nimport {modules}\nprint(time.perf_counter_ns() - start)"

    def contestant(number: int) -> float:
        return sum(
            float(subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, stdout=subprocess.PIPE, check=True).stdout)
            for _ in range(number)
        )

    return contestant


@contextmanager
def import_time() -> Iterator[Contestants]:
    yield {"winsock": imported("winsock"), FOUNDATION: imported(FOUNDATION)}


def slot_size() -> int:
    """The bytes behind each socket in a table of C's, which Python's allocators don't see: compat's, compiled."""
    if getattr(calls, "MODE", None) != "cffi API mode":
        return 0
    ffi = importlib.import_module("winsock_compat.libc").ffi
    size: int = ffi.sizeof("struct quick_slot")
    return size


def remembered(port: int, take: Callable[[], Any], close: Callable[[Any], Any], unseen: int = 0) -> Contestant:
    """The bytes that taking a client leaves allocated, and those that are not seen."""

    def contestant(number: int) -> float:
        with ExitStack() as stack:
            total = 0
            taken: list[Any] = [None] * number
            tracing = tracemalloc.is_tracing()
            tracemalloc.start()
            for place in range(number):
                standard_client(stack, port)
                before = tracemalloc.get_traced_memory()[0]
                taken[place] = take()
                total += tracemalloc.get_traced_memory()[0] - before
            if not tracing:
                tracemalloc.stop()
            for one in taken:
                close(one)
        return total + number * unseen

    return contestant


@contextmanager
def memory() -> Iterator[Contestants]:
    """An accepted TCP socket: what Python's allocators gave out for it, and compat's own table in C.

    The kernel's part is the same for both; what a library's C code takes by itself is not seen.
    """
    with winsock_started() as stack:
        ours, theirs = winsock_listener(stack), standard_listener(stack)
        source, length = sockaddr_in(), ctypes.c_int(ADDRESS_SIZE)
        yield {
            "winsock": remembered(
                winsock_port(ours),
                lambda: sure(accept(ours, source, length)),
                lambda handle: sure(closesocket(handle)),
                slot_size(),
            ),
            "socket": remembered(standard_port(theirs), lambda: theirs.accept()[0], lambda accepted: accepted.close()),
        }


BENCHMARKS = (
    Benchmark("import", import_time, number=1, rounds=11),
    Benchmark("memory", memory, number=200, rounds=3, unit="B"),
)
