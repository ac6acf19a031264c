"""A program attached to a chart, and the attachment whose event function is running: MQL's functions act on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import BinaryIO


@dataclass
class Timer:
    """An attachment's timer: its period and the time of its next event, both in seconds of the clock's monotonic()."""

    period: float
    due: float


@dataclass(eq=False)
class Attachment:
    """One program on one chart: the program's own copy of its module, and the state that the event loop keeps for it.

    ``id`` is the chart's identifier. ``event`` names the event function that is running. ``files`` are the program's
    open files by handle. ``removed`` asks the event loop to remove the program after the running event function;
    ``exit_code`` is then the program's own. ``logged_error`` is whether the program has logged an error since its last
    OnInit began.
    """

    id: int
    program: str
    module: ModuleType
    timer: Timer | None = None
    event: str = ""
    files: dict[int, BinaryIO] = field(default_factory=dict)
    removed: bool = False
    exit_code: int = 0
    logged_error: bool = False

    @property
    def label(self) -> str:
        """The name of the attachment in log lines."""
        return self.program

    @property
    def is_expert(self) -> bool:
        """Whether the program is an Expert Advisor; a script has OnStart instead of OnInit."""
        return hasattr(self.module, "OnInit")


# Of each thread: several terminals run in one process where a simulation runs them.
_running: ContextVar[Attachment | None] = ContextVar("running", default=None)


def current() -> Attachment:
    """The attachment whose event function is running.

    Errors: RuntimeError when no event function is running: MQL's functions work only inside one.
    """
    attachment = _running.get()
    if attachment is None:
        raise RuntimeError("a terminal function was called outside an event function of an attached program")
    return attachment


@contextmanager
def running(attachment: Attachment, event: str) -> Iterator[None]:
    """Make ``attachment`` the current one while its function ``event`` runs."""
    attachment.event = event
    before = _running.set(attachment)
    try:
        yield
    finally:
        _running.reset(before)
        attachment.event = ""
