"""The timer events of a program that looks once at each of its clients, while another thread computes.

The other thread keeps the GIL for CPython's switch interval, 5 ms, whenever a thread has given it away. So a call costs
microseconds or milliseconds: it depends on whether it gives the GIL away. A figure for a single call would hide that.
What the program's user sees is the time of an event, in which the program calls recv on CLIENTS non-blocking TCP
sockets that have no data.

Only the events are timed, not the waits for the timer before them. A wait gives the GIL away and ends when it has it
again, on both sides, so each event begins with the GIL. An event in which a call loses the GIL takes many times as long
as the others. So there are three rows: the mean, which has the target because it is what such a program pays on
average; the median, which shows the usual event; and the 95th percentile, which shows the slow ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import fmean, median, quantiles
from time import perf_counter_ns

from winsock import SOCKET_ERROR, WSAEWOULDBLOCK, WSAGetLastError, recv

from .connections import SIZE, descriptors, standard_pair, winsock_nonblocking, winsock_pair, winsock_started
from .measuring import Benchmark, Variant, Variants

CLIENTS = 100
TIMER_SECONDS = 0.005


def times_of(event: Callable[[], None]) -> Variant:
    """A variant that waits for the timer and then times the event."""
    timer = threading.Event()

    def variant(number: int) -> list[float]:
        times = []
        for _ in range(number):
            timer.wait(TIMER_SECONDS)
            start = perf_counter_ns()
            event()
            times.append(float(perf_counter_ns() - start))
        return times

    return variant


@contextmanager
def computing() -> Iterator[None]:
    """A thread that computes without a pause."""
    done = threading.Event()

    def compute() -> None:
        while not done.is_set():
            sum(range(100))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def winsock_event(stack: ExitStack) -> Callable[[], None]:
    handles = [winsock_pair(stack)[1] for _ in range(CLIENTS)]
    for handle in handles:
        winsock_nonblocking(handle)
    buffer = bytearray(SIZE)

    def event() -> None:
        error = 0
        for handle in handles:
            if recv(handle, buffer, SIZE, 0) == SOCKET_ERROR:
                error = WSAGetLastError()
        assert error == WSAEWOULDBLOCK

    return event


def standard_event(stack: ExitStack) -> Callable[[], None]:
    sockets = [standard_pair(stack)[1] for _ in range(CLIENTS)]
    for one in sockets:
        one.setblocking(False)
    buffer = bytearray(SIZE)

    def event() -> None:
        missed = 0
        for one in sockets:
            try:
                one.recv_into(buffer)
            except BlockingIOError:
                missed += 1
        assert missed == CLIENTS

    return event


@contextmanager
def timer_events() -> Iterator[Variants]:
    """recv on each of CLIENTS sockets without data, in a timer event beside a thread that computes."""
    with descriptors(4 * CLIENTS), winsock_started() as stack:
        events = {"winsock": winsock_event(stack), "socket": standard_event(stack)}
        with computing():
            yield {name: times_of(event) for name, event in events.items()}


def percentile_95(times: Sequence[float]) -> float:
    return quantiles(times, n=20, method="inclusive")[-1]


BENCHMARKS = (
    Benchmark(
        f"timer-{CLIENTS}",
        timer_events,
        number=25,
        rounds=9,
        statistics={"": fmean, "-median": median, "-p95": percentile_95},
    ),
)
