"""Threads: each has its own last error; sockets belong to the process."""

from __future__ import annotations

import threading

import pytest
from winsock_kit import LIMIT_SECONDS, Running, error_of, fd_set_of, listener, name_of, new, receive_all, set_option

from winsock import (
    INVALID_SOCKET,
    MAKEWORD,
    POLLIN,
    SO_RCVTIMEO,
    SOCK_DGRAM,
    SOCKET_ERROR,
    WSADATA,
    WSAEFAULT,
    WSAENOTCONN,
    WSAENOTSOCK,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    WSAPOLLFD,
    WSACleanup,
    WSAGetLastError,
    WSAPoll,
    WSASetLastError,
    WSAStartup,
    accept,
    closesocket,
    recv,
    recvfrom,
    select,
    send,
    sendto,
)

pytestmark = pytest.mark.usefixtures("started")


def test_a_new_threads_last_error_is_0() -> None:
    WSASetLastError(4711)
    assert Running(WSAGetLastError).result() == 0


def test_a_failure_in_another_thread_does_not_change_the_last_error_of_this_thread() -> None:
    WSASetLastError(4711)
    assert Running(lambda: error_of(closesocket(1))).result() == WSAENOTSOCK
    assert WSAGetLastError() == 4711


def test_two_threads_that_fail_simultaneously_have_their_own_last_errors() -> None:
    barrier = threading.Barrier(2)

    def fail_often(s: int) -> set[int]:
        barrier.wait(LIMIT_SECONDS)
        return {error_of(send(s, b"1", 1, 0)) for _ in range(2000)}

    running = [Running(lambda s=s: fail_often(s)) for s in (1, new(SOCK_DGRAM))]
    assert [each.result() for each in running] == [{WSAENOTSOCK}, {WSAENOTCONN}]


def test_system_calls_of_the_interpreter_do_not_change_the_last_error(started: None) -> None:
    assert closesocket(1) == SOCKET_ERROR
    with pytest.raises(FileNotFoundError), open("no such file", "rb"):
        pass
    assert WSAGetLastError() == WSAENOTSOCK


def test_a_socket_can_be_used_in_another_thread(pair: tuple[int, int]) -> None:
    assert Running(lambda: send(pair[0], b"1", 1, 0)).result() == 1
    assert recv(pair[1], bytearray(1), 1, 0) == 1


def test_two_threads_can_send_and_receive_on_one_socket_simultaneously(pair: tuple[int, int]) -> None:
    client, server = pair
    data = bytes(range(256)) * 2000

    def echo() -> int:
        room, total = bytearray(8192), 0
        while total < len(data):
            count = recv(server, room, len(room), 0)
            assert count > 0, error_of(count)
            assert send(server, room, count, 0) == count
            total += count
        return total

    echoing = Running(echo)
    receiving = Running(lambda: receive_all(client, len(data)))
    assert send(client, data, len(data), 0) == len(data)
    assert receiving.result() == data
    assert echoing.result() == len(data)


def test_each_datagram_is_received_by_one_of_the_waiting_threads(udp: tuple[int, int]) -> None:
    here, there = udp

    def take() -> bytes:
        data = bytearray(1)
        assert recv(there, data, 1, 0) == 1
        return bytes(data)

    waiting = [Running(take) for _ in range(4)]
    for letter in b"abcd":
        assert sendto(here, bytes([letter]), 1, 0, name_of(there), 16) == 1
    assert sorted(each.result() for each in waiting) == [b"a", b"b", b"c", b"d"]


def test_only_one_of_two_threads_closes_a_socket() -> None:
    for _ in range(50):
        s, barrier = new(), threading.Barrier(2)

        def close(s: int = s, barrier: threading.Barrier = barrier) -> int:
            barrier.wait(LIMIT_SECONDS)
            return closesocket(s)

        assert sorted(each.result() for each in [Running(close), Running(close)]) == [SOCKET_ERROR, 0]


def test_the_last_wsacleanup_ends_blocked_calls_of_other_threads(pair: tuple[int, int], udp: tuple[int, int]) -> None:
    server = listener()
    for s in (*pair, *udp):
        set_option(s, SO_RCVTIMEO, 0)
    waiting = [
        Running(lambda: recv(pair[0], bytearray(1), 1, 0)),
        Running(lambda: recvfrom(udp[0], bytearray(1), 1, 0, None, None)),
        Running(lambda: accept(server, None, None)),
    ]
    assert WSACleanup() == 0
    results = [each.result() for each in waiting]
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    assert results == [SOCKET_ERROR, SOCKET_ERROR, INVALID_SOCKET]


def test_the_last_wsacleanup_ends_select_and_wsapoll_in_other_threads(udp: tuple[int, int]) -> None:
    waiting = [
        Running(lambda: select(0, fd_set_of(udp[0]), None, None, None)),
        Running(lambda: WSAPoll(WSAPOLLFD(udp[0], POLLIN), 1, -1)),
    ]
    assert WSACleanup() == 0
    results = [each.result() for each in waiting]
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    # If WSACleanup came first, Winsock was no longer started.
    assert all(result in (1, SOCKET_ERROR) for result in results)


def test_calls_during_the_last_wsacleanup_fail_with_winsock_errors(pair: tuple[int, int]) -> None:
    def work() -> int:
        while (count := send(pair[0], b"1", 1, 0)) >= 0:
            assert count == 1
            room = bytearray(16)
            if recv(pair[1], room, 16, 0) < 0:
                break
        return error_of(SOCKET_ERROR)

    working = [Running(work) for _ in range(3)]
    assert WSACleanup() == 0
    results = [each.result() for each in working]
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    assert set(results).isdisjoint({0, WSAETIMEDOUT, WSAEWOULDBLOCK, WSAEFAULT})
