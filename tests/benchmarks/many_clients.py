"""A server with 10,000 clients: one WSAPoll over all of them, and timer events without data.

The limit of open files allows a process neither both ends of the connections nor two servers. So the clients, and the
server with standard sockets, run in other processes, which execute this module; the standard server measures itself, in
turns with the winsock server in this process. The clients have the addresses 127.0.0.1 to 127.0.0.10.
"""

from __future__ import annotations

import gc
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from winsock import POLLRDNORM, SOCKET_ERROR, WSAPOLLFD, WSAPoll, accept, recv

from .connections import (
    MESSAGE,
    SIZE,
    descriptors,
    standard_client,
    standard_listener,
    standard_port,
    winsock_listener,
    winsock_nonblocking,
    winsock_opened,
    winsock_port,
    winsock_started,
)
from .measuring import CHECKOUT, Benchmark, Unavailable, Variant, Variants, timed
from .waiting import one_ready, standard_poll

COUNT = 10_000
ADDRESSES = 10
# The number of connections that may wait in the listen queue on every system.
AT_ONCE = 100
PERIOD = 0.1


class OtherProcess:
    """Another process that runs this module; it answers each line with one line."""

    def __init__(self, stack: ExitStack, *task: str) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.many_clients", *task]
        # When the stack is left, the standard input is closed, which ends the process.
        self._process = stack.enter_context(
            subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        )

    def __call__(self, line: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line + "\n")
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the other process of the benchmark has failed; see its output above")
        return answer


def admitted(stack: ExitStack, port: int, count: int, take: Callable[[], None]) -> OtherProcess:
    """Starts the process of the clients and calls `take` for each connection."""
    clients = OtherProcess(stack, "clients", str(port))
    for begin in range(0, count, AT_ONCE):
        some = min(AT_ONCE, count - begin)
        clients(f"connect {some}")
        for _ in range(some):
            take()
    return clients


def winsock_server_with_clients(stack: ExitStack, count: int) -> tuple[list[int], OtherProcess]:
    listener = winsock_listener(stack)
    handles = []

    def take() -> None:
        handle = winsock_opened(stack, accept(listener, None, None))
        winsock_nonblocking(handle)
        handles.append(handle)

    return handles, admitted(stack, winsock_port(listener), count, take)


def standard_server_with_clients(stack: ExitStack, count: int) -> tuple[list[socket.socket], OtherProcess]:
    listener = standard_listener(stack)
    sockets = []

    def take() -> None:
        accepted = stack.enter_context(listener.accept()[0])
        accepted.setblocking(False)
        sockets.append(accepted)

    return sockets, admitted(stack, standard_port(listener), count, take)


def on_a_timer(event: Callable[[], int]) -> Variant:
    """The share of a core that timer events use, in percent: CPU time, not elapsed time."""

    def variant(number: int) -> float:
        found = 0
        spent = time.process_time()
        due = time.perf_counter()
        for _ in range(number):
            due += PERIOD
            time.sleep(max(0.0, due - time.perf_counter()))
            found += event()
        assert not found
        return 100 * (time.process_time() - spent) / PERIOD

    return variant


# How each kind of benchmark measures a function that polls the sockets.
WORK = {"poll": lambda wait: timed(one_ready(wait)), "idle": on_a_timer}


@contextmanager
def sockets_of_winsock(count: int) -> Iterator[tuple[ExitStack, list[int], OtherProcess]]:
    if not hasattr(select, "poll"):
        raise Unavailable("this system has no select.poll for comparison")
    with descriptors(count), winsock_started() as stack:
        yield stack, *winsock_server_with_clients(stack, count)


def standard_server_in_other_process(stack: ExitStack, work: str, count: int) -> Variant:
    server = OtherProcess(stack, work, str(count))
    server("0")
    return lambda number: float(server(str(number)))


def polled(handles: list[int]) -> Callable[[], int]:
    count = len(handles)
    array = (WSAPOLLFD * count)(*[WSAPOLLFD(handle, POLLRDNORM, 0) for handle in handles])
    return lambda: WSAPoll(array, count, 0)


def poll(count: int) -> Callable[[], AbstractContextManager[Variants]]:
    @contextmanager
    def prepare() -> Iterator[Variants]:
        with sockets_of_winsock(count) as (stack, handles, clients):
            clients("send")
            wait = polled(handles)
            while not wait():
                pass
            yield {
                "winsock": WORK["poll"](wait),
                "select.poll": standard_server_in_other_process(stack, "poll", count),
            }

    return prepare


@contextmanager
def idle_server() -> Iterator[Variants]:
    """Two variants that poll once per timer event, and one that calls recv for each client."""
    with sockets_of_winsock(COUNT) as (stack, handles, _):
        buffer = bytearray(SIZE)

        def receive() -> int:
            received = 0
            for handle in handles:
                if recv(handle, buffer, SIZE, 0) != SOCKET_ERROR:
                    received += 1
            return received

        yield {
            "winsock": on_a_timer(polled(handles)),
            "select.poll": standard_server_in_other_process(stack, "idle", COUNT),
            "recv of each": on_a_timer(receive),
        }


def be_clients(port: int) -> None:
    with ExitStack() as stack:
        clients: list[socket.socket] = []
        for line in sys.stdin:
            what, *number = line.split()
            if what == "connect":
                for place in range(len(clients), len(clients) + int(*number)):
                    clients.append(standard_client(stack, port, f"127.0.0.{1 + place % ADDRESSES}"))
            else:
                clients[len(clients) // 2].send(MESSAGE)
            print("done", flush=True)


def be_standard_server(work: str, count: int) -> None:
    with ExitStack() as stack:
        sockets, clients = standard_server_with_clients(stack, count)
        (wait,) = standard_poll(sockets).values()
        if work == "poll":
            clients("send")
            while not wait():
                pass
        variant = WORK[work](wait)
        gc.disable()
        for line in sys.stdin:
            print(variant(int(line)), flush=True)


def main(task: str, number: int) -> None:
    # Each process needs descriptors for its own sockets only.
    with descriptors(COUNT):
        if task == "clients":
            be_clients(number)
        else:
            be_standard_server(task, number)


BENCHMARKS = (
    Benchmark(f"poll-{COUNT}", poll(COUNT), number=1, rounds=51),
    Benchmark("idle-server", idle_server, number=5, rounds=4, unit="%"),
)

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
