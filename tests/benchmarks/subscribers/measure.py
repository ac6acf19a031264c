"""Measures one server with its subscribers: memory, CPU time, logins, and the times of delivery."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from tests.benchmarks.measuring import CHECKOUT
from tests.benchmarks.subscribers.servers import ServerProcess

LOT = 0.01
# After this time the server has read all acknowledgements and has nothing left to do.
SETTLED = 0.5


@dataclass(frozen=True)
class Plan:
    """What is measured: subscribers, updates, seconds without updates, processes of subscribers."""

    count: int = 500
    updates: int = 20
    quiet: float = 10.0
    processes: int = 2


class Subscribers:
    """The processes of the load generator."""

    def __init__(self, stack: ExitStack, plan: Plan, port: int, users: Path) -> None:
        self._counts = [
            plan.count // plan.processes + (number < plan.count % plan.processes) for number in range(plan.processes)
        ]
        self._processes = []
        first = 0
        for count in self._counts:
            task = [str(port), str(first), str(users), str(count)]
            command = [sys.executable, "-m", "tests.benchmarks.subscribers.load", *task]
            process = subprocess.Popen(
                command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
            # When the standard input is closed, the process ends.
            self._processes.append(stack.enter_context(process))
            first += count

    def connect(self) -> float:
        """Open all; the seconds until the last has its snapshot."""
        for process, count in zip(self._processes, self._counts, strict=True):
            self._write(process, f"connect {count}")
        return max(self._answers())

    def wait_for(self, lots: float) -> list[int]:
        """The times at which the subscribers received the state with these lots."""
        for process in self._processes:
            self._write(process, f"holds {lots:.2f}")
        return [each for times in self._answers() for each in times]

    def heartbeats(self) -> list[int]:
        """The number of heartbeats of each subscriber since the last call."""
        for process in self._processes:
            self._write(process, "heartbeats")
        return [each for counts in self._answers() for each in counts]

    def _write(self, process: subprocess.Popen[str], line: str) -> None:
        assert process.stdin
        process.stdin.write(line + "\n")

    def _answers(self) -> list[Any]:
        answers = []
        for process in self._processes:
            assert process.stdout
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("a process of subscribers has failed; see its output above")
            answers.append(json.loads(line))
        return answers


def percentile_99(times: list[float]) -> float:
    return sorted(times)[math.ceil(0.99 * len(times)) - 1]


def measured(server: ServerProcess, plan: Plan, users: Path) -> dict[str, float]:
    """The figures of a server that has just started. Times are milliseconds, memory is bytes, for each subscriber."""
    with ExitStack() as stack:
        time.sleep(SETTLED)
        memory, cpu = server.memory(), server.cpu_time()
        subscribers = Subscribers(stack, plan, server.port, users)
        seconds = subscribers.connect()
        time.sleep(SETTLED)
        figures = {
            "logins": plan.count / seconds,
            "login-cpu": (server.cpu_time() - cpu) / plan.count / 1e6,
            "memory": (server.memory() - memory) / plan.count,
        }
        figures |= _quiet(server, subscribers, plan)
        return figures | _updates(server, subscribers, plan)


def _quiet(server: ServerProcess, subscribers: Subscribers, plan: Plan) -> dict[str, float]:
    """The share of a core that the server uses while there is nothing but heartbeats, in percent."""
    subscribers.heartbeats()
    cpu, began = server.cpu_time(), time.perf_counter_ns()
    time.sleep(plan.quiet)
    spent = (server.cpu_time() - cpu) / (time.perf_counter_ns() - began)
    received = fmean(subscribers.heartbeats())
    return {"quiet-cpu": 100 * spent, "heartbeats": received / plan.quiet}


def _updates(server: ServerProcess, subscribers: Subscribers, plan: Plan) -> dict[str, float]:
    """The times from a trade, a command on the server's standard input, until the subscribers received the state."""
    middles, highs, lasts, cpus = [], [], [], []
    held = 0.0
    for number in range(plan.updates + 1):
        cpu = server.cpu_time()
        # Up and down, so that the account never needs more margin.
        lots = LOT if number % 2 == 0 else -LOT
        held = round(held + lots, 2)
        began = time.perf_counter_ns()
        server.trade(lots)
        times = [(each - began) / 1e6 for each in subscribers.wait_for(held)]
        time.sleep(SETTLED)
        # The first update is not measured: it creates what the next ones find.
        if number:
            middles.append(median(times))
            highs.append(percentile_99(times))
            lasts.append(max(times))
            cpus.append((server.cpu_time() - cpu) / 1e6)
    return {
        "update-median": median(middles),
        "update-p99": median(highs),
        "update-last": median(lasts),
        "update-worst": max(lasts),
        "update-cpu": median(cpus),
    }
