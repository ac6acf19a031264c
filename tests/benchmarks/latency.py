"""From a trade to its copy, with sockets that call the programs; and the event loop's poll of thousands of sockets.

`copy-lag` runs `provider --fast` and `copier --fast` as processes with timers of 1 s. A trade is a command on the
provider's standard input; the lag is the time from the provider's deal to the copier's, both in accounts in memory. It
is compared with what no program can do without: the time from a send of the standard socket to the end of a blocking
recv in another process. `events-N` is the work of the event loop between two turns: poll N sockets and find the one
that is ready.
"""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from demos.terminal.runtime.attachment import Attachment
from demos.terminal.runtime.socket_events import SocketEvents

from .connections import HOST
from .many_clients import COUNT, sockets_of_winsock, standard_server_in_other_process
from .measuring import CHECKOUT, Benchmark, Variant, Variants, timed
from .waiting import one_ready

# The time between two trades: every copy is made before the next trade.
PAUSE = 0.02
# A job that takes this long has failed.
LIMIT = 60.0


class Program:
    """A program of the registry as a process, with its events file; ``module`` runs it."""

    def __init__(self, stack: ExitStack, folder: Path, name: str, *options: str, module: Sequence[str] = ("demos",)):
        self._path = folder / name
        self._read = 0
        self._events: list[dict[str, Any]] = []
        command = [sys.executable, "-m", *module, "run", name, f"--events={self._path}", "--speed=1", *options]
        self._process = stack.enter_context(
            subprocess.Popen(
                command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        )
        stack.callback(self._process.terminate)

    def command(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of this kind so far."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                lines = file.read().rpartition(b"\n")[0]
            self._read += len(lines) + bool(lines)
            self._events += map(json.loads, lines.splitlines())
        return [event for event in self._events if event["kind"] == kind]

    def wait(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The events of this kind, when there are this many."""
        end = time.monotonic() + LIMIT
        while len(found := self.events(kind)) < count:
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self._path.name} has not recorded {count} events {kind!r}")
            time.sleep(PAUSE)
        return found


def copies(provider: Program, copier: Program) -> Callable[[int], list[tuple[int, int]]]:
    """Makes a number of trades, each after the copy of the one before; returns the times of each trade and its copy."""
    commands = cycle(["buy 0.01", "sell 0.01"])
    made = 0

    def make(number: int) -> list[tuple[int, int]]:
        nonlocal made
        for _ in range(number):
            provider.command(next(commands))
            made += 1
            time.sleep(PAUSE)
            copier.wait("deal", made)
        trades, copied = provider.wait("deal", made)[-number:], copier.wait("deal", made)[-number:]
        assert [trade["position"] for trade in trades] == [copy["position"] for copy in copied]
        return [(trade["t"], copy["t"]) for trade, copy in zip(trades, copied, strict=True)]

    return make


def _copied(stack: ExitStack) -> Variant:
    """The lags of trades, in nanoseconds."""
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="lag-", ignore_cleanup_errors=True)))
    provider = Program(stack, folder, "provider", "--fast", "--Port=-1", "--plain-port=0", "--repeat=0")
    port = provider.wait("listening")[0]["port"]
    copier = Program(stack, folder, "copier", "--fast", f"--Port={port}", "--maxorders=0")
    copier.wait("received")
    make = copies(provider, copier)
    return lambda number: [float(copied - traded) for traded, copied in make(number)]


def one_transfer(stack: ExitStack) -> Variant:
    """The times from a send to the end of a recv in another process, in nanoseconds."""
    listener = stack.enter_context(socket.create_server((HOST, 0)))
    command = [sys.executable, "-m", "tests.benchmarks.latency", str(listener.getsockname()[1])]
    stack.enter_context(subprocess.Popen(command, cwd=CHECKOUT))
    client = stack.enter_context(listener.accept()[0])
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def variant(number: int) -> list[float]:
        times = []
        for _ in range(number):
            time.sleep(PAUSE)
            start = time.perf_counter_ns()
            client.send(b"<<EURUSD|0.01>>\0")
            times.append(float(int(client.recv(64)) - start))
        return times

    return variant


def receive(port: int) -> None:
    """Answer each message with the time at which it was received."""
    with socket.create_connection((HOST, port)) as server:
        while server.recv(64):
            received = time.perf_counter_ns()
            server.send(str(received).encode())


@contextmanager
def copying() -> Iterator[Variants]:
    with ExitStack() as stack:
        yield {"winsock": _copied(stack), "socket": one_transfer(stack)}


def events(count: int) -> Callable[[], AbstractContextManager[Variants]]:
    """Connected TCP sockets, of which one is ready."""

    @contextmanager
    def prepare() -> Iterator[Variants]:
        with sockets_of_winsock(count) as (stack, handles, clients):
            registered: SocketEvents[Attachment] = SocketEvents(lambda _, text: print(text, file=sys.stderr))
            stack.callback(registered.close)
            owner = Attachment(1, "program", ModuleType("program"))
            for handle in handles:
                assert registered.register(owner, handle, readable=True, writable=False)

            def wait() -> int:
                registered.wait(0)
                ready = 0
                while registered.take_ready():
                    ready += 1
                return ready

            clients("send")
            while not wait():
                pass
            yield {
                "winsock": timed(one_ready(wait)),
                "select.poll": standard_server_in_other_process(stack, "poll", count),
            }

    return prepare


def percentile_99(times: Sequence[float]) -> float:
    return sorted(times)[math.ceil(0.99 * len(times)) - 1]


BENCHMARKS = (
    Benchmark("copy-lag", copying, number=50, rounds=9, statistics={"": median, "-p99": percentile_99}),
    Benchmark("events-1000", events(1000), number=1, rounds=51),
    Benchmark(f"events-{COUNT}", events(COUNT), number=1, rounds=51),
)

if __name__ == "__main__":
    receive(int(sys.argv[1]))
