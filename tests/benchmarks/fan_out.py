"""One message to every client of a server: non-blocking TCP sockets, plain sends in a loop, or all in one call."""

from __future__ import annotations

import asyncio
import ctypes
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns

from winsock import send
from winsock.batch import send_many

from .connections import MESSAGE, SIZE, descriptors, standard_server, winsock_server, winsock_started
from .measuring import Benchmark, Contestant, Contestants


def _emptied(announce: Callable[[], int], clients: list[socket.socket]) -> Contestant:
    """Times so many announcements; afterwards the clients take them, outside the time."""

    def contestant(number: int) -> float:
        failed = 0
        start = perf_counter_ns()
        for _ in range(number):
            failed += announce()
        cost = perf_counter_ns() - start
        assert not failed
        for client in clients:
            left = SIZE * number
            while left:
                received = len(client.recv(left))
                assert received
                left -= received
        return cost

    return contestant


def _asyncio(stack: ExitStack, count: int) -> Contestant:
    """StreamWriter.write alone, which sends at once where it can; the drain that a program adds is not counted."""
    sockets, clients = standard_server(stack, count)
    loop = asyncio.new_event_loop()
    stack.callback(loop.close)
    writers = [loop.run_until_complete(asyncio.open_connection(sock=accepted))[1] for accepted in sockets]

    def close() -> None:
        for writer in writers:
            writer.transport.abort()
        loop.run_until_complete(asyncio.sleep(0))

    stack.callback(close)

    def announce() -> int:
        for writer in writers:
            writer.write(MESSAGE)
        return 0

    return _emptied(announce, clients)


def _c_loop(stack: ExitStack, descriptors: list[int]) -> Callable[[], int] | None:
    """The same sends from a loop in C, which is as little as they can cost; None without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform == "win32":
        return None
    folder = Path(stack.enter_context(TemporaryDirectory()))
    (folder / "loop.c").write_text(
        "#include <sys/socket.h>\n"
        "int announce(const int *fds, int count, const char *data, int size) {\n"
        "    int failed = 0;\n"
        "    for (int i = 0; i < count; i++) failed += send(fds[i], data, size, MSG_NOSIGNAL) != size;\n"
        "    return failed;\n"
        "}\n"
    )
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", "loop.so", "loop.c"], cwd=folder, check=True)
    loop = ctypes.CDLL(str(folder / "loop.so")).announce
    fds = (ctypes.c_int * len(descriptors))(*descriptors)
    return lambda: int(loop(fds, len(fds), MESSAGE, SIZE))


def announcing(count: int, *names: str) -> Callable[[], AbstractContextManager[Contestants]]:
    """The contestants of these names, but those that this machine has not got."""

    @contextmanager
    def prepare() -> Iterator[Contestants]:
        with descriptors(6 * count), winsock_started() as stack:
            handles, our_clients = winsock_server(stack, count)
            sockets, their_clients = standard_server(stack, count)

            def each() -> int:
                failed = 0
                for handle in handles:
                    if send(handle, MESSAGE, SIZE, 0) != SIZE:
                        failed += 1
                return failed

            def at_once() -> int:
                return count - send_many(handles, MESSAGE, SIZE, 0).count(SIZE)

            def standard() -> int:
                failed = 0
                for accepted in sockets:
                    if accepted.send(MESSAGE) != SIZE:
                        failed += 1
                return failed

            contestants = {
                "send": _emptied(each, our_clients),
                "send_many": _emptied(at_once, our_clients),
                "socket": _emptied(standard, their_clients),
            }
            # On Windows the proactor's writes end in the loop, and its selector takes 512 sockets at most.
            if "asyncio" in names and sys.platform != "win32":
                contestants["asyncio"] = _asyncio(stack, count)
            loop = _c_loop(stack, [accepted.fileno() for accepted in sockets]) if "C loop" in names else None
            if loop:
                contestants["C loop"] = _emptied(loop, their_clients)
            yield {name: contestants[name] for name in names if name in contestants}

    return prepare


FAN_OUT = ("send", "socket", "asyncio")
BATCH = ("send_many", "socket", "C loop")

BENCHMARKS = (
    Benchmark("fan-out-100", announcing(100, *FAN_OUT), number=2),
    Benchmark("fan-out-1000", announcing(1000, *FAN_OUT), number=1, rounds=51),
    Benchmark("batch-100", announcing(100, *BATCH), number=2),
    Benchmark("batch-1000", announcing(1000, *BATCH), number=1, rounds=51),
)
