"""A signal such as Ctrl-C, or a process that is blocked in real time, ends a simulation's run."""

from __future__ import annotations

import _thread
import random
import signal
import sys
import threading

import pytest
from simulation_kit import sleep
from winsock_kit import LIMIT_SECONDS

from winsock.simulation import scheduler as scheduler_module
from winsock.simulation.errors import SimulationError
from winsock.simulation.interrupts import Interrupts
from winsock.simulation.network import Network
from winsock.simulation.scheduler import Scheduler
from winsock.simulation.stuck_threads import raise_killed_in


def interrupt() -> None:
    """Ctrl-C, in whatever thread."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def beat() -> None:
    while True:
        sleep(0.001)


@pytest.mark.parametrize("hosts", [1, 3, 20])
def test_an_interrupt_ends_the_run_and_every_process(hosts: int) -> None:
    def simulate() -> None:
        with Network(seed=1) as net:
            for number in range(hosts):
                net.host(f"h{number}").start(beat)
            net.call_at(0.01, interrupt)
            net.run()

    before = threading.active_count()
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            simulate()
        assert threading.active_count() == before


def test_after_an_interrupt_the_simulation_can_continue() -> None:
    with Network(seed=1) as net:
        net.host("a").start(beat)
        net.call_at(0.01, interrupt)
        with pytest.raises(KeyboardInterrupt):
            net.run()
        end = net.now + 1
        net.run(1)
        assert net.now == pytest.approx(end)


def test_a_handler_that_returns_does_not_end_the_wait() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with Network(seed=1) as net:
            net.host("a").start(beat)
            net.call_at(0.01, interrupt)
            with net.host("b").attached() as process:
                process.sleep(1)
                assert process.monotonic() == 1
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_a_second_interrupt_ends_the_run_although_a_process_never_waits() -> None:
    spins, handled = threading.Event(), threading.Event()

    def spin() -> None:
        spins.set()
        while True:
            pass

    def interrupt_twice() -> None:
        spins.wait()
        while not handled.is_set():
            interrupt()
            handled.wait(0.01)

    scheduler = Scheduler(random.Random(1))
    task = scheduler.start("spin", spin)
    other = threading.Thread(target=interrupt_twice)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            scheduler.wait(None, lambda: "waits")
    finally:
        handled.set()
        other.join()
        scheduler.close()
    assert task.thread is not None
    task.thread.join(LIMIT_SECONDS)
    assert not task.thread.is_alive()


def test_a_third_interrupt_does_not_interrupt_the_end_of_the_run() -> None:
    ended = []

    def give_up() -> None:
        signal.raise_signal(signal.SIGINT)
        ended.append("the run")

    def interrupted_twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        Interrupts(give_up).deferred(interrupted_twice)
    assert ended == ["the run"]
    assert signal.getsignal(signal.SIGINT) is before


def test_one_interrupt_ends_the_run_although_a_process_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "_MOST_LOOKS", 2)

    def spin() -> None:
        interrupt()
        while True:
            pass

    def raise_after_an_interrupt(ident: int, ended: threading.Lock) -> None:
        signal.raise_signal(signal.SIGINT)
        raise_killed_in(ident, ended)

    monkeypatch.setattr(scheduler_module, "raise_killed_in", raise_after_an_interrupt)
    scheduler = Scheduler(random.Random(1))
    task = scheduler.start("spin", spin)
    with pytest.raises(KeyboardInterrupt):
        scheduler.wait(None, lambda: "waits")
    scheduler.close()
    assert task.thread is not None
    task.thread.join(LIMIT_SECONDS)
    assert not task.thread.is_alive()


def test_after_an_interrupt_of_a_process_that_never_waits_each_wait_of_the_test_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduler_module, "_MOST_LOOKS", 2)

    def spin() -> None:
        interrupt()
        while True:
            pass

    with Network() as net, net.host("a").attached() as process:
        net.host("b").start(spin)
        with pytest.raises(KeyboardInterrupt):
            process.sleep(5)
        for wait in (lambda: process.sleep(1), net.run, net.host("c").attached().__enter__):
            with pytest.raises(SimulationError, match="it cannot go on"):
                wait()


@pytest.mark.skipif(sys.platform != "linux", reason="needs the CPU time of a thread")
def test_a_lock_that_a_process_holds_while_it_waits_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "_MOST_LOOKS", 3)
    lock = threading.Lock()

    def program() -> None:
        with lock:
            sleep(5)

    def simulate() -> None:
        with Network() as net:
            net.host("a").start(program, name="first")
            net.host("b").start(program, name="second")
            net.run(20)

    try:
        with pytest.raises(SimulationError, match=r"^(first|second) is blocked in .*test_inter.*\.py:\d+,") as caught:
            simulate()
        assert caught.value.__context__ is None
    finally:
        lock.release()


@pytest.mark.skipif(sys.platform != "linux", reason="needs the CPU time of a thread")
def test_a_process_that_calculates_for_long_is_not_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "_MOST_LOOKS", 2)
    monkeypatch.setattr(scheduler_module, "_LONGEST_ACQUIRE", 0.01)
    with Network() as net:
        process = net.host("a").start(lambda: sum(range(10_000_000)))
        net.run()
        assert process.result() > 0
