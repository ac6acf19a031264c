"""The threads of a program in a simulated process, and what it takes from its context."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from demos.provider.passwords import present_parameters
from demos.simulation.process_context import CHEAP_PASSWORDS, process_context
from demos.simulation.threads import WORK_NS
from demos.terminal.runtime.randomness import token_hex
from demos.terminal.runtime.threads import present_threads
from winsock.simulation.dispatch import running_process
from winsock.simulation.network import Network

WORK_S = WORK_NS / 1_000_000_000


def run(program: Callable[[], Any], seed: int = 1) -> Any:
    def in_context() -> Any:
        with process_context():
            return program()

    with Network(seed=seed) as net:
        process = net.host("server").start(in_context)
        net.run(30.0)
        return process.result()


def test_a_signal_ends_the_wait_of_another_thread_and_is_remembered() -> None:
    def program() -> list[float]:
        process, threads, times = running_process(), present_threads(), []
        signal = threads.signal()

        def work() -> None:
            for _ in range(3):
                signal.wait(5.0)
                times.append(process.monotonic())

        join = threads.start("worker", work)
        process.sleep(1.0)
        signal.set()
        process.sleep(0.0)
        signal.set()
        join()
        return times

    # The second one comes before or after the first wait of the thread has ended.
    assert run(program) in ([1.0, 1.0, 6.0], [1.0, 6.0, 11.0])


def test_the_work_of_a_pool_takes_simulated_time_in_as_many_threads_as_it_has() -> None:
    def program() -> list[tuple[int, float]]:
        process, found = running_process(), []
        pool = present_threads().pool("hash", 2)
        for number in range(3):
            pool.submit(lambda n=number: n, lambda result: found.append((result(), process.monotonic())))  # type: ignore[misc]
        process.sleep(10.0)
        return found

    assert run(program) == [(0, WORK_S), (1, WORK_S), (2, 2 * WORK_S)]


def test_a_closed_pool_does_no_more_work() -> None:
    def program() -> list[object]:
        found: list[object] = []
        pool = present_threads().pool("hash", 1)
        pool.submit(lambda: 1, lambda result: found.append(result()))
        pool.close()
        running_process().sleep(10.0)
        return found

    assert run(program) == []


def test_random_numbers_come_from_the_seed_also_in_threads_and_passwords_are_cheap() -> None:
    def program() -> tuple[str, list[str]]:
        assert present_parameters() == CHEAP_PASSWORDS
        found: list[str] = []
        present_threads().start("worker", lambda: found.append(token_hex(8)))()
        return token_hex(8), found

    first = run(program, seed=3)
    assert run(program, seed=3) == first
    assert run(program, seed=4) != first
    assert token_hex(8) != Random(3).randbytes(8).hex()
