"""What the job ``sentiment`` shows: its table while it runs, and its result in lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demos.ideas.sentiment.protocol import Total, Volume
from demos.ideas.sentiment.tally import SERVER, Tally, is_total_of
from demos.launcher.views import Process, Tables, counted, process_cells, process_table


def volume_text(volume: Volume) -> str:
    """``long 0.25, short 0``."""
    return f"long {volume.long}, short {volume.short}"


def total_text(total: Total | None) -> str:
    """``long 0.75 of 3``: the lots and the number of participants of each side that is published."""
    sides = {} if total is None else {"long": total.long, "short": total.short}
    texts = [f"{name} {side.lots} of {side.clients}" for name, side in sides.items() if side is not None]
    return ", ".join(texts) or "not published"


def tables(tally: Tally, processes: Sequence[Process], state: str) -> Tables:
    """Each process with its volumes in lots, and the total that it has published or received."""
    from rich.text import Text

    title = f"sentiment: {state}; {counted(tally.participants, 'participant')}"
    table = process_table(title, ("volumes in lots", "total of all clients"))
    wanted = tally.volumes()
    for process in processes:
        if process.name == SERVER:
            table.add_row(*process_cells(process), "", total_text(tally.published))
        else:
            client = tally.clients[process.name]
            color = "green" if is_total_of(client.total, wanted) else "yellow"
            total = Text(total_text(client.total), color)
            table.add_row(*process_cells(process), volume_text(client.volume), total)
    return Tables(table)


def summary_text(summary: Mapping[str, Any]) -> str:
    """The result of the job in lines."""
    lines = []
    for client in summary["per_client"]:
        equal = "equal" if client["equal"] else "NOT EQUAL"
        volume = f"long {client['long']}, short {client['short']}"
        lines.append(f"{client['name']}  {volume}; {counted(client['received'], 'total')} received, the last {equal}")
    lines.append(f"sum of the accounts: long {summary['long']}, short {summary['short']} lots of {summary['symbol']}")
    if summary["restarts"]:
        lines.append(f"processes started again: {summary['restarts']}")
    if summary["picture"]:
        lines.append(f"wrote {summary['picture']}")
    return "\n".join(lines)
