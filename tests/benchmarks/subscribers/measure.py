"""Measures one server with its subscribers: memory, CPU time, logins, and the times of delivery."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean, median
from typing import Any

from tests.benchmarks.latency import percentile_99
from tests.benchmarks.measuring import CHECKOUT
from tests.benchmarks.subscribers.figures import Plan
from tests.benchmarks.subscribers.servers import ServerProcess

LOT = 0.01


class Subscribers:
    """The processes of the load generator."""

    def __init__(self, stack: ExitStack, plan: Plan, port: int, users: Path, prefix: str = "") -> None:
        self._counts = [
            plan.count // plan.processes + (number < plan.count % plan.processes) for number in range(plan.processes)
        ]
        self._processes = []
        first = 0
        for count in self._counts:
            task = [str(port), str(first), str(users), str(count), *filter(None, [prefix])]
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
        return max(float(seconds) for seconds in self._answers())

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


def measured(server: ServerProcess, plan: Plan, users: Path) -> dict[str, float]:
    """The figures of a server that has just started; see figures.py."""
    with ExitStack() as stack:
        time.sleep(plan.settled)
        idle = _used(server, plan.idle)
        memory, cpu = server.memory(), server.cpu_time()
        subscribers = Subscribers(stack, plan, server.port, users, server.prefix)
        seconds = subscribers.connect()
        time.sleep(plan.settled)
        figures = {
            "memory": (server.memory() - memory) / plan.count / 1024,
            "login-cpu": (server.cpu_time() - cpu) / plan.count / 1e6,
            "logins": plan.count / seconds,
        }
        subscribers.heartbeats()
        figures["quiet-cpu"] = 100 * (_used(server, plan.quiet) - idle)
        figures["heartbeats"] = fmean(subscribers.heartbeats())
        return figures | _updates(server, subscribers, plan)


def _used(server: ServerProcess, seconds: float) -> float:
    """The share of a core that the server uses in this time."""
    cpu, began = server.cpu_time(), time.perf_counter_ns()
    time.sleep(seconds)
    return (server.cpu_time() - cpu) / (time.perf_counter_ns() - began)


def _updates(server: ServerProcess, subscribers: Subscribers, plan: Plan) -> dict[str, float]:
    """The times from a trade, a command on the server's standard input, until the subscribers received the state."""
    turns: list[dict[str, float]] = []
    held = 0.0
    for number in range(plan.updates + 1):
        cpu = server.cpu_time()
        # Up and down, so that the account never needs more margin.
        lots = LOT if number % 2 == 0 else -LOT
        held = round(held + lots, 2)
        began = time.perf_counter_ns()
        server.trade(lots)
        times = [(each - began) / 1e6 for each in subscribers.wait_for(held)]
        time.sleep(plan.settled)
        spent = (server.cpu_time() - cpu) / 1e3 / plan.count
        turns.append({"median": median(times), "p99": percentile_99(times), "last": max(times), "cpu": spent})
    # The first update is not measured: it creates what the next ones find.
    figures = {f"update-{name}": median(turn[name] for turn in turns[1:]) for name in turns[0]}
    return figures | {"update-worst": max(turn["last"] for turn in turns[1:])}
