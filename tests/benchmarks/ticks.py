"""A tick server: receives ticks of 100 symbols, each from its own socket, checks them and stores them in SQLite.

Each variant counts the stored ticks, and none may be lost. The same with processes, in real time:

    python -m demos ticks --clients 4 --symbols 100 --speed 250 --duration 10
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import perf_counter_ns

from demos.collector.recorder import TickRecorder
from demos.collector.store import TickStore
from demos.registry import find_program
from demos.terminal.interfaces import SymbolSpec
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.market import ReplayMarket, Speed
from demos.terminal.runtime.attachment import running
from demos.terminal.runtime.clock import ManualClock
from demos.terminal.runtime.log import Log
from demos.terminal.terminal import Terminal
from demos.ticks.protocol import MAX_DATAGRAM, encode

from .connections import HOST, standard_datagram, standard_port
from .measuring import Benchmark, Variant, Variants

SYMBOLS = 100
# The number of ticks between two timer events at 1,000 ticks per second; they fit into any receive buffer.
BURST = 100


def _program(stack: ExitStack, database: Path) -> tuple[int, Callable[[], int]]:
    """The port of our tick server, and a function that runs one timer event and returns the number of stored ticks."""
    account = stack.enter_context(closing(PaperAccount()))
    clock = ManualClock()
    market = ReplayMarket([SymbolSpec("EURUSD")], iter(()), Speed())
    terminal = Terminal(clock, market, account, Log(clock, None))
    chart = terminal.attach(find_program("tick_collector"), "EURUSD", inputs={"Port": 0, "database": str(database)})
    with running(chart, "OnInit"):
        chart.module.OnInit()
        chart.module.OnTimer()

    def end() -> None:
        with running(chart, "OnDeinit"):
            chart.module.OnDeinit(0)

    stack.callback(end)

    def event() -> int:
        with running(chart, "OnTimer"):
            chart.module.OnTimer()
        total: int = chart.module.total
        return total

    return chart.module.port, event


def _standard(stack: ExitStack, database: Path) -> tuple[int, Callable[[], int]]:
    """The same with Python's own socket module."""
    server = standard_datagram(stack)
    server.setblocking(False)
    recorder = TickRecorder(stack.enter_context(closing(TickStore(database))), 1252)
    total = 0

    def event() -> int:
        nonlocal total
        while True:
            try:
                datagram, (host, port) = server.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                break
            recorder.add(datagram, f"{host}:{port}")
        total += len(recorder.end_event(total).ticks)
        recorder.store()
        return total

    return standard_port(server), event


def _fed(stack: ExitStack, port: int, event: Callable[[], int], run: str) -> Variant:
    """Times the timer events; the ticks are sent untimed."""
    clients = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(SYMBOLS)]
    runs = [f"{run}{number:08x}" for number in range(SYMBOLS)]
    sent = 0

    def variant(number: int) -> float:
        nonlocal sent
        cost = 0
        for begin in range(0, number, BURST):
            for _ in range(min(BURST, number - begin)):
                turn, client = divmod(sent, SYMBOLS)
                tick = encode(f"SYMBOL{client}", 1.1 + turn / 1e5, 5, 1252, runs[client], turn + 1)
                clients[client].sendto(tick, (HOST, port))
                sent += 1
            start = perf_counter_ns()
            total = event()
            cost += perf_counter_ns() - start
            assert total == sent, "ticks were lost"
        return cost

    return variant


@contextmanager
def collected() -> Iterator[Variants]:
    with tempfile.TemporaryDirectory(prefix="ticks-", ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        ours, our_event = _program(stack, Path(folder) / "ours.sqlite")
        theirs, their_event = _standard(stack, Path(folder) / "theirs.sqlite")
        yield {
            "winsock": _fed(stack, ours, our_event, "0" * 8),
            "socket": _fed(stack, theirs, their_event, "f" * 8),
        }


BENCHMARKS = (Benchmark("ticks-100", collected, number=1000, rounds=16),)
