"""A program attached to a chart, and which of them is running: MQL's functions act on that one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

from demos.terminal.interfaces import Position
from demos.terminal.mql.constants import TIMEFRAMES

if TYPE_CHECKING:
    from demos.terminal.runtime.host import Host


@dataclass
class Timer:
    """A chart's timer: its period and the next event's time, both in seconds of the host's monotonic clock."""

    period: float
    due: float


@dataclass(eq=False)
class Chart:
    """One attachment: the program's own copy of its module, and what the terminal remembers for it."""

    host: Host
    id: int
    program: str
    module: ModuleType
    timer: Timer | None = None
    selected: Position | None = None
    event: str = ""
    files: dict[int, BinaryIO] = field(default_factory=dict)
    removed: bool = False
    exit_code: int = 0

    @property
    def label(self) -> str:
        """Program, symbol and period, as log lines name the chart."""
        view = self.host.charts.view(self.id)
        period = next((name for name, value in TIMEFRAMES.items() if value == view.period), str(view.period))
        return f"{self.program}[{view.symbol},{period}]"


_running: list[Chart] = []


def current() -> Chart:
    """The chart whose event function is running.

    Errors: RuntimeError when none is: MQL's functions have a meaning only inside an event function.
    """
    if not _running:
        raise RuntimeError("a terminal function was called outside an event function of an attached program")
    return _running[-1]


@contextmanager
def running(chart: Chart, event: str) -> Iterator[None]:
    """Make ``chart`` the current one while its function ``event`` runs."""
    chart.event = event
    _running.append(chart)
    try:
        yield
    finally:
        _running.pop()
        chart.event = ""
