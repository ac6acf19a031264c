"""Transfers of more than 64 KiB let other threads run, and buffers that change meanwhile do no harm."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from winsock_kit import connected_pair, set_nonblocking

import winsock
from tests.properties.reference import accelerated, reference_of
from winsock import (
    SD_SEND,
    WSAEFAULT,
    WSAESHUTDOWN,
    recv,
    send,
    shutdown,
)
from winsock.batch import send_many

pytestmark = [
    pytest.mark.posix_only("looks at how compat uses the GIL and the caller's memory"),
    pytest.mark.usefixtures("started"),
]

LARGE, MUCH = 200_000, 2_000_000
SMALL = 60_000  # a recv of as many bytes keeps the GIL
ROUNDS = 5000


@pytest.fixture
def no_switching() -> Iterator[None]:
    """A thread keeps the GIL until it releases it itself."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Observer:
    """A thread that waits for the GIL from `begin` on and makes a call as soon as it gets it."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call, self._begun, self._done = call, threading.Semaphore(0), threading.Semaphore(0)
        self._ending = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            self._begun.acquire()
            if self._ending:
                return
            self._call()
            self._done.release()

    def begin(self) -> None:
        self._begun.release()

    def wait(self) -> None:
        self._done.acquire()

    def end(self) -> None:
        self._ending = True
        self._begun.release()
        self._thread.join()


def drain(s: int, count: int) -> bytes:
    """Receives `count` bytes in parts."""
    received, part = bytearray(), bytearray(SMALL)
    while len(received) < count:
        got = recv(s, part, min(count - len(received), SMALL), 0)
        assert got > 0
        received += part[:got]
    return bytes(received)


def send_one(s: int, data: bytearray) -> int:
    return send(s, data, len(data), 0)


def send_to_a_list(s: int, data: bytearray) -> int:
    return send_many([s], data, len(data), 0)[0]


@pytest.mark.parametrize("call", [send_one, send_to_a_list])
def test_other_threads_run_while_a_large_message_is_sent(
    call: Callable[[int, bytearray], int], no_switching: None
) -> None:
    client, server = connected_pair()
    set_nonblocking(client)
    zeros, ones = bytes(MUCH), bytes([1]) * MUCH
    data = bytearray(MUCH)

    def change() -> None:
        data[:] = ones

    observer = Observer(change)
    for _ in range(ROUNDS):
        data[:] = zeros
        observer.begin()
        count = call(client, data)
        observer.wait()
        # If the thread ran only after the send, it could not change what was sent.
        ran_meanwhile = 1 in drain(server, count)
        if ran_meanwhile:
            break
    observer.end()
    assert ran_meanwhile


@pytest.mark.skipif(not accelerated(), reason="the reference releases the GIL in each system call")
@pytest.mark.parametrize("waiting", [0, 10])
def test_a_recv_with_a_large_buffer_keeps_the_gil_if_it_moves_little(waiting: int, no_switching: None) -> None:
    client, server = connected_pair()
    set_nonblocking(server)
    ran, buffer = list[int](), bytearray(LARGE)
    observer = Observer(lambda: ran.append(1))
    observer.begin()
    counts = set()
    for _ in range(200):
        if waiting:
            send(client, bytes(waiting), waiting, 0)
        counts.add(recv(server, buffer, LARGE, 0))
    assert ran == []
    observer.end()
    assert counts == {waiting or winsock.SOCKET_ERROR}


SIZE = 1000


def grow(buffer: Any) -> None:
    """Moves the memory of a ctypes array."""
    ctypes.resize(buffer, 100 * SIZE)


def clear(buffer: Any) -> None:
    buffer.clear()


@pytest.mark.parametrize(
    ("make", "change", "expected"),
    [
        (lambda data: ctypes.create_string_buffer(data, SIZE), grow, [SIZE, -WSAESHUTDOWN, SIZE]),
        (bytearray, clear, [SIZE, -WSAEFAULT, -WSAEFAULT]),
    ],
)
@pytest.mark.parametrize("implementation", ["the accelerator", "the reference"])
def test_send_many_sends_what_a_buffer_contains_that_changes_during_the_call(
    make: Callable[[bytes], Any], change: Callable[[Any], None], expected: list[int], implementation: str
) -> None:
    (first, _), (shut, _), (last, peer) = connected_pair(), connected_pair(), connected_pair()
    assert shutdown(shut, SD_SEND) == 0
    data = bytes(range(250)) * (SIZE // 250)
    buffer = make(data)

    def report(frame: FrameType, event: str, argument: Any) -> None:
        # A Python function runs for a socket in a special state, here `shut`; a signal handler could act there too.
        if event == "call" and frame.f_code.co_name == "send" and frame.f_locals.get("s") == shut:
            sys.setprofile(None)
            change(buffer)

    function = send_many if implementation == "the accelerator" else reference_of("send_many")
    sys.setprofile(report)
    try:
        assert function([first, shut, last], buffer, SIZE, 0) == expected
    finally:
        sys.setprofile(None)
    received = bytearray(SIZE)
    if expected[2] > 0:
        assert recv(peer, received, SIZE, 0) == SIZE
        assert received == data


RESIZING = """
import ctypes, sys, threading, time
from winsock import MAKEWORD, WSADATA, WSACleanup, WSAStartup, recv, send
from winsock_kit import connected_pair

LARGE, PART = 100_000, 50_000
assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
sys.setswitchinterval(1e-6)
client, accepted = connected_pair()
data = bytes(range(250)) * (LARGE // 250)
buffer, done = (ctypes.c_char * LARGE)(), False

def resize():
    while not done:
        for size in range(LARGE, 2 * LARGE, 8192):
            ctypes.resize(buffer, size)

threads = [threading.Thread(target=resize) for _ in range(2)]
for thread in threads:
    thread.start()
try:
    end = time.monotonic() + 30  # on a busy machine fewer rounds
    for _ in range(4000):
        if time.monotonic() > end:
            break
        for start in range(0, LARGE, PART):
            assert send(client, data[start:start + PART], PART, 0) == PART
        position = 0
        while position < LARGE:
            buffer.raw = bytes(LARGE)  # ctypes.memset would release the GIL
            count = recv(accepted, buffer, LARGE, 0)
            assert buffer.raw[:count] == data[position:position + count]
            position += count
finally:
    done = True
    for thread in threads:
        thread.join()
assert WSACleanup() == 0
print("done")
"""


@pytest.mark.skipif(not accelerated(), reason="without the GIL nothing keeps the memory of a ctypes object in place")
def test_a_ctypes_buffer_that_another_thread_resizes_is_not_used_at_its_old_place() -> None:
    kits = Path(__file__).parents[1] / "kits"
    command = [sys.executable, "-X", "dev", "-c", f"import sys; sys.path[:0] = [{str(kits)!r}]{RESIZING}"]
    done = subprocess.run(command, cwd=kits.parents[1], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr
