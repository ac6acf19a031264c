"""Sends one message to every client of a server, over non-blocking TCP sockets: a loop of sends, or one call."""

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
from .measuring import Benchmark, Variant, Variants


def _emptied(announce: Callable[[], int], clients: list[socket.socket]) -> Variant:
    """Times the sends of `number` messages to all clients; the clients receive them afterwards, untimed."""

    def variant(number: int) -> float:
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

    return variant


def _asyncio(stack: ExitStack, count: int) -> Variant:
    """StreamWriter.write alone, which sends immediately if it can; the drain of a real program is not counted."""
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
    """The same sends in a C loop, the lower limit of their cost; None without a C compiler."""
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


def _send_each(handles: list[int]) -> Callable[[], int]:
    def announce() -> int:
        failed = 0
        for handle in handles:
            if send(handle, MESSAGE, SIZE, 0) != SIZE:
                failed += 1
        return failed

    return announce


def _send_to_many(handles: list[int]) -> Callable[[], int]:
    return lambda: len(handles) - send_many(handles, MESSAGE, SIZE, 0).count(SIZE)


def _standard_send_each(sockets: list[socket.socket]) -> Callable[[], int]:
    def announce() -> int:
        failed = 0
        for accepted in sockets:
            if accepted.send(MESSAGE) != SIZE:
                failed += 1
        return failed

    return announce


def announcing(count: int, *names: str) -> Callable[[], AbstractContextManager[Variants]]:
    """The variants of these names, except for those that are not available on this machine.

    Each has sockets of its own: those that are used twice as often would stay in the CPU caches.
    """

    @contextmanager
    def prepare() -> Iterator[Variants]:
        with descriptors(2 * count * len(names)), winsock_started() as stack:
            variants: Variants = {}
            if "send" in names:
                handles, our_clients = winsock_server(stack, count)
                variants["send"] = _emptied(_send_each(handles), our_clients)
            if "send_many" in names:
                many, many_clients = winsock_server(stack, count)
                variants["send_many"] = _emptied(_send_to_many(many), many_clients)
            sockets, their_clients = standard_server(stack, count)
            variants["socket"] = _emptied(_standard_send_each(sockets), their_clients)
            # On Windows the writes of the proactor complete in the event loop, and the selector takes 512 sockets.
            if "asyncio" in names and sys.platform != "win32":
                variants["asyncio"] = _asyncio(stack, count)
            if "C loop" in names:
                looped, loop_clients = standard_server(stack, count)
                loop = _c_loop(stack, [accepted.fileno() for accepted in looped])
                if loop:
                    variants["C loop"] = _emptied(loop, loop_clients)
            yield {name: variants[name] for name in names if name in variants}

    return prepare


FAN_OUT = ("send", "socket", "asyncio")
BATCH = ("send_many", "socket", "C loop")

BENCHMARKS = (
    Benchmark("fan-out-100", announcing(100, *FAN_OUT), number=2),
    Benchmark("fan-out-1000", announcing(1000, *FAN_OUT), number=1, rounds=51),
    Benchmark("batch-100", announcing(100, *BATCH), number=2),
    Benchmark("batch-1000", announcing(1000, *BATCH), number=1, rounds=51),
)
