"""Listen queues: which clients fit, and what happens to a client that finds the queue full."""

from __future__ import annotations

import os
import sys
from ctypes import c_int, sizeof

import pytest
from winsock_kit import (
    LIMIT_SECONDS,
    Running,
    accept_from,
    await_events,
    bound,
    error_of,
    events_of,
    excepted,
    fd_set_of,
    give_time,
    listener,
    loopback,
    loopback6,
    name_of,
    new,
    option,
    port_of,
    readable,
    set_nonblocking,
    set_option,
)

from winsock import (
    AF_INET,
    AF_INET6,
    FD_ISSET,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    SO_ERROR,
    SO_REUSEADDR,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOMAXCONN,
    WSAEALREADY,
    WSAECONNREFUSED,
    WSAENOTCONN,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    accept,
    bind,
    closesocket,
    connect,
    getpeername,
    getsockname,
    listen,
    recv,
    select,
    sockaddr_in,
    sockaddr_in6,
    timeval,
)

pytestmark = pytest.mark.usefixtures("started")

Name = sockaddr_in | sockaddr_in6

drops = pytest.mark.wine_differs("a client that finds the queue full connects for minutes", run=False)
one_more = pytest.mark.wine_differs("the queue takes one client more than the backlog")


def client(to: Name, s: int | None = None) -> int:
    """A nonblocking socket that is connecting."""
    family = AF_INET6 if isinstance(to, sockaddr_in6) else AF_INET
    s = new(family=family) if s is None else s
    set_nonblocking(s)
    assert error_of(connect(s, to, sizeof(to))) == WSAEWOULDBLOCK
    return s


def full(backlog: int = 1) -> tuple[int, sockaddr_in]:
    """A listener with a full queue, and its address."""
    server = listener(backlog)
    name = name_of(server)
    for _ in range(backlog):
        await_events(client(name), POLLOUT)
    return server, name


def connected(count: int, to: Name) -> int:
    """How many of so many new clients are connected after a moment."""
    clients = [client(to) for _ in range(count)]
    give_time(150)
    return sum(events_of(s, POLLOUT) == POLLOUT for s in clients)


# Which clients fit


@one_more
@pytest.mark.parametrize("backlog", [0, 1, 2, 3, 8])
def test_the_backlog_is_the_number_of_clients_that_fit_and_at_least_one(backlog: int) -> None:
    assert connected(backlog + 3, name_of(listener(backlog))) == max(backlog, 1)


@pytest.mark.parametrize("backlog", [SOMAXCONN, -1, -200, -0x80000000])
def test_somaxconn_and_somaxconn_hint_take_many_clients(backlog: int) -> None:
    assert connected(50, name_of(listener(backlog))) == 50


@pytest.mark.wine_differs("a second listen changes the backlog")
@pytest.mark.parametrize("second", [0, 1, 5, SOMAXCONN, -1])
def test_a_second_listen_succeeds_and_leaves_the_backlog(second: int) -> None:
    server = listener(2)
    assert listen(server, second) == 0
    assert connected(4, name_of(server)) == 2


def test_accept_makes_room_for_the_next_client() -> None:
    server, name = full()
    accept_from(server)
    assert connect(new(), name, 16) == 0


# A full queue


@drops
def test_select_reports_a_refused_client_in_exceptfds_only() -> None:
    _, name = full()
    s = client(name)
    sets = [fd_set_of(s) for _ in range(3)]
    assert select(0, *sets, timeval(LIMIT_SECONDS, 0)) == 1
    assert [FD_ISSET(s, fds) != 0 for fds in sets] == [False, False, True]
    assert option(s, SO_ERROR) == WSAECONNREFUSED


@drops
def test_wsapoll_reports_a_refused_client_as_a_failed_connect() -> None:
    _, name = full()
    s = client(name)
    assert await_events(s, POLLERR) == POLLERR | POLLHUP | (POLLOUT & 0xFF)
    assert error_of(recv(s, bytearray(1), 1, 0)) == WSAENOTCONN


@drops
def test_a_blocking_connect_to_a_full_queue_is_refused() -> None:
    _, name = full()
    s = new()
    assert error_of(connect(s, name, 16)) == WSAECONNREFUSED
    assert option(s, SO_ERROR) == 0


def dual_stack(s: int) -> int:
    set_option(s, IPV6_V6ONLY, 0, IPPROTO_IPV6)
    return s


def of_every_kind() -> dict[str, tuple[int, Name]]:
    """Listeners of every kind with a backlog of 1, and an address at which a client reaches each."""
    any6, mapped = sockaddr_in6(AF_INET6), sockaddr_in6(AF_INET6)
    mapped.sin6_addr.s6_addr = bytes(10) + b"\xff\xff\x7f\0\0\1"
    servers = {
        "IPv4": bound(),
        "IPv4 wildcard": bound(SOCK_STREAM, loopback(0, 0)),
        "IPv6": bound(SOCK_STREAM, loopback6()),
        "dual-stack, IPv6 client": dual_stack(new(family=AF_INET6)),
        "dual-stack, IPv4 client": dual_stack(new(family=AF_INET6)),
        "dual-stack, mapped client": dual_stack(new(family=AF_INET6)),
    }
    found: dict[str, tuple[int, Name]] = {}
    for kind, s in servers.items():
        if kind.startswith("dual-stack"):
            assert bind(s, any6, 28) == 0
        assert listen(s, 1) == 0
        name = sockaddr_in6()
        assert getsockname(s, name, c_int(28)) == 0
        port = name.sin6_port
        to: Name = mapped if "mapped" in kind else loopback6() if "IPv6" in kind else loopback(0, 0x7F000001)
        to = type(to).from_buffer_copy(bytes(to))
        setattr(to, "sin_port" if isinstance(to, sockaddr_in) else "sin6_port", port)
        found[kind] = s, to
    return found


@drops
def test_the_full_queue_of_every_kind_of_listener_refuses_its_clients() -> None:
    refused = {}
    for kind, (_, name) in of_every_kind().items():
        pair = [new(family=name.sin_family if isinstance(name, sockaddr_in) else AF_INET6) for _ in range(2)]
        for s in pair:
            if "mapped" in kind:
                dual_stack(s)
            client(name, s)
        await_events(pair[0], POLLOUT)
        refused[kind] = pair[1]
    assert {kind: excepted(s) and option(s, SO_ERROR) for kind, s in refused.items()} == dict.fromkeys(
        refused, WSAECONNREFUSED
    )


@drops
def test_listeners_that_share_an_address_refuse_the_clients_that_do_not_fit() -> None:
    servers = [new(), new()]
    name = loopback()
    for s in servers:
        set_option(s, SO_REUSEADDR, 1)
        assert bind(s, name, 16) == 0
        assert listen(s, 1) == 0
        name = name_of(s)
    clients = [client(name) for _ in range(6)]
    assert [await_events(s, POLLOUT | POLLERR) != 0 for s in clients] == [True] * 6
    assert sum(events_of(s) & POLLERR for s in clients) >= 4


@drops
def test_each_of_several_clients_is_refused() -> None:
    _, name = full(2)
    clients = [client(name) for _ in range(5)]
    assert [await_events(s, POLLERR) & POLLERR for s in clients] == [POLLERR] * 5


@drops
def test_waits_that_are_shorter_than_the_refusal_find_it_in_the_end() -> None:
    _, name = full()
    s = client(name)
    assert connect(s, name, 16) == SOCKET_ERROR
    assert WSAGetLastError() == WSAEALREADY
    for _ in range(LIMIT_SECONDS * 4):
        if select(0, None, None, fd_set_of(s), timeval(0, 250_000)) == 1:
            break
    assert events_of(s) & POLLERR


@drops
def test_clients_are_refused_by_a_listener_of_another_process() -> None:
    if sys.platform == "win32":
        pytest.skip("fork")
    server, name = full()
    ends = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ends[1])
        os.read(ends[0], 1)  # ends with the parent's end of the pipe
        os._exit(0)
    os.close(ends[0])
    try:
        assert closesocket(server) == 0
        assert error_of(connect(new(), name, 16)) == WSAECONNREFUSED
    finally:
        os.close(ends[1])
        os.waitpid(child, 0)


@drops
def test_a_refused_client_keeps_its_port_and_can_connect_again() -> None:
    server, name = full()
    s = client(name, bound())
    port = port_of(s)
    assert excepted(s)
    assert error_of(getpeername(s, sockaddr_in(), c_int(16))) == WSAENOTCONN
    assert port_of(s) == port
    accept_from(server)
    client(name, s)
    assert await_events(s, POLLOUT | POLLERR) & POLLERR == 0
    assert port_of(s) == port


@drops
def test_a_refused_client_never_reaches_the_listener() -> None:
    server, name = full()
    assert error_of(connect(new(), name, 16)) == WSAECONNREFUSED
    accept_from(server)
    assert events_of(server, POLLIN, 1500) == 0  # longer than a client waits until it tries again


@drops
def test_a_select_that_another_thread_began_before_connect_reports_the_refusal() -> None:
    _, name = full()
    s = new()
    selects = Running(lambda: select(0, None, None, fd_set_of(s), timeval(LIMIT_SECONDS, 0)))
    give_time(50)
    client(name, s)
    assert selects.result() == 1


# A place becomes free in time


@one_more
def test_a_blocking_client_connects_after_all_if_a_place_becomes_free() -> None:
    server, name = full()
    connects = Running(lambda: connect(new(), name, 16))
    give_time(100)
    assert not connects.done()
    accept_from(server)
    assert connects.result() == 0


@one_more
def test_a_nonblocking_client_connects_after_all_if_a_place_becomes_free() -> None:
    server, name = full()
    s = client(name)
    assert events_of(s, POLLOUT, 100) == 0
    accept_from(server)
    assert await_events(s, POLLOUT) == POLLOUT
    accept_from(server)


@one_more
def test_a_client_that_closes_while_the_queue_is_full_leaves_no_connection() -> None:
    server, name = full()
    s = client(name)
    assert events_of(s, POLLOUT, 50) == 0
    assert closesocket(s) == 0
    accept_from(server)
    assert not readable(server, 0)
    set_nonblocking(server)
    assert error_of(accept(server, None, None)) == WSAEWOULDBLOCK
