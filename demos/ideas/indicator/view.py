"""What the job ``indicator`` shows: its table while it runs, and its result in lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demos.ideas.indicator.tally import SERVER, Tally
from demos.launcher.timeline import full_lag_text, lag_summary, lag_text
from demos.launcher.views import Process, Tables, counted, process_cells, process_table


def tables(tally: Tally, processes: Sequence[Process], state: str) -> Tables:
    """Each process with its stream, its newest row and its lag."""
    from rich.text import Text

    table = process_table(f"indicator: {state}", ("stream", "closed bars", "median lag"))
    for process in processes:
        if process.name == SERVER:
            table.add_row(*process_cells(process), tally.stream[:8], str(tally.seq), "")
        else:
            client = tally.clients[process.name]
            color = "green" if tally.is_current(client.name) else "yellow"
            lag = lag_text(lag_summary(tally.lags(client.name))).partition(",")[0].removeprefix("median ")
            table.add_row(*process_cells(process), client.stream[:8], Text(str(client.seq), color), lag)
    return Tables(table)


def summary_text(summary: Mapping[str, Any]) -> str:
    """The result of the job in lines."""
    bars, lines = counted(summary["bars"], "bar"), counted(len(summary["lines"]), "line")
    restarts = f", {counted(summary['restarts'], 'restart')}" if summary["restarts"] else ""
    text = [f"{lines} ({', '.join(summary['lines'])}) at {bars}{restarts}"]
    for client in summary["per_client"]:
        equal = "equal values" if client["values_equal"] else "OTHER VALUES"
        pixels = client["unequal_pixels"]
        picture = {None: "no picture", 0: "equal picture"}.get(pixels, f"PICTURE DIFFERS in {pixels} pixels")
        text.append(f"{client['name']}  {equal}, {picture}; lag {lag_text(client['lag_ms'])}")
    text.append(f"lag from the close of a bar to its drawing: {full_lag_text(summary['lag_ms'])}")
    return "\n".join([*text, *(f"wrote {path}" for path in summary["files"])])
