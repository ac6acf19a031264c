"""What ``python -m demos provider --demo`` shows: its table while it runs, and its result in lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from demos.launcher.timeline import full_lag_text, lag_summary, lag_text
from demos.launcher.views import Process, Tables, counted, process_cells, process_table
from demos.provider.demo_tally import PROVIDER, DemoTally
from demos.terminal.runtime.log import escaped

_WARNING = "the browser warns of the self-signed certificate: continue to the page"


def positions_text(positions: Mapping[str, Decimal | str]) -> str:
    """``EURUSD 0.25``, one symbol after another; ``no position`` when there is none."""
    return ", ".join(f"{symbol} {lots}" for symbol, lots in positions.items()) or "no position"


def factor_text(factor: Decimal) -> str:
    """How a copier scales the provider's volume."""
    return "the same volume" if factor == 1 else f"the volume times {factor}"


def dashboard_lines(url: str, login: str, password: str) -> list[str]:
    """How to open the dashboard."""
    return [f"dashboard: {url}", f"login: {login}  password: {password}", _WARNING]


def tables(tally: DemoTally, processes: Sequence[Process], state: str, dashboard: Sequence[str]) -> Tables:
    """How to open the dashboard, and each process with its position, its state and its lag."""
    from rich.text import Text

    trades = counted(tally.trades, "trade")
    title = "\n".join([f"provider --demo: {state}; {trades}; Ctrl-C ends it", *dashboard])
    table = process_table(title, ("position", "status", "states", "orders", "lag"))
    for process in processes:
        position = escaped(positions_text(tally.positions[process.name]))
        if process.name == PROVIDER:
            serving = "serving" if tally.port else "starting"
            table.add_row(*process_cells(process), Text(position), serving, "", str(tally.trades), "")
        else:
            copier = tally.copiers[process.name]
            color = "green" if tally.has_target(copier) else "yellow"
            lag = lag_text(lag_summary(copier.lags)).removeprefix("median ").partition(",")[0]
            numbers = (str(copier.states), str(copier.orders), lag)
            table.add_row(*process_cells(process), Text(position, color), Text(escaped(copier.status)), *numbers)
    return Tables(table)


def copier_line(copier: Mapping[str, Any]) -> str:
    """The result of a copier."""
    held = positions_text(copier["positions"])
    outcome = "right" if copier["equal"] else f"NOT {positions_text(copier['target'])}"
    orders, lag = counted(copier["orders"], "order"), lag_text(copier["lag_ms"]).partition(",")[0]
    return f"{copier['name']:8}  factor {copier['factor']}: {held}, {outcome}; {orders}, lag {lag}"


def summary_text(summary: Mapping[str, Any]) -> str:
    """The result of the demo in lines."""
    lines = [f"provider  {positions_text(summary['positions'])}; {counted(summary['trades'], 'trade')}"]
    lines += map(copier_line, summary["per_copier"])
    lines.append(f"lag from trade to copy: {full_lag_text(summary['lag_ms'])}")
    if summary["folder"] is not None:
        lines.append(f"accounts, state and journals: {summary['folder']}")
    return "\n".join(lines)
