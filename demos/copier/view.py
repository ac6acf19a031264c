"""What the job ``signal`` shows: its table while it runs, and its result in lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demos.copier.tally import SERVER, Tally
from demos.launcher.timeline import full_lag_text, lag_summary, lag_text
from demos.launcher.views import Process, Tables, counted, process_cells, process_table
from demos.terminal.runtime.log import escaped


def positions_text(positions: Mapping[str, str]) -> str:
    """``EURUSD 0.25``, one symbol after another; ``no position`` when there is none."""
    return ", ".join(f"{symbol} {lots}" for symbol, lots in positions.items()) or "no position"


def tables(tally: Tally, processes: Sequence[Process], state: str) -> Tables:
    """Each process with its position, its messages and its lag."""
    from rich.text import Text

    title = f"signal: {state}; {counted(tally.trades, 'trade')}, {tally.merged} merged"
    table = process_table(title, ("position", "messages received", "median lag"))
    server = tally.positions[SERVER]
    for process in processes:
        position = escaped(positions_text(tally.positions[process.name]))
        if process.name == SERVER:
            table.add_row(*process_cells(process), Text(position), f"{tally.sent} sent", "")
        else:
            client = tally.clients[process.name]
            color = "green" if tally.positions[process.name] == server else "yellow"
            messages = f"{client.received} of {client.sent}"
            lag = lag_text(lag_summary(client.lags)).removeprefix("median ")
            table.add_row(*process_cells(process), Text(position, color), messages, lag)
    return Tables(table)


def summary_text(summary: Mapping[str, Any]) -> str:
    """The result of the job in lines."""
    messages = (
        f"{counted(summary['sent'], 'message')} sent, {summary['received']} received, " if "sent" in summary else ""
    )
    trades, merged = counted(summary["trades"], "trade"), counted(summary["merged"], "trade")
    lines = [
        f"{trades}; {messages}{merged} merged with a later one",
        f"server   {positions_text(summary['positions'])}",
    ]
    for client in summary["per_client"]:
        equal = "equal" if client["equal"] else "NOT EQUAL"
        lag = lag_text(client["lag_ms"])
        lines.append(f"{client['name']}  {positions_text(client['positions'])}, {equal}; lag {lag}")
    lines.append(f"lag from trade to copy: {full_lag_text(summary['lag_ms'])}")
    for name, part in summary.get("lag_parts_ms", {}).items():
        lines.append(f"  {name.replace('_', ' ')}: {full_lag_text(part)}")
    return "\n".join(lines)
