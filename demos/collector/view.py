"""What the job ``ticks`` shows: its tables while it runs, and its result in lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demos.collector.tally import SERVER, Tally
from demos.launcher.views import Process, Tables, counted, process_cells, process_table
from demos.terminal.points import price_text
from demos.terminal.runtime.log import escaped

# The height of the table of symbols without its rows, and its least height with them.
_FRAME = 4
_LEAST_HEIGHT = 6


def tables(tally: Tally, processes: Sequence[Process], state: str, height: int) -> Tables:
    """What each client has sent and the server has collected, and the symbols with the most ticks."""
    from rich.table import Table
    from rich.text import Text

    title = f"ticks: {state}; {tally.received} collected"
    table = process_table(title, ("symbols", "sent, reported once a second", "collected"))
    for process in processes:
        if process.name == SERVER:
            problems = f"{tally.lost_by_number} lost, {tally.refused} refused"
            table.add_row(*process_cells(process), str(len(tally.symbols)), "", Text(problems))
        else:
            client = tally.clients[process.name]
            sent = sum(client.sent.values())
            table.add_row(*process_cells(process), str(len(client.sent)), str(sent), str(client.received))
    prices = Table()
    for heading in ("symbol", "bid", "ticks"):
        prices.add_column(heading)
    rows = max(height - len(processes) - _LEAST_HEIGHT, _LEAST_HEIGHT) - _FRAME
    for row in sorted(tally.symbols, key=lambda symbol: -symbol.ticks)[:rows]:
        prices.add_row(Text(escaped(row.name)), price_text(row.bid, row.digits), str(row.ticks))
    return Tables(table, prices)


def summary_text(summary: Mapping[str, Any]) -> str:
    """The result of the job in lines."""
    ticks, symbols = counted(summary["ticks"], "tick"), counted(summary["symbols"], "symbol")
    found = f"{summary['received']} of {ticks} of {symbols} collected"
    lost = f"{summary['lost']} lost"
    if "lost_by_number" in summary:
        lost += f", {summary['lost_by_number']} of them missed by their numbers"
        lost += f"; {counted(summary['refused'], 'datagram')} refused"
    lines = [f"{found}; {lost}"]
    for client in summary["per_client"]:
        ticks, symbols = counted(client["ticks"], "tick"), counted(client["symbols"], "symbol")
        lines.append(f"{client['name']}  {symbols}, {ticks}, {client['sent']} sent, {client['received']} received")
    files = (*summary.get("exported", ()), summary.get("picture"), summary.get("database"))
    return "\n".join([*lines, *(f"wrote {path}" for path in files if path)])
