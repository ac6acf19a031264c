"""A call that waits stops nobody but its own thread, and holds on to its buffers: they stay alive, at their size."""

from __future__ import annotations

import ctypes
import gc
import time
import weakref
from collections.abc import Callable
from ctypes import c_char, c_int, sizeof

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
    except BufferError:
        return True
    buffer.pop()
    return False


def wait_until_pinned(buffer: bytearray) -> None:
    """Return once a call in another thread holds the buffer; were it to keep the interpreter, nobody could see it."""
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
