"""The time of `import winsock`, and the memory of each socket."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from winsock import accept, closesocket, sockaddr_in

from .connections import (
    ADDRESS_SIZE,
    checked,
    standard_client,
    standard_listener,
    standard_port,
    winsock_listener,
    winsock_port,
    winsock_started,
)
from .measuring import CHECKOUT, Benchmark, Variant, Variants

# The modules that winsock requires.
FOUNDATION = "ctypes"


def imported(modules: str) -> Variant:
    """The time of one import statement in a new process, with bytecode caches."""
    code = f"import time; start = time.perf_counter_ns()\nimport {modules}\nprint(time.perf_counter_ns() - start)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def variant(number: int) -> float:
        return sum(
            float(
                subprocess.run(
                    [sys.executable, "-c", code], cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, check=True
                ).stdout
            )
            for _ in range(number)
        )

    return variant


@contextmanager
def import_time() -> Iterator[Variants]:
    yield {"winsock": imported("winsock"), FOUNDATION: imported(FOUNDATION)}


def remembered(port: int, take: Callable[[], Any], close: Callable[[Any], Any]) -> Variant:
    """The bytes that accepting a client allocates."""

    def variant(number: int) -> float:
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
        return total

    return variant


@contextmanager
def memory() -> Iterator[Variants]:
    """The memory of an accepted TCP socket: allocations of Python, which the accelerator uses too.

    The kernel's part is the same for both variants. Other allocations of C libraries are not counted.
    """
    with winsock_started() as stack:
        ours, theirs = winsock_listener(stack), standard_listener(stack)
        source, length = sockaddr_in(), ctypes.c_int(ADDRESS_SIZE)
        yield {
            "winsock": remembered(
                winsock_port(ours),
                lambda: checked(accept(ours, source, length)),
                lambda handle: checked(closesocket(handle)),
            ),
            "socket": remembered(standard_port(theirs), lambda: theirs.accept()[0], lambda accepted: accepted.close()),
        }


BENCHMARKS = (
    Benchmark("import", import_time, number=1, rounds=11),
    Benchmark("memory", memory, number=200, rounds=3, unit="B"),
)
