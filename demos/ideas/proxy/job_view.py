"""What ``python -m demos proxy`` shows: its table while it runs, and its result in lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demos.ideas.proxy.job_tally import ProxyTally
from demos.launcher.timeline import full_lag_text, lag_summary, lag_text
from demos.launcher.views import Process, Tables, counted, process_cells, process_table
from demos.provider.demo_tally import PROVIDER
from demos.provider.demo_view import copier_line, positions_text
from demos.terminal.runtime.log import escaped


def proxy_tables(tally: ProxyTally, processes: Sequence[Process], state: str) -> Tables:
    """Each process with its position or its subscribers, its state and its lag."""
    from rich.text import Text

    title = f"proxy: {state}; {counted(tally.trades, 'trade')}; Ctrl-C ends it"
    table = process_table(title, ("position", "status", "lag"))
    for process in processes:
        name, cells = process.name, process_cells(process)
        if name == PROVIDER:
            position = Text(escaped(positions_text(tally.positions[name])))
            table.add_row(*cells, position, "serving" if tally.port else "starting", "")
        elif name in tally.ports:
            status = tally.refused[name] or ("serving" if tally.ports[name] else "starting")
            subscribers = counted(tally.subscribers[name], "subscriber")
            table.add_row(*cells, "", Text(escaped(f"{status}, {subscribers}")), "")
        else:
            copier = tally.copiers[name]
            color = "green" if tally.has_target(copier) else "yellow"
            position = Text(escaped(positions_text(tally.positions[name])), color)
            lag = lag_text(lag_summary(copier.lags)).removeprefix("median ").partition(",")[0]
            table.add_row(*cells, position, Text(escaped(copier.status)), lag)
    return Tables(table)


def proxy_text(summary: Mapping[str, Any]) -> str:
    """The result of the job in lines."""
    lines = [f"provider  {positions_text(summary['positions'])}; {counted(summary['trades'], 'trade')}"]
    for proxy in summary["per_proxy"]:
        logins, restarts = counted(proxy["logins"], "login"), counted(proxy["restarts"], "restart")
        lines.append(f"{proxy['name']:8}  follows {proxy['server']}: {logins}, {restarts}")
    lines += map(copier_line, summary["per_copier"])
    lines.append(f"lag through two proxies: {full_lag_text(summary['lag_ms'])}")
    return "\n".join(lines)
