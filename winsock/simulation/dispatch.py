"""The object that stands for winsock's backend in simulations: each call goes to the Winsock of the running process."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any, cast

from winsock.api import CALLS, Winsock

from .errors import SimulationError
from .process import Process

# What gives the process that runs now, for each open network, the innermost last. The test may run an outer one too.
_sources: list[Callable[[], Process | None]] = []


def running_process() -> Process:
    """The simulated process that runs in this thread.

    Errors: SimulationError where there is none.
    """
    thread = threading.current_thread()
    found = [process for source in reversed(_sources) if (process := source()) is not None]
    process = next((each for each in found if each.scheduler.current.thread is thread), found[0] if found else None)
    if process is None:
        raise SimulationError(
            "no simulated process runs here: start the program with host.start(), or use `with host.attached():`"
        )
    if not process.runs_in(thread):
        raise SimulationError("a thread of the real world has called winsock in a simulation")
    return process


def open_source(source: Callable[[], Process | None]) -> None:
    """From now on `source` gives the running process, until close_source()."""
    _sources.append(source)


def close_source(source: Callable[[], Process | None]) -> None:
    _sources.remove(source)


def _forward(name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        process = running_process()
        process.before_call(name)
        return getattr(process.winsock, name)(*args, **kwargs)

    original = getattr(Winsock, name)
    signature = inspect.signature(original)
    call.__name__ = call.__qualname__ = name
    call.__doc__ = original.__doc__
    call.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    return call


class _Calls:
    """See the head of this module."""


def _make_calls() -> Winsock:
    made = _Calls()
    for name in CALLS:
        setattr(made, name, _forward(name))
    return cast(Winsock, made)


calls = _make_calls()
