"""What ``python -m demos broker`` shows while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from demos.launcher.timeline import lag_summary, lag_text
from demos.launcher.views import Process, Tables, counted, process_cells, process_table
from demos.provider.demo_tally import PROVIDER, Copier, DemoTally
from demos.provider.demo_view import positions_text
from demos.terminal.runtime.log import escaped

BROKER = "broker"


def status(copier: Copier) -> str:
    """What a copier does at present, in one word."""
    if copier.stopped:
        return "stopped"
    if copier.states:
        return "following"
    return "connected" if copier.logins else "connecting"


def tables(tally: DemoTally, processes: Sequence[Process], state: str, url: str) -> Tables:
    """The broker, and each process with its position, its state and its lag."""
    from rich.text import Text

    title = f"broker: {state}; {counted(tally.trades, 'trade')}; Ctrl-C ends it\n{url}"
    table = process_table(title, ("position", "status", "states", "orders", "lag"))
    for process in processes:
        if process.name == BROKER:
            table.add_row(*process_cells(process), "", "relaying" if url else "starting", "", "", "")
            continue
        position = escaped(positions_text(tally.positions[process.name]))
        if process.name == PROVIDER:
            table.add_row(*process_cells(process), Text(position), "publishing", "", str(tally.trades), "")
            continue
        copier = tally.copiers[process.name]
        color = "green" if tally.has_target(copier) else "yellow"
        lag = lag_text(lag_summary(copier.lags)).removeprefix("median ").partition(",")[0]
        numbers = (str(copier.states), str(copier.orders), lag)
        table.add_row(*process_cells(process), Text(position, color), Text(status(copier)), *numbers)
    return Tables(table)
