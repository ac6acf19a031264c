"""Listen queues: which clients fit, what happens to the others, and what accept takes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import c_int
from functools import partial

from tests.conformance.kit import (
    ANY,
    IN,
    IN6,
    LIMIT,
    LOOPBACK,
    LOOPBACK6,
    OTHER_LOOPBACK,
    bound,
    bound6,
    done,
    inet,
    inet6,
    look,
    name6_of,
    name_of,
    nonblocking,
    option,
    pause,
    polled,
    port_of,
    set_of,
    switch,
    tcp,
    wait_except,
    wait_readable,
    wait_writable,
)
from tests.conformance.recorder import Json
from winsock import (
    AF_INET6,
    INVALID_SOCKET,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    POLLRDNORM,
    POLLWRNORM,
    SO_ERROR,
    SOL_SOCKET,
    SOMAXCONN,
    accept,
    closesocket,
    connect,
    fd_set,
    getpeername,
    listen,
    ntohs,
    recv,
    select,
    sockaddr_in,
    sockaddr_in6,
    timeval,
)

from .. import sources
from ..blocked import Blocked
from ..facts import DOCUMENTED, TESTED, Topic, answer

topic = Topic("queues")

_PAGES = f"{sources.REFERENCE}/api/winsock2"
LISTEN = f"{_PAGES}/nf-winsock2-listen"
FULL = f"{LISTEN}: a client that finds the queue full receives WSAECONNREFUSED"
AGAIN = f"{LISTEN}: on a listening socket it succeeds without changing the backlog"
LENGTH = f"{LISTEN}: the backlog is the maximum length of the queue"
LEGAL = f"{LISTEN}: an illegal value is replaced by the nearest legal one"
HINT = f"{LISTEN}: SOMAXCONN_HINT(N) is adjusted to the range from 200 to 65535"
CONNECT = f"{_PAGES}/nf-winsock2-connect: after WSAECONNREFUSED the socket can connect again"
ACCEPT = f"{_PAGES}/nf-winsock2-accept: the first connection of the queue"
SELECT = f"{_PAGES}/nf-winsock2-select: accept completes without blocking"
RETRIES = (
    "https://support.microsoft.com/en-us/help/175523: a client whose request is answered with a reset tries again "
    "several times before connect fails"
)
RESETS = "https://support.microsoft.com/en-us/kb/113576: a request beyond the backlog is answered with a reset"
START = (
    "https://learn.microsoft.com/en-us/dotnet/api/system.net.sockets.tcplistener.start: beyond the maximum number of "
    "queued connections the client gets an error"
)
DOTNET_ACCEPT = f"{sources.DOTNET}/Accept.cs: Accept_ConcurrentAcceptsAfterConnects_Success"
CPYTHON = "https://github.com/python/cpython/blob/main/Lib/test/test_socket.py: test_listen_backlog"
DROPS = "the kernel drops the request of a client that finds the queue full"
ONE_MORE = "the kernel's queue takes one client more than the backlog"
CHANGES = "a second listen changes the backlog"

Name = sockaddr_in | sockaddr_in6


def listening(backlog: int, s: int | None = None) -> tuple[int, sockaddr_in]:
    """A listener on a free port, and its address."""
    queue = bound(tcp()) if s is None else s
    done(listen(queue, backlog))
    return queue, name_of(queue)


def clients(to: Name, count: int) -> list[int]:
    """Nonblocking sockets that connect to an address."""
    opened = []
    for _ in range(count):
        s = nonblocking(tcp(AF_INET6 if isinstance(to, sockaddr_in6) else 2))
        connect(s, to, IN6 if isinstance(to, sockaddr_in6) else IN)
        opened.append(s)
    return opened


def connected(sockets: Sequence[int]) -> int:
    """How many are connected after a moment; a connection on loopback needs no longer."""
    pause(120)
    return sum("w" in look(s) for s in sockets)


def filled(to: Name, count: int = 1) -> None:
    """Fills a queue that takes `count` clients."""
    for s in clients(to, count):
        wait_writable(s)


def fills(opened: tuple[int, sockaddr_in], count: int = 1) -> tuple[int, sockaddr_in]:
    filled(opened[1], count)
    return opened


# Which clients fit


def fitting(backlog: int, attempts: int) -> Json:
    _queue, to = listening(backlog)
    return connected(clients(to, attempts))


for backlog in (1, 2, 3, 5, 8):
    topic.add(
        f"{backlog}_clients_fit_a_backlog_of_{backlog}",
        "listen",
        f"with a backlog of {backlog}; three more clients connect",
        [backlog],
        LENGTH,
        DOCUMENTED,
        partial(fitting, backlog, backlog + 3),
        wine=ONE_MORE,
    )

for name, backlog, attempts, source, certainty in (
    ("a_backlog_of_0_takes_a_client", 0, 1, CPYTHON, TESTED),
    ("somaxconn_takes_many_clients", SOMAXCONN, 40, LISTEN, DOCUMENTED),
    ("somaxconn_hint_of_1_takes_many_clients", -1, 40, HINT, DOCUMENTED),
    ("somaxconn_hint_of_100_takes_many_clients", -100, 40, HINT, DOCUMENTED),
    ("the_lowest_backlog_takes_many_clients", -0x80000000, 40, LEGAL, DOCUMENTED),
):
    topic.add(
        name,
        "listen",
        f"with a backlog of {backlog}; {attempts} clients connect",
        [attempts],
        source,
        certainty,
        partial(fitting, backlog, attempts),
    )


def fitting_after_a_second_listen(first: int, second: int, attempts: int) -> Json:
    queue, to = listening(first)
    return [answer("listen", listen(queue, second)), connected(clients(to, attempts))]


@topic.fact("listen", "on a socket that already listens", windows=[0], source=AGAIN, certainty=DOCUMENTED)
def a_second_listen_succeeds() -> Json:
    s = bound(tcp())
    done(listen(s, 1))
    return answer("listen", listen(s, 5))


for first, second in ((1, 5), (2, SOMAXCONN), (1, -200), (4, 1), (3, 0)):
    topic.add(
        f"a_backlog_of_{first}_stays_after_listen_with_{second}".replace("-", "minus_"),
        "listen",
        f"with a backlog of {second}, on a socket that listens with {first}",
        [[0, first]],
        AGAIN,
        DOCUMENTED,
        partial(fitting_after_a_second_listen, first, second, first + 2),
        wine=CHANGES,
    )


@topic.fact(
    "listen",
    "a second time, with a client in the queue",
    windows=[[0, True]],
    source=AGAIN,
    certainty=DOCUMENTED,
)
def a_second_listen_keeps_the_clients_in_the_queue() -> Json:
    queue, _to = fills(listening(1))
    return [answer("listen", listen(queue, 0)), accept(wait_readable(queue), None, None) != INVALID_SOCKET]


# Clients that find the queue full


def dual_stack_listener() -> int:
    return bound6(switch(tcp(AF_INET6), IPPROTO_IPV6, IPV6_V6ONLY, 0), 0, bytes(16))


def port6_of(s: int) -> int:
    return ntohs(name6_of(s).sin6_port)


def refused(to: Name, client: int | None = None) -> Json:
    """The result of a blocking connect to a listener whose queue takes one client, and is full."""
    filled(to)
    size = IN6 if isinstance(to, sockaddr_in6) else IN
    s = tcp(AF_INET6 if size == IN6 else 2) if client is None else client
    return answer("connect", connect(s, to, size))


def at_an_ipv6_listener() -> Json:
    queue = bound6(tcp(AF_INET6))
    done(listen(queue, 1))
    return refused(name6_of(queue))


def at_a_wildcard_listener() -> Json:
    queue = bound(tcp(), 0, ANY)
    done(listen(queue, 1))
    return refused(inet(port_of(queue), OTHER_LOOPBACK))


def at_a_dual_stack_listener(address: bytes | int) -> Json:
    queue = dual_stack_listener()
    done(listen(queue, 1))
    port = port6_of(queue)
    return refused(inet(port, address) if isinstance(address, int) else inet6(port, address))


REFUSALS: dict[str, tuple[str, Callable[[], Json]]] = {
    "an_ipv4_listener": ("blocking", lambda: refused(listening(1)[1])),
    "an_ipv6_listener": ("blocking, IPv6", at_an_ipv6_listener),
    "a_wildcard_listener": ("blocking, the listener has the wildcard address", at_a_wildcard_listener),
    "a_dual_stack_listener_for_ipv4": (
        "blocking, the listener is dual-stack",
        partial(at_a_dual_stack_listener, LOOPBACK),
    ),
    "a_dual_stack_listener_for_ipv6": ("blocking, IPv6, dual-stack", partial(at_a_dual_stack_listener, LOOPBACK6)),
    "an_ipv4_listener_for_a_bound_client": (
        "blocking, the client is bound",
        lambda: refused(listening(1)[1], bound(tcp(), 0, OTHER_LOOPBACK)),
    ),
}

for name, (situation, observe) in REFUSALS.items():
    topic.add(
        f"a_full_queue_refuses_at_{name}",
        "connect",
        f"{situation}, to a listener whose queue is full",
        ["WSAECONNREFUSED"],
        FULL,
        DOCUMENTED,
        observe,
        wine=DROPS,
    )


@topic.fact(
    "select",
    "with a nonblocking client that finds the queue full, in all sets",
    windows=["e"],
    source=FULL,
    certainty=DOCUMENTED,
    wine=DROPS,
)
def select_reports_the_refusal_of_a_full_queue() -> Json:
    _queue, to = fills(listening(1))
    return look(clients(to, 1)[0], LIMIT)


@topic.fact(
    "WSAPoll",
    "with a nonblocking client that finds the queue full",
    windows=["ERR HUP WRNORM"],
    source=FULL,
    certainty=DOCUMENTED,
    wine=DROPS,
)
def wsapoll_reports_the_refusal_of_a_full_queue() -> Json:
    _queue, to = fills(listening(1))
    return polled(clients(to, 1)[0], POLLRDNORM | POLLWRNORM, LIMIT * 1000)


@topic.fact(
    "getsockopt",
    "SO_ERROR of a nonblocking client that found the queue full",
    windows=[10061],
    source=FULL,
    certainty=DOCUMENTED,
    wine=DROPS,
)
def so_error_of_a_client_that_found_the_queue_full() -> Json:
    _queue, to = fills(listening(1))
    return option(wait_except(clients(to, 1)[0]), SOL_SOCKET, SO_ERROR)


@topic.fact(
    "select",
    "with four nonblocking clients beyond a backlog of 2, all in exceptfds",
    windows=[4],
    source=RESETS,
    certainty=DOCUMENTED,
    wine=DROPS,
)
def every_client_beyond_the_backlog_is_refused() -> Json:
    _queue, to = fills(listening(2), 2)
    waiting = set(clients(to, 4))
    for _ in range(8):  # each result has the clients that were refused until then
        fds: fd_set = set_of(*waiting)
        if not waiting or select(0, None, None, fds, timeval(LIMIT, 0)) <= 0:
            break
        waiting -= set(fds.fd_array[: fds.fd_count])
    return 4 - len(waiting)


@topic.fact(
    "connect",
    "a second time, after the queue was full and a place became free",
    windows=[["WSAECONNREFUSED", 0]],
    source=CONNECT,
    certainty=DOCUMENTED,
    wine=DROPS,
)
def a_refused_client_connects_again() -> Json:
    queue, to = fills(listening(1))
    s = tcp()
    first = answer("connect", connect(s, to, IN))
    assert accept(queue, None, None) != INVALID_SOCKET
    return [first, answer("connect", connect(s, to, IN))]


@topic.fact(
    "accept",
    "on a nonblocking listener, after the clients in its queue; another client was refused before",
    windows=[["WSAECONNREFUSED", True, "WSAEWOULDBLOCK"]],
    source=START,
    certainty=DOCUMENTED,
    wine=DROPS,
)
def a_refused_client_never_reaches_accept() -> Json:
    queue, to = fills(listening(1))
    first = answer("connect", connect(tcp(), to, IN))
    taken = accept(nonblocking(queue), None, None) != INVALID_SOCKET
    pause(1200)  # longer than a client waits until it tries again
    return [first, taken, answer("accept", accept(queue, None, None))]


@topic.fact(
    "connect",
    "blocking, while the queue is full; then a client is accepted in time",
    windows=[0],
    source=RETRIES,
    certainty=DOCUMENTED,
)
def a_client_connects_after_all_if_a_place_becomes_free() -> Json:
    queue, to = fills(listening(1))
    waiting = Blocked(lambda: connect(tcp(), to, IN))
    assert accept(queue, None, None) != INVALID_SOCKET
    return waiting.end()


@topic.fact(
    "select",
    "with a nonblocking client in all sets, while the queue is full; then a client is accepted in time",
    windows=["w"],
    source=RETRIES,
    certainty=DOCUMENTED,
)
def a_nonblocking_client_connects_after_all_if_a_place_becomes_free() -> Json:
    queue, to = fills(listening(1))
    client = clients(to, 1)[0]
    pause(50)
    assert accept(queue, None, None) != INVALID_SOCKET
    return look(client, LIMIT)


@topic.fact(
    "select",
    "with a client that has just found the queue full, in all sets",
    windows=["-"],
    source=RETRIES,
    certainty=DOCUMENTED,
)
def a_full_queue_refuses_no_client_at_once() -> Json:
    _queue, to = fills(listening(1))
    client = clients(to, 1)[0]
    if connected([client]):  # the kernel of Wine takes one client more
        client = clients(to, 1)[0]
    pause(300)
    return look(client)


# The clients in the queue


@topic.fact("accept", "with three clients in the queue", windows=[True], source=ACCEPT, certainty=DOCUMENTED)
def accept_takes_the_clients_in_their_order() -> Json:
    queue, to = listening(3)
    ports, found = [], []
    for _ in range(3):
        s = tcp()
        done(connect(s, to, IN))
        ports.append(port_of(s))
    for _ in range(3):
        name = sockaddr_in()
        assert accept(wait_readable(queue), name, c_int(IN)) != INVALID_SOCKET
        found.append(ntohs(name.sin_port))
    return found == ports


def accepts_after_connects(count: int) -> Json:
    queue, to = listening(count)
    opened = clients(to, count)
    for s in opened:
        wait_writable(s)
    accepted = [accept(wait_readable(queue), None, None) for _ in range(count)]
    name = sockaddr_in()
    return [INVALID_SOCKET not in accepted, [answer("getpeername", getpeername(s, name, c_int(IN))) for s in accepted]]


for count in (2, 5):
    topic.add(
        f"{count}_clients_that_connected_before_accept_are_accepted",
        "accept",
        f"{count} times, after {count} clients have connected; the backlog is {count}",
        [[True, [0] * count]],
        DOTNET_ACCEPT,
        TESTED,
        partial(accepts_after_connects, count),
    )


@topic.fact(
    "recv",
    "on an accepted socket whose client closed while it was in the queue",
    windows=[0],
    source="https://github.com/rust-lang/rust/blob/master/library/std/src/net/tcp/tests.rs: read_eof",
    certainty=TESTED,
)
def a_client_closes_in_the_queue() -> Json:
    queue, to = listening(1)
    s = tcp()
    done(connect(s, to, IN))
    done(closesocket(s))
    server = accept(wait_readable(queue), None, None)
    return recv(wait_readable(server), bytearray(8), 8, 0)


@topic.fact(
    "connect",
    "to a listener whose queue was full, after accept has taken a client out",
    windows=[0],
    source=LENGTH,
    certainty=DOCUMENTED,
)
def accept_makes_room_for_a_client() -> Json:
    queue, to = fills(listening(1))
    assert accept(wait_readable(queue), None, None) != INVALID_SOCKET
    return answer("connect", connect(tcp(), to, IN))


@topic.fact(
    "select",
    "with a listener whose only client has been accepted",
    windows=["-"],
    source=SELECT,
    certainty=DOCUMENTED,
)
def a_listener_with_an_empty_queue_is_not_readable() -> Json:
    queue, _to = fills(listening(1))
    assert accept(wait_readable(queue), None, None) != INVALID_SOCKET
    return look(queue)


@topic.fact(
    "connect",
    "to the port of a listener that was closed with a client in its queue",
    windows=["WSAECONNREFUSED"],
    source=f"{_PAGES}/nf-winsock2-connect: no server is there",
    certainty=DOCUMENTED,
)
def a_listener_that_was_closed_with_a_client_in_its_queue_refuses_clients() -> Json:
    queue, to = fills(listening(1))
    done(closesocket(queue))
    return answer("connect", connect(tcp(), to, IN))
