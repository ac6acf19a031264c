"""One socket, one message: recv that finds nothing, send + recv, sendto + recvfrom, accept + close."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from time import perf_counter_ns
from typing import Any

from winsock import (
    SOCKET_ERROR,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    accept,
    closesocket,
    recv,
    recvfrom,
    send,
    sendto,
    sockaddr_in,
)

from .connections import (
    ADDRESS_SIZE,
    MESSAGE,
    SIZE,
    checked,
    standard_client,
    standard_datagram,
    standard_listener,
    standard_pair,
    standard_port,
    winsock_address,
    winsock_datagram,
    winsock_listener,
    winsock_nonblocking,
    winsock_pair,
    winsock_port,
    winsock_started,
)
from .measuring import Benchmark, Variants, timed


@contextmanager
def recv_nothing() -> Iterator[Variants]:
    """recv on a non-blocking TCP socket without data: SOCKET_ERROR and WSAGetLastError against BlockingIOError."""
    with winsock_started() as stack:
        _, ours = winsock_pair(stack)
        winsock_nonblocking(ours)
        _, theirs = standard_pair(stack)
        theirs.setblocking(False)
        buffer = bytearray(SIZE)

        def winsock(number: int) -> None:
            error = 0
            for _ in range(number):
                if recv(ours, buffer, SIZE, 0) == SOCKET_ERROR:
                    error = WSAGetLastError()
            assert error == WSAEWOULDBLOCK

        def standard(number: int) -> None:
            missed = 0
            for _ in range(number):
                try:
                    theirs.recv_into(buffer)
                except BlockingIOError:
                    missed += 1
            assert missed == number

        yield {"winsock": timed(winsock), "socket": timed(standard)}


@contextmanager
def send_recv() -> Iterator[Variants]:
    """64 bytes over TCP, sent by one end and received into a buffer by the other; blocking sockets."""
    with winsock_started() as stack:
        our_client, our_server = winsock_pair(stack)
        their_client, their_server = standard_pair(stack)
        buffer = bytearray(SIZE)

        def winsock(number: int) -> None:
            received = 0
            for _ in range(number):
                send(our_client, MESSAGE, SIZE, 0)
                received += recv(our_server, buffer, SIZE, 0)
            assert received == number * SIZE

        def standard(number: int) -> None:
            received = 0
            for _ in range(number):
                their_client.send(MESSAGE)
                received += their_server.recv_into(buffer)
            assert received == number * SIZE

        yield {"winsock": timed(winsock), "socket": timed(standard)}


def sendto_recvfrom() -> AbstractContextManager[Variants]:
    """64 bytes over UDP, with the sender's address; blocking sockets. The addresses are structures."""
    return _sendto_recvfrom(sockaddr_in, sockaddr_in.from_buffer_copy)


def sendto_recvfrom_bytes() -> AbstractContextManager[Variants]:
    """As sendto_recvfrom, with the addresses in byte arrays, as in the article's programs."""
    return _sendto_recvfrom(lambda: bytearray(ADDRESS_SIZE), bytearray)


@contextmanager
def _sendto_recvfrom(make: Callable[[], Any], copy: Callable[[sockaddr_in], Any]) -> Iterator[Variants]:
    with winsock_started() as stack:
        our_sender, our_receiver = winsock_datagram(stack), winsock_datagram(stack)
        their_sender, their_receiver = standard_datagram(stack), standard_datagram(stack)
        our_target, their_target = copy(winsock_address(winsock_port(our_receiver))), their_receiver.getsockname()
        source, length = make(), ctypes.c_int(ADDRESS_SIZE)
        buffer = bytearray(SIZE)

        def winsock(number: int) -> None:
            received = 0
            for _ in range(number):
                sendto(our_sender, MESSAGE, SIZE, 0, our_target, ADDRESS_SIZE)
                received += recvfrom(our_receiver, buffer, SIZE, 0, source, length)
            assert received == number * SIZE

        def standard(number: int) -> None:
            received = 0
            for _ in range(number):
                their_sender.sendto(MESSAGE, their_target)
                count, _source = their_receiver.recvfrom_into(buffer)
                received += count
            assert received == number * SIZE

        yield {"winsock": timed(winsock), "socket": timed(standard)}


@contextmanager
def accept_close() -> Iterator[Variants]:
    """Accepts a waiting client with its address and closes it. The connections are made untimed."""
    with winsock_started() as stack:
        ours, theirs = winsock_listener(stack), standard_listener(stack)
        our_port, their_port = winsock_port(ours), standard_port(theirs)
        source, length = sockaddr_in(), ctypes.c_int(ADDRESS_SIZE)

        def winsock(number: int) -> float:
            with ExitStack() as clients:
                for _ in range(number):
                    standard_client(clients, our_port)
                start = perf_counter_ns()
                result = 0
                for _ in range(number):
                    result = closesocket(accept(ours, source, length))
                end = perf_counter_ns()
                checked(result)
            return end - start

        def standard(number: int) -> float:
            with ExitStack() as clients:
                for _ in range(number):
                    standard_client(clients, their_port)
                start = perf_counter_ns()
                for _ in range(number):
                    accepted, _source = theirs.accept()
                    accepted.close()
                return perf_counter_ns() - start

        yield {"winsock": winsock, "socket": standard}


BENCHMARKS = (
    Benchmark("recv-nothing", recv_nothing, number=500),
    Benchmark("send-recv", send_recv, number=100),
    Benchmark("sendto-recvfrom", sendto_recvfrom, number=100),
    Benchmark("sendto-bytes", sendto_recvfrom_bytes, number=100),
    Benchmark("accept-close", accept_close, number=50, rounds=51),
)
