"""How the main job is shown while it runs: as a live picture where there is a terminal for it, else as plain lines."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from demos.copier.tally import SERVER, Tally, lag_summary
from demos.launcher.children import Child

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_LINES = 200

# A panel with one line.
_LEAST_LOG = 3


class View(Protocol):
    """What a job tells while it runs."""

    def line(self, child: str, text: str) -> None:
        """A child, or the job itself, has written a line."""

    def update(self, tally: Tally, children: Sequence[Child], state: str) -> None:
        """Some time has passed."""

    def close(self) -> None:
        """The job is over."""


def positions_text(positions: dict[str, str]) -> str:
    """``EURUSD 0.25``, each symbol in its turn; ``no position`` without any."""
    return ", ".join(f"{symbol} {lots}" for symbol, lots in positions.items()) or "no position"


def lag_text(summary: Mapping[str, float | None]) -> str:
    """``median 203 ms, max 410 ms``."""
    middle, most = summary["median"], summary["max"]
    return "-" if middle is None or most is None else f"median {middle:.0f} ms, max {most:.0f} ms"


def summary_text(summary: Mapping[str, Any]) -> str:
    """What a job came to, in lines."""
    lines = [
        f"{summary['trades']} trades; {summary['sent']} messages sent, {summary['received']} received, "
        f"{summary['merged']} trades merged with a later one",
        f"server   {positions_text(summary['positions'])}",
    ]
    for client in summary["per_client"]:
        equal = "equal" if client["equal"] else "NOT EQUAL"
        lag = lag_text(client["lag_ms"])
        lines.append(f"{client['name']}  {positions_text(client['positions'])}, {equal}; lag {lag}")
    return "\n".join([*lines, f"lag from trade to copy: {lag_text(summary['lag_ms'])}"])


class PlainView:
    """Lines, each with the name of the one that wrote it."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def line(self, child: str, text: str) -> None:
        """See View."""
        if self._stream is not None:
            print(f"{child} | {text}", file=self._stream, flush=True)

    def update(self, tally: Tally, children: Sequence[Child], state: str) -> None:
        """See View."""

    def close(self) -> None:
        """See View."""


class LiveView:
    """A table of who has which position and lags how far behind, and below it each one's log."""

    def __init__(self, names: Sequence[str], console: Console | None = None) -> None:
        """Errors: ImportError where rich is not installed."""
        from rich.console import Console
        from rich.live import Live

        self._console = console or Console()
        self._logs: dict[str, deque[str]] = {name: deque(maxlen=_LINES) for name in names}
        self._news = ""
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._live.start()

    def line(self, child: str, text: str) -> None:
        """See View."""
        if child not in self._logs:
            self._news = text
            return
        # A log line's date, offset, program and level are the same all the time.
        words = text.split(" ", 4)
        is_log = len(words) == 5 and words[0][4:5] == "-"
        self._logs[child].append(f"{words[0][11:23]} {words[4]}" if is_log else text)

    def update(self, tally: Tally, children: Sequence[Child], state: str) -> None:
        """See View."""
        self._live.update(self._picture(tally, children, state), refresh=True)

    def close(self) -> None:
        """See View."""
        self._live.stop()

    def _picture(self, tally: Tally, children: Sequence[Child], state: str) -> RenderableType:
        from rich.layout import Layout
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        table = Table(
            expand=True, title=f"signal: {state}; {tally.trades} trades, {tally.merged} merged", caption=self._news
        )
        for heading in ("", "process", "position", "messages", "lag"):
            table.add_column(heading)
        for child in children:
            position = positions_text(tally.positions[child.name])
            process = str(child.pid) if child.ended() is None else "ended"
            if child.name == SERVER:
                table.add_row(child.name, process, position, f"{tally.sent} sent", "")
            else:
                client = tally.clients[child.name]
                color = "green" if tally.positions[child.name] == tally.positions[SERVER] else "yellow"
                table.add_row(
                    child.name,
                    process,
                    Text(position, color),
                    f"{client.received} of {client.sent} received",
                    lag_text(lag_summary(client.lags)),
                )
        # On a small terminal the cells take several lines: the table stays whole, and the logs go.
        rows = len(self._console.render_lines(table, pad=False))
        if self._console.height - rows < _LEAST_LOG:
            return table
        layout = Layout()
        layout.split_column(Layout(table, size=rows), Layout(name="logs"))
        height = self._console.height - rows - 2
        layout["logs"].split_row(
            *(
                Layout(Panel(Text("\n".join(list(log)[-height:]), no_wrap=True, overflow="ellipsis"), title=name))
                for name, log in self._logs.items()
            )
        )
        return layout


def choose_view(names: Sequence[str], json: bool) -> View:
    """A live picture on a terminal that can show it, else lines on standard error."""
    if not json and sys.stdout is not None and sys.stdout.isatty():
        try:
            return LiveView(names)
        except ImportError:
            return PlainView(sys.stderr)
    return PlainView(sys.stderr)
