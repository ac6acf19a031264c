"""What other threads, signal handlers and finalizers do to a socket while a call uses it."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Callable

import pytest
from winsock_kit import (
    bound,
    connect_to,
    connected_pair,
    error_of,
    give_time,
    listener,
    name_of,
    new,
    readable,
    receive_all,
    set_nonblocking,
)

import winsock
from winsock import (
    INVALID_SOCKET,
    MAKEWORD,
    MSG_DONTROUTE,
    MSG_PEEK,
    POLLRDNORM,
    SD_SEND,
    SO_LINGER,
    SOCK_DGRAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSADATA,
    WSAECONNABORTED,
    WSAECONNREFUSED,
    WSAESHUTDOWN,
    WSAEWOULDBLOCK,
    WSAPOLLFD,
    WSACleanup,
    WSAGetLastError,
    WSAPoll,
    WSAStartup,
    accept,
    bind,
    closesocket,
    connect,
    linger,
    recv,
    recvfrom,
    send,
    setsockopt,
    shutdown,
)

pytestmark = pytest.mark.usefixtures("started")

ROUNDS = 150

# Without it closesocket closes a descriptor that a call of another thread is about to use (notes/differences.md).
with_accelerator = pytest.mark.skipif(
    not getattr(winsock.calls, "ACCELERATED", False),
    reason="only with the accelerator a call keeps its descriptor open",
)


@with_accelerator
@pytest.mark.posix_only("Windows gives the number of a closed handle to a newer socket")
def test_what_is_sent_on_a_closed_socket_never_arrives_in_a_newer_connection() -> None:
    for _ in range(ROUNDS):
        client, server = connected_pair()
        set_nonblocking(client)

        def send_until_closed(handle: int = client) -> None:
            # With this flag the reference sends, and not the accelerator.
            while send(handle, b"SECRET", 6, MSG_DONTROUTE) != SOCKET_ERROR or WSAGetLastError() == WSAEWOULDBLOCK:
                pass

        threads = [threading.Thread(target=send_until_closed) for _ in range(2)]
        for thread in threads:
            thread.start()
        closesocket(client)
        new_client, new_server = connected_pair()
        for thread in threads:
            thread.join()
        set_nonblocking(new_server)
        received = recv(new_server, bytearray(8), 8, 0)
        for handle in (server, new_client, new_server):
            closesocket(handle)
        assert received == SOCKET_ERROR


@with_accelerator
@pytest.mark.posix_only("Windows gives the number of a closed handle to a newer socket")
def test_a_call_on_a_closed_socket_never_reads_from_a_newer_one() -> None:
    for _ in range(ROUNDS):
        closing = bound(SOCK_DGRAM)
        set_nonblocking(closing)
        found: list[int] = []

        def peek_until_closed(handle: int = closing, found: list[int] = found) -> None:
            while (count := recv(handle, bytearray(8), 8, MSG_PEEK)) != SOCKET_ERROR or (
                WSAGetLastError() == WSAEWOULDBLOCK
            ):
                if count != SOCKET_ERROR:
                    found.append(count)

        thread = threading.Thread(target=peek_until_closed)
        thread.start()
        closesocket(closing)
        client, server = connected_pair()
        send(client, b"private", 7, 0)
        thread.join()
        for handle in (client, server):
            closesocket(handle)
        assert found == []


@pytest.mark.posix_only("Wine may answer a send during shutdown with another error")
def test_shutdown_during_a_send_leaves_the_other_direction_alone() -> None:
    for _ in range(ROUNDS):
        client, server = connected_pair()
        set_nonblocking(client)
        send(server, b"hello", 5, 0)
        errors: list[int] = []

        def send_until_shut_down(handle: int = client, errors: list[int] = errors) -> None:
            while send(handle, b"x", 1, 0) != SOCKET_ERROR or WSAGetLastError() == WSAEWOULDBLOCK:
                pass
            errors.append(WSAGetLastError())

        thread = threading.Thread(target=send_until_shut_down)
        thread.start()
        shutdown(client, SD_SEND)
        thread.join()
        received = receive_all(client, 5)
        for handle in (client, server):
            closesocket(handle)
        assert (errors, received) == ([WSAESHUTDOWN], b"hello")


@pytest.mark.posix_only("an interval timer")
@pytest.mark.parametrize("size", [100, 70_000])
def test_a_handler_that_closes_and_raises_during_recv_leaves_no_descriptor_open(size: int) -> None:
    class Stop(Exception):
        pass

    client, server = connected_pair()

    def close_and_raise(number: int, frame: object) -> None:
        closesocket(server)
        raise Stop

    def receive_with_timer() -> None:
        # On a busy machine the handler may run before recv begins. It must raise here, where the exception is expected.
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        recv(server, bytearray(size), size, 0)

    if sys.platform != "win32":
        previous = signal.signal(signal.SIGALRM, close_and_raise)
        try:
            with pytest.raises(Stop):
                receive_with_timer()
        finally:
            signal.signal(signal.SIGALRM, previous)
    # The exception refers to the frames of the interrupted call.
    gc.collect()
    assert readable(client)
    assert recv(client, bytearray(1), 1, 0) == 0
    closesocket(client)


@with_accelerator
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="since 3.12 the collector does not run inside a call in C")
@pytest.mark.posix_only("the accept of compat allocates an object, and so may collect garbage")
def test_a_listener_that_a_finalizer_closes_during_accept_gives_no_connection() -> None:
    waiting = listener()
    set_nonblocking(waiting)
    client = connect_to(waiting)
    assert readable(waiting)

    class Closer:
        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            closesocket(waiting)

    gc.disable()
    thresholds = gc.get_threshold()
    try:
        Closer()
        gc.set_threshold(1, 1, 1)
        gc.enable()
        accepted = accept(waiting, None, None)
    finally:
        gc.set_threshold(*thresholds)
        gc.enable()
    assert accepted == INVALID_SOCKET
    closesocket(client)


def wait_in_accept(handle: int) -> int:
    return accept(handle, None, None)


def wait_in_poll(handle: int) -> int:
    entries = (WSAPOLLFD * 1)(WSAPOLLFD(handle, POLLRDNORM, 0))
    return WSAPoll(entries, 1, 5000)


def wait_in_recvfrom(handle: int) -> int:
    return recvfrom(handle, bytearray(8), 8, 0, None, None)


def start_waiting(wait: Callable[[int], int], handle: int) -> threading.Thread:
    thread = threading.Thread(target=wait, args=(handle,))
    thread.start()
    return thread


@pytest.mark.posix_only("how soon Wine frees the port is not known")
@pytest.mark.parametrize("wait", [wait_in_accept, wait_in_poll])
def test_a_listeners_port_is_free_and_refuses_clients_once_closesocket_returns(wait: Callable[[int], int]) -> None:
    for _ in range(ROUNDS // 5):
        waiting = listener()
        name = name_of(waiting)
        thread = start_waiting(wait, waiting)
        give_time(2)
        closesocket(waiting)
        client, newer = new(), new()
        refused = error_of(connect(client, name, 16))
        result = bind(newer, name, 16)
        thread.join()
        closesocket(client)
        closesocket(newer)
        assert (refused, result) == (WSAECONNREFUSED, 0)


@pytest.mark.posix_only("how soon Wine frees the port is not known")
def test_a_datagram_sockets_port_is_free_once_closesocket_returns() -> None:
    for _ in range(ROUNDS // 5):
        waiting = bound(SOCK_DGRAM)
        name = name_of(waiting)
        thread = start_waiting(wait_in_recvfrom, waiting)
        give_time(2)
        closesocket(waiting)
        newer = new(SOCK_DGRAM)
        result = bind(newer, name, 16)
        thread.join()
        closesocket(newer)
        assert result == 0


@pytest.mark.posix_only("how soon Wine frees the port is not known")
def test_every_port_is_free_once_wsacleanup_returns() -> None:
    for _ in range(ROUNDS // 5):
        waiting = listener()
        name = name_of(waiting)
        thread = start_waiting(wait_in_accept, waiting)
        give_time(2)
        assert WSACleanup() == 0
        assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
        newer = new()
        result = bind(newer, name, 16)
        thread.join()
        closesocket(newer)
        assert result == 0


@pytest.mark.posix_only("Wine does not wait for unsent data")
def test_closesocket_waits_for_unsent_data_and_not_the_recv_of_another_thread() -> None:
    client, server = connected_pair()
    set_nonblocking(client)
    while send(client, bytes(65536), 65536, 0) > 0:
        pass
    set_nonblocking(client, 0)
    assert setsockopt(client, SOL_SOCKET, SO_LINGER, linger(1, 1), 4) == 0
    order: list[str] = []

    def receive() -> None:
        recv(client, bytearray(8), 8, 0)
        order.append("recv")

    thread = threading.Thread(target=receive)
    thread.start()
    give_time(100)
    closesocket(client)
    order.append("closesocket")
    thread.join()
    closesocket(server)
    assert order == ["recv", "closesocket"]


@pytest.mark.posix_only("an interval timer")
def test_closesocket_does_not_wait_for_the_call_that_its_signal_handler_has_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("winsock_compat.state.waiters._CLOSE_LIMIT", 1000)
    client, server = connected_pair()

    def close_client(number: int, frame: object) -> None:
        closesocket(client)

    if sys.platform != "win32":
        previous = signal.signal(signal.SIGALRM, close_client)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            assert error_of(recv(client, bytearray(8), 8, 0)) == WSAECONNABORTED
        finally:
            signal.signal(signal.SIGALRM, previous)
    closesocket(server)
