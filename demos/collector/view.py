"""How the tick collector is shown while it runs: as a live picture where there is a terminal for it, else as lines."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from demos.collector.tally import SERVER, Tally
from demos.launcher.children import Child
from demos.terminal.points import price_text
from demos.terminal.runtime.log import escaped

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_LINES = 200


class View(Protocol):
    """What a job tells while it runs."""

    def line(self, child: str, text: str) -> None:
        """A child, or the job itself, has written a line."""

    def update(self, tally: Tally, children: Sequence[Child], state: str) -> None:
        """Some time has passed."""

    def close(self) -> None:
        """The job is over."""


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
    """Who has sent how much and how much of it came, each symbol's last tick, and below it the log of all."""

    def __init__(self, console: Console | None = None) -> None:
        """Errors: ImportError where rich is not installed."""
        from rich.console import Console
        from rich.live import Live

        self._console = console or Console()
        self._log: deque[str] = deque(maxlen=_LINES)
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._live.start()

    def line(self, child: str, text: str) -> None:
        """See View."""
        # A log line's date, offset, program and level are the same all the time.
        words = text.split(" ", 4)
        is_log = len(words) == 5 and words[0][4:5] == "-"
        self._log.append(f"{child:8} {words[0][11:23]} {words[4]}" if is_log else f"{child:8} {text}")

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

        processes = Table(expand=True, title=f"ticks: {state}; {tally.received} collected")
        for heading in ("", "process", "symbols", "sent, as told each second", "collected"):
            processes.add_column(heading)
        for child in children:
            process = str(child.pid) if child.ended() is None else "ended"
            if child.name == SERVER:
                trouble = f"{tally.lost_by_number} lost, {tally.refused} refused"
                processes.add_row(SERVER, process, str(len(tally.symbols)), "", Text(trouble))
            else:
                client = tally.clients[child.name]
                sent = sum(client.sent.values())
                processes.add_row(child.name, process, str(len(client.sent)), str(sent), str(client.received))
        height = max(self._console.height - len(children) - 6, 6)
        prices = Table(expand=True)
        for heading in ("symbol", "bid", "ticks"):
            prices.add_column(heading)
        for row in sorted(tally.symbols, key=lambda symbol: -symbol.ticks)[: height - 4]:
            prices.add_row(Text(escaped(row.name)), price_text(row.bid, row.digits), str(row.ticks))
        log = Text("\n".join(list(self._log)[-(height - 2) :]), no_wrap=True, overflow="ellipsis")
        layout = Layout()
        layout.split_column(Layout(processes, size=len(children) + 6), Layout(name="below"))
        layout["below"].split_row(Layout(prices), Layout(Panel(log, title="log"), ratio=2))
        return layout


def choose_view(json: bool) -> View:
    """A live picture on a terminal that can show it, else lines on standard error."""
    if not json and sys.stdout is not None and sys.stdout.isatty():
        try:
            return LiveView()
        except ImportError:
            return PlainView(sys.stderr)
    return PlainView(sys.stderr)
