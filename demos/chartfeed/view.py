"""What the job ``tpl`` shows: its table while it runs, and its result in lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demos.chartfeed.tally import Tally
from demos.launcher.timeline import lag_summary, lag_text
from demos.launcher.views import Process, Tables, counted, process_cells, process_table


def tables(tally: Tally, server: str, processes: Sequence[Process], state: str) -> Tables:
    """Each process with its templates and their lag."""
    table = process_table(f"tpl: {state}; the last template has {tally.bytes} bytes", ("templates", "lag"))
    for process in processes:
        if process.name == server:
            table.add_row(*process_cells(process), f"{tally.made} made", "")
        else:
            table.add_row(*process_cells(process), f"{tally.applied} applied", lag_text(lag_summary(tally.lags)))
    return Tables(table)


def summary_text(summary: Mapping[str, Any]) -> str:
    """The result of the job in lines."""
    pixels = summary["unequal_pixels"]
    lines = [
        f"{counted(summary['made'], 'template')} made, {summary['applied']} applied, "
        f"the last one of {summary['bytes']} bytes",
        f"templates: {'equal' if summary['templates_equal'] else 'NOT EQUAL'}",
        f"pictures:  {'not drawn' if pixels is None else 'equal' if not pixels else f'{pixels} pixels differ'}",
        *summary["files"],
    ]
    if summary["applied"] > 1:
        lines.insert(1, f"lag from template to chart: {lag_text(summary['lag_ms'])}")
    return "\n".join(lines)
