"""Measures the servers one after the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.__main__ import environment
from tests.benchmarks.configurations import load_average, processor
from tests.benchmarks.connections import descriptors
from tests.benchmarks.measuring import Unavailable

from .figures import BROKER, PROXY, WEBSOCKETS, Plan
from .measure import measured
from .servers import (
    SUBSCRIBER_LOGIN,
    ServerProcess,
    broker_server,
    create_certificate_file,
    create_users,
    provider_server,
    proxy_server,
    websockets_server,
)


def measured_servers(
    plan: Plan, names: list[str], show: Callable[[str, dict[str, float]], None] = lambda name, figures: None
) -> dict[str, Any]:
    """The figures of each server's turns. ``names`` are numbers of experts, WEBSOCKETS, PROXY or BROKER.

    Errors: Unavailable if this is not Linux, or if the system does not allow so many file descriptors.
    """
    if sys.platform != "linux":
        raise Unavailable("the subscribers need epoll, and the measurements need /proc")
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    load = load_average()
    # The limit is inherited by the processes, each of which has one end of each connection.
    with descriptors(plan.count), TemporaryDirectory(prefix="subscribers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        create_certificate_file(folder)
        create_users(folder, plan.count)
        for server in [*names, *reversed(names)]:
            with ExitStack() as stack:
                running = started(stack, server, folder, plan.count)
                users = folder / (SUBSCRIBER_LOGIN if server == BROKER else "users.json")
                figures = measured(running, plan, users)
            turns[server].append({name: float(f"{figure:.4g}") for name, figure in figures.items()})
            show(server, turns[server][-1])
    return {
        "environment": environment() | {"processor": processor()},
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load_average_before": load,
        "plan": asdict(plan),
        "servers": turns,
    }


def started(stack: ExitStack, name: str, folder: Path, count: int) -> ServerProcess:
    """A server that listens; ``name`` as for measured_servers."""
    if name == WEBSOCKETS:
        return websockets_server(stack, folder, count)
    if name == BROKER:
        return broker_server(stack, folder)
    if name == PROXY:
        return proxy_server(stack, folder, count)
    return provider_server(stack, folder, count, int(name))
