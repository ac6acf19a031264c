"""What the job ``agents`` shows while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demos.ideas.agents.outcomes import COORDINATOR
from demos.ideas.agents.pace import time_text
from demos.launcher.views import Process, Tables, counted, process_cells, process_table


def tables(progress: Mapping[str, Any] | None, processes: Sequence[Process], state: str) -> Tables:
    """Each process with what it has calculated, and the best points so far."""
    from rich.table import Table
    from rich.text import Text

    title = f"agents: {state}"
    agents: dict[str, Mapping[str, Any]] = {}
    if progress:
        agents = {agent["name"]: agent for agent in progress["agents"]}
        title += f"; {progress['done']} of {counted(progress['points'], 'point')}"
        if progress["done"] < progress["points"]:
            title += f"; remaining time {time_text(progress['remaining_ms'])}"
    table = process_table(title, ("calculated", "state"))
    for process in processes:
        if process.name == COORDINATOR:
            verified = f"{progress['verified']} of {progress['tasks']} tasks verified" if progress else ""
            checks = counted(progress["checks"], "open check") if progress and progress["checks"] else ""
            table.add_row(*process_cells(process), verified, checks)
        else:
            agent = agents.get(process.name)
            distrusted = progress and process.name in progress["distrusted"]
            calculated = counted(agent["results"], "task") if agent else ""
            shown = Text("distrusted", "red") if distrusted else Text(_state(agent))
            table.add_row(*process_cells(process), calculated, shown)
    best = Table(title="best so far")
    best.add_column("parameters")
    best.add_column("result", justify="right")
    for row in progress["best"] if progress else ():
        best.add_row(Text(row["point"]), f"{row['result']:g}")
    return Tables(table, best)


def _state(agent: Mapping[str, Any] | None) -> str:
    if agent is None:
        return "not connected"
    if agent["late"]:
        return "late"
    return "calculating" if agent["tasks"] else "waiting"
