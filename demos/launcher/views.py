"""How a job is shown while it runs: as tables and logs on a terminal that can show them, else as plain lines."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TextIO, TypeAlias

from demos.launcher.log_lines import shortened

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_LINES = 200

# The height of a log panel with one line, and the width of one that shows a deal with its resulting position.
_LEAST_LOG = 3
_LEAST_WIDTH = 60

# The name under which a job's own lines appear.
JOB = "job"


class Process(Protocol):
    """What a view shows of a child process."""

    @property
    def name(self) -> str:
        """The child's name in the job."""
        ...

    @property
    def pid(self) -> int:
        """The identifier of its process."""
        ...

    def exit_code(self) -> int | None:
        """None while it runs."""
        ...


class Tables(NamedTuple):
    """What a job shows above the log: a table of its processes; and, next to a log of all, a second table."""

    processes: Table
    beside_log: Table | None = None


# Gets the processes, the job's state and the height of the screen in lines.
DrawTables: TypeAlias = Callable[[Sequence[Process], str, int], Tables]


class View(Protocol):
    """Shows what happens in a job."""

    def line(self, child: str, text: str) -> None:
        """Show a line that a child, or the job itself, has written."""

    def update(self, processes: Sequence[Process], state: str) -> None:
        """Show the present state."""

    def close(self) -> None:
        """End the display."""


class PlainView:
    """Prints each line with the name of the process that wrote it."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def line(self, child: str, text: str) -> None:
        """See View."""
        if self._stream is not None:
            print(f"{child} | {text}", file=self._stream, flush=True)

    def update(self, processes: Sequence[Process], state: str) -> None:
        """See View."""

    def close(self) -> None:
        """See View."""


class LiveView:
    """The job's tables, and below them one log for each child, or one log of all next to the second table.

    Where the logs of the children would be too narrow for a deal with its resulting position, there is one log of all.
    """

    def __init__(self, names: Sequence[str], draw: DrawTables, console: Console | None = None) -> None:
        """Errors: ImportError where rich is not installed."""
        from rich.console import Console
        from rich.live import Live

        self._console = console or Console()
        self._draw = draw
        self._logs: dict[str, deque[str]] = {name: deque(maxlen=_LINES) for name in names}
        self._log_of_all: deque[str] = deque(maxlen=_LINES)
        self._job_line = ""
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._live.start()

    def line(self, child: str, text: str) -> None:
        """See View."""
        short = shortened(text)
        self._log_of_all.append(f"{child:8} {short}")
        if child in self._logs:
            self._logs[child].append(short)
        else:
            self._job_line = text

    def update(self, processes: Sequence[Process], state: str) -> None:
        """See View."""
        self._live.update(self.picture(processes, state), refresh=True)

    def close(self) -> None:
        """See View."""
        self._live.stop()

    def picture(self, processes: Sequence[Process], state: str) -> RenderableType:
        """The whole screen."""
        from rich.layout import Layout
        from rich.text import Text

        table, beside_log = self._draw(processes, state, self._console.height)
        table.caption = Text(self._job_line)
        # On a small terminal a row takes several lines: the table stays whole, and the logs are left out.
        rows = len(self._console.render_lines(table, pad=False))
        if self._console.height - rows < _LEAST_LOG:
            return table
        layout = Layout()
        layout.split_column(Layout(table, size=rows), Layout(name="logs"))
        if beside_log is not None:
            width = min(self._console.measure(beside_log).maximum, self._console.width // 2)
            panels = [Layout(beside_log, size=width), Layout(self._panel("log", self._log_of_all, rows))]
        elif self._console.width < _LEAST_WIDTH * len(self._logs):
            panels = [Layout(self._panel("log", self._log_of_all, rows))]
        else:
            panels = [Layout(self._panel(name, log, rows)) for name, log in self._logs.items()]
        layout["logs"].split_row(*panels)
        return layout

    def _panel(self, title: str, log: deque[str], rows_above: int) -> RenderableType:
        from rich.panel import Panel
        from rich.text import Text

        height = self._console.height - rows_above - 2
        return Panel(Text("\n".join(list(log)[-height:]), no_wrap=True, overflow="ellipsis"), title=title)


def process_table(title: str, headings: Sequence[str]) -> Table:
    """An empty table whose rows begin with the cells of process_cells()."""
    from rich.table import Table

    table = Table(expand=True, title=title)
    for heading in ("", "process", *headings):
        table.add_column(heading)
    return table


def process_cells(process: Process) -> tuple[str, str]:
    """The first two cells of a process's row: its name, and its identifier while it runs."""
    return process.name, str(process.pid) if process.exit_code() is None else "ended"


def counted(number: int, noun: str) -> str:
    """``1 tick``, ``2 ticks``: a number with a noun that takes an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def choose_view(names: Sequence[str], draw: DrawTables, json: bool) -> View:
    """A LiveView on a terminal that can show it, else plain lines on standard error."""
    if not json and sys.stdout is not None and sys.stdout.isatty():
        try:
            return LiveView(names, draw)
        except ImportError:
            return PlainView(sys.stderr)
    return PlainView(sys.stderr)
