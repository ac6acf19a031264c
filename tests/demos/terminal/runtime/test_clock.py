"""The computer's clock: waits that are woken or interrupted."""

from __future__ import annotations

import signal
import threading

import pytest
from interruption_kit import late_signal

from demos.terminal.runtime.clock import RealClock


def test_a_wake_before_the_wait_ends_it_once():
    clock = RealClock()
    clock.wake()
    clock.wake()
    clock.wait(None)
    start = clock.monotonic()
    clock.wait(0.05)
    assert clock.monotonic() - start >= 0.05


def test_another_thread_ends_a_wait_without_a_limit():
    clock = RealClock()
    thread = threading.Thread(target=clock.wake)
    thread.start()
    clock.wait(None)
    thread.join()


@pytest.mark.posix_only(reason="Windows has no timer that interrupts a call")
def test_a_signal_handler_ends_the_wait_that_it_interrupts(monkeypatch):
    clock = RealClock()
    previous = signal.signal(signal.SIGALRM, lambda *_: clock.wake())
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    clock.wait(None)
    signal.signal(signal.SIGALRM, previous)


@pytest.mark.posix_only(reason="Windows has no timer that interrupts a call")
def test_a_wait_ends_although_a_signal_handler_takes_longer_than_its_rest():
    clock = RealClock()
    with late_signal(seconds=0.2) as handled:
        clock.wait(0.1)
    assert handled
