"""Signals that ask a command to end: Ctrl-C, SIGTERM, on POSIX SIGHUP, on Windows Ctrl-Break.

SIGHUP comes when the terminal's window is closed. Where it is ignored, as under nohup, it stays ignored.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["interrupted_by_signals", "stopped_by_signals"]


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at the first signal; the next one has its previous effect again."""

    def stop_once(number: int, frame: FrameType | None) -> None:
        restore()
        stop()

    restore = _handle(stop_once)
    try:
        yield
    finally:
        restore()


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Raise KeyboardInterrupt at each signal, as at Ctrl-C, so that the command removes its temporary files."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    restore = _handle(interrupt)
    try:
        yield
    finally:
        restore()


def _handle(handler: Callable[[int, FrameType | None], None]) -> Callable[[], None]:
    """Set the handler of all signals; returns a function that sets the previous ones."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        numbers.append(signal.SIGBREAK)
    elif signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    previous = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, former in previous.items():
            signal.signal(number, former)

    for number in numbers:
        signal.signal(number, handler)
    return restore
