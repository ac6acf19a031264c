"""A signal handler may raise, close sockets or fork at any moment of a call: nothing is left behind.

CPython runs signal handlers where a Python function begins and where a call has returned. `sys.setprofile` reports the
same moments, so these tests raise at each of them in turn instead of waiting for a signal to arrive there.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from ctypes import c_int
from types import FrameType
from typing import Any

import pytest
from process_measures import open_handles
from winsock_kit import LIMIT_SECONDS, connect_to, fd_set_of, listener, loopback, name_of, set_nonblocking, set_option

from winsock import (
    AF_INET,
    AF_INET6,
    INVALID_SOCKET,
    IP_ADD_MEMBERSHIP,
    IP_MULTICAST_IF,
    IPPROTO_IP,
    MAKEWORD,
    POLLIN,
    SD_SEND,
    SO_ACCEPTCONN,
    SO_RCVTIMEO,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSADATA,
    WSANOTINITIALISED,
    WSAPOLLFD,
    WSACleanup,
    WSAGetLastError,
    WSAPoll,
    WSAStartup,
    accept,
    bind,
    closesocket,
    connect,
    getsockname,
    getsockopt,
    inet_addr,
    ip_mreq,
    listen,
    recv,
    select,
    sendto,
    setsockopt,
    shutdown,
    sockaddr_in,
    socket,
    timeval,
    u_long,
)

pytestmark = pytest.mark.posix_only("the moments are those of compat's Python code")

# More than any of these calls has.
MOST_MOMENTS = 2000
# Descriptors that may stay open until WSACleanup: one of a socket, and one that ends waits.
FEW = 3


class Stop(Exception):
    pass


def at_moment(number: int, call: Callable[[], Any], act: Callable[[], None]) -> bool:
    """Makes a call, with `act` at its moment of that number, in compat's code; False when it has fewer moments."""
    left = number

    def report(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal left
        code = frame.f_code
        if event not in ("call", "c_return") or "winsock_compat" not in code.co_filename or left < 0:
            return
        if code.co_flags & inspect.CO_GENERATOR:
            return  # it reports its end as well, where Python could only print the exception
        left -= 1
        if left < 0:
            sys.setprofile(None)
            act()

    sys.setprofile(report)
    try:
        call()
    except Stop:
        pass
    finally:
        sys.setprofile(None)
    return left < 0


def stop() -> None:
    raise Stop


def datagram_socket() -> int:
    s = socket(AF_INET, SOCK_DGRAM, 0)
    assert bind(s, loopback(), 16) == 0
    set_option(s, SO_RCVTIMEO, 1)
    return s


def wait_in_recv() -> None:
    s = datagram_socket()
    recv(s, bytearray(8), 8, 0)
    closesocket(s)


def wait_in_select() -> None:
    s = datagram_socket()
    select(0, fd_set_of(s), None, None, timeval(0, 1000))
    closesocket(s)


def wait_in_wsapoll() -> None:
    s = datagram_socket()
    WSAPoll((WSAPOLLFD * 1)(WSAPOLLFD(s, POLLIN)), 1, 1)
    closesocket(s)


def accept_by_the_reference() -> None:
    s = listener()
    client = connect_to(s)
    accepted = accept(s, memoryview(bytearray(16)), c_int(16))  # a memoryview is for the reference
    for one in (client, accepted, s):
        closesocket(one)


def join(s: int) -> int:
    request = ip_mreq()
    request.imr_multiaddr.s_addr, request.imr_interface.s_addr = inet_addr("239.255.254.1"), inet_addr("127.0.0.1")
    return setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, request, 8)


def join_before_and_after_bind() -> None:
    first, second = datagram_socket(), socket(AF_INET, SOCK_DGRAM, 0)
    for s in (first, second):
        join(s)
    bind(second, loopback(), 16)
    recv(first, bytearray(1), 1, 0)
    for s in (first, second):
        closesocket(s)


def open_and_close() -> None:
    closesocket(socket(AF_INET, SOCK_STREAM, 0))


def another_thread_can_open_and_close() -> bool:
    """Whether no lock is held that another thread needs."""
    other = threading.Thread(target=open_and_close, daemon=True)
    other.start()
    other.join(LIMIT_SECONDS)
    return not other.is_alive()


CALLS = [
    wait_in_recv,
    wait_in_select,
    wait_in_wsapoll,
    accept_by_the_reference,
    open_and_close,
    join_before_and_after_bind,
]


def start() -> None:
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0


def clean_up_completely() -> None:
    """WSACleanup; once more if a handler has raised in it."""
    WSACleanup()
    assert (WSACleanup(), WSAGetLastError()) == (SOCKET_ERROR, WSANOTINITIALISED)


@pytest.mark.parametrize("call", CALLS)
def test_an_exception_at_any_moment_leaves_nothing_behind(unstarted: None, call: Callable[[], None]) -> None:
    before = open_handles()
    for moment in range(MOST_MOMENTS):
        start()
        interrupted = at_moment(moment, call, stop)
        # What the call was interrupted in does not affect the next calls, in any thread.
        wait_in_recv()
        assert another_thread_can_open_and_close(), f"moment {moment}"
        clean_up_completely()
        assert open_handles() == before, f"moment {moment}"
        if not interrupted:
            return
    pytest.fail(f"the call has more than {MOST_MOMENTS} moments")


@pytest.mark.parametrize(("family", "type"), [(AF_INET, SOCK_DGRAM), (AF_INET6, SOCK_STREAM)])
def test_an_interrupted_socket_call_leaves_no_socket(unstarted: None, family: int, type: int) -> None:
    start()
    closesocket(socket(family, type, 0))
    before, moment = open_handles(), 0
    while at_moment(moment, lambda: socket(family, type, 0), stop):
        assert open_handles() == before, f"moment {moment}"
        moment += 1
    assert moment > 5
    clean_up_completely()


def test_after_an_interrupted_bind_the_socket_is_either_bound_or_not(unstarted: None) -> None:
    start()
    moment, interrupted = 0, True
    while interrupted:
        s = socket(AF_INET, SOCK_DGRAM, 0)
        interrupted = at_moment(moment, lambda s=s: bind(s, loopback(), 16), stop)
        bound = getsockname(s, sockaddr_in(), c_int(16)) == 0
        assert (bind(s, loopback(), 16) == 0) == (not bound), f"moment {moment}"
        assert getsockname(s, sockaddr_in(), c_int(16)) == 0
        closesocket(s)
        moment += 1
    assert moment > 5
    clean_up_completely()


def test_after_an_interrupted_join_the_socket_can_be_a_member(unstarted: None) -> None:
    start()
    sender = datagram_socket()
    interface = u_long(inet_addr("127.0.0.1"))
    assert setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, interface, 4) == 0
    moment, interrupted = 0, True
    while interrupted:
        s = datagram_socket()
        interrupted = at_moment(moment, lambda s=s: join(s), stop)
        join(s)  # fails where the first one has succeeded
        name = name_of(s)
        name.sin_addr.s_addr = inet_addr("239.255.254.1")
        assert sendto(sender, b"1", 1, 0, name, 16) == 1
        set_option(s, SO_RCVTIMEO, 1000 * LIMIT_SECONDS)
        assert recv(s, bytearray(1), 1, 0) == 1, f"moment {moment}"
        set_nonblocking(s)
        assert recv(s, bytearray(1), 1, 0) == SOCKET_ERROR, f"moment {moment}"
        assert closesocket(s) == 0
        moment += 1
    assert moment > 10
    clean_up_completely()


def test_after_an_interrupted_listen_the_socket_is_either_listening_or_not(unstarted: None) -> None:
    start()
    moment, interrupted, seen = 0, True, set()
    while interrupted:
        s = socket(AF_INET, SOCK_STREAM, 0)
        assert bind(s, loopback(), 16) == 0
        interrupted = at_moment(moment, lambda s=s: listen(s, 1), stop)
        value = c_int()
        assert getsockopt(s, SOL_SOCKET, SO_ACCEPTCONN, value, c_int(4)) == 0
        client = socket(AF_INET, SOCK_STREAM, 0)
        accepts_connections = connect(client, name_of(s), 16) == 0
        assert accepts_connections == bool(value.value), f"moment {moment}"
        seen.add(accepts_connections)
        assert closesocket(client) == closesocket(s) == 0
        moment += 1
    assert seen == {False, True}
    clean_up_completely()


def test_the_end_of_the_stream_is_sent_by_a_second_shutdown_if_the_first_was_interrupted(unstarted: None) -> None:
    start()
    server = listener()
    moment, interrupted = 0, True
    while interrupted:
        client = connect_to(server)
        accepted = accept(server, None, None)
        interrupted = at_moment(moment, lambda client=client: shutdown(client, SD_SEND), stop)
        assert shutdown(client, SD_SEND) == 0
        assert recv(accepted, bytearray(1), 1, 0) == 0, f"moment {moment}"
        closesocket(client)
        closesocket(accepted)
        moment += 1
    assert moment > 5
    clean_up_completely()


@pytest.mark.parametrize("interrupted", ["before", "in the parent", "in the child"])
def test_an_exception_at_any_moment_of_a_fork_leaves_no_lock_held(unstarted: None, interrupted: str) -> None:
    """The functions that os.fork calls: it ignores their exceptions, and calls each of the last two twice."""
    from winsock_compat.state import waiters

    before, after = waiters._acquire_before_fork, waiters._release_after_fork
    if interrupted == "in the child":
        after = waiters._after_fork_in_child
    start()
    moment, reached = 0, True
    while reached:
        if interrupted == "before":
            reached = at_moment(moment, before, stop)
            after()
        else:
            before()
            reached = at_moment(moment, after, stop)
        after()
        assert another_thread_can_open_and_close(), f"moment {moment}"
        moment += 1
    assert moment > 1
    clean_up_completely()


def test_a_fork_releases_only_the_locks_that_it_has_acquired(unstarted: None) -> None:
    from winsock_compat.state import waiters

    with waiters.lock:
        at_moment(0, waiters._acquire_before_fork, stop)
        waiters._release_after_fork()
        waiters._release_after_fork()
        other = threading.Thread(target=start, daemon=True)
        other.start()
        other.join(0.05)
        assert other.is_alive()
    other.join(LIMIT_SECONDS)
    assert not other.is_alive()
    clean_up_completely()


def test_interrupted_waits_leave_no_more_than_a_few_descriptors_and_closed_sockets_are_closed(unstarted: None) -> None:
    start()
    before = open_handles()
    s = datagram_socket()
    moment = 0
    while at_moment(moment, lambda: select(0, fd_set_of(s), None, None, timeval(0, 1000)), stop):
        moment += 1
    assert moment > 10
    assert closesocket(s) == 0
    assert open_handles() - before <= FEW
    for _ in range(50):
        open_and_close()
    assert open_handles() - before <= FEW
    clean_up_completely()


def clean_up_while_a_handler_closes(moment: int) -> tuple[int, bool]:
    """The result of WSACleanup, during which a handler closes sockets; and whether it had a moment of that number."""
    sockets, results = [socket(AF_INET, SOCK_DGRAM, 0) for _ in range(3)], []

    def close_all() -> None:
        for s in sockets:
            closesocket(s)

    reached = at_moment(moment, lambda: results.append(WSACleanup()), close_all)
    return results[0], reached


def test_a_handler_may_close_sockets_at_any_moment_of_wsacleanup(unstarted: None) -> None:
    before = open_handles()
    for moment in range(MOST_MOMENTS):
        start()
        result, reached = clean_up_while_a_handler_closes(moment)
        assert result == 0
        assert (WSACleanup(), WSAGetLastError()) == (SOCKET_ERROR, WSANOTINITIALISED)
        assert open_handles() == before, f"moment {moment}"
        if not reached:
            return
    pytest.fail(f"WSACleanup has more than {MOST_MOMENTS} moments")


def test_an_exception_at_any_moment_of_wsacleanup_is_repaired_by_the_next_one(unstarted: None) -> None:
    before = open_handles()
    for moment in range(MOST_MOMENTS):
        start()
        sockets = [socket(AF_INET, SOCK_DGRAM, 0) for _ in range(3)]
        reached = at_moment(moment, WSACleanup, stop)
        WSACleanup()
        clean_up_completely()
        assert [closesocket(s) for s in sockets] == [SOCKET_ERROR] * 3
        assert open_handles() == before, f"moment {moment}"
        if not reached:
            return
    pytest.fail(f"WSACleanup has more than {MOST_MOMENTS} moments")


def test_a_nonblocking_listener_takes_the_next_client_after_an_interrupted_accept(unstarted: None) -> None:
    """The interrupted accept may lose its client, but no later one."""
    start()
    s = listener()
    set_nonblocking(s)
    moment = 0
    interrupted = True
    while interrupted and moment < MOST_MOMENTS:
        first = connect_to(s)
        interrupted = at_moment(moment, lambda: accept(s, None, None), stop)
        second = connect_to(s)
        taken = accept(s, None, None)
        assert taken != INVALID_SOCKET
        while accept(s, None, None) != INVALID_SOCKET:
            pass
        for one in (first, second, taken):
            closesocket(one)
        moment += 1
    clean_up_completely()
