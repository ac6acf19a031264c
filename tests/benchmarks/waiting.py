"""WSAPoll and select over many sockets of which one is ready, with a timeout of 0.

Only the calls are timed. The search of the array for the ready socket, which select.poll makes unnecessary, is not.
"""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from winsock import FD_ISSET, FD_SET, FD_ZERO, POLLRDNORM, WSAPOLLFD, WSAPoll, fd_set, fd_set_sized, timeval
from winsock import select as winsock_select

from .connections import (
    HOST,
    MESSAGE,
    descriptors,
    standard_datagram,
    standard_server,
    winsock_datagram,
    winsock_port,
    winsock_server,
    winsock_started,
)
from .measuring import Benchmark, Unavailable, Variants, timed

# Python's select takes at most 512 sockets on Windows, and only descriptors below 1,024 elsewhere.
COUNT = 500 if sys.platform == "win32" else 1000
HIGHEST_DESCRIPTOR = 1023


def standard_poll(sockets: Sequence[socket.socket]) -> dict[str, Callable[[], int]]:
    """select.poll with the sockets registered; nothing on Windows, which has no select.poll."""
    if sys.platform == "win32":
        return {}
    poller = select.poll()
    for opened in sockets:
        poller.register(opened, select.POLLIN)
    return {"select.poll": lambda: len(poller.poll(0))}


def one_ready(wait: Callable[[], int]) -> Callable[[int], None]:
    def work(number: int) -> None:
        ready = 0
        for _ in range(number):
            ready += wait()
        assert ready == number

    return work


def poll(count: int) -> Callable[[], AbstractContextManager[Variants]]:
    """Connected TCP sockets. The array is filled once, as the sockets of select.poll are registered once."""

    @contextmanager
    def prepare() -> Iterator[Variants]:
        chosen = count // 2
        with descriptors(4 * count), winsock_started() as stack:
            sockets, their_clients = standard_server(stack, count)
            handles, our_clients = winsock_server(stack, count)
            array = (WSAPOLLFD * count)(*[WSAPOLLFD(handle, POLLRDNORM, 0) for handle in handles])
            # This data is never received, so the two sockets stay ready.
            their_clients[chosen].send(MESSAGE)
            our_clients[chosen].send(MESSAGE)
            select.select([sockets[chosen]], [], [])
            WSAPoll(array, count, -1)
            assert array[chosen].revents == POLLRDNORM

            others = standard_poll(sockets) or {"select.select": lambda: len(select.select(sockets, [], [], 0)[0])}
            waits = {"winsock": lambda: WSAPoll(array, count, 0), **others}
            yield {name: timed(one_ready(wait)) for name, wait in waits.items()}

    return prepare


def datagram_sockets(stack: ExitStack, count: int) -> tuple[list[socket.socket], list[int]]:
    """`count` sockets of either kind, of which the one in the middle has received a datagram."""
    chosen = count // 2
    # The standard sockets are created first: they need low descriptors.
    sockets = [standard_datagram(stack) for _ in range(count)]
    if sys.platform != "win32" and sockets[-1].fileno() > HIGHEST_DESCRIPTOR:
        raise Unavailable(
            f"select.select on {count} sockets needs descriptors below 1024; this process has too many open files"
        )
    handles = [winsock_datagram(stack) for _ in range(count)]
    sender = standard_datagram(stack)
    sender.sendto(MESSAGE, sockets[chosen].getsockname())
    sender.sendto(MESSAGE, (HOST, winsock_port(handles[chosen])))
    select.select([sockets[chosen]], [], [])
    alone = fd_set()
    FD_SET(handles[chosen], alone)
    winsock_select(0, alone, None, None, None)
    assert FD_ISSET(handles[chosen], alone)
    return sockets, handles


@contextmanager
def select_() -> Iterator[Variants]:
    """UDP sockets. Each call gets a copy of a prepared set, as in C programs; Python's select gets socket objects."""
    with descriptors(2 * COUNT), winsock_started() as stack:
        sockets, handles = datagram_sockets(stack, COUNT)
        kind = fd_set_sized(COUNT)
        kept = kind()
        kept.fd_count = COUNT
        kept.fd_array[:] = [*handles]
        now = timeval(0, 0)

        def winsock() -> int:
            return winsock_select(0, kind.from_buffer_copy(kept), None, None, now)

        waits = {
            "winsock": winsock,
            "select.select": lambda: len(select.select(sockets, [], [], 0)[0]),
            **standard_poll(sockets),
        }
        yield {name: timed(one_ready(wait)) for name, wait in waits.items()}


@contextmanager
def rebuilt_sets() -> Iterator[Variants]:
    """The same with a set that FD_SET fills before each call, and a list that is built before each call."""
    with descriptors(2 * COUNT), winsock_started() as stack:
        sockets, handles = datagram_sockets(stack, COUNT)
        fds = fd_set_sized(COUNT)()
        now = timeval(0, 0)

        def winsock() -> int:
            FD_ZERO(fds)
            for handle in handles:
                FD_SET(handle, fds)
            return winsock_select(0, fds, None, None, now)

        waits = {"winsock": winsock, "select.select": lambda: len(select.select([*sockets], [], [], 0)[0])}
        yield {name: timed(one_ready(wait)) for name, wait in waits.items()}


BENCHMARKS = (
    Benchmark(f"poll-{COUNT}", poll(COUNT), number=1),
    Benchmark(f"select-{COUNT}", select_, number=1),
    Benchmark(f"fd-set-{COUNT}", rebuilt_sets, number=1, rounds=51),
)
