"""The object that stands for winsock's backend in simulations: each call goes to the Winsock of the running process."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

from winsock.api import CALLS, Winsock

from .errors import SimulationError
from .process import Process

Source: TypeAlias = Callable[[], "Process | None"]

# What gives the process that runs now, for each open network, the innermost last. The test may run an outer one too.
# `guards.guarded` adds and removes them.
sources: list[Source] = []


def running_process() -> Process:
    """The simulated process that runs in this thread.

    Errors: SimulationError where there is none.
    """
    thread = threading.current_thread()
    found = [process for source in reversed(sources) if (process := source()) is not None]
    process = next((each for each in found if each.scheduler.current.thread is thread), found[0] if found else None)
    if process is None:
        raise SimulationError(
            "no simulated process runs here: start the program with host.start(), or use `with host.attached():`"
        )
    if not process.runs_in(thread):
        raise SimulationError("a thread of the real world has called winsock in a simulation")
    return process


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


calls = cast(Winsock, SimpleNamespace(**{name: _forward(name) for name in CALLS}))
