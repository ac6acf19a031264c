"""A call that waits blocks only its own thread, and keeps its buffers alive and at their size."""

from __future__ import annotations

import ctypes
import gc
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from ctypes import c_char, c_int, sizeof
from pathlib import Path

import pytest
from winsock_kit import (
    LIMIT_SECONDS,
    Running,
    connect_to,
    connected_pair,
    fd_set_of,
    listener,
    name_of,
    set_nonblocking,
    udp_pair,
)

from winsock import (
    INVALID_SOCKET,
    POLLIN,
    WSAEWOULDBLOCK,
    WSAPOLLFD,
    WSAGetLastError,
    WSAPoll,
    accept,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    sockaddr_in,
    timeval,
)

pytestmark = pytest.mark.usefixtures("started")


def pinned(buffer: bytearray) -> bool:
    try:
        buffer.append(0)
        buffer.pop()  # a call may have come in between
    except BufferError:
        return True
    return False


def wait_until_pinned(buffer: bytearray) -> None:
    """Returns when a call in another thread uses the buffer. If the call kept the GIL, this would not return."""
    end = time.monotonic() + LIMIT_SECONDS / 2
    while not pinned(buffer):
        assert time.monotonic() < end, "no call holds the buffer while others run"


# Each makes a call that waits, the buffer that it holds, and what lets it go on.
Wait = tuple[Callable[[], int], bytearray, Callable[[], object]]


def waiting_recv() -> Wait:
    client, accepted = connected_pair()
    buffer = bytearray(1)
    return lambda: recv(accepted, buffer, 1, 0), buffer, lambda: send(client, b"x", 1, 0)


def waiting_recvfrom() -> Wait:
    one, other = udp_pair()
    buffer, address = bytearray(1), name_of(other)
    receive = lambda: recvfrom(other, buffer, 1, 0, sockaddr_in(), c_int(16))  # noqa: E731
    return receive, buffer, lambda: sendto(one, b"x", 1, 0, address, sizeof(address))


def waiting_accept() -> Wait:
    server = listener()
    address = bytearray(16)
    taken = lambda: int(accept(server, address, c_int(16)) != INVALID_SOCKET)  # noqa: E731
    return taken, address, lambda: connect_to(server)


def waiting_select() -> Wait:
    client, accepted = connected_pair()
    fds = bytearray(fd_set_of(accepted))
    return lambda: select(0, fds, None, None, timeval(LIMIT_SECONDS, 0)), fds, lambda: send(client, b"x", 1, 0)


def waiting_poll() -> Wait:
    client, accepted = connected_pair()
    polled = bytearray(WSAPOLLFD(accepted, POLLIN))
    return lambda: WSAPoll(polled, 1, 1000 * LIMIT_SECONDS), polled, lambda: send(client, b"x", 1, 0)


def waiting_send() -> Wait:
    client, accepted = connected_pair()
    message = bytearray(1 << 20)
    set_nonblocking(client)
    while send(client, message, len(message), 0) > 0:
        pass
    assert WSAGetLastError() == WSAEWOULDBLOCK
    set_nonblocking(client, 0)
    room = bytearray(1 << 20)

    def drain() -> None:
        while recv(accepted, room, len(room), 0) > 0 and pinned(message):
            pass

    return lambda: send(client, message, len(message), 0) // len(message), message, drain


@pytest.mark.parametrize(
    "make", [waiting_recv, waiting_recvfrom, waiting_accept, waiting_select, waiting_poll, waiting_send]
)
def test_while_a_call_waits_other_threads_run_and_its_buffer_keeps_its_size(make: Callable[[], Wait]) -> None:
    call, buffer, release = make()
    blocked = Running(call)
    wait_until_pinned(buffer)
    with pytest.raises(BufferError):
        del buffer[:]
    release()
    assert blocked.result() == 1, WSAGetLastError()
    del buffer[:]


def test_a_buffer_that_nobody_else_holds_lives_as_long_as_the_call() -> None:
    client, accepted = connected_pair()
    made: list[weakref.ref[ctypes.Array[c_char]]] = []
    sign = bytearray(16)

    def buffer() -> ctypes.Array[c_char]:
        array = (c_char * 1000)()
        made.append(weakref.ref(array))
        return array

    blocked = Running(lambda: recvfrom(accepted, buffer(), 1000, 0, sign, c_int(16)))
    wait_until_pinned(sign)
    gc.collect()
    assert made[0]() is not None
    assert send(client, bytes(1000), 1000, 0) == 1000
    assert 0 < blocked.result() <= 1000
    del blocked
    gc.collect()
    assert made[0]() is None


@pytest.mark.posix_only("Windows has no timer that interrupts a call")
def test_a_signals_handler_that_receives_does_not_touch_what_it_interrupts() -> None:
    client, accepted = connected_pair()
    other_client, other_accepted = connected_pair()
    for s in (client, accepted, other_client, other_accepted):
        set_nonblocking(s)
    handled = 0

    def receive_other(*_: object) -> None:
        nonlocal handled
        send(other_client, b"o" * 16, 16, 0)
        handled += recv(other_accepted, bytearray(16), 16, 0) > 0
        # Not a periodic timer: on a slow machine the next signal would interrupt this handler, without end.
        if handled < 200:
            signal.setitimer(signal.ITIMER_REAL, 0.0005)

    previous = signal.signal(signal.SIGALRM, receive_other)
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
    received = []
    try:
        while handled < 200 or not any(received):
            send(client, b"b" * 16, 16, 0)
            buffer = bytearray(16)
            count = recv(accepted, buffer, 16, 0)
            received.append(bytes(buffer[: max(count, 0)]))
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert set(b"".join(received)) == set(b"b")


def test_a_type_made_for_one_call_does_not_outlive_it() -> None:
    client, _server = connected_pair()
    made: list[weakref.ref[type]] = []
    for number in range(1000):
        made_here = type("Message", (ctypes.Structure,), {"_fields_": [("text", c_char * (1 + number % 8))]})
        assert send(client, made_here(), 1, 0) == 1
        made.append(weakref.ref(made_here))
    del made_here
    gc.collect()
    assert made[-1]() is None


SHRINKING = """
import sys, threading
from ctypes import c_int
from winsock import MAKEWORD, WSADATA, WSACleanup, WSAStartup, recv, recvfrom, send, sendto, sockaddr_in
from winsock_kit import connected_pair, name_of, set_nonblocking, udp_pair

assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
sys.setswitchinterval(1e-6)
(client, accepted), (one, other) = connected_pair(), udp_pair()
for s in client, accepted, other:
    set_nonblocking(s)
data, buffer, address, done = bytes(range(256)) * 16, bytearray(4096), name_of(other), False

def shrink():
    while not done:
        for change in buffer.clear, lambda: buffer.extend(bytes(4096)):
            try:
                change()
            except BufferError:
                pass

def receive(call, *arguments):
    try:
        return call(*arguments) > 0
    except BufferError:
        return False

thread = threading.Thread(target=shrink, daemon=True)
thread.start()
received = 0
for number in range(20_000):
    if number >= 1000 and received:
        break
    send(client, data, 4096, 0)
    received += receive(recv, accepted, buffer, 4096, 0)
    sendto(one, data, 4096, 0, address, 16)
    received += receive(recvfrom, other, buffer, 4096, 0, sockaddr_in(), c_int(16))
done = True
thread.join()
assert WSACleanup() == 0
print("received some" if received else "received nothing")
"""


def test_a_buffer_that_another_thread_makes_smaller_is_not_overrun() -> None:
    kits = Path(__file__).parents[1] / "kits"
    command = [sys.executable, "-X", "dev", "-c", f"import sys; sys.path[:0] = [{str(kits)!r}]{SHRINKING}"]
    done = subprocess.run(command, cwd=kits.parents[1], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "received some"), done.stderr
