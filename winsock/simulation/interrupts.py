"""Signals that arrive while the main thread waits for its turn, such as Ctrl-C.

A signal handler that raises there would let the main thread go on while another thread has the turn, or in the middle
of a change of the scheduler's lists. So the handlers are deferred: meanwhile a signal only sets a flag. The scheduler
then gives the main thread the next turn, and the test's own handler is called there. The next signal ends the wait at
once: it calls the handler although another thread has the turn.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["Interrupts"]

_NAMES = ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGBREAK")
_NUMBERS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class Interrupts:
    """The signals of the main thread of Python; another thread gets none."""

    def __init__(self, give_up: Callable[[], None]) -> None:
        """`give_up` is called before a handler that runs although another thread has the turn."""
        self._give_up = give_up
        self.arrived: list[tuple[int, FrameType | None]] = []

    def deferred(self, wait: Callable[[], None]) -> None:
        """Call `wait`, and after it the handlers of the signals that have arrived.

        Errors: what a handler raises, such as KeyboardInterrupt.
        """
        if threading.current_thread() is not threading.main_thread():
            wait()
            return
        handlers: dict[int, Any] = {}

        def arrive(number: int, frame: FrameType | None) -> None:
            self.arrived.append((number, frame))
            if len(self.arrived) > 1:
                self._give_up()
                handlers[number](number, frame)

        try:
            for number in _NUMBERS:
                handler = signal.getsignal(number)
                if callable(handler):
                    handlers[number] = handler
                    signal.signal(number, arrive)
            wait()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            arrived, self.arrived = self.arrived, []
        for number, frame in arrived:
            handlers[number](number, frame)
