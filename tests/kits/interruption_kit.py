"""A signal whose handler takes long."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def late_signal(seconds: float) -> Iterator[list[int]]:
    """Interrupt the block after 20 ms, with a handler that returns after ``seconds``; yields the handled signals."""
    handled: list[int] = []

    def handle(number: int, _: object) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        handled.append(number)

    previous = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        yield handled
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
