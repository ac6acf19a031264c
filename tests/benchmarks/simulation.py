"""How much simulated time passes in a second of real time, and how much memory a simulated network takes.

    python -m tests.benchmarks.simulation            prints a table
    python -m tests.benchmarks.simulation --write    also writes it to notes/simulation.md

The times are the process's CPU time: the smallest of some rounds. The threads of a simulation run one at a time, so it
is also the real time on a machine that does nothing else.

- `signal, 1 hour`: the provider and two copiers of `python -m demos simulate signal`, whose timers have a period of a
  second, with the faults of a seed; and with the hostile peer of that scenario.
- `100 hosts`: 99 clients that send 20 bytes a second to one server over TCP and wait for the answer, for 60 seconds.
- memory: Python's allocations, for each host with a process, for each connection (both ends), for each packet of 1,000
  bytes on the way, and what is left after an hour in which a client has connected and closed 3,600 times.
"""

from __future__ import annotations

import argparse
import gc
import platform
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import process_time

import winsock
from demos.simulation.runs import Run, simulate
from tests.kits import simulation_kit as kit
from winsock.command_line import run_command
from winsock.simulation import Network

from .measuring import CHECKOUT

NOTE = CHECKOUT / "notes" / "simulation.md"
BEGIN, END = "<!-- measured by python -m tests.benchmarks.simulation -->\n", "<!-- end -->\n"
ROUNDS = 3
HOSTS = 100
_SERVER = "10.0.0.1"
_SIGNAL_PAIR = str(Path(__file__).with_name("signal_pair.py"))


def cpu_seconds(work: Callable[[], object], rounds: int) -> float:
    """The CPU time of the fastest round."""
    times = []
    for _ in range(rounds):
        gc.collect()
        start = process_time()
        work()
        times.append(process_time() - start)
    return min(times)


def signal_hour(scenario: str) -> None:
    outcome = simulate(Run(scenario=scenario, seed=7, seconds=3600))
    assert outcome.violation is None, outcome.violation


def echo_client(messages: int, period: float) -> None:
    kit.start()
    s = kit.connected(_SERVER)
    for _ in range(messages):
        kit.send_all(s, bytes(20))
        kit.receive(s)
        kit.sleep(period)


def many_hosts() -> None:
    with Network(seed=1) as net:
        net.host("server").start(polling_server)
        clients = [net.host(f"client{number}").start(echo_client, 60, 1.0) for number in range(HOSTS - 1)]
        net.run(70)
        assert all(client.result() is None for client in clients)


def polling_server() -> None:
    """Answers all clients, with one WSAPoll."""
    kit.start()
    sockets = [kit.listener()]
    while True:
        polled = (winsock.WSAPOLLFD * len(sockets))(*((s, winsock.POLLIN, 0) for s in sockets))
        kit.check(winsock.WSAPoll(polled, len(sockets), -1))
        for entry in polled:
            if not entry.revents:
                continue
            if entry.fd == sockets[0]:
                sockets.append(kit.check(winsock.accept(sockets[0], None, None)))
            elif data := kit.receive(entry.fd):
                kit.send_all(entry.fd, data)
            else:
                winsock.closesocket(entry.fd)
                sockets.remove(entry.fd)


def allocated() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """Gives a function that returns the bytes that Python has allocated."""
    gc.collect()
    tracemalloc.start()
    try:
        yield allocated
    finally:
        tracemalloc.stop()


def host_bytes() -> float:
    with Network() as net:
        net.host("first").start(kit.sleep, 1000)
        net.run(1)
        with traced() as allocated:
            before = allocated()
            for number in range(HOSTS):
                net.host(f"host{number}").start(kit.sleep, 1000)
            net.run(1)
            return (allocated() - before) / HOSTS


def connection_bytes() -> float:
    def program(count: int, sockets: list[int]) -> None:
        kit.start()
        sockets += [kit.connected(_SERVER) for _ in range(count)]
        kit.sleep(1000)

    with Network() as net:
        net.host("server").start(polling_server)
        client = net.host("client")
        sockets: list[int] = []
        client.start(program, 10, sockets)
        net.run(1)
        with traced() as allocated:
            before = allocated()
            client.start(program, HOSTS, sockets)
            net.run(10)
            return (allocated() - before) / HOSTS


def packet_bytes() -> float:
    """Datagrams on a link with a latency of 100 s."""

    def program(count: int) -> None:
        kit.start()
        s = kit.new(winsock.SOCK_DGRAM)
        kit.sleep(2)
        for _ in range(count):
            kit.check(winsock.sendto(s, bytes(1000), 1000, 0, kit.address(_SERVER), 16))
        kit.sleep(1000)

    with Network(latency=100) as net:
        net.host("server")
        net.host("client").start(program, 1000)
        net.run(1)
        with traced() as allocated:
            before = allocated()
            net.run(2)
            return (allocated() - before) / 1000


def left_bytes() -> float:
    def program() -> None:
        kit.start()
        while True:
            s = kit.connected(_SERVER)
            winsock.closesocket(s)
            kit.sleep(1)

    with Network() as net, traced() as allocated:
        net.host("server").start(polling_server)
        net.host("client").start(program)
        net.run(400)
        before = allocated()
        net.run(3600)
        return allocated() - before


def rows() -> Iterator[tuple[str, str, str]]:
    """What was measured, the result, and what it means."""
    simulated: dict[str, tuple[Callable[[], object], int]] = {
        "signal, 1 hour": (partial(signal_hour, _SIGNAL_PAIR), 3600),
        "signal with its hostile peer, 1 hour": (partial(signal_hour, "signal"), 3600),
        "100 hosts": (many_hosts, 70),
    }
    for name, (work, seconds) in simulated.items():
        taken = cpu_seconds(work, ROUNDS)
        yield name, f"{taken:.2f} s", f"{seconds / taken:,.0f} simulated seconds in a second"
    for name, measure in (("host", host_bytes), ("connection", connection_bytes), ("packet", packet_bytes)):
        yield f"memory of a {name}", f"{measure() / 1000:.1f} kB", ""
    yield "memory after 3,600 connections", f"{left_bytes() / 1000:+.1f} kB", ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--write", action="store_true", help="also write the table to notes/simulation.md")
    options = parser.parse_args(arguments)
    lines = ["| measured | result | |", "| --- | --- | --- |"]
    print(*lines, sep="\n", flush=True)
    for row in rows():
        lines.append("| " + " | ".join(row).rstrip() + " |")
        print(lines[-1], flush=True)
    if options.write:
        text = NOTE.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        where = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}"
        table = "\n".join(lines)
        NOTE.write_text(f"{before}{BEGIN}\n{table}\n\n({where})\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("python -m tests.benchmarks.simulation", main))
