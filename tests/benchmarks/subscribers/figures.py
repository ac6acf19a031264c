"""What is measured, and the table of the figures."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

WEBSOCKETS = "websockets"
PROXY = "proxy"
BROKER = "broker"
EXPERTS = (1, 2, 4)

# The figures of a server: what each is, its unit, and the digits after the point.
FIGURES = {
    "memory": ("memory of a subscriber", "KiB", 1),
    "login-cpu": ("CPU time of a login, with the TLS handshake", "ms", 2),
    "logins": ("logins per second", "", 0),
    "quiet-cpu": ("CPU time while nothing changes, for all subscribers: heartbeats", "%", 1),
    "update-median": ("from a trade until half of the subscribers have received the update", "ms", 1),
    "update-p99": ("… until 99 % have received it", "ms", 1),
    "update-last": ("… until the last one has received it", "ms", 1),
    "update-worst": ("… of the slowest update", "ms", 1),
    "update-cpu": ("CPU time of an update and its acknowledgement, for each subscriber", "µs", 0),
}

# The figures of a tree of proxies.
TREE_FIGURES = {
    "median": "from a trade until a subscriber has received it",
    "p99": "… in 99 % of the cases",
    "provider-cpu": "CPU time of an update, with acknowledgements: the provider",
    "proxies-cpu": "… all proxies",
}


@dataclass(frozen=True)
class Plan:
    """What is measured: subscribers, updates, and the processes of subscribers. The other fields are seconds.

    ``quiet``: without updates; ``idle``: before the first subscriber; ``settled``: after this time the server has read
    all acknowledgements and has nothing left to do.
    """

    count: int = 500
    updates: int = 20
    processes: int = 2
    quiet: float = 15.0
    idle: float = 3.0
    settled: float = 0.5


def title(server: str) -> str:
    titles = {WEBSOCKETS: "websockets", PROXY: "provider and proxy", BROKER: "provider and mosquitto"}
    return titles.get(server) or f"{server} expert{'s' * (server != '1')}"


def rows(kept: dict[str, Any]) -> list[list[str]]:
    """The head of the table and a row for each figure: the medians of the turns, and the first server's ratio."""
    servers = kept["servers"]
    first, *_, last = servers
    table = [["", *map(title, servers), f"{title(first)} / {title(last)}"]]
    for name, (text, unit, digits) in FIGURES.items():
        amounts = {server: median(turn[name] for turn in turns) for server, turns in servers.items()}
        shown = [f"{amount:.{digits}f} {unit}".strip() for amount in amounts.values()]
        table.append([text, *shown, f"{amounts[first] / amounts[last]:.2f}" if amounts[last] else ""])
    return table


def tree_rows(kept: dict[str, Any]) -> list[list[str]]:
    """The head of the table, and a row for each tree: the medians of its turns."""
    table = [["levels of proxies", *TREE_FIGURES.values()]]
    for tree in kept["trees"]:
        amounts = [f"{median(turn[name] for turn in tree['turns']):.1f} ms" for name in TREE_FIGURES]
        table.append([str(tree["levels"]), *amounts])
    return table
