"""The threads of a simulated process: they share its Winsock, wait for each other, and end with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from winsock.api import Winsock
from winsock.constants import AF_INET, INVALID_SOCKET, IPPROTO_UDP, POLLRDNORM, SOCK_DGRAM, SOCKET_ERROR
from winsock.simulation.dispatch import calls, running_process
from winsock.simulation.network import Network
from winsock.structures import WSADATA, WSAPOLLFD, sockaddr_in

w: Winsock = calls


def run(program: Callable[[], Any], seconds: float = 10.0) -> Any:
    with Network(seed=1) as net:
        process = net.host("server").start(program)
        net.run(seconds)
        return process.result()


def loopback_socket() -> tuple[int, sockaddr_in]:
    assert w.WSAStartup(0x202, WSADATA()) == 0
    s = w.socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)
    assert s != INVALID_SOCKET
    address = sockaddr_in(AF_INET, w.htons(5000))
    address.sin_addr.s_addr = w.htonl(0x7F000001)
    assert w.bind(s, address, 16) != SOCKET_ERROR
    return s, address


def test_a_thread_waits_in_a_call_while_another_one_runs_and_sends_to_it():
    def program() -> list[tuple[float, str]]:
        process, done = running_process(), []
        s, address = loopback_socket()

        def receive() -> None:
            array = (WSAPOLLFD * 1)(WSAPOLLFD(s, POLLRDNORM, 0))
            assert w.WSAPoll(array, 1, -1) == 1
            done.append((process.monotonic(), "received"))

        join = process.start_thread("receiver", receive)
        process.sleep(2.0)
        done.append((process.monotonic(), "sends"))
        w.sendto(s, b"x", 1, 0, address, 16)
        join()
        done.append((process.monotonic(), "joined"))
        return done

    assert run(program) == [(2.0, "sends"), (2.0, "received"), (2.0, "joined")]


def test_a_wait_of_the_main_thread_is_not_ended_by_what_another_thread_polls():
    def program() -> tuple[bool, float]:
        process = running_process()
        s, address = loopback_socket()
        array = (WSAPOLLFD * 1)(WSAPOLLFD(s, POLLRDNORM, 0))
        process.start_thread("receiver", lambda: w.WSAPoll(array, 1, -1))

        def send_later() -> None:
            process.sleep(1.0)
            w.sendto(s, b"x", 1, 0, address, 16)

        process.start_thread("sender", send_later)
        return process.wait(5.0, "nothing"), process.monotonic()

    assert run(program) == (False, 5.0)


def test_the_threads_of_a_process_end_with_it():
    ended = []

    def program() -> None:
        process = running_process()

        def work() -> None:
            try:
                process.sleep(100.0)
            finally:
                ended.append(process.monotonic())

        process.start_thread("worker", work)
        process.sleep(1.0)

    run(program, 2.0)
    assert ended == [1.0]


@pytest.mark.parametrize("fault", ["kill", "crash"])
def test_a_fault_that_ends_a_process_ends_its_threads(fault):
    ended, ran_on = [], []

    def program() -> None:
        process = running_process()

        def work() -> None:
            try:
                process.sleep(100.0)
                ran_on.append("thread")
            finally:
                ended.append(process.monotonic())

        process.start_thread("worker", work)
        process.sleep(200.0)

    with Network(seed=1) as net:
        net.host("server").start(program, name="main")
        net.add_faults(f"at 3 {fault} {'server/main' if fault == 'kill' else 'server'}")
        net.run(150.0)
    assert ended == [3.0]
    assert ran_on == []


def test_a_frozen_process_does_not_run_its_threads():
    times = []

    def program() -> None:
        process = running_process()

        def work() -> None:
            for _ in range(5):
                process.sleep(1.0)
                times.append(process.monotonic())

        process.start_thread("worker", work)
        process.sleep(20.0)

    with Network(seed=1) as net:
        net.host("server").start(program, name="main")
        net.add_faults("at 2.5 freeze server for 5")
        net.run(30.0)
    assert times == [1.0, 2.0, 7.5, 8.5, 9.5]


def test_an_exception_in_a_thread_is_one_of_the_simulation():
    def program() -> None:
        process = running_process()

        def fails() -> None:
            raise ZeroDivisionError("a defect")

        process.start_thread("worker", fails)
        process.sleep(20.0)

    with pytest.raises(ZeroDivisionError, match="a defect"):
        run(program)
