"""Signals that arrive while the main thread waits for its turn, such as Ctrl-C.

A signal handler that raises there would let the main thread go on while another thread has the turn, or in the middle
of a change of the scheduler's lists. So the handlers are deferred: meanwhile a signal only sets a flag. The scheduler
then gives the main thread the next turn, and the test's own handler is called there. The next signal ends the wait at
once: it calls the handler although another thread has the turn. Later signals are deferred again: they must not
interrupt the end.
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
        self._gave_up = False
        self.arrived: list[tuple[int, FrameType | None]] = []

    def deferred(self, wait: Callable[[], None]) -> None:
        """Call `wait`, and after it the handlers of the signals that have arrived.

        Errors: what a handler raises, such as KeyboardInterrupt.
        """
        if threading.current_thread() is not threading.main_thread():
            wait()
            return
        handlers: dict[int, Any] = {}
        arrived: list[tuple[int, FrameType | None]] = []
        self.arrived = arrived

        def arrive(number: int, frame: FrameType | None) -> None:
            if arrived and not self._gave_up:
                self.give_up()
                handlers[number](number, frame)
            else:
                arrived.append((number, frame))

        try:
            for number in _NUMBERS:
                handler = signal.getsignal(number)
                if callable(handler):
                    handlers[number] = handler
                    signal.signal(number, arrive)
            wait()
        finally:
            # That of SIGINT last: it raises KeyboardInterrupt as soon as it is back.
            for number, handler in reversed(handlers.items()):
                signal.signal(number, handler)
            self.arrived = []
        for number, frame in arrived:
            handlers[number](number, frame)

    def give_up(self) -> None:
        """Call `give_up`. From now on no signal interrupts it, nor the end of the wait."""
        self._gave_up = True
        self._give_up()
